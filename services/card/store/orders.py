"""What the back end of cards was asked: each order under a number that it knows as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernel import ids

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Order:
    """An order that waits: whether it may have been sent already."""

    request_no: UUID
    card_id: UUID
    may_be_there: bool


async def add(tx: Transaction, card_id: UUID) -> None:
    """Order a card; sent after this is committed."""
    query = "INSERT INTO issue_order (request_no, card_id, state) VALUES ($1, $2, 'OPEN')"
    await tx.execute(query, ids.new_id(), card_id)


async def next_one(tx: Transaction, again_before: float) -> Order | None:
    """The oldest order to send, or to ask for again; noted as sent before anything leaves.

    Args:
        tx: The transaction; it commits before the back end is called.
        again_before: Seconds since 1970: an order that was sent later than that is left alone.
    """
    row = await tx.fetchrow(
        """
        UPDATE issue_order SET state = 'SENT', sent = $2 FROM (
          SELECT request_no, state FROM issue_order
          WHERE state = 'OPEN' OR (state = 'SENT' AND sent < to_timestamp($1))
          ORDER BY request_no LIMIT 1 FOR UPDATE SKIP LOCKED
        ) AS before WHERE issue_order.request_no = before.request_no
        RETURNING issue_order.request_no, card_id, before.state = 'SENT' AS may_be_there
        """,
        again_before,
        tx.now,
    )
    return Order(**dict(row)) if row is not None else None


async def close(tx: Transaction, request_no: UUID, state: str, sign_no: str, *, simulated: bool) -> bool:
    """Note the answer; False when another process noted it already."""
    query = """
        UPDATE issue_order SET state = $2, external_sign_no = nullif($3, ''), simulated = $4
        WHERE request_no = $1 AND state = 'SENT'
    """
    return bool(await tx.execute(query, request_no, state, sign_no, simulated))
