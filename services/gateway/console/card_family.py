"""Family accounts at the window: agreed to before the clerk, ended at once, listed; and locks that are lifted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from services.gateway.console.cards import CLERKS, PURPOSE, card_of
from services.gateway.portal.citizen.family import INVITATION, SCOPES
from services.gateway.portal.forms import Field, Filled
from services.gateway.portal.page import Page
from services.gateway.portal.public_api import ApiProblem

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

_PERSON = re.compile(r"per_[0-9a-f]{32}", re.ASCII)
_DELEGATION = re.compile(r"dlg_[0-9a-f]{32}", re.ASCII)
SUPERVISORS = frozenset({"SUPERVISOR"})
# Both stand at the window, and the clerk names the document that was looked at; without it an invitation waits.
AT_WINDOW = (*INVITATION, Field("document_ref", "text", "window.document", "window.document_hint", required=False))


async def family(visit: Visit) -> Response:
    """The family accounts of the person at the window, on both sides; agree to what waits, or end what runs."""
    person_id = visit.request.path_params["person_id"]
    if not _PERSON.fullmatch(person_id):
        return visit.render("missing.html", 404)
    problem = None
    if visit.request.method == "POST":
        try:
            await _do(visit)
            return visit.go(f"/desk/cards/{person_id}/family")
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused
    path = f"/v1/persons/{person_id}"
    who = (await visit.get(path, purpose=PURPOSE))["person"]
    found = (await visit.get(f"{path}/delegations", purpose=PURPOSE))["delegations"]
    return visit.render(
        "desk/card_family.html",
        problem.status if problem else 200,
        person=who,
        delegations=found,
        problem=problem,
    )


async def invite(visit: Visit) -> Response:
    """Let the person at the window act for a family member; with the document looked at it runs at once."""
    person_id = visit.request.path_params["person_id"]
    if not _PERSON.fullmatch(person_id):
        return visit.render("missing.html", 404)
    who = (await visit.get(f"/v1/persons/{person_id}", purpose=PURPOSE))["person"]
    filled, problem = Filled(AT_WINDOW), None
    if visit.request.method == "POST":
        filled = Filled.of(AT_WINDOW, visit.form, visit.t)
        try:
            if not filled.errors:
                await _invite(visit, person_id, filled.body())
                return visit.go(f"/desk/cards/{person_id}/family")
            problem = ApiProblem(400, "", visit.t("error.title"))
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused
            filled.blame(refused)
    status = problem.status if problem else 200
    return visit.render("desk/card_invite.html", status, person=who, filled=filled, problem=problem)


async def unlock(visit: Visit) -> Response:
    """The supervisor looks at a locked card and lifts its lock, with the reason."""
    person_id = visit.request.path_params["person_id"]
    mine = await card_of(visit, person_id) if _PERSON.fullmatch(person_id) else None
    if mine is None:
        return visit.render("missing.html", 404)
    problem = None
    if visit.request.method == "POST":
        try:
            path, body = f"/v1/cards/{mine['card_id']}:unlock", {"reason": visit.form.get("reason", "").strip()}
            await visit.post(path, body, key=visit.form.get("key", ""), purpose=PURPOSE)
            return visit.go(f"/desk/cards/{person_id}/lock")
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused
    status = problem.status if problem else 200
    return visit.render("desk/card_lock.html", status, card=mine, person_id=person_id, problem=problem)


async def _invite(visit: Visit, person_id: str, body: dict[str, Any]) -> None:
    body["scopes"] = [f"FAMILY_SCOPE_{one}" for one in SCOPES if body.pop(one, False)]
    seen, key = body.pop("document_ref", ""), visit.form.get("key", "")
    made = await visit.post(f"/v1/persons/{person_id}/delegations", body, key=key, purpose=PURPOSE)
    if seen:
        path = f"/v1/delegations/{made['delegation']['delegation_id']}:consent"
        await visit.post(path, {"document_ref": seen}, key=f"{key}-agreed", purpose=PURPOSE)


async def _do(visit: Visit) -> None:
    form, key = visit.form, visit.form.get("key", "")
    delegation_id = form.get("delegation_id", "")
    if not _DELEGATION.fullmatch(delegation_id):
        return
    if form.get("what") == "end":
        await visit.post(f"/v1/delegations/{delegation_id}:end", {}, key=key, purpose=PURPOSE)
    elif form.get("what") == "agree":
        body = {"document_ref": form.get("document_ref", "").strip()}
        await visit.post(f"/v1/delegations/{delegation_id}:consent", body, key=key, purpose=PURPOSE)


PAGES = (
    Page("/desk/cards/{person_id}/family", family, CLERKS, acr=3, methods=("GET", "POST")),
    Page("/desk/cards/{person_id}/family/invite", invite, CLERKS, acr=3, methods=("GET", "POST")),
    Page("/desk/cards/{person_id}/lock", unlock, SUPERVISORS, acr=3, methods=("GET", "POST")),
)
