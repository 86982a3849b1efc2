"""The electronic card: where it stands, and whatever its holder can do with it there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import segno
from markupsafe import Markup

from services.gateway.portal.forms import Field, Filled
from services.gateway.portal.page import CITIZEN, Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.words import BEIJING

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

ACTIVATION = (
    Field("pin", "pin", "apply.pin", "apply.pin_hint", complete="new-password"),
    Field("again", "pin", "card.pin_again", complete="new-password"),
    Field("consent", "consent", "apply.consent"),
)

NEW_PIN = ACTIVATION[:2]
VERBS = {"activate": "activate", "reset": "reset-pin"}
OVER = frozenset({"CARD_STATE_REJECTED", "CARD_STATE_REPLACED", "CARD_STATE_CANCELLED", "CARD_STATE_EXPIRED"})
# What is said of a card that cannot be shown, by where it stands.
SAID = {
    "CARD_STATE_REQUESTED": "card.requested_text",
    "CARD_STATE_VERIFYING": "card.verifying_text",
    "CARD_STATE_QUEUED": "card.queued_text",
    "CARD_STATE_REJECTED": "card.rejected_text",
    "CARD_STATE_LOCKED": "card.locked_text",
    "CARD_STATE_SUSPENDED_TEMP": "card.suspended_text",
    "CARD_STATE_SUSPENDED_FORMAL": "card.formal_text",
    "CARD_STATE_REPLACED": "card.replaced_text",
    "CARD_STATE_CANCELLED": "card.cancelled_text",
    "CARD_STATE_EXPIRED": "card.expired_text",
}


async def card(visit: Visit) -> Response:
    """My card: where it stands, what I can do with it there, and what happened to it."""
    mine = await _card(visit)
    told = await visit.get(f"/v1/persons/{await visit.person_id()}/card-notices")
    is_over = mine is not None and mine["state"] in OVER
    return visit.render("citizen/card.html", card=mine, said=SAID, is_over=is_over, notices=told["notices"])


async def request(visit: Visit) -> Response:
    """Apply for a card, after asking once."""
    mine = await _card(visit)
    if mine is not None and mine["state"] not in OVER:
        return visit.go("/card")
    if visit.request.method == "GET":
        return visit.render("citizen/card_ask.html", what="request")
    person_id = await visit.person_id()
    await visit.post(f"/v1/persons/{person_id}/cards", {}, key=visit.form.get("key", ""))
    return visit.go("/card")


async def prove(visit: Visit) -> Response:
    """Have the face checked, after asking once."""
    return await _ask(visit, "start-proof", "prove")


async def cancel(visit: Visit) -> Response:
    """Cancel the card for ever, after asking once."""
    return await _ask(visit, "cancel", "cancel")


async def activate(visit: Visit) -> Response:
    """Put the card into use: consent and PIN."""
    return await _set_pin(visit, "activate", ACTIVATION, "CARD_ACTION_ACTIVATE")


async def reset(visit: Visit) -> Response:
    """Set a new PIN of a locked card, with the strongest login."""
    return await _set_pin(visit, "reset", NEW_PIN, "CARD_ACTION_RESET_PIN")


async def _set_pin(visit: Visit, what: str, fields: tuple[Field, ...], action: str) -> Response:
    mine = await _card(visit)
    if mine is None or action not in mine["holder_actions"]:
        return visit.go("/card")
    if visit.request.method == "GET":
        return visit.render("citizen/card_activate.html", filled=Filled(fields), problem=None, what=what)
    filled = Filled.of(fields, visit.form, visit.t)
    if filled.values["pin"] != filled.values["again"]:
        filled.errors["again"] = visit.t("card.pins_differ")
    problem = ApiProblem(400, "", visit.t("error.title")) if filled.errors else None
    if problem is None:
        body: dict[str, Any] = {"pin": filled.values["pin"]}
        if fields is ACTIVATION:
            body["consent"] = filled.values["consent"] == "true"
        try:
            await visit.post(f"/v1/cards/{mine['card_id']}:{VERBS[what]}", body, key=visit.form.get("key", ""))
            return visit.go("/card")
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused
            filled.blame(refused)
    # A PIN is not sent back to the browser.
    filled.values = {name: value for name, value in filled.values.items() if name == "consent"}
    return visit.render("citizen/card_activate.html", problem.status, filled=filled, problem=problem, what=what)


async def code(visit: Visit) -> Response:
    """The code to show, good for about a minute; its validity stands as a time, with nothing that runs."""
    mine = await _card(visit)
    if mine is None or not mine["usable"]:
        return visit.go("/card")
    minted = await visit.post("/v1/card-tokens", {"card_id": mine["card_id"]})
    until = datetime.now(UTC) + timedelta(seconds=minted["valid_seconds"])
    return visit.render(
        "citizen/card_code.html",
        card=mine,
        svg=_drawn(minted["token"]),
        until=f"{until.astimezone(BEIJING):%H:%M:%S}",
        refresh_seconds=minted["refresh_seconds"],
    )


async def loss(visit: Visit) -> Response:
    """Report the card lost, after asking once."""
    return await _change(visit, "report-loss", "citizen/card_loss.html")


async def lift(visit: Visit) -> Response:
    """Lift the loss, after asking once."""
    return await _change(visit, "lift-loss", "citizen/card_lift.html")


async def _ask(visit: Visit, verb: str, what: str) -> Response:
    mine = await _card(visit)
    if mine is None:
        return visit.go("/card")
    if visit.request.method == "GET":
        return visit.render("citizen/card_ask.html", what=what)
    await visit.post(f"/v1/cards/{mine['card_id']}:{verb}", {}, key=visit.form.get("key", ""))
    return visit.go("/card")


async def _change(visit: Visit, verb: str, template: str) -> Response:
    mine = await _card(visit)
    if mine is None:
        return visit.go("/card")
    if visit.request.method == "GET":
        return visit.render(template, card=mine)
    await visit.post(f"/v1/cards/{mine['card_id']}:{verb}", {}, key=visit.form.get("key", ""))
    return visit.go("/card")


async def _card(visit: Visit) -> Any:
    """The card that counts: one that lives, else the last one."""
    found = (await visit.get(f"/v1/persons/{await visit.person_id()}/cards"))["cards"]
    living = [one for one in found if one["state"] not in OVER]
    return next(iter([*living, *found]), None)


def _drawn(token: str) -> Markup:
    """A QR code as SVG without styles; segno writes nothing of the token but its modules."""
    drawn = segno.make(token, error="m", micro=False)
    svg = drawn.svg_inline(omitsize=True, border=2, svgclass=None, lineclass=None)
    return Markup(svg)  # noqa: S704 - made here of coordinates alone


PAGES = (
    Page("/card", card, roles=CITIZEN, acr=2),
    Page("/card/activate", activate, roles=CITIZEN, acr=3, methods=("GET", "POST")),
    Page("/card/code", code, roles=CITIZEN, acr=2),
    Page("/card/loss", loss, roles=CITIZEN, acr=2, methods=("GET", "POST")),
    Page("/card/request", request, roles=CITIZEN, acr=2, methods=("GET", "POST")),
    Page("/card/prove", prove, roles=CITIZEN, acr=2, methods=("GET", "POST")),
    Page("/card/reset", reset, roles=CITIZEN, acr=4, methods=("GET", "POST")),
    Page("/card/cancel", cancel, roles=CITIZEN, acr=4, methods=("GET", "POST")),
    Page("/card/lift", lift, roles=CITIZEN, acr=3, methods=("GET", "POST")),
)
