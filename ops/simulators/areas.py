"""Simulated office of another area (外地经办机构仿真): answers letters, forms and funds of relations that move.

The real one is reached through the national platform of transfers. Here every number is made from the transfer, so a
restart never sends two; what a relation brings is made up from it too, always the same, and every paper says that it is
simulated by its number.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from ops.client import Problem, key_of

if TYPE_CHECKING:
    from ops.client import Gateway, Json

LOG = logging.getLogger("hrss.simulators")
PAGE = 200  # the greatest page the API gives
POOLED_SHARE = Decimal("0.12")  # 国办发〔2009〕66号
YEARS = (2016, 2017, 2018)
CENT = Decimal("0.01")


async def answer_transfers(gateway: Gateway) -> int:
    """Take the steps that are the other area's; answers how many were taken."""
    page = await replace(gateway, is_traced=False).get("/v1/transfers", page_size=PAGE)
    transfers: list[Json] = page["transfers"]
    taken = 0
    for transfer in transfers:
        try:
            taken += await answer(gateway, transfer)
        except Problem as refusal:  # one that cannot go on must not hold up the others
            LOG.warning("transfer %s waits: %s", transfer["transfer_id"], refusal.code)
    return taken


async def answer(gateway: Gateway, transfer: Json) -> bool:
    """The next step of a transfer, when it is the other area's; the same transfer always gets the same numbers."""
    match transfer["direction"], transfer["state"]:
        case "TRANSFER_DIRECTION_IN", "TRANSFER_STATE_LETTER":
            await _send(gateway, transfer, "receive-form", form_of(transfer))
        case "TRANSFER_DIRECTION_IN", "TRANSFER_STATE_FORM":
            amount = transfer["statement"]["total"]
            await _send(gateway, transfer, "receive-funds", {"funds_no": _number("ZJ", transfer), "amount": amount})
        case "TRANSFER_DIRECTION_OUT", "TRANSFER_STATE_APPLIED":
            await _send(gateway, transfer, "receive-letter", {"letter_no": _number("LXH", transfer)})
        case "TRANSFER_DIRECTION_OUT", "TRANSFER_STATE_FUNDS":
            await _send(gateway, transfer, "confirm", {})
        case _:
            return False
    return True


def form_of(transfer: Json) -> Json:
    """An information form: three whole years on made-up bases, the account, and the pooled part of the bases."""
    seed = hashlib.sha256(transfer["transfer_id"].encode()).digest()
    bases = [Decimal(3500 + 10 * seed[place]) for place in range(len(YEARS))]
    pooled = sum(((base * 12 * POOLED_SHARE).quantize(CENT, ROUND_HALF_UP) for base in bases), Decimal(0))
    account = sum(((base * 12 * Decimal("0.08")).quantize(CENT, ROUND_HALF_UP) for base in bases), Decimal(0))
    return {
        "form_no": _number("XXB", transfer),
        "years": [
            {
                "year": year,
                "first_month": 1,
                "month_count": 12,
                "base": str(base.quantize(CENT)),
                "state": "CONTRIBUTION_STATE_PAID",
            }
            for year, base in zip(YEARS, bases, strict=True)
        ],
        "account": str(account),
        "pooled": str(pooled),
    }


async def _send(gateway: Gateway, transfer: Json, verb: str, body: Json) -> None:
    key = transfer["transfer_id"]
    await gateway.post(f"/v1/transfers/{key}:{verb}", body, key=key_of(verb, key))


def _number(kind: str, transfer: Json) -> str:
    return f"SIM-{kind}-{transfer['transfer_id'].removeprefix('trf_')[:24]}"
