"""Survivors' benefits of the employee scheme (企业职工遗属待遇): a funeral grant and a survivors' pension, paid once.

Both are months of a base: the province's urban disposable income per head of the year before the death, divided by
twelve. Months stay an exact fraction; each item is rounded half-up to the fen. Sources: 人社部发〔2021〕18号;
one funeral grant only, 社会保险法.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from kernel.dated import Dated, DatedValue
from kernel.errors import InvalidInput
from kernel.money import Money, round_decimal
from kernel.statement import Line, Statement

_MONTHS = 12
_FEN_PER_YUAN = 100
_FEW, _SOME, _MANY = 5, 10, 15  # years at which the table of months steps, as the notice prints it
_PLACES = 4
FEW_YEARS_MONTHS = _FEW * _MONTHS  # below, own contributions limit what is paid


@dataclass(frozen=True, slots=True)
class MonthsTable:
    """Months of survivors' pension: below 5 and 10 years, up to 15; the caps; the least for who drew a pension."""

    below_5: int
    below_10: int
    to_15: int
    years_max: int
    months_max: int
    drawing_min: int

    def __str__(self) -> str:
        return (
            f"<5: {self.below_5}, <10: {self.below_10}, ≤15: {self.to_15}, "
            f"+1 per year to {self.years_max} years, ≤{self.months_max}; drawing ≥{self.drawing_min}"
        )


@dataclass(frozen=True, slots=True)
class SurvivorLaw:
    """What the calculation needs of the law; the income is yearly, by the calendar year it was earned in."""

    annual_income: Dated[Money]
    funeral_months: Dated[int]
    pension_months: Dated[MonthsTable]

    def rules(self, death: date) -> "SurvivorRules":
        """The rows for a day of death; the income is that of the year before.

        Raises:
            PolicyParameterMissing: The income of the year before is not known, or the death lies before 2021-09-01.
        """
        income = self.annual_income.on(date(death.year - 1, 1, 1))
        return SurvivorRules(base_of(income), self.funeral_months.on(death), self.pension_months.on(death))


@dataclass(frozen=True, slots=True)
class SurvivorRules:
    """The rows of law of one death; ``base`` is a month's income."""

    base: DatedValue[Money]
    funeral_months: DatedValue[int]
    pension_months: DatedValue[MonthsTable]


@dataclass(frozen=True, slots=True)
class SurvivorFacts:
    """Who died.

    Args:
        contribution_months: Months paid, deemed ones included.
        drawn_months: Months for which a pension was drawn; ``None`` when the person was still in service.
        own_contributions: Sum of the deceased's own contributions (flexible workers: the part booked to the account),
            the limit below five years; ``None`` leaves it open, which only an estimate may.
    """

    contribution_months: int
    drawn_months: int | None = None
    own_contributions: Money | None = None

    def __post_init__(self) -> None:
        amounts = (self.contribution_months, self.drawn_months or 0, (self.own_contributions or Money.ZERO).fen)
        if min(amounts) < 0:
            raise InvalidInput("SURVIVOR_FACTS_NEGATIVE", "months and own contributions are not negative")


@dataclass(frozen=True, slots=True)
class SurvivorBenefit:
    """What is paid once; the statement's lines are funeral, pension and cap (below five years, if it takes away)."""

    statement: Statement
    base: Money
    months: Fraction
    limit_open: bool

    @property
    def funeral(self) -> Money:
        """Funeral grant (丧葬补助金) before the limit of few years."""
        return self.statement.amount("funeral")

    @property
    def pension(self) -> Money:
        """Survivors' pension (抚恤金) before the limit of few years."""
        return self.statement.amount("pension")

    @property
    def capped(self) -> bool:
        """Whether own contributions limit the total."""
        return self.statement.amount("cap") != Money.ZERO

    @property
    def months4(self) -> Decimal:
        """The months with 4 decimals, as they are shown."""
        return round_decimal(self.months, _PLACES)

    @property
    def total(self) -> Money:
        """What is paid."""
        return self.statement.total


@dataclass(frozen=True, slots=True)
class FuneralChoice:
    """Funeral grants that a death gives under several schemes; one may be taken."""

    eligible: tuple[str, ...]
    best: str
    amount: Money
    payable_count: int = 1


def base_of(annual: DatedValue[Money]) -> DatedValue[Money]:
    """A month's income from a year's: divided by 12, rounded half-up to the whole yuan as Jiangsu does.

    Raises:
        InvalidInput: SURVIVOR_FACTS_NEGATIVE.
    """
    if annual.value < Money.ZERO:
        raise InvalidInput("SURVIVOR_FACTS_NEGATIVE", "an income is not negative")
    return annual.map(lambda year: year.divided(_MONTHS * _FEN_PER_YUAN) * _FEN_PER_YUAN)


def pension_months(contribution_months: int, drawn_months: int | None, table: MonthsTable) -> Fraction:
    """Months of survivors' pension, exact: a part year counts as its months ÷ 12.

    In service: 3 below five years, 6 below ten, 9 up to fifteen, then one more per year, years capped at 30 and months
    at 24. Who drew a pension: one less per year drawn, not below 9.

    Args:
        contribution_months: Months paid.
        drawn_months: Months of pension drawn; ``None`` in service.
        table: Row of law.
    """
    years = min(Fraction(contribution_months, _MONTHS), Fraction(table.years_max))
    if years < _FEW:
        months = Fraction(table.below_5)
    elif years < _SOME:
        months = Fraction(table.below_10)
    else:
        months = table.to_15 + max(Fraction(0), years - _MANY)
    months = min(months, Fraction(table.months_max))
    if drawn_months is None:
        return months
    return max(months - Fraction(drawn_months, _MONTHS), Fraction(table.drawing_min))


def assess(facts: SurvivorFacts, rules: SurvivorRules) -> SurvivorBenefit:
    """What the survivors of an insured person are paid once, every line explained.

    funeral = 2 × base; pension = base × months; below five contribution years not more than the deceased's own
    contributions (line ``cap``). The balance of the personal account is inherited in addition.

    Raises:
        InvalidInput: SURVIVOR_FACTS_NEGATIVE.
    """
    base, table = rules.base, rules.pension_months
    if base.value < Money.ZERO:
        raise InvalidInput("SURVIVOR_FACTS_NEGATIVE", "an income is not negative")
    funeral = base.value * rules.funeral_months.value
    months = pension_months(facts.contribution_months, facts.drawn_months, table.value)
    pension = base.value.times(months)
    shown = _shown(months)
    drawn = () if facts.drawn_months is None else (("drawn_months", str(facts.drawn_months)),)
    lines = [
        Line(
            code="funeral",
            amount=funeral,
            title_zh="丧葬补助金",
            title_en="Funeral grant",
            formula=f"{base.value} × {rules.funeral_months.value} = {funeral}",
            inputs=(("base", str(base.value)),),
            sources=rules.funeral_months.source,
            parameters=(base.use(), rules.funeral_months.use()),
            provisional=base.provisional,
        ),
        Line(
            code="pension",
            amount=pension,
            title_zh="抚恤金",
            title_en="Survivors' pension",
            formula=f"{base.value} × {shown} = {pension}",
            inputs=(
                ("base", str(base.value)),
                ("contribution_months", str(facts.contribution_months)),
                *drawn,
                ("months", shown),
            ),
            sources=table.source,
            parameters=(base.use(), table.use()),
            provisional=base.provisional,
        ),
    ]
    is_few = facts.contribution_months < FEW_YEARS_MONTHS
    limit, total = facts.own_contributions, funeral + pension
    if is_few and limit is not None and total > limit:
        lines.append(
            Line(
                code="cap",
                amount=limit - total,
                title_zh="缴费不满五年以个人缴费为限",
                title_en="Limited to own contributions below five years",
                formula=f"{total} → {limit}",
                inputs=(("own_contributions", str(limit)),),
                sources=table.source,
            )
        )
    return SurvivorBenefit(Statement(tuple(lines)), base.value, months, limit_open=is_few and limit is None)


def choose_funeral(grants: Mapping[str, Money]) -> FuneralChoice:
    """Of the funeral grants under several schemes one may be taken (社会保险法); the largest is proposed.

    Args:
        grants: Amount by scheme.

    Raises:
        InvalidInput: NO_FUNERAL_GRANT, FUNERAL_GRANT_NEGATIVE.
    """
    if not grants:
        raise InvalidInput("NO_FUNERAL_GRANT", "there is no funeral grant to choose from")
    if min(grants.values()) < Money.ZERO:
        raise InvalidInput("FUNERAL_GRANT_NEGATIVE", "a funeral grant is not negative")
    eligible = tuple(sorted(grants))
    best = max(eligible, key=lambda scheme: grants[scheme])
    return FuneralChoice(eligible, best, grants[best])


def _shown(months: Fraction) -> str:
    """Whole months plain, others as the exact fraction that was multiplied."""
    return str(months.numerator) if months.denominator == 1 else f"{months.numerator}/{months.denominator}"
