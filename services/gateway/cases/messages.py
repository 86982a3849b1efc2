"""Cases on the wire, both ways; texts in the language of the request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf import timestamp_pb2

from chassis.values import to_date
from hrss.gateway.v1 import cases_service_pb2 as pb
from hrss.type.v1 import statement_pb2
from kernel import ids
from services.gateway.cases import texts
from services.gateway.cases.domain import number
from services.gateway.cases.domain.states import ENDED, OPEN, State, StepState, percent
from services.gateway.cases.effects import all as catalog
from services.gateway.cases.operations.applying import Application
from services.gateway.own import LANGUAGE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from services.gateway.cases.desk import Desk
    from services.gateway.cases.operations.reading import ClockShown, Page, PartShown, Shown
    from services.gateway.cases.store import CaseRow, EventRow, MessageRow, StepRow

_STATES = {state: pb.CaseState.Value(f"CASE_STATE_{state.value}") for state in State}
_STEP_STATES = {state: pb.CaseStepState.Value(f"CASE_STEP_STATE_{state.value}") for state in StepState}
_OUTCOMES = {
    "": pb.CASE_OUTCOME_UNSPECIFIED,
    "APPROVED": pb.CASE_OUTCOME_APPROVED,
    "REJECTED": pb.CASE_OUTCOME_REJECTED,
}


def create_case(request: pb.CreateCaseRequest) -> Application:
    """Read CreateCase.

    Raises:
        InvalidInput: ID_MALFORMED.
    """
    return Application(
        code=request.code,
        person_id=ids.parse("per", request.person_id, field="person_id") if request.person_id else None,
        channel=request.channel,
        form=request.form,
        is_submitted=request.submit,
        delegation_id=request.delegation_id,
    )


def case(shown: Shown) -> pb.Case:
    """A case."""
    row, language = shown.row, LANGUAGE.get()
    bundle = catalog.is_bundle(row.code)
    made = pb.Case(
        case_no=row.shown_no,
        item_code="" if bundle else row.code,
        bundle_code=row.code if bundle else "",
        parent_case_no=number.show(shown.parent_no) if shown.parent_no else "",
        title_zh=shown.terms.title_zh,
        title_en=shown.terms.title_en,
        state=_STATES[row.state],
        person_id=ids.to_text("per", row.person_id) if row.person_id else "",
        name_masked=row.name_masked,
        channel=pb.CaseChannel.ValueType(row.channel),
        create_time=_instant(row.create_time),
        clock=_clock(shown.clock),
        steps=[_step(row, step) for step in shown.steps],
        correction_points=row.points,
        outcome=_OUTCOMES[row.outcome],
        reason=row.reason,
        problem_code=row.problem_code,
        problem_text=texts.problem(row.problem_code, row.problem_values, language) if row.problem_code else "",
        statement_digest=row.statement_digest,
        result_id=row.result_id,
        parts=[_part(part) for part in shown.parts],
        progress_percent=_percent(shown),
        todo=_todo(row),
        accepted_by_me=shown.is_accepted_by_caller,
        delegation_id=str(shown.row.applicant.get("delegation_id", "")),
    )
    if row.submit_date is not None:
        made.submit_date.CopyFrom(to_date(row.submit_date))
    if row.end_date is not None:
        made.end_date.CopyFrom(to_date(row.end_date))
    if row.statement and shown.form is not None:
        made.statement.CopyFrom(statement_pb2.Statement.FromString(row.statement))
    return made


def created(shown: Shown) -> pb.CreateCaseResponse:
    """Answer CreateCase."""
    return pb.CreateCaseResponse(case=case(shown))


def got(shown: Shown) -> pb.GetCaseResponse:
    """Answer GetCase."""
    return pb.GetCaseResponse(case=case(shown), form=shown.form)


def events(found: tuple[CaseRow, Sequence[EventRow]], desk: Desk) -> pb.ListCaseEventsResponse:
    """Answer ListCaseEvents."""
    row, happened = found
    return pb.ListCaseEventsResponse(events=[_event(row, event, desk) for event in happened])


def of_person(page: Page) -> pb.ListPersonCasesResponse:
    """Answer ListPersonCases."""
    return pb.ListPersonCasesResponse(cases=[case(one) for one in page.cases], next_page_token=page.next_page_token)


def queue(page: Page) -> pb.ListQueueResponse:
    """Answer ListQueue."""
    return pb.ListQueueResponse(
        cases=[case(one) for one in page.cases],
        next_page_token=page.next_page_token,
        to_accept_count=page.counts["to_accept"],
        to_decide_count=page.counts["to_decide"],
        overdue_count=page.counts["overdue"],
        stuck_count=page.counts["stuck"],
    )


def tracked(shown: Shown) -> pb.TrackCaseResponse:
    """Answer TrackCase: state and days only."""
    whole = case(shown)
    made = pb.TrackCaseResponse(
        case_no=whole.case_no,
        title_zh=whole.title_zh,
        title_en=whole.title_en,
        state=whole.state,
        progress_percent=whole.progress_percent,
    )
    if whole.HasField("submit_date"):
        made.submit_date.CopyFrom(whole.submit_date)
    if whole.clock.HasField("promised_date"):
        made.promised_date.CopyFrom(whole.clock.promised_date)
    if whole.HasField("end_date"):
        made.end_date.CopyFrom(whole.end_date)
    return made


def messages(found: tuple[Sequence[MessageRow], str], desk: Desk) -> pb.ListMessagesResponse:
    """Answer ListMessages."""
    rows, token = found
    return pb.ListMessagesResponse(messages=[_message(row, desk) for row in rows], next_page_token=token)


def _message(row: MessageRow, desk: Desk) -> pb.CaseMessage:
    language = LANGUAGE.get()
    title, text = texts.message(row.kind, row.detail, _title(desk, row.detail["code"], row.message_time), language)
    return pb.CaseMessage(
        message_id=ids.to_text("msg", row.message_id),
        time=_instant(row.message_time),
        case_no=number.show(row.case_no),
        title=title,
        text=text,
    )


def _event(row: CaseRow, event: EventRow, desk: Desk) -> pb.CaseEvent:
    title = _title(desk, event.detail.get("code", row.code), event.event_time)
    return pb.CaseEvent(
        time=_instant(event.event_time),
        business_date=to_date(event.business_date),
        kind=event.kind,
        text=texts.event_text(row.code, event.kind, event.detail, title, LANGUAGE.get()),
        state=_STATES[event.state],
        actor=event.actor,
        trace_id=event.trace_id,
    )


def _title(desk: Desk, code: str, at: datetime) -> str:
    terms = desk.policy.terms(code, at.date())
    if terms is None:
        return code
    return terms.title_zh if LANGUAGE.get() == "zh" else terms.title_en


def _step(row: CaseRow, step: StepRow) -> pb.CaseStep:
    language = LANGUAGE.get()
    return pb.CaseStep(
        name=step.name,
        title_zh=texts.step_title(row.code, step.name, "zh"),
        title_en=texts.step_title(row.code, step.name, "en"),
        state=_STEP_STATES[step.state],
        attempts=step.attempts,
        problem_code=step.problem_code,
        problem_text=texts.problem(step.problem_code, step.problem_values, language) if step.problem_code else "",
        result_id=step.result_id,
        trace_id=step.trace_id,
    )


def _part(part: PartShown) -> pb.CasePart:
    made = pb.CasePart(
        item_code=part.terms.code,
        title_zh=part.terms.title_zh,
        title_en=part.terms.title_en,
        problem_code=part.problem,
    )
    values = {}
    if part.row is not None:
        made.case_no = part.row.shown_no
        made.state = _STATES[part.row.state]
        made.result_id = part.row.result_id
        made.problem_text = part.row.reason
        values = part.row.problem_values
    if part.problem and not made.problem_text:
        made.problem_text = texts.problem(part.problem, values, LANGUAGE.get())
    if part.promised is not None:
        made.promised_date.CopyFrom(to_date(part.promised))
    return made


def _clock(clock: ClockShown) -> pb.CaseClock:
    made = pb.CaseClock(
        used_working_days=clock.used,
        is_stopped=clock.is_stopped,
        is_overdue=clock.is_overdue,
        is_provisional=clock.is_provisional,
    )
    for field, day in (("start_date", clock.start), ("promised_date", clock.promised), ("legal_date", clock.legal)):
        if day is not None:
            getattr(made, field).CopyFrom(to_date(day))
    return made


def _percent(shown: Shown) -> int:
    """Share that is done; of a bundle the mean of its parts."""
    if not shown.parts or shown.row.state not in OPEN:
        return percent(shown.row.state)
    return sum(percent(part.row.state) for part in shown.parts if part.row is not None) // len(shown.parts)


def _todo(row: CaseRow) -> str:
    if row.state in ENDED:
        return ""
    if row.state is State.DRAFT:
        return texts.todo("submit", LANGUAGE.get())
    if row.state is State.CORRECTION_REQUESTED:
        return texts.todo("correct", LANGUAGE.get(), points="；".join(row.points))
    return ""


def _instant(at: datetime) -> timestamp_pb2.Timestamp:
    made = timestamp_pb2.Timestamp()
    made.FromDatetime(at)
    return made
