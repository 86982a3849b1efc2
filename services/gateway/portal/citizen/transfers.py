"""My pension relation when I move: apply to bring it here or take it along, and follow every step (关系转移接续)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.gateway.portal.forms import Field
from services.gateway.portal.page import CITIZEN, Page
from services.gateway.portal.sending import sent
from services.gateway.portal.statements import explained

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

WANTED = (
    Field(
        "direction",
        "choice",
        "transfer.direction",
        choices=("TRANSFER_DIRECTION_IN", "TRANSFER_DIRECTION_OUT"),
    ),
    Field("other_area", "digits", "transfer.other_area", "transfer.other_area_hint"),
)


async def transfers(visit: Visit) -> Response:
    """My transfers with their steps, and a form for a new one."""
    path = f"/v1/persons/{await visit.person_id()}/transfers"

    async def apply(body: dict[str, Any]) -> Any:
        return await visit.post(path, body, key=visit.form.get("key", ""))

    done = await sent(visit, WANTED, apply)
    if done.answer is not None:
        return visit.go("/transfers?done=1")
    found = (await visit.get(path))["transfers"]
    return visit.render(
        "citizen/transfers.html",
        done.status,
        transfers=[{**one, "statement": explained(one.get("statement"), visit.t)} for one in found],
        filled=done.filled,
        problem=done.problem,
        is_done=visit.query.get("done") == "1",
    )


PAGES = (Page("/transfers", transfers, roles=CITIZEN, acr=2, methods=("GET", "POST")),)
