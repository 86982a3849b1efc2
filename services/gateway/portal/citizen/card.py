"""The electronic card: where it stands, activate it, show its code, report a loss and lift it."""

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


async def card(visit: Visit) -> Response:
    """My card."""
    return visit.render("citizen/card.html", card=await _card(visit))


async def activate(visit: Visit) -> Response:
    """Put the card into use: consent and PIN."""
    mine = await _card(visit)
    if mine is None or mine["state"] != "CARD_STATE_ISSUED":
        return visit.go("/card")
    if visit.request.method == "GET":
        return visit.render("citizen/card_activate.html", filled=Filled(ACTIVATION), problem=None)
    filled = Filled.of(ACTIVATION, visit.form, visit.t)
    if filled.values["pin"] != filled.values["again"]:
        filled.errors["again"] = visit.t("card.pins_differ")
    problem = ApiProblem(400, "", visit.t("error.title")) if filled.errors else None
    if problem is None:
        body = {"consent": filled.values["consent"] == "true", "pin": filled.values["pin"]}
        try:
            await visit.post(f"/v1/cards/{mine['card_id']}:activate", body, key=visit.form.get("key", ""))
            return visit.go("/card")
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused
            filled.blame(refused)
    filled.values = {"consent": filled.values["consent"]}  # a PIN is not sent back to the browser
    return visit.render("citizen/card_activate.html", problem.status, filled=filled, problem=problem)


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
        svg=drawn(minted["token"]),
        until=f"{until.astimezone(BEIJING):%H:%M:%S}",
        refresh_seconds=minted["refresh_seconds"],
    )


async def loss(visit: Visit) -> Response:
    """Report the card lost, after asking once."""
    return await _change(visit, "report-loss", "citizen/card_loss.html")


async def lift(visit: Visit) -> Response:
    """Lift the loss, after asking once."""
    return await _change(visit, "lift-loss", "citizen/card_lift.html")


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
    living = [one for one in found if one["state"] != "CARD_STATE_CANCELLED"]
    return next(iter([*living, *found]), None)


def drawn(token: str) -> Markup:
    """A QR code as SVG without styles; segno writes nothing of the token but its modules."""
    made = segno.make(token, error="m", micro=False)
    svg = made.svg_inline(omitsize=True, border=2, svgclass=None, lineclass=None)
    return Markup(svg)  # noqa: S704 - made here of coordinates alone


PAGES = (
    Page("/card", card, roles=CITIZEN, acr=2),
    Page("/card/activate", activate, roles=CITIZEN, acr=3, methods=("GET", "POST")),
    Page("/card/code", code, roles=CITIZEN, acr=2),
    Page("/card/loss", loss, roles=CITIZEN, acr=2, methods=("GET", "POST")),
    Page("/card/lift", lift, roles=CITIZEN, acr=3, methods=("GET", "POST")),
)
