"""Holders: identity resealed under the key of this service, found by blind index; events of their physical cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import select

from services.card.store.rows import HolderRow, PhysicalEventRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from chassis.sealed import Sealer
    from chassis.transaction import Transaction
    from services.card.heard import HeardPerson

TABLE = "holder"  # part of what a sealed value is bound to; never rename


async def save(tx: Transaction, persons: Sequence[HeardPerson]) -> None:
    """Write holders, known or new; a chunk is first reduced to the last fact of each person."""
    sealer = tx.database.sealer
    last = {one.person_id: one for one in persons}
    await tx.execute(
        """
        INSERT INTO holder (person_id, birth_date, name_sealed, id_no_sealed, id_no_index)
        SELECT * FROM unnest($1::uuid[], $2::date[], $3::bytea[], $4::bytea[], $5::bytea[])
        ON CONFLICT (person_id) DO UPDATE
        SET birth_date = excluded.birth_date, name_sealed = excluded.name_sealed,
            id_no_sealed = excluded.id_no_sealed, id_no_index = excluded.id_no_index
        """,
        list(last),
        [one.birth_date for one in last.values()],
        [sealer.seal(TABLE, "name", one.person_id, one.name) for one in last.values()],
        [sealer.seal(TABLE, "id_no", one.person_id, one.id_no) for one in last.values()],
        [_index(sealer, one.id_no) for one in last.values()],
    )


async def save_mergers(tx: Transaction, survivors: Mapping[UUID, UUID | None]) -> None:
    """Write in which records holders went up."""
    await tx.execute(
        """
        UPDATE holder SET survivor_id = fact.survivor FROM unnest($1::uuid[], $2::uuid[]) AS fact (person_id, survivor)
        WHERE holder.person_id = fact.person_id
        """,
        list(survivors),
        list(survivors.values()),
    )


async def get(tx: Transaction, person_id: UUID, *, lock: bool = False) -> HolderRow | None:
    """A holder; locked when the holder's card is going to change."""
    found: HolderRow | None = await tx.session.get(
        HolderRow, person_id, with_for_update={"key_share": True} if lock else None
    )
    return found


async def lock_by_number(tx: Transaction, id_no: str) -> HolderRow | None:
    """The holder with a normalised number, locked: events of one holder come one after the other."""
    query = select(HolderRow).where(HolderRow.id_no_index == _index(tx.database.sealer, id_no))
    found: HolderRow | None = await tx.session.scalar(query.with_for_update(key_share=True))
    return found


def name(tx: Transaction, holder: HolderRow) -> str:
    """The name in a row, opened."""
    return tx.database.sealer.open_text(TABLE, "name", holder.person_id, holder.name_sealed)


def id_no(tx: Transaction, holder: HolderRow) -> str:
    """The identity number in a row, opened."""
    return tx.database.sealer.open_text(TABLE, "id_no", holder.person_id, holder.id_no_sealed)


async def event(tx: Transaction, source: str, person_id: UUID, sequence: int) -> PhysicalEventRow | None:
    """An event that was announced before."""
    return await tx.session.get(PhysicalEventRow, (source, person_id, sequence))


def _index(sealer: Sealer, number: str) -> bytes:
    return sealer.blind_index("id_no", number)
