"""What rules of risk count."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from chassis.transaction import Transaction


async def count(tx: Transaction, card_id: UUID, rule: str, number: bytes, since: datetime) -> int:
    """Keep a sign once and answer how many there are since an instant; older ones of the card are forgotten.

    Args:
        tx: The transaction.
        card_id: Which card.
        rule: What is counted.
        number: What makes the sign this one, for example the number of the code.
        since: The beginning of the time that counts.
    """
    await tx.execute("DELETE FROM risk_sign WHERE card_id = $1 AND rule = $2 AND seen <= $3", card_id, rule, since)
    await tx.execute(
        "INSERT INTO risk_sign (card_id, rule, number, seen) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        card_id,
        rule,
        number,
        tx.now,
    )
    row = await tx.fetchrow("SELECT count(*) FROM risk_sign WHERE card_id = $1 AND rule = $2", card_id, rule)
    return int(row[0]) if row else 0


async def forget(tx: Transaction, card_id: UUID) -> None:
    """Begin to count anew: somebody looked at the card and lifted its lock."""
    await tx.execute("DELETE FROM risk_sign WHERE card_id = $1", card_id)
