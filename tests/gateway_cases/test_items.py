"""The good way of each item, from the form to what it led to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hrss.gateway.v1 import cases_service_pb2 as pb
from kernel.errors import InvalidInput, Refused
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

if TYPE_CHECKING:
    from tests.gateway_cases.office import Office


async def test_an_unemployment_benefit_is_accepted_by_one_and_decided_by_another(office: Office) -> None:
    citizen = office.citizen()
    made = await office.create("BE10", citizen, unemployment_form())
    assert (made.state, made.person_id, made.name_masked) == (pb.CASE_STATE_SUBMITTED, mine(citizen), "王*明")

    prepared = await office.accept(made.case_no)
    assert (prepared.state, prepared.statement.total.fen) == (pb.CASE_STATE_IN_REVIEW, 240_000)
    done = await office.approve(made.case_no, digest=prepared.statement_digest)

    assert done.state == pb.CASE_STATE_DELIVERED
    assert done.result_id.startswith("ben_")
    assert [one.rpc for one in office.services.called] == [
        "GetApplicant",
        "PrepareUnemployment",
        "ApproveDetermination",
    ]
    preparing, approving = office.services.called[1:]
    assert (preparing.principal.subject, approving.principal.subject) == (CLERK.subject, SECOND.subject)
    assert preparing.principal.case_no == made.case_no
    assert preparing.request.payee.account == "6222021234567890123"


async def test_a_pension_settles_the_account_first(office: Office) -> None:
    made = await office.create("BE01", office.citizen(), pension_form())

    await office.accept(made.case_no)
    done = await office.approve(made.case_no)

    assert [one.rpc for one in office.services.called[1:]] == [
        "SettleAccount",
        "PreparePension",
        "ApproveDetermination",
    ]
    assert done.state == pb.CASE_STATE_DELIVERED


async def test_a_subsidy_is_claimed_on_the_day_it_was_handed_in(office: Office) -> None:
    citizen = office.citizen()
    made = await office.create("TR01", citizen, subsidy_form())
    await office.work()
    assert office.services.of("SubmitClaim")[0].principal.person_id == citizen.person_id

    await office.accept(made.case_no)
    done = await office.approve(made.case_no)

    assert (done.state, done.result_id[:4]) == (pb.CASE_STATE_DELIVERED, "clm_")


async def test_an_enrolment_by_a_partner_is_answered_at_once(office: Office) -> None:
    made = await office.create("EN05", PARTNER, enrollment_form())
    assert (made.case_no[:6], made.person_id) == ("320612", "")

    await office.work()
    done = await office.case(made.case_no, PARTNER)

    assert (done.state, done.result_id[:4], done.name_masked) == (pb.CASE_STATE_DELIVERED, "enr_", "王*明")
    assert done.person_id in office.services.people


async def test_an_employees_own_end_waits_for_a_clerk(office: Office) -> None:
    citizen = office.citizen()
    made = await office.create("EN06", citizen, end_form(office.services.enrolled(mine(citizen))))
    await office.work()
    assert (await office.case(made.case_no)).state == pb.CASE_STATE_SUBMITTED
    assert not office.services.of("EndEnrollment")

    done = await office.accept(made.case_no)

    assert done.state == pb.CASE_STATE_DELIVERED
    assert office.services.of("EndEnrollment")[0].principal.subject == CLERK.subject


async def test_an_employers_end_is_done_at_once(office: Office) -> None:
    person_id = office.services.person()
    form = end_form(office.services.enrolled(person_id))
    made = await office.create("EN06", PARTNER, form, person_id=person_id)

    await office.work()

    assert (await office.case(made.case_no)).state == pb.CASE_STATE_DELIVERED


async def test_another_persons_enrolment_is_not_ended(office: Office) -> None:
    form = end_form(office.services.enrolled(office.services.person()))
    made = await office.create("EN06", PARTNER, form, person_id=office.services.person())

    await office.work()
    ended = await office.case(made.case_no)

    assert (ended.state, ended.problem_code) == (pb.CASE_STATE_REJECTED, "ENROLLMENT_NOT_FOUND")
    assert not office.services.of("EndEnrollment")


async def test_an_unemployment_registration_is_done_by_itself(office: Office) -> None:
    made = await office.create("BE09", office.citizen(), pb.CaseForm())

    assert made.state == pb.CASE_STATE_DELIVERED


async def test_the_only_card_that_waits_is_activated(office: Office) -> None:
    citizen = office.citizen()
    card_id = office.services.card(mine(citizen))
    made = await office.create("CA06", citizen, card_form())

    await office.work()
    done = await office.case(made.case_no)

    assert (done.state, done.result_id) == (pb.CASE_STATE_DELIVERED, card_id)
    assert office.services.of("ActivateCard")[0].request.pin == "274913"


async def test_a_loss_is_reported_and_lifted(office: Office) -> None:
    citizen = office.citizen()
    card_id = office.services.card(mine(citizen))
    for lift, rpc in ((False, "ReportLoss"), (True, "LiftLoss")):
        form = pb.CaseForm()
        form.card_loss.card_id, form.card_loss.lift = card_id, lift

        made = await office.create("CA03", citizen, form)
        await office.work()

        assert (await office.case(made.case_no)).state == pb.CASE_STATE_DELIVERED
        assert office.services.effects == {"ReportLoss": 1} if rpc == "ReportLoss" else {"ReportLoss": 1, rpc: 1}


async def test_a_delegate_applies_for_a_ward_and_is_paid_nothing(office: Office) -> None:
    ward, by = office.services.person(), office.citizen(acr=2)
    delegate = mine(by)
    account = "dlg_" + "1" * 32
    office.services.wards[account] = ward
    form = subsidy_form()
    form.subsidy.payee.name = "别人"
    request = pb.CreateCaseRequest(code="TR01", submit=True, delegation_id=account, form=form)
    with pytest.raises(InvalidInput):  # to another's account
        await office.call("CreateCase", request, by)
    request.submit = False
    with pytest.raises(Refused):
        await office.call("CreateCase", request, by)

    del office.services.wards[account]
    request.submit = True
    with pytest.raises(Refused) as ended:
        await office.call("CreateCase", request, by)
    assert ended.value.reason == "FAMILY_NOT_ACTIVE"
    office.services.wards[account] = ward
    form.subsidy.payee.name = "王小明"  # as the register of this office masks it
    request.form.CopyFrom(form)
    made = (await office.call("CreateCase", request, by)).case
    await office.work()
    (submitted,) = office.services.of("SubmitClaim")

    assert made.delegation_id == request.delegation_id
    assert submitted.request.person_id == ward
    assert mine(submitted.principal) == ward  # whose rights count
    assert submitted.principal.known_person == delegate  # whose hand it was
    assert submitted.principal.purpose.endswith(request.delegation_id)
