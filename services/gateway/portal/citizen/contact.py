"""My telephone number: given, confirmed by the code that was sent to it, removed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from services.gateway.portal.page import CITIZEN, Page
from services.gateway.portal.public_api import ApiProblem

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

_CODE = re.compile(r"cod_[0-9a-f]{32}", re.ASCII)


async def contact(visit: Visit) -> Response:
    """My number, masked, and a form for another; what the card is told goes there as well."""
    path, problem = f"/v1/persons/{await visit.person_id()}/contact", None
    done: dict[str, Any] = {}
    if visit.request.method == "POST":
        try:
            done = await _do(visit, path)
            if done.get("confirmed") or visit.form.get("what") == "remove":
                return visit.go("/card/contact")
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused
    return visit.render(
        "citizen/contact.html",
        problem.status if problem else 200,
        contact=(await visit.get(path)).get("contact"),
        code_id=done.get("code_id") or visit.form.get("code_id", ""),
        sent=done if "valid_seconds" in done else {},
        tries_left=done.get("tries_left") if visit.form.get("what") == "confirm" else None,
        problem=problem,
    )


async def _do(visit: Visit, path: str) -> dict[str, Any]:
    form, key = visit.form, visit.form.get("key", "")
    match form.get("what"):
        case "give":
            given: dict[str, Any] = await visit.post(path, {"phone": form.get("phone", "")}, key=key)
            return given
        case "confirm" if _CODE.fullmatch(form.get("code_id", "")):
            body = {"code": form.get("code", "").strip()}
            tried: dict[str, Any] = await visit.post(f"/v1/text-codes/{form['code_id']}:confirm", body, key=key)
            return tried
        case "remove":
            await visit.post(f"{path}:remove", {}, key=key)
    return {}


PAGES = (Page("/card/contact", contact, roles=CITIZEN, acr=2, methods=("GET", "POST")),)
