"""Employees who rest for some months, and months that are paid back with their late fee."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hrss.enrollment.v1 import cover_service_pb2 as pb
from hrss.enrollment.v1 import enrollment_events_pb2 as events
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as register_pb
from kernel.calendar import Month
from kernel.errors import DomainError, InvalidInput, Refused
from tests.enrollment.builders import NOW, money, month
from tests.enrollment.cover_builders import a_request_id, months_of
from tests.enrollment.test_bills import a_bill, pay

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau


# Employees who rest ---------------------------------------------------------------------------------------------------


async def test_a_suspended_month_is_not_billed(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    one = await bureau.enrolled(employer_id, start_month=month(NOW.plus(-2)))
    await pay(bureau, await a_bill(bureau, employer_id, NOW.plus(-2)))
    suspend = pb.SuspendEnrollmentRequest(
        request_id="rest", enrollment_id=one.enrollment_id, from_month=month(NOW.plus(-1)),
        reason=pb.SUSPEND_REASON_UNPAID_LEAVE,
    )  # fmt: skip

    rests = await bureau.call("SuspendEnrollment", suspend)

    assert {part.state for part in rests.enrollment.participations} == {model.PARTICIPATION_STATE_SUSPENDED}
    for value in (NOW.plus(-1), NOW):
        with pytest.raises(Refused, match="NOBODY_INSURED"):
            await a_bill(bureau, employer_id, value)
    resume = pb.ResumeEnrollmentRequest(request_id="on", enrollment_id=one.enrollment_id, from_month=month(NOW))
    goes_on = await bureau.call("ResumeEnrollment", resume)
    assert {part.state for part in goes_on.enrollment.participations} == {model.PARTICIPATION_STATE_ACTIVE}
    await pay(bureau, await a_bill(bureau, employer_id))
    with pytest.raises(Refused, match="NOBODY_INSURED"):
        await a_bill(bureau, employer_id, NOW.plus(-1))
    assert {value for value, _, _ in await months_of(bureau, one.person_id)} == {str(NOW.plus(-2)), str(NOW)}


@pytest.mark.parametrize(
    ("value", "reason"),
    [(NOW.plus(-1), "MONTH_ALREADY_BILLED"), (NOW.plus(2), "SUSPENSION_MONTH_INVALID")],
    ids=["billed", "too-far"],
)
async def test_months_that_cannot_be_suspended(bureau: Bureau, value: Month, reason: str) -> None:
    employer_id = await bureau.employer()
    one = await bureau.enrolled(employer_id, start_month=month(NOW.plus(-1)))
    await a_bill(bureau, employer_id, NOW.plus(-1))

    with pytest.raises(DomainError, match=reason):
        await bureau.call(
            "SuspendEnrollment",
            pb.SuspendEnrollmentRequest(
                request_id="rest", enrollment_id=one.enrollment_id, from_month=month(value),
                reason=pb.SUSPEND_REASON_OTHER,
            ),
        )  # fmt: skip


# Back payments --------------------------------------------------------------------------------------------------------


def a_back_payment(enrollment_id: str, first: Month, last: Month, **changes: Any) -> pb.AssessBackPaymentRequest:
    """A request to pay back months from one to another."""
    values = {
        "request_id": a_request_id("back"),
        "enrollment_id": enrollment_id,
        "first_month": month(first),
        "last_month": month(last),
        "wage": money("8000.00"),
        "due_day": 15,
        **changes,
    }
    return pb.AssessBackPaymentRequest(**values)


async def test_missed_months_are_paid_with_their_late_fee(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    one = await bureau.enrolled(employer_id)

    answer = await bureau.call("AssessBackPayment", a_back_payment(one.enrollment_id, Month(2025, 1), Month(2025, 2)))

    # January: pension 1,280 + 640, unemployment 40 + 40, injury 32; due 15 February, 33 days at 0.05 % on 20 March.
    amounts = {line.code: line.amount.fen for line in answer.statement.lines}
    assert amounts["2025-01.employee_pension.employer"] == 128_000
    assert amounts["2025-01.employee_pension.late_fee"] == 3_168  # 1,920 × 0.0005 × 33
    assert amounts["2025-01.unemployment.late_fee"] == 132
    assert amounts["2025-01.work_injury.late_fee"] == 53
    assert amounts["2025-02.employee_pension.late_fee"] == 480  # 5 days
    assert [bill.kind for bill in answer.bills] == [model.BILL_KIND_BACK_PAYMENT] * 2
    assert answer.bills[0].late_fee.fen == 3_353
    assert sum(bill.total.fen for bill in answer.bills) == answer.statement.total.fen

    for bill in answer.bills:
        await pay(bureau, bill)

    assert await months_of(bureau, one.person_id) == [
        (value, scheme, 800_000) for value in ("2025-01", "2025-02") for scheme in (110, 210, 410)
    ]
    account = await bureau.call("GetAccount", register_pb.GetAccountRequest(person_id=one.person_id))
    assert account.balance.fen == 2 * 64_000
    (fund,) = await bureau.rows(
        "SELECT sum(amount_fen)::bigint AS fen FROM ledger_posting WHERE account = 'fund:unemployment'"
    )
    assert fund["fen"] == 2 * 8_000 + 132 + 20
    assert len(await bureau.said(events.ContributionsSettled)) == 2
    assert (await a_bill(bureau, employer_id)).kind == model.BILL_KIND_EMPLOYER


@pytest.mark.parametrize(
    ("months", "changes", "kind", "reason"),
    [
        ((NOW, NOW), {}, InvalidInput, "BACK_PAYMENT_MONTHS_INVALID"),
        ((NOW.plus(-1), NOW.plus(-2)), {}, InvalidInput, "BACK_PAYMENT_MONTHS_INVALID"),
        ((NOW.plus(-37), NOW.plus(-1)), {}, Refused, "DOCUMENT_REQUIRED"),
        ((NOW.plus(-37), NOW.plus(-1)), {"document_ref": "!"}, InvalidInput, "DOCUMENT_INVALID"),
        ((NOW.plus(-1), NOW.plus(-1)), {"due_day": 29}, InvalidInput, "BACK_PAYMENT_DUE_INVALID"),
        ((Month(2018, 6), Month(2018, 6)), {}, Refused, "POLICY_PARAMETER_MISSING"),
    ],
    ids=["insured", "reversed", "three-years", "reference", "due-day", "before-the-limits"],
)
async def test_months_that_cannot_be_paid_back(
    bureau: Bureau, months: tuple[Month, Month], changes: dict[str, Any], kind: type[DomainError], reason: str
) -> None:
    one = await bureau.enrolled(await bureau.employer())

    with pytest.raises(kind, match=reason):
        await bureau.call("AssessBackPayment", a_back_payment(one.enrollment_id, *months, **changes))
    assert await bureau.rows("SELECT 1 FROM bill") == []


async def test_three_years_need_no_document_and_more_rest_on_one(bureau: Bureau) -> None:
    one = await bureau.enrolled(await bureau.employer())
    other = await bureau.enrolled(await bureau.employer())

    short = await bureau.call("AssessBackPayment", a_back_payment(one.enrollment_id, NOW.plus(-36), NOW.plus(-1)))
    long = await bureau.call(
        "AssessBackPayment",
        a_back_payment(other.enrollment_id, NOW.plus(-37), NOW.plus(-1), document_ref="(2025)苏0613民初12号"),
    )

    assert (len(short.bills), len(long.bills)) == (36, 37)
    with pytest.raises(Refused, match="MONTH_ALREADY_PAID"):
        await bureau.call("AssessBackPayment", a_back_payment(one.enrollment_id, NOW.plus(-36), NOW.plus(-36)))
