"""Persons and employers: sealed identity, look-up by blind index."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from chassis.sealed import Sealer
from chassis.transaction import Transaction
from kernel.calendar import Month
from services.enrollment.register import Employer, Person, Post, Track, track_of
from services.enrollment.store.rows import EmployerRow, PersonRow

TABLE = "person"  # part of what a sealed value is bound to; never rename
BY_ID = """
    SELECT person_id, name_sealed, id_no_sealed, birth_date, sex, division, retirement_month FROM person
    WHERE person_id = $1
"""
STANDING = BY_ID.replace("$1", "(SELECT coalesce(merged_into, person_id) FROM person WHERE person_id = $1)")
BY_NUMBER = BY_ID.replace("$1", "(SELECT coalesce(merged_into, person_id) FROM person WHERE id_no_index = $1)")


def id_no_index(sealer: Sealer, id_no: str) -> bytes:
    """What a person is found by: a keyed hash of the normalised number."""
    return sealer.blind_index("id_no", id_no)


def seal_identity(sealer: Sealer, person: Person) -> tuple[bytes, bytes, bytes]:
    """Index, sealed number and sealed name of a person, as they are stored."""
    return (
        id_no_index(sealer, person.id_no),
        sealer.seal(TABLE, "id_no", person.person_id, person.id_no),
        sealer.seal(TABLE, "name", person.person_id, person.name),
    )


def seal_phone(sealer: Sealer, person_id: UUID, phone: str) -> bytes | None:
    """A phone number as it is stored."""
    return sealer.seal(TABLE, "phone", person_id, phone) if phone else None


def open_name(sealer: Sealer, person_id: UUID, sealed: bytes, *, is_shown: bool = True) -> str:
    """The name in a row; `is_shown` is False where it is only compared with one that was given."""
    return sealer.open_text(TABLE, "name", person_id, sealed, is_shown=is_shown)


async def person(tx: Transaction, person_id: UUID) -> Person | None:
    """A person with the identity opened."""
    row = await tx.fetchrow(BY_ID, person_id)
    return _person(tx.database.sealer, row) if row else None


async def standing(tx: Transaction, person_id: UUID) -> Person | None:
    """The same; of a record that went up in another, the survivor. One statement."""
    row = await tx.fetchrow(STANDING, person_id)
    return _person(tx.database.sealer, row) if row else None


async def person_by_number(tx: Transaction, id_no: str) -> Person | None:
    """The person with a normalised number; of a record that went up in another, the survivor. One statement."""
    sealer = tx.database.sealer
    row = await tx.fetchrow(BY_NUMBER, id_no_index(sealer, id_no))
    return _person(sealer, row) if row else None


async def is_known(tx: Transaction, person_id: UUID) -> bool:
    """Whether a person exists, without opening anything."""
    return await tx.fetchrow("SELECT 1 FROM person WHERE person_id = $1", person_id) is not None


async def birth_and_track(tx: Transaction, person_id: UUID) -> tuple[date, Track] | None:
    """Birth date and the track of the last employment, else the earliest of the sex; None when nobody is known."""
    row = await tx.fetchrow(
        """
        SELECT birth_date, sex, (
            SELECT track FROM employment WHERE person_id = $1 ORDER BY start_month DESC LIMIT 1
        ) AS track
        FROM person WHERE person_id = $1
        """,
        person_id,
    )
    if row is None:
        return None
    return row["birth_date"], Track(row["track"]) if row["track"] else track_of(row["sex"], Post.PRODUCTION)


async def lock(tx: Transaction, person_ids: Sequence[UUID]) -> set[UUID]:
    """Lock persons in the order of their ids until this commits; those that exist."""
    rows = await tx.fetch(
        "SELECT person_id FROM person WHERE person_id = ANY($1) ORDER BY person_id FOR UPDATE", list(person_ids)
    )
    return {row["person_id"] for row in rows}


async def retire(tx: Transaction, person_id: UUID, month: Month) -> None:
    """Note the month of retirement; the first one stays."""
    await tx.session.execute(
        update(PersonRow)
        .where(col(PersonRow.person_id) == person_id, col(PersonRow.retirement_month).is_(None))
        .values(retirement_month=month)
    )


async def unretire(tx: Transaction, person_id: UUID) -> None:
    """Forget the month of retirement: the pension that told it was revoked."""
    await tx.session.execute(
        update(PersonRow).where(col(PersonRow.person_id) == person_id).values(retirement_month=None)
    )


async def employer(tx: Transaction, employer_id: UUID) -> Employer | None:
    """An employer."""
    row = await tx.session.get(EmployerRow, employer_id)
    return _employer(row) if row else None


async def lock_employer(tx: Transaction, employer_id: UUID) -> Employer | None:
    """An employer, locked so that its bills are assessed one after the other."""
    row = await tx.session.scalar(
        select(EmployerRow).where(EmployerRow.employer_id == employer_id).with_for_update(key_share=True)
    )
    return _employer(row) if row else None


async def add_employer(tx: Transaction, employer: Employer) -> bool:
    """Add an employer; False when its credit code is registered."""
    values = {name: getattr(employer, name) for name in Employer.__slots__}
    done = await tx.session.execute(
        insert(EmployerRow)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["credit_code"])
        .returning(col(EmployerRow.employer_id))
    )
    return done.first() is not None


def _person(sealer: Sealer, row: Any) -> Person:
    person_id, retirement = row["person_id"], row["retirement_month"]
    return Person(
        person_id=person_id,
        name=open_name(sealer, person_id, row["name_sealed"]),
        id_no=sealer.open_text(TABLE, "id_no", person_id, row["id_no_sealed"]),
        birth_date=row["birth_date"],
        sex="male" if row["sex"] == "male" else "female",
        division=row["division"],
        retirement_month=Month.of(retirement) if retirement else None,
    )


def _employer(row: EmployerRow) -> Employer:
    return Employer(
        employer_id=row.employer_id,
        credit_code=row.credit_code,
        name=row.name,
        division=row.division,
        injury_class=row.injury_class,
        injury_step=row.injury_step,
        register_date=row.register_date,
    )
