"""Money as whole fen: exact, rounded only where a call says so.

No binary floating point comes near: rates are ``Decimal`` or ``Fraction``, and every product is computed as an exact
ratio of integers before it is rounded once.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import ClassVar

from kernel.errors import InvalidInput

# Thirteen digits of yuan stay far inside a signed 64-bit number of fen, and no household is richer.
_YUAN = re.compile(r"-?(0|[1-9][0-9]{0,12})(\.[0-9]{1,2})?", re.ASCII)
_FEN_PER_YUAN = 100
_FEN_PER_JIAO = 10


class Rounding(Enum):
    """How a fraction of a fen becomes a fen; regulations differ, so each call names it."""

    HALF_UP = "half_up"  # 四舍五入; half away from zero for negative amounts
    CEILING = "ceiling"
    FLOOR = "floor"


def round_ratio(numerator: int, denominator: int, rounding: Rounding) -> int:
    """Round the exact ratio of two integers to an integer."""
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    match rounding:
        case Rounding.HALF_UP:
            magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
            return magnitude if numerator >= 0 else -magnitude
        case Rounding.CEILING:
            return -(-numerator // denominator)
        case Rounding.FLOOR:
            return numerator // denominator


def round_decimal(value: Fraction, places: int, rounding: Rounding = Rounding.HALF_UP) -> Decimal:
    """Round an exact fraction to a decimal with ``places`` digits after the point, trailing zeros kept."""
    scaled = round_ratio(value.numerator * 10**places, value.denominator, rounding)
    digits = tuple(int(digit) for digit in str(abs(scaled)))
    return Decimal((1 if scaled < 0 else 0, digits, -places))


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount of yuan (人民币), counted in fen."""

    fen: int

    ZERO: ClassVar["Money"]

    def __post_init__(self) -> None:
        if type(self.fen) is not int:  # bool is an int, and a numpy integer overflows silently
            raise TypeError("money is a whole number of fen")

    @classmethod
    def yuan(cls, amount: str | Decimal) -> "Money":
        """Read an amount of yuan with at most two decimals, like ``"12.34"``.

        Raises:
            InvalidInput: MONEY_MALFORMED.
        """
        text = format(amount, "f") if isinstance(amount, Decimal) else amount
        if len(text) > 17 or not _YUAN.fullmatch(text):  # noqa: PLR2004 - sign, 13 digits, point, two decimals
            raise InvalidInput("MONEY_MALFORMED", "an amount is digits with at most two decimals, like 12.34")
        whole, _, decimals = text.lstrip("-").partition(".")
        fen = int(whole) * _FEN_PER_YUAN + int(decimals.ljust(2, "0"))
        return cls(-fen if text.startswith("-") else fen)

    @classmethod
    def rounded(cls, yuan: Decimal | Fraction, rounding: Rounding = Rounding.HALF_UP) -> "Money":
        """Round an exact number of yuan with any number of decimals to the fen."""
        exact = Fraction(yuan) * _FEN_PER_YUAN
        return cls(round_ratio(exact.numerator, exact.denominator, rounding))

    @staticmethod
    def total(amounts: Iterable["Money"]) -> "Money":
        """Add amounts; nothing is zero."""
        return Money(sum(amount.fen for amount in amounts))

    def times(self, rate: Decimal | Fraction | int, rounding: Rounding = Rounding.HALF_UP) -> "Money":
        """Multiply by an exact rate and round once."""
        numerator, denominator = rate.as_integer_ratio()
        return Money(round_ratio(self.fen * numerator, denominator, rounding))

    def divided(self, by: Decimal | Fraction | int, rounding: Rounding = Rounding.HALF_UP) -> "Money":
        """Divide by an exact number and round once."""
        numerator, denominator = by.as_integer_ratio()
        return Money(round_ratio(self.fen * denominator, numerator, rounding))

    def raise_to_jiao(self) -> "Money":
        """Raise to the next 0.10 yuan (见分进角); an exact jiao stays."""
        return Money(round_ratio(self.fen, _FEN_PER_JIAO, Rounding.CEILING) * _FEN_PER_JIAO)

    def to_yuan(self) -> Decimal:
        """The amount in yuan with two decimals."""
        return Decimal(str(self))

    def __str__(self) -> str:
        sign = "-" if self.fen < 0 else ""
        return f"{sign}{abs(self.fen) // _FEN_PER_YUAN}.{abs(self.fen) % _FEN_PER_YUAN:02d}"

    def __add__(self, other: "Money") -> "Money":
        return Money(self.fen + other.fen)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.fen - other.fen)

    def __neg__(self) -> "Money":
        return Money(-self.fen)

    def __mul__(self, count: int) -> "Money":
        return Money(self.fen * count)

    __rmul__ = __mul__


Money.ZERO = Money(0)
