"""Certification (资格认证) and what is held back: who is due, the sweep, the file of matched data, second persons."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from services.gateway.console.desk import STAFF
from services.gateway.portal import jobs
from services.gateway.portal.downloads import as_csv, attachment
from services.gateway.portal.page import FILE_MAX, Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.sending import sent

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

PURPOSE = "keeping of benefits"  # what the audit row says
LISTS = ("REMINDED", "OVERDUE", "SUSPENDED")
REASONS = ("CERTIFICATION_OVERDUE", "IMPRISONED", "WHEREABOUTS_UNKNOWN", "SUSPECTED", "DOUBLE_BENEFIT")
_PAGE, _CSV_PAGE, _CSV_MAX = 50, 200, 50_000
_POST = ("GET", "POST")


async def certification(visit: Visit) -> Response:
    """How certification goes: figures, who is due, the monthly sweep, a file of matched data."""
    action, key = visit.form.get("action", ""), visit.form.get("key", "")

    async def sweep(_body: dict[str, Any]) -> Any:
        return await visit.post("/v1/certification-sweeps", {}, key=key, purpose=PURPOSE)

    async def take(_body: dict[str, Any]) -> Any:
        if "file" not in visit.files:
            raise ApiProblem(400, "", visit.t("error.title"), visit.t("lists.file_missing"))
        return await visit.post("/v1/certification-files", await visit.upload("file"), key=key)

    swept = await sent(visit, (), sweep, mine=action == "sweep")
    taken = await sent(visit, (), take, mine=action == "file")
    started = swept.answer or taken.answer
    if started is not None:
        return visit.go(f"/desk/benefit-jobs/{started['job']['job_id']}")
    problem = swept.problem or taken.problem
    which = _list_of(visit)
    figures, found = await asyncio.gather(
        visit.get("/v1/certification-figures"),
        visit.get(
            "/v1/certifications-due",
            purpose=PURPOSE,
            list=f"DUE_LIST_{which}",
            page_size=_PAGE,
            page_token=visit.query.get("page", ""),
        ),
    )
    return visit.render(
        "office/certification.html",
        problem.status if problem else 200,
        kinds=figures["kinds"],
        by_source=figures["sources"],
        which=which,
        lists=LISTS,
        rows=found["beneficiaries"],
        following=found["next_page_token"],
        taken=taken.filled if "CLERK" in visit.roles else None,
        may_sweep="AUDITOR" not in visit.roles,
        problem=problem,
    )


async def due_csv(visit: Visit) -> Response:
    """A whole list of those who are due, by ids and days; whoever sends letters knows names and addresses."""
    which, token = _list_of(visit), ""
    rows: list[tuple[Any, ...]] = []
    while len(rows) < _CSV_MAX:
        found = await visit.get(
            "/v1/certifications-due",
            purpose=PURPOSE,
            list=f"DUE_LIST_{which}",
            page_size=_CSV_PAGE,
            page_token=token,
        )
        rows += [
            (
                one["benefit_id"],
                one["person_id"],
                visit.t.word(one["kind"]),
                one["last_date"],
                one["due_date"],
                one.get("suspended_from", ""),
            )
            for one in found["beneficiaries"]
        ]
        token = found["next_page_token"]
        if not token:
            break
    heads = ("pay.benefit", "office.person_id", "benefits.kind", "keep.last", "keep.due", "keep.held_from")
    return attachment(f"certification-{which.lower()}.csv", as_csv([visit.t(key) for key in heads], rows))


async def suspended(visit: Visit) -> Response:
    """Benefits that are held back, by their reason."""
    reason = visit.query.get("reason", "")
    reason = reason if reason in REASONS else ""
    found = await visit.get(
        "/v1/suspended-benefits",
        purpose=PURPOSE,
        reason=f"SUSPENSION_REASON_{reason}" if reason else "",
        page_size=_PAGE,
        page_token=visit.query.get("page", ""),
    )
    return visit.render(
        "office/suspended.html",
        reason=reason,
        reasons=REASONS,
        rows=found["benefits"],
        following=found["next_page_token"],
    )


async def requests(visit: Visit) -> Response:
    """Suspensions, resumptions, accounts, plans and write-offs that wait for a second person."""
    problem: ApiProblem | None = None
    action = visit.form.get("action", "")
    if action in {"approve", "reject"}:
        path = f"/v1/keeping-requests/{visit.form.get('keeping_request_id', '')}:decide"
        body = {"approve": action == "approve", "reason": visit.form.get("reason", "") if action == "reject" else ""}
        try:
            await visit.post(path, body, key=visit.form.get("key", ""), purpose=PURPOSE)
            return visit.go(f"/desk/keeping-requests?done={action}")
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused
    found = await visit.get("/v1/keeping-requests", page_size=_PAGE, page_token=visit.query.get("page", ""))
    done = visit.query.get("done", "")
    return visit.render(
        "office/keeping_requests.html",
        problem.status if problem else 200,
        rows=found["requests"],
        following=found["next_page_token"],
        may="AUDITOR" not in visit.roles,
        wrong=visit.form.get("keeping_request_id", "") if problem else "",
        done=done if done in {"asked", "approve", "reject"} else "",
        problem=problem,
    )


async def job(visit: Visit) -> Response:
    """A job of the benefits: how far it is, and what it did not take."""
    job_id = visit.request.path_params["job_id"]
    if not jobs.JOB.fullmatch(job_id):
        return visit.render("missing.html", 404)
    return visit.render("office/benefit_job.html", shown=await jobs.benefit_job_of(visit, job_id))


async def job_csv(visit: Visit) -> Response:
    """The first rows that a job did not take, as a file."""
    job_id = visit.request.path_params["job_id"]
    if not jobs.JOB.fullmatch(job_id):
        return visit.render("missing.html", 404)
    return jobs.rejects_file(visit, job_id, (await jobs.benefit_job_of(visit, job_id))["rejects"])


def _list_of(visit: Visit) -> str:
    given = visit.query.get("list", "OVERDUE")
    return given if given in LISTS else "OVERDUE"


PAGES = (
    Page("/desk/certification", certification, STAFF, acr=2, methods=_POST, file_max=FILE_MAX),
    Page("/desk/certification/list.csv", due_csv, STAFF, acr=2),
    Page("/desk/suspended", suspended, STAFF, acr=2),
    Page("/desk/keeping-requests", requests, STAFF, acr=2, methods=_POST),
    Page("/desk/benefit-jobs/{job_id}", job, STAFF, acr=2),
    Page("/desk/benefit-jobs/{job_id}/rejects.csv", job_csv, STAFF, acr=2),
)
