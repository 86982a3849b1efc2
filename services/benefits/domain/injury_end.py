"""Grants when the employment of an injured worker of grade 5 to 10 ends (解除或者终止劳动关系), as Jiangsu fixes them.

The medical grant is paid by the fund, the employment grant by the employer. A worker who asks to leave within five
years of the statutory age gets a share; who has reached it or retired gets nothing. Sources: 江苏省人民政府令第103号;
劳动合同法 art. 38.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from kernel.dated import Dated, DatedValue
from kernel.errors import InvalidInput
from kernel.money import Money
from kernel.statement import Line, ParameterUse, Statement

_FULL, _NONE = Decimal(1), Decimal(0)
_FLOAT = Decimal("0.20")  # how far a city may go from the province's amounts, either way (江苏省人民政府令第103号)

# What is paid by months left to the statutory age: (below so many months, share), rising.
Reductions = tuple[tuple[int, Decimal], ...]


@dataclass(frozen=True, slots=True)
class TerminationLaw:
    """What the calculation needs of the law; amounts by grade."""

    medical: Dated[Mapping[int, Money]]
    employment: Dated[Mapping[int, Money]]
    city_factor: Dated[Decimal]
    disease_factor: Dated[Decimal]
    medical_reductions: Dated[Reductions]
    employment_reductions: Dated[Reductions]


@dataclass(frozen=True, slots=True)
class TerminationFacts:
    """Whose employment ends, and how.

    Args:
        grade: 5 to 10.
        months_left: Whole months to the statutory age, the delayed one from 2025 (assumed); 0 or less: reached.
        own_request: The worker asks to leave; an end by the employer or by time pays in full.
        employer_fault: The worker leaves for the employer's fault (劳动合同法 art. 38): paid in full.
        occupational_disease: An occupational disease raises the medical grant.
        retired: Retirement is processed: nothing is paid.
    """

    grade: int
    months_left: int
    own_request: bool = True
    employer_fault: bool = False
    occupational_disease: bool = False
    retired: bool = False


@dataclass(frozen=True, slots=True)
class TerminationRules:
    """The rows of law on the day on which the employment ends."""

    medical: DatedValue[Mapping[int, Money]]
    employment: DatedValue[Mapping[int, Money]]
    city_factor: DatedValue[Decimal]
    disease_factor: DatedValue[Decimal]
    medical_reductions: DatedValue[Reductions]
    employment_reductions: DatedValue[Reductions]


@dataclass(frozen=True, slots=True)
class TerminationGrants:
    """Both grants; the statement's lines are medical (fund) and employment (employer), also when they are nothing."""

    statement: Statement
    ratio: Decimal
    employment_ratio: Decimal

    @property
    def medical(self) -> Money:
        """Medical grant (一次性工伤医疗补助金), from the fund."""
        return self.statement.amount("medical")

    @property
    def employment(self) -> Money:
        """Employment grant (一次性伤残就业补助金), from the employer."""
        return self.statement.amount("employment")


def ratio_of(facts: TerminationFacts, reductions: Reductions) -> Decimal:
    """The share of a grant that is paid: nothing from the statutory age on, in full unless the worker asks to leave.

    Who reached the statutory age or retired gets nothing, whoever ended the employment (江苏省人民政府令第103号).
    """
    if facts.retired or facts.months_left <= 0:
        return _NONE
    if facts.employer_fault or not facts.own_request:
        return _FULL
    return next((share for below, share in sorted(reductions) if facts.months_left < below), _FULL)


def assess(facts: TerminationFacts, rules: TerminationRules) -> TerminationGrants:
    """Both grants of an employment that ends, every line explained.

    medical = amount by grade × city factor × 1.4 for an occupational disease × share; employment = amount by grade ×
    city factor × share.

    Raises:
        InvalidInput: TERMINATION_GRADE_INVALID (grades 1 to 4 keep their employment and their allowance),
            CITY_FACTOR_INVALID (a city may float the province's amounts within 20 %).
    """
    if abs(rules.city_factor.value - _FULL) > _FLOAT:
        raise InvalidInput("CITY_FACTOR_INVALID", "a city floats the province's amounts within 20 %")
    if facts.grade not in rules.medical.value or facts.grade not in rules.employment.value:
        raise InvalidInput(
            "TERMINATION_GRADE_INVALID", "grants at the end of employment are for 5 to 10", field="grade"
        )
    disease = (rules.disease_factor,) if facts.occupational_disease else ()
    medical = _line("medical", facts, rules.medical, (rules.city_factor, *disease), rules.medical_reductions)
    employment = _line("employment", facts, rules.employment, (rules.city_factor,), rules.employment_reductions)
    return TerminationGrants(
        Statement((medical, employment)),
        ratio_of(facts, rules.medical_reductions.value),
        ratio_of(facts, rules.employment_reductions.value),
    )


_TITLES = {
    "medical": ("一次性工伤医疗补助金", "One-off medical grant"),
    "employment": ("一次性伤残就业补助金", "One-off employment grant"),
}


def _line(
    code: str,
    facts: TerminationFacts,
    amounts: DatedValue[Mapping[int, Money]],
    factors: tuple[DatedValue[Decimal], ...],
    reductions: DatedValue[Reductions],
) -> Line:
    full, ratio = amounts.value[facts.grade], ratio_of(facts, reductions.value)
    exact = Fraction(ratio)
    shown, uses = str(full), [amounts.use(f"{facts.grade}: {full}")]
    for factor in factors:
        exact *= Fraction(factor.value)
        uses.append(factor.use())
        if factor.value != _FULL:
            shown += f" × {factor.value}"
    if ratio != _FULL:
        shown += f" × {ratio}"
        uses.append(_reductions_use(reductions))
    amount = full.times(exact)
    return Line(
        code=code,
        amount=amount,
        title_zh=_TITLES[code][0],
        title_en=_TITLES[code][1],
        formula=f"{shown} = {amount}",
        inputs=(("grade", str(facts.grade)), ("months_left", str(facts.months_left)), ("ratio", str(ratio))),
        sources=amounts.source,
        parameters=tuple(uses),
    )


def _reductions_use(reductions: DatedValue[Reductions]) -> ParameterUse:
    return reductions.use(", ".join(f"<{below}: {share}" for below, share in sorted(reductions.value)))
