"""What a reversed adjustment leaves overpaid, or short, when other runs came in between.

What a month was worth just before the reversal is the amount in force then: recomputations since the adjustment have
paid their differences, or made a recovery of them, already. So the reversal takes back the amounts in force above the
base, less the part of the run's own difference that nobody was paid. Where that part is the greater one, a
recomputation has taken back some fen of a difference that was never paid: they are owed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from chassis.transaction import Transaction

# The names `made` and `base` are those of the statement around it; $1 is the run.
_CHANGE = """
    SELECT min(month) AS first_month, max(month) AS last_month,
           (sum(now_fen - base.amount_fen) - coalesce((
               SELECT sum(own.amount_fen) FROM difference AS own
               WHERE own.benefit_id = made.benefit_id AND own.cause_id = $1 AND own.payment_id IS NULL
           ), 0))::bigint AS change_fen
    FROM payment CROSS JOIN LATERAL (
        SELECT one.amount_fen AS now_fen FROM benefit_amount AS one
        WHERE one.benefit_id = made.benefit_id AND one.from_month <= payment.month
          AND one.number < coalesce(reversed.number, one.number + 1)
        ORDER BY one.number DESC LIMIT 1
    ) AS in_force
    WHERE payment.benefit_id = made.benefit_id AND item = 'MONTH' AND month >= made.from_month
      AND payment.state IN ('OPEN', 'CONFIRMED') HAVING count(*) > 0
"""
OVER = f"""
    CROSS JOIN LATERAL (SELECT NULL::integer AS number) AS reversed
    LEFT JOIN LATERAL (
        SELECT first_month, last_month, greatest(0, change_fen) AS over_fen FROM ({_CHANGE}) AS changed
    ) AS paid ON true
"""  # noqa: S608 - constant


async def owe_short(tx: Transaction, run_id: UUID, benefit_ids: Sequence[UUID]) -> int:
    """Owe what a reversal, just written, leaves reversed benefits short of; how many."""
    return await tx.execute(
        f"""
        INSERT INTO difference (difference_id, benefit_id, person_id, cause, cause_id, first_month, last_month,
                                amount_fen, digest, business_date)
        SELECT uuidv7(), benefit_id, person_id, 'RECOMPUTED', uuidv7(), paid.first_month, paid.last_month,
               -change_fen, base.digest, $3
        FROM benefit_amount AS made JOIN benefit USING (benefit_id)
        JOIN benefit_amount AS reversed USING (benefit_id)
        JOIN benefit_amount AS base USING (benefit_id)
        CROSS JOIN LATERAL ({_CHANGE}) AS paid
        WHERE made.cause_id = $1 AND made.cause = 'ADJUSTED' AND made.benefit_id = ANY ($2::uuid[])
          AND reversed.cause_id = $1 AND reversed.cause = 'REVERSED' AND base.number = reversed.number
          AND change_fen < 0
        """,  # noqa: S608 - constant
        run_id,
        list(benefit_ids),
        tx.today,
    )
