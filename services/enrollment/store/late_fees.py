"""Late fees of the city on a day: runs, what each document owed, whom to remind."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from chassis.transaction import Transaction
from kernel.calendar import Month
from kernel.dated import Dated
from kernel.money import Money
from services.enrollment.arrears import LateFeeRun, Reminded
from services.enrollment.city import Part

# A bill that bears a fee: not a back payment, which holds its own, and no flexible worker's, who owes none.
_BEARS = "kind IN ('EMPLOYER', 'GOVERNMENT')"
_LATE = """
    EXISTS (SELECT FROM receipt WHERE receipt.bill_id = bill.bill_id AND receipt.paid_date > bill.due_date)
    AND NOT EXISTS (SELECT FROM demand WHERE demand.bill_id = bill.bill_id AND demand.kind = 'LATE_FEE')
"""
PARTS = f"""
    SELECT (array_agg(employer_id ORDER BY employer_id))[1] AS first,
           (array_agg(employer_id ORDER BY employer_id DESC))[1] AS last, sum(documents)::bigint AS documents
    FROM (
        SELECT employer_id, documents,
               (sum(documents) OVER (ORDER BY employer_id) - documents)::bigint / $1::bigint AS chunk
        FROM (
            SELECT employer_id, count(*) AS documents FROM (
                SELECT employer_id FROM bill WHERE {_BEARS} AND (state <> 'PAID' OR {_LATE})
                UNION ALL SELECT employer_id FROM demand WHERE state <> 'PAID'
            ) AS one GROUP BY employer_id
        ) AS owing
    ) AS numbered GROUP BY chunk ORDER BY chunk
"""  # noqa: S608 - constant text
# The set form of `collection.fee_of`: each part that was paid too late, and what is open, rounded half-up by itself.
ACCRUE = f"""
    WITH rate AS (
        SELECT * FROM unnest($5::date[], $6::date[], $7::numeric[]) AS one (from_date, to_date, daily)
    ), law AS (
        SELECT * FROM unnest($8::date[], $9::date[]) AS one (month, due)
    ), owing AS MATERIALIZED (
        SELECT bill_id, employer_id, bill.month, coalesce(due_date, law.due) AS due, total_fen - paid_fen AS open_fen
        FROM bill LEFT JOIN law USING (month)
        WHERE employer_id BETWEEN $2 AND $3 AND {_BEARS} AND (state <> 'PAID' OR {_LATE})
    ), part AS (
        SELECT bill_id, open_fen AS fen, $4::date AS day FROM owing WHERE open_fen > 0
        UNION ALL SELECT bill_id, amount_fen, paid_date FROM receipt JOIN owing USING (bill_id)
    ), fee AS (
        SELECT bill_id, sum(floor(fen * daily * (day - due) + 0.5)) FILTER (WHERE day > due) AS fen,
               bool_or(day > due AND daily IS NULL) AS is_unknown
        FROM part JOIN owing USING (bill_id)
        LEFT JOIN rate ON day >= from_date AND (to_date IS NULL OR day <= to_date)
        GROUP BY bill_id
    )
    INSERT INTO late_fee_accrual (run_id, document, employer_id, month, due_date, open_fen, fee_fen)
    SELECT $1::uuid, 'bil_' || replace(bill_id::text, '-', ''), employer_id, month, due, open_fen, coalesce(fee.fen, 0)
    FROM owing JOIN fee USING (bill_id) WHERE due IS NOT NULL AND NOT is_unknown
    UNION ALL
    SELECT $1::uuid, 'dem_' || replace(demand_id::text, '-', ''), demand.employer_id, bill.month, NULL,
           demand.total_fen - demand.paid_fen, 0
    FROM demand JOIN bill USING (bill_id)
    WHERE demand.employer_id BETWEEN $2 AND $3 AND demand.state <> 'PAID'
"""  # noqa: S608 - constant text
NO_DUE_DAY = f"""
    SELECT month, count(*) AS bills FROM bill
    WHERE employer_id BETWEEN $1 AND $2 AND {_BEARS} AND state <> 'PAID' AND due_date IS NULL
    GROUP BY month ORDER BY month
"""  # noqa: S608 - constant text
LATE_BILLS = f"""
    SELECT bill_id FROM bill WHERE employer_id BETWEEN $1 AND $2 AND {_BEARS} AND state = 'PAID' AND {_LATE}
    ORDER BY bill_id
"""  # noqa: S608 - constant text


async def add(tx: Transaction, run: LateFeeRun) -> bool:
    """Store a run; False when its day has one."""
    return (
        await tx.execute(
            """
            INSERT INTO late_fee_run (run_id, on_date, job_id, with_demands, policy_version)
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT (on_date) DO NOTHING
            """,
            run.run_id,
            run.on,
            run.job_id,
            run.with_demands,
            run.policy_version,
        )
        == 1
    )


async def find(tx: Transaction, on: date) -> LateFeeRun | None:
    """The run of a day with what it found so far."""
    row = await tx.fetchrow(
        """
        SELECT late_fee_run.*, part.* FROM late_fee_run, LATERAL (
            SELECT coalesce(sum(document_count), 0)::bigint AS documents,
                   coalesce(sum(employer_count), 0)::bigint AS employers,
                   coalesce(sum(open_fen), 0)::bigint AS open_fen,
                   coalesce(sum(fee_fen), 0)::bigint AS fee_fen, coalesce(sum(demand_count), 0)::bigint AS demands
            FROM late_fee_run_part WHERE late_fee_run_part.run_id = late_fee_run.run_id
        ) AS part WHERE on_date = $1
        """,
        on,
    )
    if row is None:
        return None
    return LateFeeRun(
        run_id=row["run_id"],
        on=row["on_date"],
        job_id=row["job_id"],
        with_demands=row["with_demands"],
        policy_version=row["policy_version"],
        documents=row["documents"],
        employers=row["employers"],
        open=Money(row["open_fen"]),
        fee=Money(row["fee_fen"]),
        demands=row["demands"],
    )


async def parts(tx: Transaction, size: int) -> Sequence[Part]:
    """Ranges of the employers that owe something, each of about so many documents, in order."""
    return [Part(row["first"], row["last"], row["documents"]) for row in await tx.fetch(PARTS, size)]


async def late_bills(tx: Transaction, first: UUID, last: UUID) -> Sequence[UUID]:
    """Paid bills of a range of employers that were paid too late and whose fee is not demanded."""
    return [row["bill_id"] for row in await tx.fetch(LATE_BILLS, first, last)]


async def without_due_day(tx: Transaction, first: UUID, last: UUID) -> Mapping[Month, int]:
    """Open bills of a range of employers that were given no due day, by month."""
    return {Month.of(row["month"]): row["bills"] for row in await tx.fetch(NO_DUE_DAY, first, last)}


async def accrue(
    tx: Transaction,
    run: LateFeeRun,
    first: UUID,
    last: UUID,
    *,
    daily_rate: Dated[Decimal],
    due: Mapping[Month, date],
) -> int:
    """Note what every document of a range owes on the day of a run, with its late fee; how many."""
    known = [row for row in daily_rate.rows if row.value is not None]
    return await tx.execute(
        ACCRUE,
        run.run_id,
        first,
        last,
        run.on,
        [row.from_ for row in known],
        [row.to for row in known],
        [row.value for row in known],
        [month.first_day for month in due],
        list(due.values()),
    )


async def add_part(
    tx: Transaction, run_id: UUID, chunk: int, first: UUID, last: UUID, *, demands: int
) -> tuple[int, Money]:
    """Note what a chunk found; documents and fees."""
    row = await tx.fetchrow(
        """
        INSERT INTO late_fee_run_part (run_id, chunk, document_count, employer_count, open_fen, fee_fen, demand_count)
        SELECT $1::uuid, $2::integer, count(*), count(DISTINCT employer_id), coalesce(sum(open_fen), 0),
               coalesce(sum(fee_fen), 0), $5::bigint
        FROM late_fee_accrual WHERE run_id = $1 AND employer_id BETWEEN $3 AND $4
        RETURNING document_count, fee_fen
        """,
        run_id,
        chunk,
        first,
        last,
        demands,
    )
    assert row is not None
    return row["document_count"], Money(row["fee_fen"])


async def reminders(tx: Transaction, run_id: UUID, *, after: UUID | None, limit: int) -> Sequence[Reminded]:
    """Employers in arrears on the day of a run, in the order of their ids."""
    rows = await tx.fetch(
        """
        SELECT employer_id, count(*) AS documents, sum(open_fen)::bigint AS open_fen, sum(fee_fen)::bigint AS fee_fen,
               min(due_date) AS earliest_due
        FROM late_fee_accrual WHERE run_id = $1 AND ($2::uuid IS NULL OR employer_id > $2)
        GROUP BY employer_id ORDER BY employer_id LIMIT $3
        """,
        run_id,
        after,
        limit,
    )
    return [
        Reminded(
            row["employer_id"], row["documents"], Money(row["open_fen"]), Money(row["fee_fen"]), row["earliest_due"]
        )
        for row in rows
    ]
