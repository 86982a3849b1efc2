"""The plan's indicators as values: a target, a count, and how far the one is from the other. Exact decimals only."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from fractions import Fraction

from kernel.errors import InvalidInput
from kernel.money import round_decimal

_PERCENT = 100


class Comparison(StrEnum):
    """How an actual figure is held against its target, as the plan's table prints it."""

    AT_LEAST = ">="
    MORE = ">"
    AT_MOST = "<="
    LESS = "<"
    ABOUT = "about"


# Persons or cases that one of the unit stands for, as a power of ten; a rate has no count behind it.
SCALES = {"万人": 4, "万人次": 4, "%": None}


@dataclass(frozen=True, slots=True)
class Words:
    """A sentence in both languages; empty where there is nothing to say."""

    zh: str = ""
    en: str = ""


@dataclass(frozen=True, slots=True)
class Indicator:
    """One row of the plan's table.

    Args:
        target: In the unit printed.
        counted_by: The service that counts it; empty when none can.
        counts: What that count is, and what it leaves out.
        is_partial: Whether the count is only a part of what the plan means.
        missing: What the platform does not have.
        owner: Who has it.
        remark: Where the plan's text says it differently from its table.
    """

    number: int
    key: str
    name: Words
    unit: str
    comparison: Comparison
    target: Decimal
    is_binding: bool
    is_cumulative: bool
    counted_by: str
    counts: Words
    is_partial: bool
    missing: Words
    owner: Words
    remark: Words
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """A count in the unit of its target."""

    count: int
    actual: Decimal
    gap: Decimal
    is_reached: bool


def measure(indicator: Indicator, count: int) -> Measured:
    """Hold a count of persons or cases against the target (rule `compare`); nothing is rounded.

    Raises:
        ValueError: The unit is a rate, which no count can be.
    """
    scale = SCALES[indicator.unit]
    if scale is None:
        raise ValueError(f"{indicator.key} is a rate")
    actual = Decimal(count).scaleb(-scale)
    return Measured(count, actual, actual - indicator.target, reaches(actual, indicator.comparison, indicator.target))


def reaches(actual: Decimal, comparison: Comparison, target: Decimal) -> bool:
    """Whether a figure is as the plan wants it; "about": as printed, when rounded half up to the digits printed."""
    match comparison:
        case Comparison.AT_LEAST:
            return actual >= target
        case Comparison.MORE:
            return actual > target
        case Comparison.AT_MOST:
            return actual <= target
        case Comparison.LESS:
            return actual < target
        case Comparison.ABOUT:
            return actual.quantize(target, rounding=ROUND_HALF_UP) == target


def progress(actual: Decimal, target: Decimal) -> Decimal:
    """How much of its target a figure is, in percent, half-up to two decimals; not limited to 100.

    Raises:
        InvalidInput: TARGET_ZERO.
    """
    if target == 0:
        raise InvalidInput("TARGET_ZERO", "nothing can be held against a target of zero", field="target")
    return round_decimal(Fraction(actual) * _PERCENT / Fraction(target), 2)
