"""Apply for an item or a bundle: fill in, check the answers, hand in; and correct what was sent back.

The answers travel in the page between the steps and are stored nowhere before they are handed in. A form is handed in
with one idempotency key, however often the button is pressed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from services.gateway.portal.applications import ACR, LEAST_ACR
from services.gateway.portal.citizen.offers import (
    CARD_STATES,
    CITIZEN_BUNDLES,
    CITIZEN_ITEMS,
    CORRECTED_ITEMS,
    NothingToApplyFor,
    Offer,
    correction,
    offer,
)
from services.gateway.portal.forms import Filled
from services.gateway.portal.page import CITIZEN, Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.visit import LoginNeeded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

_MASK = "*"


async def apply(visit: Visit) -> Response:
    """The form of an item or a bundle, its answers to check, and handing it in."""
    code = visit.request.path_params["code"]
    if code not in CITIZEN_ITEMS | CITIZEN_BUNDLES:
        return visit.go(f"{'/bundles' if code.startswith('PK') else '/items'}/{quote(code, safe='')}")  # says who does
    _require_level(visit, ACR.get(code, LEAST_ACR))
    person_id = await visit.person_id()
    try:
        wanted = await offer(visit, code, person_id)
    except NothingToApplyFor:
        # The page of the card says why there is nothing to apply for.
        return visit.go("/card") if code in CARD_STATES else visit.render("citizen/no_employment.html", 409)
    _require_level(visit, wanted.acr)

    async def hand_in(body: dict[str, Any], key: str, *, submit: bool = True) -> str:
        given = {"code": code, "person_id": person_id, "channel": "CASE_CHANNEL_WEB", "submit": submit}
        made = await visit.post("/v1/cases", {**given, **body}, key=key)
        return str(made["case"]["case_no"])

    return await _steps(visit, _Application(code, wanted, hand_in, may_wait=not _has_secret(wanted)))


async def correct(visit: Visit) -> Response:
    """The same form anew, with the points to correct above it; of a bundle the part that was sent back."""
    case_no = visit.request.path_params["case_no"]
    found = await visit.get(f"/v1/cases/{case_no}")
    code, form = found["case"]["item_code"], found.get("form", {})
    if code not in CORRECTED_ITEMS:
        return visit.render("missing.html", 404)
    wanted = await correction(visit, code, form)
    _require_level(visit, wanted.acr)
    wanted.known.update(_shown(form, wanted))

    is_draft = found["case"]["state"] == "CASE_STATE_DRAFT"

    async def hand_in(body: dict[str, Any], key: str, *, submit: bool = True) -> str:
        # A draft may be replaced again and again before it can be handed in, so only handing in has the form's key.
        await visit.post(f"/v1/cases/{case_no}:correct", body, key=visit.fresh_key if is_draft else key)
        if is_draft and submit:  # a draft only takes the new form; what was sent back is handed in with it
            await visit.post(f"/v1/cases/{case_no}:submit", {}, key=key)
        return str(case_no)

    application = _Application(code, wanted, hand_in, case=found["case"], may_wait=is_draft and not _has_secret(wanted))
    return await _steps(visit, application)


@dataclass(frozen=True, slots=True)
class _Application:
    """What is applied for, what is asked, and how it is handed in or kept as a draft, which tells the case's number."""

    code: str
    offer: Offer
    hand_in: Callable[..., Awaitable[str]]
    case: Any = None
    may_wait: bool = False  # as a draft; a PIN waits nowhere


async def _steps(visit: Visit, wanted: _Application) -> Response:
    item, back = await _about(visit, wanted)
    fields = wanted.offer.fields
    page = {"item": item, "back": back, "case": wanted.case, "problem": None, "may_wait": wanted.may_wait}
    if visit.request.method == "GET":
        return visit.render("citizen/apply.html", **page, filled=Filled(fields, wanted.offer.known))
    filled = Filled.of(fields, visit.form, visit.t)
    if filled.errors:
        page["problem"] = ApiProblem(400, "", visit.t("error.title"))
        return visit.render("citizen/apply.html", 400, **page, filled=filled)
    if visit.form.get("step") == "change":
        return visit.render("citizen/apply.html", **page, filled=filled)
    step = visit.form.get("step")
    if step != "submit" and not (step == "draft" and wanted.may_wait):
        return visit.render("citizen/check.html", **page, filled=filled)
    body = filled.body()
    for path, value in wanted.offer.fixed.items():
        _, form, name = path.split(".")
        body["form"].setdefault(form, {})[name] = value
    try:
        case_no = await wanted.hand_in(body, visit.form.get("key", ""), submit=step == "submit")
        return visit.go(f"/cases/{case_no}/done" if step == "submit" else f"/cases/{case_no}")
    except ApiProblem as problem:
        if problem.needs_login:
            raise
        filled.blame(problem)
        page["problem"] = problem
        # What is said about a field stands beside it; the rest above the answers.
        template = "citizen/apply.html" if filled.errors else "citizen/check.html"
        return visit.render(template, problem.status, **page, filled=filled)


async def _about(visit: Visit, wanted: _Application) -> tuple[Any, str]:
    """The item or bundle with its names, and the page that one came from."""
    if wanted.code in CITIZEN_BUNDLES:
        found = (await visit.look_up("/v1/bundles"))["bundles"]
        return next(one for one in found if one["bundle_code"] == wanted.code), f"/bundles/{wanted.code}"
    item = (await visit.look_up(f"/v1/items/{wanted.code}"))["item"]
    return item, f"/cases/{wanted.case['case_no']}" if wanted.case else f"/items/{wanted.code}"


def _has_secret(wanted: Offer) -> bool:
    return any(one.is_secret for one in wanted.fields)


def _require_level(visit: Visit, level: int) -> None:
    if visit.session is None or visit.session.login.acr < level:
        raise LoginNeeded(level)


def _shown(form: Mapping[str, Any], wanted: Offer) -> dict[str, str]:
    """What was filled in before, without what comes back masked: that is typed again."""
    values: dict[str, str] = {}
    for field in wanted.fields:
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
