"""My insurance through time: every scheme with employers and covers, the gaps, and what was true in a month."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from services.gateway.portal.citizen.records import SCHEMES, by_scheme
from services.gateway.portal.citizen.timeline import WIDTH, histories, true_in
from services.gateway.portal.page import CITIZEN, Page

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

_MONTH = re.compile(r"(19|20)[0-9]{2}-(0[1-9]|1[0-2])", re.ASCII)


async def insurance(visit: Visit) -> Response:
    """Which schemes, with whom and since when, how many months, and where nothing was paid."""
    found = await visit.get(f"/v1/persons/{await visit.person_id()}/insurance")
    this_month = visit.today().isoformat()[:7]
    shown = histories(found, visit.t, this_month)
    order = {scheme: place for place, scheme in enumerate(SCHEMES)}
    shown.sort(key=lambda one: order.get(one.scheme, len(order)))
    given = visit.query.get("in", "").strip().replace("/", "-").replace(".", "-")
    year, _, number = given.partition("-")
    asked = f"{year}-{number.zfill(2)}" if number else given
    is_month = bool(_MONTH.fullmatch(asked))
    return visit.render(
        "citizen/insurance.html",
        histories=shown,
        projects=found.get("projects", []),
        platforms=found.get("platforms", []),
        months=by_scheme(found),
        width=WIDTH,
        given=given,
        asked=asked if is_month else "",
        true_then=true_in(shown, asked) if is_month else [],
    )


PAGES = (Page("/insurance", insurance, roles=CITIZEN, acr=2),)
