"""The edge for callers: real gRPC on the loopback, from the estimate to the bank's answer."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from hrss.benefits.v1 import benefits_pb2 as model
from hrss.benefits.v1 import benefits_service_pb2 as pb
from hrss.type.v1 import calendar_pb2, money_pb2
from kernel import ids
from kernel.errors import Conflict, Forbidden, InvalidInput, NotFound, Refused
from services.benefits.service import build
from tests.benefits.builders import (
    ACCOUNT,
    BANK,
    CLERK,
    OTHER_CLERK,
    SUPERVISOR,
    TODAY,
    Benefits,
    Enrollment,
    refused,
)
from tests.plugins.databases import owner_fetch
from tests.plugins.grpc_harness import a_principal, serve
from tests.system.oracle_benefits import violations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from chassis.database import Database
    from services.benefits.policy import BenefitsPolicy
    from tests.plugins.grpc_harness import Running


WIDE = "６２２２０２１００１１１２２２３３３４"  # full-width digits are no account


@pytest.fixture
async def running(database: Database) -> AsyncIterator[Running]:
    """Benefits, listening."""
    async with serve(build(database.settings), database=database) as one:
        yield one


def a_month(year: int, month: int) -> calendar_pb2.Month:
    return calendar_pb2.Month(year=year, month=month)


def a_pension_request(person_id: UUID, request_id: str = "req-1", **changes: Any) -> pb.PreparePensionRequest:
    values = {"payee": pb.Payee(name="张三", account=ACCOUNT)} | changes
    return pb.PreparePensionRequest(request_id=request_id, person_id=ids.to_text("per", person_id), **values)


def an_approval(determination: model.Determination, request_id: str = "req-2") -> pb.ApproveDeterminationRequest:
    return pb.ApproveDeterminationRequest(
        request_id=request_id,
        determination_id=determination.determination_id,
        statement_digest=determination.statement_digest,
    )


async def a_running_pension(running: Running, enrollment: Enrollment) -> pb.ApproveDeterminationResponse:
    person_id = await enrollment.about_to_retire()
    prepared = await running.call("PreparePension", a_pension_request(person_id), CLERK, today=TODAY)
    approved: pb.ApproveDeterminationResponse = await running.call(
        "ApproveDetermination", an_approval(prepared.determination), SUPERVISOR, today=TODAY
    )
    return approved


async def test_from_the_estimate_to_the_banks_answer(
    running: Running,
    database: Database,
    policy: BenefitsPolicy,
    enrollment: Enrollment,
    benefits: Benefits,
) -> None:
    person_id = await enrollment.about_to_retire()
    citizen = a_principal(person_id=person_id)
    per = ids.to_text("per", person_id)

    shown = await running.call("GetRetirement", pb.GetRetirementRequest(person_id=per), citizen, today=TODAY)
    guess = await running.call("EstimatePension", pb.EstimatePensionRequest(person_id=per), citizen, today=TODAY)
    prepared = await running.call("PreparePension", a_pension_request(person_id), CLERK, today=TODAY)
    looked = await running.call(
        "GetDetermination",
        pb.GetDeterminationRequest(determination_id=prepared.determination.determination_id),
        SUPERVISOR,
        today=TODAY,
    )
    approved = await running.call("ApproveDetermination", an_approval(looked.determination), SUPERVISOR, today=TODAY)

    assert shown.retirement.statutory_month == a_month(2026, 7)
    assert (shown.retirement.payout_months.decimal, shown.as_of) == ("136.7", a_month(2026, 7))
    assert shown.retirement.sources
    assert "不是核定" in guess.notice_zh
    assert "not a decision" in guess.notice_en
    assert guess.statement.total == approved.benefit.monthly == prepared.determination.statement.total
    assert prepared.determination.payee_account_masked == f"**** {ACCOUNT[-4:]}"
    assert approved.benefit.first_month == a_month(2026, 8)
    assert not approved.benefit.HasField("last_month")

    august = date(2026, 8, 20)
    request = pb.PreparePayrollRequest(request_id="req-3", month=a_month(2026, 8))
    started = await running.call("PreparePayroll", request, CLERK, today=august)
    assert started.payroll.state == model.PAYROLL_STATE_PREPARING
    await benefits.work_off_jobs()
    asked = pb.GetPayrollRequest(payroll_id=started.payroll.payroll_id)
    ready = (await running.call("GetPayroll", asked, SUPERVISOR, today=august)).payroll
    release = pb.ApprovePayrollRequest(request_id="req-4", payroll_id=ready.payroll_id, digest=ready.digest)
    await running.call("ApprovePayroll", release, SUPERVISOR, today=august)
    listed = await running.call(
        "ListPayrolls", pb.ListPayrollsRequest(state=model.PAYROLL_STATE_APPROVED), BANK, today=august
    )
    orders = await running.call(
        "ListPayrollPayments",
        pb.ListPayrollPaymentsRequest(payroll_id=listed.payrolls[0].payroll_id),
        BANK,
        today=august,
    )
    (order,) = orders.orders
    answered = await running.call(
        "RecordPaymentResult",
        pb.RecordPaymentResultRequest(
            request_id="req-5",
            payment_id=order.payment_id,
            outcome=pb.PAYMENT_OUTCOME_CONFIRMED,
            bank_reference="BANK-0001",
            simulated=True,
        ),
        BANK,
        today=august,
    )
    assert order.payee == pb.Payee(name="张三", account=ACCOUNT)
    assert order.state == model.PAYMENT_STATE_APPROVED
    assert answered.payment.state == model.PAYMENT_STATE_CONFIRMED

    mine = await running.call("ListPersonPayments", pb.ListPersonPaymentsRequest(person_id=per), citizen, today=august)
    owned = await running.call("ListBenefits", pb.ListBenefitsRequest(person_id=per), citizen, today=august)
    why = await running.call(
        "GetCalculation", pb.GetCalculationRequest(benefit_id=owned.benefits[0].benefit_id), citizen, today=august
    )
    one = await running.call(
        "GetBenefit", pb.GetBenefitRequest(benefit_id=owned.benefits[0].benefit_id), citizen, today=august
    )
    assert mine.payments[0].amount == one.benefit.monthly == why.statement.total
    assert why.statement_digest == prepared.determination.statement_digest
    assert await violations(database.settings.database_owner_url, policy) == []


async def test_an_unemployment_benefit_over_the_wire(running: Running, enrollment: Enrollment) -> None:
    person_id = await enrollment.unemployed()
    request = pb.PrepareUnemploymentRequest(
        request_id="req-1",
        person_id=ids.to_text("per", person_id),
        registration_date=calendar_pb2.Date(year=2025, month=7, day=3),
        payee=pb.Payee(name="李四", account=ACCOUNT),
    )

    prepared = await running.call("PrepareUnemployment", request, CLERK, today=TODAY)
    rejected = await running.call(
        "RejectDetermination",
        pb.RejectDeterminationRequest(
            request_id="req-2", determination_id=prepared.determination.determination_id, reason="payee unclear"
        ),
        OTHER_CLERK,
        today=TODAY,
    )

    assert prepared.determination.last_month == a_month(2027, 7)
    assert prepared.determination.statement.total.fen == 249000
    assert rejected.determination.state == model.DETERMINATION_STATE_REJECTED
    assert rejected.determination.benefit_id == ""


async def test_a_repeated_request_gets_the_stored_reply(
    running: Running, database: Database, enrollment: Enrollment
) -> None:
    person_id = await enrollment.about_to_retire()
    request = a_pension_request(person_id)

    first, _ = await running.call_with_metadata("PreparePension", request, CLERK, today=TODAY)
    second, trailing = await running.call_with_metadata("PreparePension", request, CLERK, today=TODAY)

    assert first == second
    assert trailing.replayed
    assert len(await owner_fetch(database, "SELECT 1 FROM determination")) == 1
    with refused(Refused, "REQUEST_ID_REUSED"):
        changed = a_pension_request(person_id, payee=pb.Payee(name="张三", account=ACCOUNT[:-1]))
        await running.call("PreparePension", changed, CLERK, today=TODAY)


async def test_a_conflict_tells_when_to_come_again(running: Running, enrollment: Enrollment) -> None:
    person_id = await enrollment.about_to_retire(account=False)

    with refused(Conflict, "ACCOUNT_NOT_SETTLED") as caught:
        await running.call("PreparePension", a_pension_request(person_id), CLERK, today=TODAY)
    assert caught.value.retry_after

    await enrollment.settled(person_id)
    await running.call("PreparePension", a_pension_request(person_id), CLERK, today=TODAY)


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"payee": pb.Payee(name="张三", account="1234")}, "PAYEE_INVALID", "payee.account"),
        (
            {"payee": pb.Payee(name="张三", account=WIDE)},
            "PAYEE_INVALID",
            "payee.account",
        ),
        ({"payee": pb.Payee(name="", account=ACCOUNT)}, "PAYEE_INVALID", "payee.name"),
        ({"payee": pb.Payee(name="<b>", account=ACCOUNT)}, "PAYEE_INVALID", "payee.name"),
        ({"retirement_month": a_month(2026, 13)}, "MONTH_IMPOSSIBLE", "retirement_month"),
        ({"retirement_month": a_month(0, 0)}, "MONTH_IMPOSSIBLE", "retirement_month"),
        ({"old_transitional": money_pb2.Money(fen=-1)}, "MONEY_OUT_OF_RANGE", "old_transitional"),
        ({"old_transitional": money_pb2.Money(fen=10**15)}, "MONEY_OUT_OF_RANGE", "old_transitional"),
    ],
)
async def test_wrong_input_is_named_without_its_value(
    running: Running, enrollment: Enrollment, changes: dict[str, Any], reason: str, field: str
) -> None:
    person_id = await enrollment.about_to_retire()

    with refused(InvalidInput, reason) as caught:
        await running.call("PreparePension", a_pension_request(person_id, **changes), CLERK, today=TODAY)

    assert caught.value.field == field
    assert ACCOUNT not in str(caught.value)


async def test_ids_of_other_types_are_refused(running: Running) -> None:
    benefit = ids.to_text("ben", ids.new_id())
    calls: list[tuple[str, Any, Any]] = [
        ("GetRetirement", pb.GetRetirementRequest(person_id=benefit), CLERK),
        ("GetDetermination", pb.GetDeterminationRequest(determination_id=benefit), CLERK),
        ("GetBenefit", pb.GetBenefitRequest(benefit_id="per_1"), CLERK),
        ("GetPayroll", pb.GetPayrollRequest(payroll_id=benefit), CLERK),
    ]
    for rpc, request, who in calls:
        with refused(InvalidInput, "ID_MALFORMED"):
            await running.call(rpc, request, who, today=TODAY)


async def test_what_does_not_exist_is_not_found(running: Running) -> None:
    calls: list[tuple[str, Any, Any, str]] = [
        ("GetRetirement", pb.GetRetirementRequest(person_id=_new("per")), CLERK, "PERSON_NOT_FOUND"),
        (
            "GetDetermination",
            pb.GetDeterminationRequest(determination_id=_new("det")),
            CLERK,
            "DETERMINATION_NOT_FOUND",
        ),
        ("GetBenefit", pb.GetBenefitRequest(benefit_id=_new("ben")), CLERK, "BENEFIT_NOT_FOUND"),
        ("GetCalculation", pb.GetCalculationRequest(benefit_id=_new("ben")), CLERK, "BENEFIT_NOT_FOUND"),
        ("GetPayroll", pb.GetPayrollRequest(payroll_id=_new("prl")), CLERK, "PAYROLL_NOT_FOUND"),
        ("ListPayrollPayments", pb.ListPayrollPaymentsRequest(payroll_id=_new("prl")), BANK, "PAYROLL_NOT_FOUND"),
    ]
    for rpc, request, who, reason in calls:
        with refused(NotFound, reason):
            await running.call(rpc, request, who, today=TODAY)


async def test_a_stranger_finds_nothing_of_others(running: Running, enrollment: Enrollment) -> None:
    approved = await a_running_pension(running, enrollment)
    stranger = a_principal(person_id=ids.new_id())
    per, ben = approved.benefit.person_id, approved.benefit.benefit_id

    calls: list[tuple[str, Any, str]] = [
        ("GetRetirement", pb.GetRetirementRequest(person_id=per), "PERSON_NOT_FOUND"),
        ("EstimatePension", pb.EstimatePensionRequest(person_id=per), "PERSON_NOT_FOUND"),
        ("ListBenefits", pb.ListBenefitsRequest(person_id=per), "PERSON_NOT_FOUND"),
        ("ListPersonPayments", pb.ListPersonPaymentsRequest(person_id=per), "PERSON_NOT_FOUND"),
        ("GetBenefit", pb.GetBenefitRequest(benefit_id=ben), "BENEFIT_NOT_FOUND"),
        ("GetCalculation", pb.GetCalculationRequest(benefit_id=ben), "BENEFIT_NOT_FOUND"),
    ]
    for rpc, request, reason in calls:
        with refused(NotFound, reason):
            await running.call(rpc, request, stranger, today=TODAY)


async def test_only_the_bank_sees_accounts(running: Running) -> None:
    request = pb.ListPayrollPaymentsRequest(payroll_id=_new("prl"))

    with refused(Forbidden, "ROLE_NOT_ALLOWED"):
        await running.call("ListPayrollPayments", request, SUPERVISOR, today=TODAY)
    with refused(Forbidden, "SCOPE_MISSING"):
        await running.call(
            "ListPayrollPayments", request, a_principal(["PARTNER"], scopes=["benefits.read"]), today=TODAY
        )


async def test_what_staff_look_at_is_audited(running: Running, database: Database, enrollment: Enrollment) -> None:
    approved = await a_running_pension(running, enrollment)
    before = len(await owner_fetch(database, "SELECT 1 FROM audit"))
    auditor = a_principal(["AUDITOR"], purpose="check", case_no="C-1")
    ben, det = approved.benefit.benefit_id, approved.determination.determination_id

    await running.call("GetBenefit", pb.GetBenefitRequest(benefit_id=ben), auditor, today=TODAY)
    await running.call("GetDetermination", pb.GetDeterminationRequest(determination_id=det), auditor, today=TODAY)
    per = approved.benefit.person_id
    await running.call("ListPersonPayments", pb.ListPersonPaymentsRequest(person_id=per), auditor, today=TODAY)

    rows = (await owner_fetch(database, "SELECT * FROM audit ORDER BY seq"))[before:]
    assert [row["method"].rpartition("/")[2] for row in rows] == [
        "GetBenefit",
        "GetDetermination",
        "ListPersonPayments",
    ]
    assert {ids.to_text("per", row["person_id"]) for row in rows} == {per}
    assert {row["purpose"] for row in rows} == {"check"}


async def test_another_form_of_the_digest_is_another_digest(running: Running, enrollment: Enrollment) -> None:
    person_id = await enrollment.about_to_retire()
    prepared = await running.call("PreparePension", a_pension_request(person_id), CLERK, today=TODAY)
    for number, text in enumerate(("", "abc", prepared.determination.statement_digest.upper())):
        request = an_approval(prepared.determination, f"req-d{number}")
        request.statement_digest = text
        with refused(Refused, "STATEMENT_CHANGED"):
            await running.call("ApproveDetermination", request, SUPERVISOR, today=TODAY)


async def test_an_answer_without_an_outcome_is_refused(running: Running) -> None:
    request = pb.RecordPaymentResultRequest(request_id="r-1", payment_id=_new("pmt"), bank_reference="BANK-1")
    with refused(InvalidInput, "OUTCOME_REQUIRED"):
        await running.call("RecordPaymentResult", request, BANK, today=TODAY)


async def test_a_registration_without_a_date_is_refused(running: Running) -> None:
    request = pb.PrepareUnemploymentRequest(
        request_id="r-1", person_id=_new("per"), payee=pb.Payee(name="张三", account=ACCOUNT)
    )
    with refused(InvalidInput, "DATE_IMPOSSIBLE"):
        await running.call("PrepareUnemployment", request, CLERK, today=TODAY)


def _new(prefix: str) -> str:
    return ids.to_text(prefix, ids.new_id())
