"""Telephone numbers of holders, sealed, and the codes that were sent to them; nobody is found by a number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kernel import ids
from services.card.domain.contact import CodePurpose, SetBy

if TYPE_CHECKING:
    from datetime import date, datetime
    from uuid import UUID

    from chassis.transaction import Transaction

CONTACT, CODE = "contact", "text_code"  # part of what a sealed value is bound to; never rename


@dataclass(frozen=True, slots=True)
class Contact:
    """A number on record."""

    person_id: UUID
    phone: str = field(repr=False)
    factor_from: datetime
    set_date: date


@dataclass(frozen=True, slots=True)
class Code:
    """A code that was sent: kept as a keyed digest alone."""

    code_id: UUID
    person_id: UUID
    purpose: CodePurpose
    phone: str = field(repr=False)
    digest: bytes = field(repr=False)
    set_by: SetBy
    failures: int
    is_open: bool
    expires: datetime


async def get(tx: Transaction, person_id: UUID) -> Contact | None:
    """The number of a holder."""
    row = await tx.fetchrow("SELECT phone_sealed, factor_from, set_date FROM contact WHERE person_id = $1", person_id)
    if row is None:
        return None
    number = tx.database.sealer.open_text(CONTACT, "phone", person_id, row["phone_sealed"])
    return Contact(person_id, number, row["factor_from"], row["set_date"])


async def save(tx: Transaction, contact: Contact, by: SetBy) -> None:
    """Put a number on record, in the place of the one before."""
    await tx.execute(
        """
        INSERT INTO contact (person_id, phone_sealed, factor_from, set_by, set_date) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (person_id) DO UPDATE SET phone_sealed = excluded.phone_sealed, set_by = excluded.set_by,
          factor_from = excluded.factor_from, set_date = excluded.set_date
        """,
        contact.person_id,
        tx.database.sealer.seal(CONTACT, "phone", contact.person_id, contact.phone),
        contact.factor_from,
        by.value,
        contact.set_date,
    )


async def remove(tx: Transaction, person_id: UUID) -> None:
    """Take a number off the record."""
    await tx.execute("DELETE FROM contact WHERE person_id = $1", person_id)


async def add_code(tx: Transaction, code: Code) -> None:
    """Keep a code that is going to be sent; one that was open for the same is worth nothing any more."""
    await tx.execute(
        "UPDATE text_code SET state = 'FAILED' WHERE person_id = $1 AND purpose = $2 AND state = 'OPEN'",
        code.person_id,
        code.purpose.value,
    )
    await tx.execute(
        """
        INSERT INTO text_code (code_id, person_id, purpose, phone_sealed, digest, set_by, state, made, expires)
        VALUES ($1, $2, $3, $4, $5, $6, 'OPEN', $7, $8)
        """,
        code.code_id,
        code.person_id,
        code.purpose.value,
        tx.database.sealer.seal(CODE, "phone", code.code_id, code.phone),
        code.digest,
        code.set_by.value,
        tx.now,
        code.expires,
    )


async def codes_since(tx: Transaction, person_id: UUID, since: datetime) -> int:
    """How many codes were sent for a holder since an instant."""
    row = await tx.fetchrow("SELECT count(*) FROM text_code WHERE person_id = $1 AND made > $2", person_id, since)
    return int(row[0]) if row else 0


async def lock_code(tx: Transaction, code_id: UUID) -> Code | None:
    """A code, locked: tries come one after the other."""
    row = await tx.fetchrow("SELECT * FROM text_code WHERE code_id = $1 FOR NO KEY UPDATE", code_id)
    if row is None:
        return None
    return Code(
        code_id,
        row["person_id"],
        CodePurpose(row["purpose"]),
        tx.database.sealer.open_text(CODE, "phone", code_id, row["phone_sealed"], of=row["person_id"]),
        row["digest"],
        SetBy(row["set_by"]),
        row["failures"],
        row["state"] == "OPEN",
        row["expires"],
    )


async def tried(tx: Transaction, code_id: UUID, state: str, failures: int) -> None:
    """What a try left behind."""
    query = "UPDATE text_code SET state = $2, failures = $3 WHERE code_id = $1"
    await tx.execute(query, code_id, state, failures)


def text(code_id: UUID) -> str:
    """The id of a code as it is shown."""
    return ids.to_text("cod", code_id)
