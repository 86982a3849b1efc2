"""Money that waits (暂收款) and money that goes back: assign it, prepare a refund, and decide as a second person."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from services.gateway.console.desk import STAFF
from services.gateway.portal.forms import Field
from services.gateway.portal.page import Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.sending import sent

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

STATES = ("OPEN", "MATCHED", "RETURNED")
REFUND_STATES = ("PREPARED", "ORDERED", "CONFIRMED", "RETURNED", "REJECTED")
MATCH = (
    Field("document", "text", "office.match_document", "office.match_document_hint"),
    Field("amount", "money", "office.match_amount", "office.match_amount_hint", required=False),
)
BACK = (
    Field("amount", "money", "office.match_amount", "office.back_amount_hint", required=False),
    Field("reason", "text", "office.reason", "office.reason_hint"),
)
WITHHELD = (
    Field("person_id", "text", "office.person_id", "office.person_id_hint"),
    Field("reason", "text", "office.reason", "office.reason_hint"),
)
_SUSPENSE = re.compile(r"sus_[0-9a-f]{32}", re.ASCII)
_PLAN = re.compile(r"pln_[0-9a-f]{32}", re.ASCII)
_PAGE = 50
_SEARCH_MAX = 20  # pages of 200 in which a link's money is looked for
_POST = ("GET", "POST")


async def suspense(visit: Visit) -> Response:
    """What lies on the suspense account, by state."""
    state = visit.query.get("state", "OPEN")
    state = state if state in STATES else "OPEN"
    found = await visit.get(
        "/v1/suspense",
        state=f"SUSPENSE_STATE_{state}",
        employer_id=visit.query.get("employer", ""),
        page_size=_PAGE,
        page_token=visit.query.get("page", ""),
    )
    return visit.render(
        "office/suspense.html",
        state=state,
        states=STATES,
        rows=found["suspense"],
        following=found["next_page_token"],
        done=visit.query.get("done", "") if visit.query.get("done", "") in {"match", "back"} else "",
    )


async def one_suspense(visit: Visit) -> Response:
    """One amount: assign it to a bill or demand, or send it back."""
    number = visit.request.path_params["suspense_id"]
    if not _SUSPENSE.fullmatch(number):
        return visit.render("missing.html", 404)
    action = visit.form.get("action", "")

    async def match(body: dict[str, Any]) -> Any:
        return await visit.post(f"/v1/suspense/{number}:match", body, key=visit.form.get("key", ""))

    async def back(body: dict[str, Any]) -> Any:
        return await visit.post("/v1/refunds", {**body, "suspense_id": number}, key=visit.form.get("key", ""))

    row = await _find(visit, number)
    if row is None:
        return visit.render("missing.html", 404)
    arrears = await _owed(visit, row)
    matched = await sent(visit, _match_fields(visit, arrears), match, mine=action == "match")
    if matched.answer is not None:
        return visit.go("/desk/suspense?done=match")
    sent_back = await sent(visit, BACK, back, mine=action == "back")
    if sent_back.answer is not None:
        return visit.go("/desk/refunds?done=prepared")
    problem = matched.problem or sent_back.problem
    return visit.render(
        "office/one_suspense.html",
        problem.status if problem else 200,
        row=row,
        arrears=arrears,
        match=matched.filled,
        back=sent_back.filled,
        wrong=matched.filled if matched.problem else sent_back.filled,
        may="CLERK" in visit.roles and row["state"] == "SUSPENSE_STATE_OPEN",
        problem=problem,
    )


async def _owed(visit: Visit, row: dict[str, Any]) -> list[dict[str, Any]]:
    """What the payer of the money owes; nothing where nobody knows the payer."""
    if not row["employer_id"]:
        return []
    found = (await visit.get(f"/v1/employers/{row['employer_id']}/arrears"))["arrears"]
    return [one for one in found if one.get("open") != "0.00"]  # what bears a late fee only is paid


def _match_fields(visit: Visit, arrears: list[dict[str, Any]]) -> tuple[Field, ...]:
    """The document is chosen among what the payer owes, and typed where nobody knows the payer."""
    if not arrears:
        return MATCH
    words = visit.words
    options = tuple(
        (str(one["document"]), f"{words.month(one.get('month'))} · {words.money(one.get('open'))} · {one['document']}")
        for one in arrears
    )
    return (replace(MATCH[0], kind="select", hint="", options=options), *MATCH[1:])


async def _find(visit: Visit, number: str) -> Any:
    """The row of an id; the API lists them and shows none alone, so open ones are looked through first."""
    for state in STATES:
        token = ""
        for _ in range(_SEARCH_MAX):
            found = await visit.get("/v1/suspense", state=f"SUSPENSE_STATE_{state}", page_size=200, page_token=token)
            for row in found["suspense"]:
                if row["suspense_id"] == number:
                    return row
            token = found["next_page_token"]
            if not token:
                break
    return None


async def refunds(visit: Visit) -> Response:
    """Refunds by state; those that wait are decided here by somebody else than who prepared them."""
    problem: ApiProblem | None = None
    action = visit.form.get("action", "")
    if action in {"approve", "reject"}:
        path = f"/v1/refunds/{visit.form.get('refund_id', '')}:decide"
        try:
            await visit.post(path, {"approve": action == "approve"}, key=visit.form.get("key", ""))
            return visit.go(f"/desk/refunds?done={action}")
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused

    async def prepare(body: dict[str, Any]) -> Any:
        return await visit.post("/v1/refunds", body, key=visit.form.get("key", ""))

    withheld = await sent(visit, WITHHELD, prepare, mine=action == "withheld")
    if withheld.answer is not None:
        return visit.go("/desk/refunds?done=prepared")
    problem = problem or withheld.problem
    state = visit.query.get("state", "PREPARED")
    state = state if state in REFUND_STATES else "PREPARED"
    found = await visit.get(
        "/v1/refunds", state=f"REFUND_STATE_{state}", page_size=_PAGE, page_token=visit.query.get("page", "")
    )
    done = visit.query.get("done", "")
    return visit.render(
        "office/refunds.html",
        problem.status if problem else 200,
        state=state,
        states=REFUND_STATES,
        rows=found["refunds"],
        following=found["next_page_token"],
        may_decide="SUPERVISOR" in visit.roles and state == "PREPARED",
        withheld=withheld.filled if "CLERK" in visit.roles else None,
        problem=problem,
        done=done if done in {"prepared", "approve", "reject"} else "",
    )


async def instalments(visit: Visit) -> Response:
    """An instalment plan: its parts and how far it is paid; a supervisor agrees or not."""
    plan_id = visit.request.path_params["plan_id"]
    if not _PLAN.fullmatch(plan_id):
        return visit.render("missing.html", 404)
    problem: ApiProblem | None = None
    if visit.request.method == "POST":
        try:
            await visit.post(
                f"/v1/instalment-plans/{plan_id}:decide",
                {"approve": visit.form.get("action") == "approve"},
                key=visit.form.get("key", ""),
            )
            return visit.go(f"/desk/instalments/{plan_id}")
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused
    found = (await visit.get(f"/v1/instalment-plans/{plan_id}"))["plan"]
    return visit.render(
        "office/instalments.html",
        problem.status if problem else 200,
        plan=found,
        may_decide="SUPERVISOR" in visit.roles and found["state"] == "PLAN_STATE_PREPARED",
        problem=problem,
    )


PAGES = (
    Page("/desk/suspense", suspense, STAFF, acr=2),
    Page("/desk/suspense/{suspense_id}", one_suspense, STAFF, acr=2, methods=_POST),
    Page("/desk/refunds", refunds, STAFF, acr=2, methods=_POST),
    Page("/desk/instalments/{plan_id}", instalments, STAFF, acr=2, methods=_POST),
)
