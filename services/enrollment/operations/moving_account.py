"""An account that a person can read (个人账户对账单): each year explained line by line, with every entry behind it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from chassis.transaction import Transaction
from kernel.calendar import Month  # noqa: TC001 - as everywhere in this service
from kernel.dated import DatedValue
from kernel.errors import InvalidInput, Refused
from kernel.money import Money
from kernel.statement import Line, Statement
from services.enrollment.accounting import FIRST_YEAR, LAST_YEAR, Account, EntryKind, Year
from services.enrollment.domain.account import close_year, rate_of
from services.enrollment.operations import accounts
from services.enrollment.operations.office import Office
from services.enrollment.store import moving_account as store
from services.enrollment.store.moving_account import Entry

_SOURCE = ("LB-1997-116",)
_TITLES = {
    EntryKind.CONTRIBUTION: ("缴费记入", "Contribution"),
    EntryKind.INTEREST: ("利息", "Interest"),
    EntryKind.IMPORTED_BALANCE: ("原系统余额迁入", "Balance of the system before"),
    EntryKind.TRANSFERRED_OUT: ("随关系转出", "Left with the relation"),
}
_TRANSFERRED_IN = ("随关系转入", "Came with the relation")
_WITHHELD = ("退休后月份退出", "Months after retirement taken out")


@dataclass(frozen=True, slots=True)
class ExplainedYear:
    """A year of an account with all that explains it."""

    year: int
    closed: bool
    statement: Statement
    policy_version: str
    rate: str
    provisional: bool
    expected_interest: Money
    entries: Sequence[tuple[Entry, tuple[str, str]]] = field(default=())


async def explain(tx: Transaction, person_id: UUID, year: int, office: Office) -> tuple[Money, Sequence[ExplainedYear]]:
    """Balance and years, newest first; one year, or (0) all.

    Raises:
        NotFound: PERSON_NOT_FOUND, ACCOUNT_NOT_FOUND.
        InvalidInput: YEAR_INVALID.
    """
    if year and not FIRST_YEAR <= year <= LAST_YEAR:
        raise InvalidInput("YEAR_INVALID", f"a year of an account is {FIRST_YEAR} to {LAST_YEAR}", field="year")
    account, years = await accounts.account(tx, person_id)
    entries: dict[int, list[Entry]] = {}
    for entry in await store.entries(tx, person_id):
        entries.setdefault(entry.booked.year, []).append(entry)
    shown = [one for one in years if not year or one.year == year]
    return account.balance, [_explained(one, account, entries.get(one.year, []), office) for one in shown]


def _explained(one: Year, account: Account, entries: Sequence[Entry], office: Office) -> ExplainedYear:
    statement = one.statement or _of_entries(one, entries)
    rate = next(
        (use for line in statement.lines for use in line.parameters if use.key.startswith("interest_rate")), None
    )
    expected = Money.ZERO
    provisional = statement.provisional
    shown = rate.value if rate else ""
    if not one.closed:
        found = _rate(one.year, office)
        if found is not None:
            shown, provisional = str(found.value), found.use().provisional
            closing = close_year(one.opening, account.credits(one.year), office.policy.account)
            expected = closing.interest_on_opening + closing.interest_on_new
    return ExplainedYear(
        year=one.year,
        closed=one.closed,
        statement=statement,
        policy_version=one.policy_version or office.policy.version,
        rate=shown,
        provisional=provisional,
        expected_interest=expected,
        entries=[(entry, _title(entry)) for entry in entries],
    )


def _of_entries(one: Year, entries: Sequence[Entry]) -> Statement:
    """The lines of a year that has no calculation: open, or brought in whole."""
    booked: dict[Month, Money] = {}
    for entry in entries:
        if entry.kind is EntryKind.CONTRIBUTION:
            booked[entry.booked] = booked.get(entry.booked, Money.ZERO) + entry.amount
    items = tuple((str(month), str(amount)) for month, amount in sorted(booked.items()))
    lines = [
        Line("opening", one.opening, "期初余额", "Balance brought forward", str(one.opening), sources=_SOURCE),
        Line(
            "contribution",
            one.contribution,
            "本年记入",
            "Credited in the year",
            " + ".join(amount for _, amount in items) or "0",
            inputs=items,
            sources=_SOURCE,
        ),
    ]
    if one.imported != Money.ZERO or not one.source.startswith("platform"):
        lines.append(
            Line(
                "imported",
                one.imported,
                "原系统年末余额",
                "Balance of the system before at the end of the year",
                str(one.imported),
                inputs=(("source", one.source),),
                sources=_SOURCE,
            )
        )
    return Statement(tuple(lines))


def _rate(year: int, office: Office) -> DatedValue[Decimal] | None:
    try:
        return rate_of(year, office.policy.account)
    except Refused:
        return None  # a year before the first rate: shown without an expectation


def _title(entry: Entry) -> tuple[str, str]:
    if entry.kind is EntryKind.CONTRIBUTION and entry.source.startswith("transfer:"):
        return _TRANSFERRED_IN
    if entry.kind is EntryKind.CONTRIBUTION and entry.source.startswith("settlement:"):
        return _WITHHELD
    return _TITLES[entry.kind]
