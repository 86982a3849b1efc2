"""The counter (窗口): find the person in front of the desk, and hand in a case for them."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from services.gateway.portal.applications import FIELDS
from services.gateway.portal.forms import Field, Filled
from services.gateway.portal.page import Page
from services.gateway.portal.public_api import ApiProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

CLERK = frozenset({"CLERK"})
PURPOSE = "counter visit"
NOBODY = "new"  # in an address, in place of a person: the register learns of them through the case
# Items that a counter hands in for a person; an electronic card is claimed by its holder alone.
FOR_PERSONS = ("BE01", "BE09", "BE10", "TR01", "CA03", "EN06")
FOR_NOBODY = ("EN05",)
# In a bundle the day of the registration comes from its registration step.
_IN_BUNDLES = frozenset({"form.unemployment.registration_date"})
_PERSON = re.compile(r"per_[0-9a-f]{32}", re.ASCII)
SEARCH = (
    Field("id_no", "id_no", "counter.id_no", "counter.id_no_hint"),
    Field("name", "name", "counter.name", "counter.name_hint", required=False),
)


async def counter(visit: Visit) -> Response:
    """Find a person by identity number; the number travels in the body alone."""
    filled, problem = Filled(SEARCH), None
    if visit.request.method == "POST":
        filled = Filled.of(SEARCH, visit.form, visit.t)
        try:
            if not filled.errors:
                found = await visit.post("/v1/persons:search", filled.body(), purpose=PURPOSE)
                return visit.go(f"/desk/counter/{found['person']['person_id']}")
            problem = ApiProblem(400, "", visit.t("error.title"))
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused
            filled.blame(refused)
    items = await _items(visit)
    return visit.render(
        "desk/counter.html",
        problem.status if problem else 200,
        filled=filled,
        problem=problem,
        offers=[items[code] for code in FOR_NOBODY if code in items],
    )


async def person(visit: Visit) -> Response:
    """The person at the counter: who it is (masked), their insurance, their cases, and what can be started."""
    person_id = visit.request.path_params["person_id"]
    if not _PERSON.fullmatch(person_id):
        return visit.render("missing.html", 404)
    path = f"/v1/persons/{person_id}"
    who, insurance, cases, items, bundles = await asyncio.gather(
        visit.get(path, purpose=PURPOSE),
        visit.get(f"{path}/insurance", purpose=PURPOSE),
        visit.get(f"{path}/cases", purpose=PURPOSE, page_size=10),
        _items(visit),
        _bundles(visit),
    )
    return visit.render(
        "desk/person.html",
        person=who["person"],
        insurance=insurance,
        cases=cases["cases"],
        offers=[items[code] for code in FOR_PERSONS if code in items],
        bundles=list(bundles.values()),
    )


async def hand_in(visit: Visit) -> Response:
    """The form of an item or bundle, filled in at the counter and handed in at once."""
    person_id, code = visit.request.path_params["person_id"], visit.request.path_params["code"]
    offer = await _offer(visit, person_id, code)
    if offer is None or not (person_id == NOBODY or _PERSON.fullmatch(person_id)):
        return visit.render("missing.html", 404)
    who = None
    if person_id != NOBODY:
        who = (await visit.get(f"/v1/persons/{person_id}", purpose=PURPOSE))["person"]
    fields = fields_of(offer)
    filled, problem = Filled(fields), None
    if visit.request.method == "POST":
        filled = Filled.of(fields, visit.form, visit.t)
        if filled.errors:
            problem = ApiProblem(400, "", visit.t("error.title"))
        else:
            body = {"code": code, "channel": "CASE_CHANNEL_COUNTER", "submit": True, **filled.body()}
            body |= {"person_id": person_id} if who else {}
            try:
                made = await visit.post("/v1/cases", body, key=visit.form.get("key", ""), purpose=PURPOSE)
                return visit.go(f"/desk/cases/{made['case']['case_no']}?done=created")
            except ApiProblem as refused:
                if refused.needs_login:
                    raise
                problem = refused
                filled.blame(refused)
    return visit.render(
        "desk/hand_in.html",
        problem.status if problem else 200,
        offer=offer,
        person=who,
        filled=filled,
        problem=problem,
    )


def fields_of(offer: Mapping[str, Any]) -> tuple[Field, ...]:
    """The fields of an item, or of all items of a bundle without what one of them finds out for another."""
    codes = offer.get("item_codes")
    if codes is None:
        return FIELDS[offer["item_code"]]
    fields = (field for code in codes for field in FIELDS[code])
    return tuple(replace(field, required=False) if field.name in _IN_BUNDLES else field for field in fields)


async def _offer(visit: Visit, person_id: str, code: str) -> Mapping[str, Any] | None:
    allowed = FOR_NOBODY if person_id == NOBODY else FOR_PERSONS
    found: Mapping[str, Any] | None = (await _items(visit)).get(code) if code in allowed else None
    return found or (None if person_id == NOBODY else (await _bundles(visit)).get(code))


async def _items(visit: Visit) -> dict[str, Any]:
    """Items that can be handed in today, by code."""
    found = (await visit.look_up("/v1/items", only_available=True))["items"]
    return {one["item_code"]: one for one in found}


async def _bundles(visit: Visit) -> dict[str, Any]:
    """Bundles of which every item can be handed in at the counter today, by code."""
    found = (await visit.look_up("/v1/bundles"))["bundles"]
    return {
        one["bundle_code"]: one for one in found if one["is_available"] and set(one["item_codes"]) <= set(FOR_PERSONS)
    }


PAGES = (
    Page("/desk/counter", counter, CLERK, acr=2, methods=("GET", "POST")),
    Page("/desk/counter/{person_id}", person, CLERK, acr=2),
    Page("/desk/counter/{person_id}/{code}", hand_in, CLERK, acr=2, methods=("GET", "POST")),
)
