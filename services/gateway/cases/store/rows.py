"""The rows of cases as values, and who filled them in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chassis.principal import Principal
from kernel import ids
from services.gateway.cases.domain import number
from services.gateway.cases.domain.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime
    from uuid import UUID

    from services.gateway.cases.domain.states import State, StepState
    from services.gateway.cases.effects.model import Phase


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
