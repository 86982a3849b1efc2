"""What I am paid: each benefit with its lines and sources, every month, my certification, and what might be."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from services.gateway.portal.comparing import compared
from services.gateway.portal.page import CITIZEN, Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.statements import explained, now_and_next

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

_BENEFIT = re.compile(r"ben_[0-9a-f]{32}", re.ASCII)
_NOT_THERE = frozenset({404, 422, 501})
_MONTHS = 24


async def benefits(visit: Visit) -> Response:
    """What I draw, until when I have to be certified and how, what I owe back, and every payment with its lines."""
    person = f"/v1/persons/{await visit.person_id()}"
    token = visit.query.get("page", "")
    found, paid, standing, owed = await asyncio.gather(
        visit.get(f"{person}/benefits"),
        visit.get(f"{person}/payments", page_size=_MONTHS, page_token=token),
        _part(visit.get(f"{person}/certification")),
        _part(visit.get(f"{person}/recoveries")),
    )
    worth = await asyncio.gather(*(_worth(visit, one["benefit_id"]) for one in found["benefits"]))
    due = {one["benefit_id"]: one for one in (standing or {}).get("benefits", [])}
    shown = [
        {**benefit, **amounts, "standing": due.get(benefit["benefit_id"])}
        for benefit, amounts in zip(found["benefits"], worth, strict=True)
    ]
    return visit.render(
        "citizen/benefits.html",
        benefits=shown,
        standing=standing,
        owed=owed,
        payments=[{**one, "statement": explained(one.get("statement"), visit.t)} for one in paid["payments"]],
        following=paid["next_page_token"],
    )


async def benefit(visit: Visit) -> Response:
    """One benefit to read and to print: every amount that it ever had, each with its lines and sources."""
    number = visit.request.path_params["benefit_id"]
    if not _BENEFIT.fullmatch(number):
        return visit.render("missing.html", 404)
    await visit.person_id()
    path = f"/v1/benefits/{number}"
    one, amounts = await asyncio.gather(visit.get(path), visit.get(f"{path}/amounts"))
    return visit.render(
        "citizen/benefit.html",
        one=one["benefit"],
        amounts=[{**amount, "statement": explained(amount.get("statement"), visit.t)} for amount in amounts["amounts"]],
    )


async def compare(visit: Visit) -> Response:
    """Two pensions that might be, beside each other. Nothing is stored."""
    found = await compared(visit, await visit.person_id())
    return visit.render("citizen/compare.html", found.pop("status"), **found)


async def _worth(visit: Visit, benefit_id: str) -> dict[str, Any]:
    """What a benefit is worth this month with its lines, and what it will be worth."""
    amounts = await _part(visit.get(f"/v1/benefits/{benefit_id}/amounts"))
    now, later = now_and_next((amounts or {}).get("amounts", []), visit.today().isoformat()[:7])
    return {"now": now, "later": later, "calculation": explained((now or {}).get("statement"), visit.t)}


async def _part(call: Awaitable[Any]) -> Any:
    """A part of the page; None where there is nothing."""
    try:
        return await call
    except ApiProblem as problem:
        if problem.needs_login or problem.status not in _NOT_THERE:
            raise
        return None


PAGES = (
    Page("/benefits", benefits, roles=CITIZEN, acr=2),
    Page("/benefits/{benefit_id}", benefit, roles=CITIZEN, acr=2),
    Page("/estimate/compare", compare, roles=CITIZEN, acr=2),
)
