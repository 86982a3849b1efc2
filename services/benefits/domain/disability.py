"""Disability allowance (病残津贴) of the employee scheme for people who lost their capacity to work, not at work.

Replaces early retirement for illness from 2025. With the minimum of contribution months: as the pension within five
years of the statutory age, basic and transitional items before that. With fewer: the province's average resident
pension of the year before, for a number of months. Source: 人社部发〔2024〕72号.
"""

from dataclasses import dataclass
from typing import Literal

from kernel.calendar import Month
from kernel.dated import Dated, DatedValue
from kernel.errors import InvalidInput
from kernel.money import Money
from kernel.statement import ROUNDING, Line, Statement
from services.benefits.domain.pension import PensionFacts, PensionRules, calculate
from services.benefits.domain.retirement import Retirement, RetirementLaw, disability_months

Branch = Literal["near", "far", "short"]


@dataclass(frozen=True, slots=True)
class DisabilityLaw:
    """What the calculation needs of the law beside retirement; the average resident pension is not known so far."""

    near_months: Dated[int]
    resident_average: Dated[Money]


@dataclass(frozen=True, slots=True)
class DisabilityClaim:
    """Who claims: month of claim, contribution months, and what the appraisal and the register say."""

    month: Month
    contribution_months: int
    capacity_lost: bool
    insured: bool = True

    def __post_init__(self) -> None:
        if self.contribution_months < 0:
            raise InvalidInput("CONTRIBUTION_MONTHS_NEGATIVE", "contribution months are not negative")


@dataclass(frozen=True, slots=True)
class DisabilityTerms:
    """By which branch the allowance is paid.

    Args:
        failures: Conditions that are not met, in order CAPACITY_NOT_LOST, NOT_INSURED, STATUTORY_AGE_REACHED.
        branch: ``near`` or ``far`` from the statutory age, or too ``short`` contributions.
        months_to_statutory: Months left to the statutory age.
        recompute_in: For ``far``: the month in which it is recomputed as ``near``.
        pay_months: For ``short``: for how many months it is paid.
    """

    failures: tuple[str, ...]
    branch: Branch
    months_to_statutory: int
    recompute_in: Month | None = None
    pay_months: DatedValue[int] | None = None

    @property
    def eligible(self) -> bool:
        """Whether all conditions are met."""
        return not self.failures


def assess(person: Retirement, claim: DisabilityClaim, law: RetirementLaw, more: DisabilityLaw) -> DisabilityTerms:
    """Which branch pays, and for how long; every failed condition is named.

    The minimum of contribution months is that of the claim month's year (assumed, as in early retirement).

    Args:
        person: What the law of retirement says of the person.
        claim: The claim.
        law: The law of retirement.
        more: The law of the allowance.
    """
    day = claim.month.first_day
    left = claim.month.months_until(person.statutory)
    conditions = (
        (claim.capacity_lost, "CAPACITY_NOT_LOST"),
        (claim.insured, "NOT_INSURED"),
        (left > 0, "STATUTORY_AGE_REACHED"),
    )
    failures = tuple(reason for met, reason in conditions if not met)
    if claim.contribution_months < law.minimum_months.on(day).value:
        return DisabilityTerms(
            failures, "short", left, None, disability_months(claim.contribution_months, law, claim.month)
        )
    near = more.near_months.on(day).value
    if left <= near:
        return DisabilityTerms(failures, "near", left)
    return DisabilityTerms(failures, "far", left, recompute_in=person.statutory.plus(-near))


def by_pension(branch: Branch, facts: PensionFacts, rules: PensionRules) -> Statement:
    """The monthly allowance of people with enough contribution months.

    ``near``: the pension as calculated at the claim. ``far``: its basic and transitional items, the sum raised to the
    jiao as the pension's is (assumed).

    Raises:
        InvalidInput: DISABILITY_BRANCH_INVALID.
    """
    whole = calculate(facts, rules).statement
    if branch == "near":
        return whole
    if branch == "short":
        raise InvalidInput("DISABILITY_BRANCH_INVALID", "too few contribution months are not paid by the pension")
    lines = [line for line in whole.lines if line.code in {"basic", "transitional"}]
    before = Money.total(line.amount for line in lines)
    raised = before.raise_to_jiao()
    if raised != before:
        shown = f"{before} → {raised}"
        titles = ("见分进角", "Raised to the next jiao")
        added = raised - before
        provisional = rules.base.provisional
        lines.append(Line(ROUNDING, added, *titles, shown, sources=("WORKING-ASSUMPTION",), provisional=provisional))
    return Statement(tuple(lines))


def by_average(average: DatedValue[Money], pay_months: DatedValue[int]) -> Statement:
    """The monthly allowance of people with too few contribution months: the average resident pension.

    Args:
        average: The province's average monthly resident pension of the year before.
        pay_months: For how many months it is paid.
    """
    return Statement(
        (
            Line(
                code="resident_average",
                amount=average.value,
                title_zh="病残津贴（城乡居民月人均养老金）",
                title_en="Disability allowance (average resident pension)",
                formula=str(average.value),
                inputs=(("pay_months", str(pay_months.value)),),
                sources=average.source,
                parameters=(average.use(), pay_months.use()),
                provisional=average.provisional,
            ),
        )
    )
