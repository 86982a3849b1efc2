"""The card at the window: a PIN that the holder types on the pad, activation, a new PIN by two proofs, the telephone.

What the clerk sees of a PIN is whether it was typed. Every page names the person masked, and every look is audited by
the service that answers it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from services.gateway.console.cards import CLERKS, PURPOSE
from services.gateway.portal.page import Page
from services.gateway.portal.public_api import ApiProblem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

_PERSON = re.compile(r"per_[0-9a-f]{32}", re.ASCII)
_CARD = re.compile(r"crd_[0-9a-f]{32}", re.ASCII)
_ENTRY = re.compile(r"pin_[0-9a-f]{32}", re.ASCII)
ACTS = {"activate": "PIN_ACT_ACTIVATE", "reset": "PIN_ACT_RESET_PIN"}
ACTIONS = {"activate": "CARD_ACTION_ACTIVATE", "reset": "CARD_ACTION_RESET_PIN"}


async def ask(visit: Visit) -> Response:
    """Ask the holder for a PIN on a pad, for a card that stands where one can be set."""
    person_id, card_id = visit.request.path_params["person_id"], visit.request.path_params["card_id"]
    if not _PERSON.fullmatch(person_id) or not _CARD.fullmatch(card_id):
        return visit.render("missing.html", 404)
    mine, problem = await _card(visit, card_id), None
    offered = [act for act, action in ACTIONS.items() if action in mine["counter_actions"]]
    if visit.request.method == "POST" and visit.form.get("act") in offered:
        terminal = visit.form.get("terminal", "").strip().upper()
        body = {"act": ACTS[visit.form["act"]], "terminal": terminal}

        async def send() -> str:
            path = f"/v1/cards/{card_id}:ask-for-pin"
            made = await visit.post(path, body, key=visit.form.get("key", ""), purpose=PURPOSE)
            return f"/desk/cards/{person_id}/window/{card_id}/{made['pin_entry_id']}"

        to, problem = await _tried(send)
        if to:
            return visit.go(to)
    return visit.render(
        "desk/card_window.html",
        problem.status if problem else 200,
        card=mine,
        person_id=person_id,
        offered=offered,
        problem=problem,
    )


async def go_on(visit: Visit) -> Response:
    """Go on when the holder has typed: the document, and for a new PIN the second proof."""
    person_id, card_id = visit.request.path_params["person_id"], visit.request.path_params["card_id"]
    entry_id = visit.request.path_params["pin_entry_id"]
    if not _PERSON.fullmatch(person_id) or not _CARD.fullmatch(card_id) or not _ENTRY.fullmatch(entry_id):
        return visit.render("missing.html", 404)
    problem, tries_left, code_id = None, None, visit.form.get("code_id", "")
    sent: dict[str, Any] = {}
    if visit.request.method == "POST":
        done: dict[str, Any] = {}

        async def send() -> str:
            done.update(await _do(visit, card_id, entry_id))
            return "done"

        _, problem = await _tried(send)
        if problem is None and done.get("card") and done.get("confirmed", True):
            return visit.go(f"/desk/cards/{person_id}")
        sent, tries_left = (done if "valid_seconds" in done else {}), done.get("tries_left")
        code_id = sent.get("code_id", code_id)
    entry = await visit.get(f"/v1/pin-entries/{entry_id}", purpose=PURPOSE)
    return visit.render(
        "desk/card_pin.html",
        problem.status if problem else 200,
        card=await _card(visit, card_id),
        person_id=person_id,
        entry=entry,
        code_id=code_id,
        sent=sent,
        tries_left=tries_left,
        problem=problem,
    )


async def contact(visit: Visit) -> Response:
    """The telephone number of the person at the window: given, confirmed by the code that was sent to it, removed."""
    person_id = visit.request.path_params["person_id"]
    if not _PERSON.fullmatch(person_id):
        return visit.render("missing.html", 404)
    path, form = f"/v1/persons/{person_id}/contact", visit.form
    problem, done, what = None, {}, form.get("what", "")
    if visit.request.method == "POST":

        async def send() -> str:
            key = form.get("key", "")
            if what == "give":
                body = {"phone": form.get("phone", ""), "evidence_ref": form.get("evidence_ref", "").strip()}
                done.update(await visit.post(path, body, key=key, purpose=PURPOSE))
            elif what == "remove":
                await visit.post(f"{path}:remove", {}, key=key, purpose=PURPOSE)
            elif what == "confirm":
                code = {"code": form.get("code", "").strip()}
                confirm = f"/v1/text-codes/{form.get('code_id', '')}:confirm"
                done.update(await visit.post(confirm, code, key=key, purpose=PURPOSE))
            return what

        _, problem = await _tried(send)
        if problem is None and (done.get("confirmed") or what == "remove"):
            return visit.go(f"/desk/cards/{person_id}/contact")
    who = (await visit.get(f"/v1/persons/{person_id}", purpose=PURPOSE))["person"]
    return visit.render(
        "desk/card_contact.html",
        problem.status if problem else 200,
        person=who,
        contact=(await visit.get(path, purpose=PURPOSE)).get("contact"),
        code_id=done.get("code_id") or form.get("code_id", ""),
        sent=done if "valid_seconds" in done else {},
        tries_left=done.get("tries_left") if what == "confirm" else None,
        problem=problem,
    )


async def _do(visit: Visit, card_id: str, entry_id: str) -> Any:
    form, what = visit.form, visit.form.get("what", "")
    key, evidence = form.get("key", ""), form.get("evidence_ref", "").strip()
    path = f"/v1/cards/{card_id}"
    if what == "send-code":
        return await visit.post(f"{path}:send-reset-code", {}, key=key, purpose=PURPOSE)
    body: dict[str, Any] = {"pin_entry_id": entry_id, "evidence_ref": evidence}
    if what == "activate":
        body["consent"] = form.get("consent") == "true"
        return await visit.post(f"{path}:activate-at-counter", body, key=key, purpose=PURPOSE)
    if what == "reset":
        for name in ("face_ref", "code_id", "code"):
            if given := form.get(name, "").strip():
                body[name] = given
        return await visit.post(f"{path}:reset-pin-at-counter", body, key=key, purpose=PURPOSE)
    return {}


async def _card(visit: Visit, card_id: str) -> Any:
    return (await visit.get(f"/v1/cards/{card_id}", purpose=PURPOSE))["card"]


async def _tried(send: Callable[[], Awaitable[str]]) -> tuple[str, ApiProblem | None]:
    """What came of a call: an answer, or the refusal for the page; a stronger login is asked for as everywhere."""
    try:
        return await send(), None
    except ApiProblem as refused:
        if refused.needs_login:
            raise
        return "", refused


PAGES = (
    Page("/desk/cards/{person_id}/contact", contact, CLERKS, acr=3, methods=("GET", "POST")),
    Page("/desk/cards/{person_id}/window/{card_id}", ask, CLERKS, acr=3, methods=("GET", "POST")),
    Page("/desk/cards/{person_id}/window/{card_id}/{pin_entry_id}", go_on, CLERKS, acr=3, methods=("GET", "POST")),
)
