"""My applications and messages, and following an application without a login."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from services.gateway.portal.citizen.offers import CITIZEN_ITEMS, CORRECTED_ITEMS
from services.gateway.portal.forms import Field, Filled
from services.gateway.portal.page import CITIZEN, Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.statements import explained

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

# States in which an applicant may still take a case back; an accepted one only while nothing has been done for it.
WITHDRAWABLE = frozenset({"CASE_STATE_DRAFT", "CASE_STATE_SUBMITTED", "CASE_STATE_CORRECTION_REQUESTED"})
CORRECTABLE = frozenset({"CASE_STATE_DRAFT", "CASE_STATE_CORRECTION_REQUESTED"})
TRACK = (
    Field("case_no", "digits", "track.case_no", "track.case_no_hint"),
    Field("last_four", "id_no", "track.last_four", "track.last_four_hint"),
)


async def cases(visit: Visit) -> Response:
    """My applications, newest first."""
    person_id = await visit.person_id()
    token = visit.query.get("page", "")
    found = await visit.get(f"/v1/persons/{person_id}/cases", page_size=20, page_token=token)
    return visit.render("citizen/cases.html", cases=found["cases"], following=found["next_page_token"])


async def case(visit: Visit) -> Response:
    """One application: where it stands, what happens next, what was decided and why."""
    case_no = visit.request.path_params["case_no"]
    found, happened = await asyncio.gather(visit.get(f"/v1/cases/{case_no}"), visit.get(f"/v1/cases/{case_no}/events"))
    shown = found["case"]
    parts = shown["parts"]
    return visit.render(
        "citizen/case.html",
        case=shown,
        events=happened["events"],
        statement=explained(shown.get("statement"), visit.t),
        left=sum(part["state"] != "CASE_STATE_DELIVERED" for part in parts),
        to_correct=[part for part in parts if part["state"] == "CASE_STATE_CORRECTION_REQUESTED"],
        again=CITIZEN_ITEMS,
        can_correct=shown["state"] in CORRECTABLE and shown["item_code"] in CORRECTED_ITEMS,
        can_withdraw=_can_withdraw(shown),
    )


def _can_withdraw(case: Mapping[str, Any]) -> bool:
    """Whether it can be taken back; the API decides, this only leaves out what cannot be."""
    steps = {step["state"] for step in case["steps"]}
    if "CASE_STEP_STATE_DONE" in steps:
        return False
    stuck = case["state"] == "CASE_STATE_ACCEPTED" and "CASE_STEP_STATE_REFUSED" in steps
    return stuck or case["state"] in WITHDRAWABLE


async def withdraw(visit: Visit) -> Response:
    """Take an application back, after asking once."""
    case_no = visit.request.path_params["case_no"]
    if visit.request.method == "POST":
        await visit.post(f"/v1/cases/{case_no}:withdraw", {}, key=visit.form.get("key", ""))
        return visit.go(f"/cases/{case_no}")
    found = await visit.get(f"/v1/cases/{case_no}")
    return visit.render("citizen/withdraw.html", case=found["case"])


async def done(visit: Visit) -> Response:
    """Handed in: the number, the promised day, what comes next."""
    found = (await visit.get(f"/v1/cases/{visit.request.path_params['case_no']}"))["case"]
    days = 0  # before acceptance there is no promised day yet, only how long it takes from then
    if found["item_code"] and "end_date" not in found:
        days = (await visit.look_up(f"/v1/items/{found['item_code']}"))["item"].get("promise_working_days", 0)
    return visit.render("citizen/done.html", case=found, days=days)


async def messages(visit: Visit) -> Response:
    """Messages to me, newest first."""
    person_id = await visit.person_id()
    token = visit.query.get("page", "")
    found = await visit.get(f"/v1/persons/{person_id}/messages", page_size=20, page_token=token)
    return visit.render("citizen/messages.html", messages=found["messages"], following=found["next_page_token"])


async def track(visit: Visit) -> Response:
    """Follow an application with its number and the last four characters of the identity number, without a login."""
    filled, problem, found = Filled(TRACK), None, None
    if visit.request.method == "POST":
        filled = Filled.of(TRACK, visit.form, visit.t)
        if filled.errors:
            problem = ApiProblem(400, "", visit.t("error.title"))
        else:
            try:
                found = await visit.post("/v1/cases:track", filled.body())
            except ApiProblem as refused:
                problem = refused
                filled.blame(refused)
    return visit.render(
        "citizen/track.html", problem.status if problem else 200, filled=filled, problem=problem, found=found
    )


PAGES = (
    Page("/cases", cases, roles=CITIZEN, acr=2),
    Page("/cases/{case_no}", case, roles=CITIZEN, acr=2),
    Page("/cases/{case_no}/withdraw", withdraw, roles=CITIZEN, acr=2, methods=("GET", "POST")),
    Page("/cases/{case_no}/done", done, roles=CITIZEN, acr=2),
    Page("/messages", messages, roles=CITIZEN, acr=2),
    Page("/track", track, methods=("GET", "POST")),
)
