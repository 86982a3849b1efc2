"""Employee pensions and annual adjustments of many people at once, equal to the one-person form on every fen.

Whole columns of 64-bit integers, no binary fraction in any amount: every product is checked to fit before it is taken,
every division rounds as :mod:`services.benefits.domain.pension` and :mod:`services.benefits.domain.adjustment` do. No
statements here: whoever wants to see the lines of one person asks the one-person form with the same facts and rows.
Sources: as there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from kernel.dated import DatedValue
from kernel.errors import InvalidInput
from kernel.money import Money, round_decimal
from services.benefits.domain.adjustment import AdjustmentFacts, Amounts, adjust, years_amount
from services.benefits.domain.pension import PensionFacts, PensionRules, calculate

Column = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]

_MONTHS = 12
_JIAO = 10
INDEX_SCALE = 10**4  # the basic item uses the index with four decimals
TRANSITIONAL_SCALE = (
    10**8
)  # the transitional one is exact; eight decimals bound it, and what they cannot tell is redone
PAYOUT_SCALE = 10  # payout months have one decimal
_LIMIT = 2**61  # a product doubled for rounding half-up, and its divisor, stay below 2**63
_EXACT_DOUBLE = 2**53  # every whole number below is a double
_BLOCK = 16_384  # rows at a time: what is worked out of them stays in the cache of one core
_OLDEST = 150  # years of age, and of contributions, beyond which something is wrong


@dataclass(frozen=True, slots=True)
class Pensioners:
    """Columns of what people bring to the calculation, one row for each person.

    Args:
        index4: Average index in ten-thousandths.
        months: Contribution months, deemed ones included.
        balance: Balance of the account in fen.
        payout: Payout months in tenths.
        transitional: Transitional index in hundred-millionths, rounded down; 0 where there is none.
        pre1996: Months before 1996.
        old: Amount by the old formula in fen; read where ``has_old``.
        has_old: Whether the old formula is compared.
        is_exact: Whether ``transitional`` is the index itself and nothing was cut off.
        facts: What the one-person form takes, asked for rows that the columns cannot decide; may be left out when every
            row is exact.
    """

    index4: Column
    months: Column
    balance: Column
    payout: Column
    transitional: Column
    pre1996: Column
    old: Column
    has_old: Marks
    is_exact: Marks
    facts: Sequence[PensionFacts] | None = None

    def __post_init__(self) -> None:
        columns = (self.index4, self.months, self.balance, self.payout, self.transitional, self.pre1996, self.old)
        _require_columns(columns, self.has_old, self.is_exact)
        if bool((self.payout <= 0).any()):
            raise InvalidInput("PAYOUT_MONTHS_INVALID", "the account is paid over a positive number of months")
        if self.facts is None and not bool(self.is_exact.all()):
            raise InvalidInput("COLUMNS_INVALID", "an index that was cut off needs the facts it comes from")

    @classmethod
    def of(cls, facts: Sequence[PensionFacts]) -> "Pensioners":
        """The columns of people as the one-person form takes them.

        Raises:
            InvalidInput: COLUMNS_INVALID (payout months with more than one decimal).
        """
        exact = [Fraction(one.transitional_index or 0) * TRANSITIONAL_SCALE for one in facts]
        payout = [Fraction(one.payout_months.value) * PAYOUT_SCALE for one in facts]
        if any(tenths.denominator != 1 for tenths in payout):
            raise InvalidInput("COLUMNS_INVALID", "payout months have one decimal")
        return cls(
            index4=_column(int(round_decimal(Fraction(one.index), 4).scaleb(4)) for one in facts),
            months=_column(one.months for one in facts),
            balance=_column(one.balance.fen for one in facts),
            payout=_column(int(tenths) for tenths in payout),
            transitional=_column(scaled.numerator // scaled.denominator for scaled in exact),
            pre1996=_column(one.pre1996_months for one in facts),
            old=_column((one.old_transitional or Money.ZERO).fen for one in facts),
            has_old=np.array([one.old_transitional is not None for one in facts], dtype=np.bool_),
            is_exact=np.array([scaled.denominator == 1 for scaled in exact], dtype=np.bool_),
            facts=facts,
        )


@dataclass(frozen=True, slots=True)
class Pensions:
    """Columns of fen: the items, the sum and what is paid; ``redone`` rows were decided by the one-person form."""

    basic: Column
    account: Column
    transitional_new: Column
    transitional_paid: Column
    total: Column
    redone: int


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Columns of fen: the items of an adjustment, the increase before the raise to the jiao, the new pension."""

    years: Column
    percent: Column
    tilt: Column
    increase: Column
    new_pension: Column


def pensions(people: Pensioners, rules: PensionRules) -> Pensions:
    """The pensions of people who retire under the same rows of law; see :func:`~.pension.calculate`.

    Raises:
        InvalidInput: COLUMNS_INVALID (a product would not fit into 64 bits).
        PolicyParameterMissing: The blend ratio is not known and somebody's new amount is higher than the old one.
    """
    count = len(people.months)
    basic, account, new, total = (np.empty(count, dtype=np.int64) for _ in range(4))
    paid = np.empty(count, dtype=np.int64) if bool(people.has_old.any()) else new  # without an old amount new is paid
    redone = 0
    for first in range(0, count, _BLOCK):
        rows = slice(first, first + _BLOCK)
        basic[rows], account[rows] = _basic(people, rules, rows), _account(people, rows)
        new[rows], unsure = _transitional_new(people, rules, rows)
        if paid is not new:
            paid[rows] = _blend(people, rules, new[rows], rows)
        for row in (first + unsure).tolist():
            assert people.facts is not None
            one = calculate(people.facts[row], rules)
            new[row], paid[row] = one.transitional_new.fen, one.transitional_paid.fen
        redone += int(unsure.size)
        total[rows] = _raise_to_jiao(basic[rows] + account[rows] + paid[rows])
    return Pensions(basic, account, new, paid, total, redone)


def adjustments(pension: Column, full_years: Column, age: Column, law: DatedValue[Amounts]) -> Adjusted:
    """The annual adjustment of many pensions; see :func:`~.adjustment.adjust`.

    Args:
        pension: Pensions before, in fen.
        full_years: Full contribution years.
        age: Whole years of age on December 31 of the year before.
        law: The amounts of the year.

    Raises:
        InvalidInput: COLUMNS_INVALID.
    """
    _require_columns((pension, full_years, age))
    amounts = law.value
    by_years, by_age = _tables(law)
    years = _look_up(by_years, full_years)
    share, whole = Fraction(amounts.percent).as_integer_ratio()
    percent = _half_up(_product(pension, scalar=share), whole)
    tilt = _look_up(by_age, age)
    increase = years + percent + tilt + amounts.flat.fen
    if amounts.increase_minimum is not None:
        increase = np.maximum(increase, amounts.increase_minimum.fen)
    return Adjusted(years, percent, tilt, increase, _raise_to_jiao(pension + increase))


def _basic(people: Pensioners, rules: PensionRules, rows: slice) -> Column:
    share, whole = Fraction(rules.basic_rate.value).as_integer_ratio()
    product = _product(people.index4[rows] + INDEX_SCALE, people.months[rows], rules.base.value.fen * share)
    return _half_up(product, 2 * INDEX_SCALE * _MONTHS * whole)


def _account(people: Pensioners, rows: slice) -> Column:
    return _half_up_each(_product(people.balance[rows], scalar=PAYOUT_SCALE), people.payout[rows])


def _transitional_new(people: Pensioners, rules: PensionRules, rows: slice) -> tuple[Column, Column]:
    """The new transitional item, and the rows whose index was cut off so that its rounding is not certain."""
    part, whole = Fraction(rules.coefficient.value).as_integer_ratio()
    scalar, divisor = rules.base.value.fen * part, TRANSITIONAL_SCALE * _MONTHS * whole
    index, months, is_exact = people.transitional[rows], people.pre1996[rows], people.is_exact[rows]
    low = _half_up(_product(index, months, scalar), divisor)
    if bool(is_exact.all()):
        return low, np.empty(0, dtype=np.int64)
    # The index lies between the column and one more hundred-millionth: where both round alike, so does the index.
    high = _half_up(_product(index + 1, months, scalar), divisor)
    return low, np.flatnonzero((low != high) & ~is_exact).astype(np.int64)


def _blend(people: Pensioners, rules: PensionRules, new: Column, rows: slice) -> Column:
    """New in full without an old amount; else old, and the year's share of what new is higher."""
    compared, old = people.has_old[rows], people.old[rows]
    gaining = compared & (new > old)
    # A cut-off index may round one fen lower than it is: rows on the edge are redone, the ratio is needed all the same.
    paid = np.where(compared, old, new)
    if bool(gaining.any()):
        part, whole = Fraction(rules.blend.on(rules.retirement_day).value).as_integer_ratio()
        gain = _half_up(_product(np.where(gaining, new - old, 0), scalar=part), whole)
        paid = paid + gain
    return paid


@lru_cache(maxsize=8)  # a run asks for the same in every chunk
def _tables(law: DatedValue[Amounts]) -> tuple[Column, Column]:
    """What years of contributions bring, and what age does."""
    least = law.value.per_year_minimum or Money.ZERO
    counts = range(_OLDEST + 1)
    by_years = _column(max(years_amount(count, law.value.per_year), least).fen for count in counts)
    return by_years, _column(_tilt(count, law).fen for count in counts)


def _tilt(age: int, law: DatedValue[Amounts]) -> Money:
    return adjust(AdjustmentFacts(Money.ZERO, 0, age), law).item("tilt")


def _column(values: object) -> Column:
    return np.array(list(values), dtype=np.int64)  # type: ignore[call-overload]  # an iterable of whole numbers


def _require_columns(columns: Sequence[Column], *marks: Marks) -> None:
    lengths = {column.shape for column in (*columns, *marks)}
    if len(lengths) > 1 or any(column.dtype != np.int64 for column in columns):
        raise InvalidInput("COLUMNS_INVALID", "columns are whole numbers of one length")
    if any(bool((column < 0).any()) for column in columns):
        raise InvalidInput("PENSION_FACTS_NEGATIVE", "months, index and amounts are not negative")


def _product(one: Column, other: Column | None = None, scalar: int = 1) -> Column:
    """The product of columns and a number, refused where it could leave 64 bits."""
    largest = [int(column.max(initial=0)) for column in (one, other) if column is not None]
    bound = scalar
    for value in largest:
        bound *= value
    if bound >= _LIMIT or scalar >= _LIMIT:
        raise InvalidInput("COLUMNS_INVALID", "amounts are too large for a set; calculate these people one by one")
    return one * scalar if other is None else one * other * scalar


def _half_up(numerator: Column, divisor: int) -> Column:
    """Half-up to a whole number; nothing here is negative."""
    return (2 * numerator + divisor) // (2 * divisor)


def _half_up_each(numerator: Column, divisors: Column) -> Column:
    """The same, each row by its own divisor.

    A processor divides doubles several times as fast as 64-bit integers, and below 2**53 the whole part is as exact: a
    quotient that is not whole is at least ``1 / divisor`` below the next whole number, its rounding moves it by at most
    ``quotient / 2**53``, which is less because ``quotient * divisor`` is the numerator. Larger ones are divided as
    integers.
    """
    dividend, divisor = 2 * numerator + divisors, 2 * divisors
    if max(int(dividend.max(initial=0)), int(divisor.max(initial=0))) >= _EXACT_DOUBLE:
        whole: Column = dividend // divisor
        return whole
    found: Column = np.divide(dividend, divisor).astype(np.int64)  # towards zero: the whole part
    return found


def _raise_to_jiao(amounts: Column) -> Column:
    return (amounts + (_JIAO - 1)) // _JIAO * _JIAO


def _look_up(table: Column, places: Column) -> Column:
    """The amounts of a table by its places."""
    if int(places.max(initial=0)) >= len(table):
        raise InvalidInput("COLUMNS_INVALID", "nobody is that old, or paid for so long")
    return table[places]
