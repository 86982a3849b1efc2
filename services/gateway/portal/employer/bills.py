"""A bill (征缴单): totals per scheme and side, and its persons with the statement of every amount."""

from __future__ import annotations

import asyncio
import re
from decimal import Decimal
from typing import TYPE_CHECKING

from services.gateway.portal.downloads import as_csv, attachment
from services.gateway.portal.employer.desk import EMPLOYER, PURPOSE, employer_id, employer_of
from services.gateway.portal.page import Page
from services.gateway.portal.statements import explained

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

_BILL = re.compile(r"bil_[0-9a-f]{32}", re.ASCII)
_PAGE = 50
_CSV_PAGE, _CSV_MAX = 200, 20_000


async def bill(visit: Visit) -> Response:
    """One bill with a page of its lines."""
    bill_id = visit.request.path_params["bill_id"]
    if not employer_id(visit) or not _BILL.fullmatch(bill_id):
        return visit.render("missing.html", 404)
    employer, found, lines = await asyncio.gather(
        employer_of(visit),
        visit.get(f"/v1/bills/{bill_id}"),
        visit.get(
            f"/v1/bills/{bill_id}/lines", purpose=PURPOSE, page_size=_PAGE, page_token=visit.query.get("page", "")
        ),
    )
    shown = found["bill"]
    return visit.render(
        "employer/bill.html",
        employer=employer,
        bill=shown,
        open=f"{Decimal(shown['total']) - Decimal(shown['paid']):.2f}",
        lines=[{**one, "statement": explained(one.get("statement"), visit.t)} for one in lines["lines"]],
        following=lines["next_page_token"],
    )


async def bill_csv(visit: Visit) -> Response:
    """All persons of a bill with base and amount, by their number in the register and no name."""
    bill_id = visit.request.path_params["bill_id"]
    if not employer_id(visit) or not _BILL.fullmatch(bill_id):
        return visit.render("missing.html", 404)
    rows: list[tuple[str, str, str, str]] = []
    token = ""
    while len(rows) < _CSV_MAX:
        found = await visit.get(f"/v1/bills/{bill_id}/lines", purpose=PURPOSE, page_size=_CSV_PAGE, page_token=token)
        rows += [(one["person_id"], one["wage"], one["base"], one["statement"]["total"]) for one in found["lines"]]
        token = found["next_page_token"]
        if not token:
            break
    heads = [visit.t(f"employer.{key}") for key in ("person", "wage", "base", "amount")]
    return attachment(f"bill-{bill_id[-8:]}.csv", as_csv(heads, rows))


PAGES = (
    Page("/employers/{employer_id}/bills/{bill_id}", bill, EMPLOYER, acr=2),
    Page("/employers/{employer_id}/bills/{bill_id}/lines.csv", bill_csv, EMPLOYER, acr=2),
)
