"""The month of an unemployment benefit (失业保险金), and the months that are left in one sum, from facts."""

from dataclasses import dataclass
from datetime import date

from kernel.calendar import Month
from kernel.statement import Statement
from services.benefits.domain import unemployment
from services.benefits.domain.unemployment import MonthlyBenefit
from services.benefits.history import History
from services.benefits.kinds.plain import Facts
from services.benefits.lifecycle import Kind
from services.benefits.policy import BenefitsPolicy

AVERAGE_MONTHS = 12  # the average base is that of the 12 months before unemployment


def month_of(
    history: History,
    registration: date,
    division: str,
    month: Month,
    policy: BenefitsPolicy,
    *,
    premium_until: Month | None = None,
) -> MonthlyBenefit:
    """The benefit of one month: the cap is the minimum wage of that month.

    Args:
        history: Months since the last spell.
        registration: Day of the registration; its law decides the rate.
        division: Decides the class of the minimum wage.
        month: The month that is paid.
        policy: The law.
        premium_until: Statutory month of who filed for the pension premium.

    Raises:
        InvalidInput: CONTRIBUTION_MONTHS_SHORT, NO_CONTRIBUTION_MONTHS: nobody assessed the inputs.
        PolicyParameterMissing: The division has no wage class, or the month no minimum wage.
    """
    law, paid = policy.unemployment, history.paid
    average = unemployment.average_base([one.base for one in paid.last(AVERAGE_MONTHS).months])
    return unemployment.monthly_benefit(
        average,
        law.rate(len(paid), registration),
        law.cap(division, month),
        law.floor(month),
        law.apart(month, premium_until),
    )


@dataclass(frozen=True, slots=True)
class LumpSumFacts(Facts):
    """What goes into the months that are left in one sum (一次性领取).

    Args:
        history: Months since the last spell.
        registration_date: Day of the registration.
        division: Decides the class of the minimum wage.
        decided_month: Month whose benefit counts for each that is left.
        first_month: First month that is left.
        months: How many are left.
    """

    history: History
    registration_date: date
    division: str
    decided_month: Month
    first_month: Month
    months: int

    def statement(self, kind: Kind, month: Month, policy: BenefitsPolicy) -> Statement:
        """The sum; the month of payment changes nothing."""
        del kind, month
        one = month_of(self.history, self.registration_date, self.division, self.decided_month, policy)
        return unemployment.lump_sum(one, self.months)
