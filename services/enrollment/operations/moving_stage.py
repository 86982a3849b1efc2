"""A slice of a delivered file as what the database takes: runs in a worker process, opens no connection.

Numbers and names are sealed here, so that nothing that leaves the process shows them.
"""

import zlib
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from chassis.sealed import Sealer
from kernel import ids
from services.enrollment import years_file
from services.enrollment.history_file import source_of
from services.enrollment.messages import facts
from services.enrollment.messages import moving as messages
from services.enrollment.moving import Sums
from services.enrollment.register import Person
from services.enrollment.store import people
from services.enrollment.years_file import PersonRows

SMALL_BYTES = 50_000  # read at once in the process that asks: a process of its own would take longer to start
COMPRESSION = 1
_NULL = "\\N"  # of COPY
PERSON_COLUMNS = (
    "person_id", "line", "source", "id_no_index", "id_no_sealed", "name_sealed", "birth_date", "sex", "division",
    "identity", "fact", "account_line", "account_year", "account_fen",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker process is told."""

    data: bytes
    encoding: str
    first_line: int
    digest: str
    system: str
    source: int  # number of the row of `history_source`
    today: date
    allow_test_region: bool
    keys: tuple[Path, Path]  # of the sealed columns, and of what the card service is handed


@dataclass(frozen=True, slots=True)
class Staged:
    """What became of a slice."""

    years: bytes  # rows of `history_year` in the form of COPY, compressed
    persons: list[tuple[Any, ...]]  # PERSON_COLUMNS
    wrong: list[tuple[int, str]]
    sums: Sums


def stage(task: Task) -> Staged:
    """Read, check and seal a slice."""
    rows = years_file.read_slice(
        task.data, task.encoding, task.first_line, today=task.today, allow_test_region=task.allow_test_region
    )
    sealer, exchange = _sealer(task.keys[0]), _sealer(task.keys[1])
    lines: list[str] = []
    persons = []
    for one in rows.persons:
        person_id = ids.new_id()
        lines += copy_lines(person_id, one, task.source)
        persons.append(_person(person_id, one, task, sealer, exchange))
    return Staged(zlib.compress("".join(lines).encode(), COMPRESSION), persons, rows.wrong, rows.sums)


def copy_lines(person_id: UUID, one: PersonRows, source: int) -> list[str]:
    """The rows of a person in the text form of COPY; nothing in them needs to be escaped."""
    key = str(person_id)
    return [
        f"{key}\t{row.year}\t{row.schemes}\t{row.months}\t{row.deemed}\t{{{','.join(map(str, row.bases))}}}"
        f"\t{source}\t{row.line}\t{row.employer_code or _NULL}\n"
        for row in one.years
    ]


def _person(person_id: UUID, one: PersonRows, task: Task, sealer: Sealer, exchange: Sealer) -> tuple[Any, ...]:
    identity = one.identity
    assert identity.birth is not None
    assert identity.sex is not None
    person = Person(person_id, one.name, identity.number, identity.birth, identity.sex, identity.division)
    source = source_of(task.digest, one.line, task.system)
    fact = messages.history_brought_in(person_id, one.years, source)
    return (
        person_id,
        one.line,
        source,
        *people.seal_identity(sealer, person),
        person.birth_date,
        person.sex,
        person.division,
        facts.sealed_identity(person, exchange),
        fact.SerializeToString(),
        *(one.account or (None, None, None)),
    )


@lru_cache(maxsize=4)
def _sealer(path: Path) -> Sealer:
    return Sealer.load(path)
