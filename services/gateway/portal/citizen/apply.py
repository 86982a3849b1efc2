"""Apply for an item: fill in, check the answers, hand in; and correct what was sent back.

The answers travel in the page between the steps and are stored nowhere before they are handed in. A form is handed in
with one idempotency key, however often the button is pressed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.gateway.portal.applications import ACR, FIELDS, LEAST_ACR
from services.gateway.portal.forms import Filled
from services.gateway.portal.page import CITIZEN, Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.visit import LoginNeeded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

# Employers and counters apply for the others.
CITIZEN_ITEMS = frozenset({"BE01", "BE09", "BE10", "TR01", "CA06", "CA03"})
# Items about a card, and the states of a card that they are about.
CARD_STATES = {
    "CA06": frozenset({"CARD_STATE_ISSUED"}),
    "CA03": frozenset({"CARD_STATE_ACTIVE", "CARD_STATE_LOCKED", "CARD_STATE_SUSPENDED"}),
}
_MASK = "*"


async def apply(visit: Visit) -> Response:
    """The form of an item, its answers to check, and handing it in."""
    code = visit.request.path_params["code"]
    if code not in CITIZEN_ITEMS:
        return visit.render("missing.html", 404)
    _require_level(visit, code)
    person_id = await visit.person_id()
    item = (await visit.look_up(f"/v1/items/{code}"))["item"]
    card_id = await _card(visit, code, person_id)
    if code in CARD_STATES and not card_id:
        return visit.go("/card")  # which says why there is nothing to apply for
    if visit.request.method == "GET":
        filled = Filled(FIELDS[code], await _known(visit, code, person_id))
        return visit.render("citizen/apply.html", item=item, filled=filled, problem=None, case_no="")
    filled = Filled.of(FIELDS[code], visit.form, visit.t)
    if visit.form.get("step") == "change" or filled.errors:
        problem = ApiProblem(400, "", visit.t("error.title")) if filled.errors else None
        return visit.render(
            "citizen/apply.html", _status(problem), item=item, filled=filled, problem=problem, case_no=""
        )
    if visit.form.get("step") != "submit":
        return visit.render("citizen/check.html", item=item, filled=filled, problem=None, case_no="")
    body = {"code": code, "person_id": person_id, "channel": "CASE_CHANNEL_WEB", "submit": True, **filled.body()}
    if card_id:
        body["form"]["card" if code == "CA06" else "card_loss"]["card_id"] = card_id
    try:
        made = await visit.post("/v1/cases", body, key=visit.form.get("key", ""))
    except ApiProblem as problem:
        return _again(visit, problem, item, filled, "")
    return visit.go(f"/cases/{made['case']['case_no']}/done")


async def correct(visit: Visit) -> Response:
    """The same form anew, with the points to correct above it."""
    case_no = visit.request.path_params["case_no"]
    found = await visit.get(f"/v1/cases/{case_no}")
    case, code = found["case"], found["case"]["item_code"]
    if code not in CITIZEN_ITEMS:
        return visit.render("missing.html", 404)
    _require_level(visit, code)
    item = (await visit.look_up(f"/v1/items/{code}"))["item"]
    if visit.request.method == "GET":
        filled = Filled(FIELDS[code], _shown(found.get("form", {}), code))
        return visit.render("citizen/apply.html", item=item, filled=filled, problem=None, case_no=case_no, case=case)
    filled = Filled.of(FIELDS[code], visit.form, visit.t)
    if visit.form.get("step") == "change" or filled.errors:
        problem = ApiProblem(400, "", visit.t("error.title")) if filled.errors else None
        return visit.render(
            "citizen/apply.html",
            _status(problem),
            item=item,
            filled=filled,
            problem=problem,
            case_no=case_no,
            case=case,
        )
    if visit.form.get("step") != "submit":
        return visit.render("citizen/check.html", item=item, filled=filled, problem=None, case_no=case_no)
    body = filled.body()
    if card_id := found.get("form", {}).get("card_loss", {}).get("card_id"):
        body["form"]["card_loss"]["card_id"] = card_id
    try:
        await visit.post(f"/v1/cases/{case_no}:correct", body, key=visit.form.get("key", ""))
    except ApiProblem as problem:
        return _again(visit, problem, item, filled, case_no)
    return visit.go(f"/cases/{case_no}/done")


def _again(visit: Visit, problem: ApiProblem, item: Any, filled: Filled, case_no: str) -> Response:
    """What the API refused: beside its fields when it names them, above the answers otherwise."""
    if problem.needs_login:
        raise problem
    filled.blame(problem)
    template = "citizen/apply.html" if filled.errors else "citizen/check.html"
    return visit.render(template, problem.status, item=item, filled=filled, problem=problem, case_no=case_no)


def _require_level(visit: Visit, code: str) -> None:
    level = ACR.get(code, LEAST_ACR)
    if visit.session is None or visit.session.login.acr < level:
        raise LoginNeeded(level)


def _status(problem: ApiProblem | None) -> int:
    return problem.status if problem else 200


async def _known(visit: Visit, code: str, person_id: str) -> dict[str, str]:
    """What the records already say."""
    if code == "BE01":
        found = await visit.get(f"/v1/persons/{person_id}/retirement")
        return {"form.pension.retirement_month": found["retirement"]["statutory_month"]}
    if code in {"BE09", "BE10"}:
        name = "registration" if code == "BE09" else "unemployment"
        return {f"form.{name}.registration_date": visit.today().isoformat()}
    return {}


async def _card(visit: Visit, code: str, person_id: str) -> str:
    """The card that the item is about; empty where there is none, or the item is about something else."""
    if code not in CARD_STATES:
        return ""
    found = (await visit.get(f"/v1/persons/{person_id}/cards"))["cards"]
    return next((str(one["card_id"]) for one in found if one["state"] in CARD_STATES[code]), "")


def _shown(form: Mapping[str, Any], code: str) -> dict[str, str]:
    """What was filled in before, without what comes back masked: that is typed again."""
    values: dict[str, str] = {}
    for field in FIELDS[code]:
        value: Any = {"form": form}
        for part in field.name.split("."):
            value = value.get(part, "") if isinstance(value, dict) else ""
        for choice, sent in field.sends:
            value = choice if value is sent else value
        if isinstance(value, str) and _MASK not in value and not value.endswith("_UNSPECIFIED"):
            values[field.name] = value
    return values


PAGES = (
    Page("/apply/{code}", apply, roles=CITIZEN, acr=LEAST_ACR, methods=("GET", "POST")),
    Page("/cases/{case_no}/correct", correct, roles=CITIZEN, acr=LEAST_ACR, methods=("GET", "POST")),
)
