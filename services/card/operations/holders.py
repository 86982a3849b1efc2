"""Holders come from the register: their identity is kept under the key of this service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.principal import person_not_found
from services.card.store import holders

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.card.heard import HeardPerson
    from services.card.store.rows import HolderRow


async def note(tx: Transaction, persons: Sequence[HeardPerson]) -> None:
    """Persons were registered or changed."""
    await holders.save(tx, persons)


async def note_mergers(tx: Transaction, mergers: Sequence[tuple[UUID, UUID | None]]) -> None:
    """Records went up in others, or (without one) stand by themselves again."""
    await holders.save_mergers(tx, dict(mergers))


async def locked(tx: Transaction, person_id: UUID) -> HolderRow:
    """A person whom enrollment has announced, locked: what is done for one holder comes one after the other.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    holder = await holders.get(tx, person_id, lock=True)
    if holder is None:
        raise person_not_found()
    return holder


async def known(tx: Transaction, person_id: UUID) -> HolderRow:
    """A person whom enrollment has announced.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    holder = await holders.get(tx, person_id)
    if holder is None:
        raise person_not_found()
    return holder
