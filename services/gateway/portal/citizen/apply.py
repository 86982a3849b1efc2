"""Apply for an item: fill in, check the answers, hand in; and correct what was sent back.

The answers travel in the page between the steps and are stored nowhere before they are handed in. A form is handed in
with one idempotency key, however often the button is pressed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.gateway.portal.applications import ACR, FIELDS, LEAST_ACR
from services.gateway.portal.forms import Filled
from services.gateway.portal.page import CITIZEN, Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.visit import LoginNeeded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

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
    card_id = await _card(visit, code, person_id)
    if code in CARD_STATES and not card_id:
        return visit.go("/card")  # which says why there is nothing to apply for
    known = await _known(visit, code, person_id) if visit.request.method == "GET" else {}

    async def hand_in(body: dict[str, Any], key: str) -> str:
        given = {"code": code, "person_id": person_id, "channel": "CASE_CHANNEL_WEB", "submit": True}
        made = await visit.post("/v1/cases", {**given, **body}, key=key)
        return str(made["case"]["case_no"])

    return await _steps(visit, _Application(code, known, hand_in, card_id=card_id))


async def correct(visit: Visit) -> Response:
    """The same form anew, with the points to correct above it."""
    case_no = visit.request.path_params["case_no"]
    found = await visit.get(f"/v1/cases/{case_no}")
    code, form = found["case"]["item_code"], found.get("form", {})
    if code not in CITIZEN_ITEMS:
        return visit.render("missing.html", 404)
    _require_level(visit, code)
    card_id = str(form.get("card_loss", {}).get("card_id", ""))

    async def hand_in(body: dict[str, Any], key: str) -> str:
        await visit.post(f"/v1/cases/{case_no}:correct", body, key=key)
        return str(case_no)

    return await _steps(visit, _Application(code, _shown(form, code), hand_in, card_id=card_id, case=found["case"]))


@dataclass(frozen=True, slots=True)
class _Application:
    """What is applied for, what is known beforehand, and how it is handed in; the reply is the number of the case."""

    code: str
    known: dict[str, str]
    hand_in: Callable[[dict[str, Any], str], Awaitable[str]]
    card_id: str = ""
    case: Any = None


async def _steps(visit: Visit, wanted: _Application) -> Response:
    item = (await visit.look_up(f"/v1/items/{wanted.code}"))["item"]
    page = {"item": item, "case": wanted.case, "problem": None}
    if visit.request.method == "GET":
        return visit.render("citizen/apply.html", **page, filled=Filled(FIELDS[wanted.code], wanted.known))
    filled = Filled.of(FIELDS[wanted.code], visit.form, visit.t)
    if filled.errors:
        page["problem"] = ApiProblem(400, "", visit.t("error.title"))
        return visit.render("citizen/apply.html", 400, **page, filled=filled)
    if visit.form.get("step") == "change":
        return visit.render("citizen/apply.html", **page, filled=filled)
    if visit.form.get("step") != "submit":
        return visit.render("citizen/check.html", **page, filled=filled)
    body = filled.body()
    if wanted.card_id:
        body["form"]["card" if wanted.code == "CA06" else "card_loss"]["card_id"] = wanted.card_id
    try:
        return visit.go(f"/cases/{await wanted.hand_in(body, visit.form.get('key', ''))}/done")
    except ApiProblem as problem:
        if problem.needs_login:
            raise
        filled.blame(problem)
        page["problem"] = problem
        # What is said about a field stands beside it; the rest above the answers.
        template = "citizen/apply.html" if filled.errors else "citizen/check.html"
        return visit.render(template, problem.status, **page, filled=filled)


def _require_level(visit: Visit, code: str) -> None:
    level = ACR.get(code, LEAST_ACR)
    if visit.session is None or visit.session.login.acr < level:
        raise LoginNeeded(level)


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
