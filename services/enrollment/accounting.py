"""The personal account between the years: what is booked when, what closes a year, what settles an account.

The interest itself is in `domain.account`. In the ledger money moves from where it came (negative) to where it is
(positive): the balances of the funds and of the accounts read as what they hold, and the entries of the accounts add up
to the one ledger account that stands for all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from uuid import UUID

from kernel.calendar import Month
from kernel.errors import InvalidInput, NotFound, Refused
from kernel.money import Money
from kernel.statement import Line, Statement
from services.enrollment.domain.account import AccountLaw, Credits, account_at_retirement, rate_of
from services.enrollment.domain.contributions import Scheme

# Accounts of the ledger.
TAX = "tax:clearing"  # what the tax bureau has handed over, negative
RECEIVED = "bills:received"  # paid on bills that are not yet paid in full
PENSION_FUND = "fund:employee_pension"
UNEMPLOYMENT_FUND = "fund:unemployment"
INJURY_FUND = "fund:work_injury"
GOVERNMENT_FUND = "fund:government_pension"
GOVERNMENT_ACCOUNTS = "accounts:government_pension"
ANNUITY_ACCOUNTS = "accounts:occupational_annuity"
RESIDENT_ACCOUNTS = "accounts:resident_pension"
SUBSIDY = "finance:resident_subsidy"  # what the budget owes for residents, negative
AID = "collective:resident_aid"  # what collectives owe for residents, negative
RESIDENT_FUND = "fund:resident_pension"
ANNUITY_FUND = "fund:occupational_annuity"
PLATFORM_FUND = "fund:occupational_injury"
ACCOUNTS = "accounts:employee_pension"  # all personal accounts together; each has its entries beside
REFUNDS = "refunds:after_settlement"  # shares of months after retirement that no account takes any more
BROUGHT_IN = "opening:brought_in"  # what came with imported balances, negative
TRANSFERS = "transfers:owed"  # of relations that left, until it is paid
OTHER_AREAS = "transfers:other_areas"  # paid to other areas; what they paid is negative

PLATFORM = "platform"  # source of what was booked here
_SOURCE = ("LB-1997-116",)

FIRST_YEAR, LAST_YEAR = 1996, 2100  # personal accounts began in 1996 (国发〔1995〕6号)


class ContributionState(StrEnum):
    """Whether a month counts: paid (已缴), billed and not paid (欠缴), deemed (视同缴费)."""

    PAID = "PAID"
    UNPAID = "UNPAID"
    DEEMED = "DEEMED"


class EntryKind(StrEnum):
    """What was booked on an account."""

    CONTRIBUTION = "CONTRIBUTION"
    INTEREST = "INTEREST"
    IMPORTED_BALANCE = "IMPORTED_BALANCE"
    TRANSFERRED_OUT = "TRANSFERRED_OUT"


@dataclass(frozen=True, slots=True)
class ContributionMonth:
    """One month of contributions of a person in one scheme."""

    month: Month
    scheme: Scheme
    base: Money
    employer: Money
    employee: Money
    state: ContributionState
    source: str


@dataclass(frozen=True, slots=True)
class Year:
    """A year of an account as it is shown."""

    year: int
    opening: Money
    contribution: Money
    interest: Money
    imported: Money
    closed: bool
    statement: Statement | None
    source: str
    policy_version: str = ""
    moved: Money = Money.ZERO  # left with a relation; negative

    @property
    def closing(self) -> Money:
        """Balance at the end of the year, or now."""
        return self.opening + self.contribution + self.interest + self.imported + self.moved


@dataclass(frozen=True, slots=True)
class Account:
    """A personal account (个人账户) and what was booked on it in years that are not closed, by year and month."""

    person_id: UUID
    balance: Money
    first_year: int
    closed_through: int | None
    settle_month: Month | None
    closing: Money = Money.ZERO  # of the last closed year
    booked: Mapping[int, Mapping[int, Money]] = field(default_factory=dict)

    @property
    def next_year(self) -> int:
        """The first year that is not closed."""
        return self.first_year if self.closed_through is None else self.closed_through + 1

    def credits(self, year: int) -> Credits:
        """What was booked in an open year."""
        return Credits(year, self.booked.get(year, {}))


def booking_month(paid_date: date, closed_through: int | None) -> Month:
    """The month in which a contribution is booked: that of the receipt, or January of the first open year.

    A year whose interest is booked is never opened again, so money of such a year that is recorded late earns from the
    next January on.
    """
    month = Month.of(paid_date)
    if closed_through is not None and month.year <= closed_through:
        return Month(closed_through + 1, 1)
    return month


def end_of(year: int) -> Month:
    """The month in which interest of a year, or a balance at its end, is booked."""
    return Month(year, 12)


def check_year_over(year: int, today: date) -> None:
    """Interest of a year is booked when the year is over.

    Raises:
        InvalidInput: YEAR_INVALID.
        Refused: YEAR_NOT_OVER.
    """
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise InvalidInput("YEAR_INVALID", f"a year of an account is {FIRST_YEAR} to {LAST_YEAR}", field="year")
    if year >= today.year:
        raise Refused("YEAR_NOT_OVER", "the year is not over", field="year", source=_SOURCE, year=str(year))


def settle(opening: Money, booked: Mapping[Month, Money], retirement: Month, law: AccountLaw) -> Statement:
    """The balance at retirement: interest up to and including the month of retirement.

    Args:
        opening: Balance at the end of the year before.
        booked: What was booked since the start of the year of retirement, by month.
        retirement: Month of retirement (退休当月); the first payment is the month after, so k is its number.
        law: Parameters.

    Contributions booked after the month of retirement (the last month's bill is usually paid in the next) are added
    without interest.
    """
    counting = {month.month: amount for month, amount in booked.items() if month <= retirement}
    later = {month: amount for month, amount in booked.items() if month > retirement}
    year = account_at_retirement(
        opening, Credits(retirement.year, counting), rate_of(retirement.year, law), months=retirement.month
    )
    if not later:
        return year.statement
    items = tuple((str(month), str(amount)) for month, amount in sorted(later.items()))
    line = Line(
        code="contribution_after",
        amount=Money.total(later.values()),
        title_zh="退休当月之后记入（不计息）",
        title_en="Credited after the month of retirement, without interest",
        formula=" + ".join(amount for _, amount in items),
        inputs=items,
        sources=year.statement.lines[0].sources,
    )
    return Statement((*year.statement.lines, line))


def open_years(account: Account) -> list[Year]:
    """The years that are not closed, as they stand now: without interest, each opening with the one before."""
    years: list[Year] = []
    opening = account.closing
    for year in range(account.next_year, max(account.booked, default=account.next_year - 1) + 1):
        years.append(
            Year(
                year=year,
                opening=opening,
                contribution=account.credits(year).total,
                interest=Money.ZERO,
                imported=Money.ZERO,
                closed=False,
                statement=None,
                source=PLATFORM,
            )
        )
        opening = years[-1].closing
    return years


def check_settlement(
    account: Account, retirement: Month, today: date, *, imported_year: int | None, of_age: Month, source: Sequence[str]
) -> None:
    """An account is settled once, in a month that has begun, when every year before is closed.

    Args:
        account: The account, locked.
        retirement: Month of retirement.
        today: Business day.
        imported_year: Year of the balance that was brought in: what was booked within it is not known, so nothing can
            be settled in it or before.
        of_age: The first month in which the person can retire at all.
        source: Where that month comes from.

    Raises:
        Conflict: ACCOUNT_ALREADY_SETTLED.
        Refused: MONTH_NOT_STARTED, ACCOUNT_YEAR_OPEN with the year to close, RETIREMENT_MONTH_INVALID.
    """
    if account.settle_month is not None:
        raise Refused("ACCOUNT_ALREADY_SETTLED", "the account was settled before", month=str(account.settle_month))
    if retirement > Month.of(today):
        raise Refused("MONTH_NOT_STARTED", "the month has not begun", field="retirement_month", month=str(retirement))
    first = Month(account.first_year if imported_year is None else imported_year + 1, 1)
    if retirement < max(first, of_age):
        raise Refused(
            "RETIREMENT_MONTH_INVALID",
            "the account begins after that month, or the person is too young",
            field="retirement_month",
            source=source,
            earliest=str(max(first, of_age)),
        )
    if account.next_year < retirement.year:
        raise Refused(
            "ACCOUNT_YEAR_OPEN",
            "a year before the retirement is not closed",
            source=_SOURCE,
            year=str(account.next_year),
        )


def interest_of_settlement(balance: Money, settled: Money, *, withheld: Money, booked: Money) -> Money:
    """The interest that a settlement adds; negative where a closed year has more than belongs to it now.

    Args:
        balance: Before the settlement.
        settled: Balance at retirement.
        withheld: Shares of months after retirement, which leave the account.
        booked: Interest booked since the start of the year of retirement: never more than this goes back.
    """
    interest = settled - (balance - withheld)
    if interest + booked < Money.ZERO:
        raise RuntimeError("a settlement would take away more than the interest that was booked")
    return interest


def account_not_found() -> NotFound:
    """The person has no personal account."""
    return NotFound("ACCOUNT_NOT_FOUND", "the person has no personal account")
