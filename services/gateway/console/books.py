"""The books: every rule green or red with the first thing that breaks it, and what the funds hold."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from services.gateway.console import job_lists
from services.gateway.console.desk import STAFF
from services.gateway.portal import jobs
from services.gateway.portal.page import Page
from services.gateway.portal.public_api import ApiProblem

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

# The rules of the proof in its order; a test holds them equal to those of the register.
RULES = (
    "BILL_IS_ITS_LINES",
    "BILL_IS_RECEIPTS_AND_ARREARS",
    "DEMAND_IS_ITS_RECEIPTS",
    "COLLECTED_LIES_SOMEWHERE",
    "SUSPENSE_IS_WHAT_LIES_THERE",
    "RECEIPT_IS_BOOKED",
    "SETTLEMENT_IS_CONTRIBUTIONS",
    "SETTLEMENT_IS_BOOKED",
    "DIFFERENCE_IS_ITS_LINES",
    "LINE_IS_CREDITED",
    "DIFFERENCE_IS_CREDITED",
    "ACCOUNT_IS_ITS_ENTRIES",
    "ENTRY_IS_BALANCED",
    "LEDGER_IS_COLLECTED",
    "LEDGER_IS_PART_PAYMENTS",
    "LEDGER_IS_SUSPENSE",
    "LEDGER_IS_DEMANDS",
    "LEDGER_IS_REFUNDS",
    "LEDGER_IS_WITHHELD",
    "LEDGER_IS_ACCOUNTS",
    "SCHEME_ACCOUNT_IS_ITS_ENTRIES",
    "LEDGER_IS_SCHEME_ACCOUNTS",
    "RESIDENT_PAYMENT_IS_CREDITED",
    "PREMIUM_AID_IS_ITS_PERSONS",
    "LEDGER_IS_PREMIUM_AID",
    "LAND_ACCOUNT_IS_ITS_ENTRIES",
    "LAND_BATCH_IS_ITS_SHARES",
    "LAND_PAYMENT_IS_ITS_USE",
    "LEDGER_IS_LAND_ACCOUNTS",
    "SCHEME_YEAR_IS_BOOKED",
    "BRIDGE_IS_ITS_ENTRIES",
    "RECEIPT_NO_IS_ONE",
)
PLAN = frozenset({"SUPERVISOR", "AUDITOR"})
_POST = ("GET", "POST")


async def books(visit: Visit) -> Response:
    """Start the proof, or show how one went."""
    problem = None
    if visit.request.method == "POST":
        try:
            made = await visit.post("/v1/book-checks", {}, key=visit.form.get("key", ""))
            return visit.go(f"/desk/books?job={made['job']['job_id']}")
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused
    job_id = visit.query.get("job", "")
    shown = await jobs.job_of(visit, job_id) if jobs.JOB.fullmatch(job_id) else None
    return visit.render(
        "office/books.html",
        problem.status if problem else 200,
        shown=shown,
        rules=verdicts(shown) if shown else [],
        earlier=[] if shown else await job_lists.earlier(visit, "register", "check_books"),
        texts="rules",
        problem=problem,
    )


def verdicts(shown: dict[str, Any], rules: tuple[str, ...] = RULES) -> list[tuple[str, str, Any]]:
    """Each rule with "good", "bad" or "open", and the row that says what breaks it."""
    broken = {one["code"]: one for one in shown["rejects"]}
    done = shown["job"]["state"] == "JOB_STATE_DONE"
    names = (*rules, *(code for code in broken if code not in rules))
    return [(code, "bad" if code in broken else "good" if done else "open", broken.get(code)) for code in names]


async def funds(visit: Visit) -> Response:
    """Balances by scheme and pooling area, today or at the end of a day."""
    given = visit.query.get("on", "").strip()
    on = given.replace("/", "-").replace(".", "-")
    is_day = re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", on, re.ASCII) is not None
    problem = None
    if given and not is_day:
        problem = ApiProblem(400, "", visit.t("office.day_wrong"), visit.t("format.day_hint"))
    found = await visit.get("/v1/fund-balances", on=on if is_day else "")
    by_scheme: dict[str, list[Any]] = {}
    for one in found["balances"]:
        by_scheme.setdefault(one["scheme"], []).append(one)
    totals = {
        scheme: f"{sum((Decimal(one.get('balance', '0')) for one in rows), Decimal()):.2f}"
        for scheme, rows in by_scheme.items()
    }
    return visit.render(
        "office/funds.html",
        problem.status if problem else 200,
        by_scheme=by_scheme,
        totals=totals,
        on=on if is_day else "",
        given=given,
        problem=problem,
    )


PAGES = (
    Page("/desk/books", books, STAFF, acr=2, methods=_POST),
    Page("/desk/funds", funds, PLAN, acr=2),
)
