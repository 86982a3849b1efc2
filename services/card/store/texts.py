"""Messages to holders: each under a number that the messages platform knows as well.

What a holder is told about the card gets its message from a trigger (see the migration); codes are written here. Where
a message goes is read when it leaves, so that the number stands sealed in one place; an own copy has only what goes to
another number than the one on record, and it is taken away when the message is over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kernel import ids
from services.card.store import contacts

if TYPE_CHECKING:
    from datetime import date, datetime
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.card.domain.contact import NoticeWord

TABLE = "text_message"  # part of what a sealed value is bound to; never rename


@dataclass(frozen=True, slots=True)
class Message:
    """A message that waits: what it says, where it goes (nowhere, when the number is gone), whether it may be there."""

    request_no: UUID
    person_id: UUID
    word: str
    actor: str
    day: date
    may_be_there: bool
    phone: str = field(repr=False)
    code: str = field(repr=False)


async def add(tx: Transaction, person_id: UUID, word: NoticeWord, actor: str, *, phone: str, code: str = "") -> UUID:
    """Write a message to a number that is not, or not yet, on record; sent after this is committed."""
    request_no = ids.new_id()
    sealer = tx.database.sealer
    await tx.execute(
        """
        INSERT INTO text_message (request_no, person_id, word, actor, business_date, phone_sealed, code_sealed, state,
                                  made)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'OPEN', $8)
        """,
        request_no,
        person_id,
        word.value,
        actor,
        tx.today,
        sealer.seal(TABLE, "phone", request_no, phone),
        sealer.seal(TABLE, "code", request_no, code) if code else None,
        tx.now,
    )
    return request_no


async def give_up(tx: Transaction, made_before: datetime, limit: int) -> int:
    """Give up messages that never left and are too old to be worth anything; how many."""
    return await tx.execute(
        """
        UPDATE text_message SET state = 'GIVEN_UP', code_sealed = NULL, phone_sealed = NULL WHERE request_no IN (
          SELECT request_no FROM text_message WHERE state = 'OPEN' AND made < $1 LIMIT $2 FOR UPDATE SKIP LOCKED
        )
        """,
        made_before,
        limit,
    )


async def next_one(tx: Transaction, again_before: datetime) -> Message | None:
    """The oldest message to send, or to ask for again; noted as sent before anything leaves.

    Args:
        tx: The transaction; it commits before the platform is called.
        again_before: A message that was sent later than that is left alone.
    """
    row = await tx.fetchrow(
        """
        UPDATE text_message SET state = 'SENDING', sent = $2 FROM (
          SELECT request_no, state FROM text_message
          WHERE state = 'OPEN' OR (state = 'SENDING' AND sent < $1)
          ORDER BY made LIMIT 1 FOR UPDATE SKIP LOCKED
        ) AS before WHERE text_message.request_no = before.request_no
        RETURNING text_message.*, before.state = 'SENDING' AS may_be_there
        """,
        again_before,
        tx.now,
    )
    if row is None:
        return None
    sealer, number = tx.database.sealer, row["request_no"]
    if row["phone_sealed"] is not None:
        phone = sealer.open_text(TABLE, "phone", number, row["phone_sealed"])
    else:
        found = await contacts.get(tx, row["person_id"])
        phone = found.phone if found is not None else ""
    code = sealer.open_text(TABLE, "code", number, row["code_sealed"]) if row["code_sealed"] is not None else ""
    may_be_there, day = row["may_be_there"], row["business_date"]
    return Message(number, row["person_id"], row["word"], row["actor"], day, may_be_there, phone, code)


async def close(tx: Transaction, request_no: UUID, state: str, *, simulated: bool) -> bool:
    """Note what became of a message; False when another process noted it already."""
    query = """
        UPDATE text_message SET state = $2, simulated = $3, code_sealed = NULL, phone_sealed = NULL
        WHERE request_no = $1 AND state = 'SENDING'
    """
    return bool(await tx.execute(query, request_no, state, simulated))
