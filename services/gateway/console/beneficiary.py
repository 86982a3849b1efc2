"""Everything that a person draws, on one page: benefits, months, certification, recoveries; and what might be."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from services.gateway.console.benefit import shown_payments
from services.gateway.console.desk import STAFF
from services.gateway.console.determining import person_of
from services.gateway.console.preparing import KINDS
from services.gateway.portal.comparing import compared
from services.gateway.portal.forms import Field
from services.gateway.portal.page import Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.sending import sent

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

PURPOSE = "keeping of benefits"  # what the audit row says
CERTIFY = (
    Field(
        "source",
        "choice",
        "keep.source",
        choices=tuple(f"CERTIFICATION_SOURCE_{one}" for one in ("COUNTER", "VISIT", "ENTRUSTED")),
    ),
    Field("certified_date", "date", "keep.certified_date", "format.day_hint"),
    Field("evidence_ref", "text", "keep.record", "keep.record_hint"),
    Field("share", "text", "keep.share", "keep.share_hint", required=False),
)
COMPARING = frozenset({"CLERK", "SUPERVISOR"})
_PERSON = re.compile(r"per_[0-9a-f]{32}", re.ASCII)
_MISSING = frozenset({404, 422})
_PAGE = 24


async def beneficiary(visit: Visit) -> Response:
    """What a person draws; a clerk certifies them at the counter."""
    person_id = visit.request.path_params["person_id"]
    if not _PERSON.fullmatch(person_id):
        return visit.render("missing.html", 404)
    path = f"/v1/persons/{person_id}"

    async def certify(body: dict[str, Any]) -> Any:
        return await visit.post(f"{path}:certify", body, key=visit.form.get("key", ""), purpose=PURPOSE)

    today = visit.today().isoformat()
    known = {"source": "CERTIFICATION_SOURCE_COUNTER", "certified_date": today}
    made = await sent(visit, CERTIFY, certify, known=known)
    if made.answer is not None:
        return visit.go(f"/desk/people/{person_id}/benefits?done=certified")
    token = visit.query.get("page", "")
    person, found, paid, standing, owed = await asyncio.gather(
        person_of(visit, person_id),
        visit.get(f"{path}/benefits", purpose=PURPOSE),
        visit.get(f"{path}/payments", purpose=PURPOSE, page_size=_PAGE, page_token=token),
        _part(visit.get(f"{path}/certification", purpose=PURPOSE)),
        _part(visit.get(f"{path}/recoveries", purpose=PURPOSE)),
    )
    return visit.render(
        "office/beneficiary.html",
        made.status,
        person_id=person_id,
        person=person,
        benefits=found["benefits"],
        payments=shown_payments(visit, paid["payments"]),
        following=paid["next_page_token"],
        standing=standing,
        owed=owed,
        certify=made.filled if "CLERK" in visit.roles and (standing or {}).get("benefits") else None,
        may_compare=bool(COMPARING & visit.roles),
        kinds=[kind.replace("-", "_") for kind in KINDS] if "CLERK" in visit.roles else [],
        done=visit.query.get("done") == "certified",
        problem=made.problem,
    )


async def plans(visit: Visit) -> Response:
    """Two pensions of a person that might be, beside each other."""
    person_id = visit.request.path_params["person_id"]
    if not _PERSON.fullmatch(person_id):
        return visit.render("missing.html", 404)
    person, found = await asyncio.gather(
        person_of(visit, person_id), compared(visit, person_id, purpose="advice on a pension")
    )
    return visit.render("office/plans.html", found.pop("status"), person=person, person_id=person_id, **found)


async def _part(call: Awaitable[Any]) -> Any:
    """A part of the page; None where there is nothing."""
    try:
        return await call
    except ApiProblem as problem:
        if problem.status not in _MISSING or problem.needs_login:
            raise
        return None


PAGES = (
    Page("/desk/people/{person_id}/benefits", beneficiary, STAFF, acr=2, methods=("GET", "POST")),
    Page("/desk/people/{person_id}/plans", plans, COMPARING, acr=2),
)
