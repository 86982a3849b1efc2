"""An employer's months: what was billed, what came in, what is open with its late fee, and the statement to print."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from services.gateway.portal.downloads import as_csv, attachment
from services.gateway.portal.employer import statements
from services.gateway.portal.employer.desk import CLERK, EMPLOYER, STAFF, employer_id, employer_of
from services.gateway.portal.forms import Field
from services.gateway.portal.page import Page
from services.gateway.portal.sending import sent
from services.gateway.portal.statements import explained

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

INSTALMENTS = (
    Field("parts", "long", "employer.plan_parts", "employer.plan_parts_hint"),
    Field("reason", "text", "employer.plan_reason", "employer.plan_reason_hint"),
)


async def months(visit: Visit) -> Response:
    """The employer with its last months."""
    if not employer_id(visit):
        return visit.render("missing.html", 404)
    asked = statements.period(visit.query, visit.today())
    employer, arrears, statement = await asyncio.gather(employer_of(visit), _arrears(visit), _statement(visit, asked))
    return visit.render(
        "employer/months.html",
        employer=employer,
        arrears=arrears,
        statement=statements.read(statement["content"]),
        period=asked,
    )


async def arrears(visit: Visit) -> Response:
    """What is open, document by document, with its late fee day by day; a clerk demands the fee or agrees on parts."""
    if not employer_id(visit):
        return visit.render("missing.html", 404)

    async def prepare(body: dict[str, Any]) -> Any:
        parts = [line.replace(",", " ").split() for line in body["parts"].splitlines() if line.strip()]
        asked = [{"due_date": one[0], "amount": one[-1]} for one in parts]
        return await visit.post(
            f"/v1/employers/{employer_id(visit)}/instalment-plans",
            {"instalments": asked, "reason": body["reason"]},
            key=visit.form.get("key", ""),
        )

    action = visit.form.get("action", "")
    plan = await sent(visit, INSTALMENTS, prepare, mine=action == "plan")
    if plan.answer is not None:
        return visit.go(f"/desk/instalments/{plan.answer['plan']['plan_id']}")

    async def demand(_body: dict[str, Any]) -> Any:
        return await visit.post("/v1/late-fees", {"bill_id": visit.form.get("bill_id", "")}, key=visit.form["key"])

    fee = await sent(visit, (), demand, mine=action == "late-fee")
    if fee.answer is not None:
        return visit.go(f"{visit.path}?done=late-fee")
    employer, found = await asyncio.gather(employer_of(visit), _arrears(visit))
    demands: dict[str, Any] = {"demands": []}
    if visit.roles & STAFF:
        demands = await visit.get("/v1/demands", employer_id=employer_id(visit), page_size=50)
    problem = plan.problem or fee.problem
    return visit.render(
        "employer/arrears.html",
        problem.status if problem else 200,
        employer=employer,
        found=found,
        arrears=[{**one, "statement": explained(one.get("statement"), visit.t)} for one in found["arrears"]],
        demands=demands["demands"],
        plan=plan.filled if visit.roles & CLERK else None,
        problem=problem,
        done=visit.query.get("done") == "late-fee",
    )


async def statement(visit: Visit) -> Response:
    """The statement of a period, to be printed."""
    if not employer_id(visit):
        return visit.render("missing.html", 404)
    asked = statements.period(visit.query, visit.today())
    employer, found = await asyncio.gather(employer_of(visit), _statement(visit, asked))
    return visit.render(
        "employer/statement.html",
        employer=employer,
        statement=statements.read(found["content"]),
        digest=found["digest"],
        period=asked,
    )


async def statement_csv(visit: Visit) -> Response:
    """The statement as one table for a spreadsheet."""
    if not employer_id(visit):
        return visit.render("missing.html", 404)
    t = visit.t
    asked = statements.period(visit.query, visit.today())
    found = statements.read((await _statement(visit, asked))["content"])
    heads = [t(f"employer.{key}") for key in ("kind", "month", "day", "document", "billed", "received", "state")]
    rows: list[tuple[Any, ...]] = [
        (
            t("employer.bill"),
            one["month"],
            one["due_date"],
            one["bill_id"],
            one["total"],
            one["paid"],
            t.word(f"BILL_STATE_{one['state']}"),
        )
        for one in found["bills"]
    ]
    rows += [
        (t.word(f"DEMAND_KIND_{one['kind']}"), one["month"], "", one["demand_id"], one["total"], one["paid"], "")
        for one in found["demands"]
    ]
    rows += [
        (t("employer.receipt"), "", one["paid_date"], one["receipt_no"], "", one["amount"], one["document"])
        for one in found["receipts"]
    ]
    return attachment(f"statement-{asked.first}-{asked.last}.csv", as_csv(heads, rows))


async def statement_json(visit: Visit) -> Response:
    """The statement exactly as it was told: the bytes to which its digest belongs."""
    if not employer_id(visit):
        return visit.render("missing.html", 404)
    asked = statements.period(visit.query, visit.today())
    found = await _statement(visit, asked)
    return attachment(f"statement-{asked.first}-{asked.last}.json", found["content"].encode(), "application/json")


async def history(visit: Visit) -> Response:
    """What was in force for the employer from which month on."""
    if not employer_id(visit):
        return visit.render("missing.html", 404)
    employer, found = await asyncio.gather(employer_of(visit), visit.get(f"/v1/employers/{employer_id(visit)}/history"))
    return visit.render("employer/history.html", employer=employer, versions=found["versions"])


async def _arrears(visit: Visit) -> Any:
    return await visit.get(f"/v1/employers/{employer_id(visit)}/arrears")


async def _statement(visit: Visit, asked: statements.Period) -> Any:
    path = f"/v1/employers/{employer_id(visit)}/statement"
    return await visit.get(path, first_month=asked.first, last_month=asked.last)


PAGES = (
    Page("/employers/{employer_id}", months, EMPLOYER, acr=2),
    Page("/employers/{employer_id}/arrears", arrears, EMPLOYER, acr=2, methods=("GET", "POST")),
    Page("/employers/{employer_id}/statement", statement, EMPLOYER, acr=2),
    Page("/employers/{employer_id}/statement.csv", statement_csv, EMPLOYER, acr=2),
    Page("/employers/{employer_id}/statement.json", statement_json, EMPLOYER, acr=2),
    Page("/employers/{employer_id}/history", history, EMPLOYER, acr=2),
)
