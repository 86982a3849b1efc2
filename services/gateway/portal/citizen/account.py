"""My personal account: its years, and one of them with every figure explained and every entry named."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from services.gateway.portal.page import CITIZEN, Page
from services.gateway.portal.statements import explained

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit


async def account(visit: Visit) -> Response:
    """The account with its years; the one that is asked for, or the last one, line by line."""
    path = f"/v1/persons/{await visit.person_id()}"
    asked = visit.query.get("year", "")
    year = int(asked) if len(asked) == 4 and asked.isdecimal() else 0  # noqa: PLR2004 - digits of a year
    if year:
        found, told = await asyncio.gather(
            visit.get(f"{path}/account"), visit.get(f"{path}/account-statement", year=year)
        )
    else:
        found = await visit.get(f"{path}/account")
        last = max((one["year"] for one in found["years"]), default=visit.today().year)
        told = await visit.get(f"{path}/account-statement", year=last)
    shown = next(iter(told["years"]), None)
    return visit.render(
        "citizen/account.html",
        account=found,
        years=found["years"],
        shown=shown,
        asked=year,
        statement=explained(shown.get("statement"), visit.t) if shown else None,
    )


PAGES = (Page("/account", account, roles=CITIZEN, acr=2),)
