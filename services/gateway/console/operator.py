"""The operator's pages: how the platform is, its jobs, where a trace is, and the plan's indicators."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from services.gateway.console.charts import FULL, bars
from services.gateway.portal.downloads import as_csv, attachment
from services.gateway.portal.jobs import percent_done
from services.gateway.portal.page import Page
from services.gateway.portal.public_api import ApiProblem

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

OPERATOR = frozenset({"OPERATOR"})
PLAN = frozenset({"OPERATOR", "SUPERVISOR", "AUDITOR"})
JOBS_SHOWN = 50
_TRACE = re.compile(r"[0-9a-f]{32}", re.ASCII)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_CASE = re.compile(r"[0-9]{6}-?[0-9]{8}-?[0-9]-?[0-9]{6}-?[0-9]", re.ASCII)
_REQUEST = re.compile(r"[0-9A-Za-z._-]{8,64}", re.ASCII)
_COLUMNS = (
    "number", "key", "name_zh", "name_en", "unit", "comparison", "target", "actual", "gap", "is_reached", "count",
    "is_binding", "is_cumulative", "is_partial", "counted_by", "count_time", "business_date", "note_zh", "note_en",
    "plan_note_zh", "plan_note_en", "data_owner_zh", "data_owner_en", "sources",
)  # fmt: skip


async def start(visit: Visit) -> Response:
    """Where operators begin."""
    return visit.go("/console/platform")


async def platform(visit: Visit) -> Response:
    """Health of every service, with outbox, consumers and parked facts."""
    shown, jobs = await asyncio.gather(visit.get("/v1/platform"), visit.get("/v1/platform/jobs", limit=JOBS_SHOWN))
    services = shown["services"]
    return visit.render(
        "console/platform.html",
        services=services,
        parked=[one for one in services if one["parked"]],
        running=[one for one in jobs["jobs"] if one["job"]["state"] in {"JOB_STATE_QUEUED", "JOB_STATE_RUNNING"}],
        refreshes=visit.query.get("auto") != "off",
    )


async def jobs_page(visit: Visit) -> Response:
    """The jobs of all services with their progress."""
    found = await visit.get("/v1/platform/jobs", limit=JOBS_SHOWN)
    return visit.render(
        "console/jobs.html",
        jobs=[{**one, "percent": percent_done(one["job"])} for one in found["jobs"]],
        missing=found["missing_services"],
        refreshes=visit.query.get("auto") != "off",
    )


async def timetable(visit: Visit) -> Response:
    """The recurring work of all services: when it starts, and how its latest start went."""
    found = await visit.get("/v1/platform/timetable")
    return visit.render("console/timetable.html", entries=found["entries"], missing=found["missing_services"])


async def traces(visit: Visit) -> Response:
    """Where a trace is: by its own number, by a request's, or by a case's."""
    number = visit.query.get("number", "").strip()
    address: str = (await visit.get("/v1/platform"))["traces_url"]
    kind, problem = "", None
    found: list[dict[str, Any]] = []
    if number:
        try:
            kind, found = await _traces_of(visit, number)
        except ApiProblem as error:
            if error.needs_login:
                raise
            problem = error
    links = [{**one, "url": address.replace("{trace_id}", quote(one["trace_id"], safe=""))} for one in found]
    return visit.render(
        "console/traces.html",
        number=number,
        kind=kind,
        found=links if address else found,
        has_page=bool(address),
        problem=problem,
    )


async def _traces_of(visit: Visit, number: str) -> tuple[str, list[dict[str, Any]]]:
    """What kind of number it is, and the traces it names."""
    lower = number.lower()
    if matched := _TRACEPARENT.fullmatch(lower):
        return "trace", [{"trace_id": matched[1]}]
    if _TRACE.fullmatch(lower):
        return "trace", [{"trace_id": lower}]
    if _CASE.fullmatch(number):
        events = (await visit.get(f"/v1/cases/{number}/events"))["events"]
        return "case", [one for one in events if one["trace_id"]]
    return ("request", [{"trace_id": number}]) if _REQUEST.fullmatch(number) else ("none", [])


async def indicators(visit: Visit) -> Response:
    """The seventeen indicators as a chart and as a table."""
    rows = (await visit.get("/v1/stats/indicators"))["indicators"]
    counted = [row for row in rows if row["actual"]]
    return visit.render(
        "console/indicators.html",
        bars=bars(rows),
        full=FULL,
        counted_count=len(counted),
        reached_count=sum(row["is_reached"] for row in rows),
        when=max((row["count_time"] for row in counted), default=""),
        business_date=next((row["business_date"] for row in counted), ""),
    )


async def indicators_csv(visit: Visit) -> Response:
    """The same as a file for spreadsheets."""
    rows = (await visit.get("/v1/stats/indicators"))["indicators"]
    return attachment("hrss-indicators.csv", as_csv(_COLUMNS, ([row.get(name) for name in _COLUMNS] for row in rows)))


PAGES = (
    Page("/console", start, OPERATOR),
    Page("/console/platform", platform, OPERATOR),
    Page("/console/jobs", jobs_page, OPERATOR),
    Page("/console/timetable", timetable, OPERATOR),
    Page("/console/traces", traces, OPERATOR),
    Page("/console/indicators", indicators, PLAN),
    Page("/console/indicators.csv", indicators_csv, PLAN),
)
