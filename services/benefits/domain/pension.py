"""The employee pension (企业职工基本养老金) of Jiangsu: average index, the three items, the total, the recomputation.

Each item is rounded half-up to the fen, then the items are added, and the sum is raised to the next jiao (见分进角).
Contribution years stay exact: months ÷ 12. Sources: 国发〔2005〕38号, 江苏省企业职工基本养老保险实施办法.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import Literal, NamedTuple

from kernel.calendar import Month
from kernel.dated import Dated, DatedValue
from kernel.errors import InvalidInput
from kernel.money import Money, round_decimal
from kernel.statement import ROUNDING, Line, ParameterUse, Statement

_MONTHS = 12
_INDEX_PLACES = 4
_FULL = Decimal(1)

Denominator = Literal["all_months", "actual_months"]


class YearOfBases(NamedTuple):
    """A calendar year of a person's contributions: sum of the monthly bases, paid months, deemed months.

    ``bases_fen`` are the bases one by one, read only where a month's index has a cap; without them the months of the
    year are taken as alike.
    """

    year: int
    base_total: Money
    months: int
    deemed_months: int = 0
    bases_fen: tuple[int, ...] = ()


class IndexYear(NamedTuple):
    """A year of contributions beside the index base (指数基数, per year) it is measured with."""

    bases: YearOfBases
    index_base: DatedValue[Money]


@dataclass(frozen=True, slots=True)
class AverageIndex:
    """The average contribution index (平均缴费工资指数).

    ``months`` stand in the denominator; ``index4`` is rounded half-up to 4 decimals, as the basic item wants it.
    """

    months: int
    exact: Fraction
    parameters: tuple[ParameterUse, ...]

    @property
    def index4(self) -> Decimal:
        """The index with 4 decimals."""
        return round_decimal(self.exact, _INDEX_PLACES)

    @property
    def provisional(self) -> bool:
        """Whether an index base was not published yet."""
        return any(use.provisional for use in self.parameters)


@dataclass(frozen=True, slots=True)
class PensionFacts:
    """What a person brings to the calculation.

    Args:
        index: Average contribution index; the basic item uses it rounded half-up to 4 decimals.
        months: Contribution months, deemed ones included.
        balance: Balance of the personal account at retirement.
        payout_months: Months over which the account is paid (计发月数).
        transitional_index: Index of the transitional item at full precision; ``None`` when there is no such item.
        pre1996_months: Months before 1996, deemed ones included (过渡性养老金 only).
        old_transitional: The amount by the old formula, from the archive; ``None`` when it is not compared.
        index_uses: Rows of law behind the index.
        balance_provisional: Interest in the balance rests on a rate that is not published yet.
    """

    index: Decimal
    months: int
    balance: Money
    payout_months: DatedValue[Decimal]
    transitional_index: Fraction | Decimal | None = None
    pre1996_months: int = 0
    old_transitional: Money | None = None
    index_uses: tuple[ParameterUse, ...] = ()
    balance_provisional: bool = False

    def __post_init__(self) -> None:
        if min(self.months, self.pre1996_months) < 0 or self.balance < Money.ZERO or self.index < 0:
            raise _negative()
        if (self.transitional_index or 0) < 0 or (self.old_transitional or Money.ZERO) < Money.ZERO:
            raise _negative()
        if self.payout_months.value <= 0:
            raise InvalidInput("PAYOUT_MONTHS_INVALID", "the account is paid over a positive number of months")


@dataclass(frozen=True, slots=True)
class PensionRules:
    """The rows of law of one retirement; the blend is asked only where new and old are compared."""

    base: DatedValue[Money]
    basic_rate: DatedValue[Decimal]
    coefficient: DatedValue[Decimal]
    blend: Dated[Decimal]
    retirement_day: date

    def __post_init__(self) -> None:
        if self.base.value < Money.ZERO:
            raise _negative()


@dataclass(frozen=True, slots=True)
class PensionLaw:
    """What the calculation needs of the law."""

    calculation_base: Dated[Money]
    index_base: Dated[Money]
    index_denominator: Dated[Denominator]
    index_cap: Dated[Decimal]
    basic_rate: Dated[Decimal]
    coefficient: Dated[Decimal]
    blend: Dated[Decimal]
    # The index base of a year as `provisionally_on` answers: asked for every year of every working life.
    _index_bases: dict[int, DatedValue[Money]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def rules(self, retirement: Month) -> PensionRules:
        """The rows for a month of retirement; the calculation base is that of the year in which payment starts.

        While that year's base is not published the latest one is used, provisional, and recomputed later.
        """
        day = retirement.first_day
        return PensionRules(
            base=self.calculation_base.provisionally_on(retirement.next.first_day),
            basic_rate=self.basic_rate.on(day),
            coefficient=self.coefficient.on(day),
            blend=self.blend,
            retirement_day=day,
        )

    def average_index(self, years: Sequence[YearOfBases], retirement: Month) -> AverageIndex:
        """The average index of a history; an index base not published yet is the latest one, provisional.

        Raises:
            InvalidInput: NO_CONTRIBUTION_MONTHS.
            PolicyParameterMissing: Actual contributions before the first index base (1996).
        """
        day = retirement.first_day
        known = self._index_bases
        for year in years:
            if year.months and year.year not in known:
                known[year.year] = self.index_base.provisionally_on(date(year.year, 1, 1))
        rows = [IndexYear(year, known[year.year]) for year in years if year.months]
        return average_index(
            rows,
            deemed_months=sum(year.deemed_months for year in years),
            denominator=self.index_denominator.on(day).value,
            cap=self.index_cap.on(day).value,
        )


@dataclass(frozen=True, slots=True)
class EmployeePension:
    """A pension; the statement's lines are basic, account, transitional (if any) and rounding (if any)."""

    statement: Statement
    transitional_new: Money

    @property
    def basic(self) -> Money:
        """Basic item (基础养老金)."""
        return self.statement.amount("basic")

    @property
    def account(self) -> Money:
        """Account item (个人账户养老金)."""
        return self.statement.amount("account")

    @property
    def transitional_paid(self) -> Money:
        """Transitional item (过渡性养老金) as paid after the blend."""
        return self.statement.amount("transitional")

    @property
    def sum(self) -> Money:
        """Sum of the items before it is raised to the jiao."""
        return self.statement.total - self.statement.amount(ROUNDING)

    @property
    def monthly_total(self) -> Money:
        """What is paid each month."""
        return self.statement.total


@dataclass(frozen=True, slots=True)
class Recomputation:
    """A provisional pension beside the final one, and what is paid afterwards for the months already paid."""

    provisional: EmployeePension
    final: EmployeePension
    difference: Money
    backpay: Money


def average_index(
    years: Sequence[IndexYear],
    *,
    deemed_months: int = 0,
    denominator: Denominator = "all_months",
    cap: Decimal = Decimal(0),
) -> AverageIndex:
    """Average of (monthly base ÷ monthly index base) over the months of the denominator.

    Args:
        years: Years with actual contributions.
        deemed_months: Deemed months (视同缴费); their index is not counted.
        denominator: Whether deemed months stand in the denominator; a switch the bureau must confirm.
        cap: Highest index of a month; 0 is no cap.

    Raises:
        InvalidInput: NO_CONTRIBUTION_MONTHS, PENSION_FACTS_NEGATIVE (months or bases, or an index base of nothing).
    """
    if deemed_months < 0 or any(
        bases.months < 0 or bases.base_total.fen < 0 or index_base.value.fen <= 0 for bases, index_base in years
    ):
        raise _negative()
    sums = [(year.bases.base_total.fen * _MONTHS, year.index_base.value.fen) for year in years]
    if cap:
        sums = [_capped(year, Fraction(cap)) for year in years]
    months = sum(year.bases.months for year in years) + (deemed_months if denominator == "all_months" else 0)
    if months <= 0:
        raise InvalidInput("NO_CONTRIBUTION_MONTHS", "an average index needs at least one month")
    # One common denominator: forty fractions added one by one would be reduced forty times.
    common = lcm(*[denominator for _, denominator in sums])
    total = sum([numerator * (common // denominator) for numerator, denominator in sums])
    return AverageIndex(months, Fraction(total, common * months), tuple([year.index_base.use() for year in years]))


def _capped(year: IndexYear, cap: Fraction) -> tuple[int, int]:
    """The sum of a year's monthly indices, each at most the cap, as a ratio."""
    bases, index_base = year.bases, year.index_base.value.fen
    if bases.bases_fen:
        total = sum(min(Fraction(base * _MONTHS, index_base), cap) for base in bases.bases_fen)
    else:
        total = min(Fraction(bases.base_total.fen * _MONTHS, index_base), cap * bases.months)
    return total.as_integer_ratio()


def calculate(facts: PensionFacts, rules: PensionRules) -> EmployeePension:
    """The monthly pension at retirement with every line explained.

    basic = base × (1 + index) ÷ 2 × months ÷ 12 × 1 %; account = balance ÷ payout months; transitional = base × index ×
    months before 1996 ÷ 12 × 1.2 %, blended with the old formula's amount; then the raise to the jiao.

    Raises:
        PolicyParameterMissing: The blend ratio of the year of retirement is not known, and new is higher than old.
    """
    new = _transitional_new(facts, rules)
    lines = [basic_line(facts, rules), account_line(facts)]
    if facts.pre1996_months or facts.old_transitional is not None:
        lines.append(_transitional(facts, rules, new))
    before = Money.total(line.amount for line in lines)
    raised = before.raise_to_jiao()
    if raised != before:
        lines.append(
            Line(
                code=ROUNDING,
                amount=raised - before,
                title_zh="见分进角",
                title_en="Raised to the next jiao",
                formula=f"{before} → {raised}",
                sources=("JS-AWARD-TABLES",),
                provisional=rules.base.provisional,
            )
        )
    return EmployeePension(Statement(tuple(lines)), new)


def recompute(
    facts: PensionFacts, provisional: PensionRules, final: PensionRules, *, paid_months: int
) -> Recomputation:
    """Settle a provisional pension when the final base is published: (new total − old total) × months paid.

    Args:
        facts: As at the determination.
        provisional: The rules that were used.
        final: The rules with the published base.
        paid_months: Months already paid by the provisional amount.

    Raises:
        InvalidInput: PENSION_FACTS_NEGATIVE.
    """
    if paid_months < 0:
        raise _negative()
    old, new = calculate(facts, provisional), calculate(facts, final)
    difference = new.monthly_total - old.monthly_total
    return Recomputation(old, new, difference, difference * paid_months)


def basic_line(facts: PensionFacts, rules: PensionRules) -> Line:
    """The basic item: base × (1 + index) ÷ 2 × months ÷ 12 × 1 %, the index with 4 decimals."""
    rate = rules.basic_rate.value
    index = round_decimal(Fraction(facts.index), _INDEX_PLACES)
    ratio = (1 + Fraction(index)) / 2 * Fraction(facts.months, _MONTHS) * Fraction(rate)
    amount = rules.base.value.times(ratio)
    return Line(
        code="basic",
        amount=amount,
        title_zh="基础养老金",
        title_en="Basic pension",
        formula=f"{rules.base.value} × (1 + {index}) ÷ 2 × {facts.months} ÷ 12 × {rate} = {amount}",
        inputs=(("base", str(rules.base.value)), ("index", str(index)), ("months", str(facts.months))),
        sources=rules.basic_rate.source,
        parameters=(rules.base.use(), rules.basic_rate.use(), *facts.index_uses),
        provisional=rules.base.provisional or any(use.provisional for use in facts.index_uses),
    )


def account_line(facts: PensionFacts) -> Line:
    """The account item: balance ÷ payout months."""
    months = facts.payout_months
    amount = facts.balance.divided(months.value)
    return Line(
        code="account",
        amount=amount,
        title_zh="个人账户养老金",
        title_en="Personal account pension",
        formula=f"{facts.balance} ÷ {months.value} = {amount}",
        inputs=(("balance", str(facts.balance)), ("payout_months", str(months.value))),
        sources=months.source,
        parameters=(months.use(),),
        provisional=facts.balance_provisional,
    )


def _negative() -> InvalidInput:
    return InvalidInput("PENSION_FACTS_NEGATIVE", "months, index, bases and amounts are not negative")


def _transitional_new(facts: PensionFacts, rules: PensionRules) -> Money:
    if facts.transitional_index is None:
        return Money.ZERO
    years = Fraction(facts.pre1996_months, _MONTHS)
    return rules.base.value.times(Fraction(facts.transitional_index) * years * Fraction(rules.coefficient.value))


def _transitional(facts: PensionFacts, rules: PensionRules, new: Money) -> Line:
    """New in full, or old plus the year's share of the gain, or old where new is not higher."""
    old = facts.old_transitional
    uses = [rules.base.use(), rules.coefficient.use()]
    shown = str(round_decimal(Fraction(facts.transitional_index or 0), _INDEX_PLACES))
    formula = f"{rules.base.value} × {shown} × {facts.pre1996_months} ÷ 12 × {rules.coefficient.value} = {new}"
    paid = new
    if old is not None and new <= old:
        paid = old
        formula += f" ≤ {old} → {old}"
    elif old is not None:
        ratio = rules.blend.on(rules.retirement_day)
        paid = old + (new - old).times(ratio.value)
        uses.append(ratio.use())
        if ratio.value != _FULL:
            formula += f"; {old} + {ratio.value} × ({new} − {old}) = {paid}"
    inputs = [("index", shown), ("pre1996_months", str(facts.pre1996_months)), ("new", str(new))]
    if old is not None:
        inputs.append(("old", str(old)))
    return Line(
        code="transitional",
        amount=paid,
        title_zh="过渡性养老金",
        title_en="Transitional pension",
        formula=formula,
        inputs=tuple(inputs),
        sources=rules.coefficient.source,
        parameters=tuple(uses),
        provisional=rules.base.provisional,
    )
