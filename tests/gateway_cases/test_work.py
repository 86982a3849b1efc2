"""Steps: refused, tried again, taken over, worked on by several; what dies in between loses nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import pytest

from chassis.problems import Fault
from hrss.gateway.v1 import cases_service_pb2 as pb
from kernel.errors import Conflict, Refused, Unavailable
from services.gateway.cases.worker import CONFLICTS_MAX
from tests.gateway_cases.office import (
    CLERK,
    SECOND,
    Office,
    card_form,
    enrollment_form,
    mine,
    pension_form,
    subsidy_form,
    unemployment_form,
)

if TYPE_CHECKING:
    from tests.plugins.databases import NewDatabase

NOT_SETTLED = Conflict("ACCOUNT_NOT_SETTLED", "not yet")
SHORT = Refused("LESS_THAN_12_MONTHS", "too short", months="7")


async def test_what_may_come_is_tried_again_until_it_comes(office: Office) -> None:
    office.services.refuse("PreparePension", NOT_SETTLED, Unavailable("SERVICE_UNAVAILABLE", "away"), NOT_SETTLED)
    made = await office.create("BE01", office.citizen(), pension_form())

    case = await office.accept(made.case_no)
    assert case.state == pb.CASE_STATE_ACCEPTED
    for _ in range(3):
        await office.hurry()
        await office.work()
    case = await office.case(made.case_no)

    assert case.state == pb.CASE_STATE_IN_REVIEW
    calls = office.services.of("PreparePension")
    assert len(calls) == 4
    assert len({one.request.request_id for one in calls}) == 1
    assert office.services.effects["SettleAccount"] == 1


async def test_a_pause_is_kept_between_tries(office: Office) -> None:
    office.services.refuse("PrepareUnemployment", Unavailable("SERVICE_UNAVAILABLE", "away", retry_after=30))
    made = await office.create("BE10", office.citizen(), unemployment_form())
    await office.accept(made.case_no)

    (row,) = await office.rows(
        "SELECT due > clock_timestamp() + interval '25 seconds' AS later, problem_code FROM case_step"
    )

    assert (row["later"], row["problem_code"]) == (True, "SERVICE_UNAVAILABLE")


async def test_a_not_now_that_never_ends_is_put_before_staff(office: Office) -> None:
    office.services.refuse("PrepareUnemployment", Conflict("EMPLOYMENT_NOT_ENDED", "not yet"))
    made = await office.create("BE10", office.citizen(), unemployment_form())
    await office.accept(made.case_no)

    for _ in range(CONFLICTS_MAX):
        await office.hurry()
        await office.work()
    queue = await office.call("ListQueue", pb.ListQueueRequest(queue=pb.CASE_QUEUE_STUCK))

    assert [one.case_no for one in queue.cases] == [made.case_no]
    assert queue.stuck_count == 1


async def test_a_refused_promise_waits_for_staff_who_mend_and_retry(office: Office) -> None:
    office.services.refuse("PrepareUnemployment", SHORT)
    made = await office.create("BE10", office.citizen(), unemployment_form())

    stuck = await office.accept(made.case_no)
    assert (stuck.state, stuck.steps[0].state) == (pb.CASE_STATE_ACCEPTED, pb.CASE_STEP_STATE_REFUSED)
    assert stuck.steps[0].problem_code == "LESS_THAN_12_MONTHS"
    assert stuck.steps[0].problem_text
    office.services.mend("PrepareUnemployment")
    await office.call("RetryCase", pb.RetryCaseRequest(case_no=made.case_no), SECOND)
    await office.work()

    assert (await office.case(made.case_no)).state == pb.CASE_STATE_IN_REVIEW
    assert {one.principal.subject for one in office.services.of("PrepareUnemployment")} == {CLERK.subject}


async def test_a_refused_promise_may_be_rejected_with_what_the_service_said(office: Office) -> None:
    office.services.refuse("PrepareUnemployment", SHORT)
    made = await office.create("BE10", office.citizen(), unemployment_form())
    await office.accept(made.case_no)

    rejected = await office.reject(made.case_no)

    assert (rejected.state, rejected.problem_code) == (pb.CASE_STATE_REJECTED, "LESS_THAN_12_MONTHS")
    assert rejected.reason == "条件不符"
    assert not office.services.of("RejectDetermination")  # nothing was prepared


async def test_a_refused_instant_item_ends_with_the_reason(office: Office) -> None:
    office.services.refuse("EnrollPerson", Refused("ALREADY_ENROLLED", "is enrolled"))
    made = await office.create("EN05", CLERK, enrollment_form())

    await office.work()
    ended = await office.case(made.case_no)

    assert (ended.state, ended.problem_code) == (pb.CASE_STATE_REJECTED, "ALREADY_ENROLLED")
    assert "已" in ended.problem_text


async def test_an_effect_that_exists_already_counts_as_done(office: Office) -> None:
    office.services.refuse("SettleAccount", Refused("ACCOUNT_ALREADY_SETTLED", "before"))
    made = await office.create("BE01", office.citizen(), pension_form())

    assert (await office.accept(made.case_no)).state == pb.CASE_STATE_IN_REVIEW


async def test_a_rejected_determination_is_taken_back(office: Office) -> None:
    made = await office.create("BE10", office.citizen(), unemployment_form())
    await office.accept(made.case_no)

    rejected = await office.reject(made.case_no)

    (back,) = office.services.of("RejectDetermination")
    assert (back.principal.subject, back.request.reason) == (SECOND.subject, "条件不符")
    assert rejected.outcome == pb.CASE_OUTCOME_REJECTED


async def test_a_correction_stops_the_clock_and_the_refused_step_begins_anew(office: Office) -> None:
    office.services.refuse("SubmitClaim", Refused("CERTIFICATE_NOT_FOUND", "unknown"))
    citizen = office.citizen()
    made = await office.create("TR01", citizen, subsidy_form())
    await office.work()
    with pytest.raises(Refused, match="CASE_STATE_WRONG"):
        await office.call("AcceptCase", pb.AcceptCaseRequest(case_no=made.case_no))

    await office.call("RequestCorrection", pb.RequestCorrectionRequest(case_no=made.case_no, points=["证书编号有误"]))
    waiting = await office.case(made.case_no, citizen)
    assert (waiting.state, list(waiting.correction_points)) == (pb.CASE_STATE_CORRECTION_REQUESTED, ["证书编号有误"])
    assert "证书编号有误" in waiting.todo
    office.services.mend("SubmitClaim")
    form = subsidy_form()
    form.subsidy.certificate_number = "2025000987654321"
    await office.call("CorrectCase", pb.CorrectCaseRequest(case_no=made.case_no, form=form), citizen)
    await office.work()

    assert office.services.of("SubmitClaim")[-1].request.number == "2025000987654321"
    assert (await office.accept(made.case_no)).state == pb.CASE_STATE_IN_REVIEW


async def test_days_of_correction_move_the_promised_day(office: Office) -> None:
    office.services.refuse("PrepareUnemployment", SHORT)
    citizen = office.citizen()
    made = await office.create("BE10", citizen, unemployment_form())
    accepted = await office.accept(made.case_no)
    assert (accepted.clock.promised_date.day, accepted.clock.legal_date.month) == (25, 12)

    await office.call("RequestCorrection", pb.RequestCorrectionRequest(case_no=made.case_no, points=["请补充证明"]))
    office.today = office.today.replace(day=28)
    assert (await office.case(made.case_no)).clock.is_stopped
    await office.call("CorrectCase", pb.CorrectCaseRequest(case_no=made.case_no, form=unemployment_form()), citizen)
    office.services.mend("PrepareUnemployment")
    again = await office.accept(made.case_no)

    promised = again.clock.promised_date
    assert (promised.month, promised.day, again.clock.used_working_days) == (12, 1, 0)


@pytest.mark.parametrize("boundary", ["before the call", "after the call", "after its transaction"])
async def test_a_worker_that_dies_at_any_boundary_loses_and_doubles_nothing(office: Office, boundary: str) -> None:
    made = await office.create("BE10", office.citizen(), unemployment_form())
    await office.call("AcceptCase", pb.AcceptCaseRequest(case_no=made.case_no))
    await die(office, boundary)

    await office.hurry()
    await office.work()
    done = await office.approve(made.case_no)

    assert done.state == pb.CASE_STATE_DELIVERED
    assert office.services.effects == {"PrepareUnemployment": 1, "ApproveDetermination": 1}


async def die(office: Office, boundary: str) -> None:
    """Run one step and drop dead at a boundary, leaving what a killed process leaves."""
    worker = office.worker
    if boundary == "after its transaction":
        assert await worker.run_one()
        return
    call, done = worker._call, worker._done
    if boundary == "before the call":

        async def no_call(_job: object) -> None:
            raise asyncio.CancelledError

        worker._call = no_call  # type: ignore[method-assign, assignment] # stands for the kill
    else:

        async def no_done(*_given: object) -> None:
            raise asyncio.CancelledError

        worker._done = no_done  # type: ignore[method-assign, assignment] # stands for the kill
    with pytest.raises(asyncio.CancelledError):
        await worker.run_one()
    worker._call, worker._done = call, done  # type: ignore[method-assign] # a new process has its own


async def test_a_lease_keeps_others_off_until_it_ends(office: Office) -> None:
    made = await office.create("BE10", office.citizen(), unemployment_form())
    await office.call("AcceptCase", pb.AcceptCaseRequest(case_no=made.case_no))
    await die(office, "before the call")
    other = Office(office.database, office.services)

    assert not await other.work()
    await office.hurry()

    assert await other.work() == 1


async def test_who_lost_the_lease_writes_nothing_down(office: Office) -> None:
    made = await office.create("BE10", office.citizen(), unemployment_form())
    await office.call("AcceptCase", pb.AcceptCaseRequest(case_no=made.case_no))
    slow, quick = office, Office(office.database, office.services)
    called, go_on = asyncio.Event(), asyncio.Event()
    call = slow.worker._call

    async def late(job: object) -> object:
        outcome = await call(job)  # type: ignore[arg-type] # a job of the worker
        called.set()
        await go_on.wait()
        return outcome

    slow.worker._call = late  # type: ignore[method-assign, assignment] # stands for a slow call
    running = asyncio.create_task(slow.worker.run_one())
    await called.wait()
    await slow.hurry()
    await quick.work()
    before = await office.rows("SELECT count(*) AS n FROM case_event")
    go_on.set()
    await running

    assert await office.rows("SELECT count(*) AS n FROM case_event") == before
    assert office.services.effects == {"PrepareUnemployment": 1}


async def test_two_workers_share_many_cases_and_do_each_once(office: Office) -> None:
    numbers = []
    for _ in range(8):
        citizen = office.citizen()
        office.services.card(mine(citizen))
        numbers.append((await office.create("CA06", citizen, card_form())).case_no)
    other = Office(office.database, office.services)

    await asyncio.gather(office.work(), other.work(), office.work(), other.work())

    states = {(await office.case(case_no)).state for case_no in numbers}
    assert states == {pb.CASE_STATE_DELIVERED}
    assert office.services.effects == {"ActivateCard": 8}


async def test_a_running_worker_answers_an_instant_item_with_its_end(new_database: NewDatabase) -> None:
    office = Office(await new_database("gateway"))
    office.rpc.patience_seconds = 20.0
    stop = asyncio.Event()
    working = asyncio.create_task(office.worker.run(stop))
    try:
        citizen = office.citizen()
        office.services.card(mine(citizen))

        made = await office.create("CA06", citizen, card_form())

        assert made.state == pb.CASE_STATE_DELIVERED
    finally:
        stop.set()
        office.desk.work_added.set()
        await working


async def test_a_bug_of_a_service_is_tried_again_and_then_shown_to_staff(office: Office) -> None:
    office.services.refuse("PrepareUnemployment", Fault(grpc.StatusCode.INTERNAL, "INTERNAL", "oops"))
    made = await office.create("BE10", office.citizen(), unemployment_form())
    await office.accept(made.case_no)
    for _ in range(CONFLICTS_MAX):
        await office.hurry()
        await office.work()

    case = await office.case(made.case_no)

    assert (case.state, case.steps[0].problem_code) == (pb.CASE_STATE_ACCEPTED, "INTERNAL")
