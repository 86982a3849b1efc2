"""Disability allowance (病残津贴) from facts."""

from dataclasses import dataclass

from kernel.calendar import Month
from kernel.money import Money
from kernel.statement import Statement
from services.benefits.domain import disability, retirement
from services.benefits.domain.disability import DisabilityClaim, DisabilityTerms
from services.benefits.domain.retirement import Track
from services.benefits.history import History
from services.benefits.kinds.contributed import facts_of
from services.benefits.kinds.plain import Facts
from services.benefits.lifecycle import Kind
from services.benefits.policy import BenefitsPolicy


@dataclass(frozen=True, slots=True)
class DisabilityFacts(Facts):
    """What goes into a disability allowance.

    Args:
        birth: Month of birth.
        track: Retirement track.
        claim_month: Month of the claim; paid from the month after.
        history: Counted months of the employee pension up to the claim.
        balance: Personal account as known at the claim.
        capacity_lost: The appraisal says that the capacity to work is lost.
        insured: Insured in the employee scheme.
        old_transitional: Transitional amount of the old method, from the archive.
    """

    birth: Month
    track: Track
    claim_month: Month
    history: History
    balance: Money
    capacity_lost: bool = True
    insured: bool = True
    old_transitional: Money | None = None

    def terms(self, policy: BenefitsPolicy) -> DisabilityTerms:
        """By which branch it is paid, and for how long."""
        claim = DisabilityClaim(self.claim_month, len(self.history), self.capacity_lost, self.insured)
        person = retirement.retire(self.track, self.birth, policy.retirement)
        return disability.assess(person, claim, policy.retirement, policy.disability)

    def last_month(self, policy: BenefitsPolicy) -> Month:
        """The last month that this determination pays.

        The statutory one; with few years the last of the months they give; far from the statutory age the one in
        which the allowance is claimed and determined anew as the pension (decision 0191).
        """
        terms = self.terms(policy)
        person = retirement.retire(self.track, self.birth, policy.retirement)
        if terms.pay_months is not None:
            return min(person.statutory, self.claim_month.plus(terms.pay_months.value))
        return person.statutory if terms.recompute_in is None else terms.recompute_in

    def statement(self, kind: Kind, month: Month, policy: BenefitsPolicy) -> Statement:
        """The monthly allowance.

        Raises:
            PolicyParameterMissing: The average resident pension of the year before, or the payout months of the age.
        """
        del kind, month
        terms = self.terms(policy)
        if terms.pay_months is not None:
            average = policy.disability.resident_average.on(self.claim_month.first_day)
            return disability.by_average(average, terms.pay_months)
        law = policy.retirement
        payout = retirement.retire(self.track, self.birth, law).payout_months  # far: the account pays nothing
        if terms.branch == "near":
            age = self.birth.months_until(self.claim_month)
            payout = retirement.payout_months(age, self.claim_month, law.payout)
        facts = facts_of(
            self.history, self.claim_month, self.balance, payout, policy, old_transitional=self.old_transitional
        )
        return disability.by_pension(terms.branch, facts, policy.pension.rules(self.claim_month))
