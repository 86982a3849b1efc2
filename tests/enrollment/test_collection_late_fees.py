"""Late fees of the city on a day: the fen of one by one, once a day, whole after a kill; reminders as rows and file."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from chassis.worker import Worker
from hrss.type.v1 import job_pb2
from kernel import ids
from kernel.errors import AlreadyExists, InvalidInput, NotFound
from kernel.money import Money
from services.enrollment.operations import collection_late_fees
from tests.enrollment.builders import NOW, TODAY, day, money, month
from tests.enrollment.collecting import a_receipts_file, a_row, ask, checked, ledger, send
from tests.enrollment.cover_builders import a_government, a_post
from tests.enrollment.test_bills import a_bill, pay
from tests.enrollment.test_collection_arrears import DUE, an_unpaid_bill
from tests.enrollment.test_cover_posts import a_post_bill
from tests.enrollment.test_races import run_process
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from datetime import date

    from hrss.enrollment.v1 import collection_service_pb2 as pb
    from tests.enrollment.conftest import Bureau


async def shown(bureau: Bureau, on: date) -> pb.LateFeeRun:
    """The run of a day as it stands."""
    run: pb.LateFeeRun = (await ask(bureau, "GetLateFeeRun", on=day(on))).late_fee_run
    return run


async def debtors(bureau: Bureau, chance: random.Random, count: int) -> list[str]:
    """Employers that paid nothing, a part in time or too late, all too late, or everything in time."""
    found = []
    for place in range(count):
        employer_id = await bureau.employer()
        await bureau.enrolled(employer_id, wage=money(f"{chance.randint(5000, 20000)}.{chance.randint(10, 99)}"))
        bill = await a_bill(bureau, employer_id)
        if place % 5:
            part = {1: chance.randint(1, bill.total.fen - 1), 2: chance.randint(1, bill.total.fen - 1)}
            paid = DUE if place % 5 == 1 else DUE + timedelta(days=1 + place % 3)
            if place % 5 == 4:
                paid = DUE
            await pay(bureau, bill, amount={"fen": part.get(place % 5, bill.total.fen)}, paid_date=day(paid))
        found.append(employer_id)
    await ask(bureau, "SetDueDate", month=month(NOW), due_date=day(DUE))
    return found


async def test_a_run_finds_the_fen_that_each_employer_is_told(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collection_late_fees, "CHUNK_DOCUMENTS", 3)
    on = DUE + timedelta(days=5)
    employers = await debtors(bureau, random.Random(86), 15)
    before = await ledger(bureau, "demands:received")
    started = (await ask(bureau, "StartLateFeeRun", on=day(on), today=on)).late_fee_run
    assert await Worker(bureau.database, bureau.service.jobs).run_one()  # the plan, in small chunks

    await run_process(bureau, HRSS_TEST_CRASH="chunk_before_done:2")
    await bureau.rows("UPDATE job_chunk SET due = clock_timestamp() WHERE state = 'RUNNING'")  # the lease ran out
    await bureau.run_jobs()

    told = {one: await ask(bureau, "GetReminder", employer_id=one, on=day(on)) for one in employers}
    page = await ask(bureau, "ListReminders", on=day(on), page_size=200)
    assert {one.employer_id: (one.open.fen, one.late_fee.fen, one.document_count) for one in page.reminders} == {
        employer_id: (reply.open.fen, reply.late_fee.fen, len(reply.arrears))
        for employer_id, reply in told.items()
        if reply.arrears
    }
    assert any(one.open.fen == 0 < one.late_fee.fen for one in page.reminders)  # paid, but too late
    listed = await ask(bureau, "ListArrears", employer_id=employers[2], on=day(on))
    assert listed.late_fee == told[employers[2]].late_fee
    run = await shown(bureau, on)
    assert (run.late_fee_run_id, run.job.state) == (started.late_fee_run_id, job_pb2.JOB_STATE_DONE)
    assert (run.document_count, run.employer_count) == (12, 12)
    assert run.late_fee.fen == sum(one.late_fee.fen for one in told.values()) > 0
    assert (await ledger(bureau, "demands:received"), await checked(bureau)) == (before, [])  # a figure, no booking


async def test_a_run_demands_what_was_paid_too_late_and_what_is_demanded_bears_no_more(bureau: Bureau) -> None:
    employer_id, bill = await an_unpaid_bill(bureau)
    body = await a_government(bureau)
    await bureau.call("EnrollPost", a_post(body))
    post_bill = await a_post_bill(bureau, body)
    await ask(bureau, "SetDueDate", month=month(NOW), due_date=day(DUE))
    for one in (bill, post_bill):
        await pay(bureau, one, paid_date=day(DUE + timedelta(days=2)))

    await ask(bureau, "StartLateFeeRun", with_demands=True)
    await bureau.run_jobs()

    run = await shown(bureau, TODAY)
    assert (run.demand_count, run.document_count) == (2, 2)
    assert run.late_fee == money("0.00")
    demands = {one.employer_id: one for one in (await ask(bureau, "ListDemands")).demands}
    assert demands[employer_id].total.fen == Money(bill.total.fen * 2).times(5).divided(10_000).fen
    # The fee of a government post belongs to its pension fund.
    demand = demands[body]
    code = (await bureau.rows("SELECT credit_code FROM employer WHERE employer_id = $1", ids.parse("emp", body)))[0][0]
    before = await ledger(bureau, "fund:government_pension")
    await send(bureau, a_receipts_file([a_row("FEE-1", code, demand.demand_id, Money(demand.total.fen))]))
    assert await ledger(bureau, "fund:government_pension") == before + demand.total.fen
    assert await checked(bureau) == []


async def test_a_bill_without_a_due_day_is_named_and_reminded_of_without_a_fee(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id)
    bill = await a_bill(bureau, employer_id)
    await ask(bureau, "StartLateFeeRun")

    await bureau.run_jobs()

    run = await shown(bureau, TODAY)
    assert (run.document_count, run.job.rejected_count) == (0, 1)
    reply = await ask(bureau, "GetReminder", employer_id=employer_id)
    (one,) = reply.arrears
    assert (one.HasField("due_date"), one.HasField("late_fee"), reply.late_fee.fen) == (False, False, 0)
    amount = Money(bill.total.fen)
    assert reply.csv.splitlines()[1] == f"{bill.bill_id},{NOW},,{amount},,{TODAY}"


async def test_a_day_has_one_run_and_a_reminder_is_its_employers(bureau: Bureau) -> None:
    employer_id, _ = await an_unpaid_bill(bureau)
    agent = a_principal(["EMPLOYER_AGENT"], employer_ids=[ids.parse("emp", employer_id)])
    first = (await ask(bureau, "StartLateFeeRun")).late_fee_run
    refusals: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({}, AlreadyExists, "LATE_FEE_RUN_EXISTS"),
        ({"on": day(TODAY + timedelta(days=1))}, InvalidInput, "LATE_FEE_DAY_INVALID"),
    ]

    for fields, kind, reason in refusals:
        with pytest.raises(kind, match=reason) as refused:
            await ask(bureau, "StartLateFeeRun", **fields)
        assert getattr(refused.value, "metadata", {}).get("run", first.late_fee_run_id) == first.late_fee_run_id
    with pytest.raises(NotFound, match="LATE_FEE_RUN_NOT_FOUND"):
        await shown(bureau, TODAY - timedelta(days=1))
    reply = await ask(bureau, "GetReminder", by=agent, employer_id=employer_id)
    assert len(reply.csv.splitlines()) == 2
    with pytest.raises(NotFound, match="EMPLOYER_NOT_FOUND"):
        await ask(bureau, "GetReminder", by=agent, employer_id=await bureau.employer())
