"""The desk of those who accept and decide cases: what waits, one case with everything beside it, and what to do."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from services.gateway.console.shown import filled_in
from services.gateway.portal.page import Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.statements import explained

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

STAFF = frozenset({"CLERK", "SUPERVISOR", "AUDITOR"})
PURPOSE = "case handling"  # what the audit row says beside the number of the case
PAGE_SIZE = 50
POINTS_MAX = 20
# Queue of the contract → its name in addresses and texts, and the count that goes with it.
QUEUES = {
    "": ("all", ""),
    "to_accept": ("CASE_QUEUE_TO_ACCEPT", "to_accept_count"),
    "to_decide": ("CASE_QUEUE_TO_DECIDE", "to_decide_count"),
    "overdue": ("CASE_QUEUE_OVERDUE", "overdue_count"),
    "stuck": ("CASE_QUEUE_STUCK", "stuck_count"),
}
_CASE_NO = re.compile(r"[0-9]{6}-?[0-9]{8}-?[0-9]-?[0-9]{6}-?[0-9]", re.ASCII)
# What a button asks for → verb of the API.
_ACTIONS = {
    "accept": "accept",
    "decline": "decline",
    "correction": "request-correction",
    "approve": "decide",
    "reject": "decide",
    "retry": "retry",
}
# Accepted and not at an end: a step that a service refuses in one of these leaves the case stuck.
_ACCEPTED = frozenset({"CASE_STATE_ACCEPTED", "CASE_STATE_APPROVED"})
_OPEN = _ACCEPTED | {"CASE_STATE_SUBMITTED", "CASE_STATE_IN_REVIEW"}


async def start(visit: Visit) -> Response:
    """Where staff begin."""
    return visit.go("/desk/cases")


async def queue(visit: Visit) -> Response:
    """Cases that wait for staff, most urgent first."""
    asked = visit.query.get("queue", "")
    name = asked if asked in QUEUES else ""
    found = await visit.get(
        "/v1/cases",
        queue=QUEUES[name][0] if name else "",
        page_size=PAGE_SIZE,
        page_token=visit.query.get("page", ""),
    )
    return visit.render(
        "desk/queue.html",
        name=name,
        queues=[(one, found[count] if count else None) for one, (_, count) in QUEUES.items()],
        cases=found["cases"],
        following=found["next_page_token"],
    )


async def case(visit: Visit) -> Response:
    """One case; a form on it does one thing and comes back here."""
    case_no = visit.request.path_params["case_no"]
    if not _CASE_NO.fullmatch(case_no):
        return visit.render("missing.html", 404)
    if visit.request.method == "GET":
        return await _case(visit, case_no)
    action = visit.form.get("action", "")
    if action not in _ACTIONS:
        return await _case(visit, case_no)
    try:
        await visit.post(
            f"/v1/cases/{case_no}:{_ACTIONS[action]}",
            body_of(action, visit.form),
            key=visit.form.get("key", ""),
            case_no=case_no,
        )
    except ApiProblem as problem:
        if problem.needs_login:
            raise
        return await _case(visit, case_no, problem)
    return visit.go(f"/desk/cases/{case_no}?done={action}")


def body_of(action: str, form: Mapping[str, str]) -> dict[str, Any]:
    """What is sent for an action; a decision names the digest of the statement that was on the page."""
    reason = form.get("reason", "")
    match action:
        case "decline":
            return {"reason": reason}
        case "correction":
            lines = (line.strip() for line in form.get("points", "").splitlines())
            return {"points": [line for line in lines if line][:POINTS_MAX]}
        case "approve":
            return {"outcome": "CASE_OUTCOME_APPROVED", "statement_digest": form.get("digest", "")}
        case "reject":
            return {"outcome": "CASE_OUTCOME_REJECTED", "reason": reason}
    return {}


async def _case(visit: Visit, case_no: str, problem: ApiProblem | None = None) -> Response:
    found, happened = await asyncio.gather(
        visit.get(f"/v1/cases/{case_no}", purpose=PURPOSE, case_no=case_no),
        visit.get(f"/v1/cases/{case_no}/events", purpose=PURPOSE, case_no=case_no),
    )
    shown = found["case"]
    insurance = await _insurance(visit, shown["person_id"], case_no)
    done = visit.query.get("done", "")
    return visit.render(
        "desk/case.html",
        problem.status if problem else 200,
        case=shown,
        filled=filled_in(found.get("form") or {}),
        events=happened["events"],
        statement=explained(shown.get("statement"), visit.t),
        insurance=insurance,
        may=actions(shown, visit.roles),
        done=done if done in _ACTIONS or done == "created" else "",
        problem=problem,
        asked=visit.form,
    )


def actions(case: Mapping[str, Any], roles: frozenset[str]) -> frozenset[str]:
    """What this member of staff may try now; the API decides, this only leaves out what cannot be."""
    state = case["state"]
    is_stuck = any(step["state"] == "CASE_STEP_STATE_REFUSED" for step in case["steps"])
    found: set[str] = {"retry"} if is_stuck and state in _OPEN else set()
    if "CLERK" in roles and state == "CASE_STATE_SUBMITTED":
        found |= {"decline", "correction"} if is_stuck else {"accept", "decline", "correction"}
    if "CLERK" in roles and state == "CASE_STATE_ACCEPTED" and is_stuck:
        found.add("correction")
    if "SUPERVISOR" in roles and not case["accepted_by_me"]:
        if state == "CASE_STATE_IN_REVIEW":
            found |= {"approve", "reject"}
        elif state in _ACCEPTED and is_stuck:
            found.add("reject")
    # A service holds the claim and would hear of neither: it is accepted, and a no takes two persons.
    if any(step["state"] == "CASE_STEP_STATE_DONE" and step.get("result_id") for step in case["steps"]):
        found -= {"decline", "correction"}
    return frozenset(found if roles & {"CLERK", "SUPERVISOR"} else ())


async def _insurance(visit: Visit, person_id: str, case_no: str) -> Any:
    """The person's insurance; None while nobody is registered, or when the register does not answer."""
    if not person_id:
        return None
    try:
        return await visit.get(f"/v1/persons/{person_id}/insurance", purpose=PURPOSE, case_no=case_no)
    except ApiProblem as problem:
        if problem.needs_login:
            raise
        return None


PAGES = (
    Page("/desk", start, STAFF),
    Page("/desk/cases", queue, STAFF),
    Page("/desk/cases/{case_no}", case, STAFF, acr=3, methods=("GET", "POST")),
)
