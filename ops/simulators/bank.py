"""Simulated paying bank (银行仿真): confirms every approved payment order.

An account that ends in 0000 is returned, so that a story can show what happens then. The reference is made from the
payment, so that a restart never answers differently.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from ops.client import Problem, key_of

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ops.client import Gateway, Json

LOG = logging.getLogger("hrss.simulators")
PAGE = 200  # the greatest page the API gives
CLOSED_ACCOUNT = "0000"  # accounts that end so play the closed account


async def answer_orders(gateway: Gateway) -> int:
    """Answer every order of the approved payrolls that waits; answers how many there were."""
    quiet = replace(gateway, is_traced=False)
    page = await quiet.get("/v1/payrolls", state="PAYROLL_STATE_APPROVED", page_size=PAGE)
    payrolls: list[Json] = page["payrolls"]
    answered = 0
    for payroll in reversed(payrolls):
        if _open(payroll):
            answered += await _answer_payroll(gateway, payroll["payroll_id"])
    return answered


def _open(payroll: Json) -> bool:
    return int(payroll["confirmed_count"]) + int(payroll["returned_count"]) < int(payroll["payment_count"])


async def _answer_payroll(gateway: Gateway, payroll_id: str) -> int:
    answered, token = 0, ""
    while True:
        page = await gateway.get(f"/v1/payrolls/{payroll_id}/payments", page_size=PAGE, page_token=token)
        for order in page["orders"]:
            if order["state"] == "PAYMENT_STATE_APPROVED":
                answered += await _try(order["payment_id"], answer_order(gateway, order))
        token = page["next_page_token"]
        if not token:
            return answered


async def answer_subsidies(gateway: Gateway) -> int:
    """Answer every payment order of a skills subsidy that waits; answers how many there were."""
    page = await replace(gateway, is_traced=False).get("/v1/subsidy-orders", page_size=PAGE)
    return sum([await _try(order["order_id"], answer_subsidy(gateway, order)) for order in page["orders"]])


async def _try(name: str, answer: Awaitable[Json]) -> int:
    try:
        await answer
    except Problem as refusal:  # one order that cannot be answered now must not hold up the others
        LOG.warning("order %s is not answered now: %s", name, refusal.code)
        return 0
    return 1


async def answer_subsidy(gateway: Gateway, order: Json) -> Json:
    """Answer one payment order of a subsidy; the same order always gets the same reference under the same key."""
    order_id = order["order_id"]
    returned = str(order["payee"]["account"]).endswith(CLOSED_ACCOUNT)
    return await gateway.post(
        f"/v1/subsidy-orders/{order_id}:result",
        {
            "outcome": "SUBSIDY_OUTCOME_RETURNED" if returned else "SUBSIDY_OUTCOME_CONFIRMED",
            "bank_reference": f"SIMBANK-{order_id.removeprefix('ord_')}",
            "simulated": True,
        },
        key=key_of("subsidy", order_id),
    )


async def answer_order(gateway: Gateway, order: Json) -> Json:
    """Answer one order; the same order always gets the same reference under the same key."""
    returned = str(order["payee"]["account"]).endswith(CLOSED_ACCOUNT)
    payment_id = order["payment_id"]
    return await gateway.post(
        f"/v1/payments/{payment_id}:result",
        {
            "outcome": "PAYMENT_OUTCOME_RETURNED" if returned else "PAYMENT_OUTCOME_CONFIRMED",
            "bank_reference": f"SIMBANK-{payment_id.removeprefix('pmt_')}",
            "simulated": True,
        },
        key=key_of("payment", payment_id),
    )
