"""What staff do: accept, decline, request corrections, decide, retry. Acceptor and decider are two natural persons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.errors import InvalidInput, Refused
from services.gateway.cases import facts, store
from services.gateway.cases.domain import clock
from services.gateway.cases.domain.states import Action, StepState, after, wrong
from services.gateway.cases.effects import all as catalog
from services.gateway.cases.effects.model import Phase
from services.gateway.cases.operations import progress
from services.gateway.cases.operations.applying import is_about, same_person

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.transaction import Transaction
    from services.gateway.cases.desk import Desk
    from services.gateway.cases.store import CaseRow, StepRow

REASON_MIN, REASON_MAX = 2, 500
POINTS_MAX, POINT_MAX = 20, 200


async def accept(tx: Transaction, desk: Desk, case_no: str) -> CaseRow:
    """Accept a case, first person; its service begins to prepare it.

    Raises:
        NotFound: CASE_NOT_FOUND.
        Refused: CASE_STATE_WRONG, also while a service has refused what was handed in.
        Forbidden: SAME_PERSON, NATURAL_PERSON_REQUIRED.
    """
    row = await _for_staff(tx, case_no)
    if row.is_stuck or catalog.is_bundle(row.code):
        raise wrong(row.state)
    after(row.state, Action.ACCEPT)
    row.acceptor = tx.principal.acting_person
    await progress.take_on(tx, desk, row)
    await progress.tell(tx, row, "accepted")
    await progress.add_steps(tx, row, Phase.ACCEPT, tx.principal)
    await progress.advance(tx, desk, row)
    return row


async def decline(tx: Transaction, desk: Desk, case_no: str, reason: str) -> CaseRow:
    """Decline a case (不予受理).

    Raises:
        NotFound: CASE_NOT_FOUND.
        Refused: CASE_STATE_WRONG, also once a service holds a claim: then a no needs two persons.
        InvalidInput: REASON_REQUIRED.
        Forbidden: SAME_PERSON.
    """
    row = await _for_staff(tx, case_no)
    state = after(row.state, Action.DECLINE)
    await _nothing_held(tx, row)
    row.state, row.reason = state, _reason(reason)
    await store.skip_steps(tx, row.case_id)
    await progress.end(tx, desk, row, "declined", reason=row.reason)
    return row


async def request_correction(tx: Transaction, desk: Desk, case_no: str, points: Sequence[str]) -> CaseRow:
    """Send a case back with every point at once (一次性告知); the clock stands still.

    Raises:
        NotFound: CASE_NOT_FOUND.
        Refused: CASE_STATE_WRONG, also once a service holds a claim: it would not hear of another form.
        InvalidInput: CORRECTION_POINTS_REQUIRED.
        Forbidden: SAME_PERSON.
    """
    row = await _for_staff(tx, case_no)
    given = [point.strip() for point in points]
    if not 0 < len(given) <= POINTS_MAX or not all(0 < len(point) <= POINT_MAX for point in given):
        message = f"1 to {POINTS_MAX} points of at most {POINT_MAX} characters"
        raise InvalidInput("CORRECTION_POINTS_REQUIRED", message, field="points")
    row.state = after(row.state, Action.REQUEST_CORRECTION, is_stuck=row.is_stuck)
    steps = await _nothing_held(tx, row)
    row.points, row.is_stuck = given, False
    row.clock = clock.stopped(row.clock, tx.today, desk.calendar)
    for step in steps:
        if step.state is not StepState.DONE:
            await store.end_step(tx, row.case_id, step.name, StepState.SKIPPED)
    await store.save(tx, row)
    shown = "；".join(given)
    await progress.note(tx, row, "correction_requested", points=shown)
    await progress.tell(tx, row, "correction_requested", points=shown)
    return row


async def approve(tx: Transaction, desk: Desk, case_no: str, digest: str) -> CaseRow:
    """Approve exactly what was shown, second person.

    Raises:
        NotFound: CASE_NOT_FOUND.
        Refused: CASE_STATE_WRONG; CASE_CHANGED: what was shown is not what would be approved.
        Forbidden: SAME_PERSON, NATURAL_PERSON_REQUIRED.
    """
    row = await _for_staff(tx, case_no)
    state = after(row.state, Action.APPROVE)
    _second_person(tx, row)
    if digest != row.statement_digest:
        raise Refused("CASE_CHANGED", "the statement is not the one that was shown")
    row.state, row.outcome = state, "APPROVED"
    await store.save(tx, row)
    await progress.note(tx, row, "approved")
    await progress.tell(tx, row, "approved")
    tx.emit(facts.decided(row, is_approved=True))
    await progress.add_steps(tx, row, Phase.APPROVE, tx.principal)
    await progress.advance(tx, desk, row)
    return row


async def reject(tx: Transaction, desk: Desk, case_no: str, reason: str) -> CaseRow:
    """Reject a case with the reason, second person; also one of which a service has refused a step.

    Raises:
        NotFound: CASE_NOT_FOUND.
        Refused: CASE_STATE_WRONG.
        InvalidInput: REASON_REQUIRED.
        Forbidden: SAME_PERSON, NATURAL_PERSON_REQUIRED.
    """
    row = await _for_staff(tx, case_no)
    state = after(row.state, Action.REJECT, is_stuck=row.is_stuck)
    _second_person(tx, row)
    row.reason, row.outcome = _reason(reason), "REJECTED"
    refused = next((step for step in await store.steps(tx, row.case_id) if step.state is StepState.REFUSED), None)
    if refused is not None:
        row.problem_code, row.problem_values = refused.problem_code, refused.problem_values
    row.state = state
    await store.skip_steps(tx, row.case_id)
    tx.emit(facts.decided(row, is_approved=False))
    await progress.end(tx, desk, row, "rejected", reason=row.reason)
    await progress.add_steps(tx, row, Phase.REJECT, tx.principal)
    await progress.advance(tx, desk, row)
    return row


async def retry(tx: Transaction, desk: Desk, case_no: str) -> CaseRow:
    """Have a refused step tried once more, in the name of whoever caused it.

    Raises:
        NotFound: CASE_NOT_FOUND.
        Refused: CASE_STATE_WRONG.
        Forbidden: SAME_PERSON.
    """
    row = await _for_staff(tx, case_no)
    if not row.is_stuck:
        raise wrong(row.state)
    row.is_stuck = False
    await store.save(tx, row)
    for step in await store.steps(tx, row.case_id):
        if step.state is StepState.REFUSED:
            await store.begin_step(tx, row.case_id, step.name)
            tx.after_commit(desk.work_added.set)
    await progress.note(tx, row, "retried")
    return row


async def _for_staff(tx: Transaction, case_no: str) -> CaseRow:
    """The case, locked, for somebody whose own it is not."""
    row = await store.find(tx, case_no, lock=True)
    if row is None:
        raise store.not_found()
    if is_about(tx.principal, row.person_id):
        raise same_person()
    return row


async def _nothing_held(tx: Transaction, row: CaseRow) -> Sequence[StepRow]:
    """The steps, held still, of a case from which no service has made anything yet."""
    steps = await progress.idle_steps(tx, row)
    if any(step.state is StepState.DONE and step.result_id for step in steps):
        raise Refused("CASE_STATE_WRONG", "a service holds what was applied for", state=row.state.value)
    return steps


def _second_person(tx: Transaction, row: CaseRow) -> None:
    """Note who decides; never who handed it in at the counter or accepted it."""
    row.decider = tx.principal.acting_person
    if row.decider in {row.acceptor, *store.hands(row)}:
        raise same_person()


def _reason(text: str) -> str:
    reason = text.strip()
    if not REASON_MIN <= len(reason) <= REASON_MAX:
        message = f"a reason has {REASON_MIN} to {REASON_MAX} characters"
        raise InvalidInput("REASON_REQUIRED", message, field="reason")
    return reason
