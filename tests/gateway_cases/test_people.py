"""Who may do and see what with a case: applicants, partners, staff, strangers; four eyes; nobody's own case."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from chassis.principal import Principal
from hrss.gateway.v1 import cases_service_pb2 as pb
from kernel import ids
from kernel.errors import (
    AlreadyExists,
    DomainError,
    Forbidden,
    InvalidInput,
    NotFound,
    Refused,
    Unauthenticated,
)
from services.gateway.cases.domain import number
from services.gateway.cases.operations.reading import WRONG_GUESSES_MAX
from tests.gateway_cases.office import (
    CLERK,
    PARTNER,
    SECOND,
    card_form,
    end_form,
    enrollment_form,
    mine,
    pension_form,
    subsidy_form,
    unemployment_form,
)
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from tests.gateway_cases.office import Office

PUBLIC = Principal.anonymous()


async def test_who_accepted_does_not_decide_whatever_the_login(office: Office) -> None:
    made = await office.create("BE10", office.citizen(), unemployment_form())
    await office.accept(made.case_no)
    same = replace(SECOND, subject="idp|other-login", natural_person=CLERK.natural_person)

    for decide in (office.approve, office.reject):
        with pytest.raises(Forbidden, match="SAME_PERSON"):
            await decide(made.case_no, by=same)
    both = replace(CLERK, roles=frozenset({"CLERK", "SUPERVISOR"}))
    assert (await office.case(made.case_no, both)).accepted_by_me
    assert not (await office.case(made.case_no, SECOND)).accepted_by_me


@pytest.mark.parametrize("rpc", ["AcceptCase", "DeclineCase", "RequestCorrection", "RetryCase", "DecideCase"])
async def test_nobody_works_on_their_own_case(office: Office, rpc: str) -> None:
    citizen = office.citizen()
    made = await office.create("BE10", citizen, unemployment_form())
    staff = replace(CLERK, roles=frozenset({"CLERK", "SUPERVISOR"}), person_id=citizen.person_id)
    request: Any = getattr(pb, f"{rpc}Request")(case_no=made.case_no)
    if rpc == "DecideCase":
        request.outcome = pb.CASE_OUTCOME_APPROVED
    if rpc == "RequestCorrection":
        request.points.append("请补充证明")

    with pytest.raises(Forbidden, match="SAME_PERSON"):
        await office.call(rpc, request, staff)


async def test_who_handed_it_in_at_the_counter_does_not_decide_either(office: Office) -> None:
    made = await office.create("BE10", CLERK, unemployment_form(), person_id=office.services.person())
    await office.accept(made.case_no, replace(CLERK, subject="idp|clerk-2", natural_person="idp|clerk-2"))

    with pytest.raises(Forbidden, match="SAME_PERSON"):
        await office.approve(made.case_no, by=replace(SECOND, natural_person=CLERK.natural_person))


async def test_a_login_that_names_no_human_accepts_nothing(office: Office) -> None:
    made = await office.create("BE10", office.citizen(), unemployment_form())

    with pytest.raises(Forbidden, match="NATURAL_PERSON_REQUIRED"):
        await office.accept(made.case_no, replace(CLERK, natural_person=""))


async def test_approved_is_exactly_what_was_shown(office: Office) -> None:
    made = await office.create("BE10", office.citizen(), unemployment_form())
    await office.accept(made.case_no)

    with pytest.raises(Refused, match="CASE_CHANGED"):
        await office.approve(made.case_no, digest="0" * 64)


@pytest.mark.parametrize("rpc", ["GetCase", "ListCaseEvents", "SubmitCase", "CorrectCase", "WithdrawCase"])
async def test_anothers_case_is_not_found_like_one_that_does_not_exist(office: Office, rpc: str) -> None:
    made = await office.create("BE10", office.citizen(), unemployment_form())
    for stranger in (office.citizen(), replace(PARTNER, client="app-backend")):
        refusals = set()
        for case_no in (made.case_no, "320602-20251124-1-000099-1", "320602", "x"):
            with pytest.raises(DomainError) as refusal:
                await office.call(rpc, getattr(pb, f"{rpc}Request")(case_no=case_no), stranger)
            refusals.add((type(refusal.value), refusal.value.reason, refusal.value.message))
        assert refusals == {(NotFound, "CASE_NOT_FOUND", "no such case")}


async def test_a_partner_sees_what_its_own_system_handed_in(office: Office) -> None:
    person_id = office.services.person()
    form = end_form(office.services.enrolled(person_id))
    made = await office.create("EN06", PARTNER, form, person_id=person_id)

    colleague = replace(PARTNER, subject="front-2")

    assert (await office.case(made.case_no, colleague)).case_no == made.case_no


async def test_a_citizen_applies_for_nobody_else(office: Office) -> None:
    other = office.services.person()

    with pytest.raises(NotFound, match="PERSON_NOT_FOUND"):
        await office.create("BE10", office.citizen(), unemployment_form(), person_id=other)
    with pytest.raises(NotFound, match="PERSON_NOT_FOUND"):
        await office.create("BE10", CLERK, unemployment_form(), person_id=ids.to_text("per", ids.new_id()))


@pytest.mark.parametrize("code", ["EN05", "CA06"])
async def test_an_item_is_for_its_own_applicants(office: Office, code: str) -> None:
    by = office.citizen() if code == "EN05" else CLERK

    with pytest.raises(Forbidden, match="ROLE_NOT_ALLOWED"):
        await office.create(code, by, enrollment_form() if code == "EN05" else card_form())


async def test_a_card_is_activated_with_a_sure_login_only(office: Office) -> None:
    with pytest.raises(Unauthenticated, match="INSUFFICIENT_ACR") as refusal:
        await office.create("CA06", office.citizen(acr=2), card_form())

    assert refusal.value.metadata["acr"] == "3"


async def test_staff_apply_for_themselves_at_no_counter_of_their_own(office: Office) -> None:
    person_id = office.services.person()
    clerk = replace(CLERK, person_id=ids.parse("per", person_id))

    with pytest.raises(Forbidden, match="SAME_PERSON"):
        await office.create("BE09", clerk, pb.CaseForm(), person_id=person_id)


async def test_one_case_of_an_item_is_open_for_a_person(office: Office) -> None:
    citizen = office.citizen()
    first = await office.create("BE10", citizen, unemployment_form())

    with pytest.raises(AlreadyExists, match="CASE_OPEN_ALREADY"):
        await office.create("BE10", citizen, unemployment_form())
    await office.create("BE01", citizen, pension_form())
    await office.call("WithdrawCase", pb.WithdrawCaseRequest(case_no=first.case_no), citizen)
    second = await office.create("BE10", citizen, unemployment_form())

    assert second.case_no != first.case_no


async def test_a_repeated_creation_is_one_case(office: Office) -> None:
    citizen = office.citizen()

    first = await office.create("BE10", citizen, unemployment_form(), key="k-1")
    second = await office.create("BE10", citizen, unemployment_form(), key="k-1")

    assert first.case_no == second.case_no
    assert [row["n"] for row in await office.rows("SELECT count(*) AS n FROM case_file")] == [1]
    with pytest.raises(Refused, match="REQUEST_ID_REUSED"):
        await office.create("BE10", citizen, unemployment_form(day=21), key="k-1")


async def test_a_draft_is_changed_and_handed_in(office: Office) -> None:
    citizen = office.citizen()
    made = await office.create("BE10", citizen, pb.CaseForm(), submit=False)
    assert (made.state, made.progress_percent) == (pb.CASE_STATE_DRAFT, 0)
    with pytest.raises(InvalidInput, match="CASE_INCOMPLETE") as refusal:
        await office.call("SubmitCase", pb.SubmitCaseRequest(case_no=made.case_no), citizen)
    assert [one.field for one in refusal.value.violations] == [
        "form.unemployment.registration_date",
        "form.unemployment.payee.name",
        "form.unemployment.payee.account",
    ]

    await office.call("CorrectCase", pb.CorrectCaseRequest(case_no=made.case_no, form=unemployment_form()), citizen)
    case = (await office.call("SubmitCase", pb.SubmitCaseRequest(case_no=made.case_no), citizen)).case

    assert case.state == pb.CASE_STATE_SUBMITTED
    with pytest.raises(InvalidInput, match="CASE_FORM_WRONG"):
        await office.create("BE10", office.citizen(), subsidy_form())


@pytest.mark.parametrize(("code", "reason"), [("ZZ01", "ITEM_NOT_FOUND"), ("EN01", "ITEM_NOT_AVAILABLE")])
async def test_what_cannot_be_applied_for_says_why(office: Office, code: str, reason: str) -> None:
    with pytest.raises(DomainError, match=reason):
        await office.create(code, office.citizen(), pb.CaseForm())


async def test_what_a_service_has_taken_is_not_withdrawn(office: Office) -> None:
    citizen = office.citizen()
    made = await office.create("TR01", citizen, subsidy_form())
    await office.work()

    with pytest.raises(Refused, match="CASE_STATE_WRONG"):
        await office.call("WithdrawCase", pb.WithdrawCaseRequest(case_no=made.case_no), citizen)


async def test_a_case_is_declined_with_the_reason(office: Office) -> None:
    citizen = office.citizen()
    made = await office.create("BE10", citizen, unemployment_form())
    with pytest.raises(InvalidInput, match="REASON_REQUIRED"):
        await office.call("DeclineCase", pb.DeclineCaseRequest(case_no=made.case_no, reason=" "))

    request = pb.DeclineCaseRequest(case_no=made.case_no, reason="不属于本地受理范围")
    case = (await office.call("DeclineCase", request)).case

    assert (case.state, case.reason) == (pb.CASE_STATE_NOT_ACCEPTED, "不属于本地受理范围")
    assert not await office.work()


async def test_a_decision_says_which_one(office: Office) -> None:
    made = await office.create("BE10", office.citizen(), unemployment_form())
    with pytest.raises(InvalidInput, match="CASE_OUTCOME_REQUIRED"):
        await office.call("DecideCase", pb.DecideCaseRequest(case_no=made.case_no), SECOND)
    with pytest.raises(InvalidInput, match="CORRECTION_POINTS_REQUIRED"):
        await office.call("RequestCorrection", pb.RequestCorrectionRequest(case_no=made.case_no, points=["x" * 201]))


# Queues and lists


async def test_queues_show_what_waits_most_urgent_first_and_leave_a_trace(office: Office) -> None:
    first = await office.create("BE10", office.citizen(), unemployment_form())
    second = await office.create("BE01", office.citizen(), pension_form())
    await office.accept(first.case_no)
    office.today = office.today.replace(day=28)

    everything = await office.call("ListQueue", pb.ListQueueRequest())
    overdue = await office.call("ListQueue", pb.ListQueueRequest(queue=pb.CASE_QUEUE_OVERDUE))
    decide = await office.call("ListQueue", pb.ListQueueRequest(queue=pb.CASE_QUEUE_TO_DECIDE, item_code="BE10"))
    page = await office.call("ListQueue", pb.ListQueueRequest(page_size=1))
    rest = await office.call("ListQueue", pb.ListQueueRequest(page_size=1, page_token=page.next_page_token))

    assert {one.case_no for one in everything.cases} == {first.case_no, second.case_no}
    assert [one.case_no for one in overdue.cases] == [one.case_no for one in decide.cases] == [first.case_no]
    assert [one.case_no for one in (*page.cases, *rest.cases)] == [second.case_no, first.case_no]
    counts = (everything.to_accept_count, everything.to_decide_count, everything.overdue_count, everything.stuck_count)
    assert counts == (1, 1, 1, 0)
    (seen,) = await office.rows(
        "SELECT count(*) AS n FROM audit WHERE action LIKE '%ListQueue' AND purpose = 'counter'"
    )
    assert seen["n"] == 6


async def test_a_person_sees_their_cases_events_and_messages(office: Office) -> None:
    citizen = office.citizen()
    made = await office.create("BE10", citizen, unemployment_form())
    await office.accept(made.case_no)
    await office.approve(made.case_no)
    person_id = mine(citizen)

    cases = await office.call("ListPersonCases", pb.ListPersonCasesRequest(person_id=person_id), citizen)
    happened = await office.call("ListCaseEvents", pb.ListCaseEventsRequest(case_no=made.case_no), citizen)
    told = await office.call("ListMessages", pb.ListMessagesRequest(person_id=person_id, page_size=2), citizen)
    more = await office.call(
        "ListMessages", pb.ListMessagesRequest(person_id=person_id, page_token=told.next_page_token), citizen
    )

    assert [one.case_no for one in cases.cases] == [made.case_no]
    assert [(one.kind, one.actor) for one in happened.events] == [
        ("created", "applicant"),
        ("submitted", "applicant"),
        ("accepted", "staff"),
        ("step_done", "platform"),
        ("prepared", "platform"),
        ("approved", "staff"),
        ("step_done", "platform"),
        ("delivered", "platform"),
    ]
    assert happened.events[3].text == "已完成：核定失业保险金"
    titles = [one.title for one in (*told.messages, *more.messages)]
    assert titles == [f"{what}：失业保险金申领" for what in ("已办结", "已批准", "已受理", "已收到申请")]
    assert made.case_no in told.messages[0].text


async def test_what_staff_see_is_masked_and_noted(office: Office) -> None:
    made = await office.create("BE10", office.citizen(), unemployment_form())

    shown = await office.call("GetCase", pb.GetCaseRequest(case_no=made.case_no.replace("-", "")))

    assert (shown.form.unemployment.payee.name, shown.form.unemployment.payee.account) == (
        "王*明",
        "***************0123",
    )
    assert await office.rows("SELECT 1 FROM audit WHERE action LIKE '%GetCase' AND person_id IS NOT NULL")


# Tracking


def guess(case_no: str, last_four: str) -> pb.TrackCaseRequest:
    """A request of somebody without a login."""
    return pb.TrackCaseRequest(case_no=case_no, last_four=last_four)


async def test_number_and_last_four_show_state_and_days(office: Office) -> None:
    citizen = office.citizen(office.services.person("123x"))
    made = await office.create("BE10", citizen, unemployment_form())
    await office.accept(made.case_no)

    shown = await office.call("TrackCase", guess(made.case_no, "123X"), PUBLIC)

    assert (shown.state, shown.submit_date.day, shown.promised_date.day) == (pb.CASE_STATE_IN_REVIEW, 24, 25)
    assert {field.name for field, _ in shown.ListFields()} == {
        *("case_no", "title_zh", "title_en", "state", "submit_date", "promised_date", "progress_percent"),
    }


async def test_wrong_either_way_is_the_same_answer(office: Office) -> None:
    made = await office.create("BE10", office.citizen(), unemployment_form())
    answers = set()
    unknown = number.make("320602", office.today, 1, 99)
    for case_no, last_four in ((made.case_no, "9999"), (unknown, "1234"), (made.case_no, "")):
        with pytest.raises(NotFound) as refusal:
            await office.call("TrackCase", guess(case_no, last_four), PUBLIC)
        answers.add((refusal.value.reason, refusal.value.message))

    assert answers == {("CASE_NOT_FOUND", "no such case")}
    with pytest.raises(InvalidInput, match="CASE_NUMBER_INVALID"):
        await office.call("TrackCase", guess(made.case_no[:-1] + "x", "1234"), PUBLIC)


async def test_after_some_wrong_guesses_the_right_one_is_a_no_until_tomorrow(office: Office) -> None:
    made = await office.create("EN05", CLERK, enrollment_form())
    for _ in range(WRONG_GUESSES_MAX):
        with pytest.raises(NotFound):
            await office.call("TrackCase", guess(made.case_no, "0000"), PUBLIC)

    with pytest.raises(NotFound, match="CASE_NOT_FOUND"):
        await office.call("TrackCase", guess(made.case_no, "1234"), PUBLIC)
    office.today = office.today.replace(day=25)

    assert (await office.call("TrackCase", guess(made.case_no, "1234"), PUBLIC)).case_no == made.case_no


async def test_an_agent_of_an_employer_has_no_cases_yet(office: Office) -> None:
    agent = a_principal(["EMPLOYER_AGENT"], employer_ids=[ids.new_id()])

    with pytest.raises(Forbidden, match="ROLE_NOT_ALLOWED"):
        await office.create("EN05", agent, enrollment_form())
