"""Recoveries (追回): what was paid too much, how it comes back, what is still owed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from services.gateway.console.benefit import EVIDENCE
from services.gateway.console.desk import STAFF
from services.gateway.console.determining import person_of
from services.gateway.portal.forms import Field
from services.gateway.portal.page import Page
from services.gateway.portal.sending import sent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

PURPOSE = "recovery of benefits"  # what the audit row says
PLAN = (
    Field(
        "method",
        "choice",
        "keep.method",
        choices=("RECOVERY_METHOD_INSTALMENT", "RECOVERY_METHOD_DEDUCTION"),
    ),
    Field("monthly", "money", "keep.monthly", "keep.monthly_hint"),
    Field("first_month", "month", "keep.plan_first", "apply.month_hint"),
    Field("benefit_id", "text", "keep.deduct_from", "keep.deduct_from_hint", required=False),
    EVIDENCE,
)
REPAY = (
    Field("way", "choice", "keep.way", choices=("RECOVERY_WAY_COUNTER", "RECOVERY_WAY_BANK")),
    Field("amount", "money", "benefits.amount"),
    Field("receipt_no", "text", "employer.receipt_no", "keep.receipt_hint"),
)
WRITE_OFF = (Field("amount", "money", "benefits.amount"), EVIDENCE)
DOING: Mapping[str, tuple[Field, ...]] = {"repay": REPAY, "plan": PLAN, "write-off": WRITE_OFF}
_RECOVERY = re.compile(r"rcv_[0-9a-f]{32}", re.ASCII)


async def recoveries(visit: Visit) -> Response:
    """Recoveries of which something is still owed, oldest first."""
    found = await visit.get("/v1/recoveries", purpose=PURPOSE, page_size=50, page_token=visit.query.get("page", ""))
    return visit.render("office/recoveries.html", rows=found["recoveries"], following=found["next_page_token"])


async def recovery(visit: Visit) -> Response:
    """One recovery with its plan and everything that came back; a clerk agrees on a plan or books a repayment."""
    number = visit.request.path_params["recovery_id"]
    if not _RECOVERY.fullmatch(number):
        return visit.render("missing.html", 404)
    path, action = f"/v1/recoveries/{number}", visit.form.get("action", "")

    async def do(body: dict[str, Any]) -> Any:
        return await visit.post(f"{path}:{action}", body, key=visit.form.get("key", ""), purpose=PURPOSE)

    forms = {name: await sent(visit, fields, do, mine=action == name) for name, fields in DOING.items()}
    if any(one.answer is not None for one in forms.values()):
        return visit.go(f"/desk/recoveries/{number}?done={action}")
    wrong = next((one for one in forms.values() if one.problem), None)
    one = (await visit.get(path, purpose=PURPOSE))["recovery"]
    done = visit.query.get("done", "")
    may = "CLERK" in visit.roles and one["balance"] != "0.00"
    return visit.render(
        "office/recovery.html",
        wrong.status if wrong else 200,
        one=one,
        person=await person_of(visit, one["person_id"]),
        forms={name: form.filled for name, form in forms.items()} if may else {},
        action=action if wrong else "",
        wrong=wrong.filled if wrong else None,
        done=done if done in DOING else "",
        problem=wrong.problem if wrong else None,
    )


PAGES = (
    Page("/desk/recoveries", recoveries, STAFF, acr=2),
    Page("/desk/recoveries/{recovery_id}", recovery, STAFF, acr=2, methods=("GET", "POST")),
)
