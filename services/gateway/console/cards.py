"""The electronic card at the counter: what it says, what can be done where it stands, and the second person's word."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from services.gateway.portal.page import Page
from services.gateway.portal.public_api import ApiProblem

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

CLERKS, DECIDERS = frozenset({"CLERK"}), frozenset({"CLERK", "SUPERVISOR"})
PURPOSE = "counter visit"
_PERSON = re.compile(r"per_[0-9a-f]{32}", re.ASCII)
OVER = frozenset({"CARD_STATE_REJECTED", "CARD_STATE_REPLACED", "CARD_STATE_CANCELLED", "CARD_STATE_EXPIRED"})
# What a button does: the action that the card must offer, the call, and what is sent with it.
DOES = {
    "prove": ("CARD_ACTION_START_PROOF", "record-proof"),
    "loss": ("CARD_ACTION_REPORT_LOSS", "report-loss"),
    "lift": ("CARD_ACTION_LIFT_LOSS", "lift-loss"),
    "formal": ("CARD_ACTION_REPORT_FORMAL_LOSS", "report-formal-loss"),
    "replace": ("CARD_ACTION_REPLACE", "replace"),
    "cancel": ("CARD_ACTION_CANCEL", "prepare-cancel"),
}


async def card(visit: Visit) -> Response:
    """The card of the person at the counter; a button does what the card offers there."""
    person_id = visit.request.path_params["person_id"]
    if not _PERSON.fullmatch(person_id):
        return visit.render("missing.html", 404)
    problem, approval_id = None, ""
    if visit.request.method == "POST":
        try:
            done = await _do(visit, person_id)
            approval_id = str(done.get("approval_id", ""))
            if not approval_id:
                return visit.go(f"/desk/cards/{person_id}")
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused
    path = f"/v1/persons/{person_id}"
    who = (await visit.get(path, purpose=PURPOSE))["person"]
    mine = await card_of(visit, person_id)
    told = (await visit.get(f"{path}/card-notices", purpose=PURPOSE))["notices"] if mine is not None else []
    return visit.render(
        "desk/card.html",
        problem.status if problem else 200,
        person=who,
        card=mine,
        may_request=mine is None or mine["state"] in OVER,
        buttons=[name for name, (action, _) in DOES.items() if mine and action in mine["counter_actions"]],
        notices=told,
        problem=problem,
        approval_id=approval_id,
    )


async def decide(visit: Visit) -> Response:
    """The second person decides on a cancellation."""
    person_id = visit.request.path_params["person_id"]
    mine = await card_of(visit, person_id) if _PERSON.fullmatch(person_id) else None
    if mine is None:
        return visit.render("missing.html", 404)
    problem = None
    if visit.request.method == "POST":
        approve = visit.form.get("approve") == "true"
        body = {"approval_id": visit.form.get("approval_id", "").strip(), "approve": approve}
        body |= {} if approve else {"reason": visit.form.get("reason", "")}
        try:
            path = f"/v1/cards/{mine['card_id']}:decide-cancel"
            await visit.post(path, body, key=visit.form.get("key", ""), purpose=PURPOSE)
            return visit.go(f"/desk/cards/{person_id}/decision")
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused
    return visit.render(
        "desk/card_decide.html", problem.status if problem else 200, card=mine, person_id=person_id, problem=problem
    )


async def _do(visit: Visit, person_id: str) -> Any:
    what, key = visit.form.get("what", ""), visit.form.get("key", "")
    evidence = visit.form.get("evidence_ref", "").strip()
    if what == "request":
        body = {"evidence_ref": evidence}
        return await visit.post(f"/v1/persons/{person_id}/cards", body, key=key, purpose=PURPOSE)
    mine = await card_of(visit, person_id)
    if mine is None or what not in DOES:
        return {}
    extra: dict[str, dict[str, Any]] = {
        "prove": {"passed": True, "evidence_ref": evidence},
        "cancel": {"reason": visit.form.get("reason", "").strip()},
    }
    path = f"/v1/cards/{mine['card_id']}:{DOES[what][1]}"
    return await visit.post(path, extra.get(what, {}), key=key, purpose=PURPOSE)


async def card_of(visit: Visit, person_id: str) -> Any:
    """The card that counts: one that lives, else the last one."""
    found = (await visit.get(f"/v1/persons/{person_id}/cards", purpose=PURPOSE))["cards"]
    living = [one for one in found if one["state"] not in OVER]
    return next(iter([*living, *found]), None)


PAGES = (
    Page("/desk/cards/{person_id}", card, CLERKS, acr=3, methods=("GET", "POST")),
    Page("/desk/cards/{person_id}/decision", decide, DECIDERS, acr=3, methods=("GET", "POST")),
)
