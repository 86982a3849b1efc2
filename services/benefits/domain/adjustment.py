"""The annual adjustment (基本养老金年度调整): what every pension gains on January 1 of a year.

A flat amount, an amount per full contribution year by bands, a share of the pension, a tilt by age, and a least
increase where a province has one. Each item is rounded half-up to the fen, then the items are added; the adjusted
pension is raised to the next jiao (见分进角, assumed). A year whose amounts are not known refuses. Source: the yearly
notices of ministry and province; the amounts of Jiangsu are not verified and stay unknown.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from kernel.calendar import Month
from kernel.dated import Dated, DatedValue
from kernel.errors import InvalidInput, Refused
from kernel.money import Money
from kernel.statement import ROUNDING, Line, Statement

_MONTHS = 12
_SOURCES = ("WORKING-ASSUMPTION",)
DEMO_KEY = "annual_adjustment.demo_amounts"
# What a notice may say without being asked again (assumed): the national ratio was never above 6.5 %.
PERCENT_MOST = Decimal("0.15")
FLAT_MOST, YEAR_MOST, TILT_MOST = Money(100_000), Decimal(100), Money(100_000)


class YearBand(NamedTuple):
    """So much for each full contribution year up to ``upto_years`` that no band before has taken; ``None`` is open."""

    upto_years: int | None
    amount: Decimal


class TiltBand(NamedTuple):
    """So much for ages from ``age_from`` to ``age_to``, both included; ``None`` is open."""

    age_from: int
    age_to: int | None
    amount: Money


@dataclass(frozen=True, slots=True)
class Amounts:
    """The amounts of one year's adjustment.

    Args:
        flat: The same for everybody (定额).
        per_year: Marginal bands per full contribution year (与缴费年限挂钩), rising; yuan, exact.
        percent: Share of the pension before adjustment (与养老金水平挂钩).
        tilt: Extra by age (高龄倾斜), in order of age.
        per_year_minimum: The least that the contribution years bring.
        increase_minimum: The least that the whole adjustment brings.
    """

    flat: Money
    per_year: tuple[YearBand, ...]
    percent: Decimal
    tilt: tuple[TiltBand, ...]
    per_year_minimum: Money | None = None
    increase_minimum: Money | None = None

    def __post_init__(self) -> None:
        least = (self.per_year_minimum or Money.ZERO, self.increase_minimum or Money.ZERO)
        amounts = [self.flat, *least, *(band.amount for band in self.tilt)]
        if min(amounts) < Money.ZERO or self.percent < 0 or any(band.amount < 0 for band in self.per_year):
            raise InvalidInput("ADJUSTMENT_AMOUNT_NEGATIVE", "an adjustment never lowers a pension")
        ends = [band.upto_years for band in self.per_year]
        known = [end for end in ends if end is not None]
        if None in ends[:-1] or known != sorted(set(known)) or (known and known[0] <= 0):
            raise InvalidInput("ADJUSTMENT_BANDS_INVALID", "bands of years rise, and only the last is open")
        reached = -1
        for band in self.tilt:
            last = band.age_to
            if band.age_from <= reached or (last is not None and last < band.age_from):
                raise InvalidInput("ADJUSTMENT_TILT_INVALID", "bands of age rise without overlap")
            reached = 10**6 if last is None else last


@dataclass(frozen=True, slots=True)
class AdjustmentLaw:
    """What the calculation needs of the law: the province's amounts, and those that only tests may use."""

    amounts: Dated[Amounts]
    demo: Dated[Amounts]

    def of_year(self, year: int) -> DatedValue[Amounts]:
        """The amounts of a year's adjustment.

        Raises:
            PolicyParameterMissing: The amounts of the year are not known; nothing stands in for them.
        """
        return self.amounts.on(effective_month(year).first_day)


@dataclass(frozen=True, slots=True)
class AdjustmentFacts:
    """A pension before adjustment, full contribution years, and whole years of age at the end of the year before."""

    pension: Money
    full_years: int
    age: int

    def __post_init__(self) -> None:
        if self.pension < Money.ZERO or min(self.full_years, self.age) < 0:
            raise InvalidInput("ADJUSTMENT_FACTS_NEGATIVE", "pension, years and age are not negative")


@dataclass(frozen=True, slots=True)
class Adjustment:
    """An adjusted pension; the statement's lines are pension, the items that bring something, and rounding (if any)."""

    statement: Statement

    @property
    def increase(self) -> Money:
        """What the items bring, before the raise to the jiao."""
        return Money.total(line.amount for line in self.statement.lines if line.code not in {"pension", ROUNDING})

    @property
    def new_pension(self) -> Money:
        """What is paid each month from January on."""
        return self.statement.total

    def item(self, code: str) -> Money:
        """What one item brings: flat, years, percent, tilt or floor."""
        return self.statement.amount(code)


def require_plausible(amounts: Amounts) -> None:
    """Refuse amounts that no notice ever came near: a percentage written as a number, fen written as yuan.

    Raises:
        InvalidInput: ADJUSTMENT_PERCENT_ABSURD, ADJUSTMENT_AMOUNT_ABSURD, ADJUSTMENT_EMPTY.
    """
    if amounts.percent > PERCENT_MOST:
        raise InvalidInput(
            "ADJUSTMENT_PERCENT_ABSURD",
            f"a share of the pension is at most {PERCENT_MOST}",
            field="percent",
            percent=str(amounts.percent),
            most=str(PERCENT_MOST),
        )
    limits = [
        ("flat", amounts.flat > FLAT_MOST),
        ("per_year", any(band.amount > YEAR_MOST for band in amounts.per_year)),
        ("tilt", any(band.amount > TILT_MOST for band in amounts.tilt)),
        ("per_year_minimum", (amounts.per_year_minimum or Money.ZERO) > FLAT_MOST),
        ("increase_minimum", (amounts.increase_minimum or Money.ZERO) > FLAT_MOST),
    ]
    for field, is_absurd in limits:
        if is_absurd:
            raise InvalidInput("ADJUSTMENT_AMOUNT_ABSURD", "an amount is far above every notice", field=field)
    amounts_given = (amounts.flat, amounts.increase_minimum or Money.ZERO, *(band.amount for band in amounts.tilt))
    if (
        not amounts.percent
        and not any(band.amount for band in amounts.per_year)
        and not any(one != Money.ZERO for one in amounts_given)
    ):
        raise InvalidInput("ADJUSTMENT_EMPTY", "an adjustment raises something")


def effective_month(year: int) -> Month:
    """The month from which a year's adjustment is paid: January."""
    return Month(year, 1)


def full_years(contribution_months: int) -> int:
    """Whole contribution years; a started one does not count."""
    return contribution_months // _MONTHS


def age_for(birth: Month, year: int) -> int:
    """Whole years of age on December 31 of the year before the adjustment, the day the tilt looks at."""
    return birth.months_until(Month(year - 1, _MONTHS)) // _MONTHS


def require_retired(retirement: Month, year: int) -> None:
    """Refuse who retired after December 31 of the year before.

    Raises:
        Refused: RETIRED_TOO_LATE_FOR_ADJUSTMENT.
    """
    if retirement >= effective_month(year):
        raise Refused(
            "RETIRED_TOO_LATE_FOR_ADJUSTMENT",
            "the adjustment is for people retired by December 31 of the year before",
            source=_SOURCES,
            retirement=str(retirement),
            year=str(year),
        )


def adjust(facts: AdjustmentFacts, law: DatedValue[Amounts]) -> Adjustment:
    """A pension after the annual adjustment, every item explained.

    Lines pension, flat, years, percent, tilt, floor (what the least increase adds) and rounding; an item that brings
    nothing has no line.

    Args:
        facts: The pension before, years, age.
        law: The amounts of the year, from :meth:`AdjustmentLaw.of_year`.
    """
    amounts, pension = law.value, facts.pension
    percent = pension.times(amounts.percent)
    shown = f"{pension} × {amounts.percent} = {percent}"
    items = [
        _line(law, "flat", amounts.flat, str(amounts.flat)),
        _years(facts, law),
        _line(law, "percent", percent, shown, (("pension", str(pension)), ("percent", str(amounts.percent)))),
        _tilt(facts, law),
    ]
    increase = Money.total(item.amount for item in items)
    least = amounts.increase_minimum
    if least is not None and increase < least:
        items.append(_line(law, "floor", least - increase, f"{increase} → {least}"))
        increase = least
    lines = [_line(law, "pension", pension, str(pension)), *(item for item in items if item.amount != Money.ZERO)]
    after = pension + increase
    raised = after.raise_to_jiao()
    if raised != after:
        lines.append(_line(law, ROUNDING, raised - after, f"{after} → {raised}"))
    return Adjustment(Statement(tuple(lines)))


def years_amount(years: int, bands: Sequence[YearBand]) -> Money:
    """What full contribution years bring by marginal bands, rounded once, half-up to the fen."""
    return Money.rounded(sum((Fraction(amount) * count for count, amount in _taken(years, bands)), Fraction(0)))


def demo_amounts(law: AdjustmentLaw, year: int) -> DatedValue[Amounts]:
    """The amounts for tests and demonstrations, never for a payment; nobody published them."""
    return law.demo.on(effective_month(year).first_day)


def _taken(years: int, bands: Sequence[YearBand]) -> list[tuple[int, Decimal]]:
    """How many years each band takes."""
    taken, before = [], 0
    for band in bands:
        upto = years if band.upto_years is None else min(years, band.upto_years)
        if upto > before:
            taken.append((upto - before, band.amount))
            before = upto
    return taken


def _years(facts: AdjustmentFacts, law: DatedValue[Amounts]) -> Line:
    bands = law.value.per_year
    amount = years_amount(facts.full_years, bands)
    parts = " + ".join(f"{count} × {rate}" for count, rate in _taken(facts.full_years, bands)) or "0"
    formula, least = f"{parts} = {amount}", law.value.per_year_minimum
    if least is not None and amount < least:
        formula, amount = f"{formula} → {least}", least
    return _line(law, "years", amount, formula, (("full_years", str(facts.full_years)),))


def _tilt(facts: AdjustmentFacts, law: DatedValue[Amounts]) -> Line:
    fitting = [
        band
        for band in law.value.tilt
        if band.age_from <= facts.age and (band.age_to is None or facts.age <= band.age_to)
    ]
    amount = fitting[0].amount if fitting else Money.ZERO
    shown = f"{_ages(fitting[0])}: {amount}" if fitting else "0"
    return _line(law, "tilt", amount, shown, (("age", str(facts.age)),))


def _line(
    law: DatedValue[Amounts], code: str, amount: Money, formula: str, inputs: tuple[tuple[str, str], ...] = ()
) -> Line:
    title_zh, title_en = _TITLES[code]
    if law.key == DEMO_KEY and code in _SHOWN:
        title_zh, title_en = f"{title_zh}（演示标准，非官方）", f"{title_en} (demonstration, not official)"
    return Line(
        code=code,
        amount=amount,
        title_zh=title_zh,
        title_en=title_en,
        formula=formula,
        inputs=inputs,
        sources=law.source,
        parameters=(law.use(_SHOWN[code](law.value)),) if code in _SHOWN else (),
        provisional=law.provisional,
    )


def _show_years(amounts: Amounts) -> str:
    bands = ", ".join(f"≤{band.upto_years or '∞'}: {band.amount}" for band in amounts.per_year)
    return bands if amounts.per_year_minimum is None else f"{bands}, ≥{amounts.per_year_minimum}"


def _show_tilt(amounts: Amounts) -> str:
    return ", ".join(f"{_ages(band)}: {band.amount}" for band in amounts.tilt)


def _ages(band: TiltBand) -> str:
    return f"{band.age_from}+" if band.age_to is None else f"{band.age_from}–{band.age_to}"


_TITLES = {
    "pension": ("调整前养老金", "Pension before adjustment"),
    "flat": ("定额调整", "Flat amount"),
    "years": ("按缴费年限调整", "Per contribution year"),
    "percent": ("按养老金水平调整", "Share of the pension"),
    "tilt": ("高龄倾斜", "Tilt by age"),
    "floor": ("补足最低增加额", "Least increase"),
    ROUNDING: ("见分进角", "Raised to the next jiao"),
}
# How a line shows the part of the year's amounts that it used.
_SHOWN: dict[str, Callable[[Amounts], str]] = {
    "flat": lambda amounts: str(amounts.flat),
    "years": _show_years,
    "percent": lambda amounts: str(amounts.percent),
    "tilt": _show_tilt,
    "floor": lambda amounts: str(amounts.increase_minimum),
}
