"""How a case goes on: phases become steps, steps become states, parts become bundles, ends are told to everybody.

Every function here works inside the transaction of what causes it, with the case locked, so that after a crash a case
stands before or after a move and never between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis import telemetry
from hrss.gateway.v1 import cases_service_pb2 as pb
from kernel import ids
from kernel.errors import Refused
from services.gateway.cases import facts, forms, store
from services.gateway.cases.domain import clock, number
from services.gateway.cases.domain.states import ENDED, OPEN, Action, State, StepState, after
from services.gateway.cases.effects import all as catalog
from services.gateway.cases.effects.model import Phase, Work
from services.gateway.cases.policy import region_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from chassis.principal import Principal
    from chassis.transaction import Transaction
    from services.gateway.cases.desk import Desk
    from services.gateway.cases.store import CaseRow, StepRow

_PHASE_PLACE = {Phase.SUBMIT: 0, Phase.ACCEPT: 100, Phase.APPROVE: 200, Phase.REJECT: 300}


async def submit(tx: Transaction, desk: Desk, row: CaseRow, action: Action) -> None:
    """Hand a case in, for the first time or corrected; an instant one is taken on at once.

    Raises:
        Refused: CASE_STATE_WRONG.
        AlreadyExists: CASE_OPEN_ALREADY.
    """
    row.state = after(row.state, action)
    row.submit_date = row.submit_date or tx.today
    row.points = []
    applicant = store.of_snapshot(row.applicant)
    await store.save(tx, row)
    await note(tx, row, "submitted" if action is Action.SUBMIT else "corrected")
    if action is Action.SUBMIT:
        parent_no = (await store.get(tx, row.parent_id)).case_no if row.parent_id else ""
        tx.emit(facts.submitted(row, parent_no))
    if catalog.is_bundle(row.code):
        await tell(tx, row, "submitted")
        await take_on(tx, desk, row)
        await advance_bundle(tx, desk, row.case_id)
        return
    item = catalog.ITEMS[row.code]
    await add_steps(tx, row, Phase.SUBMIT, applicant)
    if item.is_instant and not item.waits(applicant):
        await take_on(tx, desk, row)
        await add_steps(tx, row, Phase.ACCEPT, applicant)
    else:
        await tell(tx, row, "submitted")
    await advance(tx, desk, row)


async def take_on(tx: Transaction, desk: Desk, row: CaseRow) -> None:
    """Accept a case (受理): its clock starts, or goes on."""
    row.state = after(row.state, Action.ACCEPT)
    terms = desk.policy.terms(row.code, tx.today)
    assert terms is not None
    row.promise_days, row.limit_days = terms.promise_days, terms.limit_days
    row.clock = clock.started(row.clock, tx.today)
    if row.promise_days is not None:
        row.promised_date = clock.due(row.clock, row.promise_days, tx.today, desk.calendar)
    await store.save(tx, row)
    await note(tx, row, "accepted")
    tx.emit(facts.accepted(row))


async def add_steps(tx: Transaction, row: CaseRow, phase: Phase, principal: Principal) -> None:
    """Write the steps of a phase, to be worked on in the name of whoever caused it."""
    parent = telemetry.traceparent()
    for place, step in enumerate(catalog.ITEMS[row.code].of(phase), start=_PHASE_PLACE[phase]):
        await store.add_step(tx, row, step.name, place=place, phase=phase, principal=principal, traceparent=parent)


async def idle_steps(tx: Transaction, row: CaseRow) -> list[StepRow]:
    """The steps, held still: nobody works on one, and of every call that was made the answer is known.

    Raises:
        Refused: CASE_STATE_WRONG: what its service makes of a step is not known yet.
    """
    steps = await store.steps(tx, row.case_id, lock=True)
    if any(step.state is StepState.WORKING and step.attempts for step in steps):
        raise Refused("CASE_STATE_WRONG", "a service is working on it", state=row.state.value)
    return steps


async def advance(tx: Transaction, desk: Desk, row: CaseRow) -> None:
    """Let the next step's turn come, or go on when all are done."""
    for step in await store.steps(tx, row.case_id):
        if step.state in {StepState.DONE, StepState.SKIPPED}:
            continue
        if step.state is StepState.WAITING:
            await store.begin_step(tx, row.case_id, step.name)
            tx.after_commit(desk.work_added.set)
        return
    if row.state is State.ACCEPTED and not catalog.ITEMS[row.code].is_instant:
        row.state = after(row.state, Action.PREPARE)
        await store.save(tx, row)
        await note(tx, row, "prepared")
    elif row.state in {State.ACCEPTED, State.APPROVED}:
        await deliver(tx, desk, row)


async def deliver(tx: Transaction, desk: Desk, row: CaseRow) -> None:
    """Come to the good end."""
    was_decided = row.state is State.APPROVED
    row.state, row.outcome = after(row.state, Action.DELIVER), "APPROVED"
    row.kept |= catalog.ITEMS[row.code].keep(work_of(tx, row, ()))
    if not was_decided:
        tx.emit(facts.decided(row, is_approved=True))
    await end(tx, desk, row, "delivered")


async def refuse(tx: Transaction, desk: Desk, row: CaseRow, step: str, *, code: str, values: Mapping[str, str]) -> None:
    """A service refused a step for good: an instant case ends with that, another one waits for staff."""
    await store.end_step(
        tx,
        row.case_id,
        step,
        StepState.REFUSED,
        problem_code=code,
        problem_values=values,
        trace_id=telemetry.trace_id(),
    )
    await note(tx, row, "step_refused", **{**values, "step": step, "problem": code})
    if not catalog.ITEMS[row.code].is_instant or row.state not in {State.SUBMITTED, State.ACCEPTED}:
        await stick(tx, row)
        return
    row.state, row.outcome = after(row.state, Action.REFUSE), "REJECTED"
    row.problem_code, row.problem_values = code, dict(values)
    tx.emit(facts.decided(row, is_approved=False))
    await end(tx, desk, row, "refused", **{**values, "problem": code})


async def stick(tx: Transaction, row: CaseRow) -> None:
    """Put a case before staff: it does not go on by itself."""
    row.is_stuck = True
    await store.save(tx, row)


async def end(tx: Transaction, desk: Desk, row: CaseRow, kind: str, **detail: str) -> None:
    """Come to an end: the clock stands, the form is wiped of what nothing needs any more, everybody is told."""
    row.end_date = tx.today
    row.clock = clock.stopped(row.clock, tx.today, desk.calendar)
    row.is_stuck = False
    form = pb.CaseForm.FromString(store.open_form(tx, row))
    row.form_sealed = store.seal_form(tx, row.case_id, forms.masked(form).SerializeToString())
    await store.save(tx, row)
    await note(tx, row, kind, **detail)
    await tell(tx, row, kind, **detail)
    tx.emit(facts.closed(row))
    tx.after_commit(lambda: desk.moved(row.case_id))
    if row.parent_id is not None:
        await advance_bundle(tx, desk, row.parent_id)


def work_of(tx: Transaction, row: CaseRow, steps: Sequence[StepRow]) -> Work:
    """What the steps of a case are made from."""
    return Work(
        person_id=ids.to_text("per", row.person_id) if row.person_id else "",
        form=pb.CaseForm.FromString(store.open_form(tx, row)),
        results={step.name: step.kept for step in steps if step.state is StepState.DONE},
        digest=row.statement_digest,
        reason=row.reason,
        submit_date=row.submit_date or tx.today,
    )


# Bundles --------------------------------------------------------------------------------------------------------------


async def advance_bundle(tx: Transaction, desk: Desk, parent_id: UUID) -> None:
    """Begin every part whose turn has come; end the bundle when nothing can come any more.

    A part that was refused takes nothing back: what is done stays done, and the bundle says what is left.
    """
    parent = await store.get(tx, parent_id, lock=True)
    while parent.state is State.ACCEPTED:
        kids = await store.children(tx, parent_id)
        code = next((code for code in _due_parts(parent, kids)), None)
        if code is None:
            break
        await _begin_part(tx, desk, parent, code, kids)
        parent = await store.get(tx, parent_id, lock=True)  # a part that ended at once has moved it
    if parent.state is not State.ACCEPTED:
        return
    parts = catalog.BUNDLES[parent.code].parts
    if any(kid.state not in ENDED for kid in kids.values()) or any(
        part.code not in kids and not is_blocked(parent, part.code, kids) for part in parts
    ):
        return
    done = [code for code, kid in kids.items() if kid.state is State.DELIVERED]
    if len(done) == len(parts):
        action, kind, parent.outcome = Action.DELIVER, "delivered", "APPROVED"
    elif done:
        action, kind = Action.LEAVE, "partly_done"
    else:
        action, kind, parent.outcome = Action.REFUSE, "refused", "REJECTED"
        first = next(kid for kid in kids.values())
        parent.problem_code, parent.problem_values = first.problem_code, first.problem_values
    parent.state = after(parent.state, action)
    last = [kids[part.code].result_id for part in parts if part.code in done and kids[part.code].result_id]
    parent.result_id = last[-1] if last else ""
    tx.emit(facts.decided(parent, is_approved=bool(done)))
    detail = {"problem": parent.problem_code, **parent.problem_values} if parent.problem_code else {}
    await end(tx, desk, parent, kind, **detail)


def is_blocked(parent: CaseRow, code: str, kids: Mapping[str, CaseRow]) -> bool:
    """Whether the turn of a part will never come."""
    if code in kids:
        return False
    if code in parent.kept:  # could not be begun
        return True
    return any(
        is_blocked(parent, need, kids) or (need in kids and kids[need].state in ENDED - {State.DELIVERED})
        for need in catalog.BUNDLES[parent.code].needs(code)
    )


def _due_parts(parent: CaseRow, kids: Mapping[str, CaseRow]) -> list[str]:
    return [
        part.code
        for part in catalog.BUNDLES[parent.code].parts
        if part.code not in kids
        and part.code not in parent.kept
        and all(need in kids and kids[need].state is State.DELIVERED for need in part.needs)
    ]


async def _begin_part(tx: Transaction, desk: Desk, parent: CaseRow, code: str, kids: Mapping[str, CaseRow]) -> None:
    """Hand in the part's own case; one that stands open already keeps this part from beginning."""
    if parent.person_id is not None and await store.open_codes(tx, parent.person_id, [code]):
        parent.kept[code] = "CASE_OPEN_ALREADY"
        await store.save(tx, parent)
        await note(tx, parent, "part_blocked", code=code, problem="CASE_OPEN_ALREADY")
        return
    results = {name: value for kid in kids.values() for name, value in kid.kept.items()}
    whole = pb.CaseForm.FromString(store.open_form(tx, parent))
    form = catalog.part_form(whole, code, results)
    child = await new_case(
        tx,
        code=code,
        channel=parent.channel,
        region=region_of(parent.case_no[:6]),
        applicant=parent.applicant,
        form=form,
    )
    child.parent_id, child.person_id, child.name_masked = parent.case_id, parent.person_id, parent.name_masked
    await store.add(tx, child)
    await note(tx, parent, "part_begun", code=code)
    await submit(tx, desk, child, Action.SUBMIT)


async def new_case(
    tx: Transaction, *, code: str, channel: int, region: str, applicant: dict[str, object], form: pb.CaseForm
) -> CaseRow:
    """A draft with its number, not yet written."""
    case_id = ids.new_id()
    serial = await store.next_serial(tx, region, channel)
    return store.CaseRow(
        case_id=case_id,
        case_no=number.make(region, tx.today, channel, serial),
        code=code,
        parent_id=None,
        state=State.DRAFT,
        version=1,
        channel=channel,
        person_id=None,
        name_masked="",
        tail_index=None,
        applicant=applicant,
        create_time=tx.now,
        form_sealed=store.seal_form(tx, case_id, form.SerializeToString()),
    )


# Telling --------------------------------------------------------------------------------------------------------------


async def note(tx: Transaction, row: CaseRow, kind: str, **detail: str) -> None:
    """Write what happened into the case's history."""
    actor = "staff" if tx.principal.is_staff else "platform" if "SYSTEM" in tx.principal.roles else "applicant"
    await store.add_event(tx, row, kind, actor=actor, detail=detail, trace=telemetry.trace_id())
    tx.audit(f"case {kind}", person_id=row.person_id, detail={"case_id": row.text_id, "case_no": row.shown_no})


async def tell(tx: Transaction, row: CaseRow, kind: str, **detail: str) -> None:
    """Write a message to the person."""
    if row.promised_date is not None:
        detail.setdefault("date", row.promised_date.isoformat())
    await store.add_message(tx, row, kind, {"code": row.code, "no": row.shown_no, **detail})


def is_open(row: CaseRow) -> bool:
    """Whether a case is handed in and not at its end."""
    return row.state in OPEN
