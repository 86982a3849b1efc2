"""Receipts of the bureau: whole, part, over, unknown, the same file again; matched, refunded, and in the books."""

from __future__ import annotations

import hashlib
import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hrss.enrollment.v1 import collection_service_pb2 as pb
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as register
from hrss.type.v1 import job_pb2
from kernel import ids
from kernel.errors import Forbidden, InvalidInput, NotFound, Refused
from kernel.money import Money
from ops.simulators.tax_files import make_receipts
from tests.enrollment.builders import CLERK, NOW, PARTNER, TODAY, a_receipt, day, money, month
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
from tests.enrollment.conftest import Bureau, run_side_by_side
from tests.enrollment.test_bills import a_bill, pay
from tests.enrollment.test_races import run_process
from tests.plugins.grpc_harness import a_principal
from tests.plugins.marks import slow

if TYPE_CHECKING:
    from chassis.principal import Principal

STRANGER = "91320600MA1NT99991"
REASON = "重复缴费，退回单位 (paid twice)"


async def a_payer(bureau: Bureau, *, people: int = 1) -> tuple[str, str, model.Bill]:
    """An employer with its code and this month's bill."""
    employer_id = await bureau.employer()
    for _ in range(people):
        await bureau.enrolled(employer_id)
    return employer_id, await code_of(bureau, employer_id), await a_bill(bureau, employer_id)


async def test_a_file_settles_bills_and_the_same_file_changes_nothing(bureau: Bureau) -> None:
    _, code, bill = await a_payer(bureau, people=2)
    _, other_code, other = await a_payer(bureau)
    half = Money(other.total.fen // 2)
    rows = [
        a_row("TAX-WHOLE-1", code, bill.bill_id, Money(bill.total.fen)),
        a_row("TAX-PART-1", other_code, other.bill_id, half),
    ]
    data = a_receipts_file(rows)

    job = await send(bureau, data)

    assert (job.state, job.done_count, job.skipped_count, job.rejected_count) == (job_pb2.JOB_STATE_DONE, 2, 0, 0)
    assert await verdicts(bureau, job) == [(3, "ACCEPTED", ""), (4, "ACCEPTED", "")]
    assert (await bill_of(bureau, bill.bill_id)).state == model.BILL_STATE_PAID
    assert (await bill_of(bureau, other.bill_id)).paid.fen == half.fen
    before = await bureau.rows("SELECT count(*) FROM ledger_posting")
    again = await send(bureau, data)
    assert (again.done_count, again.skipped_count, again.rejected_count) == (0, 2, 0)
    assert await verdicts(bureau, again) == [(3, "REPEATED", ""), (4, "REPEATED", "")]
    assert await bureau.rows("SELECT count(*) FROM ledger_posting") == before


async def test_money_that_fits_no_bill_lies_on_the_suspense_account_with_its_reason(bureau: Bureau) -> None:
    employer_id, code, bill = await a_payer(bureau)
    _, other_code, other = await a_payer(bureau)
    total = Money(bill.total.fen)
    rows = [
        a_row("TAX-OVER", code, bill.bill_id, total + Money(10_050)),
        a_row("TAX-NO-BILL", code, ids.to_text("bil", ids.new_id()), "200.00"),
        a_row("TAX-NO-TEXT", code, "某某的征缴单", "1.00"),
        a_row("TAX-STRANGER", STRANGER, other.bill_id, "300.00"),
        a_row("TAX-OTHERS", other_code, bill.bill_id, "400.00"),
        a_row("TAX-EARLY", other_code, other.bill_id, "500.00", NOW.first_day - timedelta(days=1)),
    ]

    job = await send(bureau, a_receipts_file(rows))

    assert (job.done_count, job.rejected_count) == (6, 0)
    assert await verdicts(bureau, job) == [
        (3, "SUSPENSE", "OVERPAID"), (4, "SUSPENSE", "BILL_UNKNOWN"), (5, "SUSPENSE", "BILL_UNKNOWN"),
        (6, "SUSPENSE", "PAYER_UNKNOWN"), (7, "SUSPENSE", "PAYER_DIFFERS"), (8, "SUSPENSE", "PAID_EARLY"),
    ]  # fmt: skip
    assert (await bill_of(bureau, bill.bill_id)).state == model.BILL_STATE_PAID
    held = {one.receipt_no: one for one in await suspense(bureau)}
    assert held["TAX-OVER"].left.fen == 10_050
    assert held["TAX-OVER"].employer_id == employer_id
    assert held["TAX-STRANGER"].employer_id == ""
    assert await ledger(bureau, "suspense:received") == 10_050 + 20_000 + 100 + 30_000 + 40_000 + 50_000
    assert await ledger(bureau, "tax:clearing") == -(total.fen + 10_050 + 140_100)
    assert not await bureau.rows("SELECT 1 FROM collected WHERE document LIKE '%某%'")  # it could be anybody's name
    assert await checked(bureau) == []


async def test_suspense_is_matched_by_a_clerk_and_settles_the_bill(bureau: Bureau) -> None:
    _, code, bill = await a_payer(bureau)
    _, _, other = await a_payer(bureau)
    total = Money(bill.total.fen)
    await send(bureau, a_receipts_file([a_row("TAX-1", code, "unknown", total + Money(500))]))
    (money_held,) = await suspense(bureau)

    with pytest.raises(Refused, match="PAYER_DIFFERS"):
        await ask(bureau, "MatchSuspense", suspense_id=money_held.suspense_id, document=other.bill_id)
    with pytest.raises(Refused, match="RECEIPT_EXCEEDS_BILL"):
        await ask(
            bureau, "MatchSuspense", suspense_id=money_held.suspense_id, document=bill.bill_id,
            amount={"fen": total.fen + 1},
        )  # fmt: skip
    with pytest.raises(Refused, match="SUSPENSE_LEFT_LESS"):
        await ask(
            bureau, "MatchSuspense", suspense_id=money_held.suspense_id, document=bill.bill_id,
            amount={"fen": total.fen + 501},
        )  # fmt: skip
    with pytest.raises(InvalidInput, match="DOCUMENT_UNKNOWN"):
        await ask(bureau, "MatchSuspense", suspense_id=money_held.suspense_id, document="emp_1")
    with pytest.raises(NotFound, match="BILL_NOT_FOUND"):
        await ask(
            bureau, "MatchSuspense", suspense_id=money_held.suspense_id, document=ids.to_text("bil", ids.new_id())
        )

    reply = await ask(bureau, "MatchSuspense", suspense_id=money_held.suspense_id, document=bill.bill_id)

    assert (reply.suspense.left.fen, reply.suspense.state, reply.settled_count) == (500, pb.SUSPENSE_STATE_OPEN, 1)
    assert (await bill_of(bureau, bill.bill_id)).state == model.BILL_STATE_PAID
    assert await ledger(bureau, "suspense:received") == 500
    assert await checked(bureau) == []


async def test_credit_is_offered_to_the_next_bill(bureau: Bureau) -> None:
    employer_id, code, bill = await a_payer(bureau)
    await send(bureau, a_receipts_file([a_row("TAX-1", code, bill.bill_id, Money(bill.total.fen + 700))]))
    following = await a_bill_of_next_month(bureau, employer_id)

    file = (await ask(bureau, "ExportBills", by=PARTNER, month=month(NOW.next))).file
    again = (await ask(bureau, "ExportBills", by=PARTNER, month=month(NOW.next))).file
    part = await ask(bureau, "ReadBillFile", by=PARTNER, file_id=file.file_id)

    total = Money(following.total.fen)
    assert part.content == (
        f"#hrss-bills,1,{NOW.next}\n"
        "document,kind,payer_code,month,total,open,due_date,credit\n"
        f"{following.bill_id},BILL,{code},{NOW.next},{total},{total},,7.00\n"
        f"#totals,1,{total},{total}\n"
    )
    assert (part.next_offset, file.row_count, file.total.fen, file.open.fen) == (0, 1, total.fen, total.fen)
    assert again == file
    with pytest.raises(InvalidInput, match="OFFSET_INVALID"):
        await ask(bureau, "ReadBillFile", by=PARTNER, file_id=file.file_id, offset=file.size)
    (credit,) = await suspense(bureau)
    matched = await ask(bureau, "MatchSuspense", suspense_id=credit.suspense_id, document=following.bill_id)
    assert matched.suspense.state == pb.SUSPENSE_STATE_MATCHED
    assert (await bill_of(bureau, following.bill_id)).paid.fen == 700
    with pytest.raises(Refused, match="SUSPENSE_CLOSED"):
        await ask(bureau, "MatchSuspense", suspense_id=credit.suspense_id, document=following.bill_id)


async def test_what_the_simulated_bureau_makes_of_a_file_of_bills_is_booked(bureau: Bureau) -> None:
    bills = [(await a_payer(bureau))[2] for _ in range(3)]
    await pay(bureau, bills[0], amount=money("10.00"))
    file = (await ask(bureau, "ExportBills", month=month(NOW))).file
    content = (await ask(bureau, "ReadBillFile", file_id=file.file_id)).content

    job = await send(bureau, make_receipts(content, str(TODAY)).encode())
    empty = await send(bureau, a_receipts_file([]))

    assert [verdict for _, verdict, _ in await verdicts(bureau, job)] == ["ACCEPTED"] * 3
    assert {(await bill_of(bureau, one.bill_id)).state for one in bills} == {model.BILL_STATE_PAID}
    assert empty.state == job_pb2.JOB_STATE_DONE
    assert (await ask(bureau, "ExportBills", month=month(NOW))).file.row_count == 0


async def a_bill_of_next_month(bureau: Bureau, employer_id: str) -> model.Bill:
    """The bill of next month, on its first day."""
    request = register.AssessBillRequest(request_id="next", employer_id=employer_id, month=month(NOW.next))
    bill: model.Bill = (await bureau.call("AssessBill", request, today=NOW.next.first_day)).bill
    return bill


async def test_a_receipt_with_another_content_under_the_same_number_is_refused(bureau: Bureau) -> None:
    _, code, bill = await a_payer(bureau)
    await pay(bureau, bill, receipt_no="TAX-0001", amount=money("100.00"))

    same = await send(bureau, a_receipts_file([a_row("TAX-0001", code, bill.bill_id, "100.00")]))
    other = await send(bureau, a_receipts_file([a_row("TAX-0001", code, bill.bill_id, "100.01")]))

    assert await verdicts(bureau, same) == [(3, "REPEATED", "")]
    assert await verdicts(bureau, other) == [(3, "REFUSED", "RECEIPT_NO_REUSED")]
    assert (await bill_of(bureau, bill.bill_id)).paid.fen == 10_000


async def test_the_single_call_still_refuses_more_than_is_open(bureau: Bureau) -> None:
    _, _, bill = await a_payer(bureau)

    with pytest.raises(Refused, match="RECEIPT_EXCEEDS_BILL"):
        await bureau.call("RecordReceipt", a_receipt(bill, amount={"fen": bill.total.fen + 1}), by=PARTNER)

    assert await bureau.rows("SELECT 1 FROM collected") == []


async def test_a_day_is_compared_with_what_the_bureau_says(bureau: Bureau) -> None:
    _, code, bill = await a_payer(bureau)
    rows = [a_row(f"TAX-{number}", code, bill.bill_id, "10.00") for number in range(3)]
    await send(bureau, a_receipts_file(rows))

    equal = await send(bureau, a_receipts_file(rows), rpc="CompareReceipts")
    said = [rows[0], a_row("TAX-1", code, bill.bill_id, "11.00"), a_row("TAX-9", code, bill.bill_id, "1.00")]
    differs = await send(bureau, a_receipts_file(said), rpc="CompareReceipts")

    assert (equal.done_count, equal.rejected_count) == (3, 0)
    assert (differs.done_count, differs.rejected_count) == (1, 3)
    page = await bureau.call(
        "ListEnrollmentJobRejects", register.ListEnrollmentJobRejectsRequest(job_id=differs.job_id)
    )
    assert [(one.line, one.code) for one in page.rejects] == [
        (4, "AMOUNT_DIFFERS"), (5, "NOT_BOOKED"), (6, "NOT_COLLECTED"),
    ]  # fmt: skip
    assert "TAX-2" in page.rejects[2].text_en
    assert (await bill_of(bureau, bill.bill_id)).paid.fen == 3_000


async def test_a_refund_needs_two_persons_and_the_answer_of_the_bureau(bureau: Bureau) -> None:
    _, code, bill = await a_payer(bureau)
    await send(bureau, a_receipts_file([a_row("TAX-1", code, bill.bill_id, Money(bill.total.fen + 900))]))
    (credit,) = await suspense(bureau)

    refund = (
        await ask(bureau, "PrepareRefund", suspense_id=credit.suspense_id, amount={"fen": 600}, reason=REASON)
    ).refund
    with pytest.raises(Forbidden, match="SECOND_PERSON_REQUIRED"):
        await ask(bureau, "DecideRefund", refund_id=refund.refund_id, approve=True, by=same_person_as_supervisor())
    assert await ledger(bureau, "refunds:ordered") == 0
    ordered = (await ask(bureau, "DecideRefund", by=SUPERVISOR, refund_id=refund.refund_id, approve=True)).refund
    assert ordered.state == pb.REFUND_STATE_ORDERED
    assert await ledger(bureau, "refunds:ordered") == 600
    assert [one.refund_id for one in (await ask(bureau, "ListRefunds", state=pb.REFUND_STATE_ORDERED)).refunds] == [
        refund.refund_id
    ]
    done = (await answer(bureau, refund.refund_id, pb.REFUND_OUTCOME_CONFIRMED, "BACK-0001")).refund
    assert (done.state, done.reference) == (pb.REFUND_STATE_CONFIRMED, "BACK-0001")
    with pytest.raises(Refused, match="REFUND_NOT_ORDERED"):
        await answer(bureau, refund.refund_id, pb.REFUND_OUTCOME_CONFIRMED, "BACK-0002")
    assert [await ledger(bureau, name) for name in ("suspense:received", "refunds:ordered", "refunds:paid_back")] == [
        300, 0, 600,
    ]  # fmt: skip

    rest = (await ask(bureau, "PrepareRefund", suspense_id=credit.suspense_id, reason=REASON)).refund
    await ask(bureau, "DecideRefund", by=SUPERVISOR, refund_id=rest.refund_id, approve=True)
    assert await suspense(bureau) == []
    await answer(bureau, rest.refund_id, pb.REFUND_OUTCOME_RETURNED, "BACK-0003")
    assert [one.left.fen for one in await suspense(bureau)] == [300]
    assert await checked(bureau) == []


def same_person_as_supervisor() -> Principal:
    """The clerk of the tests, with the role of a supervisor."""
    return a_principal(["SUPERVISOR"], purpose="review", subject=CLERK.subject)


async def answer(bureau: Bureau, refund_id: str, outcome: pb.RefundOutcome.ValueType, reference: str) -> Any:
    """The bureau's answer to an order."""
    return await ask(
        bureau, "RecordRefundResult", by=PARTNER, refund_id=refund_id, outcome=outcome, reference=reference,
        simulated=True,
    )  # fmt: skip


async def test_a_refund_that_is_rejected_or_no_longer_covered_changes_nothing(bureau: Bureau) -> None:
    employer_id, code, bill = await a_payer(bureau)
    await send(bureau, a_receipts_file([a_row("TAX-1", code, bill.bill_id, Money(bill.total.fen + 900))]))
    (credit,) = await suspense(bureau)
    refund = (await ask(bureau, "PrepareRefund", suspense_id=credit.suspense_id, reason=REASON)).refund

    rejected = await ask(bureau, "DecideRefund", by=SUPERVISOR, refund_id=refund.refund_id, approve=False)
    second = (await ask(bureau, "PrepareRefund", suspense_id=credit.suspense_id, reason=REASON)).refund
    following = await a_bill_of_next_month(bureau, employer_id)
    await ask(bureau, "MatchSuspense", suspense_id=credit.suspense_id, document=following.bill_id)
    with pytest.raises(Refused, match="SUSPENSE_LEFT_LESS"):
        await ask(bureau, "DecideRefund", by=SUPERVISOR, refund_id=second.refund_id, approve=True)

    assert rejected.refund.state == pb.REFUND_STATE_REJECTED
    assert await ledger(bureau, "refunds:ordered") == 0
    both: list[dict[str, Any]] = [{}, {"suspense_id": credit.suspense_id, "person_id": "per_" + "1" * 32}]
    for fields in both:
        with pytest.raises(InvalidInput, match="REFUND_SUBJECT_INVALID"):
            await ask(bureau, "PrepareRefund", reason=REASON, **fields)
    one = await bureau.rows("SELECT person_id FROM person")
    with pytest.raises(Refused, match="NOTHING_WITHHELD"):
        await ask(bureau, "PrepareRefund", reason=REASON, person_id=ids.to_text("per", one[0]["person_id"]))


async def test_four_workers_book_a_file_once(bureau: Bureau) -> None:
    payers = [await a_payer(bureau) for _ in range(4)]
    rows = [
        a_row(f"TAX-{number}-{turn}", code, bill.bill_id, Money(bill.total.fen // 40))
        for turn in range(40)
        for number, (_, code, bill) in enumerate(payers)
    ]
    job = await send(bureau, a_receipts_file(rows), run=False)

    await run_side_by_side(bureau)

    assert {verdict for _, verdict, _ in await all_verdicts(bureau, job)} == {"ACCEPTED"}
    for _, _, bill in payers:
        assert (await bill_of(bureau, bill.bill_id)).paid.fen == 40 * (bill.total.fen // 40)


async def all_verdicts(bureau: Bureau, job: job_pb2.Job) -> list[tuple[int, str, str]]:
    """The verdicts of all pages."""
    rows = await bureau.rows("SELECT line, verdict, code FROM receipt_verdict ORDER BY line")
    assert len(rows) == job.total_count
    return [(row["line"], row["verdict"], row["code"]) for row in rows]


@pytest.mark.parametrize(
    "point",
    [
        slow("chunk_taken:2"),
        "chunk_before_done:2",
        slow("before_commit:2"),
    ],
)
async def test_a_file_that_is_killed_goes_on_where_it_was(bureau: Bureau, point: str) -> None:
    _, code, bill = await a_payer(bureau)
    rows = [a_row(f"TAX-{number:04d}", code, bill.bill_id, "1.00") for number in range(120)]
    job = await send(bureau, a_receipts_file(rows), run=False)

    await run_process(bureau, HRSS_TEST_CRASH=point)
    await bureau.rows("UPDATE job_chunk SET due = clock_timestamp() WHERE state = 'RUNNING'")  # the lease ran out
    await bureau.run_jobs()

    assert {verdict for _, verdict, _ in await all_verdicts(bureau, job)} == {"ACCEPTED"}
    assert (await bill_of(bureau, bill.bill_id)).paid.fen == 12_000
    assert await ledger(bureau, "bills:received") == 12_000


async def test_the_statement_of_an_employer_says_it_all_and_always_the_same(bureau: Bureau) -> None:
    employer_id, code, bill = await a_payer(bureau)
    await send(bureau, a_receipts_file([a_row("TAX-1", code, bill.bill_id, Money(bill.total.fen + 900))]))

    reply = await ask(
        bureau, "GetEmployerStatement", employer_id=employer_id, first_month=month(NOW), last_month=month(NOW)
    )
    again = await ask(
        bureau, "GetEmployerStatement", employer_id=employer_id, first_month=month(NOW), last_month=month(NOW)
    )

    plain = json.loads(reply.content)
    assert reply == again
    assert hashlib.sha256(reply.content.encode()).hexdigest() == reply.digest
    assert plain["totals"] == {
        "billed_fen": bill.total.fen, "arrears_fen": 0, "demands_open_fen": 0,
        "received_fen": bill.total.fen + 900, "credit_fen": 900,
    }  # fmt: skip
    assert [one["bill_id"] for one in plain["bills"]] == [bill.bill_id]
    assert [one["receipt_no"] for one in plain["receipts"]] == ["TAX-1"]
    with pytest.raises(InvalidInput, match="MONTHS_REVERSED"):
        await ask(
            bureau, "GetEmployerStatement", employer_id=employer_id, first_month=month(NOW.next), last_month=month(NOW)
        )


async def test_funds_are_shown_by_scheme_and_division(bureau: Bureau) -> None:
    total = 0
    for division in ("320613", "320682"):
        employer_id = await bureau.employer(division=division)
        await bureau.enrolled(employer_id)
        bill = await a_bill(bureau, employer_id)
        await pay(bureau, bill)
        total += bill.total.fen

    reply = await ask(bureau, "GetFundBalances", by=SUPERVISOR)

    shown = {(one.scheme, one.division): one.balance.fen for one in reply.balances}
    assert {division for _, division in shown} == {"320613", "320682"}
    assert sum(shown.values()) + await ledger(bureau, "accounts:employee_pension") == total
    assert shown[model.SCHEME_UNEMPLOYMENT, "320613"] == await ledger(bureau, "fund:unemployment") // 2
    before = await ask(bureau, "GetFundBalances", by=SUPERVISOR, on=day(date(2025, 1, 1)))
    assert list(before.balances) == []


async def test_a_day_that_has_not_come_is_refused(bureau: Bureau) -> None:
    _, code, bill = await a_payer(bureau)
    late = a_row("TAX-1", code, bill.bill_id, "1.00", TODAY + timedelta(days=1))

    job = await send(bureau, a_receipts_file([late], day=TODAY + timedelta(days=1)))

    assert await verdicts(bureau, job) == [(3, "REFUSED", "PAID_DATE_INVALID")]
