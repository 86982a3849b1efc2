"""Personal accounts: balances, entries, closed years, settlements."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlmodel import col, desc, select

from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import Conflict
from kernel.money import Money
from kernel.statement import Statement
from services.enrollment.accounting import PLATFORM, Account, EntryKind, Year
from services.enrollment.domain.account import Method, YearTerms
from services.enrollment.store import terms as stored_terms
from services.enrollment.store.rows import AccountRow, AccountYearRow, SettlementRow

# The accounts of a range that have something to be closed are locked; those are told whose next open year it is not.
LOCK_RANGE = """
    WITH locked AS MATERIALIZED (
        SELECT person_id, coalesce(closed_through + 1, first_year) AS next_year FROM account
        WHERE person_id BETWEEN $1 AND $2 AND settle_month IS NULL AND first_year <= $3
        ORDER BY person_id FOR NO KEY UPDATE
    ), numbered AS (SELECT *, row_number() OVER (ORDER BY person_id) AS number FROM locked)
    SELECT (SELECT count(*) FROM locked WHERE next_year = $3) AS due,
           ARRAY(SELECT ROW(number, person_id, next_year) FROM numbered WHERE next_year <> $3 ORDER BY number) AS others
"""
# The set form of `domain.account.YearTerms.close`: half-up in integers (as `store.assessment`) of exact factors, $2/$3
# on the opening and $4/$5 on the product or, by the annual factor, on the sum of the credits.
INTEREST = """
    (2 * opening_fen * $2::bigint + $3::bigint) / (2 * $3::bigint)
    + (2 * CASE WHEN $6::boolean THEN product_fen ELSE contribution_fen END * $4::bigint + $5::bigint)
      / (2 * $5::bigint)
"""
# The accounts of a range that are locked (`LOCK_RANGE`) and whose next open year it is. What was booked lies in order
# of year and person (`account_entry_of_year`), so a chunk reads its part of the year and never the city.
CLOSE = f"""
    WITH mine AS MATERIALIZED (
        SELECT account.person_id, coalesce(before.closing_fen, 0) AS opening_fen,
               coalesce(contribution_fen, 0) AS contribution_fen, coalesce(product_fen, 0) AS product_fen,
               coalesce(booked_months, '{{}}') AS booked_months, coalesce(booked_fen, '{{}}') AS booked_fen
        FROM account LEFT JOIN LATERAL (
            SELECT closing_fen FROM account_year WHERE person_id = account.person_id AND year = $1 - 1 OFFSET 0
        ) AS before ON true LEFT JOIN (
            SELECT person_id, sum(amount_fen)::bigint AS contribution_fen,
                   sum(amount_fen * (13 - month))::bigint AS product_fen,
                   array_agg(month) AS booked_months, array_agg(amount_fen) AS booked_fen
            FROM (
                SELECT person_id, amount_fen, date_part('month', booked_month)::smallint AS month FROM account_entry
                WHERE kind = 'CONTRIBUTION' AND year = $1 AND person_id BETWEEN $11 AND $12
            ) AS entry GROUP BY person_id
        ) AS booked USING (person_id)
        WHERE person_id BETWEEN $11 AND $12 AND settle_month IS NULL AND first_year <= $1
          AND coalesce(closed_through + 1, first_year) = $1
    ), closed AS MATERIALIZED (
        SELECT mine.*, {INTEREST} AS interest_fen FROM mine
    ), stored AS (
        INSERT INTO account_year (person_id, year, opening_fen, contribution_fen, interest_fen, imported_fen,
            closing_fen, provisional, policy_version, source, terms_id, booked_months, booked_fen)
        SELECT person_id, $1, opening_fen, contribution_fen, interest_fen, 0,
               opening_fen + contribution_fen + interest_fen, $7, $8, $9, $10, booked_months, booked_fen
        FROM closed ORDER BY person_id
    ), entry AS (
        INSERT INTO account_entry (person_id, kind, source, year, booked_month, amount_fen)
        SELECT person_id, 'INTEREST', 'year:' || $1, $1, make_date($1, 12, 1), interest_fen
        FROM closed WHERE interest_fen > 0 ORDER BY person_id
    ), booked AS (
        UPDATE account SET balance_fen = balance_fen + interest_fen, closed_through = $1
        FROM closed WHERE account.person_id = closed.person_id AND account.person_id BETWEEN $11 AND $12
        RETURNING account.person_id, interest_fen, balance_fen
    )
    SELECT person_id, interest_fen, balance_fen FROM booked ORDER BY person_id
"""  # noqa: S608 - constant text
BOOKED = """
    SELECT person_id, booked_month, sum(amount_fen)::bigint AS amount_fen FROM account_entry
    WHERE person_id = ANY($1) AND kind = 'CONTRIBUTION' AND year >= $2
    GROUP BY person_id, booked_month
"""
# Each contribution since a year by the month of its booking, and whether it is for a month up to the retirement. A
# contribution has its bill or a difference of it as source, and a person-month stands on one bill only.
BOOKED_SINCE = """
    SELECT booked_month, coalesce(line.month <= $3, true) AS counts, sum(amount_fen)::bigint AS amount_fen
    FROM account_entry AS entry LEFT JOIN (
        SELECT month, 'bill:bil_' || replace(bill_id::text, '-', '') AS source FROM bill_line
        WHERE person_id = $1 AND refund_id IS NULL
        UNION ALL
        SELECT month, 'difference:dif_' || replace(difference_id::text, '-', '') FROM difference_line
        WHERE person_id = $1
    ) AS line ON line.source = entry.source
    WHERE entry.person_id = $1 AND kind = 'CONTRIBUTION' AND year >= $2
      AND (line.source IS NOT NULL OR entry.source LIKE 'transfer:%')
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
        UNION ALL
        SELECT 1 FROM contribution_month WHERE person_id = $1 AND month = insured.month::date AND scheme = 110
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


class Closed(NamedTuple):
    """The interest of an account whose year was closed, and the balance after it, in fen: they come by the million."""

    person_id: UUID
    interest_fen: int
    balance_fen: int


async def ranges_to_close(tx: Transaction, year: int, size: int) -> Sequence[tuple[UUID, UUID, int]]:
    """First and last person and number of accounts of each chunk, so many at most, whose year is to be closed."""
    return [(row["first"], row["last"], row["size"]) for row in await tx.fetch(RANGES, year, size)]


async def lock_range(
    tx: Transaction, first: UUID, last: UUID, year: int
) -> tuple[int, Sequence[tuple[int, UUID, int]]]:
    """Lock the unsettled accounts between two persons that existed in a year.

    The answer is how many are to be closed, and those whose next open year is another one: number in the range, person,
    that year.
    """
    row = await tx.fetchrow(LOCK_RANGE, first, last, year)
    assert row is not None
    return row["due"], row["others"]


async def keep_terms(tx: Transaction, terms_id: UUID, terms: YearTerms) -> YearTerms:
    """Keep the law of a run for the years that it closes; what was kept at first stays and is the answer."""
    await tx.execute(
        "INSERT INTO account_year_terms (terms_id, terms) VALUES ($1, $2::jsonb) ON CONFLICT (terms_id) DO NOTHING",
        terms_id,
        json.dumps(stored_terms.account_to_plain(terms), ensure_ascii=False),
    )
    return (await _terms(tx, [terms_id]))[terms_id]


async def close(
    tx: Transaction, first: UUID, last: UUID, *, due: int, terms_id: UUID, terms: YearTerms, policy_version: str
) -> Sequence[Closed]:
    """Close a year of the accounts between two persons that are locked and whose next open year it is.

    One statement; the answer is in the order of the persons.

    Raises:
        Conflict: CONCURRENT_CHANGE: there are not as many as were locked, because one was opened since.
    """
    rows = await tx.fetch(
        CLOSE,
        terms.year,
        *terms.on_opening.as_integer_ratio(),
        *terms.on_new.as_integer_ratio(),
        terms.method is Method.MONTHLY_PRODUCT,
        terms.provisional,
        policy_version,
        PLATFORM,
        terms_id,
        first,
        last,
    )
    if len(rows) != due:
        raise Conflict("CONCURRENT_CHANGE", "an account was opened among those that are closed", retry_after=0.2)
    return [Closed(*row) for row in rows]


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
    """The closed years of an account, newest first, each explained by the law of its run."""
    query = select(AccountYearRow).where(AccountYearRow.person_id == person_id)
    rows = (await tx.session.scalars(query.order_by(desc(col(AccountYearRow.year))))).all()
    terms = await _terms(tx, {row.terms_id for row in rows if row.terms_id})
    return [
        Year(
            year=row.year,
            opening=row.opening,
            contribution=row.contribution,
            interest=row.interest,
            imported=row.imported,
            closed=True,
            statement=_statement(row, terms),
            source=row.source,
            policy_version=row.policy_version,
            moved=row.moved,
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


async def _terms(tx: Transaction, terms_ids: Collection[UUID]) -> Mapping[UUID, YearTerms]:
    if not terms_ids:
        return {}
    rows = await tx.fetch(
        "SELECT terms_id, terms FROM account_year_terms WHERE terms_id = ANY($1::uuid[])", list(terms_ids)
    )
    return {row["terms_id"]: stored_terms.account_from_plain(row["terms"]) for row in rows}


def _statement(row: AccountYearRow, terms: Mapping[UUID, YearTerms]) -> Statement | None:
    """The statement of a closed year: stored with it, or made from what was booked and the law of its run."""
    if row.terms_id is None:
        return Statement.from_plain(row.statement) if row.statement else None
    monthly: dict[int, Money] = {}
    for month, fen in zip(row.booked_months or (), row.booked_fen or (), strict=True):
        monthly[month] = monthly.get(month, Money.ZERO) + Money(fen)
    return terms[row.terms_id].close(row.opening, monthly).statement


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
