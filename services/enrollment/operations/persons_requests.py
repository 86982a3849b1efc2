"""What waits for a second person: changes of identity, corrected deaths, mergers. Approved, it takes effect at once."""

import json
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from chassis import approval, paging
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import NotFound, Refused
from services.enrollment.operations import persons_death, persons_history, persons_merging
from services.enrollment.operations.office import Office
from services.enrollment.persons import (
    IDENTITY,
    Cause,
    ChangePerson,
    DeathSource,
    Merge,
    RecordDeath,
    Request,
    RequestKind,
    RequestState,
)
from services.enrollment.store import persons_requests as requests

KIND = "person_request"
_DATES = frozenset({"birth_date"})


async def change_person(tx: Transaction, command: ChangePerson, office: Office) -> Request:
    """Change or correct a record; what says who somebody is waits for a second person.

    Raises:
        DomainError: As `persons_history.plan`.
    """
    await persons_history.plan(tx, command, office)
    if IDENTITY.isdisjoint(command.values):
        await persons_history.apply(tx, command, office)
        return await _done(tx, command.person_id, RequestKind.CHANGE, command.evidence)
    payload = {
        "cause": command.cause.value,
        "day": command.day.isoformat() if command.day else None,
        "values": {name: str(value) for name, value in command.values.items()},
    }
    return await _ask(tx, command.person_id, RequestKind.CHANGE, payload, command.evidence)


async def record_death(tx: Transaction, command: RecordDeath) -> tuple[Request, Sequence[Month]]:
    """Record a death at once, or ask to correct one; the months after it that are billed.

    Raises:
        DomainError: As `persons_death.check`.
    """
    if await persons_death.check(tx, command) is None:
        billed = await persons_death.apply(tx, command)
        return await _done(tx, command.person_id, RequestKind.DEATH, command.evidence), billed
    payload = {
        "day": command.day.isoformat() if command.day else None,
        "source": command.source.value if command.source else None,
    }
    return await _ask(tx, command.person_id, RequestKind.DEATH, payload, command.evidence), []


async def merge(tx: Transaction, command: Merge) -> Request:
    """Ask to make two records one.

    Raises:
        DomainError: As `persons_merging.check`.
    """
    await persons_merging.check(tx, command)
    return await _ask(tx, command.survivor_id, RequestKind.MERGE, {}, command.evidence, other_id=command.other_id)


async def unmerge(tx: Transaction, command: Merge) -> Request:
    """Ask to take a merger back.

    Raises:
        DomainError: As `persons_merging.check_undo`.
    """
    await persons_merging.check_undo(tx, command)
    return await _ask(tx, command.survivor_id, RequestKind.UNMERGE, {}, command.evidence, other_id=command.other_id)


async def decide(tx: Transaction, request_id: UUID, *, approve: bool, reason: str, office: Office) -> Request:
    """Approve or reject as another natural person; approved, it takes effect.

    Raises:
        NotFound: PERSON_REQUEST_NOT_FOUND.
        Forbidden: SECOND_PERSON_REQUIRED.
        Refused: APPROVAL_DECIDED, and whatever stands in the way by now.
    """
    found = await requests.lock_request(tx, request_id)
    if found is None:
        raise NotFound("PERSON_REQUEST_NOT_FOUND", "no such request")
    request, payload, approval_id = found
    if payload is None or approval_id is None:
        raise Refused("APPROVAL_DECIDED", "this was decided before", state=request.state)
    await approval.decide(tx, approval_id, approve=approve, reason=reason)
    if approve:
        await approval.execute(tx, approval_id, kind=KIND, subject=_subject(request), payload=payload)
        await _apply(tx, request, json.loads(payload), office)
    state = RequestState.DONE if approve else RequestState.REJECTED
    await requests.close_request(tx, request_id, state)
    detail = {"person_request_id": ids.to_text("prq", request_id), "state": state.value}
    tx.audit("DecidePersonRequest", person_id=request.person_id, detail=detail)
    return Request(
        request_id, request.person_id, request.kind, state, request.other_id, request.evidence, request.created
    )


async def list_waiting(tx: Transaction, *, size: int, token: str) -> tuple[Sequence[Request], str]:
    """A page of what waits, oldest first, and the token of the next.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=size, token=token, query="person requests")
    rows = await requests.waiting(tx, UUID(hex=page.after) if page.after else None, page.size + 1)
    shown = rows[: page.size]
    return shown, paging.following(tx, page, shown[-1].request_id.hex) if len(rows) > page.size else ""


async def _apply(tx: Transaction, request: Request, plain: dict[str, Any], office: Office) -> None:
    if request.kind is RequestKind.CHANGE:
        values = {name: date.fromisoformat(text) if name in _DATES else text for name, text in plain["values"].items()}
        day = persons_death.day_of(plain["day"])
        command = ChangePerson(request.person_id, Cause(plain["cause"]), day, values, request.evidence)
        await persons_history.apply(tx, command, office)
    elif request.kind is RequestKind.DEATH:
        source = DeathSource(plain["source"]) if plain["source"] else None
        day = persons_death.day_of(plain["day"])
        await persons_death.apply(tx, RecordDeath(request.person_id, day, source, request.evidence))
    else:
        assert request.other_id is not None  # the table holds mergers with both records
        command_ = Merge(request.person_id, request.other_id, request.evidence)
        await (persons_merging.apply if request.kind is RequestKind.MERGE else persons_merging.undo)(tx, command_)


async def _ask(
    tx: Transaction,
    person_id: UUID,
    kind: RequestKind,
    values: dict[str, Any],
    evidence: str,
    *,
    other_id: UUID | None = None,
) -> Request:
    request_id = ids.new_id()
    payload = requests.to_payload({**values, "evidence": evidence, "other": other_id.hex if other_id else ""})
    subject = f"{kind}:{ids.to_text('per', person_id)}"
    approval_id = await approval.request(tx, kind=KIND, subject=subject, payload=payload)
    asked = await requests.add_request(
        tx,
        request_id,
        person_id=person_id,
        kind=kind,
        evidence=evidence,
        payload=payload,
        approval_id=approval_id,
        other_id=other_id,
    )
    detail = {"person_request_id": ids.to_text("prq", request_id), "kind": kind.value, "evidence": evidence}
    tx.audit("AskPersonRequest", person_id=person_id, detail=detail)
    return asked


async def _done(tx: Transaction, person_id: UUID, kind: RequestKind, evidence: str) -> Request:
    return await requests.add_request(
        tx, ids.new_id(), person_id=person_id, kind=kind, evidence=evidence, payload=None, approval_id=None
    )


def _subject(request: Request) -> str:
    return f"{request.kind}:{ids.to_text('per', request.person_id)}"
