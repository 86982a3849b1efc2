"""Enrolling, ending, wages: each rule with its refusal, over the wire."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from kernel import ids
from kernel.errors import AlreadyExists, DomainError, InvalidInput, NotFound, Refused
from tests.enrollment import builders
from tests.enrollment.builders import NOW, PARTNER, TODAY, an_employer, an_enrollment, an_id_no, money, month
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from kernel.calendar import Month
    from tests.enrollment.conftest import Bureau


async def test_a_new_person_is_registered_and_enrolled_in_three_schemes(bureau: Bureau) -> None:
    employer_id = await bureau.employer()

    reply = await bureau.call("EnrollPerson", an_enrollment(employer_id, wage=money("8000.00")))

    assert reply.person_created
    enrollment = reply.enrollment
    assert [part.scheme for part in enrollment.participations] == [1, 2, 3]
    assert {part.state for part in enrollment.participations} == {model.PARTICIPATION_STATE_ACTIVE}
    assert {part.track for part in enrollment.participations} == {model.TRACK_MALE_60}
    assert [(wage.from_month, wage.wage.fen) for wage in enrollment.wages] == [(month(NOW), 800_000)]
    shown = await bureau.call("GetEnrollment", pb.GetEnrollmentRequest(enrollment_id=enrollment.enrollment_id))
    assert shown.enrollment == enrollment


async def test_facts_of_an_enrolment_carry_no_identity_in_clear(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    id_no = an_id_no()

    await bureau.enrolled(employer_id, id_no=id_no, name="欧阳静怡")

    rows = await bureau.rows("SELECT subject, payload FROM outbox ORDER BY seq")
    assert [row["subject"].rpartition(".")[2] for row in rows] == [
        "EmployerRegistered",
        "PersonRegistered",
        "ParticipationStarted",
    ]
    everything = b"".join(row["payload"] for row in rows)
    assert id_no.encode() not in everything
    assert "欧阳静怡".encode() not in everything


async def test_a_known_person_comes_back_after_an_end(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    id_no = an_id_no()
    first = await bureau.enrolled(employer_id, id_no=id_no, start_month=month(NOW.plus(-3)))
    await bureau.call(
        "EndEnrollment",
        pb.EndEnrollmentRequest(
            request_id="end", enrollment_id=first.enrollment_id, end_month=month(NOW.plus(-1)),
            reason=model.END_REASON_RESIGNED,
        ),
    )  # fmt: skip

    again = await bureau.call("EnrollPerson", an_enrollment(employer_id, id_no=id_no))

    assert not again.person_created
    assert again.enrollment.person_id == first.person_id
    assert again.enrollment.enrollment_id != first.enrollment_id
    insurance = await bureau.call("GetInsurance", pb.GetInsuranceRequest(person_id=first.person_id))
    states = [(part.start_month.month, part.state) for part in insurance.participations]
    assert states == [(3, model.PARTICIPATION_STATE_ACTIVE)] * 3 + [(12, model.PARTICIPATION_STATE_ENDED)] * 3
    named = [(one.enrollment_id, one.employer_name, one.HasField("end_month")) for one in insurance.employments]
    employer = (await bureau.call("GetEmployer", pb.GetEmployerRequest(employer_id=employer_id))).employer
    assert named == [
        (again.enrollment.enrollment_id, employer.name, False),
        (first.enrollment_id, employer.name, True),
    ]


@pytest.mark.parametrize(
    ("sex", "post", "track"),
    [
        ("male", model.POST_UNSPECIFIED, model.TRACK_MALE_60),
        ("female", model.POST_MANAGEMENT, model.TRACK_FEMALE_55),
        ("female", model.POST_PRODUCTION, model.TRACK_FEMALE_50),
    ],
)
async def test_the_post_of_a_woman_decides_her_track(
    bureau: Bureau, sex: str, post: model.Post.ValueType, track: model.Track.ValueType
) -> None:
    enrollment = await bureau.enrolled(await bureau.employer(), id_no=an_id_no(sex=sex), post=post)

    assert {part.track for part in enrollment.participations} == {track}


@pytest.mark.parametrize(
    ("changes", "kind", "reason"),
    [
        ({"id_no": "11010519491231002X"[:17] + "1"}, InvalidInput, "ID_NO_INVALID"),
        ({"id_no": an_id_no(date(2025, 3, 21))}, InvalidInput, "ID_NO_INVALID"),
        ({"name": ""}, InvalidInput, "NAME_INVALID"),
        ({"name": "张<b>"}, InvalidInput, "NAME_INVALID"),
        ({"phone": "12345"}, InvalidInput, "PHONE_INVALID"),
        ({"wage": None}, InvalidInput, "WAGE_INVALID"),
        ({"wage": money("0")}, InvalidInput, "WAGE_INVALID"),
        ({"wage": money("-1")}, InvalidInput, "WAGE_INVALID"),
        ({"wage": money("1000000.01")}, InvalidInput, "WAGE_INVALID"),
        ({"start_month": None}, InvalidInput, "MONTH_REQUIRED"),
        ({"start_month": month(NOW.plus(-13))}, Refused, "START_MONTH_OUT_OF_WINDOW"),
        ({"start_month": month(NOW.plus(2))}, Refused, "START_MONTH_OUT_OF_WINDOW"),
        ({"id_no": an_id_no(birth=TODAY), "start_month": month(NOW.previous)}, Refused, "START_MONTH_OUT_OF_WINDOW"),
        ({"id_no": an_id_no(sex="female"), "post": model.POST_UNSPECIFIED}, InvalidInput, "POST_REQUIRED"),
        ({"employer_id": "emp_" + "0" * 32}, NotFound, "EMPLOYER_NOT_FOUND"),
        ({"employer_id": "per_" + "0" * 32}, InvalidInput, "ID_MALFORMED"),
    ],
)
async def test_an_enrolment_that_breaks_a_rule_is_refused(
    bureau: Bureau, changes: dict[str, Any], kind: type[DomainError], reason: str
) -> None:
    employer_id = await bureau.employer()

    with pytest.raises(kind) as refusal:
        await bureau.call("EnrollPerson", an_enrollment(**{"employer_id": employer_id, **changes}))

    assert refusal.value.reason == reason
    assert await bureau.rows("SELECT 1 FROM person") == []


@pytest.mark.parametrize("start", [NOW.plus(-12), NOW.plus(1)])
async def test_the_borders_of_the_window_are_inside(bureau: Bureau, start: Month) -> None:
    enrollment = await bureau.enrolled(await bureau.employer(), start_month=month(start))

    assert enrollment.start_month == month(start)


async def test_a_second_enrolment_says_since_when(bureau: Bureau) -> None:
    id_no = an_id_no()
    await bureau.enrolled(await bureau.employer(), id_no=id_no, start_month=month(NOW.plus(-2)))

    with pytest.raises(AlreadyExists) as refusal:
        await bureau.enrolled(await bureau.employer(), id_no=id_no)

    assert refusal.value.reason == "ALREADY_ENROLLED"
    assert refusal.value.metadata["since"] == str(NOW.plus(-2))


async def test_a_wrong_name_is_refused_without_telling_the_right_one(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    id_no = an_id_no()
    await bureau.enrolled(employer_id, id_no=id_no, name="王晓明")

    with pytest.raises(Refused) as refusal:
        await bureau.enrolled(employer_id, id_no=id_no, name="李晓明")

    assert refusal.value.reason == "NAME_MISMATCH"
    assert "王晓明" not in f"{refusal.value} {refusal.value.metadata}"


async def test_full_width_digits_and_a_small_x_are_the_same_number(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    id_no = next(one for one in iter(an_id_no, "") if one.endswith("X"))
    await bureau.enrolled(employer_id, id_no=id_no)

    with pytest.raises(AlreadyExists):
        await bureau.enrolled(employer_id, id_no=id_no.lower().translate({ord("1"): "１"}))


async def test_an_agent_reaches_only_the_own_employer(bureau: Bureau) -> None:
    own, other = await bureau.employer(), await bureau.employer()
    agent = a_principal(["EMPLOYER_AGENT"], employer_ids=[ids.parse("emp", own)])

    enrollment = (await bureau.call("EnrollPerson", an_enrollment(own), by=agent)).enrollment
    foreign = await bureau.enrolled(other)

    with pytest.raises(NotFound, match="EMPLOYER_NOT_FOUND"):
        await bureau.call("EnrollPerson", an_enrollment(other), by=agent)
    with pytest.raises(NotFound, match="ENROLLMENT_NOT_FOUND"):
        await bureau.call("EndEnrollment", an_end(foreign), by=agent)
    with pytest.raises(NotFound, match="ENROLLMENT_NOT_FOUND"):
        await bureau.call("GetEnrollment", pb.GetEnrollmentRequest(enrollment_id=foreign.enrollment_id), by=agent)
    assert (await bureau.call("EndEnrollment", an_end(enrollment), by=agent)).enrollment.end_month == month(NOW)


async def test_a_citizen_sees_the_own_enrolment_only(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    own, other = await bureau.enrolled(employer_id), await bureau.enrolled(employer_id)
    citizen = a_principal(["CITIZEN"], person_id=ids.parse("per", own.person_id))

    shown = await bureau.call("GetEnrollment", pb.GetEnrollmentRequest(enrollment_id=own.enrollment_id), by=citizen)

    assert shown.enrollment.person_id == own.person_id
    with pytest.raises(NotFound, match="ENROLLMENT_NOT_FOUND"):
        await bureau.call("GetEnrollment", pb.GetEnrollmentRequest(enrollment_id=other.enrollment_id), by=citizen)


def an_end(enrollment: model.Enrollment, **changes: Any) -> pb.EndEnrollmentRequest:
    """A request to end an enrolment with this month."""
    values = {
        "request_id": f"end-{builders.number()}",
        "enrollment_id": enrollment.enrollment_id,
        "end_month": month(NOW),
        "reason": model.END_REASON_DISMISSED,
        **changes,
    }
    return pb.EndEnrollmentRequest(**values)


async def test_an_end_says_its_facts_and_cannot_be_repeated(bureau: Bureau) -> None:
    enrollment = await bureau.enrolled(await bureau.employer())

    ended = (await bureau.call("EndEnrollment", an_end(enrollment))).enrollment

    assert {part.state for part in ended.participations} == {model.PARTICIPATION_STATE_ENDED}
    assert ended.end_reason == model.END_REASON_DISMISSED
    subjects = [row["subject"] for row in await bureau.rows("SELECT subject FROM outbox ORDER BY seq")]
    assert subjects[-1] == "hrss.enrollment.v1.ParticipationEnded"
    with pytest.raises(Refused, match="ENROLLMENT_ENDED"):
        await bureau.call("EndEnrollment", an_end(enrollment))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"end_month": month(NOW.plus(-1))}, "END_MONTH_INVALID"),
        ({"end_month": month(NOW.plus(1))}, "END_MONTH_INVALID"),
        ({"end_month": None}, "MONTH_REQUIRED"),
        ({"reason": model.END_REASON_UNSPECIFIED}, "END_REASON_REQUIRED"),
    ],
)
async def test_an_end_that_breaks_a_rule_is_refused(bureau: Bureau, changes: dict[str, Any], reason: str) -> None:
    enrollment = await bureau.enrolled(await bureau.employer())

    with pytest.raises(InvalidInput, match=reason):
        await bureau.call("EndEnrollment", an_end(enrollment, **changes))


async def test_one_who_was_to_start_next_month_may_leave_with_it(bureau: Bureau) -> None:
    enrollment = await bureau.enrolled(await bureau.employer(), start_month=month(NOW.plus(1)))

    ended = await bureau.call("EndEnrollment", an_end(enrollment, end_month=month(NOW.plus(1))))

    assert ended.enrollment.end_month == month(NOW.plus(1))


async def test_an_end_before_a_billed_month_is_refused(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    enrollment = await bureau.enrolled(employer_id, start_month=month(NOW.plus(-1)))
    await bureau.call("AssessBill", pb.AssessBillRequest(request_id="b", employer_id=employer_id, month=month(NOW)))

    with pytest.raises(InvalidInput, match="END_MONTH_INVALID") as refusal:
        await bureau.call("EndEnrollment", an_end(enrollment, end_month=month(NOW.plus(-1))))

    assert refusal.value.metadata == {"earliest": str(NOW), "latest": str(NOW)}


def a_wage(enrollment: model.Enrollment, **changes: Any) -> pb.DeclareWageRequest:
    """A request to declare a wage from the next month on."""
    values = {
        "request_id": f"wage-{builders.number()}",
        "enrollment_id": enrollment.enrollment_id,
        "from_month": month(NOW.plus(1)),
        "wage": money("9000.00"),
        **changes,
    }
    return pb.DeclareWageRequest(**values)


async def test_a_wage_counts_from_its_month_and_may_be_corrected_before_the_bill(bureau: Bureau) -> None:
    enrollment = await bureau.enrolled(await bureau.employer(), wage=money("8000"))
    await bureau.call("DeclareWage", a_wage(enrollment))

    corrected = (await bureau.call("DeclareWage", a_wage(enrollment, wage=money("9500")))).enrollment

    assert [(one.from_month, one.wage.fen) for one in corrected.wages] == [
        (month(NOW.plus(1)), 950_000),
        (month(NOW), 800_000),
    ]
    shown = await bureau.call("GetEnrollment", pb.GetEnrollmentRequest(enrollment_id=enrollment.enrollment_id))
    assert shown.enrollment == corrected


async def test_wages_of_wrong_months_are_refused(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    enrollment = await bureau.enrolled(employer_id)
    await bureau.call("AssessBill", pb.AssessBillRequest(request_id="b", employer_id=employer_id, month=month(NOW)))

    with pytest.raises(Refused, match="MONTH_NOT_INSURED"):
        await bureau.call("DeclareWage", a_wage(enrollment, from_month=month(NOW.plus(-1))))
    with pytest.raises(Refused, match="MONTH_ALREADY_BILLED"):
        await bureau.call("DeclareWage", a_wage(enrollment, from_month=month(NOW)))
    with pytest.raises(InvalidInput, match="WAGE_INVALID"):
        await bureau.call("DeclareWage", a_wage(enrollment, wage=money("0")))
    await bureau.call("EndEnrollment", an_end(enrollment))
    with pytest.raises(Refused, match="ENROLLMENT_ENDED"):
        await bureau.call("DeclareWage", a_wage(enrollment))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"credit_code": "91320601MA00000000"}, "CREDIT_CODE_INVALID"),
        ({"name": "甲"}, "NAME_INVALID"),
        ({"name": "a\u00adb"}, "NAME_INVALID"),
        ({"division": "32061"}, "DIVISION_INVALID"),
        ({"injury_class": 0}, "INJURY_CLASS_INVALID"),
        ({"injury_class": 9}, "INJURY_CLASS_INVALID"),
        ({"injury_step": {"decimal": "1.1"}}, "INJURY_STEP_INVALID"),
        ({"injury_step": {"decimal": "1e0"}}, "INJURY_STEP_INVALID"),
    ],
)
async def test_an_employer_that_breaks_a_rule_is_refused(bureau: Bureau, changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        await bureau.call("RegisterEmployer", an_employer(**changes))


async def test_an_employer_is_registered_once(bureau: Bureau) -> None:
    request = an_employer(injury_step={"decimal": "1.20"})
    employer = (await bureau.call("RegisterEmployer", request, by=PARTNER)).employer

    with pytest.raises(AlreadyExists, match="EMPLOYER_ALREADY_REGISTERED"):
        await bureau.call("RegisterEmployer", an_employer(credit_code=request.credit_code.lower()))

    shown = await bureau.call("GetEmployer", pb.GetEmployerRequest(employer_id=employer.employer_id))
    assert shown.employer == employer
    assert employer.injury_step.decimal == "1.20"
