"""Cards, their PINs, and the codes that were used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from services.card.domain.lifecycle import FINAL, OPEN, SUSPENDED, Actor, CardState
from services.card.store.rows import CardRow, PinRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction

# FOR NO KEY UPDATE: keeps changes apart, but lets others refer to the row by its key.
LOCK = {"key_share": True}
KEPT_SECONDS = 3600  # how long after its end the number of a used code stays; far more than clocks may differ


async def add(tx: Transaction, card: CardRow) -> bool:
    """Add a card; False when its issue number is taken, so that another is drawn.

    A second live card of the person is no conflict to be drawn away: it breaks its index and fails the transaction.
    """
    values = {name: getattr(card, name) for name in CardRow.model_fields}
    query = insert(CardRow).values(**values).on_conflict_do_nothing(index_elements=["issue_no"])
    done = await tx.session.execute(query.returning(col(CardRow.card_id)))
    return done.first() is not None


async def get(tx: Transaction, card_id: UUID, *, lock: bool = False) -> CardRow | None:
    """A card; locked when it is going to change."""
    return await tx.session.get(CardRow, card_id, with_for_update=LOCK if lock else None)


async def live(tx: Transaction, person_id: UUID) -> CardRow | None:
    """The live card of a person, whatever it waits for, locked."""
    query = select(CardRow).where(CardRow.person_id == person_id, col(CardRow.state).not_in(FINAL))
    found: CardRow | None = await tx.session.scalar(query.with_for_update(key_share=True))
    return found


async def of_person(tx: Transaction, person_id: UUID) -> Sequence[CardRow]:
    """All cards of a person, newest first."""
    query = select(CardRow).where(CardRow.person_id == person_id).order_by(col(CardRow.card_id).desc())
    return (await tx.session.scalars(query)).all()


async def claimed(tx: Transaction) -> int:
    """How many persons have a card that they agreed to; one person has one live card."""
    row = await tx.fetchrow(
        """
        SELECT count(*) FROM card
        WHERE state NOT IN ('REJECTED', 'REPLACED', 'CANCELLED', 'EXPIRED') AND consent_date IS NOT NULL
        """
    )
    return int(row[0]) if row else 0


async def is_taken(tx: Transaction, issue_no: str) -> bool:
    """Whether a number was given out; that two processes draw one at the same instant fails one of them."""
    return await tx.fetchrow("SELECT 1 FROM card WHERE issue_no = $1", issue_no) is not None


async def by_number(tx: Transaction, issue_no: str) -> CardRow | None:
    """The card with an issue number."""
    found: CardRow | None = await tx.session.scalar(select(CardRow).where(CardRow.issue_no == issue_no))
    return found


async def by_reference(tx: Transaction, reference: bytes) -> CardRow | None:
    """The card that a code refers to."""
    found: CardRow | None = await tx.session.scalar(select(CardRow).where(CardRow.reference == reference))
    return found


async def lock_expired(tx: Transaction, today: date, limit: int) -> Sequence[CardRow]:
    """The next cards whose last day of validity is over, locked."""
    query = select(CardRow).where(col(CardRow.valid_to) < today, col(CardRow.state).in_(OPEN | SUSPENDED))
    query = query.order_by(col(CardRow.valid_to), col(CardRow.card_id)).limit(limit)
    return (await tx.session.scalars(query.with_for_update(key_share=True))).all()


async def lock_lapsed(tx: Transaction, until: date, limit: int) -> Sequence[CardRow]:
    """The next cards whose loss was reported until a day, locked; not those that a physical card suspended."""
    query = select(CardRow).where(
        CardRow.state == CardState.SUSPENDED_TEMP,
        CardRow.suspended_by != Actor.PHYSICAL,
        col(CardRow.state_since) <= until,
    )
    query = query.order_by(col(CardRow.state_since), col(CardRow.card_id)).limit(limit)
    return (await tx.session.scalars(query.with_for_update(key_share=True))).all()


async def pin(tx: Transaction, card_id: UUID) -> PinRow | None:
    """The PIN of a card; whoever asks holds the lock of the card."""
    return await tx.session.get(PinRow, card_id)


async def burn(tx: Transaction, number: bytes, expires: int, now: int) -> bool:
    """Use up the number of a code; False when it was used before. Takes a few forgotten ones away on the way."""
    row = await tx.fetchrow(
        """
        WITH gone AS (
          DELETE FROM used_token WHERE number IN (
            SELECT number FROM used_token WHERE expires < $3 ORDER BY expires LIMIT 5 FOR UPDATE SKIP LOCKED
          )
        )
        INSERT INTO used_token (number, expires) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING true
        """,
        number,
        expires,
        now - KEPT_SECONDS,
    )
    return row is not None
