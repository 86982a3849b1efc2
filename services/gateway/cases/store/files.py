"""Case files: numbers, reading, writing, queues. A case is locked before anything of it changes."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import asyncpg

from kernel.errors import AlreadyExists, NotFound
from services.gateway.cases.domain.states import OPEN, State
from services.gateway.cases.store.rows import CaseRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction

_JSON = frozenset({"applicant", "problem_values", "kept"})
_NAMES = tuple(one.name for one in fields(CaseRow))
_COLUMNS = ", ".join(f"{name}::text" if name in _JSON else name for name in _NAMES)
_PLACES = ", ".join(
    f"${place}::text::jsonb" if name in _JSON else f"${place}" for place, name in enumerate(_NAMES, start=1)
)
_FIXED = frozenset({"case_id", "case_no", "code", "parent_id", "channel", "create_time", "version"})
_CHANGES = ", ".join(
    f"{name} = ${place}" + ("::text::jsonb" if name in _JSON else "")
    for place, name in enumerate((name for name in _NAMES if name not in _FIXED), start=2)
)
INSERT = f"INSERT INTO case_file ({', '.join(_NAMES)}) VALUES ({_PLACES})"  # noqa: S608 - constant
UPDATE = f"UPDATE case_file SET version = version + 1, {_CHANGES} WHERE case_id = $1 RETURNING version"  # noqa: S608 - constant
READ = f"SELECT {_COLUMNS} FROM case_file"  # noqa: S608 - constant
_WAITING = "state IN ('SUBMITTED', 'ACCEPTED', 'IN_REVIEW', 'APPROVED', 'CORRECTION_REQUESTED')"
_SORT = "coalesce(promised_date, submit_date)"


async def next_serial(tx: Transaction, region: str, channel: int) -> int:
    """The next serial of a region, day and channel; others of the same three wait until this commits."""
    row = await tx.fetchrow(
        """
        INSERT INTO case_serial AS mine (region, day, channel, last_serial) VALUES ($1, $2, $3, 1)
        ON CONFLICT (region, day, channel) DO UPDATE SET last_serial = mine.last_serial + 1 RETURNING last_serial
        """,
        region,
        tx.today,
        channel,
    )
    assert row is not None
    return int(row["last_serial"])


async def add(tx: Transaction, row: CaseRow) -> None:
    """Write a new case."""
    await tx.execute(INSERT, *(_value(row, name) for name in _NAMES))


async def save(tx: Transaction, row: CaseRow) -> None:
    """Write a changed case.

    Raises:
        AlreadyExists: CASE_OPEN_ALREADY.
    """
    try:
        found = await tx.fetchrow(UPDATE, row.case_id, *(_value(row, name) for name in _NAMES if name not in _FIXED))
    except asyncpg.UniqueViolationError:
        raise open_already() from None
    assert found is not None
    row.version = found["version"]


async def find(tx: Transaction, case_no: str, *, lock: bool = False) -> CaseRow | None:
    """The case of a number; locked when it is going to change."""
    row = await tx.fetchrow(f"{READ} WHERE case_no = $1{' FOR NO KEY UPDATE' if lock else ''}", case_no)
    return _case(row) if row else None


async def get(tx: Transaction, case_id: UUID, *, lock: bool = False) -> CaseRow:
    """A case that is known to exist."""
    row = await tx.fetchrow(f"{READ} WHERE case_id = $1{' FOR NO KEY UPDATE' if lock else ''}", case_id)
    assert row is not None
    return _case(row)


async def children(tx: Transaction, case_id: UUID) -> dict[str, CaseRow]:
    """The parts of a bundle that have begun, by item."""
    return {row["code"]: _case(row) for row in await tx.fetch(f"{READ} WHERE parent_id = $1", case_id)}


async def open_codes(tx: Transaction, person_id: UUID, codes: Iterable[str]) -> set[str]:
    """Which of these a person has an open case of."""
    rows = await tx.fetch(
        "SELECT code FROM case_file WHERE person_id = $1 AND code = ANY($2::text[]) AND state = ANY($3::text[])",
        person_id,
        list(codes),
        sorted(OPEN),
    )
    return {row["code"] for row in rows}


async def of_person(tx: Transaction, person_id: UUID, *, before: UUID | None, limit: int) -> list[CaseRow]:
    """Cases of a person that stand alone or are bundles, newest first."""
    rows = await tx.fetch(
        f"{READ} WHERE person_id = $1 AND parent_id IS NULL AND ($2::uuid IS NULL OR case_id < $2) "
        "ORDER BY case_id DESC LIMIT $3",
        person_id,
        before,
        limit,
    )
    return [_case(row) for row in rows]


_QUEUES = {
    "TO_ACCEPT": "state = 'SUBMITTED'",
    "TO_DECIDE": "state = 'IN_REVIEW'",
    "OVERDUE": f"{_WAITING} AND promised_date < $1",
    "STUCK": "is_stuck",
    "": "state IN ('SUBMITTED', 'IN_REVIEW') OR is_stuck",
}


async def queue(
    tx: Transaction, kind: str, *, code: str, bundles: Sequence[str], after: tuple[date, UUID] | None, limit: int
) -> list[CaseRow]:
    """Cases that wait for staff, most urgent first."""
    day, case_id = after or (None, None)
    rows = await tx.fetch(
        f"{READ} WHERE ({_QUEUES[kind]}) AND ({_WAITING} OR is_stuck) AND $1::date IS NOT NULL "
        f"AND ($2 = '' OR code = $2) AND code <> ALL($3::text[]) "
        f"AND ($4::date IS NULL OR ({_SORT}, case_id) > ($4, $5)) ORDER BY {_SORT}, case_id LIMIT $6",
        tx.today,
        code,
        list(bundles),
        day,
        case_id,
        limit,
    )
    return [_case(row) for row in rows]


async def counts(tx: Transaction, bundles: Sequence[str]) -> dict[str, int]:
    """How many wait in each queue."""
    row = await tx.fetchrow(
        f"""
        SELECT count(*) FILTER (WHERE {_QUEUES["TO_ACCEPT"]}) AS to_accept,
               count(*) FILTER (WHERE {_QUEUES["TO_DECIDE"]}) AS to_decide,
               count(*) FILTER (WHERE {_QUEUES["OVERDUE"]}) AS overdue,
               count(*) FILTER (WHERE is_stuck) AS stuck
        FROM case_file WHERE ({_WAITING} OR is_stuck) AND $1::date IS NOT NULL AND code <> ALL($2::text[])
        """,  # noqa: S608 - constants
        tx.today,
        list(bundles),
    )
    assert row is not None
    return dict(row.items())


def not_found() -> NotFound:
    """The one text for a case that does not exist and for one that is not the caller's business."""
    return NotFound("CASE_NOT_FOUND", "no such case")


def open_already() -> AlreadyExists:
    """The refusal of a second open case."""
    return AlreadyExists("CASE_OPEN_ALREADY", "an open case of this item exists for this person")


def _value(row: CaseRow, name: str) -> Any:
    value = getattr(row, name)
    return json.dumps(value) if name in _JSON else value


def _case(row: asyncpg.Record) -> CaseRow:
    values = {name: row[name] for name in _NAMES}
    for name in _JSON:
        values[name] = json.loads(values[name])
    values["state"] = State(values["state"])
    values["points"] = list(values["points"])
    return CaseRow(**values)
