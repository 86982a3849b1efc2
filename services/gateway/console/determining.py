"""Determinations (核定): what waits for a second person, and one with its statement line by line."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from services.gateway.console.desk import STAFF
from services.gateway.portal.forms import Field
from services.gateway.portal.page import Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.sending import sent
from services.gateway.portal.statements import explained

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

PURPOSE = "determination of benefits"  # what the audit row says
STATES = ("PREPARED", "APPROVED", "REJECTED")
REASON = (Field("reason", "text", "office.reason", "office.reason_hint"),)
_DETERMINATION = re.compile(r"det_[0-9a-f]{32}", re.ASCII)
_PAGE = 50


async def determinations(visit: Visit) -> Response:
    """What waits, oldest first; what was decided stands beside it."""
    state = visit.query.get("state", "PREPARED")
    state = state if state in STATES else "PREPARED"
    found = await visit.get(
        "/v1/determinations",
        purpose=PURPOSE,
        state=f"DETERMINATION_STATE_{state}",
        page_size=_PAGE,
        page_token=visit.query.get("page", ""),
    )
    return visit.render(
        "office/determinations.html",
        state=state,
        states=STATES,
        rows=found["determinations"],
        following=found["next_page_token"],
        done=visit.query.get("done") == "prepared",
    )


async def determination(visit: Visit) -> Response:
    """One determination: every line with rule, source and parameters; approved exactly as it is shown, or sent back."""
    number = visit.request.path_params["determination_id"]
    if not _DETERMINATION.fullmatch(number):
        return visit.render("missing.html", 404)
    path, action, key = f"/v1/determinations/{number}", visit.form.get("action", ""), visit.form.get("key", "")

    async def approve(_body: dict[str, Any]) -> Any:
        body = {"statement_digest": visit.form.get("digest", "")}
        return await visit.post(f"{path}:approve", body, key=key, purpose=PURPOSE)

    async def reject(body: dict[str, Any]) -> Any:
        return await visit.post(f"{path}:reject", body, key=key, purpose=PURPOSE)

    approved = await sent(visit, (), approve, mine=action == "approve")
    rejected = await sent(visit, REASON, reject, mine=action == "reject")
    if approved.answer is not None or rejected.answer is not None:
        return visit.go(f"/desk/determinations/{number}?done={action}")
    problem = approved.problem or rejected.problem
    one = (await visit.get(path, purpose=PURPOSE))["determination"]
    person, others = await asyncio.gather(
        person_of(visit, one["person_id"]),
        visit.get(f"/v1/persons/{one['person_id']}/benefits", purpose=PURPOSE),
    )
    done = visit.query.get("done", "")
    return visit.render(
        "office/determination.html",
        problem.status if problem else 200,
        one=one,
        person=person,
        others=[other for other in others["benefits"] if other["benefit_id"] != one["benefit_id"]],
        statement=explained(one["statement"], visit.t),
        may="AUDITOR" not in visit.roles and one["state"] == "DETERMINATION_STATE_PREPARED",
        reject=rejected.filled,
        seen=visit.form.get("digest", ""),
        done=done if done in {"approve", "reject", "prepared"} else "",
        problem=problem,
    )


async def person_of(visit: Visit, person_id: str) -> Any:
    """The person as the register shows them to staff; None where it does not."""
    try:
        return (await visit.get(f"/v1/persons/{person_id}", purpose=PURPOSE))["person"]
    except ApiProblem as problem:
        if problem.needs_login:
            raise
        return None


PAGES = (
    Page("/desk/determinations", determinations, STAFF, acr=2),
    Page("/desk/determinations/{determination_id}", determination, STAFF, acr=2, methods=("GET", "POST")),
)
