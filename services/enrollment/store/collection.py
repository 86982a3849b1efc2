"""What came in: the bureau's receipts and the suspense account; the statement of an employer."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from asyncpg import Record

from chassis.transaction import Transaction
from kernel.calendar import Month
from kernel.money import Money
from services.enrollment.collection import (
    Incoming,
    Suspense,
    SuspenseReason,
    SuspenseState,
)

# -- what came in


async def add_collected(tx: Transaction, one: Incoming, employer_id: UUID | None) -> bool:
    """Store a receipt of the bureau; False when its number was used before, here or for a single receipt."""
    return bool(
        await tx.execute(
            """
            INSERT INTO collected (receipt_no, amount_fen, paid_date, employer_id, document, simulated, source)
            SELECT $1::text, $2::bigint, $3::date, $4::uuid, $5::text, $6::boolean, $7::text
            WHERE NOT EXISTS (SELECT FROM single_receipt WHERE receipt_no = $1)
            ON CONFLICT (receipt_no) DO NOTHING
            """,
            one.receipt_no,
            one.amount.fen,
            one.paid_date,
            employer_id,
            one.document,
            one.simulated,
            one.source,
        )
    )


async def is_recorded(tx: Transaction, one: Incoming, employer_id: UUID | None) -> bool:
    """Whether a receipt was stored before as it is now."""
    row = await tx.fetchrow(
        """
        SELECT 1 FROM collected WHERE receipt_no = $1 AND amount_fen = $2 AND paid_date = $3
            AND employer_id IS NOT DISTINCT FROM $4::uuid AND document = $5
        """,
        one.receipt_no,
        one.amount.fen,
        one.paid_date,
        employer_id,
        one.document,
    )
    return row is not None


async def employers_by_code(tx: Transaction, codes: Sequence[str]) -> Mapping[str, UUID]:
    """Employers by credit code, as far as they are registered."""
    rows = await tx.fetch("SELECT credit_code, employer_id FROM employer WHERE credit_code = ANY($1)", list(codes))
    return {row["credit_code"]: row["employer_id"] for row in rows}


async def collected_on(tx: Transaction, day: date) -> Mapping[str, Money]:
    """What is booked as collected on a day, by number."""
    rows = await tx.fetch("SELECT receipt_no, amount_fen FROM collected WHERE paid_date = $1", day)
    return {row["receipt_no"]: Money(row["amount_fen"]) for row in rows}


# -- the suspense account

_SUSPENSE = "suspense_id, receipt_no, employer_id, reason, amount_fen, left_fen, state, paid_date"


async def add_suspense(tx: Transaction, one: Suspense, *, difference_id: UUID | None = None) -> None:
    """Put money on the suspense account."""
    await tx.execute(
        f"INSERT INTO suspense ({_SUSPENSE}, difference_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",  # noqa: S608 - constant
        one.suspense_id,
        one.receipt_no or None,
        one.employer_id,
        one.reason,
        one.amount.fen,
        one.left.fen,
        one.state,
        one.paid_date,
        difference_id,
    )


async def suspense(tx: Transaction, suspense_id: UUID) -> Suspense | None:
    """Money on the suspense account, locked."""
    row = await tx.fetchrow(f"SELECT {_SUSPENSE} FROM suspense WHERE suspense_id = $1 FOR UPDATE", suspense_id)  # noqa: S608 - constant
    return _suspense(row) if row else None


async def take(tx: Transaction, suspense_id: UUID, left: Money, state: SuspenseState) -> None:
    """Note what is left of locked money."""
    await tx.execute(
        "UPDATE suspense SET left_fen = $2, state = $3 WHERE suspense_id = $1", suspense_id, left.fen, state
    )


async def suspense_page(
    tx: Transaction, *, employer_id: UUID | None, state: SuspenseState | None, before: UUID | None, limit: int
) -> Sequence[Suspense]:
    """Money on the suspense account, newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_SUSPENSE} FROM suspense
        WHERE ($1::uuid IS NULL OR employer_id = $1) AND ($2::text IS NULL OR state = $2)
          AND ($3::uuid IS NULL OR suspense_id < $3) ORDER BY suspense_id DESC LIMIT $4
        """,  # noqa: S608 - constant
        employer_id,
        state,
        before,
        limit,
    )
    return [_suspense(row) for row in rows]


async def credit(tx: Transaction, employer_id: UUID) -> Money:
    """What is left on the suspense account of an employer."""
    row = await tx.fetchrow(
        "SELECT coalesce(sum(left_fen), 0)::bigint AS fen FROM suspense WHERE employer_id = $1 AND state = 'OPEN'",
        employer_id,
    )
    return Money(row["fen"]) if row else Money.ZERO


def _suspense(row: Record) -> Suspense:
    return Suspense(
        row["suspense_id"],
        row["receipt_no"] or "",
        row["employer_id"],
        SuspenseReason(row["reason"]),
        Money(row["amount_fen"]),
        Money(row["left_fen"]),
        SuspenseState(row["state"]),
        row["paid_date"],
    )


# -- the statement of an employer


async def statement(tx: Transaction, employer_id: UUID, first: Month, last: Month) -> Mapping[str, Any]:
    """What an employer was billed, paid and owes in a period, as plain values in fen."""
    row = await tx.fetchrow(STATEMENT, employer_id, first.first_day, last.first_day, last.last_day)
    assert row is not None
    plain: Mapping[str, Any] = row["plain"] if isinstance(row["plain"], dict) else json.loads(row["plain"])
    return plain


STATEMENT = """
    SELECT jsonb_build_object(
        'bills', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'bill_id', 'bil_' || replace(bill_id::text, '-', ''), 'month', to_char(month, 'YYYY-MM'),
                'number', number, 'state', state, 'persons', person_count, 'total_fen', total_fen, 'paid_fen', paid_fen,
                'due_date', due_date) ORDER BY month, number), '[]')
            FROM bill WHERE employer_id = $1 AND month BETWEEN $2 AND $3),
        'demands', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'demand_id', 'dem_' || replace(demand_id::text, '-', ''), 'kind', demand.kind,
                'bill_id', 'bil_' || replace(bill_id::text, '-', ''), 'month', to_char(month, 'YYYY-MM'),
                'total_fen', demand.total_fen, 'paid_fen', demand.paid_fen) ORDER BY month, demand_id), '[]')
            FROM demand JOIN bill USING (bill_id) WHERE demand.employer_id = $1 AND month BETWEEN $2 AND $3),
        'receipts', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'receipt_no', receipt_no, 'paid_date', paid_date, 'amount_fen', amount_fen, 'document', document)
                ORDER BY paid_date, receipt_no), '[]')
            FROM collected WHERE employer_id = $1 AND paid_date BETWEEN $2 AND $4),
        'suspense', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'suspense_id', 'sus_' || replace(suspense_id::text, '-', ''), 'reason', reason,
                'amount_fen', amount_fen, 'left_fen', left_fen) ORDER BY suspense_id), '[]')
            FROM suspense WHERE employer_id = $1 AND state = 'OPEN'),
        'totals', jsonb_build_object(
            'billed_fen', (SELECT coalesce(sum(total_fen), 0) FROM bill
                WHERE employer_id = $1 AND month BETWEEN $2 AND $3),
            'arrears_fen', (SELECT coalesce(sum(total_fen - paid_fen), 0) FROM bill
                WHERE employer_id = $1 AND month BETWEEN $2 AND $3),
            'demands_open_fen', (SELECT coalesce(sum(demand.total_fen - demand.paid_fen), 0)
                FROM demand JOIN bill USING (bill_id) WHERE demand.employer_id = $1 AND month BETWEEN $2 AND $3),
            'received_fen', (SELECT coalesce(sum(amount_fen), 0) FROM collected
                WHERE employer_id = $1 AND paid_date BETWEEN $2 AND $4),
            'credit_fen', (SELECT coalesce(sum(left_fen), 0) FROM suspense WHERE employer_id = $1 AND state = 'OPEN'))
    ) AS plain
"""
