"""Resident pension (城乡居民养老金) and funeral aid from facts.

The area of the resident's division says which base pension holds; the law of the first month of payment counts, or of a
later month from which the pension is another one.
"""

from dataclasses import dataclass
from datetime import date

from kernel.calendar import Month
from kernel.errors import PolicyParameterMissing
from kernel.money import Money
from kernel.statement import Statement
from services.benefits.domain import resident
from services.benefits.kinds.plain import Facts
from services.benefits.lifecycle import Kind
from services.benefits.policy import BenefitsPolicy

_MONTHS = 12


@dataclass(frozen=True, slots=True)
class ResidentFacts(Facts):
    """What goes into a resident pension.

    Args:
        birth: Month of birth.
        first_month: First month of payment.
        division: Division of the place of insurance.
        balance: Personal account at the start.
        full_years: Full years paid.
        was_60_at_start: Was 60 when the scheme began and draws the base pension without having paid.
        law_month: Month whose law and age count; absent: the first month of payment.
    """

    birth: Month
    first_month: Month
    division: str
    balance: Money
    full_years: int
    was_60_at_start: bool = False
    law_month: Month | None = None

    @property
    def facts(self) -> resident.ResidentFacts:
        """What the person brings."""
        return resident.ResidentFacts(self.balance, self.full_years, self.was_60_at_start)

    def assess(self, policy: BenefitsPolicy) -> resident.ResidentAssessment:
        """Whether the pension is drawn in its first month."""
        eligibility = policy.resident.eligibility.on(self.first_month.first_day)
        return resident.assess(self.birth, self.first_month, self.facts, eligibility)

    def statement(self, kind: Kind, month: Month, policy: BenefitsPolicy) -> Statement:
        """The monthly pension by the law of its month: base pensions rise, and the tilt begins.

        Raises:
            PolicyParameterMissing: The division's area, its base pension or the tilt is not known.
        """
        del kind, month
        counts = self.law_month or self.first_month
        day = counts.first_day
        areas = policy.pension_area.on(day)
        area = areas.value.get(self.division)
        if area is None:
            raise PolicyParameterMissing(areas.file, f"{areas.key}[{self.division}]", day)
        age = self.birth.next.months_until(counts) // _MONTHS  # reached in a month, it counts from the next one on
        rules = policy.resident.rules(area, counts, age_years=age)
        return resident.calculate(self.facts, rules).statement

    def tilted_from(self, policy: BenefitsPolicy, month: Month) -> Month:
        """The first month with the tilt by age, as the law of a month says it."""
        return self.birth.plus(policy.resident.tilt_age.on(month.first_day).value * _MONTHS).next


@dataclass(frozen=True, slots=True)
class ResidentFuneralFacts(Facts):
    """What a resident's death brings: the funeral aid, and what is left of the account."""

    death_date: date
    balance_left: Money = Money.ZERO

    def statement(self, kind: Kind, month: Month, policy: BenefitsPolicy) -> Statement:
        """The funeral aid of the day of death.

        Raises:
            PolicyParameterMissing: The aid of the place is not known.
        """
        del kind, month
        made = resident.at_death(self.balance_left, policy.resident.funeral_aid.on(self.death_date))
        return Statement(tuple(one for one in made.lines if one.amount != Money.ZERO))
