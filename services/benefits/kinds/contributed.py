"""What the pensions read of a contribution history: its years, and the facts of the formula."""

from collections.abc import Sequence
from decimal import Decimal

from kernel.calendar import Month
from kernel.dated import DatedValue
from kernel.errors import Refused
from kernel.money import Money
from services.benefits.domain.pension import PensionFacts, YearOfBases
from services.benefits.history import History
from services.benefits.policy import BenefitsPolicy

ACCOUNTS_START_YEAR = 1996  # months before have no account; they are what the transitional item pays for


def years_of(counted: History) -> list[YearOfBases]:
    """The history by year, as the average index wants it."""
    found = []
    for year, record in counted.years.items():
        total_fen, paid, deemed = record.contributed()
        found.append(YearOfBases(year, Money(total_fen), paid, deemed, record.bases_fen))
    return found


def months_before_accounts(years: Sequence[YearOfBases]) -> int:
    """Months the transitional item pays for: those before 1996, and deemed ones also later.

    The rule's note names deemed months of public service after 1996 among them (policy `transitional_coefficient`).
    """
    return sum(one.deemed_months + (one.months if one.year < ACCOUNTS_START_YEAR else 0) for one in years)


def facts_of(
    counted: History,
    month: Month,
    balance: Money,
    payout_months: DatedValue[Decimal],
    policy: BenefitsPolicy,
    *,
    old_transitional: Money | None = None,
    balance_provisional: bool = False,
) -> PensionFacts:
    """What a history and an account bring to the formula of the employee pension in a month.

    Raises:
        Refused: NO_CONTRIBUTIONS.
        PolicyParameterMissing: Actual contributions before the first index base.
    """
    if not counted:
        raise Refused("NO_CONTRIBUTIONS", "no contribution month of the employee pension is known")
    years = years_of(counted)
    index = policy.pension.average_index(years, month)
    before_accounts = months_before_accounts(years)
    return PensionFacts(
        index=index.index4,
        months=len(counted),
        balance=balance,
        payout_months=payout_months,
        transitional_index=index.exact if before_accounts else None,
        pre1996_months=before_accounts,
        old_transitional=old_transitional,
        index_uses=index.parameters,
        balance_provisional=balance_provisional,
    )
