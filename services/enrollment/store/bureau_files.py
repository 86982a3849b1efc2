"""Files of the bureau: what became of the rows that came in, and bills that go out."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from asyncpg import Record

from chassis.transaction import Transaction
from kernel.calendar import Month


async def add_verdicts(tx: Transaction, job_id: UUID, rows: Sequence[tuple[int, str, str, str]]) -> None:
    """Note what became of rows: line, number, verdict, code."""
    await tx.execute(
        """
        INSERT INTO receipt_verdict (job_id, line, receipt_no, verdict, code)
        SELECT $1, * FROM unnest($2::integer[], $3::text[], $4::text[], $5::text[])
        """,
        job_id,
        *(list(column) for column in zip(*rows, strict=True)),
    )


async def verdicts(tx: Transaction, job_id: UUID, *, after: int, limit: int) -> Sequence[Record]:
    """What became of the rows of a file, in its order."""
    return await tx.fetch(
        """
        SELECT line, receipt_no, verdict, code FROM receipt_verdict
        WHERE job_id = $1 AND line > $2 ORDER BY line LIMIT $3
        """,
        job_id,
        after,
        limit,
    )


async def bills_out(tx: Transaction, month: Month) -> Sequence[Record]:
    """What is open of a month, with the payer and its credit."""
    return await tx.fetch(
        """
        SELECT one.*, employer.credit_code, coalesce(left_fen, 0)::bigint AS credit_fen FROM (
            SELECT 'bil_' || replace(bill_id::text, '-', '') AS document, 'BILL' AS kind, employer_id, total_fen,
                   paid_fen, due_date
            FROM bill WHERE month = $1 AND state <> 'PAID'
            UNION ALL
            SELECT 'dem_' || replace(demand_id::text, '-', ''), demand.kind, demand.employer_id, demand.total_fen,
                   demand.paid_fen, NULL
            FROM demand JOIN bill USING (bill_id) WHERE month = $1 AND demand.state <> 'PAID'
        ) AS one JOIN employer USING (employer_id) LEFT JOIN (
            SELECT employer_id, sum(left_fen) AS left_fen FROM suspense WHERE state = 'OPEN' GROUP BY employer_id
        ) AS credit USING (employer_id)
        """,
        month.first_day,
    )


async def add_bill_file(tx: Transaction, values: Mapping[str, Any]) -> Record:
    """Store a file of bills, or find the same one."""
    columns = ", ".join(values)
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await tx.execute(
        f"INSERT INTO bill_file ({columns}) VALUES ({places}) ON CONFLICT (month, digest) DO NOTHING",  # noqa: S608 - names of ours
        *values.values(),
    )
    row = await tx.fetchrow(
        "SELECT * FROM bill_file WHERE month = $1 AND digest = $2", values["month"], values["digest"]
    )
    assert row is not None
    return row


async def bill_file(tx: Transaction, file_id: UUID) -> Record | None:
    """A file of bills."""
    return await tx.fetchrow("SELECT * FROM bill_file WHERE file_id = $1", file_id)
