"""Refunds, and what waits for a person: shares that no account took and what was paid twice."""

from collections.abc import Sequence
from uuid import UUID

from asyncpg import Record

from chassis.transaction import Transaction
from kernel.money import Money
from services.enrollment.collection import (
    Refund,
    RefundKind,
    RefundState,
)

# What a person's settled account did not take and what was paid twice, less what was refunded: as in the books' check
# of these shares. A line of a government post has an account of another scheme, which takes its share.
WITHHELD = """
    SELECT employer_id, fen FROM (
        SELECT (SELECT coalesce(sum(account_fen), 0) FROM bill JOIN bill_line AS line USING (bill_id)
                WHERE bill.state = 'PAID' AND bill.kind <> 'GOVERNMENT' AND line.person_id = $1 AND NOT EXISTS (
                    SELECT 1 FROM account_entry AS entry
                    WHERE entry.person_id = $1 AND entry.kind = 'CONTRIBUTION'
                      AND entry.source = 'bill:bil_' || replace(bill.bill_id::text, '-', '')))
            + (SELECT coalesce(sum(line.account_fen), 0)
                FROM difference JOIN difference_line AS line USING (difference_id)
                WHERE difference.state = 'SETTLED' AND line.person_id = $1 AND line.account_fen > 0 AND NOT EXISTS (
                    SELECT 1 FROM account_entry AS entry
                    WHERE entry.person_id = $1 AND entry.kind = 'CONTRIBUTION'
                      AND entry.source = 'difference:dif_' || replace(difference_id::text, '-', '')))
            - (SELECT coalesce(sum(amount_fen), 0) FROM account_entry
               WHERE person_id = $1 AND kind = 'CONTRIBUTION' AND source LIKE 'settlement:%')
            + (SELECT coalesce(sum(amount_fen), 0) FROM overlap_refund WHERE person_id = $1)
            - (SELECT coalesce(sum(amount_fen), 0) FROM refund
               WHERE person_id = $1 AND state IN ('ORDERED', 'CONFIRMED')) AS fen
    ) AS share LEFT JOIN (
        SELECT employer_id FROM bill JOIN bill_line USING (bill_id) WHERE person_id = $1 AND employer_id IS NOT NULL
        ORDER BY bill.month DESC LIMIT 1
    ) AS last ON true
"""
_REFUND = """
    refund_id, refund.kind, refund.suspense_id, refund.employer_id, person_id, refund.amount_fen, refund.state,
    refund.reason, approval_id, reference, receipt_no
"""


async def add_refund(tx: Transaction, one: Refund) -> None:
    """Store a prepared refund."""
    await tx.execute(
        """
        INSERT INTO refund (refund_id, kind, suspense_id, employer_id, person_id, amount_fen, state, reason,
                            approval_id, prepare_date)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        one.refund_id,
        one.kind,
        one.suspense_id,
        one.employer_id,
        one.person_id,
        one.amount.fen,
        one.state,
        one.reason,
        one.approval_id,
        tx.today,
    )


async def refund(tx: Transaction, refund_id: UUID) -> Refund | None:
    """A refund, locked."""
    row = await tx.fetchrow(
        f"""
        SELECT {_REFUND} FROM refund LEFT JOIN suspense USING (suspense_id) WHERE refund_id = $1 FOR UPDATE OF refund
        """,  # noqa: S608 - constant
        refund_id,
    )
    return _refund(row) if row else None


async def move_refund(
    tx: Transaction, refund_id: UUID, state: RefundState, *, reference: str | None = None, simulated: bool = False
) -> bool:
    """Note where a locked refund stands now; False when another refund has the reference."""
    return bool(
        await tx.execute(
            """
            UPDATE refund SET state = $2, reference = $3, simulated = $4
            WHERE refund_id = $1 AND NOT EXISTS (SELECT 1 FROM refund WHERE reference = $3)
            """,
            refund_id,
            state,
            reference,
            simulated,
        )
    )


async def refund_page(
    tx: Transaction, *, state: RefundState | None, before: UUID | None, limit: int
) -> Sequence[Refund]:
    """Refunds, newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_REFUND} FROM refund LEFT JOIN suspense USING (suspense_id)
        WHERE ($1::text IS NULL OR refund.state = $1) AND ($2::uuid IS NULL OR refund_id < $2)
        ORDER BY refund_id DESC LIMIT $3
        """,  # noqa: S608 - constant
        state,
        before,
        limit,
    )
    return [_refund(row) for row in rows]


async def withheld(tx: Transaction, person_id: UUID) -> tuple[Money, UUID | None]:
    """Shares of a person that no account takes and that were not refunded, and the employer that paid last.

    The person is locked, so that the same shares are not ordered twice.
    """
    await tx.fetch("SELECT 1 FROM person WHERE person_id = $1 FOR UPDATE", person_id)
    row = await tx.fetchrow(WITHHELD, person_id)
    return (Money(int(row["fen"])), row["employer_id"]) if row else (Money.ZERO, None)


def _refund(row: Record) -> Refund:
    return Refund(
        refund_id=row["refund_id"],
        kind=RefundKind(row["kind"]),
        suspense_id=row["suspense_id"],
        employer_id=row["employer_id"],
        person_id=row["person_id"],
        amount=Money(row["amount_fen"]),
        state=RefundState(row["state"]),
        reason=row["reason"],
        approval_id=row["approval_id"],
        reference=row["reference"] or "",
        receipt_no=row["receipt_no"] or "",
    )
