"""The simulators: what they cannot answer now holds up nothing else."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from ops.client import Gateway
from ops.simulators.areas import answer_transfers, form_of
from ops.simulators.bank import answer_orders
from ops.simulators.cards import Order, make_cards
from ops.simulators.tax import pay_open_bills
from ops.simulators.tax_files import answer_refunds, collect_month, make_receipts


def bill(number: int) -> dict[str, str]:
    return {"bill_id": f"bil_{number:032x}", "total": "10.00", "assess_date": "2026-11-20"}


async def test_a_bill_that_cannot_be_paid_does_not_hold_up_the_others() -> None:
    received: list[str] = []

    def gateway(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"bills": [bill(3), bill(2), bill(1)]})
        bill_id = json.loads(request.content)["bill_id"]
        if bill_id == bill(1)["bill_id"]:
            problem = {"code": "PAID_DATE_INVALID", "retryable": False}
            return httpx.Response(400, json=problem, headers={"content-type": "application/problem+json"})
        received.append(bill_id)
        return httpx.Response(201, json={})

    async with httpx.AsyncClient(transport=httpx.MockTransport(gateway)) as http:
        paid = await pay_open_bills(Gateway("http://gateway", http))

    assert paid == 2
    assert received == [bill(2)["bill_id"], bill(3)["bill_id"]]


async def test_an_account_that_is_closed_is_returned_and_a_refused_order_skipped() -> None:
    answers: dict[str, str] = {}
    payroll = {"payroll_id": "prl_1", "confirmed_count": 0, "returned_count": 0, "payment_count": 3}
    orders = [
        {"payment_id": f"pmt_{name}", "state": "PAYMENT_STATE_APPROVED", "payee": {"account": account}}
        for name, account in (("refused", "6228888"), ("open", "6228888"), ("closed", "6220000"))
    ]

    def gateway(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/payrolls":
            return httpx.Response(200, json={"payrolls": [payroll]})
        if request.method == "GET":
            return httpx.Response(200, json={"orders": orders, "next_page_token": ""})
        if "refused" in request.url.path:
            return httpx.Response(422, json={"code": "PAYMENT_NOT_APPROVED"})
        answers[request.url.path] = json.loads(request.content)["outcome"]
        return httpx.Response(200, json={})

    async with httpx.AsyncClient(transport=httpx.MockTransport(gateway)) as http:
        answered = await answer_orders(Gateway("http://gateway", http))

    assert answered == 2
    assert answers == {
        "/v1/payments/pmt_open:result": "PAYMENT_OUTCOME_CONFIRMED",
        "/v1/payments/pmt_closed:result": "PAYMENT_OUTCOME_RETURNED",
    }


async def test_the_card_centre_announces_each_order_once_and_waits_for_the_register() -> None:
    keys: dict[str, list[str]] = {}
    late = {"ref-2"}

    def gateway(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        reference = body["physical_card_ref"].removeprefix("SIM-")
        keys.setdefault(reference, []).append(request.headers["idempotency-key"])
        if reference in late:
            late.remove(reference)
            problem = {"code": "HOLDER_NOT_KNOWN_YET", "retryable": True}
            return httpx.Response(409, json=problem, headers={"content-type": "application/problem+json"})
        return httpx.Response(201, json={"card_id": f"crd_{reference}", "simulated": body["simulated"]})

    orders = [Order(f"ref-{number}", f"99000019900101{number:04d}") for number in range(20)]
    async with httpx.AsyncClient(transport=httpx.MockTransport(gateway)) as http:
        answers = await make_cards(Gateway("http://gateway", http, patience=5), orders)

    assert [each["card_id"] for each in answers] == [f"crd_ref-{number}" for number in range(20)]
    assert len({key for sent in keys.values() for key in sent}) == 20
    assert len(keys["ref-2"]) == 2
    assert not any(order.id_no in repr(order) for order in orders)


async def test_the_other_area_takes_its_steps_and_waits_at_the_others() -> None:
    received: list[tuple[str, dict[str, Any]]] = []

    def transfer(number: int, direction: str, state: str) -> dict[str, Any]:
        return {
            "transfer_id": f"trf_{number:032x}",
            "direction": f"TRANSFER_DIRECTION_{direction}",
            "state": f"TRANSFER_STATE_{state}",
            "statement": {"total": "14640.00"},
        }

    waiting = [
        transfer(1, "IN", "APPLIED"),
        transfer(2, "IN", "LETTER"),
        transfer(3, "IN", "FORM"),
        transfer(4, "OUT", "APPLIED"),
        transfer(5, "OUT", "LETTER"),
        transfer(6, "OUT", "FUNDS"),
    ]

    def gateway(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"transfers": waiting})
        received.append((request.url.path, json.loads(request.content)))
        return httpx.Response(200, json={})

    async with httpx.AsyncClient(transport=httpx.MockTransport(gateway)) as http:
        taken = await answer_transfers(Gateway("http://gateway", http))

    assert taken == 4
    assert [path.partition(":")[2] for path, _ in received] == [
        "receive-form",
        "receive-funds",
        "receive-letter",
        "confirm",
    ]
    form = received[0][1]
    bases = [Decimal(year["base"]) for year in form["years"]]
    assert Decimal(form["pooled"]) == sum(base * 12 * Decimal("0.12") for base in bases)
    assert form == form_of(waiting[1])
    assert received[1][1]["amount"] == "14640.00"
    assert all("SIM-" in str(body) for path, body in received[:3])


async def test_the_tax_bureau_collects_a_month_by_files_and_says_that_it_is_a_simulation() -> None:
    bills = (
        "#hrss-bills,1,2026-08\ndocument,kind,payer_code,month,total,open,due_date,credit\n"
        "bil_1,BILL,91320600MA1NT00083,2026-08,100.00,60.00,,0.00\n"
        "dem_2,LATE_FEE,91320600MA1NT00083,2026-08,5.00,5.00,,0.00\n"
        "#totals,2,105.00,65.00\n"
    )
    uploads: list[str] = []

    def gateway(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/bill-files":
            return httpx.Response(201, json={"file": {"file_id": "fil_1"}})
        if request.method == "GET":
            half = bills.index("dem_2")
            if request.url.params["offset"] == "0":
                return httpx.Response(200, json={"content": bills[:half], "next_offset": str(half)})
            return httpx.Response(200, json={"content": bills[half:], "next_offset": "0"})
        if request.url.path == "/v1/files":
            uploads.append(request.content.decode())
            return httpx.Response(201, json={"upload_id": "upl_1", "digest": "0" * 64})
        return httpx.Response(202, json={"job": {"job_id": "job_1"}})

    async with httpx.AsyncClient(transport=httpx.MockTransport(gateway)) as http:
        job = await collect_month(Gateway("http://gateway", http), "2026-08", "2026-08-20")

    lines = uploads[0].splitlines()
    assert job == {"job_id": "job_1"}
    assert lines[0] == "#hrss-receipts,1,2026-08-20,simulated"
    assert [line.split(",", 1)[1] for line in lines[2:]] == [
        "91320600MA1NT00083,bil_1,60.00,2026-08-20", "91320600MA1NT00083,dem_2,5.00,2026-08-20", "2,65.00",
    ]  # fmt: skip
    assert make_receipts(bills, "2026-08-20") == uploads[0]
    with pytest.raises(ValueError, match="control totals"):
        make_receipts(bills.replace("65.00", "65.01"), "2026-08-20")


async def test_refunds_are_answered_once_each_under_one_reference() -> None:
    answers: dict[str, str] = {}

    def gateway(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"refunds": [{"refund_id": "rfd_bad"}, {"refund_id": "rfd_good"}]})
        if "bad" in request.url.path:
            return httpx.Response(422, json={"code": "REFUND_NOT_ORDERED"})
        answers[request.url.path] = json.loads(request.content)["reference"]
        return httpx.Response(200, json={})

    async with httpx.AsyncClient(transport=httpx.MockTransport(gateway)) as http:
        answered = await answer_refunds(Gateway("http://gateway", http))

    assert answered == 1
    assert answers == {"/v1/refunds/rfd_good:result": "SIMTAX-good"}
