"""The books of the benefits: every rule green or red with the first thing that breaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.gateway.console import job_lists
from services.gateway.console.books import verdicts
from services.gateway.console.desk import STAFF
from services.gateway.portal import jobs
from services.gateway.portal.page import Page
from services.gateway.portal.public_api import ApiProblem

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

# The rules of the proof in its order; a test holds them equal to those of the benefits.
RULES = (
    "BENEFIT_IS_DETERMINED",
    "DETERMINATION_IS_A_BENEFIT",
    "BENEFIT_HAS_ITS_NEWEST_AMOUNT",
    "TWO_PERSONS_DECIDED",
    "ONE_RUNNING_BENEFIT",
    "PAYMENT_IS_OF_ITS_BENEFIT",
    "PARTICIPATION_STANDS_BEHIND",
    "PAYEE_WAS_ALIVE",
    "PAYMENT_IS_INSIDE_ITS_BENEFIT",
    "OVERPAYMENT_CAME_BACK_OR_NOT",
    "MONTH_IS_PAID_ONCE",
    "NEXT_MONTH_FOLLOWS",
    "NO_MONTH_IS_LEFT_OUT",
    "KINDS_EXCLUDE_EACH_OTHER",
    "AMOUNT_IS_THE_BENEFITS",
    "DIFFERENCE_IS_PAID_ONCE",
    "RETURNED_IS_KEPT",
    "HELD_BACK_IS_NOT_PAID",
    "PAYROLL_IS_ITS_PAYMENTS",
    "PAYROLL_IS_ITS_CHUNKS",
    "ANSWERED_WAS_RELEASED",
    "WITHDRAWN_WAS_NOT_OWED_YET",
    "PAID_IS_WHAT_IS_OWED",
    "LEDGER_IS_PAYMENTS",
    "ENTRY_IS_BALANCED",
    "SUSPENSION_IS_OPEN",
    "NOBODY_IS_PAID_WHILE_SUSPENDED",
    "FORFEITED_IS_NOT_PAID",
    "CERTIFICATION_STANDS",
    "RECOVERY_IS_ITS_ENTRIES",
    "RECOVERY_IS_WHAT_WAS_OVERPAID",
    "OVERPAID_IS_RECOVERED",
    "DEDUCTION_IS_ANSWERED",
    "DEDUCTIONS_WITHIN_WHAT_IS_OWED",
    "PAYEE_IS_CHOSEN",
    "KEPT_BY_TWO",
    "LEDGER_RECEIVABLE",
    "LEDGER_OVERPAID",
    "LEDGER_RECOVERED",
    "LEDGER_WRITTEN_OFF",
)


async def books(visit: Visit) -> Response:
    """Start the proof, or show how one went."""
    problem = None
    if visit.request.method == "POST":
        try:
            made = await visit.post("/v1/benefit-book-checks", {}, key=visit.form.get("key", ""))
            return visit.go(f"/desk/benefit-books?job={made['job']['job_id']}")
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused
    job_id = visit.query.get("job", "")
    shown = await jobs.benefit_job_of(visit, job_id) if jobs.JOB.fullmatch(job_id) else None
    return visit.render(
        "office/books.html",
        problem.status if problem else 200,
        shown=shown,
        rules=verdicts(shown, RULES) if shown else [],
        earlier=[] if shown else await job_lists.earlier(visit, "benefits", "check_benefit_books"),
        texts="benefit_rules",
        problem=problem,
    )


PAGES = (Page("/desk/benefit-books", books, STAFF, acr=2, methods=("GET", "POST")),)
