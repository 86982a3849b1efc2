"""The citizen's own records: overview, insurance, contributions, account, benefits."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from services.gateway.portal.page import CITIZEN, Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.statements import explained

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
)
FIRST_YEAR = 1992  # the personal account begins in Jiangsu; nothing older is kept by month
_RECENT_YEARS = 5
_PAGE = 200  # months of a year: 12 for each scheme and employer
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
        months=_months(insurance),
        account=account,
        retirement=retirement,
        benefits=(benefits or {}).get("benefits", []),
        cards=(cards or {}).get("cards", []),
        cases=(cases or {}).get("cases", []),
    )


async def insurance(visit: Visit) -> Response:
    """Which schemes, since when, how many months."""
    found = await visit.get(f"/v1/persons/{await visit.person_id()}/insurance")
    return visit.render(
        "citizen/insurance.html",
        participations=found["participations"],
        projects=found.get("projects", []),
        platforms=found.get("platforms", []),
        months=_months(found),
    )


async def contributions(visit: Visit) -> Response:
    """A year of contributions."""
    this_year = visit.today().year
    asked = visit.query.get("year", "")
    year = int(asked) if asked.isdecimal() and FIRST_YEAR <= int(asked[:4]) <= this_year else this_year
    path = f"/v1/persons/{await visit.person_id()}/contributions"
    found = await visit.get(path, year=year, page_size=_PAGE)
    if not found["months"] and not asked:  # nothing this year yet: the year before says more
        year -= 1
        found = await visit.get(path, year=year, page_size=_PAGE)
    rows = found["months"]
    while found["next_page_token"]:
        found = await visit.get(path, year=year, page_size=_PAGE, page_token=found["next_page_token"])
        rows = [*rows, *found["months"]]
    return visit.render(
        "citizen/contributions.html",
        year=year,
        recent=range(this_year, this_year - _RECENT_YEARS, -1),
        years=range(this_year, FIRST_YEAR - 1, -1),
        months=by_month(rows),
        schemes=[scheme for scheme in SCHEMES if any(row["scheme"] == scheme for row in rows)],
        employee=_sum(row["employee"] for row in rows if row["state"] != "CONTRIBUTION_STATE_UNPAID"),
        employer=_sum(row["employer"] for row in rows if row["state"] != "CONTRIBUTION_STATE_UNPAID"),
    )


async def account(visit: Visit) -> Response:
    """The personal account with its years."""
    found = await visit.get(f"/v1/persons/{await visit.person_id()}/account")
    years = [{**year, "statement": explained(year.get("statement"), visit.t)} for year in found["years"]]
    return visit.render("citizen/account.html", account=found, years=years)


async def benefits(visit: Visit) -> Response:
    """What I am paid, how it was calculated, and each payment."""
    person = f"/v1/persons/{await visit.person_id()}"
    found, paid = await asyncio.gather(visit.get(f"{person}/benefits"), visit.get(f"{person}/payments", page_size=24))
    calculations = await asyncio.gather(
        *(_part(visit.get(f"/v1/benefits/{one['benefit_id']}/calculation")) for one in found["benefits"])
    )
    shown = [
        {**benefit, "calculation": explained((calculation or {}).get("statement"), visit.t)}
        for benefit, calculation in zip(found["benefits"], calculations, strict=True)
    ]
    return visit.render("citizen/benefits.html", benefits=shown, payments=paid["payments"])


def by_month(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each month and base, newest first, with its schemes inside."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        month = found.setdefault(
            (row["month"], row["base"]),
            {"month": row["month"], "base": row["base"], "schemes": {}, "state": row["state"], "imported": True},
        )
        month["schemes"][row["scheme"]] = row
        month["imported"] = month["imported"] and row["source"].startswith("import:")
        if row["state"] == "CONTRIBUTION_STATE_UNPAID":
            month["state"] = row["state"]
    for month in found.values():
        month["employee"] = _sum(row["employee"] for row in month["schemes"].values())
        month["employer"] = _sum(row["employer"] for row in month["schemes"].values())
    return sorted(found.values(), key=lambda month: str(month["month"]), reverse=True)


def _sum(amounts: Any) -> str:
    """Amounts of the contract added up, exactly."""
    return f"{sum((Decimal(amount) for amount in amounts), Decimal()):.2f}"


def _months(found: Any) -> dict[str, dict[str, int]]:
    return {one["scheme"]: one for one in (found or {}).get("months", [])}


async def _part(call: Awaitable[Any]) -> Any:
    """A part of a page; None where there is nothing yet, or its service is away."""
    try:
        return await call
    except ApiProblem as problem:
        if problem.needs_login:
            raise
        return None if problem.status in _NOT_THERE else {}


PAGES = (
    Page("/me", overview, roles=CITIZEN, acr=2),
    Page("/insurance", insurance, roles=CITIZEN, acr=2),
    Page("/contributions", contributions, roles=CITIZEN, acr=2),
    Page("/account", account, roles=CITIZEN, acr=2),
    Page("/benefits", benefits, roles=CITIZEN, acr=2),
)
