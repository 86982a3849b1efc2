"""The history of persons: what the register says of somebody, by day and by knowledge."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from chassis.transaction import Transaction
from kernel import ids
from services.enrollment.persons import (
    BEGINNING,
    Cause,
    Facts,
    Segment,
    Version,
)
from services.enrollment.store import people

TABLE = "person_version"  # part of what a sealed value is bound to; never rename


async def forward(tx: Transaction, person_id: UUID) -> UUID | None:
    """The record that stands for an id: its own, or the survivor of its merger; None when nobody is known."""
    row = await tx.fetchrow("SELECT coalesce(merged_into, person_id) AS id FROM person WHERE person_id = $1", person_id)
    return row["id"] if row else None


async def merged_into(tx: Transaction, person_id: UUID) -> UUID | None:
    """The survivor that a record went up in; None for one that stands by itself."""
    row = await tx.fetchrow("SELECT merged_into FROM person WHERE person_id = $1", person_id)
    return row["merged_into"] if row else None


async def lock(tx: Transaction, person_id: UUID) -> tuple[Facts, date | None, datetime] | None:
    """A record, locked: what is true of it now, the day of death, and when it was registered."""
    row = await tx.fetchrow(
        """
        SELECT name_sealed, id_no_sealed, phone_sealed, sex, birth_date, division, died_on, created
        FROM person WHERE person_id = $1 FOR UPDATE
        """,
        person_id,
    )
    if row is None:
        return None
    facts = facts_of(tx, people.TABLE, person_id, row)
    return facts, row["died_on"], row["created"]


async def versions(tx: Transaction, person_id: UUID) -> Sequence[Version]:
    """Everything that the register ever said of a person, by day and by knowledge.

    A record that never changed has no rows of its own: it was always as it is.
    """
    rows = await tx.fetch(
        "SELECT * FROM person_version WHERE person_id = $1 ORDER BY recorded, valid_from, version_id", person_id
    )
    if rows:
        return [_version(tx, row) for row in rows]
    found = await tx.fetchrow(
        """
        SELECT name_sealed, id_no_sealed, phone_sealed, sex, birth_date, division, created
        FROM person WHERE person_id = $1
        """,
        person_id,
    )
    if found is None:
        return []
    facts = facts_of(tx, people.TABLE, person_id, found)
    return [Version(Segment(BEGINNING, None, facts), found["created"], None, Cause.REGISTERED, "")]


async def rewrite(
    tx: Transaction,
    person_id: UUID,
    known: Sequence[Version],
    segments: Sequence[Segment],
    *,
    cause: Cause,
    evidence: str,
) -> None:
    """Let new knowledge take the place of what was known; segments that stay the same stay as they were recorded."""
    current = [one for one in known if one.superseded is None]
    if len(known) == 1 and known[0].cause is Cause.REGISTERED:
        await _add(tx, person_id, current, recorded=known[0].recorded, cause=Cause.REGISTERED, evidence="")
    kept = [one.segment for one in current if one.segment in segments]
    gone = [one.segment.valid_from for one in current if one.segment not in segments]
    await tx.execute(
        """
        UPDATE person_version SET superseded = $3
        WHERE person_id = $1 AND superseded IS NULL AND valid_from = ANY($2::date[])
        """,
        person_id,
        gone,
        tx.now,
    )
    new = [Version(one, tx.now, None, cause, evidence) for one in segments if one not in kept]
    await _add(tx, person_id, new, recorded=tx.now, cause=cause, evidence=evidence)


async def _add(
    tx: Transaction, person_id: UUID, versions_: Sequence[Version], *, recorded: datetime, cause: Cause, evidence: str
) -> None:
    sealer = tx.database.sealer
    for one in versions_:
        facts, version_id = one.segment.facts, ids.new_id()
        await tx.execute(
            """
            INSERT INTO person_version (version_id, person_id, valid_from, valid_to, recorded, cause, evidence,
                name_sealed, id_no_sealed, phone_sealed, birth_date, sex, division)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            """,
            version_id,
            person_id,
            one.segment.valid_from,
            one.segment.valid_to,
            recorded,
            cause,
            evidence,
            sealer.seal(TABLE, "name", version_id, facts.name),
            sealer.seal(TABLE, "id_no", version_id, facts.id_no),
            sealer.seal(TABLE, "phone", version_id, facts.phone) if facts.phone else None,
            facts.birth_date,
            facts.sex,
            facts.division,
        )


async def save(tx: Transaction, person_id: UUID, facts: Facts) -> None:
    """Write what is true of a person now. A number that is another's breaks person_id_no_index_key."""
    sealer = tx.database.sealer
    await tx.execute(
        """
        UPDATE person SET id_no_index = $2, id_no_sealed = $3, name_sealed = $4, phone_sealed = $5, birth_date = $6,
            sex = $7, division = $8
        WHERE person_id = $1
        """,
        person_id,
        people.id_no_index(sealer, facts.id_no),
        sealer.seal(people.TABLE, "id_no", person_id, facts.id_no),
        sealer.seal(people.TABLE, "name", person_id, facts.name),
        people.seal_phone(sealer, person_id, facts.phone),
        facts.birth_date,
        facts.sex,
        facts.division,
    )


async def is_taken(tx: Transaction, id_no: str, person_id: UUID) -> bool:
    """Whether a number belongs, or belonged, to another record."""
    row = await tx.fetchrow(
        """
        SELECT 1 FROM person WHERE id_no_index = $1 AND person_id <> $2
        UNION ALL SELECT 1 FROM former_number WHERE id_no_index = $1 AND person_id <> $2
        """,
        people.id_no_index(tx.database.sealer, id_no),
        person_id,
    )
    return row is not None


async def keep_former(tx: Transaction, id_no: str, person_id: UUID) -> None:
    """Note that a number was replaced: it registers nobody any more."""
    await tx.execute(
        """
        INSERT INTO former_number (id_no_index, person_id) VALUES ($1, $2)
        ON CONFLICT (id_no_index) DO UPDATE SET person_id = excluded.person_id
        """,
        people.id_no_index(tx.database.sealer, id_no),
        person_id,
    )


def _version(tx: Transaction, row: Any) -> Version:
    return Version(
        Segment(row["valid_from"], row["valid_to"], facts_of(tx, TABLE, row["version_id"], row, of=row["person_id"])),
        row["recorded"],
        row["superseded"],
        Cause(row["cause"]),
        row["evidence"],
    )


def facts_of(tx: Transaction, table: str, row_id: UUID, row: Any, *, of: UUID | None = None) -> Facts:
    """What a row says of a person, opened; `of` is the person whom the look counts for, where the row is not theirs."""
    sealer = tx.database.sealer
    return Facts(
        name=sealer.open_text(table, "name", row_id, row["name_sealed"], of=of),
        id_no=sealer.open_text(table, "id_no", row_id, row["id_no_sealed"], of=of),
        sex="male" if row["sex"] == "male" else "female",
        birth_date=row["birth_date"],
        division=row["division"],
        phone=sealer.open_text(table, "phone", row_id, row["phone_sealed"], of=of) if row["phone_sealed"] else "",
    )
