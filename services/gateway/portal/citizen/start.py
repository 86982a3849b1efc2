"""What anybody may open: the start page, the catalogue with its guides, bundles, help."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from services.gateway.portal.citizen.offers import CITIZEN_BUNDLES, CITIZEN_ITEMS
from services.gateway.portal.page import Link, Page

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

# What most people come for, most frequent first; elder mode shows the first six.
FREQUENT = (
    Link("/contributions", "start.to_contributions"),
    Link("/estimate", "start.to_estimate"),
    Link("/card", "start.to_card"),
    Link("/items/BE01", "start.to_retire"),
    Link("/items/BE10", "start.to_unemployment"),
    Link("/track", "start.to_track"),
    Link("/insurance", "start.to_insurance"),
    Link("/account", "start.to_account"),
    Link("/items/TR01", "start.to_subsidy"),
    Link("/certificates", "start.to_certificate"),
    Link("/arrears", "start.to_arrears"),
)
ELDER_FREQUENT = 6
SERVICES = ("enrollment", "benefits", "training", "card")
# Items that a page answers at once; the other available ones are applied for.
DIRECT = {"BE19": "/estimate"}
ONLINE = CITIZEN_ITEMS | frozenset(DIRECT)
_QUERY_MAX = 60


async def home(visit: Visit) -> Response:
    """The start page; staff begin at their own."""
    if visit.session is not None and "CITIZEN" not in visit.roles:
        return visit.go(visit.home)
    bundles = [] if visit.elder else (await visit.look_up("/v1/bundles"))["bundles"]
    frequent = FREQUENT[:ELDER_FREQUENT] if visit.elder else FREQUENT
    return visit.render(
        "citizen/home.html",
        frequent=frequent,
        bundles=sorted(bundles, key=lambda one: one["bundle_code"] not in CITIZEN_BUNDLES),
        online=CITIZEN_BUNDLES,
        bye=visit.query.get("bye") == "1",
    )


async def items(visit: Visit) -> Response:
    """The catalogue with its search."""
    query = visit.query.get("q", "").strip()[:_QUERY_MAX]
    service = visit.query.get("service", "")
    service = service if service in SERVICES else ""
    found = (await visit.look_up("/v1/items", query=query, service=service))["items"]
    return visit.render(
        "citizen/items.html",
        query=query,
        service=service,
        services=SERVICES,
        items=[{**one, "start": start_of(one)} for one in found],
    )


async def item(visit: Visit) -> Response:
    """The guide of an item (办事指南)."""
    code = quote(visit.request.path_params["code"], safe="")
    found = await visit.look_up(f"/v1/items/{code}")
    return visit.render(
        "citizen/item.html", item=found["item"], bundles=found["bundles"], start=start_of(found["item"])
    )


async def bundle(visit: Visit) -> Response:
    """A bundle with its items."""
    code = visit.request.path_params["code"]
    bundles, known = await asyncio.gather(visit.look_up("/v1/bundles"), visit.look_up("/v1/items"))
    found = next((one for one in bundles["bundles"] if one["bundle_code"] == code), None)
    if found is None:
        return visit.render("missing.html", 404)
    by_code = {one["item_code"]: one for one in known["items"]}
    start = f"/apply/{code}" if found["is_available"] and code in CITIZEN_BUNDLES else ""
    items_of = [by_code[one] for one in found["item_codes"]]
    return visit.render("citizen/bundle.html", bundle=found, items=items_of, start=start)


async def help_page(visit: Visit) -> Response:
    """Where people help."""
    return visit.render("citizen/help.html")


def start_of(item: Any) -> str:
    """Where an item begins; empty where it cannot be done here, or not by citizens."""
    code = item["item_code"]
    if not item["is_available"] or code not in ONLINE:
        return ""
    return DIRECT.get(code, f"/apply/{code}")


PAGES = (
    Page("/", home),
    Page("/items", items),
    Page("/items/{code}", item),
    Page("/bundles/{code}", bundle),
    Page("/help", help_page),
)
