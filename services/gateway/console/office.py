"""Where the office works on the register and the money: the way to every room, and a job with its verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.gateway.console.desk import STAFF
from services.gateway.portal import jobs
from services.gateway.portal.page import Link, Page

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

# Rooms of the office with the roles that the API lets in.
ROOMS: tuple[tuple[Link, frozenset[str]], ...] = (
    (Link("/desk/bill-runs", "office.bill_run"), STAFF),
    (Link("/desk/receipts", "office.receipts"), frozenset({"CLERK"})),
    (Link("/desk/suspense", "office.suspense"), STAFF),
    (Link("/desk/refunds", "office.refunds"), STAFF),
    (Link("/desk/limits", "office.limits"), STAFF),
    (Link("/desk/funds", "office.funds"), frozenset({"SUPERVISOR", "AUDITOR"})),
    (Link("/desk/books", "office.books"), STAFF),
    (Link("/employers", "office.employers"), STAFF),
    (Link("/desk/duplicates", "office.duplicates"), STAFF),
    (Link("/desk/person-requests", "office.person_requests"), STAFF),
    (Link("/desk/transfers", "office.transfers"), STAFF),
)


async def office(visit: Visit) -> Response:
    """Every room that this member of staff may enter."""
    asked = visit.query.get("job", "").strip()
    if jobs.JOB.fullmatch(asked):
        return visit.go(f"/desk/jobs/{asked}")
    return visit.render("office/start.html", rooms=[link for link, roles in ROOMS if roles & visit.roles], asked=asked)


async def job(visit: Visit) -> Response:
    """How far a job of the register is, and what it did not take."""
    job_id = visit.request.path_params["job_id"]
    if not jobs.JOB.fullmatch(job_id):
        return visit.render("missing.html", 404)
    return visit.render("office/job.html", shown=await jobs.job_of(visit, job_id))


async def job_csv(visit: Visit) -> Response:
    """The rows that it did not take, as a file."""
    job_id = visit.request.path_params["job_id"]
    if not jobs.JOB.fullmatch(job_id):
        return visit.render("missing.html", 404)
    return await jobs.rejects_csv(visit, job_id)


PAGES = (
    Page("/desk/office", office, STAFF),
    Page("/desk/jobs/{job_id}", job, STAFF, acr=2),
    Page("/desk/jobs/{job_id}/rejects.csv", job_csv, STAFF, acr=2),
)
