"""What a citizen can apply for, and what the records already say about it: own employments, the card, the months."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from services.gateway.portal.applications import ACR, BUNDLE_FIELDS, FIELDS, LEAST_ACR

if TYPE_CHECKING:
    from services.gateway.portal.forms import Field
    from services.gateway.portal.visit import Visit

CITIZEN_ITEMS = frozenset({"BE01", "BE09", "BE10", "TR01", "CA06", "CA03"})
CITIZEN_BUNDLES = frozenset(BUNDLE_FIELDS)
# Employers and counters apply for EN06 alone; as a part of a citizen's bundle it comes back to the citizen.
CORRECTED_ITEMS = CITIZEN_ITEMS | {"EN06"}
# Items about a card, and the states of a card that they are about.
CARD_STATES = {
    "CA06": frozenset({"CARD_STATE_ISSUED"}),
    "CA03": frozenset({"CARD_STATE_ACTIVE", "CARD_STATE_LOCKED", "CARD_STATE_SUSPENDED_TEMP"}),
}
LIFT_ACR = 3  # reporting a loss is easy on purpose; lifting it is not
_ENROLLMENT = "form.end_enrollment.enrollment_id"
_LIFT = "form.card_loss.lift"


@dataclass(frozen=True, slots=True)
class Offer:
    """The form of an item or a bundle for one person.

    Attributes:
        fields: What is asked.
        known: What the records already say, by field.
        fixed: What is sent without being asked, by path of the body.
        acr: Level of the login that handing it in will need; asked for before anything is filled in.
    """

    fields: tuple[Field, ...]
    known: dict[str, str] = field(default_factory=dict)
    fixed: dict[str, str] = field(default_factory=dict)
    acr: int = LEAST_ACR


class NothingToApplyFor(Exception):  # noqa: N818 - it says what happened
    """The records hold nothing that the application could be about."""


async def offer(visit: Visit, code: str, person_id: str) -> Offer:
    """What this person is asked when applying for an item or a bundle.

    Raises:
        NothingToApplyFor: No card in a fitting state, no employment that could end.
    """
    if code in CARD_STATES:
        return await _about_card(visit, code, person_id)
    if code in CITIZEN_BUNDLES:
        return await _end_of_contract(visit, code, person_id)
    known: dict[str, str] = {}
    if code == "BE01" and visit.request.method == "GET":
        found = await visit.get(f"/v1/persons/{person_id}/retirement")
        known["form.pension.retirement_month"] = found["retirement"]["statutory_month"]
    if code in {"BE09", "BE10"}:
        name = "registration" if code == "BE09" else "unemployment"
        known[f"form.{name}.registration_date"] = visit.today().isoformat()
    return Offer(FIELDS[code], known)


async def correction(visit: Visit, code: str, form: Any) -> Offer:
    """What is asked again when an application was sent back; what was filled in stands in `form`."""
    if code == "EN06":
        open_ones = await _open_employments(visit, await visit.person_id())
        return Offer(_with_employments(visit, FIELDS[code], open_ones))
    card_id = str(form.get("card_loss", {}).get("card_id", ""))
    return Offer(FIELDS[code], fixed={"form.card_loss.card_id": card_id} if card_id else {}, acr=ACR.get(code, 0))


async def _end_of_contract(visit: Visit, code: str, person_id: str) -> Offer:
    """The employment that ends, of those that are open; its last month and the registration are taken to be now."""
    open_ones = await _open_employments(visit, person_id)
    if not open_ones:
        raise NothingToApplyFor
    today = visit.today().isoformat()
    known = {
        _ENROLLMENT: open_ones[0]["enrollment_id"],
        "form.end_enrollment.end_month": today[: len("2026-08")],
        "form.registration.registration_date": today,
    }
    return Offer(_with_employments(visit, BUNDLE_FIELDS[code], open_ones), known)


async def _open_employments(visit: Visit, person_id: str) -> list[Any]:
    found = await visit.get(f"/v1/persons/{person_id}/insurance")
    return [one for one in found["employments"] if "end_month" not in one]


def _with_employments(visit: Visit, fields: tuple[Field, ...], employments: list[Any]) -> tuple[Field, ...]:
    """The question for the employment, to be chosen instead of typed."""
    named = tuple(
        (
            str(one["enrollment_id"]),
            visit.t("apply.employment", employer=one["employer_name"], month=visit.words.month(one["start_month"])),
        )
        for one in employments
    )
    chosen = {"kind": "choice", "label": "apply.which_employment", "hint": ""}
    return tuple(
        replace(one, **chosen, choices=tuple(value for value, _ in named), options=named)  # type: ignore[arg-type] # a kind
        if one.name == _ENROLLMENT
        else one
        for one in fields
    )


async def _about_card(visit: Visit, code: str, person_id: str) -> Offer:
    found = (await visit.get(f"/v1/persons/{person_id}/cards"))["cards"]
    card = next((one for one in found if one["state"] in CARD_STATES[code]), None)
    if card is None:
        raise NothingToApplyFor
    fixed = {f"form.{'card' if code == 'CA06' else 'card_loss'}.card_id": str(card["card_id"])}
    if code == "CA06":
        return Offer(FIELDS[code], fixed=fixed, acr=ACR[code])
    # The state of the card leaves one thing to do. A form that is sent twice keeps what it said the first time.
    wanted = visit.form.get(_LIFT) or ("lift_loss" if card["state"] == "CARD_STATE_SUSPENDED_TEMP" else "report_loss")
    fields = tuple(replace(one, choices=tuple(c for c in one.choices if c == wanted)) for one in FIELDS[code])
    return Offer(fields, {_LIFT: wanted}, fixed, LIFT_ACR if wanted == "lift_loss" else LEAST_ACR)
