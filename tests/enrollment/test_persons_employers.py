"""Employers through time: a bill takes what was in force in its month; the end, the list, the way from a code."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from hrss.enrollment.v1 import enrollment_events_pb2 as events
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as enrollment_pb
from hrss.type.v1 import money_pb2
from kernel.errors import DomainError, InvalidInput, NotFound, Refused
from kernel.identity import make_credit_code
from tests.enrollment.builders import NOW, PARTNER, a_receipt, an_id_no, month, number
from tests.enrollment.persons import ask
from tests.enrollment.test_bills import a_bill

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau


async def shown(bureau: Bureau, employer_id: str) -> model.Employer:
    """An employer as of today."""
    reply = await bureau.call("GetEmployer", enrollment_pb.GetEmployerRequest(employer_id=employer_id))
    employer: model.Employer = reply.employer
    return employer


def injury(bill: model.Bill) -> int:
    """Work-injury contributions of a bill."""
    return sum(one.employer.fen for one in bill.subtotals if one.scheme == model.SCHEME_WORK_INJURY)


async def test_the_bill_of_a_month_uses_the_class_in_force_in_it(bureau: Bureau) -> None:
    employer_id = await bureau.employer(injury_class=2)
    await bureau.enrolled(employer_id, start_month=month(NOW.plus(-2)))

    await ask(
        bureau,
        "ChangeEmployer",
        employer_id=employer_id,
        start_month=month(NOW.plus(-1)),
        injury_class=8,
        name="新厂名称",
    )

    bills = [injury(await a_bill(bureau, employer_id, NOW.plus(-back))) for back in (2, 1, 0)]
    other = await bureau.employer(injury_class=2)
    await bureau.enrolled(other, start_month=month(NOW.plus(-2)))
    assert bills[0] == injury(await a_bill(bureau, other, NOW.plus(-2)))
    assert bills[0] < bills[1] == bills[2]
    versions = (await ask(bureau, "ListEmployerHistory", employer_id=employer_id)).versions
    assert [(one.HasField("start_month"), one.injury_class, one.name) for one in versions] == [
        (True, 8, "新厂名称"),
        (False, 2, "通州测试纺织有限公司"),
    ]
    (fact,) = await bureau.said(events.EmployerChanged)
    assert (fact.start_month, fact.injury_class, fact.division) == (month(NOW.plus(-1)), 8, "320613")


async def test_a_change_of_next_year_shows_when_its_month_comes(bureau: Bureau) -> None:
    employer_id = await bureau.employer(injury_class=2)

    reply = await ask(
        bureau,
        "ChangeEmployer",
        employer_id=employer_id,
        start_month=month(NOW.next),
        division="320685",
        injury_step=money_pb2.Rate(decimal="1.20"),
    )

    assert (reply.employer.division, reply.employer.injury_step.decimal) == ("320613", "1.00")
    then = await bureau.call(
        "GetEmployer", enrollment_pb.GetEmployerRequest(employer_id=employer_id), today=NOW.next.first_day
    )
    assert (then.employer.division, Decimal(then.employer.injury_step.decimal)) == ("320685", Decimal("1.2"))
    await bureau.enrolled(employer_id, start_month=month(NOW.next), today=NOW.next.first_day)
    assert {fact.division for fact in await bureau.said(events.ParticipationStarted)} == {"320685"}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"injury_class": 9}, "INJURY_CLASS_INVALID"),
        ({"injury_step": money_pb2.Rate(decimal="1.37")}, "INJURY_STEP_INVALID"),
        ({}, "VALUE_REQUIRED"),
        ({"injury_class": 2}, "VALUE_REQUIRED"),
        ({"name": "\u200b厂"}, "CHARACTER_NOT_ALLOWED"),
        ({"division": "32"}, "DIVISION_INVALID"),
        ({"injury_class": 3, "start_month": month(NOW.plus(-1))}, "MONTH_ALREADY_BILLED"),
        ({"injury_class": 3, "start_month": month(NOW.plus(13))}, "START_MONTH_OUT_OF_WINDOW"),
        ({"name": "新厂", "evidence_ref": ""}, "EVIDENCE_REQUIRED"),
        ({"name": "新厂", "employer_id": "emp_" + "0" * 32}, "EMPLOYER_NOT_FOUND"),
    ],
)
async def test_a_change_that_cannot_be_is_refused_by_name(bureau: Bureau, values: dict[str, Any], reason: str) -> None:
    employer_id = await bureau.employer(injury_class=2)
    await bureau.enrolled(employer_id, start_month=month(NOW.plus(-1)))
    await a_bill(bureau, employer_id, NOW.plus(-1))

    with pytest.raises(DomainError, match=reason):
        await ask(bureau, "ChangeEmployer", **{"employer_id": employer_id, "start_month": month(NOW), **values})


async def test_an_employer_ends_when_nobody_is_insured_and_nothing_owed(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    one = await bureau.enrolled(employer_id)
    with pytest.raises(Refused, match="EMPLOYER_INSURES_PEOPLE") as insures:
        await ask(bureau, "DeregisterEmployer", employer_id=employer_id)
    assert insures.value.metadata["persons"] == "1"
    bill = await a_bill(bureau, employer_id)
    end = enrollment_pb.EndEnrollmentRequest(
        request_id=f"end-{number()}",
        enrollment_id=one.enrollment_id,
        end_month=month(NOW),
        reason=model.END_REASON_DISMISSED,
    )
    await bureau.call("EndEnrollment", end)
    with pytest.raises(Refused, match="EMPLOYER_OWES"):
        await ask(bureau, "DeregisterEmployer", employer_id=employer_id)
    await bureau.call("RecordReceipt", a_receipt(bill), by=PARTNER)

    await ask(bureau, "DeregisterEmployer", employer_id=employer_id)

    with pytest.raises(Refused, match="EMPLOYER_DEREGISTERED"):
        await bureau.enrolled(employer_id, id_no=an_id_no())
    with pytest.raises(Refused, match="EMPLOYER_DEREGISTERED"):
        await ask(bureau, "ChangeEmployer", employer_id=employer_id, start_month=month(NOW), name="新厂名称")
    assert len(await bureau.said(events.EmployerDeregistered)) == 1
    assert (await ask(bureau, "ListEmployers")).employers == []
    (gone,) = (await ask(bureau, "ListEmployers", with_deregistered=True)).employers
    assert gone.HasField("deregister_date")


async def test_employers_are_listed_by_pages_and_found_by_code(bureau: Bureau) -> None:
    codes = sorted(make_credit_code("320601", f"MB{number():06d}") for _ in range(5))
    for code in codes:
        await bureau.employer(credit_code=code, division="320685" if code == codes[0] else "320613")

    seen, token = [], ""
    while True:
        page = await ask(bureau, "ListEmployers", page_size=2, page_token=token)
        seen += [one.employer.credit_code for one in page.employers]
        if not (token := page.next_page_token):
            break
    there = await ask(bureau, "ListEmployers", division="320685")

    assert seen == codes
    assert [one.employer.credit_code for one in there.employers] == codes[:1]
    found = await ask(bureau, "FindEmployer", credit_code=codes[1].lower())
    assert found.employer.employer.credit_code == codes[1]
    with pytest.raises(NotFound, match="EMPLOYER_NOT_FOUND"):
        await ask(bureau, "FindEmployer", credit_code=make_credit_code("320601", "MC000001"))
    wrong = codes[0][:17] + ("0" if codes[0][17] != "0" else "1")
    for text, cause in ((wrong, "CHECKSUM"), ("91320600I", "FORMAT")):
        with pytest.raises(InvalidInput, match="CREDIT_CODE_INVALID") as refusal:
            await ask(bureau, "FindEmployer", credit_code=text)
        assert refusal.value.metadata["cause"] == cause


async def test_the_name_of_now_is_shown(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    await ask(bureau, "ChangeEmployer", employer_id=employer_id, start_month=month(NOW), name="南通新名称有限公司")

    assert (await shown(bureau, employer_id)).name == "南通新名称有限公司"
