"""Simulated tax bureau (税务局仿真): pays every open bill in full on the day on which it was assessed.

The real bureau collects from the employer's bank and sends a receipt with its ticket number. Here the number is
made from the bill, so that a restart never pays twice.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from ops.client import Problem, key_of

if TYPE_CHECKING:
    from ops.client import Gateway, Json

LOG = logging.getLogger("hrss.simulators")
PAGE = 200  # the greatest page the API gives


async def pay_open_bills(gateway: Gateway) -> int:
    """Send a receipt for each issued bill; answers how many were paid."""
    page = await replace(gateway, is_traced=False).get("/v1/bills", state="BILL_STATE_ISSUED", page_size=PAGE)
    bills: list[Json] = page["bills"]
    paid = 0
    for bill in reversed(bills):  # the list is newest first; money comes in oldest first
        try:
            await send_receipt(gateway, bill)
            paid += 1
        except Problem as refusal:  # one bill that cannot be paid today must not hold up the others
            LOG.warning("bill %s is not paid now: %s", bill["bill_id"], refusal.code)
    return paid


async def send_receipt(gateway: Gateway, bill: Json) -> Json:
    """Send the receipt of a bill; the same bill always gets the same number under the same key."""
    receipt_no = f"SIMTAX-{bill['bill_id'].removeprefix('bil_')}"
    return await gateway.post(
        "/v1/receipts",
        {
            "receipt_no": receipt_no,
            "bill_id": bill["bill_id"],
            "amount": bill["total"],
            "paid_date": bill["assess_date"],
            "simulated": True,
        },
        key=key_of("receipt", receipt_no),
    )
