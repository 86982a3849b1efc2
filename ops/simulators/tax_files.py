"""Simulated tax bureau (税务局仿真), the way by files: a month's bills out, a file of receipts in, refunds answered.

Every file that it makes says `simulated` in its first line, and production refuses it. The same bills always make the
same receipts, so that a restart never pays twice.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from ops.client import Problem, key_of

if TYPE_CHECKING:
    from ops.client import Gateway, Json

LOG = logging.getLogger("hrss.simulators")
PAGE = 200  # the greatest page the API gives
DOCUMENT, PAYER, OPEN = 0, 2, 5  # columns of the file of bills


async def collect_month(gateway: Gateway, month: str, day: str) -> Json:
    """Fetch a month's bills, collect all that is open on a day, and send the receipts; the job that books them.

    Args:
        gateway: As the tax bureau.
        month: Like "2026-08".
        day: Like "2026-08-20"; the day of collection.
    """
    asked = await gateway.post("/v1/bill-files", {"month": month}, key=key_of("bills", month, day))
    receipts = make_receipts(await _read(gateway, asked["file"]["file_id"]), day)
    upload = await gateway.upload(receipts.encode())
    where = {"upload_id": upload["upload_id"], "digest": upload["digest"]}
    return dict((await gateway.post("/v1/receipt-files", where, key=key_of("receipts", upload["digest"])))["job"])


def make_receipts(bills: str, day: str) -> str:
    """The file of receipts that pays everything in a file of bills; the numbers follow from what is paid.

    Raises:
        ValueError: The bills do not add up to their control totals, so nothing is collected.
    """
    lines = bills.splitlines()
    rows = [line.split(",") for line in lines[2:-1]]
    total = sum((Decimal(row[OPEN]) for row in rows), Decimal(0))
    if [*lines[-1].split(",")[:2], lines[-1].split(",")[3]] != ["#totals", str(len(rows)), f"{total:.2f}"]:
        raise ValueError("the bills do not add up to their control totals")
    paid = [f"{_number(row)},{row[PAYER]},{row[DOCUMENT]},{row[OPEN]},{day}" for row in rows]
    head = [f"#hrss-receipts,1,{day},simulated", "receipt_no,payer_code,document,amount,paid_date"]
    return "\n".join([*head, *paid, f"#totals,{len(paid)},{total:.2f}", ""])


async def answer_refunds(gateway: Gateway) -> int:
    """Carry out every ordered refund; answers how many. The same refund always gets the same reference."""
    quiet = replace(gateway, is_traced=False)
    refunds = (await quiet.get("/v1/refunds", state="REFUND_STATE_ORDERED", page_size=PAGE))["refunds"]
    answered = 0
    for refund in refunds:
        refund_id = refund["refund_id"]
        result = {
            "outcome": "REFUND_OUTCOME_CONFIRMED",
            "reference": f"SIMTAX-{refund_id.removeprefix('rfd_')}",
            "simulated": True,
        }
        try:
            await gateway.post(f"/v1/refunds/{refund_id}:result", result, key=key_of("refund", refund_id))
            answered += 1
        except Problem as refusal:  # one that cannot be answered now must not hold up the others
            LOG.warning("refund %s is not answered now: %s", refund_id, refusal.code)
    return answered


async def _read(gateway: Gateway, file_id: str) -> str:
    """A file of bills, part by part."""
    parts, offset = [], 0
    while True:
        part = await gateway.get(f"/v1/bill-files/{file_id}", offset=offset)
        parts.append(part["content"])
        offset = int(part["next_offset"])
        if not offset:
            return "".join(parts)


def _number(row: list[str]) -> str:
    """A ticket number that follows from what is paid and how much was open: a second part gets another one."""
    return f"SIM{int(hashlib.sha256(','.join(row[: OPEN + 1]).encode()).hexdigest()[:13], 16):016d}X"
