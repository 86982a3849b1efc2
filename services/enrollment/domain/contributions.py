"""Contributions of a person-month: the base between its limits, then each scheme and side.

Each (person, scheme, month, side) amount is rounded half-up to the fen and then added; a total is never rounded and
split. Parameters are asked for the first day of the contribution month.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from kernel.calendar import Month
from kernel.dated import Dated, DatedValue
from kernel.errors import InvalidInput
from kernel.money import Money
from kernel.statement import Line, ParameterUse, Statement


class Scheme(StrEnum):
    """A scheme (险种)."""

    EMPLOYEE_PENSION = "employee_pension"
    GOVERNMENT_PENSION = "government_pension"
    OCCUPATIONAL_ANNUITY = "occupational_annuity"
    UNEMPLOYMENT = "unemployment"
    WORK_INJURY = "work_injury"
    RESIDENT_PENSION = "resident_pension"  # paid by the year, see `domain.residents`


class Side(StrEnum):
    """Who pays: the employer (单位), the employee (个人), or a flexible worker (灵活就业人员) who pays all."""

    EMPLOYER = "employer"
    EMPLOYEE = "employee"
    FLEXIBLE = "flexible"


class Enterprise(StrEnum):
    """Kinds of enterprise of the relief of 2020 (阶段性减免)."""

    MICRO_SMALL_MEDIUM = "micro_small_medium"
    LARGE = "large"
    INDIVIDUAL_BUSINESS = "individual_business_as_unit"


SCHEME_TITLES: Mapping[Scheme, tuple[str, str]] = {
    Scheme.EMPLOYEE_PENSION: ("企业职工基本养老保险", "Employee pension insurance"),
    Scheme.GOVERNMENT_PENSION: ("机关事业单位基本养老保险", "Government pension insurance"),
    Scheme.OCCUPATIONAL_ANNUITY: ("职业年金", "Occupational annuity"),
    Scheme.UNEMPLOYMENT: ("失业保险", "Unemployment insurance"),
    Scheme.WORK_INJURY: ("工伤保险", "Work-injury insurance"),
    Scheme.RESIDENT_PENSION: ("城乡居民基本养老保险", "Resident pension insurance"),
}
_SIDE_TITLES: Mapping[Side, tuple[str, str]] = {
    Side.EMPLOYER: ("单位缴费", "employer"),
    Side.EMPLOYEE: ("个人缴费", "employee"),
    Side.FLEXIBLE: ("灵活就业缴费", "flexible worker"),
}
_RELIEVED = frozenset({Scheme.EMPLOYEE_PENSION, Scheme.UNEMPLOYMENT, Scheme.WORK_INJURY})


@dataclass(frozen=True, slots=True)
class BaseLimits:
    """Lower and upper limit of the monthly contribution base (缴费基数上下限)."""

    floor: Money
    ceiling: Money


@dataclass(frozen=True, slots=True)
class IndustryRate:
    """Work-injury rate of an industry class (行业类别) with its allowed float steps (浮动档)."""

    base: Decimal
    steps: frozenset[Decimal]


@dataclass(frozen=True, slots=True)
class ContributionLaw:
    """What the calculation needs of the law, each with its days in force."""

    limits: Dated[BaseLimits]
    rates: Mapping[tuple[Scheme, Side], Dated[Decimal]]
    account_credit: Dated[Decimal]
    industry_rates: Dated[Mapping[int, IndustryRate]]
    phase_factor: Dated[Decimal]
    relief: Dated[Mapping[str, Decimal]]


@dataclass(frozen=True, slots=True)
class EmployerTerms:
    """What the employer brings to a rate.

    Args:
        industry_class: Work-injury class, 1 to 8.
        float_step: Step of the work-injury rate, "1.00" at the benchmark.
        enterprise: Kind of enterprise for the relief of 2020; ``None`` for bodies that had none.
    """

    industry_class: int
    float_step: Decimal = Decimal("1.00")
    enterprise: Enterprise | None = None


@dataclass(frozen=True, slots=True)
class ContributionBase:
    """A month's contribution base (缴费基数) and how it came about.

    ``bound`` says which limit was applied: "", "floor" or "ceiling".
    """

    month: Month
    wage: Money
    base: Money
    bound: Literal["", "floor", "ceiling"]
    limits: DatedValue[BaseLimits]

    @property
    def use(self) -> ParameterUse:
        """The row of limits as a statement records it."""
        return self.limits.use(f"{self.limits.value.floor}..{self.limits.value.ceiling}")


@dataclass(frozen=True, slots=True)
class _Rate:
    """A rate with its text as in the formula and the rows of law behind it."""

    value: Decimal
    text: str
    uses: tuple[ParameterUse, ...]


def clamp_base(wage: Money, limits: BaseLimits) -> Money:
    """The wage, at least the floor and at most the ceiling."""
    return min(max(wage, limits.floor), limits.ceiling)


def share(base: Money, rate: Decimal) -> Money:
    """What a rate takes of a base, rounded half-up to the fen."""
    return base.times(rate)


def determine_base(wage: Money, month: Month, law: ContributionLaw) -> ContributionBase:
    """Determine the base of a month: average wage of the previous calendar year, or the first full month's, clamped.

    Args:
        wage: Declared monthly wage.
        month: Contribution month.
        law: Parameters.

    Raises:
        InvalidInput: WAGE_NEGATIVE.
        PolicyParameterMissing: No limits for the month.
    """
    if wage < Money.ZERO:
        raise InvalidInput("WAGE_NEGATIVE", "a wage is not negative", field="wage")
    limits = law.limits.on(month.first_day)
    base = clamp_base(wage, limits.value)
    bound: Literal["", "floor", "ceiling"] = "" if base == wage else "floor" if base > wage else "ceiling"
    return ContributionBase(month, wage, base, bound, limits)


def contribute(
    base: ContributionBase, schemes: Collection[Scheme], law: ContributionLaw, employer: EmployerTerms
) -> Statement:
    """What an employee's month costs: one line per scheme and side, ``<scheme>.<side>``, in fen.

    Sources: 国发〔2005〕38号; 国办发〔2019〕13号; 人社部发〔2015〕71号; the relief of 2020: 人社部发〔2020〕11号.

    Raises:
        InvalidInput: INDUSTRY_CLASS_UNKNOWN, FLOAT_STEP_UNKNOWN.
        PolicyParameterMissing: A rate of one of the schemes is not known for the month.
    """
    charges = _charges(base.month, schemes, law, employer)
    return Statement(tuple(_line(base, scheme, side, rate) for scheme, side, rate in charges))


def contribution_rates(
    month: Month, schemes: Collection[Scheme], law: ContributionLaw, employer: EmployerTerms
) -> Mapping[tuple[Scheme, Side], Decimal]:
    """The exact rates of :func:`contribute`, for its set form: amount = half-up(clamped base × rate), person by person.

    Raises:
        InvalidInput: INDUSTRY_CLASS_UNKNOWN, FLOAT_STEP_UNKNOWN.
        PolicyParameterMissing: A rate of one of the schemes is not known for the month.
    """
    return {(scheme, side): rate.value for scheme, side, rate in _charges(month, schemes, law, employer)}


def contribute_flexible(base: ContributionBase, law: ContributionLaw) -> Statement:
    """What a flexible worker's month costs: pension only, one line ``employee_pension.flexible``.

    The worker chooses any base between the limits; the share credited to the account is :func:`credit_account`.
    Source: 国发〔2005〕38号.
    """
    rate = _plain_rate(law.rates[Scheme.EMPLOYEE_PENSION, Side.FLEXIBLE], base.month)
    return Statement((_line(base, Scheme.EMPLOYEE_PENSION, Side.FLEXIBLE, rate),))


def credit_account(base: ContributionBase, law: ContributionLaw) -> Line:
    """What a paid month of the employee pension adds to the personal account (记入个人账户).

    Sources: 国发〔1997〕26号, 国发〔2005〕38号.
    """
    rate = _plain_rate(law.account_credit, base.month)
    amount = share(base.base, rate.value)
    return Line(
        code="account_credit",
        amount=amount,
        title_zh="记入个人账户",
        title_en="Credited to the personal account",
        formula=f"{base.base} × {rate.text} = {amount}",
        inputs=(("month", str(base.month)), ("base", str(base.base))),
        sources=rate.uses[0].sources,
        parameters=(base.use, *rate.uses),
        provisional=base.limits.provisional or rate.uses[0].provisional,
    )


def _charges(
    month: Month, schemes: Collection[Scheme], law: ContributionLaw, employer: EmployerTerms
) -> Iterator[tuple[Scheme, Side, _Rate]]:
    """The rate of each scheme and side that pays, in the order of the schemes."""
    for scheme in (scheme for scheme in Scheme if scheme in schemes):
        yield scheme, Side.EMPLOYER, _employer_rate(scheme, month, law, employer)
        if (scheme, Side.EMPLOYEE) in law.rates:
            yield scheme, Side.EMPLOYEE, _plain_rate(law.rates[scheme, Side.EMPLOYEE], month)


def _line(base: ContributionBase, scheme: Scheme, side: Side, rate: _Rate) -> Line:
    amount = share(base.base, rate.value)
    (scheme_zh, scheme_en), (side_zh, side_en) = SCHEME_TITLES[scheme], _SIDE_TITLES[side]
    parameters = (base.use, *rate.uses)
    return Line(
        code=f"{scheme}.{side}",
        amount=amount,
        title_zh=f"{scheme_zh}（{side_zh}）",
        title_en=f"{scheme_en} ({side_en})",
        formula=f"{base.base} × {rate.text} = {amount}",
        inputs=(("month", str(base.month)), ("wage", str(base.wage)), ("base", str(base.base))),
        sources=tuple(dict.fromkeys(source for use in parameters for source in use.sources)),
        parameters=parameters,
        provisional=any(use.provisional for use in parameters),
    )


def _plain_rate(rate: Dated[Decimal], month: Month) -> _Rate:
    row = rate.on(month.first_day)
    return _Rate(row.value, f"{row.value}", (row.use(),))


def _employer_rate(scheme: Scheme, month: Month, law: ContributionLaw, employer: EmployerTerms) -> _Rate:
    rate = (
        _injury_rate(month, law, employer)
        if scheme is Scheme.WORK_INJURY
        else _plain_rate(law.rates[scheme, Side.EMPLOYER], month)
    )
    if employer.enterprise is None or scheme not in _RELIEVED or not law.relief.covers(month.first_day):
        return rate
    relief = law.relief.on(month.first_day)
    factor = relief.value[employer.enterprise]
    use = relief.use(f"{employer.enterprise} {factor}")
    return _Rate(rate.value * factor, f"{rate.text} × {factor}", (*rate.uses, use))


def _injury_rate(month: Month, law: ContributionLaw, employer: EmployerTerms) -> _Rate:
    """Class benchmark × float step × phase factor; only the amount is rounded, never the rate."""
    classes = law.industry_rates.on(month.first_day)
    industry = classes.value.get(employer.industry_class)
    if industry is None:
        raise InvalidInput("INDUSTRY_CLASS_UNKNOWN", "the industry class is 1 to 8", field="industry_class")
    if employer.float_step not in industry.steps:
        raise InvalidInput("FLOAT_STEP_UNKNOWN", "the class does not have this float step", field="float_step")
    phase = law.phase_factor.on(month.first_day)
    return _Rate(
        industry.base * employer.float_step * phase.value,
        f"{industry.base} × {employer.float_step} × {phase.value}",
        (classes.use(f"class {employer.industry_class}: {industry.base}"), phase.use()),
    )
