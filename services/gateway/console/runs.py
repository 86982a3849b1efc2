"""Runs over the whole city: the bills of a month, when they are due, and the settlement of final limits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from services.gateway.console.desk import STAFF
from services.gateway.portal import jobs
from services.gateway.portal.forms import Field
from services.gateway.portal.page import Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.sending import sent
from services.gateway.portal.statements import explained

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

_MONTH = re.compile(r"(19|20)[0-9]{2}-(0[1-9]|1[0-2])", re.ASCII)
_DIFFERENCE = re.compile(r"dif_[0-9a-f]{32}", re.ASCII)
_NOT_FOUND = 404
DUE = (Field("due_date", "date", "office.due_date", "office.due_hint", required=False),)
SPAN = (
    Field("first_month", "month", "employer.first_month", "apply.month_hint"),
    Field("last_month", "month", "employer.last_month", "office.span_hint"),
)
_POST = ("GET", "POST")


async def bill_run(visit: Visit) -> Response:
    """The run of a month: not begun, under way, or done with its totals; begun and given its due day from here."""
    asked = visit.query.get("month", "").strip() or visit.today().isoformat()[:7]
    year, _, number = asked.replace("/", "-").replace(".", "-").partition("-")
    month = f"{year}-{number.zfill(2)}"
    if not _MONTH.fullmatch(month):
        wrong = ApiProblem(400, "", visit.t("office.month_wrong"), visit.t("apply.month_hint"))
        return visit.render("office/bill_run.html", 400, wanted="", asked=asked, run=None, problem=wrong, due=None)
    action = visit.form.get("action", "")

    async def start(_body: dict[str, Any]) -> Any:
        return await visit.post("/v1/bill-runs", {"month": month}, key=visit.form.get("key", ""))

    async def set_due(body: dict[str, Any]) -> Any:
        return await visit.post("/v1/due-dates", {**body, "month": month}, key=visit.form.get("key", ""))

    started = await sent(visit, (), start, mine=action == "start")
    due = await sent(visit, DUE, set_due, mine=action == "due")
    if started.answer is not None or due.answer is not None:
        done = f"&due={due.answer['due_date']}&bills={due.answer['bill_count']}" if due.answer is not None else ""
        return visit.go(f"/desk/bill-runs?month={month}{done}")
    problem = started.problem or due.problem
    run = await _run(visit, month)
    job = run["job"] if run else None
    return visit.render(
        "office/bill_run.html",
        problem.status if problem else 200,
        wanted=month,
        asked=month,
        run=run,
        shown=jobs.shown(job) if job else None,
        due=due.filled,
        due_set=visit.query.get("due", "") if _is_day(visit.query.get("due", "")) else "",
        bill_count=visit.query.get("bills", ""),
        problem=problem,
    )


async def limits(visit: Visit) -> Response:
    """Settle final limits for months that were billed with provisional ones; look at one difference."""
    given = visit.query.get("difference", "").strip()
    if _DIFFERENCE.fullmatch(given):
        return visit.go(f"/desk/limits/{given}")

    async def settle(body: dict[str, Any]) -> Any:
        return await visit.post("/v1/limit-settlements", body, key=visit.form.get("key", ""))

    done = await sent(visit, SPAN, settle)
    if done.answer is not None:
        return visit.go(f"/desk/jobs/{done.answer['job']['job_id']}")
    return visit.render("office/limits.html", done.status, filled=done.filled, given=given, problem=done.problem)


async def difference(visit: Visit) -> Response:
    """The persons of a difference with both bases and what is to pay or to give back."""
    number = visit.request.path_params["difference_id"]
    if not _DIFFERENCE.fullmatch(number):
        return visit.render("missing.html", 404)
    found = await visit.get(f"/v1/differences/{number}/lines", page_size=50, page_token=visit.query.get("page", ""))
    lines = [{**one, "statement": explained(one.get("statement"), visit.t)} for one in found["lines"]]
    return visit.render("office/difference.html", found=found, lines=lines, following=found["next_page_token"])


async def _run(visit: Visit, month: str) -> Any:
    try:
        return (await visit.get(f"/v1/bill-runs/{month}"))["bill_run"]
    except ApiProblem as problem:
        if problem.status != _NOT_FOUND:
            raise
        return None


def _is_day(text: str) -> bool:
    return re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])-[0-3][0-9]", text, re.ASCII) is not None


PAGES = (
    Page("/desk/bill-runs", bill_run, STAFF, acr=2, methods=_POST),
    Page("/desk/limits", limits, STAFF, acr=2, methods=_POST),
    Page("/desk/limits/{difference_id}", difference, STAFF, acr=2),
)
