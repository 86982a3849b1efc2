"""What is shown of cases: to their people, to staff (audited), and without a login."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID

from chassis import paging
from hrss.gateway.v1 import cases_service_pb2 as pb
from services.gateway.cases import forms, store
from services.gateway.cases.domain import clock
from services.gateway.cases.effects import all as catalog
from services.gateway.cases.operations import applying, progress
from services.gateway.cases.policy import Terms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chassis.transaction import Transaction
    from services.gateway.cases.desk import Desk
    from services.gateway.cases.store import CaseRow, EventRow, MessageRow, StepRow

WRONG_GUESSES_MAX = 5  # a day and case: ten thousand possible endings are not tried in five years
_NOT_WRITTEN = frozenset({"code", "step", "problem"})  # of an event's details: codes, nobody's words or figures


@dataclass(frozen=True, slots=True)
class ClockShown:
    """A clock with its days worked out."""

    start: date | None
    promised: date | None
    legal: date | None
    used: int
    is_stopped: bool
    is_overdue: bool
    is_provisional: bool


@dataclass(frozen=True, slots=True)
class PartShown:
    """A part of a bundle with its own case, if its turn has come."""

    terms: Terms
    row: CaseRow | None
    promised: date | None
    problem: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A case with all that is shown beside it."""

    row: CaseRow
    terms: Terms
    clock: ClockShown
    parent_no: str
    steps: Sequence[StepRow]
    parts: Sequence[PartShown]
    form: pb.CaseForm | None
    is_accepted_by_caller: bool


@dataclass(frozen=True, slots=True)
class Page:
    """A page of cases."""

    cases: Sequence[Shown]
    next_page_token: str
    counts: Mapping[str, int]


async def case(tx: Transaction, desk: Desk, case_no: str) -> Shown:
    """A case as it stands, with its masked form.

    Raises:
        NotFound: CASE_NOT_FOUND.
    """
    row = await applying.own(tx, case_no, lock=False)
    if tx.principal.is_staff:
        tx.audit(tx.method, person_id=row.person_id, detail={"case_no": row.shown_no})
    return await show(tx, desk, row)


async def events(tx: Transaction, case_no: str) -> tuple[CaseRow, Sequence[EventRow]]:
    """What happened to a case, oldest first.

    Raises:
        NotFound: CASE_NOT_FOUND.
    """
    row = await applying.own(tx, case_no, lock=False)
    if tx.principal.is_staff or "OPERATOR" in tx.principal.roles:  # who looks for its traces is written down too
        tx.audit(tx.method, person_id=row.person_id, detail={"case_no": row.shown_no})
    happened = await store.events(tx, [row.case_id])
    if not tx.principal.is_staff and "OPERATOR" in tx.principal.roles:  # what people wrote is not for operators
        happened = [
            replace(one, detail={key: value for key, value in one.detail.items() if key in _NOT_WRITTEN})
            for one in happened
        ]
    return row, happened


async def of_person(tx: Transaction, desk: Desk, person_id: UUID, *, size: int, token: str) -> Page:
    """Cases of a person, newest first.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=size, token=token, query=f"cases of {person_id}")
    before = UUID(page.after) if page.after else None
    rows = await store.of_person(tx, person_id, before=before, limit=page.size + 1)
    shown = [await show(tx, desk, row, is_short=True) for row in rows[: page.size]]
    following = paging.following(tx, page, str(shown[-1].row.case_id)) if len(rows) > page.size else ""
    return Page(shown, following, {})


async def queue(tx: Transaction, desk: Desk, kind: str, *, code: str, size: int, token: str) -> Page:
    """Cases that wait for staff, most urgent first; each one that is listed is noted as seen.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=size, token=token, query=f"queue {kind} {code}")
    after: tuple[date, UUID] | None = None
    if page.after:
        day, _, case_id = page.after.partition("|")
        after = date.fromisoformat(day), UUID(case_id)
    bundles = sorted(catalog.BUNDLES)
    rows = await store.queue(tx, kind, code=code, bundles=bundles, after=after, limit=page.size + 1)
    for row in rows[: page.size]:
        tx.audit(tx.method, person_id=row.person_id, detail={"case_no": row.shown_no})
    shown = [await show(tx, desk, row, is_short=True) for row in rows[: page.size]]
    following = ""
    if len(rows) > page.size:
        last = shown[-1].row
        following = paging.following(tx, page, f"{last.promised_date or last.submit_date}|{last.case_id}")
    return Page(shown, following, await store.counts(tx, bundles))


async def messages(tx: Transaction, person_id: UUID, *, size: int, token: str) -> tuple[Sequence[MessageRow], str]:
    """Messages to a person, newest first.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=size, token=token, query=f"messages to {person_id}")
    before = UUID(page.after) if page.after else None
    rows = await store.messages(tx, person_id, before=before, limit=page.size + 1)
    shown = rows[: page.size]
    following = paging.following(tx, page, str(shown[-1].message_id)) if len(rows) > page.size else ""
    return shown, following


async def track(tx: Transaction, desk: Desk, case_no: str, last_four: str) -> Shown | None:
    """A case for whoever knows its number and the end of the identity number; None for anybody else.

    After some wrong guesses the right answer is a no as well, until the next day.
    """
    row = await store.find(tx, case_no, lock=True)  # one guess after the other: many at once would all be the first
    if row is None or row.tail_index is None:
        return None
    given = store.tail_index(tx, row.case_id, last_four)
    is_locked = await store.wrong_guesses(tx, row.case_id) >= WRONG_GUESSES_MAX
    if is_locked:
        return None
    if not hmac.compare_digest(given, row.tail_index):
        await store.count_wrong_guess(tx, row.case_id)
        return None
    return await show(tx, desk, row, is_short=True)


async def show(tx: Transaction, desk: Desk, row: CaseRow, *, is_short: bool = False) -> Shown:
    """A case with what is shown beside it."""
    terms = _terms(desk, row, row.submit_date or tx.today)
    parts: list[PartShown] = []
    if catalog.is_bundle(row.code):
        kids = await store.children(tx, row.case_id)
        parts = [
            PartShown(
                terms=_item_terms(desk, part.code, tx.today),
                row=(kid := kids.get(part.code)),
                promised=_clock(desk, kid, tx.today).promised if kid else None,
                problem=kid.problem_code if kid else row.kept.get(part.code, ""),
            )
            for part in catalog.BUNDLES[row.code].parts
        ]
    form = None
    if not is_short:
        form = forms.masked(pb.CaseForm.FromString(store.open_form(tx, row)))
    return Shown(
        row=row,
        terms=terms,
        clock=_clock(desk, row, tx.today),
        parent_no=(await store.get(tx, row.parent_id)).case_no if row.parent_id else "",
        steps=() if is_short else await store.steps(tx, row.case_id),
        parts=parts,
        form=form,
        is_accepted_by_caller=bool(row.acceptor) and row.acceptor == tx.principal.known_person,
    )


def _terms(desk: Desk, row: CaseRow, on: date) -> Terms:
    return _item_terms(desk, row.code, on)


def _item_terms(desk: Desk, code: str, on: date) -> Terms:
    return desk.policy.terms(code, on) or Terms(code, code, code)


def _clock(desk: Desk, row: CaseRow, today: date) -> ClockShown:
    """The days of a clock as they are today; those of an ended case as they were."""
    own, until = row.clock, row.end_date or today
    stands = own.start is not None and not own.is_running
    if row.end_date is not None or own.is_running or row.promise_days is None:
        promised = row.promised_date
    else:
        promised = clock.due(own, row.promise_days, today, desk.calendar)
    legal = None
    if row.limit_days is not None:
        base = own if row.end_date is None or own.start is None else clock.Clock(own.start, 0, own.start)
        legal = clock.due(base, row.limit_days, until, desk.calendar)
    last = max((day for day in (promised, legal, until) if day is not None), default=until)
    return ClockShown(
        start=own.start,
        promised=promised,
        legal=legal,
        used=clock.used(own, until, desk.calendar),
        is_stopped=stands and row.end_date is None,
        is_overdue=progress.is_open(row) and not stands and promised is not None and promised < today,
        is_provisional=own.start is not None and clock.is_provisional(desk.calendar, own.start, last),
    )
