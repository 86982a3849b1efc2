"""The long jobs of the office, newest first: what was started, how far it is, what it did not take."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from services.gateway.console.desk import STAFF
from services.gateway.portal import jobs
from services.gateway.portal.page import Page

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

# Whose jobs → where the API lists them, and the page that shows one.
LISTS = {
    "benefits": ("/v1/benefit-jobs", "/desk/benefit-jobs/"),
    "register": ("/v1/enrollment-jobs", "/desk/jobs/"),
}
_BOTH, _ONE, _EARLIER = 10, 50, 5


async def latest(visit: Visit) -> Response:
    """The latest jobs of benefits and register; all of one of them where it is named."""
    of = visit.query.get("of", "")
    whose, size = ([of], _ONE) if of in LISTS else (list(LISTS), _BOTH)
    token = visit.query.get("page", "") if of in LISTS else ""
    found = await asyncio.gather(*(_page(visit, one, page_size=size, page_token=token) for one in whose))
    return visit.render("office/jobs.html", lists=found, is_one=of in LISTS)


async def earlier(visit: Visit, of: str, kind: str) -> list[dict[str, Any]]:
    """The last few jobs of a kind, for the page that starts them; raises ApiProblem."""
    found = await visit.get(LISTS[of][0], kind=kind, page_size=_EARLIER)
    return [jobs.shown(one) for one in found["jobs"]]


async def _page(visit: Visit, of: str, **asked: Any) -> dict[str, Any]:
    path, page = LISTS[of]
    found = await visit.get(path, **asked)
    return {
        "of": of,
        "page": page,
        "rows": [jobs.shown(one) for one in found["jobs"]],
        "following": found["next_page_token"],
    }


PAGES = (Page("/desk/jobs", latest, STAFF, acr=2),)
