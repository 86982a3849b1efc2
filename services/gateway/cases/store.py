"""The rows of cases: the only SQL of this part of the gateway. A case is locked before anything of it changes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import asyncpg

from chassis.principal import Principal
from kernel import ids
from kernel.errors import AlreadyExists, NotFound
from services.gateway.cases.domain import number
from services.gateway.cases.domain.clock import Clock
from services.gateway.cases.domain.states import OPEN, State, StepState
from services.gateway.cases.effects.model import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime
    from uuid import UUID

    from chassis.transaction import Transaction

_JSON = frozenset({"applicant", "problem_values", "kept"})


@dataclass(slots=True, kw_only=True)
class CaseRow:
    """A case as it is stored."""

    case_id: UUID
    case_no: str
    code: str
    parent_id: UUID | None
    state: State
    version: int
    channel: int
    person_id: UUID | None
    name_masked: str
    tail_index: bytes | None
    applicant: dict[str, Any]
    create_time: datetime
    form_sealed: bytes
    acceptor: str = ""
    decider: str = ""
    submit_date: date | None = None
    end_date: date | None = None
    clock_start: date | None = None
    clock_used: int = 0
    clock_since: date | None = None
    promise_days: int | None = None
    limit_days: int | None = None
    promised_date: date | None = None
    points: list[str] = field(default_factory=list)
    outcome: str = ""
    reason: str = ""
    problem_code: str = ""
    problem_values: dict[str, str] = field(default_factory=dict)
    result_id: str = ""
    kept: dict[str, str] = field(default_factory=dict)
    statement: bytes | None = None
    statement_digest: str = ""
    is_stuck: bool = False

    @property
    def text_id(self) -> str:
        """The id as others know it."""
        return ids.to_text("cas", self.case_id)

    @property
    def shown_no(self) -> str:
        """The number as people read it."""
        return number.show(self.case_no)

    @property
    def clock(self) -> Clock:
        """Its clock."""
        return Clock(self.clock_start, self.clock_used, self.clock_since)

    @clock.setter
    def clock(self, clock: Clock) -> None:
        self.clock_start, self.clock_used, self.clock_since = clock.start, clock.used, clock.since


@dataclass(slots=True, kw_only=True)
class StepRow:
    """A step as it is stored."""

    case_id: UUID
    name: str
    number: int
    phase: Phase
    state: StepState
    principal: dict[str, Any]
    business_date: date
    traceparent: str
    attempts: int
    problem_code: str
    problem_values: dict[str, str]
    result_id: str
    kept: dict[str, str]
    trace_id: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """Something that happened."""

    event_time: datetime
    business_date: date
    kind: str
    detail: dict[str, str]
    state: State
    actor: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message to a person."""

    message_id: UUID
    case_no: str
    kind: str
    detail: dict[str, str]
    message_time: datetime


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
_STEP_NAMES = tuple(one.name for one in fields(StepRow))
_STEP_JSON = frozenset({"principal", "problem_values", "kept"})
_STEP_COLUMNS = ", ".join(f"{name}::text" if name in _STEP_JSON else name for name in _STEP_NAMES)
_WAITING = "state IN ('SUBMITTED', 'ACCEPTED', 'IN_REVIEW', 'APPROVED', 'CORRECTION_REQUESTED')"
_SORT = "coalesce(promised_date, submit_date)"


# Cases ----------------------------------------------------------------------------------------------------------------


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


# Steps ----------------------------------------------------------------------------------------------------------------


async def add_step(
    tx: Transaction, row: CaseRow, name: str, *, place: int, phase: Phase, principal: Principal, traceparent: str
) -> None:
    """Write a step whose turn will come; one that was refused before begins anew, one that is done stays done."""
    await tx.execute(
        """
        INSERT INTO case_step (case_id, name, number, phase, state, principal, business_date, traceparent)
        VALUES ($1, $2, $3, $4, 'WAITING', $5::text::jsonb, $6, $7)
        ON CONFLICT (case_id, name) DO UPDATE SET state = 'WAITING', principal = excluded.principal,
            business_date = excluded.business_date, traceparent = excluded.traceparent, problem_code = '',
            problem_values = '{}'
        WHERE case_step.state IN ('REFUSED', 'SKIPPED')
        """,
        row.case_id,
        name,
        place,
        phase.value,
        json.dumps(to_snapshot(principal)),
        tx.today,
        traceparent,
    )


async def steps(tx: Transaction, case_id: UUID, *, lock: bool = False) -> list[StepRow]:
    """The steps of a case in their order; locked, no worker takes one of them meanwhile."""
    query = f"SELECT {_STEP_COLUMNS} FROM case_step WHERE case_id = $1 ORDER BY number"  # noqa: S608 - constant
    rows = await tx.fetch(f"{query}{' FOR UPDATE' if lock else ''}", case_id)
    return [_step(row) for row in rows]


async def begin_step(tx: Transaction, case_id: UUID, name: str) -> None:
    """Let a step's turn come: a worker takes it from here."""
    await tx.execute(
        "UPDATE case_step SET state = 'WORKING', due = clock_timestamp(), lease_until = NULL "
        "WHERE case_id = $1 AND name = $2",
        case_id,
        name,
    )


async def end_step(
    tx: Transaction,
    case_id: UUID,
    name: str,
    state: StepState,
    *,
    problem_code: str = "",
    problem_values: Mapping[str, str] | None = None,
    result_id: str = "",
    kept: Mapping[str, str] | None = None,
    trace_id: str = "",
) -> None:
    """Write how a step ended."""
    await tx.execute(
        """
        UPDATE case_step SET state = $3, problem_code = $4, problem_values = $5::text::jsonb, result_id = $6,
            kept = $7::text::jsonb, trace_id = $8, lease_until = NULL
        WHERE case_id = $1 AND name = $2
        """,
        case_id,
        name,
        state.value,
        problem_code,
        json.dumps(dict(problem_values or {})),
        result_id,
        json.dumps(dict(kept or {})),
        trace_id,
    )


async def skip_steps(tx: Transaction, case_id: UUID) -> None:
    """Mark what will not be done any more."""
    await tx.execute(
        "UPDATE case_step SET state = 'SKIPPED' WHERE case_id = $1 AND state IN ('WAITING', 'WORKING', 'REFUSED')",
        case_id,
    )


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that a worker has for a while."""

    case_id: UUID
    name: str
    attempts: int


TAKE = """
    UPDATE case_step SET attempts = attempts + 1, lease_until = clock_timestamp() + make_interval(secs => $1)
    WHERE (case_id, name) IN (
        SELECT case_id, name FROM case_step
        WHERE state = 'WORKING' AND due <= clock_timestamp()
          AND (lease_until IS NULL OR lease_until <= clock_timestamp())
        ORDER BY due LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING case_id, name, attempts
"""
LATER = """
    UPDATE case_step SET lease_until = NULL, due = clock_timestamp() + make_interval(secs => $4),
        problem_code = $5, trace_id = $6
    WHERE case_id = $1 AND name = $2 AND attempts = $3 AND state = 'WORKING'
"""


# Events and messages --------------------------------------------------------------------------------------------------


async def add_event(
    tx: Transaction, row: CaseRow, kind: str, *, actor: str, detail: Mapping[str, str], trace: str
) -> None:
    """Write what happened; the case is locked, so the next number is nobody else's."""
    await tx.execute(
        """
        INSERT INTO case_event (case_id, number, event_time, business_date, kind, detail, state, actor, trace_id)
        SELECT $1, coalesce(max(number), 0) + 1, clock_timestamp(), $2, $3, $4::text::jsonb, $5, $6, $7
        FROM case_event WHERE case_id = $1
        """,
        row.case_id,
        tx.today,
        kind,
        json.dumps(dict(detail)),
        row.state.value,
        actor,
        trace,
    )


async def events(tx: Transaction, case_ids: Sequence[UUID]) -> list[EventRow]:
    """What happened, oldest first."""
    rows = await tx.fetch(
        "SELECT event_time, business_date, kind, detail::text, state, actor, trace_id FROM case_event "
        "WHERE case_id = ANY($1::uuid[]) ORDER BY event_time, number",
        list(case_ids),
    )
    return [
        EventRow(
            row["event_time"],
            row["business_date"],
            row["kind"],
            json.loads(row["detail"]),
            State(row["state"]),
            row["actor"],
            row["trace_id"],
        )
        for row in rows
    ]


async def corrections(tx: Transaction, case_id: UUID) -> int:
    """How often a case was handed in corrected."""
    row = await tx.fetchrow("SELECT count(*) FROM case_event WHERE case_id = $1 AND kind = 'corrected'", case_id)
    assert row is not None
    return int(row["count"])


async def add_message(tx: Transaction, row: CaseRow, kind: str, detail: Mapping[str, str]) -> None:
    """Write a message to the person of a case; a part of a bundle speaks in the bundle's name."""
    if row.person_id is None:
        return
    await tx.execute(
        "INSERT INTO case_message (message_id, person_id, case_id, kind, detail, message_time) "
        "VALUES ($1, $2, $3, $4, $5::text::jsonb, $6)",
        ids.new_id(),
        row.person_id,
        row.parent_id or row.case_id,
        kind,
        json.dumps(dict(detail)),
        tx.now,
    )


async def messages(tx: Transaction, person_id: UUID, *, before: UUID | None, limit: int) -> list[MessageRow]:
    """Messages to a person, newest first."""
    rows = await tx.fetch(
        """
        SELECT message_id, case_no, kind, detail::text, message_time
        FROM case_message JOIN case_file USING (case_id)
        WHERE case_message.person_id = $1 AND ($2::uuid IS NULL OR message_id < $2)
        ORDER BY message_id DESC LIMIT $3
        """,
        person_id,
        before,
        limit,
    )
    return [
        MessageRow(row["message_id"], row["case_no"], row["kind"], json.loads(row["detail"]), row["message_time"])
        for row in rows
    ]


# Tracking -------------------------------------------------------------------------------------------------------------


async def wrong_guesses(tx: Transaction, case_id: UUID) -> int:
    """How often wrong characters were given for a case today."""
    row = await tx.fetchrow("SELECT wrong_count FROM case_guess WHERE case_id = $1 AND day = $2", case_id, tx.today)
    return int(row["wrong_count"]) if row else 0


async def count_wrong_guess(tx: Transaction, case_id: UUID) -> None:
    """Count one more."""
    await tx.execute(
        """
        INSERT INTO case_guess AS mine (case_id, day, wrong_count) VALUES ($1, $2, 1)
        ON CONFLICT (case_id) DO UPDATE SET day = excluded.day,
            wrong_count = CASE WHEN mine.day = excluded.day THEN mine.wrong_count + 1 ELSE 1 END
        """,
        case_id,
        tx.today,
    )


# Values ---------------------------------------------------------------------------------------------------------------


def seal_form(tx: Transaction, case_id: UUID, form: bytes) -> bytes:
    """A form sealed for its case."""
    return tx.database.sealer.seal("case_file", "form", case_id, form)


def open_form(tx: Transaction, row: CaseRow) -> bytes:
    """The form of a case."""
    return tx.database.sealer.open("case_file", "form", row.case_id, row.form_sealed)


def tail_index(tx: Transaction, case_id: UUID, last_four: str) -> bytes:
    """What the last four characters of a number are compared by; for each case another."""
    return tx.database.sealer.blind_index("case_tail", f"{case_id.hex}|{last_four.strip().upper()}")


def hands(row: CaseRow) -> set[str]:
    """The humans who filled in or handed in a case, as far as their logins say who they are."""
    return {row.applicant["natural_person"], *row.applicant.get("hands", ())} - {""}


def to_snapshot(principal: Principal) -> dict[str, Any]:
    """A principal as it is kept with the steps that it caused."""
    return {
        "subject": principal.subject,
        "client": principal.client,
        "roles": sorted(principal.roles),
        "scopes": sorted(principal.scopes),
        "person_id": ids.to_text("per", principal.person_id) if principal.person_id else "",
        "employer_ids": sorted(ids.to_text("emp", one) for one in principal.employer_ids),
        "acr": principal.acr,
        "natural_person": principal.natural_person,
    }


def of_snapshot(kept: Mapping[str, Any], *, purpose: str = "", case_no: str = "") -> Principal:
    """The principal of a snapshot, at work on a case."""
    return Principal(
        subject=kept["subject"],
        client=kept["client"],
        roles=frozenset(kept["roles"]),
        scopes=frozenset(kept["scopes"]),
        person_id=ids.parse("per", kept["person_id"]) if kept["person_id"] else None,
        employer_ids=frozenset(ids.parse("emp", one) for one in kept["employer_ids"]),
        acr=kept["acr"],
        purpose=purpose,
        case_no=case_no,
        natural_person=kept["natural_person"],
    )


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


def _step(row: asyncpg.Record) -> StepRow:
    values = {name: row[name] for name in _STEP_NAMES}
    for name in _STEP_JSON:
        values[name] = json.loads(values[name])
    return StepRow(**{**values, "state": StepState(values["state"]), "phase": Phase(values["phase"])})
