"""The pension estimate: change month and future base, and see every line with its numbers, rule and source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.gateway.portal.forms import Field, Filled
from services.gateway.portal.page import CITIZEN, Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.statements import explained

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

FIELDS = (
    Field("retirement_month", "month", "estimate.month", "estimate.month_hint", required=False),
    Field("future_base", "money", "estimate.base", "estimate.base_hint", required=False),
)
_FORM_WRONG = 400


async def estimate(visit: Visit) -> Response:
    """The estimate for what the address asks, so that it can be changed, kept and printed. Nothing is stored."""
    person_id = await visit.person_id()
    filled = Filled.of(FIELDS, visit.query, visit.t)
    problem = result = None
    try:
        result = await visit.post("/v1/benefits:estimate", {"person_id": person_id, **filled.body()})
    except ApiProblem as refused:
        if refused.needs_login:
            raise
        problem = refused
        filled.blame(refused)
    return visit.render(
        "citizen/estimate.html",
        problem.status if problem and problem.status == _FORM_WRONG else 200,
        filled=filled,
        problem=problem,
        result=result,
        statement=explained(result and result["statement"], visit.t),
    )


PAGES = (Page("/estimate", estimate, roles=CITIZEN, acr=2),)
