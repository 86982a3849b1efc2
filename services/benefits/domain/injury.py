"""Work-injury benefits by grade (工伤伤残待遇): own wage, one-off grant, monthly allowance, nursing.

Every item is rounded half-up to the fen (assumed). What the end of an employment brings is in :mod:`.injury_end`, a
death in :mod:`.injury_death`. Sources: 工伤保险条例 art. 34 to 37, 64.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from kernel.dated import Dated, DatedValue
from kernel.errors import InvalidInput
from kernel.money import Money
from kernel.statement import Line, ParameterUse, Statement

Payer = Literal["fund", "employer", "none"]


class Nursing(StrEnum):
    """How far a person cannot look after themselves (生活自理障碍等级)."""

    FULL = "full"  # 生活完全不能自理
    MOST = "most"  # 生活大部分不能自理
    PART = "part"  # 生活部分不能自理


@dataclass(frozen=True, slots=True)
class WageLimits:
    """Floor and ceiling of the own wage as multiples of the area's average monthly wage."""

    floor: Decimal
    ceiling: Decimal


@dataclass(frozen=True, slots=True)
class GradeTerms:
    """What a grade brings: months of own wage once, and a monthly share paid by the fund, the employer, or nobody."""

    one_off_months: int
    allowance_ratio: Decimal | None
    payer: Payer


@dataclass(frozen=True, slots=True)
class InjuryLaw:
    """What the calculation needs of the law; the area's average wage is asked for by the year of the event."""

    limits: Dated[WageLimits]
    area_average: Dated[Money]
    grades: Dated[Mapping[int, GradeTerms]]
    nursing: Dated[Mapping[Nursing, Decimal]]


@dataclass(frozen=True, slots=True)
class InjuryRules:
    """The rows of law of one event; ``minimum_wage`` is ``None`` where no allowance is to be topped up."""

    limits: DatedValue[WageLimits]
    area_average: DatedValue[Money]
    grades: DatedValue[Mapping[int, GradeTerms]]
    nursing: DatedValue[Mapping[Nursing, Decimal]]
    minimum_wage: DatedValue[Money] | None = None


@dataclass(frozen=True, slots=True)
class OwnWage:
    """The own wage (本人工资) between its limits, with the words and rows that explain it."""

    amount: Money
    formula: str
    inputs: tuple[tuple[str, str], ...]
    parameters: tuple[ParameterUse, ...]

    @property
    def provisional(self) -> bool:
        """Whether a row behind it is provisional."""
        return any(use.provisional for use in self.parameters)


@dataclass(frozen=True, slots=True)
class InjuryBenefit:
    """What a grade brings: ``once`` (line one_off), ``monthly`` (lines allowance, top_up, nursing, those that pay)."""

    own_wage: Money
    once: Statement
    monthly: Statement
    payer: Payer

    @property
    def one_off(self) -> Money:
        """One-off grant (一次性伤残补助金), from the fund."""
        return self.once.total

    @property
    def allowance(self) -> Money | None:
        """Monthly allowance (伤残津贴) with what the minimum wage adds; ``None`` for grades without one."""
        if self.payer == "none" or not any(line.code == "allowance" for line in self.monthly.lines):
            return None
        return self.monthly.amount("allowance") + self.monthly.amount("top_up")

    @property
    def topped_up(self) -> bool:
        """Whether the minimum wage raised the allowance."""
        return self.monthly.amount("top_up") != Money.ZERO

    @property
    def nursing(self) -> Money | None:
        """Monthly nursing fee (生活护理费); ``None`` where none was recognised."""
        return next((line.amount for line in self.monthly.lines if line.code == "nursing"), None)


def own_wage(average: Money, limits: DatedValue[WageLimits], area_average: DatedValue[Money]) -> OwnWage:
    """The own wage: the average base of the 12 months before, between 60 % and 300 % of the area's average wage.

    Args:
        average: Average monthly base of the 12 months before the accident or the diagnosis, of the months paid where
            there are fewer: :func:`average_base`.
        limits: Row of law.
        area_average: The area's average monthly wage of the year before the event.

    Raises:
        InvalidInput: INJURY_WAGE_NEGATIVE.
    """
    if average < Money.ZERO or area_average.value < Money.ZERO:
        raise InvalidInput("INJURY_WAGE_NEGATIVE", "a wage is not negative")
    floor, ceiling = area_average.value.times(limits.value.floor), area_average.value.times(limits.value.ceiling)
    amount = max(floor, min(average, ceiling))
    formula = str(amount)
    if average < floor:
        formula = f"{average} < {limits.value.floor} × {area_average.value} → {amount}"
    elif average > ceiling:
        formula = f"{average} > {limits.value.ceiling} × {area_average.value} → {amount}"
    inputs = (("average_base", str(average)), ("area_average", str(area_average.value)), ("own_wage", str(amount)))
    uses = (limits.use(f"{limits.value.floor} to {limits.value.ceiling}"), area_average.use())
    return OwnWage(amount, formula, inputs, uses)


def average_base(bases: Sequence[Money]) -> Money:
    """The average of the monthly bases before an event, half-up to the fen; fewer than 12 months count as they are.

    Raises:
        InvalidInput: NO_CONTRIBUTION_MONTHS, MORE_THAN_12_MONTHS.
    """
    if not bases:
        raise InvalidInput("NO_CONTRIBUTION_MONTHS", "an average needs at least one month")
    if len(bases) > 12:  # noqa: PLR2004 - the regulation says twelve
        raise InvalidInput("MORE_THAN_12_MONTHS", "the 12 months before the event count")
    return Money.total(bases).divided(len(bases))


def assess(
    grade: int, average: Money, rules: InjuryRules, *, nursing: Nursing | None = None, suitable_work: bool = False
) -> InjuryBenefit:
    """What a grade of disability brings, every line explained.

    Args:
        grade: 1 (worst) to 10.
        average: Average base of the 12 months before.
        rules: Rows of law of the event.
        nursing: Recognised need of nursing.
        suitable_work: The employer gives suitable work, so grades 5 and 6 draw no allowance.

    Raises:
        InvalidInput: INJURY_GRADE_INVALID, INJURY_WAGE_NEGATIVE.
    """
    terms = rules.grades.value.get(grade)
    if terms is None:
        raise InvalidInput("INJURY_GRADE_INVALID", "a grade of disability is 1 to 10", field="grade")
    wage = own_wage(average, rules.limits, rules.area_average)
    monthly: list[Line] = []
    if terms.allowance_ratio is not None and not (terms.payer == "employer" and suitable_work):
        monthly += _allowance(grade, terms, terms.allowance_ratio, wage, rules)
    if nursing is not None:
        monthly.append(_nursing(nursing, rules))
    return InjuryBenefit(
        wage.amount, Statement((_one_off(grade, terms, wage, rules),)), Statement(tuple(monthly)), terms.payer
    )


def retirement_top_up(allowance: Money, pension: Money) -> Statement:
    """What the fund adds when a person of grade 1 to 4 retires: the allowance stops, the pension may not be lower.

    Lines pension and, where it is lower, top_up. Source: 工伤保险条例 art. 35.
    """
    if min(allowance, pension) < Money.ZERO:
        raise InvalidInput("INJURY_WAGE_NEGATIVE", "neither allowance nor pension is negative")
    lines = [Line("pension", pension, "养老金", "Pension", str(pension), sources=("WII",))]
    if pension < allowance:
        added = allowance - pension
        shown = f"{allowance} − {pension} = {added}"
        titles = ("工伤保险基金补足差额", "Topped up by the work-injury fund")
        lines.append(Line("top_up", added, *titles, shown, (("allowance", str(allowance)),), ("WII",)))
    return Statement(tuple(lines))


def _one_off(grade: int, terms: GradeTerms, wage: OwnWage, rules: InjuryRules) -> Line:
    amount = wage.amount * terms.one_off_months
    return Line(
        code="one_off",
        amount=amount,
        title_zh="一次性伤残补助金",
        title_en="One-off disability grant",
        formula=f"{wage.formula}; {wage.amount} × {terms.one_off_months} = {amount}",
        inputs=(("grade", str(grade)), *wage.inputs),
        sources=rules.grades.source,
        parameters=(rules.grades.use(f"{grade}: {terms.one_off_months}"), *wage.parameters),
        provisional=wage.provisional,
    )


def _allowance(grade: int, terms: GradeTerms, ratio: Decimal, wage: OwnWage, rules: InjuryRules) -> list[Line]:
    amount = wage.amount.times(ratio)
    lines = [
        Line(
            code="allowance",
            amount=amount,
            title_zh="伤残津贴",
            title_en="Disability allowance",
            formula=f"{wage.amount} × {ratio} = {amount}",
            inputs=(("grade", str(grade)), ("payer", terms.payer), *wage.inputs),
            sources=rules.grades.source,
            parameters=(rules.grades.use(f"{grade}: {ratio}, {terms.payer}"), *wage.parameters),
            provisional=wage.provisional,
        )
    ]
    least = rules.minimum_wage
    if least is not None and amount < least.value:
        lines.append(
            Line(
                code="top_up",
                amount=least.value - amount,
                title_zh="补足当地最低工资",
                title_en="Topped up to the minimum wage",
                formula=f"{amount} → {least.value}",
                inputs=(("minimum_wage", str(least.value)), ("payer", terms.payer)),
                sources=rules.grades.source,
                parameters=(least.use(),),
                provisional=least.provisional,
            )
        )
    return lines


def _nursing(nursing: Nursing, rules: InjuryRules) -> Line:
    ratio = rules.nursing.value[nursing]
    amount = rules.area_average.value.times(ratio)
    return Line(
        code="nursing",
        amount=amount,
        title_zh="生活护理费",
        title_en="Nursing fee",
        formula=f"{rules.area_average.value} × {ratio} = {amount}",
        inputs=(("nursing", nursing.value), ("area_average", str(rules.area_average.value))),
        sources=rules.nursing.source,
        parameters=(rules.nursing.use(f"{nursing}: {ratio}"), rules.area_average.use()),
        provisional=rules.area_average.provisional,
    )
