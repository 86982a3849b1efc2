"""The citizen's own records on one page; insurance, contributions, account and benefits have pages of their own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from services.gateway.portal.page import CITIZEN, Page
from services.gateway.portal.public_api import ApiProblem

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

SCHEMES = (
    "SCHEME_EMPLOYEE_PENSION",
    "SCHEME_GOVERNMENT_PENSION",
    "SCHEME_OCCUPATIONAL_ANNUITY",
    "SCHEME_UNEMPLOYMENT",
    "SCHEME_WORK_INJURY",
    "SCHEME_RESIDENT_PENSION",
)
_NOT_THERE = frozenset({404, 422, 501})


async def overview(visit: Visit) -> Response:
    """My social security on one page; a part that cannot be read says so and does not take the others with it."""
    person = f"/v1/persons/{await visit.person_id()}"
    insurance, account, retirement, benefits, cards, cases = await asyncio.gather(
        _part(visit.get(f"{person}/insurance")),
        _part(visit.get(f"{person}/account")),
        _part(visit.get(f"{person}/retirement")),
        _part(visit.get(f"{person}/benefits")),
        _part(visit.get(f"{person}/cards")),
        _part(visit.get(f"{person}/cases", page_size=3)),
    )
    return visit.render(
        "citizen/overview.html",
        insurance=insurance,
        months=by_scheme(insurance),
        account=account,
        retirement=retirement,
        benefits=(benefits or {}).get("benefits", []),
        cards=(cards or {}).get("cards", []),
        cases=(cases or {}).get("cases", []),
    )


def by_scheme(found: Any) -> dict[str, dict[str, int]]:
    """Paid and deemed months of GetInsurance, by scheme."""
    return {one["scheme"]: one for one in (found or {}).get("months", [])}


async def _part(call: Awaitable[Any]) -> Any:
    """A part of a page; None where there is nothing yet, or its service is away."""
    try:
        return await call
    except ApiProblem as problem:
        if problem.needs_login:
            raise
        return None if problem.status in _NOT_THERE else {}


PAGES = (Page("/me", overview, roles=CITIZEN, acr=2),)
