"""What turns out to be owed after all: overpayments that were none, differences to pay, months taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel import ids
from kernel.money import Money

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from chassis.transaction import Transaction
    from kernel.calendar import Month
    from services.benefits.store.keeping_recoveries import Recovery
    from services.benefits.store.rows import BenefitRow


async def cancel_overpaid(
    tx: Transaction, benefit_id: UUID, after: Month, until: Month | None
) -> Sequence[tuple[UUID, Money]]:
    """Payments of some months are owed after all; what each recovery held of them that is still at the payee."""
    rows = await tx.fetch(
        """
        WITH owed AS (
          UPDATE overpayment SET cancelled_date = $4
          WHERE benefit_id = $1 AND month > $2 AND ($3::date IS NULL OR month <= $3) AND settled_date IS NULL
            AND cancelled_date IS NULL
            AND NOT EXISTS (SELECT FROM suspension WHERE suspension.benefit_id = $1
                            AND month BETWEEN from_month AND forfeited_through)
          RETURNING recovery_id, amount_fen
        )
        SELECT recovery_id, sum(amount_fen)::bigint AS fen FROM owed WHERE recovery_id IS NOT NULL
        GROUP BY recovery_id ORDER BY recovery_id
        """,
        benefit_id,
        after.first_day,
        until and until.first_day,
        tx.today,
    )
    return [(row["recovery_id"], Money(row["fen"])) for row in rows]


async def give_back(tx: Transaction, one: Recovery, benefit: BenefitRow, amount: Money, digest: bytes) -> None:
    """Money that came back was owed after all: it is paid again as a difference of the benefit."""
    await add_difference(tx, benefit, first=one.first_month, last=one.last_month, amount=amount, digest=digest)


async def add_difference(
    tx: Transaction, benefit: BenefitRow, *, first: Month, last: Month, amount: Money, digest: bytes
) -> None:
    """Pay a benefit a sum beside its months; it stands for months up to the last one of the benefit."""
    until = last if benefit.last_month is None else max(min(last, benefit.last_month), benefit.first_month)
    await tx.execute(
        """
        INSERT INTO difference (difference_id, benefit_id, person_id, cause, cause_id, first_month, last_month,
                                amount_fen, digest, business_date)
        VALUES ($1, $2, $3, 'RECOMPUTED', $4, $5, $6, $7, $8, $9)
        """,
        ids.new_id(),
        benefit.benefit_id,
        benefit.person_id,
        ids.new_id(),
        min(first, until).first_day,
        until.first_day,
        amount.fen,
        digest,
        tx.today,
    )


async def note_forfeited(tx: Transaction, benefit_id: UUID, from_month: Month, reason: str) -> int:
    """Released payments of months that a reason takes away were not owed."""
    return await tx.execute(
        """
        INSERT INTO overpayment (payment_id, benefit_id, person_id, month, amount_fen, reason, found_date)
        SELECT payment_id, benefit_id, person_id, month, amount_fen, $3, $4 FROM payment
        WHERE benefit_id = $1 AND month >= $2 AND state IN ('OPEN', 'CONFIRMED') AND item IN ('MONTH', 'AGAIN')
        ON CONFLICT (payment_id) DO UPDATE
        SET reason = excluded.reason, found_date = excluded.found_date, cancelled_date = NULL, recovery_id = NULL
        WHERE overpayment.cancelled_date IS NOT NULL
        """,
        benefit_id,
        from_month.first_day,
        reason,
        tx.today,
    )
