"""Personal accounts: balances, entries, closed years, settlements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel import col, desc, select

from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from kernel.statement import Statement
from services.enrollment.accounting import PLATFORM, Account, EntryKind, Year
from services.enrollment.store.rows import AccountRow, AccountYearRow, SettlementRow

LOCK_RANGE = """
    SELECT person_id, balance_fen, first_year, closed_through, settle_month FROM account
    WHERE person_id BETWEEN $1 AND $2 AND settle_month IS NULL AND first_year <= $3
    ORDER BY person_id FOR UPDATE
"""
BOOKED = """
    SELECT person_id, booked_month, sum(amount_fen)::bigint AS amount_fen FROM account_entry
    WHERE person_id = ANY($1) AND kind = 'CONTRIBUTION' AND year >= $2
    GROUP BY person_id, booked_month
"""
# Each contribution since a year by the month of its booking, and whether it is for a month up to the retirement. A
# contribution has its bill as source, and a person-month stands on one bill only.
BOOKED_SINCE = """
    SELECT booked_month, line.month <= $3 AS counts, sum(amount_fen)::bigint AS amount_fen
    FROM account_entry AS entry JOIN bill_line AS line ON line.person_id = entry.person_id
        AND line.refund_id IS NULL AND entry.source = 'bill:bil_' || replace(line.bill_id::text, '-', '')
    WHERE entry.person_id = $1 AND kind = 'CONTRIBUTION' AND year >= $2
    GROUP BY 1, 2
"""
CLOSINGS = """
    SELECT DISTINCT ON (person_id) person_id, closing_fen FROM account_year
    WHERE person_id = ANY($1) ORDER BY person_id, year DESC
"""
UNPAID = """
    SELECT min(insured.month)::date AS month
    FROM employment CROSS JOIN LATERAL generate_series(
        start_month::timestamp, least(coalesce(end_month, $2), $2)::timestamp, interval '1 month'
    ) AS insured (month)
    WHERE person_id = $1 AND NOT EXISTS (
        SELECT 1 FROM contribution WHERE person_id = $1 AND month = insured.month::date AND scheme = 110
    ) AND NOT EXISTS (
        SELECT 1 FROM suspension WHERE relation_id = enrollment_id AND from_month <= insured.month::date
            AND (until_month IS NULL OR until_month >= insured.month::date)
    ) AND EXISTS (
        SELECT 1 FROM participation WHERE participation.enrollment_id = employment.enrollment_id AND scheme = 110
    )
"""
# The bounds of each chunk of accounts whose year is open.
RANGES = """
    SELECT (array_agg(person_id ORDER BY person_id))[1] AS first,
           (array_agg(person_id ORDER BY person_id DESC))[1] AS last, count(*) AS size
    FROM (
        SELECT person_id, (row_number() OVER (ORDER BY person_id) - 1) / $2::integer AS chunk FROM account
        WHERE settle_month IS NULL AND first_year <= $1 AND (closed_through IS NULL OR closed_through < $1)
    ) AS numbered GROUP BY chunk ORDER BY chunk
"""


@dataclass(frozen=True, slots=True)
class ClosedYear:
    """A closed year to be stored, and the balance after it."""

    person_id: UUID
    year: Year
    provisional: bool
    balance: Money


async def ranges_to_close(tx: Transaction, year: int, size: int) -> Sequence[tuple[UUID, UUID, int]]:
    """First and last person and number of accounts of each chunk, so many at most, whose year is to be closed."""
    return [(row["first"], row["last"], row["size"]) for row in await tx.fetch(RANGES, year, size)]


async def lock_range(tx: Transaction, first: UUID, last: UUID, year: int) -> Sequence[Account]:
    """The unsettled accounts between two persons that existed in a year, locked in order, with what is booked."""
    rows = await tx.fetch(LOCK_RANGE, first, last, year)
    return await _complete(tx, [dict(row) for row in rows])


async def account(tx: Transaction, person_id: UUID, *, lock: bool = False) -> Account | None:
    """An account with what is booked in its open years, on demand locked."""
    query = select(AccountRow).where(AccountRow.person_id == person_id)
    row = await tx.session.scalar(query.with_for_update() if lock else query)
    if row is None:
        return None
    plain = {
        "person_id": row.person_id,
        "balance_fen": row.balance.fen,
        "first_year": row.first_year,
        "closed_through": row.closed_through,
        "settle_month": row.settle_month.first_day if row.settle_month else None,
    }
    return (await _complete(tx, [plain]))[0]


async def years(tx: Transaction, person_id: UUID) -> Sequence[Year]:
    """The closed years of an account, newest first."""
    rows = await tx.session.scalars(
        select(AccountYearRow).where(AccountYearRow.person_id == person_id).order_by(desc(col(AccountYearRow.year)))
    )
    return [
        Year(
            year=row.year,
            opening=row.opening,
            contribution=row.contribution,
            interest=row.interest,
            imported=row.imported,
            closed=True,
            statement=Statement.from_plain(row.statement) if row.statement else None,
            source=row.source,
            policy_version=row.policy_version,
        )
        for row in rows
    ]


async def booked_since(tx: Transaction, person_id: UUID, retirement: Month) -> tuple[Mapping[Month, Money], Money]:
    """Contributions booked since the year of retirement began: those that count, by month, and the sum of the others.

    A contribution counts when the month it is for is not after the retirement, whenever it was paid.
    """
    rows = await tx.fetch(BOOKED_SINCE, person_id, retirement.year, retirement.first_day)
    return (
        {Month.of(row["booked_month"]): Money(row["amount_fen"]) for row in rows if row["counts"]},
        Money.total(Money(row["amount_fen"]) for row in rows if not row["counts"]),
    )


async def interest_since(tx: Transaction, person_id: UUID, year: int) -> Money:
    """Interest booked on an account for a year and the later ones."""
    row = await tx.fetchrow(
        """
        SELECT coalesce(sum(amount_fen), 0)::bigint AS amount_fen FROM account_entry
        WHERE person_id = $1 AND kind = 'INTEREST' AND year >= $2
        """,
        person_id,
        year,
    )
    assert row is not None
    return Money(row["amount_fen"])


async def closing_before(tx: Transaction, person_id: UUID, year: int) -> Money:
    """The balance at the end of the year before; nothing where the account begins later."""
    row = await tx.fetchrow(
        "SELECT closing_fen FROM account_year WHERE person_id = $1 AND year = $2", person_id, year - 1
    )
    return Money(row["closing_fen"]) if row else Money.ZERO


async def close(tx: Transaction, closed: Sequence[ClosedYear], *, policy_version: str) -> None:
    """Store closed years with their interest entries and new balances, by one statement each."""
    raw = await tx.raw()
    await raw.copy_records_to_table(
        "account_year",
        records=[
            (
                one.person_id,
                one.year.year,
                one.year.opening.fen,
                one.year.contribution.fen,
                one.year.interest.fen,
                one.year.imported.fen,
                one.year.closing.fen,
                one.year.statement.canonical() if one.year.statement else None,
                one.provisional,
                policy_version,
                one.year.source,
            )
            for one in closed
        ],
        columns=[
            "person_id", "year", "opening_fen", "contribution_fen", "interest_fen", "imported_fen", "closing_fen",
            "statement", "provisional", "policy_version", "source",
        ],
    )  # fmt: skip
    await tx.execute(
        """
        WITH closed AS (
            SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS one (person_id, interest_fen)
        ), entry AS (
            INSERT INTO account_entry (person_id, kind, source, year, booked_month, amount_fen)
            SELECT person_id, 'INTEREST', $3, $4, make_date($4, 12, 1), interest_fen FROM closed WHERE interest_fen > 0
        )
        UPDATE account SET balance_fen = balance_fen + closed.interest_fen, closed_through = $4
        FROM closed WHERE account.person_id = closed.person_id
        """,
        [one.person_id for one in closed],
        [one.year.interest.fen for one in closed],
        f"year:{closed[0].year.year}",
        closed[0].year.year,
    )


async def settle(
    tx: Transaction,
    person_id: UUID,
    retirement: Month,
    statement: Statement,
    *,
    interest: Money,
    withheld: Money,
    policy_version: str,
) -> None:
    """Store the settlement of an account: the interest not booked before, and without shares of months after it."""
    for kind, amount in ((EntryKind.CONTRIBUTION, -withheld), (EntryKind.INTEREST, interest)):
        if amount == Money.ZERO:
            continue
        await tx.execute(
            """
            INSERT INTO account_entry (person_id, kind, source, year, booked_month, amount_fen)
            VALUES ($1, $2, $3, $4, $5, $6)
            """,
            person_id,
            kind,
            f"settlement:{retirement}",
            retirement.year,
            retirement.first_day,
            amount.fen,
        )
    await tx.execute(
        "UPDATE account SET balance_fen = $2, settle_month = $3 WHERE person_id = $1",
        person_id,
        statement.total.fen,
        retirement.first_day,
    )
    tx.session.add(
        SettlementRow(
            person_id=person_id,
            retirement_month=retirement,
            balance=statement.total,
            statement=statement.to_plain(),
            provisional=statement.provisional,
            policy_version=policy_version,
            settle_date=tx.today,
        )
    )


async def settlement_year(tx: Transaction, account: Account) -> Year | None:
    """The year of retirement of a settled account, as its settlement explains it."""
    row = await tx.session.get(SettlementRow, account.person_id)
    if row is None:
        return None
    statement = Statement.from_plain(row.statement)
    return Year(
        year=row.retirement_month.year,
        opening=statement.amount("opening"),
        contribution=statement.amount("contribution") + statement.amount("contribution_after"),
        interest=statement.amount("interest_on_opening") + statement.amount("interest_on_new"),
        imported=Money.ZERO,
        closed=True,
        statement=statement,
        source=PLATFORM,
        policy_version=row.policy_version,
    )


async def unpaid_month(tx: Transaction, person_id: UUID, until: Month) -> Month | None:
    """The first insured month up to one that is not paid: its bill is open, or there is none yet."""
    row = await tx.fetchrow(UNPAID, person_id, until.first_day)
    return Month.of(row["month"]) if row and row["month"] else None


async def contributions_version(tx: Transaction, person_id: UUID) -> int:
    """Version of the last contributions announced for a person; 0 when there are none."""
    row = await tx.fetchrow(
        "SELECT version FROM aggregate WHERE kind = 'contributions' AND id = $1", ids.to_text("per", person_id)
    )
    return int(row["version"]) if row else 0


async def _complete(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> Sequence[Account]:
    """Accounts with the closing of their last closed year and what is booked since."""
    people = [row["person_id"] for row in rows]
    closings = {row["person_id"]: Money(row["closing_fen"]) for row in await tx.fetch(CLOSINGS, people)}
    booked: dict[UUID, dict[int, dict[int, Money]]] = {}
    open_year = {row["person_id"]: (row["closed_through"] or 0) + 1 for row in rows}
    for row in await tx.fetch(BOOKED, people, min(open_year.values(), default=0)):
        month = Month.of(row["booked_month"])
        if month.year >= open_year[row["person_id"]]:
            years = booked.setdefault(row["person_id"], {})
            years.setdefault(month.year, {})[month.month] = Money(row["amount_fen"])
    return [
        Account(
            person_id=row["person_id"],
            balance=Money(row["balance_fen"]),
            first_year=row["first_year"],
            closed_through=row["closed_through"],
            settle_month=Month.of(row["settle_month"]) if row["settle_month"] else None,
            closing=closings.get(row["person_id"], Money.ZERO),
            booked=booked.get(row["person_id"], {}),
        )
        for row in rows
    ]
