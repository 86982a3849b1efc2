"""What somebody might try with a case, or what might happen at the wrong moment; each did work once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import grpc
import pytest

from chassis import transaction
from chassis.principal import Principal
from chassis.problems import Fault
from hrss.gateway.v1 import cases_service_pb2 as pb
from kernel.errors import Forbidden, InvalidInput, NotFound, Refused
from services.gateway.cases import store
from services.gateway.cases.operations import progress
from services.gateway.cases.operations.reading import WRONG_GUESSES_MAX
from services.gateway.cases.worker import CONFLICTS_MAX
from tests.gateway_cases.office import (
    CLERK,
    Office,
    card_form,
    mine,
    pension_form,
    subsidy_form,
    unemployment_form,
)
from tests.plugins.grpc_harness import a_principal

OTHER_CLERK = replace(CLERK, subject="idp|clerk-2", natural_person="idp|clerk-2")
BOTH = replace(CLERK, roles=frozenset({"CLERK", "SUPERVISOR"}))
POINTS = ["收款账户户名与本人不符"]
UNKNOWN = Fault(grpc.StatusCode.INTERNAL, "INTERNAL", "")


async def test_nobody_else_sets_the_pin_of_a_card_that_is_not_yet_applied_for(office: Office) -> None:
    citizen = office.citizen()
    office.services.card(mine(citizen))
    made = await office.create("CA06", citizen, card_form(), submit=False)

    with pytest.raises(Forbidden, match="ROLE_NOT_ALLOWED"):
        await office.call("CorrectCase", pb.CorrectCaseRequest(case_no=made.case_no, form=card_form(pin="111222")))
    with pytest.raises(Forbidden, match="ROLE_NOT_ALLOWED"):
        await office.call("SubmitCase", pb.SubmitCaseRequest(case_no=made.case_no))


async def test_who_corrected_a_form_does_not_decide_on_it(office: Office) -> None:
    made = await office.create("BE10", office.citizen(), unemployment_form())
    await office.call("RequestCorrection", pb.RequestCorrectionRequest(case_no=made.case_no, points=POINTS))
    await office.call("CorrectCase", pb.CorrectCaseRequest(case_no=made.case_no, form=unemployment_form(day=21)), BOTH)
    await office.accept(made.case_no, OTHER_CLERK)

    with pytest.raises(Forbidden, match="SAME_PERSON"):
        await office.approve(made.case_no, by=BOTH)


async def test_a_correction_is_sent_in_the_name_of_who_made_it(office: Office) -> None:
    citizen = office.citizen()
    office.services.refuse("SubmitClaim", Refused("CERTIFICATE_NOT_FOUND", "unknown"))
    made = await office.create("TR01", CLERK, subsidy_form(), person_id=mine(citizen))
    await office.work()
    await office.call(
        "RequestCorrection", pb.RequestCorrectionRequest(case_no=made.case_no, points=POINTS), OTHER_CLERK
    )
    office.services.mend("SubmitClaim")
    form = subsidy_form()
    form.subsidy.certificate_number = "2025000123456780"
    await office.call("CorrectCase", pb.CorrectCaseRequest(case_no=made.case_no, form=form), citizen)
    await office.work()

    first, second = office.services.of("SubmitClaim")
    assert (first.principal.subject, second.principal.subject) == (CLERK.subject, citizen.subject)
    await office.accept(made.case_no, OTHER_CLERK)
    with pytest.raises(Forbidden, match="SAME_PERSON"):  # the hands of the counter are not forgotten
        await office.approve(made.case_no, by=BOTH)


async def test_the_login_of_an_office_does_not_hide_whose_case_it_is(office: Office) -> None:
    citizen = office.citizen()
    made = await office.create("BE10", citizen, unemployment_form())
    staff = replace(CLERK, natural_person=mine(citizen))

    with pytest.raises(Forbidden, match="SAME_PERSON"):
        await office.accept(made.case_no, staff)
    with pytest.raises(Forbidden, match="SAME_PERSON"):
        await office.create("BE01", staff, pension_form(), person_id=mine(citizen))


@pytest.mark.parametrize("rpc", ["DeclineCase", "RequestCorrection"])
async def test_a_claim_that_a_service_holds_is_neither_left_behind_nor_quietly_kept(office: Office, rpc: str) -> None:
    made = await office.create("TR01", office.citizen(), subsidy_form())
    await office.work()
    request = (
        pb.DeclineCaseRequest(case_no=made.case_no, reason="不属于受理范围")
        if rpc == "DeclineCase"
        else pb.RequestCorrectionRequest(case_no=made.case_no, points=POINTS)
    )

    with pytest.raises(Refused, match="CASE_STATE_WRONG"):
        await office.call(rpc, request)
    await office.accept(made.case_no)  # a no needs two persons, and the claim is told
    await office.reject(made.case_no)

    assert len(office.services.of("RejectClaim")) == 1


@pytest.mark.parametrize("rpc", ["DeclineCase", "RequestCorrection", "WithdrawCase"])
async def test_nothing_is_given_up_while_its_call_is_under_way(office: Office, rpc: str) -> None:
    citizen = office.citizen()
    made = await office.create("TR01", citizen, subsidy_form())
    async with office.database.connection() as connection:
        assert await connection.fetchrow(store.TAKE, 15.0)
    requests = {
        "DeclineCase": pb.DeclineCaseRequest(case_no=made.case_no, reason="不属于受理范围"),
        "RequestCorrection": pb.RequestCorrectionRequest(case_no=made.case_no, points=POINTS),
        "WithdrawCase": pb.WithdrawCaseRequest(case_no=made.case_no),
    }

    with pytest.raises(Refused, match="CASE_STATE_WRONG"):
        await office.call(rpc, requests[rpc], citizen if rpc == "WithdrawCase" else CLERK)


async def test_no_worker_takes_a_step_that_somebody_is_about_to_give_up(office: Office) -> None:
    await office.create("TR01", office.citizen(), subsidy_form())
    (found,) = await office.rows("SELECT case_id FROM case_file")

    async def hold(tx: transaction.Transaction) -> bool:
        await progress.idle_steps(tx, await store.get(tx, found["case_id"], lock=True))
        return await office.worker.run_one()

    system = Principal.system("test")
    assert not await transaction.run(office.database, hold, principal=system, today=office.today)
    assert not office.services.of("SubmitClaim")


async def test_a_step_that_was_given_up_before_it_was_read_calls_nobody(office: Office) -> None:
    made = await office.create("TR01", office.citizen(), subsidy_form())
    (found,) = await office.rows("SELECT case_id, attempts FROM case_step WHERE name = 'submit'")
    await office.call("DeclineCase", pb.DeclineCaseRequest(case_no=made.case_no, reason="不属于受理范围"))

    await office.worker.run_step(store.Taken(found["case_id"], "submit", found["attempts"]))

    assert not office.services.of("SubmitClaim")


async def test_a_corrected_form_is_no_repetition_of_the_first(office: Office) -> None:
    """The first call did its work and nobody heard; under the same id the second would be refused for ever."""
    citizen = office.citizen()
    usual = office.services._PrepareUnemployment
    office.services.refuse("PrepareUnemployment", *[UNKNOWN] * CONFLICTS_MAX)
    made = await office.create("BE10", citizen, unemployment_form())
    await office.accept(made.case_no)
    for _ in range(CONFLICTS_MAX):
        await office.hurry()
        await office.work()
    first = office.services.of("PrepareUnemployment")[-1]
    path = "/hrss.benefits.v1.BenefitsService/PrepareUnemployment"
    key = (first.principal.caller, path, first.request.request_id)
    office.services.replies[key] = (
        first.request.SerializeToString(deterministic=True),
        usual(first.request).SerializeToString(),
    )
    await office.call("RequestCorrection", pb.RequestCorrectionRequest(case_no=made.case_no, points=POINTS))
    request = pb.CorrectCaseRequest(case_no=made.case_no, form=unemployment_form(day=21))
    await office.call("CorrectCase", request, citizen)

    assert (await office.accept(made.case_no)).state == pb.CASE_STATE_IN_REVIEW
    assert office.services.of("PrepareUnemployment")[-1].request.registration_date.day == 21


async def test_guesses_that_come_all_at_once_are_counted_one_by_one(office: Office) -> None:
    made = await office.create("BE10", office.citizen(), unemployment_form())

    async def guess(last_four: str) -> None:
        with pytest.raises(NotFound):
            await office.call(
                "TrackCase", pb.TrackCaseRequest(case_no=made.case_no, last_four=last_four), Principal.anonymous()
            )

    await asyncio.gather(*(guess(f"{number:04}") for number in range(4 * WRONG_GUESSES_MAX)))

    assert [row["wrong_count"] for row in await office.rows("SELECT wrong_count FROM case_guess")] == [
        WRONG_GUESSES_MAX
    ]


async def test_a_case_from_elsewhere_does_not_look_like_one_of_the_counter(office: Office) -> None:
    with pytest.raises(InvalidInput, match="CASE_FORM_WRONG"):
        await office.create("BE10", office.citizen(), unemployment_form(), channel=pb.CASE_CHANNEL_COUNTER)


async def test_operators_find_traces_and_read_nothing_that_people_wrote(office: Office) -> None:
    made = await office.create("BE10", office.citizen(), unemployment_form())
    await office.call("RequestCorrection", pb.RequestCorrectionRequest(case_no=made.case_no, points=POINTS))
    operator = a_principal(["OPERATOR"], subject="idp|operator")
    request = pb.ListCaseEventsRequest(case_no=made.case_no)

    seen = await office.call("ListCaseEvents", request, operator)
    read = await office.call("ListCaseEvents", request)

    assert POINTS[0] in read.events[-1].text
    assert [one.kind for one in seen.events] == [one.kind for one in read.events]
    assert not any(POINTS[0] in one.text for one in seen.events)
