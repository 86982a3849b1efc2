"""PINs that holders type on the pads of counters: hashed when they are typed, used once, forgotten then."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from services.card.pin import Hashed

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from asyncpg import Record

    from chassis.transaction import Transaction


class Act(StrEnum):
    """What a PIN is for."""

    ACTIVATE = "ACTIVATE"
    RESET_PIN = "RESET_PIN"


class EntryState(StrEnum):
    """Where an entry stands."""

    WAITING = "WAITING"
    ENTERED = "ENTERED"
    USED = "USED"
    GIVEN_UP = "GIVEN_UP"


@dataclass(frozen=True, slots=True)
class Entry:
    """A PIN that is, or was, asked for on a pad."""

    entry_id: UUID
    card_id: UUID
    terminal: str
    act: Act
    asked_by: str
    state: EntryState
    pin: Hashed | None
    simulated: bool
    expires: datetime


_READ = "SELECT * FROM pin_entry WHERE entry_id = $1"


async def add(tx: Transaction, entry: Entry) -> None:
    """Ask on a pad; what waited there, or was entered there and not used, is given up."""
    await tx.execute(
        """
        UPDATE pin_entry SET state = 'GIVEN_UP', salt = NULL, value = NULL
        WHERE (terminal = $1 OR card_id = $2) AND state IN ('WAITING', 'ENTERED')
        """,
        entry.terminal,
        entry.card_id,
    )
    await tx.execute(
        """
        INSERT INTO pin_entry (entry_id, card_id, terminal, act, asked_by, state, expires)
        VALUES ($1, $2, $3, $4, $5, 'WAITING', $6)
        """,
        entry.entry_id,
        entry.card_id,
        entry.terminal,
        entry.act.value,
        entry.asked_by,
        entry.expires,
    )


async def get(tx: Transaction, entry_id: UUID, *, lock: bool = False) -> Entry | None:
    """An entry; locked when it is going to change."""
    query = _READ + (" FOR NO KEY UPDATE" if lock else "")
    row = await tx.fetchrow(query, entry_id)
    return _entry(row) if row is not None else None


async def waiting(tx: Transaction, terminal: str) -> Entry | None:
    """What a pad waits for."""
    row = await tx.fetchrow("SELECT * FROM pin_entry WHERE terminal = $1 AND state = 'WAITING'", terminal)
    return _entry(row) if row is not None else None


async def enter(tx: Transaction, entry_id: UUID, pin: Hashed, *, simulated: bool) -> None:
    """The holder typed a PIN."""
    query = "UPDATE pin_entry SET state = 'ENTERED', salt = $2, value = $3, simulated = $4 WHERE entry_id = $1"
    await tx.execute(query, entry_id, pin.salt, pin.value, simulated)


async def use(tx: Transaction, entry_id: UUID) -> None:
    """It became the PIN of the card, and stands there alone."""
    await tx.execute("UPDATE pin_entry SET state = 'USED', salt = NULL, value = NULL WHERE entry_id = $1", entry_id)


def _entry(row: Record) -> Entry:
    return Entry(
        row["entry_id"],
        row["card_id"],
        row["terminal"],
        Act(row["act"]),
        row["asked_by"],
        EntryState(row["state"]),
        Hashed(row["salt"], row["value"]) if row["value"] is not None else None,
        row["simulated"],
        row["expires"],
    )
