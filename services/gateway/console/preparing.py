"""Determinations prepared at the desk (核定): facts of a document become a statement that another person decides."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from services.gateway.console.determining import PURPOSE, person_of
from services.gateway.portal.forms import Field
from services.gateway.portal.page import Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.sending import sent, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

CLERK = frozenset({"CLERK"})
DEPENDANTS = 4  # that the form of a death from work has room for; the API takes twenty
_DEPENDANT = "dependant"
_PERSON = re.compile(r"per_[0-9a-f]{32}", re.ASCII)


def _money(name: str, *, required: bool = True) -> Field:
    return Field(name, "money", f"prepare.{name}", required=required)


def _day(name: str, *, required: bool = True) -> Field:
    return Field(name, "date", f"prepare.{name}", "format.day_hint", required=required)


def _yes(name: str) -> Field:
    return Field(name, "consent", f"prepare.{name}", required=False)


def _number(name: str, *, required: bool = True) -> Field:
    return Field(name, "digits", f"prepare.{name}", required=required)


def _dependant(number: int) -> tuple[Field, ...]:
    """The fields of one dependant; who has no relation is none."""
    at = f"{_DEPENDANT}{number}."
    relations = ("DEPENDANT_RELATION_SPOUSE", "DEPENDANT_RELATION_OTHER")
    return (
        Field(f"{at}relation", "choice", f"prepare.dependant_{number}", required=False, choices=relations),
        Field(f"{at}alone", "consent", "prepare.alone", required=False),
        Field(f"{at}last_month", "month", "benefit.last_month", "prepare.dependant_last_hint", required=False),
        Field(f"{at}payee.name", "name", "benefit.payee_name", required=False),
        Field(f"{at}payee.account", "account", "benefit.payee_account", required=False),
    )


_TRACK = Field(
    "track",
    "choice",
    "prepare.track",
    "prepare.track_hint",
    required=False,
    choices=tuple(f"RETIREMENT_TRACK_{one}" for one in ("MALE_60", "FEMALE_55", "FEMALE_50")),
)
_PAYEE = (
    Field("payee.name", "name", "benefit.payee_name"),
    Field("payee.account", "account", "benefit.payee_account"),
)
_DOCUMENT = Field("document", "text", "benefit.document", "benefit.document_hint")
_END = (*_PAYEE, _DOCUMENT)
_NURSING = tuple(f"NURSING_NEED_{one}" for one in ("FULL", "MOST", "PART"))
_CAUSES = tuple(f"TERMINATION_CAUSE_{one}" for one in ("OWN_REQUEST", "EMPLOYER_FAULT", "EXPIRED"))
# What a form asks; its name is that of the RPC after "prepare-", its fields those of the request.
KINDS: Mapping[str, tuple[Field, ...]] = {
    "government-pension": (
        _day("retirement_date"),
        _TRACK,
        _day("joined_date", required=False),
        _money("balance"),
        _money("annuity_balance"),
        _number("deemed_months", required=False),
        Field("deemed_index", "text", "prepare.deemed_index", "prepare.deemed_index_hint", required=False),
        _money("old_amount", required=False),
        _money("new_total", required=False),
        *_END,
    ),
    "resident-pension": (
        Field("first_month", "month", "determine.first_month", "prepare.first_month_hint", required=False),
        _money("balance"),
        _number("full_years"),
        _yes("was_60_at_start"),
        *_END,
    ),
    "disability-allowance": (
        _day("claim_date"),
        _yes("capacity_lost"),
        _TRACK,
        _money("old_transitional", required=False),
        *_END,
    ),
    "injury": (
        _day("event_date"),
        _day("appraisal_date"),
        _number("grade"),
        Field("nursing", "choice", "prepare.nursing", required=False, choices=_NURSING),
        _yes("suitable_work"),
        _money("average_base", required=False),
        *_END,
    ),
    "injury-medical-grant": (
        _day("event_date"),
        _day("end_date"),
        _number("grade"),
        Field("cause", "choice", "prepare.cause", choices=_CAUSES),
        _yes("occupational_disease"),
        _TRACK,
        *_END,
    ),
    "survivors": (
        _day("death_date"),
        _number("drawn_months", required=False),
        _money("own_contributions", required=False),
        _yes("without_funeral"),
        *_END,
    ),
    "resident-funeral": (_day("death_date"), _money("balance_left"), *_END),
    "work-death": (
        _day("event_date"),
        _day("injury_date", required=False),
        _yes("missing"),
        _yes("hardship"),
        _yes("after_paid_leave"),
        _yes("without_once"),
        _yes("without_funeral"),
        _money("average_base", required=False),
        *_END,
        *(field for number in range(1, DEPENDANTS + 1) for field in _dependant(number)),
    ),
}
_NUMBERS = frozenset({"deemed_months", "full_years", "grade", "drawn_months"})


async def prepare(visit: Visit) -> Response:
    """The facts of one kind of benefit for one person; sent, each determination waits for a second person."""
    person_id, kind = (visit.request.path_params[name] for name in ("person_id", "kind"))
    if not _PERSON.fullmatch(person_id) or kind not in KINDS:
        return visit.render("missing.html", 404)

    async def send(body: dict[str, Any]) -> Any:
        numbers = {name: whole(visit, name, body[name]) for name in _NUMBERS & body.keys()}
        own, dependants = _apart(body)
        asked = {**own, **numbers, "person_id": person_id}
        if dependants:
            asked["dependants"] = list(dependants.values())
        path, key = f"/v1/determinations:prepare-{kind}", visit.form.get("key", "")
        try:
            return await visit.post(path, asked, key=key, purpose=PURPOSE)
        except ApiProblem as problem:
            raise replace(problem, errors=[_placed(error, list(dependants)) for error in problem.errors]) from None

    made = await sent(visit, KINDS[kind], send)
    if made.answer is not None:
        found = made.answer["determinations"]
        if len(found) == 1:
            return visit.go(f"/desk/determinations/{found[0]['determination_id']}?done=prepared")
        return visit.go("/desk/determinations?done=prepared")
    return visit.render(
        "office/prepare.html",
        made.status,
        person_id=person_id,
        person=await person_of(visit, person_id),
        kind=kind.replace("-", "_"),
        filled=made.filled,
        problem=made.problem,
    )


def _apart(body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The facts, and the dependants that have a relation by the name of their part of the form."""
    own = {name: value for name, value in body.items() if not name.startswith(_DEPENDANT)}
    given = {name: body[name] for name in sorted(body) if name.startswith(_DEPENDANT)}
    return own, {name: one for name, one in given.items() if one.get("relation")}


def _placed(error: Mapping[str, str], dependants: list[str]) -> dict[str, str]:
    """What the API says of a dependant belongs to the part of the form that it came from."""
    pointer = error.get("pointer", "")
    for number, name in enumerate(dependants):
        pointer = pointer.replace(f"/dependants/{number}/", f"/{name}/")
    return {**error, "pointer": pointer}


PAGES = (Page("/desk/people/{person_id}/prepare/{kind}", prepare, CLERK, acr=2, methods=("GET", "POST")),)
