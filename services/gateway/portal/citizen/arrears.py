"""What I owe and what can still be paid: unpaid months, months of my own cover without a bill, months paid twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from services.gateway.portal.citizen.contributions import UNPAID, rows_of
from services.gateway.portal.citizen.timeline import after, histories
from services.gateway.portal.page import CITIZEN, Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.statements import explained

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from starlette.responses import Response

    from services.gateway.portal.visit import Visit


async def arrears(visit: Visit) -> Response:
    """Everything that is open, and what to do about it; a month of one's own cover is billed from here."""
    person = f"/v1/persons/{await visit.person_id()}"
    bill, problem = None, None
    if visit.request.method == "POST":
        try:
            path = f"/v1/covers/{visit.form.get('cover_id', '')}:assess-bill"
            body = {"month": visit.form.get("month", "")}
            bill = (await visit.post(path, body, key=visit.form.get("key", "")))["bill"]
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused
    insurance, overlap, rows = await asyncio.gather(
        visit.get(f"{person}/insurance"), visit.get(f"{person}/overlap"), rows_of(visit)
    )
    this_month = visit.today().isoformat()[:7]
    known = {row["month"] for row in rows if row["scheme"] == "SCHEME_EMPLOYEE_PENSION"}
    pension = [one for one in histories(insurance, visit.t, this_month) if one.scheme == "SCHEME_EMPLOYEE_PENSION"]
    return visit.render(
        "citizen/arrears.html",
        problem.status if problem else 200,
        unpaid=_unpaid(rows),
        offers=[
            (cover, months)
            for cover in insurance.get("covers", ())
            if (months := unbilled(cover, known, this_month, visit.today().year))
        ],
        gaps=[span for one in pension for span in one.spans if span.is_gap],
        overlaps=[{**one, "statement": explained(one.get("statement"), visit.t)} for one in overlap["overlaps"]],
        bill=bill,
        problem=problem,
    )


def unbilled(cover: Mapping[str, Any], known: Collection[str], this_month: str, year: int) -> list[str]:
    """Months of this year that a flexible worker may still have billed, oldest first.

    Args:
        cover: The cover.
        known: Months of the employee pension with a bill or a payment.
        this_month: The last month that can be billed.
        year: Only its months: a year that is over is closed for flexible workers.
    """
    if cover["kind"] != "COVER_KIND_FLEXIBLE":
        return []
    month = max(cover["start_month"], f"{year}-01")
    last = min(cover.get("end_month") or this_month, this_month)
    found = []
    while month <= last:
        if month not in known and not _rested(cover, month):
            found.append(month)
        month = after(month)
    return found


def _rested(cover: Mapping[str, Any], month: str) -> bool:
    return any(
        one["from_month"] <= month <= (one.get("until_month") or "9999-12") for one in cover.get("suspensions", ())
    )


def _unpaid(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Months that were billed and not paid, oldest first, with their schemes."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["state"] == UNPAID:
            month = found.setdefault(row["month"], {"month": row["month"], "schemes": [], "base": row["base"]})
            month["schemes"].append(row)
    return [found[month] for month in sorted(found)]


PAGES = (Page("/arrears", arrears, roles=CITIZEN, acr=2, methods=("GET", "POST")),)
