"""Premiums on behalf: who is entitled, a year's run in set form, the money of the budget."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from asyncpg import Record

from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from kernel.statement import Statement
from services.enrollment.domain.contributions import Scheme
from services.enrollment.store import receipt_numbers, scheme_years
from services.enrollment.support import Aid, AidGroup, AidRun

_ENTITLED = """
    FROM cover JOIN premium_aid AS aid USING (person_id) JOIN person USING (person_id)
    WHERE cover.kind = 'RESIDENT' AND cover.end_month IS NULL AND cover.start_month < make_date($1 + 1, 1, 1)
      AND aid.from_year <= $1 AND (aid.until_year IS NULL OR aid.until_year >= $1)
      AND person.died_on IS NULL AND person.retirement_month IS NULL
      AND NOT EXISTS (
          SELECT FROM resident_payment AS paid WHERE paid.person_id = cover.person_id AND paid.year = $1 OFFSET 0)
"""
# Persons in the order of their ids, cut into ranges of the size.
PARTS = """
    SELECT min(person_id::text)::uuid AS first, max(person_id::text)::uuid AS last, count(*) AS persons FROM (
        SELECT person_id, (row_number() OVER (ORDER BY person_id) - 1) / $2::bigint AS chunk FROM ({persons}) AS one
    ) AS numbered GROUP BY chunk ORDER BY chunk
"""
ENTITLED_PARTS = PARTS.format(persons=f"SELECT DISTINCT person_id {_ENTITLED}")
OWED_PARTS = PARTS.format(persons="SELECT person_id FROM resident_payment WHERE aid_run_id = $1 AND paid_date IS NULL")
LOCK = """
    SELECT person_id FROM person WHERE person_id = ANY($1) ORDER BY person_id FOR UPDATE
"""
DUE = (
    f"SELECT DISTINCT ON (person_id) person_id, cover_id {_ENTITLED} AND person_id BETWEEN $2 AND $3 ORDER BY person_id"
)
ASSESS = """
    INSERT INTO resident_payment (payment_id, cover_id, person_id, year, tier_fen, subsidy_fen, aid_fen, statement,
                                  policy_version, assess_date, aid_run_id, on_behalf_fen)
    SELECT one.payment_id, one.cover_id, one.person_id, $4, $5, $6, 0, $7::jsonb, $8, $9, $10, $5
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS one (payment_id, cover_id, person_id)
    ON CONFLICT (person_id, year) DO NOTHING
"""
OWED = """
    SELECT payment_id, person_id FROM resident_payment
    WHERE aid_run_id = $1 AND paid_date IS NULL AND person_id BETWEEN $2 AND $3 ORDER BY person_id
"""
# Everybody of a run has the same tier and subsidy; a subsidy of nothing is no entry.
CREDIT = """
    WITH paid AS (
        UPDATE resident_payment SET receipt_no = $2 || '/' || replace(payment_id::text, '-', ''), paid_date = $3,
               simulated = $4
        WHERE payment_id = ANY($1) RETURNING payment_id, person_id, tier_fen, subsidy_fen
    ), account AS (
        INSERT INTO scheme_account AS mine (person_id, scheme, balance_fen)
        SELECT person_id, 170, tier_fen + subsidy_fen FROM paid ORDER BY person_id
        ON CONFLICT (person_id, scheme) DO UPDATE SET balance_fen = mine.balance_fen + excluded.balance_fen
    )
    INSERT INTO scheme_account_entry (person_id, scheme, part, source, booked_month, amount_fen)
    SELECT person_id, 170, one.part, 'payment:rpy_' || replace(payment_id::text, '-', ''), $5, one.fen
    FROM paid CROSS JOIN LATERAL (VALUES ('ON_BEHALF', tier_fen), ('SUBSIDY', subsidy_fen)) AS one (part, fen)
    WHERE one.fen > 0
"""


async def add(tx: Transaction, one: Aid) -> bool:
    """Store an entitlement of a locked person; False when a year of it has one."""
    return (
        await tx.execute(
            """
            INSERT INTO premium_aid (aid_id, person_id, aid_group, from_year, until_year, document_ref)
            SELECT $1, $2, $3, $4, $5, $6 WHERE NOT EXISTS (
                SELECT FROM premium_aid WHERE person_id = $2 AND from_year <= coalesce($5, 9999)
                    AND coalesce(until_year, 9999) >= $4)
            """,
            one.aid_id,
            one.person_id,
            one.group.value,
            one.from_year,
            one.until_year,
            one.document_ref,
        )
        == 1
    )


async def aids(tx: Transaction, person_id: UUID) -> Sequence[Aid]:
    """The entitlements of a person, newest first."""
    rows = await tx.fetch("SELECT * FROM premium_aid WHERE person_id = $1 ORDER BY from_year DESC", person_id)
    return [_aid(row) for row in rows]


async def lock(tx: Transaction, aid_id: UUID) -> Aid | None:
    """An entitlement, locked."""
    row = await tx.fetchrow("SELECT * FROM premium_aid WHERE aid_id = $1 FOR UPDATE", aid_id)
    return _aid(row) if row else None


async def end(tx: Transaction, aid_id: UUID, until_year: int) -> None:
    """Note the last year of a locked entitlement."""
    await tx.execute("UPDATE premium_aid SET until_year = $2 WHERE aid_id = $1", aid_id, until_year)


async def add_run(tx: Transaction, run: AidRun) -> bool:
    """Store a run; False when the year has one."""
    return (
        await tx.execute(
            """
            INSERT INTO premium_aid_run (run_id, year, job_id, tier_fen, subsidy_fen, statement, policy_version,
                                         assess_date)
            VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7, $8) ON CONFLICT (year) DO NOTHING
            """,
            run.run_id,
            run.year,
            run.job_id,
            run.tier.fen,
            run.subsidy.fen,
            run.statement.canonical(),
            run.policy_version,
            run.assess_date,
        )
        == 1
    )


async def find_run(tx: Transaction, year: int) -> AidRun | None:
    """The run of a year with what it made so far."""
    row = await tx.fetchrow("SELECT * FROM premium_aid_run WHERE year = $1", year)
    if row is None:
        return None
    counts = await tx.fetchrow(
        "SELECT count(*) AS persons, count(paid_date) AS credited FROM resident_payment WHERE aid_run_id = $1",
        row["run_id"],
    )
    assert counts is not None
    receipt = await tx.fetchrow("SELECT * FROM premium_aid_receipt WHERE run_id = $1", row["run_id"])
    return AidRun(
        run_id=row["run_id"],
        year=row["year"],
        job_id=row["job_id"],
        tier=Money(row["tier_fen"]),
        subsidy=Money(row["subsidy_fen"]),
        statement=Statement.from_plain(row["statement"]),
        policy_version=row["policy_version"],
        assess_date=row["assess_date"],
        persons=counts["persons"],
        credited=counts["credited"],
        receipt_no=receipt["receipt_no"] if receipt else "",
        paid_date=receipt["paid_date"] if receipt else None,
        credit_job_id=receipt["job_id"] if receipt else None,
    )


async def entitled_parts(tx: Transaction, year: int, size: int) -> Sequence[Record]:
    """Ranges of the persons for whom the government pays in a year and who have no payment yet."""
    return await tx.fetch(ENTITLED_PARTS, year, size)


async def owed_parts(tx: Transaction, run_id: UUID, size: int) -> Sequence[Record]:
    """Ranges of the persons of a run whose accounts wait for the money."""
    return await tx.fetch(OWED_PARTS, run_id, size)


async def assess(tx: Transaction, run: AidRun, first: UUID, last: UUID) -> int:
    """Assess the year of everybody of a range for whom the government pays; how many."""
    due = await tx.fetch(DUE, run.year, first, last)
    await tx.fetch(LOCK, [row["person_id"] for row in due])
    return await tx.execute(
        ASSESS,
        [ids.new_id() for _ in due],
        [row["cover_id"] for row in due],
        [row["person_id"] for row in due],
        run.year,
        run.tier.fen,
        run.subsidy.fen,
        run.statement.canonical(),
        run.policy_version,
        run.assess_date,
        run.run_id,
    )


async def add_receipt(
    tx: Transaction, run_id: UUID, receipt_no: str, amount: Money, paid_date: date, *, simulated: bool, job_id: UUID
) -> bool:
    """Store the money of the budget; False when its number was used, or the run has its money since a moment."""
    if not await receipt_numbers.take(tx, receipt_no, "premium_aid_run"):
        return False
    return (
        await tx.execute(
            """
            INSERT INTO premium_aid_receipt (run_id, receipt_no, amount_fen, paid_date, simulated, job_id)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
            """,
            run_id,
            receipt_no,
            amount.fen,
            paid_date,
            simulated,
            job_id,
        )
        == 1
    )


async def credit(tx: Transaction, run: AidRun, first: UUID, last: UUID, *, simulated: bool) -> int:
    """Credit the accounts of a range with what the budget paid and its subsidy; how many."""
    assert run.paid_date is not None
    owed = await tx.fetch(OWED, run.run_id, first, last)
    await tx.fetch(LOCK, [row["person_id"] for row in owed])
    owed = await tx.fetch(OWED, run.run_id, first, last)
    month = await scheme_years.booking_month(tx, Scheme.RESIDENT_PENSION, Month.of(run.paid_date))
    await tx.execute(
        CREDIT, [row["payment_id"] for row in owed], run.receipt_no, run.paid_date, simulated, month.first_day
    )
    return len(owed)


async def is_simulated(tx: Transaction, run_id: UUID) -> bool:
    """Whether the money of a run is that of a simulator."""
    row = await tx.fetchrow("SELECT simulated FROM premium_aid_receipt WHERE run_id = $1", run_id)
    return row is not None and bool(row["simulated"])


def _aid(row: Record) -> Aid:
    return Aid(
        row["aid_id"],
        row["person_id"],
        AidGroup(row["aid_group"]),
        row["from_year"],
        row["until_year"],
        row["document_ref"],
    )
