"""Arrears: due days, the fee by the day, demands, and plans that sum to the debt and fill as money comes."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrss.enrollment.v1 import collection_service_pb2 as pb
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.type.v1 import money_pb2
from kernel.calendar import Month
from kernel.dated import Confidence, Dated, DatedValue
from kernel.errors import AlreadyExists, Forbidden, InvalidInput, NotFound, Refused
from kernel.money import Money
from services.enrollment import arrears as arrears_rules
from services.enrollment.arrears import DueRule, Instalment, Payment
from services.enrollment.domain.contributions import Scheme
from tests.enrollment.builders import NOW, TODAY, day, month
from tests.enrollment.collecting import (
    SUPERVISOR,
    a_receipts_file,
    a_row,
    ask,
    bill_of,
    checked,
    code_of,
    ledger,
    send,
    suspense,
    verdicts,
)
from tests.enrollment.test_bills import a_bill, pay
from tests.enrollment.test_collection import a_bill_of_next_month
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau

RATE = Dated(
    "contribution.yaml",
    "contribution.late_fee_daily",
    (DatedValue(Decimal("0.0005"), date(2011, 7, 1), None, Confidence.CERTAIN, ("SIL",), "late", "contribution.yaml"),),
)
DUE = date(2025, 3, 15)
REASON = "经营困难，协商分期 (agreed)"


async def an_unpaid_bill(bureau: Bureau) -> tuple[str, model.Bill]:
    """An employer that owes this month's bill, which was due on the 15th."""
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id)
    bill = await a_bill(bureau, employer_id)
    await ask(bureau, "SetDueDate", month=month(NOW), due_date=day(DUE))
    return employer_id, bill


@given(
    st.lists(st.tuples(st.integers(1, 10**9), st.integers(-30, 400)), max_size=5),
    st.integers(0, 10**9),
    st.integers(-30, 400),
)
def test_the_fee_is_that_of_every_part_by_its_own_days(parts: list[tuple[int, int]], open_fen: int, days: int) -> None:
    paid = [Payment(Money(fen), DUE + timedelta(days=late)) for fen, late in parts]

    fee = arrears_rules.fee_of(paid, Money(open_fen), DUE, DUE + timedelta(days=days), RATE)

    expected = sum((fen * late * 5 + 5_000) // 10_000 for fen, late in [*parts, (open_fen, days)] if late > 0)
    assert fee.total.fen == expected


def test_the_due_day_itself_costs_nothing_and_the_day_after_one_day() -> None:
    amount = Money.yuan("10000.00")

    assert arrears_rules.fee_of([], amount, DUE, DUE, RATE).total == Money.ZERO
    assert arrears_rules.fee_of([], amount, DUE, DUE + timedelta(days=1), RATE).total == Money.yuan("5.00")


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**9), min_size=3, max_size=3).filter(any))
def test_shares_add_up_to_the_amount(fen: int, weights: list[int]) -> None:
    schemes = (Scheme.EMPLOYEE_PENSION, Scheme.UNEMPLOYMENT, Scheme.WORK_INJURY)

    parts = arrears_rules.shares(Money(fen), dict(zip(schemes, map(Money, weights), strict=True)))

    assert Money.total(parts.values()) == Money(fen)
    assert all(part >= Money.ZERO for part in parts.values())


def test_a_day_that_the_month_does_not_have_is_its_last() -> None:
    assert DueRule(1, 31).of(Month(2025, 1)) == date(2025, 2, 28)
    assert DueRule(0, 15).of(Month(2025, 1)) == date(2025, 1, 15)


async def test_no_due_day_is_invented(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id)
    await a_bill(bureau, employer_id)

    with pytest.raises(Refused, match="POLICY_PARAMETER_MISSING") as refusal:
        await ask(bureau, "SetDueDate", month=month(NOW))
    with pytest.raises(Refused, match="DUE_DATE_MISSING"):
        await ask(bureau, "ListArrears", employer_id=employer_id)
    with pytest.raises(InvalidInput, match="DUE_DATE_INVALID"):
        await ask(bureau, "SetDueDate", month=month(NOW), due_date=day(NOW.first_day - timedelta(days=1)))

    assert refusal.value.metadata["key"] == "contribution.due_rule"


async def test_arrears_grow_by_the_day_and_a_bill_keeps_its_due_day(bureau: Bureau) -> None:
    employer_id, bill = await an_unpaid_bill(bureau)
    changed = await ask(bureau, "SetDueDate", month=month(NOW), due_date=day(DUE + timedelta(days=5)))
    await pay(bureau, bill, amount=money_pb2.Money(fen=10_000), paid_date=day(TODAY))

    late = await ask(bureau, "ListArrears", employer_id=employer_id)
    early = await ask(bureau, "ListArrears", employer_id=employer_id, on=day(DUE))
    later = await ask(bureau, "ListArrears", employer_id=employer_id, on=day(TODAY + timedelta(days=10)))

    assert changed.bill_count == 0
    rest, days = bill.total.fen - 10_000, (TODAY - DUE).days
    (one,) = late.arrears
    assert (one.document, one.open.fen, one.due_date) == (bill.bill_id, rest, day(DUE))
    assert (
        one.late_fee.fen
        == Money(10_000).times(Decimal("0.0005") * days).fen + Money(rest).times(Decimal("0.0005") * days).fen
    )
    assert [line.code for line in one.statement.lines] == ["late_fee.1", "late_fee.2"]
    assert early.late_fee.fen == Money(10_000).times(Decimal("0.0005") * days).fen
    assert later.late_fee.fen > late.late_fee.fen


async def test_a_late_fee_is_demanded_once_and_paid_to_the_funds(bureau: Bureau) -> None:
    employer_id, bill = await an_unpaid_bill(bureau)
    with pytest.raises(Refused, match="BILL_NOT_PAID"):
        await ask(bureau, "DemandLateFee", bill_id=bill.bill_id)
    await pay(bureau, bill)
    before = await ledger(bureau, "fund:unemployment")
    (late,) = (await ask(bureau, "ListArrears", employer_id=employer_id)).arrears

    demand = (await ask(bureau, "DemandLateFee", bill_id=bill.bill_id)).demand

    fee = Money(bill.total.fen).times(Decimal("0.0005") * (TODAY - DUE).days)
    assert (demand.total.fen, late.late_fee.fen, demand.statement.total.fen) == (fee.fen, fee.fen, fee.fen)
    with pytest.raises(AlreadyExists, match="LATE_FEE_DEMANDED"):
        await ask(bureau, "DemandLateFee", bill_id=bill.bill_id)
    file = await ask(bureau, "ExportBills", month=month(NOW))
    assert file.file.open.fen == fee.fen
    code = await code_of(bureau, employer_id)
    job = await send(bureau, a_receipts_file([a_row("FEE-1", code, demand.demand_id, fee + Money(1))]))
    assert await verdicts(bureau, job) == [(3, "SUSPENSE", "OVERPAID")]
    assert await ledger(bureau, "demands:received") == 0
    assert await ledger(bureau, "fund:unemployment") > before
    assert (await ask(bureau, "ListArrears", employer_id=employer_id)).credit.fen == 1
    assert [one.state for one in (await ask(bureau, "ListDemands", employer_id=employer_id)).demands] == [
        model.BILL_STATE_PAID
    ]
    assert await checked(bureau) == []


async def test_a_bill_paid_in_time_has_no_fee(bureau: Bureau) -> None:
    _, bill = await an_unpaid_bill(bureau)
    await pay(bureau, bill, paid_date=day(DUE))

    with pytest.raises(Refused, match="NOT_LATE"):
        await ask(bureau, "DemandLateFee", bill_id=bill.bill_id)


async def test_a_plan_sums_to_the_debt_and_fills_as_money_comes(bureau: Bureau) -> None:
    employer_id, bill = await an_unpaid_bill(bureau)
    following = await a_bill_of_next_month(bureau, employer_id)
    debt = bill.total.fen + following.total.fen
    thirds = [debt // 3, debt // 3, debt - 2 * (debt // 3)]
    parts = [
        pb.Instalment(due_date=day(TODAY + timedelta(days=30 * number)), amount=money_pb2.Money(fen=fen))
        for number, fen in enumerate(thirds)
    ]

    with pytest.raises(InvalidInput, match="INSTALMENTS_DIFFER") as refusal:
        await ask(bureau, "PrepareInstalments", employer_id=employer_id, instalments=parts[:2], reason=REASON)
    assert refusal.value.metadata["debt"] == str(Money(debt))
    with pytest.raises(InvalidInput, match="INSTALMENTS_INVALID"):
        await ask(bureau, "PrepareInstalments", employer_id=employer_id, instalments=parts[::-1], reason=REASON)
    plan = (await ask(bureau, "PrepareInstalments", employer_id=employer_id, instalments=parts, reason=REASON)).plan
    with pytest.raises(AlreadyExists, match="APPROVAL_PENDING"):
        await ask(bureau, "PrepareInstalments", employer_id=employer_id, instalments=parts, reason=REASON)
    maker = a_principal(["SUPERVISOR"], purpose="review", subject="idp|clerk")
    with pytest.raises(Forbidden, match="SECOND_PERSON_REQUIRED"):
        await ask(bureau, "DecideInstalments", by=maker, plan_id=plan.plan_id, approve=True)
    agreed = (await ask(bureau, "DecideInstalments", by=SUPERVISOR, plan_id=plan.plan_id, approve=True)).plan
    assert (agreed.state, list(agreed.documents)) == (pb.PLAN_STATE_AGREED, [bill.bill_id, following.bill_id])

    code = await code_of(bureau, employer_id)
    first = Money(thirds[0] + 5)
    job = await send(bureau, a_receipts_file([a_row("PLAN-1", code, plan.plan_id, first)]))
    shown = (await ask(bureau, "GetInstalmentPlan", plan_id=plan.plan_id)).plan
    assert await verdicts(bureau, job) == [(3, "ACCEPTED", "")]
    assert [one.paid.fen for one in shown.instalments] == [thirds[0], 5, 0]
    assert (await bill_of(bureau, bill.bill_id)).paid.fen == min(first.fen, bill.total.fen)

    april = NOW.next.first_day
    rows = [a_row("PLAN-2", code, plan.plan_id, Money(debt - first.fen + 9), april)]
    job = await send(bureau, a_receipts_file(rows, day=april), today=april)
    shown = (await ask(bureau, "GetInstalmentPlan", plan_id=plan.plan_id)).plan
    assert await verdicts(bureau, job) == [(3, "SUSPENSE", "PLAN")]
    assert [one.paid.fen for one in shown.instalments] == thirds
    assert [one.left.fen for one in await suspense(bureau)] == [9]
    assert (await bill_of(bureau, following.bill_id)).state == model.BILL_STATE_PAID
    assert await checked(bureau) == []


async def test_a_plan_that_is_not_agreed_takes_no_money(bureau: Bureau) -> None:
    employer_id, bill = await an_unpaid_bill(bureau)
    part = pb.Instalment(due_date=day(TODAY), amount=bill.total)
    plan = (await ask(bureau, "PrepareInstalments", employer_id=employer_id, instalments=[part], reason=REASON)).plan
    await ask(bureau, "DecideInstalments", by=SUPERVISOR, plan_id=plan.plan_id, approve=False)

    code = await code_of(bureau, employer_id)
    job = await send(bureau, a_receipts_file([a_row("PLAN-1", code, plan.plan_id, "1.00")]))

    assert await verdicts(bureau, job) == [(3, "SUSPENSE", "BILL_UNKNOWN")]
    with pytest.raises(NotFound, match="PLAN_NOT_FOUND"):
        await ask(bureau, "GetInstalmentPlan", plan_id="pln_" + "0" * 32)
    other = await bureau.employer()
    with pytest.raises(Refused, match="NOTHING_OWED"):
        await ask(bureau, "PrepareInstalments", employer_id=other, instalments=[part], reason=REASON)


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=36), st.integers(0, 10**8))
def test_parts_are_filled_in_order_and_never_more_than_was_paid(amounts: list[int], paid: int) -> None:
    parts = [Instalment(number, TODAY, Money(fen)) for number, fen in enumerate(amounts, start=1)]

    done = [part.paid.fen for part in arrears_rules.filled(parts, Money(paid))]

    assert sum(done) == min(paid, sum(amounts))
    full = [one == two for one, two in zip(done, amounts, strict=True)]
    assert full == sorted(full, reverse=True)
