"""My cover as a flexible worker: its bases, and changing, resting, resuming or ending it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from services.gateway.portal.forms import Field
from services.gateway.portal.page import CITIZEN, Page
from services.gateway.portal.sending import Sent, sent

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

_COVER = re.compile(r"cov_[0-9a-f]{32}", re.ASCII)
_FROM = Field("from_month", "month", "cover.from_month", "apply.month_hint")
REASONS = ("UNPAID_LEAVE", "NO_INCOME", "STUDY_OR_SERVICE", "DETENTION", "OTHER")
# What can be done, as verbs of the API → what is asked.
FORMS: dict[str, tuple[Field, ...]] = {
    "change-base": (_FROM, Field("base", "money", "cover.base", "cover.base_hint")),
    "suspend": (
        _FROM,
        Field("reason", "choice", "cover.reason", choices=tuple(f"SUSPEND_REASON_{one}" for one in REASONS)),
    ),
    "resume": (_FROM,),
    "end": (Field("end_month", "month", "apply.end_month", "apply.month_hint"),),
}


async def cover(visit: Visit) -> Response:
    """One cover; a form on it does one thing and comes back here."""
    cover_id = visit.request.path_params["cover_id"]
    if not _COVER.fullmatch(cover_id):
        return visit.render("missing.html", 404)
    path = f"/v1/covers/{cover_id}"
    action = visit.form.get("action", "")
    forms: dict[str, Sent] = {}
    for verb, fields in FORMS.items():

        async def change(body: dict[str, Any], verb: str = verb) -> Any:
            if verb == "end":
                body["reason"] = "END_REASON_STOPPED"  # the others come with what causes them
            return await visit.post(f"{path}:{verb}", body, key=visit.form.get("key", ""))

        forms[verb] = await sent(visit, fields, change, mine=action == verb)
        if forms[verb].answer is not None:
            return visit.go(f"/covers/{cover_id}?done={verb}")
    shown = (await visit.get(path))["cover"]
    done = visit.query.get("done", "")
    problem = next((one.problem for one in forms.values() if one.problem), None)
    return visit.render(
        "citizen/cover.html",
        problem.status if problem else 200,
        cover=shown,
        forms={verb: forms[verb].filled for verb in _possible(shown)},
        done=done if done in FORMS else "",
        problem=problem,
        wrong=next((one.filled for one in forms.values() if one.problem), None),
    )


def _possible(cover: dict[str, Any]) -> list[str]:
    """What this cover leaves to do; the API decides, this only leaves out what cannot be."""
    if cover["state"] == "PARTICIPATION_STATE_ENDED":
        return []
    if cover["kind"] != "COVER_KIND_FLEXIBLE":
        return ["end"]
    rests = cover["state"] == "PARTICIPATION_STATE_SUSPENDED"
    return ["resume", "end"] if rests else ["change-base", "suspend", "end"]


PAGES = (Page("/covers/{cover_id}", cover, roles=CITIZEN, acr=2, methods=("GET", "POST")),)
