"""Deliveries of history: their files, sums and parts, and the rows as they take effect, by COPY and sets."""

import io
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

from chassis.transaction import Transaction
from kernel.identity import Sex
from services.enrollment.moving import FileRef, Sums
from services.enrollment.store import people

if TYPE_CHECKING:
    import asyncpg

YEAR_COLUMNS = ("person_id", "year", "schemes", "months", "deemed", "bases", "source", "line", "employer_code")
COUNT_DOWN = """
    UPDATE history_delivery SET open_chunks = open_chunks + $2 WHERE job_id = $1 RETURNING open_chunks, state
"""
# A person whom the register knows keeps the id that it has there; the others become known with the id they were given.
ADD_PEOPLE = """
    INSERT INTO person (person_id, id_no_index, id_no_sealed, name_sealed, birth_date, sex, division, source)
    SELECT person_id, id_no_index, id_no_sealed, name_sealed, birth_date, sex, division, source
    FROM history_part_person WHERE job_id = $1 AND chunk = $2 ORDER BY id_no_index
    ON CONFLICT (id_no_index) DO NOTHING RETURNING person_id
"""
PERSONS = """
    SELECT person_id, line, source, birth_date, sex, division, identity, fact, account_line, account_year, account_fen
    FROM history_part_person WHERE job_id = $1 AND chunk = $2 ORDER BY line
"""
# A number of a record that went up in another finds the survivor.
KNOWN = """
    SELECT part.person_id AS given, part.name_sealed AS delivered_name, known.person_id, known.name_sealed,
           known.retirement_month IS NOT NULL AS is_retired
    FROM history_part_person AS part JOIN person AS named USING (id_no_index)
    JOIN person AS known ON known.person_id = coalesce(named.merged_into, named.person_id)
    WHERE job_id = $1 AND chunk = $2 AND NOT part.person_id = ANY($3::uuid[])
    ORDER BY known.person_id FOR UPDATE OF known
"""
# Every row of the chunk with its verdict: taken (''), recorded already with the same content (SAME), or why not. Months
# of a row are compared first with a row like it, then one by one with what is recorded in any form; a month that left
# with a relation is recorded too, though it counts elsewhere.
JUDGE = """
    WITH judged AS MATERIALIZED (
        SELECT coalesce(known.person_id, staged.person_id) AS owner, known.person_id IS NOT NULL AS is_known,
               year, schemes, months, deemed, bases, source, line, employer_code,
               CASE WHEN coalesce(known.verdict, '') <> '' THEN known.verdict WHEN known.person_id IS NULL THEN ''
               WHEN EXISTS (
                   SELECT FROM history_year AS one WHERE one.person_id = known.person_id AND one.year = staged.year
                     AND one.schemes = staged.schemes AND one.months = staged.months AND one.deemed = staged.deemed
                     AND one.bases = staged.bases
               ) THEN 'SAME'
               WHEN held.same = bit_count(staged.months::integer::bit(12)) * bit_count(staged.schemes::integer::bit(3))
               THEN 'SAME'
               WHEN held.recorded > 0 OR EXISTS (
                   SELECT FROM history_year AS one WHERE one.person_id = known.person_id AND one.year = staged.year
                     AND one.schemes & staged.schemes <> 0 AND one.months & staged.months <> 0
               ) THEN 'CONTRIBUTION_DIFFERS'
               WHEN EXISTS (
                   SELECT FROM employment CROSS JOIN generate_series(1, 12) AS number (month)
                   WHERE employment.person_id = known.person_id AND (staged.months >> (number.month - 1)) & 1 = 1
                     AND start_month <= make_date(staged.year, number.month, 1)
                     AND coalesce(end_month, 'infinity') >= make_date(staged.year, number.month, 1)
               ) THEN 'MONTH_INSURED_HERE' ELSE '' END AS verdict
        FROM history_stage AS staged
        LEFT JOIN unnest($1::uuid[], $2::uuid[], $3::text[]) AS known (given, person_id, verdict)
            ON known.given = staged.person_id
        LEFT JOIN LATERAL (
            SELECT count(*) AS recorded, count(*) FILTER (
                WHERE month.base_fen = staged.bases[CASE WHEN array_length(staged.bases, 1) = 1 THEN 1
                                                    ELSE extract(month FROM month.month)::integer END]
                  AND (month.state = 'DEEMED') = ((staged.deemed >> (extract(month FROM month.month)::integer - 1)) & 1
                                                  = 1)) AS same
            FROM contribution_month AS month
            WHERE month.person_id = known.person_id AND coalesce(known.verdict, '') = ''
              AND month.month BETWEEN make_date(staged.year, 1, 1) AND make_date(staged.year, 12, 1)
              AND (staged.months >> (extract(month FROM month.month)::integer - 1)) & 1 = 1
              AND staged.schemes & CASE month.scheme WHEN 110 THEN 1 WHEN 210 THEN 2 ELSE 4 END <> 0
        ) AS held ON known.person_id IS NOT NULL
    ), added AS (
        INSERT INTO history_year (person_id, year, schemes, months, deemed, bases, source, line, employer_code)
        SELECT owner, year, schemes, months, deemed, bases, source, line, employer_code FROM judged WHERE verdict = ''
        ORDER BY owner, year
    )
    SELECT owner, year, schemes, months, deemed, bases, line, coalesce(employer_code, '') AS employer_code, verdict
    FROM judged WHERE is_known ORDER BY line
"""


@dataclass(frozen=True, slots=True)
class PartPerson:
    """A person of a part, with the id that was given and everything that is said when they are new."""

    given: UUID
    line: int
    source: str
    birth_date: date
    sex: Sex
    division: str
    identity: bytes
    fact: bytes
    account: tuple[int, int, int] | None  # line, year, fen


@dataclass(frozen=True, slots=True)
class KnownPerson:
    """A person of a part whom the register knew before; locked."""

    given: UUID
    person_id: UUID
    has_name: bool  # whether the name is that of the register
    is_retired: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """A row of a person who was known, and its verdict: taken (''), SAME, or a key of `years_file.TEXTS`."""

    person_id: UUID
    line: int
    year: int
    schemes: int
    months: int
    deemed: int
    bases: tuple[int, ...]
    verdict: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as it stands."""

    job_id: UUID
    state: str
    system: str
    files: Sequence[Mapping[str, Any]]  # upload_id, digest, source and, once read, stated
    stated: Sums | None
    counted: Sums
    differences: Sequence[Mapping[str, Any]]


async def add_source(tx: Transaction, prefix: str, suffix: str = "") -> int:
    """A new origin of rows; its number."""
    row = await tx.fetchrow(
        "INSERT INTO history_source (prefix, suffix) VALUES ($1, $2) RETURNING number", prefix, suffix
    )
    assert row is not None
    return int(row["number"])


async def add_delivery(
    tx: Transaction, job_id: UUID, system: str, files: Sequence[tuple[FileRef, int]], stated: Sums | None
) -> None:
    """A new delivery of so many files, each with the number of its source."""
    await tx.execute(
        """
        INSERT INTO history_delivery (job_id, state, system, files, stated, open_chunks)
        VALUES ($1, 'CHECKING', $2, $3, $4, $5)
        """,
        job_id,
        system,
        json.dumps([{"upload_id": one.upload_id, "digest": one.digest, "source": source} for one, source in files]),
        json.dumps(stated.plain() if stated else {}),
        len(files),
    )


async def delivery(tx: Transaction, job_id: UUID, *, lock: bool = False) -> Delivery | None:
    """A delivery, on demand locked."""
    row = await tx.fetchrow(
        f"SELECT * FROM history_delivery WHERE job_id = $1{' FOR UPDATE' if lock else ''}",  # noqa: S608 - constant
        job_id,
    )
    if row is None:
        return None
    stated, counted = row["stated"], row["counted"]
    return Delivery(
        job_id=job_id,
        state=row["state"],
        system=row["system"],
        files=row["files"],
        stated=Sums(**stated) if stated else None,
        counted=Sums(**counted),
        differences=row["differences"],
    )


async def note_stated(tx: Transaction, job_id: UUID, file: int, stated: Sums) -> None:
    """Keep the sums that a file (from 1) states."""
    await tx.execute(
        "UPDATE history_delivery SET files = jsonb_set(files, ARRAY[$2::text, 'stated'], $3) WHERE job_id = $1",
        job_id,
        str(file - 1),
        json.dumps(stated.plain()),
    )


async def count_down(tx: Transaction, job_id: UUID, change: int) -> tuple[int, str]:
    """Change how many chunks are open; how many are, and the state. Locks the delivery until the commit."""
    row = await tx.fetchrow(COUNT_DOWN, job_id, change)
    assert row is not None
    return row["open_chunks"], row["state"]


async def move(
    tx: Transaction,
    job_id: UUID,
    state: str,
    *,
    counted: Sums | None = None,
    differences: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Bring a delivery into a state, with what was counted and what did not agree."""
    await tx.execute(
        """
        UPDATE history_delivery SET state = $2, counted = coalesce($3, counted), differences = $4 WHERE job_id = $1
        """,
        job_id,
        state,
        json.dumps(counted.plain()) if counted else None,
        json.dumps(list(differences)),
    )


async def sums_by_file(tx: Transaction, job_id: UUID) -> Mapping[int, Sums]:
    """What was counted in each file, from 1."""
    rows = await tx.fetch("SELECT file, counted FROM history_part WHERE job_id = $1", job_id)
    found: dict[int, Sums] = {}
    for row in rows:
        found[row["file"]] = found.get(row["file"], Sums()) + Sums(**row["counted"])
    return found


async def parts(tx: Transaction, job_id: UUID) -> list[int]:
    """The chunks that staged something, in order."""
    rows = await tx.fetch("SELECT chunk FROM history_part WHERE job_id = $1 ORDER BY chunk", job_id)
    return [row["chunk"] for row in rows]


async def add_part(
    tx: Transaction,
    job_id: UUID,
    chunk: int,
    *,
    file: int,
    first_line: int,
    counted: Sums,
    years: bytes,
    persons: Sequence[tuple[Any, ...]],
    person_columns: Sequence[str],
) -> None:
    """Keep a part until the sums are known to agree; nothing of it counts yet."""
    await tx.execute(
        "INSERT INTO history_part (job_id, chunk, file, first_line, counted, years) VALUES ($1, $2, $3, $4, $5, $6)",
        job_id,
        chunk,
        file,
        first_line,
        json.dumps(counted.plain()),
        years,
    )
    raw = await tx.raw()
    await raw.copy_records_to_table(
        "history_part_person",
        records=[(job_id, chunk, *one) for one in persons],
        columns=["job_id", "chunk", *person_columns],
    )


async def forget_parts(tx: Transaction, job_id: UUID, chunk: int | None = None) -> None:
    """Rows that took effect, or never will, are not kept twice."""
    where = "job_id = $1" if chunk is None else "job_id = $1 AND chunk = $2"
    arguments = (job_id,) if chunk is None else (job_id, chunk)
    await tx.execute(f"DELETE FROM history_part_person WHERE {where}", *arguments)  # noqa: S608 - constant
    await tx.execute(f"UPDATE history_part SET years = NULL WHERE {where}", *arguments)  # noqa: S608 - constant


async def part_persons(tx: Transaction, job_id: UUID, chunk: int) -> Sequence[PartPerson]:
    """The persons of a part, by line."""
    return [
        PartPerson(
            given=row["person_id"],
            line=row["line"],
            source=row["source"],
            birth_date=row["birth_date"],
            sex=row["sex"],
            division=row["division"],
            identity=row["identity"],
            fact=row["fact"],
            account=None
            if row["account_line"] is None
            else (row["account_line"], row["account_year"], row["account_fen"]),
        )
        for row in await tx.fetch(PERSONS, job_id, chunk)
    ]


async def register(tx: Transaction, job_id: UUID, chunk: int) -> set[UUID]:
    """Register the persons of a part whom nobody knows; their ids."""
    return {row["person_id"] for row in await tx.fetch(ADD_PEOPLE, job_id, chunk)}


async def known(tx: Transaction, job_id: UUID, chunk: int, new: Iterable[UUID]) -> Sequence[KnownPerson]:
    """The persons of a part who were known before, locked in the order of their ids."""
    sealer = tx.database.sealer
    return [
        KnownPerson(
            given=row["given"],
            person_id=row["person_id"],
            has_name=people.open_name(sealer, row["given"], row["delivered_name"])
            == people.open_name(sealer, row["person_id"], row["name_sealed"]),
            is_retired=row["is_retired"],
        )
        for row in await tx.fetch(KNOWN, job_id, chunk, list(new))
    ]


async def copy_years(
    tx: Transaction, job_id: UUID, chunk: int, known_persons: Mapping[UUID, tuple[UUID, str]]
) -> tuple[int, Sequence[Judged]]:
    """Let the rows of a part take effect: how many were taken of new persons, and the verdicts of the others.

    Rows of persons who were registered a moment ago cannot meet anything, so a part without known persons goes straight
    into its table; else all rows are judged beside what is recorded.

    Args:
        tx: Where.
        job_id: The delivery.
        chunk: The part.
        known_persons: By the id that was given: the id in the register, and why no row of the person is taken, or ''.
    """
    row = await tx.fetchrow("SELECT years FROM history_part WHERE job_id = $1 AND chunk = $2", job_id, chunk)
    assert row is not None
    text = zlib.decompress(row["years"])
    raw = await tx.raw()
    count = text.count(b"\n")
    if not known_persons:
        await _copy(raw, "history_year", text)
        return count, ()
    await _copy(raw, "history_stage", text)
    rows = await tx.fetch(
        JUDGE,
        list(known_persons),
        [person_id for person_id, _ in known_persons.values()],
        [verdict for _, verdict in known_persons.values()],
    )
    await tx.execute("DELETE FROM history_stage")
    judged = [
        Judged(
            person_id=one["owner"],
            line=one["line"],
            year=one["year"],
            schemes=one["schemes"],
            months=one["months"],
            deemed=one["deemed"],
            bases=tuple(one["bases"]),
            verdict=one["verdict"],
        )
        for one in rows
    ]
    return count - len(judged), judged


async def _copy(raw: "asyncpg.Connection[asyncpg.Record]", table: str, text: bytes) -> None:
    await raw.copy_to_table(table, source=io.BytesIO(text), columns=list(YEAR_COLUMNS), format="text")
