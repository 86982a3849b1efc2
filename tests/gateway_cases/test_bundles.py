"""解除终止劳动合同: three items, one form, one number; what is done stays done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hrss.gateway.v1 import cases_service_pb2 as pb
from kernel.errors import AlreadyExists, InvalidInput, Refused
from tests.gateway_cases.office import CLERK, bundle_form, end_form, mine, unemployment_form
from tests.gateway_cases.test_work import die

if TYPE_CHECKING:
    from tests.gateway_cases.office import Office

OPEN_PARTS = {"EN06": pb.CASE_STATE_DELIVERED, "BE09": pb.CASE_STATE_DELIVERED, "BE10": pb.CASE_STATE_SUBMITTED}


async def begun(office: Office, *, person_id: str = "") -> Any:
    """A bundle handed in at the counter."""
    person_id = person_id or office.services.person()
    form = bundle_form(office.services.enrolled(person_id))
    return await office.create("PK05", CLERK, form, person_id=person_id)


def states(case: Any) -> dict[str, int]:
    """Where the parts stand."""
    return {part.item_code: part.state for part in case.parts}


async def test_the_parts_come_one_after_the_other_under_one_number(office: Office) -> None:
    made = await begun(office)
    assert (made.bundle_code, made.state) == ("PK05", pb.CASE_STATE_ACCEPTED)
    await office.work()
    going = await office.case(made.case_no)
    assert states(going) == OPEN_PARTS
    assert going.progress_percent == 73

    part = going.parts[2].case_no
    await office.accept(part)
    await office.approve(part)
    done = await office.case(made.case_no)

    assert (done.state, done.result_id[:4], done.progress_percent) == (pb.CASE_STATE_DELIVERED, "ben_", 100)
    registration = office.services.of("PrepareUnemployment")[0].request.registration_date
    assert (registration.month, registration.day) == (11, 24)
    assert (await office.case(part)).parent_case_no == made.case_no


async def test_a_refused_part_takes_nothing_back_and_the_rest_is_named(office: Office) -> None:
    office.services.refuse("PrepareUnemployment", Refused("VOLUNTARY_END", "resigned"))
    made = await begun(office)
    await office.work()
    part = (await office.case(made.case_no)).parts[2].case_no
    await office.accept(part)

    await office.reject(part)
    ended = await office.case(made.case_no)

    assert ended.state == pb.CASE_STATE_PARTLY_DONE
    assert states(ended) == {**OPEN_PARTS, "BE10": pb.CASE_STATE_REJECTED}
    assert ended.parts[2].problem_code == "VOLUNTARY_END"
    assert ended.parts[2].problem_text == "条件不符"
    assert office.services.effects == {"EndEnrollment": 1}


async def test_what_needs_a_refused_part_never_begins(office: Office) -> None:
    office.services.refuse("EndEnrollment", Refused("ENROLLMENT_ENDED", "before"))
    made = await begun(office)

    await office.work()
    ended = await office.case(made.case_no)

    assert (ended.state, ended.problem_code) == (pb.CASE_STATE_REJECTED, "ENROLLMENT_ENDED")
    assert states(ended) == {
        "EN06": pb.CASE_STATE_REJECTED,
        "BE09": pb.CASE_STATE_UNSPECIFIED,
        "BE10": pb.CASE_STATE_UNSPECIFIED,
    }


@pytest.mark.parametrize("boundary", ["before the call", "after the call", "after its transaction"])
@pytest.mark.parametrize("steps_before", [0, 1])
async def test_a_kill_at_any_boundary_goes_on_where_it_was(office: Office, boundary: str, steps_before: int) -> None:
    made = await begun(office)
    for _ in range(steps_before):
        assert await office.worker.run_one()
    await die(office, boundary)

    await office.hurry()
    await office.work()

    assert states(await office.case(made.case_no)) == OPEN_PARTS
    assert office.services.effects == {"EndEnrollment": 1}


async def test_a_bundle_and_its_items_are_not_open_twice(office: Office) -> None:
    citizen = office.citizen()
    await office.create("BE10", citizen, unemployment_form())

    with pytest.raises(AlreadyExists, match="CASE_OPEN_ALREADY"):
        await begun(office, person_id=mine(citizen))


async def test_a_part_that_cannot_begin_is_left_out_and_named(office: Office) -> None:
    person_id = office.services.person()
    made = await begun(office, person_id=person_id)
    await office.create("BE10", office.citizen(person_id), unemployment_form())
    await office.work()

    ended = await office.case(made.case_no)

    assert ended.state == pb.CASE_STATE_PARTLY_DONE
    assert ended.parts[2].problem_code == "CASE_OPEN_ALREADY"
    assert "CASE_OPEN_ALREADY" not in ended.parts[2].problem_text
    assert len(ended.parts[2].problem_text) > 5


async def test_an_employee_hands_it_in_and_a_clerk_accepts_the_end(office: Office) -> None:
    citizen = office.citizen()
    made = await office.create("PK05", citizen, bundle_form(office.services.enrolled(mine(citizen))))
    await office.work()
    part = (await office.case(made.case_no, citizen)).parts[0]
    assert part.state == pb.CASE_STATE_SUBMITTED
    with pytest.raises(Refused, match="CASE_STATE_WRONG"):
        await office.call("AcceptCase", pb.AcceptCaseRequest(case_no=made.case_no))

    await office.accept(part.case_no)

    assert states(await office.case(made.case_no)) == OPEN_PARTS
    listed = await office.call("ListPersonCases", pb.ListPersonCasesRequest(person_id=mine(citizen)), citizen)
    assert [one.case_no for one in listed.cases] == [made.case_no]


async def test_a_bundle_asks_for_everything_at_once(office: Office) -> None:
    person_id = office.services.person()
    form = end_form(office.services.enrolled(person_id))

    with pytest.raises(InvalidInput, match="CASE_INCOMPLETE") as refusal:
        await office.create("PK05", CLERK, form, person_id=person_id)

    assert [one.field for one in refusal.value.violations] == [
        "form.unemployment.payee.name",
        "form.unemployment.payee.account",
    ]
