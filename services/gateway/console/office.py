"""Where the office works on the register and the money: the way to every room, and a job with its verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.gateway.console.benefit import BENEFIT
from services.gateway.console.desk import STAFF
from services.gateway.portal import jobs
from services.gateway.portal.page import Link, Page
from services.gateway.portal.sending import sent

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
    (Link("/desk/card-batches", "office.card_batches"), STAFF),
)
# Rooms of the benefits.
BENEFIT_ROOMS: tuple[tuple[Link, frozenset[str]], ...] = (
    (Link("/desk/payrolls", "office.payrolls"), STAFF),
    (Link("/desk/determinations", "office.determinations"), STAFF),
    (Link("/desk/keeping-requests", "office.keeping_requests"), STAFF),
    (Link("/desk/certification", "office.certification"), STAFF),
    (Link("/desk/suspended", "office.suspended"), STAFF),
    (Link("/desk/recoveries", "office.recoveries"), STAFF),
    (Link("/desk/adjustments", "office.adjustments"), STAFF),
    (Link("/desk/benefit-books", "office.benefit_books"), STAFF),
)
# What a supervisor may do with a job, and in which of its states.
MOVES = {
    "pause": jobs.RUNNING,
    "resume": frozenset({"JOB_STATE_PAUSED", "JOB_STATE_FAILED"}),
}


async def office(visit: Visit) -> Response:
    """Every room that this member of staff may enter."""
    asked = visit.query.get("job", "").strip()
    if jobs.JOB.fullmatch(asked):
        return visit.go(f"/desk/jobs/{asked}")
    benefits = visit.query.get("benefit", "").strip()
    if BENEFIT.fullmatch(benefits):
        return visit.go(f"/desk/benefits/{benefits}")
    return visit.render(
        "office/start.html",
        rooms=[link for link, roles in ROOMS if roles & visit.roles],
        benefit_rooms=[link for link, roles in BENEFIT_ROOMS if roles & visit.roles],
        asked=asked,
        asked_benefit=benefits,
    )


async def job(visit: Visit) -> Response:
    """How far a job of the register is, and what it did not take; a supervisor holds it and lets it go on."""
    job_id = visit.request.path_params["job_id"]
    if not jobs.JOB.fullmatch(job_id):
        return visit.render("missing.html", 404)
    action = visit.form.get("action", "")

    async def move(_body: dict[str, Any]) -> Any:
        return await visit.post(f"/v1/enrollment-jobs/{job_id}:{action}", {}, key=visit.form.get("key", ""))

    moved = await sent(visit, (), move, mine=action in MOVES)
    if moved.answer is not None:
        return visit.go(f"/desk/jobs/{job_id}")
    shown = await jobs.job_of(visit, job_id)
    move_now = next((verb for verb, states in MOVES.items() if shown["job"]["state"] in states), "")
    return visit.render(
        "office/job.html",
        moved.status,
        shown=shown,
        move=move_now if "SUPERVISOR" in visit.roles else "",
        problem=moved.problem,
    )


async def job_csv(visit: Visit) -> Response:
    """The rows that it did not take, as a file."""
    job_id = visit.request.path_params["job_id"]
    if not jobs.JOB.fullmatch(job_id):
        return visit.render("missing.html", 404)
    return await jobs.rejects_csv(visit, job_id)


PAGES = (
    Page("/desk/office", office, STAFF),
    Page("/desk/jobs/{job_id}", job, STAFF, acr=2, methods=("GET", "POST")),
    Page("/desk/jobs/{job_id}/rejects.csv", job_csv, STAFF, acr=2),
)
