"""Pension relations that move (关系转移接续), for the office: what is open, and the step that is ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from services.gateway.console.desk import STAFF
from services.gateway.portal.forms import Field
from services.gateway.portal.page import Page
from services.gateway.portal.sending import sent
from services.gateway.portal.statements import explained

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

PURPOSE = "transfer of a relation"  # what the audit row says
_TRANSFER = re.compile(r"trf_[0-9a-f]{32}", re.ASCII)
REFUSAL = (Field("reason", "text", "office.reason", "transfer.reason_hint"),)
# Direction and state → what this office does next; other steps are the other region's.
STEPS = {
    ("TRANSFER_DIRECTION_IN", "TRANSFER_STATE_APPLIED"): "send-letter",
    ("TRANSFER_DIRECTION_OUT", "TRANSFER_STATE_LETTER"): "issue-form",
    ("TRANSFER_DIRECTION_OUT", "TRANSFER_STATE_FORM"): "send-funds",
}
_REFUSABLE = frozenset({"TRANSFER_STATE_APPLIED", "TRANSFER_STATE_LETTER"})
_LISTED = 200
_POST = ("GET", "POST")


async def transfers(visit: Visit) -> Response:
    """Everything that is open, oldest first."""
    found = (await visit.get("/v1/transfers", page_size=_LISTED))["transfers"]
    rows = [{**one, "step": STEPS.get((one["direction"], one["state"]), "")} for one in found]
    return visit.render("office/transfers.html", rows=rows, is_full=len(rows) == _LISTED)


async def transfer(visit: Visit) -> Response:
    """One transfer with its steps and its money; ours is done from here."""
    number = visit.request.path_params["transfer_id"]
    if not _TRANSFER.fullmatch(number):
        return visit.render("missing.html", 404)
    path, action = f"/v1/transfers/{number}", visit.form.get("action", "")

    async def step(_body: dict[str, Any]) -> Any:
        return await visit.post(f"{path}:{action}", {}, key=visit.form.get("key", ""), purpose=PURPOSE)

    async def refuse(body: dict[str, Any]) -> Any:
        return await visit.post(f"{path}:refuse", body, key=visit.form.get("key", ""), purpose=PURPOSE)

    stepped = await sent(visit, (), step, mine=action in STEPS.values())
    refused = await sent(visit, REFUSAL, refuse, mine=action == "refuse")
    if stepped.answer is not None or refused.answer is not None:
        return visit.go(f"/desk/transfers/{number}")
    found = (await visit.get(path, purpose=PURPOSE))["transfer"]
    is_clerk = "CLERK" in visit.roles
    problem = stepped.problem or refused.problem
    return visit.render(
        "office/transfer.html",
        problem.status if problem else 200,
        transfer={**found, "statement": explained(found.get("statement"), visit.t)},
        step=STEPS.get((found["direction"], found["state"]), "") if is_clerk else "",
        refusal=refused.filled if is_clerk and found["state"] in _REFUSABLE else None,
        problem=problem,
    )


PAGES = (
    Page("/desk/transfers", transfers, STAFF, acr=2),
    Page("/desk/transfers/{transfer_id}", transfer, STAFF, acr=2, methods=_POST),
)
