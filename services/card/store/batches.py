"""Batches, their parts, and the whole chunks of cards that they write."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.card.batches import Batch, BatchState, Found, Part, Source, digest_of, unpacked
from services.card.domain.issuing import OBSTACLE_SQL, Standing
from services.card.domain.lifecycle import CardState, Physical

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from uuid import UUID

    from asyncpg import Record

    from chassis.transaction import Transaction

TABLE = "card_batch_part"  # part of what sealed rows are bound to; never rename
LIVE = "state NOT IN ('REJECTED', 'REPLACED', 'CANCELLED', 'EXPIRED')"  # as card_one_live has it
COLUMNS = """
    batch_id, source, upload_id, file_digest, state, maker, create_date, prepare_job, issue_job, row_count, left_out,
    digest, approval_id
"""
READ = f"SELECT {COLUMNS} FROM card_batch WHERE batch_id = $1"  # noqa: S608 - constant
ADD = """
    INSERT INTO card_batch (batch_id, source, upload_id, file_digest, state, maker, create_date, prepare_job)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (file_digest) WHERE state IN ('PREPARING', 'PREPARED', 'RUNNING') DO NOTHING RETURNING true
"""
ADD_PARTS = """
    INSERT INTO card_batch_part (batch_id, number, first_row, row_count, rows_sealed)
    SELECT $1, * FROM unnest($2::integer[], $3::integer[], $4::integer[], $5::bytea[])
"""
FOUND = """
    UPDATE card_batch_part SET ready = $3, rejected = $4, skipped = $5, digest = $6
    WHERE batch_id = $1 AND number = $2
"""
ISSUED = """
    UPDATE card_batch_part SET issued = $3, issued_digest = $4, rows_sealed = NULL WHERE batch_id = $1 AND number = $2
"""
# Rows of the file that took effect in an earlier batch of it: they stood in a part that is done, and were not rejected.
DONE_BEFORE = """
    SELECT DISTINCT line FROM card_batch AS other JOIN card_batch_part AS part USING (batch_id),
      generate_series(greatest(part.first_row, $3), least(part.first_row + part.row_count, $4) - 1) AS line
    WHERE other.file_digest = $1 AND other.batch_id <> $2 AND part.issued IS NOT NULL
      AND part.first_row < $4 AND part.first_row + part.row_count > $3
      AND NOT EXISTS (
        SELECT FROM job_reject
        WHERE job_id = other.issue_job AND chunk = part.number AND job_reject.line = line.line
      )
"""
HOLDERS = """
    SELECT person_id, id_no_index, name_sealed, physical_state, payment_enabled, survivor_id IS NOT NULL AS is_merged,
      death_date IS NOT NULL AS is_dead
    FROM holder WHERE {0} = ANY($1) ORDER BY person_id {1}
"""
READY = f"""
    SELECT person_id FROM holder
    WHERE person_id > $1 AND ({OBSTACLE_SQL}) = ''
      AND NOT EXISTS (SELECT FROM card WHERE card.person_id = holder.person_id AND {LIVE})
    ORDER BY person_id LIMIT $2
"""  # noqa: S608 - constants
LEFT_OUT = f"""
    SELECT reason, count(*) AS count FROM (
      SELECT coalesce(
        (SELECT 'CARD_EXISTS' FROM card WHERE card.person_id = holder.person_id AND {LIVE} LIMIT 1), {OBSTACLE_SQL}
      ) AS reason FROM holder
    ) AS each WHERE reason <> '' GROUP BY reason
"""  # noqa: S608 - constants
CARD = (
    "card_id", "person_id", "issue_no", "reference", "level", "state", "state_since", "valid_from", "valid_to",
)  # fmt: skip
BINDING = (
    "binding_id", "card_id", "role", "reference", "list_no", "idx", "state", "status", "bound_date",
)  # fmt: skip
ADD_CARD = f"""
    INSERT INTO card ({", ".join(CARD)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT DO NOTHING RETURNING true
"""  # noqa: S608 - constant
ADD_BINDING = f"""
    INSERT INTO binding ({", ".join(BINDING)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT DO NOTHING RETURNING true
"""  # noqa: S608 - constant


@dataclass(frozen=True, slots=True)
class Candidate:
    """A holder whom a row of a batch names."""

    person_id: UUID
    id_no_index: bytes
    name_sealed: bytes
    standing: Standing
    payment_enabled: bool


@dataclass(frozen=True, slots=True)
class NewCard:
    """A card with its place, about to be written."""

    card_id: UUID
    binding_id: UUID
    person_id: UUID
    issue_no: str
    reference: bytes
    level: int
    list_no: int
    index: int
    valid_to: date


async def add(tx: Transaction, batch: Batch) -> bool:
    """Add a batch; False when one of the same file is open."""
    row = await tx.fetchrow(
        ADD,
        batch.batch_id,
        batch.source.value,
        batch.upload_id,
        batch.file_digest,
        batch.state.value,
        batch.maker,
        batch.create_date,
        batch.prepare_job,
    )
    return row is not None


async def get(tx: Transaction, batch_id: UUID, *, lock: bool = False) -> Batch | None:
    """A batch."""
    row = await tx.fetchrow(READ + (" FOR NO KEY UPDATE" if lock else ""), batch_id)
    return _batch(row) if row is not None else None


async def open_of(tx: Transaction, file_digest: bytes) -> Batch | None:
    """The open batch of a file."""
    query = (
        f"SELECT {COLUMNS} FROM card_batch"  # noqa: S608 - constant
        " WHERE file_digest = $1 AND state IN ('PREPARING', 'PREPARED', 'RUNNING')"
    )
    row = await tx.fetchrow(query, file_digest)
    return _batch(row) if row is not None else None


async def listed(tx: Transaction, before: UUID | None, limit: int) -> list[Batch]:
    """Batches, newest first."""
    query = f"SELECT {COLUMNS} FROM card_batch WHERE $1::uuid IS NULL OR batch_id < $1 ORDER BY batch_id DESC LIMIT $2"  # noqa: S608 - constant
    return [_batch(row) for row in await tx.fetch(query, before, limit)]


async def change(tx: Transaction, batch_id: UUID, **values: object) -> None:
    """Set columns of a batch."""
    assignments = ", ".join(f"{name} = ${place}" for place, name in enumerate(values, start=2))
    await tx.execute(f"UPDATE card_batch SET {assignments} WHERE batch_id = $1", batch_id, *values.values())  # noqa: S608 - names from our code


async def add_parts(tx: Transaction, batch_id: UUID, parts: Sequence[Part]) -> None:
    """Keep rows, sealed."""
    sealer = tx.database.sealer
    await tx.execute(
        ADD_PARTS,
        batch_id,
        [one.number for one in parts],
        [one.first_row for one in parts],
        [one.row_count for one in parts],
        [sealer.seal(TABLE, "rows", f"{batch_id}/{one.number}", one.packed()) for one in parts],
    )


async def part(tx: Transaction, batch: Batch, number: int, *, lock: bool = False) -> Part | None:
    """The rows of a part; None when they are used up or were given up."""
    query = "SELECT first_row, rows_sealed FROM card_batch_part WHERE batch_id = $1 AND number = $2"
    row = await tx.fetchrow(query + (" FOR NO KEY UPDATE" if lock else ""), batch.batch_id, number)
    if row is None or row["rows_sealed"] is None:
        return None
    data = tx.database.sealer.open(TABLE, "rows", f"{batch.batch_id}/{number}", row["rows_sealed"])
    return unpacked(number, row["first_row"], data, batch.source)


async def forget(tx: Transaction, batch_id: UUID) -> None:
    """Give up the rows of parts that will not be issued; a part that is at work just now ends by itself."""
    await tx.execute(
        """
        UPDATE card_batch_part SET rows_sealed = NULL WHERE batch_id = $1 AND number IN (
          SELECT number FROM card_batch_part WHERE batch_id = $1 AND rows_sealed IS NOT NULL FOR UPDATE SKIP LOCKED
        )
        """,
        batch_id,
    )


async def note_found(tx: Transaction, batch_id: UUID, number: int, found: Found, digest: bytes) -> None:
    """Write what the dry run found in a part."""
    await tx.execute(FOUND, batch_id, number, found.ready, found.rejected, found.skipped, digest)


async def note_issued(tx: Transaction, batch_id: UUID, number: int, issued: int, digest: bytes) -> None:
    """Write what became of a part; its rows are kept no longer."""
    await tx.execute(ISSUED, batch_id, number, issued, digest)


async def summed(tx: Transaction, batch_id: UUID) -> tuple[int, Found, bytes]:
    """Parts, what the dry run found in all of them, and the digest of theirs in order."""
    rows = await tx.fetch(
        "SELECT ready, rejected, skipped, digest FROM card_batch_part WHERE batch_id = $1 ORDER BY number", batch_id
    )
    found = Found(*(sum(row[name] or 0 for row in rows) for name in ("ready", "rejected", "skipped")))
    return len(rows), found, digest_of([row["digest"] or b"" for row in rows])


async def found(tx: Transaction, batch_id: UUID) -> Found:
    """What the dry run found so far."""
    row = await tx.fetchrow(
        """
        SELECT coalesce(sum(ready), 0)::integer, coalesce(sum(rejected), 0)::integer, coalesce(sum(skipped), 0)::integer
        FROM card_batch_part WHERE batch_id = $1
        """,
        batch_id,
    )
    assert row is not None
    return Found(*row)


async def done_before(tx: Transaction, batch: Batch, first: int, count: int) -> set[int]:
    """Rows of the file that took effect in an earlier batch of it."""
    rows = await tx.fetch(DONE_BEFORE, batch.file_digest, batch.batch_id, first, first + count)
    return {row["line"] for row in rows}


async def candidates(
    tx: Transaction, *, persons: Sequence[UUID] = (), indexes: Sequence[bytes] = (), lock: bool
) -> list[Candidate]:
    """Holders by person or by number; locked in one order, so that two batches never wait for each other."""
    column, values = ("person_id", persons) if persons else ("id_no_index", indexes)
    query = HOLDERS.format(column, "FOR NO KEY UPDATE" if lock else "")
    return [
        Candidate(
            row["person_id"],
            row["id_no_index"],
            row["name_sealed"],
            Standing(
                Physical(row["physical_state"]) if row["physical_state"] else None, row["is_merged"], row["is_dead"]
            ),
            row["payment_enabled"],
        )
        for row in await tx.fetch(query, list(values))
    ]


async def with_card(tx: Transaction, persons: Sequence[UUID]) -> set[UUID]:
    """Those of some persons who have a live card."""
    query = f"SELECT person_id FROM card WHERE person_id = ANY($1::uuid[]) AND {LIVE}"  # noqa: S608 - constant
    return {row["person_id"] for row in await tx.fetch(query, list(persons))}


async def ready(tx: Transaction, after: UUID, limit: int) -> list[UUID]:
    """Persons who may have a card and have none, in order."""
    return [row["person_id"] for row in await tx.fetch(READY, after, limit)]


async def left_out(tx: Transaction) -> Mapping[str, int]:
    """How many holders have a card or may not have one, by reason."""
    return {row["reason"]: row["count"] for row in await tx.fetch(LEFT_OUT)}


async def copy(tx: Transaction, cards: Sequence[NewCard]) -> None:
    """Write cards and their places; raises what the database says of one that cannot stand."""
    raw = await tx.raw()
    await raw.copy_records_to_table("card", records=[_card(tx, one) for one in cards], columns=CARD)
    await raw.copy_records_to_table("binding", records=[_binding(tx, one) for one in cards], columns=BINDING)


async def add_card(tx: Transaction, card: NewCard) -> bool:
    """Write one card with its place; False when something of it is taken, and then nothing is written."""
    if await tx.fetchrow(ADD_CARD, *_card(tx, card)) is None:
        return False
    return await tx.fetchrow(ADD_BINDING, *_binding(tx, card)) is not None


def _card(tx: Transaction, one: NewCard) -> tuple[object, ...]:
    return (
        one.card_id, one.person_id, one.issue_no, one.reference, one.level, CardState.ISSUED.value, tx.today, tx.today,
        one.valid_to,
    )  # fmt: skip


def _binding(tx: Transaction, one: NewCard) -> tuple[object, ...]:
    return (
        one.binding_id, one.card_id, "server", one.reference, one.list_no, one.index, "live", 0, tx.today,
    )  # fmt: skip


def _batch(row: Record) -> Batch:
    values = dict(row)
    left = values["left_out"]
    return Batch(
        **values
        | {
            "source": Source(values["source"]),
            "state": BatchState(values["state"]),
            "left_out": json.loads(left) if isinstance(left, str) else left,
        }
    )
