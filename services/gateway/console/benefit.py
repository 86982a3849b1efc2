"""One benefit (待遇): how its amount came about, what was paid of it, and what two persons may do with it."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from services.gateway.console.desk import STAFF
from services.gateway.console.determining import person_of
from services.gateway.portal.forms import Field
from services.gateway.portal.page import Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.sending import Sent, sent
from services.gateway.portal.statements import explained, now_and_next

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

PURPOSE = "keeping of benefits"  # what the audit row says
BENEFIT = re.compile(r"ben_[0-9a-f]{32}", re.ASCII)
_SUSPEND = "SUSPENSION_REASON_"
_END = "BENEFIT_END_REASON_"
EVIDENCE = Field("evidence_ref", "text", "register.evidence", "register.evidence_hint")
SUSPEND = (
    Field(
        "reason",
        "choice",
        "benefit.suspend_reason",
        choices=tuple(
            f"{_SUSPEND}{one}" for one in ("IMPRISONED", "WHEREABOUTS_UNKNOWN", "SUSPECTED", "DOUBLE_BENEFIT")
        ),
    ),
    Field("from_month", "month", "benefit.from_month", "benefit.from_month_hint"),
    EVIDENCE,
)
RESUME = (Field("from_month", "month", "benefit.again_month", "benefit.again_month_hint", required=False), EVIDENCE)
PAYEE = (
    Field("payee.name", "name", "benefit.payee_name"),
    Field("payee.account", "account", "benefit.payee_account"),
    EVIDENCE,
)
END = (
    Field(
        "reason",
        "choice",
        "benefit.end_reason",
        choices=tuple(
            f"{_END}{one}"
            for one in ("DIED", "REEMPLOYED", "REFUSED_WORK", "ENLISTED", "EMIGRATED", "ENTITLEMENT_LOST", "REVOKED")
        ),
    ),
    Field("last_month", "month", "benefit.last_month", "benefit.last_month_hint"),
    Field("document", "text", "benefit.document", "benefit.document_hint"),
)
# What a form does, its fields, the role that the API lets in, and the states in which it means anything.
DOING: Mapping[str, tuple[tuple[Field, ...], str, frozenset[str]]] = {
    "suspend": (SUSPEND, "CLERK", frozenset({"ACTIVE"})),
    "resume": (RESUME, "CLERK", frozenset({"SUSPENDED"})),
    "change-payee": (PAYEE, "CLERK", frozenset({"ACTIVE", "SUSPENDED"})),
    "end": (END, "SUPERVISOR", frozenset({"ACTIVE", "SUSPENDED"})),
}
_PAGE = 50


async def benefit(visit: Visit) -> Response:
    """A benefit with its amounts, its months and when it was held back; forms to change it by two persons."""
    number = visit.request.path_params["benefit_id"]
    if not BENEFIT.fullmatch(number):
        return visit.render("missing.html", 404)
    path, action = f"/v1/benefits/{number}", visit.form.get("action", "")

    async def do(body: dict[str, Any]) -> Any:
        return await visit.post(f"{path}:{action}", body, key=visit.form.get("key", ""), purpose=PURPOSE)

    forms: dict[str, Sent] = {name: await sent(visit, DOING[name][0], do, mine=action == name) for name in DOING}
    if any(one.answer is not None for one in forms.values()):
        return visit.go(f"/desk/benefits/{number}?done={action}")
    wrong = next((one for one in forms.values() if one.problem), None)
    one = (await visit.get(path, purpose=PURPOSE))["benefit"]
    person, amounts, kept, paid = await asyncio.gather(
        person_of(visit, one["person_id"]),
        visit.get(f"{path}/amounts", purpose=PURPOSE),
        visit.get(f"{path}/keeping", purpose=PURPOSE),
        visit.get(
            f"/v1/persons/{one['person_id']}/payments",
            purpose=PURPOSE,
            page_size=_PAGE,
            page_token=visit.query.get("page", ""),
        ),
    )
    now, later = now_and_next(amounts["amounts"], visit.today().isoformat()[:7])
    state = one["state"].removeprefix("BENEFIT_STATE_")
    proof, proof_problem = await _proof(visit, path)
    problem = (wrong.problem if wrong else None) or proof_problem
    done = visit.query.get("done", "")
    return visit.render(
        "office/benefit.html",
        problem.status if problem else 200,
        one=one,
        person=person,
        now=now,
        later=later,
        amounts=[{**amount, "statement": explained(amount.get("statement"), visit.t)} for amount in amounts["amounts"]],
        kept=kept,
        payments=shown_payments(visit, [row for row in paid["payments"] if row["benefit_id"] == number]),
        following=paid["next_page_token"],
        forms={
            name: forms[name].filled
            for name, (_, role, states) in DOING.items()
            if role in visit.roles and state in states
        },
        action=action if wrong else "",
        wrong=wrong.filled if wrong else None,
        proof=proof,
        done=done if done in DOING else "",
        problem=problem,
    )


async def _proof(visit: Visit, path: str) -> tuple[Any, ApiProblem | None]:
    """The amount computed again, where the address asks for it."""
    if not visit.query.get("recompute"):
        return None, None
    try:
        return await visit.get(f"{path}/recomputation", purpose=PURPOSE), None
    except ApiProblem as problem:
        if problem.needs_login:
            raise
        return None, problem


def shown_payments(visit: Visit, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Payments with their statements as pages show them."""
    return [{**one, "statement": explained(one.get("statement"), visit.t)} for one in rows]


PAGES = (Page("/desk/benefits/{benefit_id}", benefit, STAFF, acr=2, methods=("GET", "POST")),)
