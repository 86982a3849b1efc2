"""Family accounts: whom I act for and who acts for me; invite, agree, show the code, end."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from services.gateway.portal.applications import FIELDS
from services.gateway.portal.citizen.card import drawn
from services.gateway.portal.forms import Field
from services.gateway.portal.page import CITIZEN, Page
from services.gateway.portal.sending import sent
from services.gateway.portal.words import BEIJING

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

_DELEGATION = re.compile(r"dlg_[0-9a-f]{32}", re.ASCII)
RELATIONS = ("ELDER", "CHILD", "SPOUSE", "OTHER")
SCOPES = ("SHOW_CODE", "QUERY", "APPLY")
INVITATION = (
    Field("relation", "choice", "family.relation", choices=tuple(f"FAMILY_RELATION_{one}" for one in RELATIONS)),
    Field("ward_name", "name", "family.name"),
    Field("ward_id_no", "id_no", "family.id_no"),
    *(
        Field(scope, "consent", f"family.scope_{scope.lower()}", required=False)
        for scope in SCOPES  # what a delegate may do; payment is none of it
    ),
    Field("to_date", "date", "family.to_date", "family.to_date_hint", required=False),
)
SUBSIDY = "TR01"  # what the gateway takes from a family account
_OPEN = ("DELEGATION_STATE_PENDING", "DELEGATION_STATE_SUSPENDED")


async def family(visit: Visit) -> Response:
    """My family accounts on both sides; what ended stands below."""
    found = await _mine(visit)
    live = [one for one in found if one["state"] != "DELEGATION_STATE_ENDED"]
    return visit.render(
        "citizen/family.html",
        wards=[one for one in live if one["is_delegate"]],
        delegates=[one for one in live if not one["is_delegate"]],
        ended=[one for one in found if one["state"] == "DELEGATION_STATE_ENDED"],
        done=visit.query.get("done", ""),
    )


async def invite(visit: Visit) -> Response:
    """Invite a family member to be acted for."""

    async def send(body: dict[str, Any]) -> Any:
        body["scopes"] = [f"FAMILY_SCOPE_{one}" for one in SCOPES if body.pop(one, False)]
        path = f"/v1/persons/{await visit.person_id()}/delegations"
        return await visit.post(path, body, key=visit.form.get("key", ""))

    done = await sent(visit, INVITATION, send, known={"SHOW_CODE": "true", "QUERY": "true"})
    if done.answer is not None:
        return visit.go("/family?done=invited")
    return visit.render("citizen/family_invite.html", done.status, filled=done.filled, problem=done.problem)


async def agree(visit: Visit) -> Response:
    """Agree to be acted for; the login with the face is the ground."""
    one = await _one(visit)
    if one is None or one["is_delegate"] or one["state"] not in _OPEN or one["ward_is_minor"]:
        return visit.go("/family")
    if visit.request.method == "GET":
        return visit.render("citizen/family_agree.html", one=one)
    await visit.post(f"/v1/delegations/{one['delegation_id']}:consent", {}, key=visit.form.get("key", ""))
    return visit.go("/family?done=agreed")


async def end(visit: Visit) -> Response:
    """End a family account, after asking once."""
    one = await _one(visit)
    if one is None or one["state"] == "DELEGATION_STATE_ENDED":
        return visit.go("/family")
    if visit.request.method == "GET":
        return visit.render("citizen/family_end.html", one=one)
    await visit.post(f"/v1/delegations/{one['delegation_id']}:end", {}, key=visit.form.get("key", ""))
    return visit.go("/family?done=ended")


async def code(visit: Visit) -> Response:
    """The code of a family member's card to show, good for about a minute."""
    one = await _one(visit)
    if one is None or not one["is_delegate"] or one["state"] != "DELEGATION_STATE_ACTIVE":
        return visit.go("/family")
    minted = await visit.post(f"/v1/delegations/{one['delegation_id']}/tokens", {})
    until = datetime.now(UTC) + timedelta(seconds=minted["valid_seconds"])
    return visit.render(
        "citizen/family_code.html",
        one=one,
        svg=drawn(minted["token"]),
        until=f"{until.astimezone(BEIJING):%H:%M:%S}",
        refresh_seconds=minted["refresh_seconds"],
    )


async def apply(visit: Visit) -> Response:
    """Claim the training subsidy for a family member, to whose own account it is paid."""
    one = await _one(visit)
    if one is None or not one["is_delegate"] or "FAMILY_SCOPE_APPLY" not in one["scopes"]:
        return visit.go("/family")

    async def send(body: dict[str, Any]) -> Any:
        about = {"code": SUBSIDY, "channel": "CASE_CHANNEL_WEB", "submit": True}
        about["delegation_id"] = one["delegation_id"]
        return await visit.post("/v1/cases", about | body, key=visit.form.get("key", ""))

    done = await sent(visit, FIELDS[SUBSIDY], send)
    if done.answer is not None:
        return visit.render("citizen/family_applied.html", one=one, case=done.answer["case"])
    return visit.render("citizen/family_apply.html", done.status, one=one, filled=done.filled, problem=done.problem)


async def _mine(visit: Visit) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await visit.get(f"/v1/persons/{await visit.person_id()}/delegations"))["delegations"]
    return found


async def _one(visit: Visit) -> dict[str, Any] | None:
    """The family account that the address names, when it is the visitor's."""
    delegation_id = visit.request.path_params["delegation_id"]
    if not _DELEGATION.fullmatch(delegation_id):
        return None
    return next((one for one in await _mine(visit) if one["delegation_id"] == delegation_id), None)


PAGES = (
    Page("/family", family, roles=CITIZEN, acr=2),
    Page("/family/invite", invite, roles=CITIZEN, acr=2, methods=("GET", "POST")),
    Page("/family/{delegation_id}/agree", agree, roles=CITIZEN, acr=3, methods=("GET", "POST")),
    Page("/family/{delegation_id}/end", end, roles=CITIZEN, acr=2, methods=("GET", "POST")),
    Page("/family/{delegation_id}/apply", apply, roles=CITIZEN, acr=2, methods=("GET", "POST")),
    Page("/family/{delegation_id}/code", code, roles=CITIZEN, acr=2),
)
