"""What stands around a payroll: findings with their evidence, releases, the bank's answers, what came back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from services.gateway.console.desk import STAFF
from services.gateway.console.paying import PAYROLL
from services.gateway.portal import jobs
from services.gateway.portal.downloads import streamed
from services.gateway.portal.page import Page
from services.gateway.portal.public_api import ApiProblem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

PURPOSE = "paying benefits"  # what the audit row says
GATE, EFFECT = "PAYROLL_GATE_", "FINDING_EFFECT_"
GATES = (
    "DEATH",
    "AFTER_DEATH",
    "SUSPENDED",
    "CERTIFICATION",
    "DOUBLE",
    "PARAMETER",
    "PAYEE_MISSING",
    "PAYEE_PARKED",
    "ACCOUNT_CHANGED",
    "ACCOUNT_SHARED",
    "JUMP",
    "FIRST",
    "PROVISIONAL",
    "DIFFERENCE_PAST_END",
)
# Gates that two persons may open; a test holds them equal to those of the benefits.
RELEASABLE = frozenset({"AFTER_DEATH", "DOUBLE", "ACCOUNT_SHARED", "JUMP", "PAYEE_PARKED", "CERTIFICATION"})
EFFECTS = ("BLOCK", "WARN", "RELEASED", "")  # the last one is all of them
TONES = {"BLOCK": "bad", "WARN": "warn", "RELEASED": "good", "ACCEPTED": "good", "REPEATED": "", "REFUSED": "bad"}
RETURNED = ("OWED", "WAITING", "PARKED", "LAPSED")
_ROWS = 50
_RETURN = re.compile(r"rfl_[0-9a-f]{32}", re.ASCII)
_BENEFIT = re.compile(r"ben_[0-9a-f]{32}", re.ASCII)
_POST = ("GET", "POST")


async def findings(visit: Visit) -> Response:
    """Who is held back or paid with a warning, and why; a clerk asks that one is paid all the same."""
    number = visit.request.path_params["payroll_id"]
    if not PAYROLL.fullmatch(number):
        return visit.render("missing.html", 404)
    problem: ApiProblem | None = None
    if visit.request.method == "POST":
        asked = {name: visit.form.get(name, "") for name in ("benefit_id", "gate", "reason")}
        try:
            await visit.post("/v1/payroll-releases", asked, key=visit.form.get("key", ""))
            return visit.go("/desk/releases?done=asked")
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused
    gate, effect = visit.query.get("gate", ""), visit.query.get("effect", "BLOCK")
    gate, effect = gate if gate in GATES else "", effect if effect in EFFECTS else ""
    found = await visit.get(
        f"/v1/payrolls/{number}/findings",
        gate=f"{GATE}{gate}" if gate else "",
        effect=f"{EFFECT}{effect}" if effect else "",
        page_size=_ROWS,
        page_token=visit.query.get("page", ""),
    )
    rows = [
        {
            **one,
            "why": why(visit, one),
            "benefits": _BENEFIT.findall(one["detail"]),
            "tone": TONES[one["effect"].removeprefix(EFFECT)],
            "releasable": one["gate"].removeprefix(GATE) in RELEASABLE and one["effect"] == f"{EFFECT}BLOCK",
        }
        for one in found["findings"]
    ]
    return visit.render(
        "office/findings.html",
        problem.status if problem else 200,
        payroll_id=number,
        gates=GATES,
        effects=EFFECTS,
        gate=gate,
        effect=effect,
        rows=rows,
        following=found["next_page_token"],
        may_ask="CLERK" in visit.roles,
        wrong=visit.form.get("benefit_id", "") + visit.form.get("gate", "") if problem else "",
        problem=problem,
    )


def why(visit: Visit, finding: Mapping[str, Any]) -> str:
    """The evidence of a finding in words; as it stands where it has none."""
    gate, detail = finding["gate"].removeprefix(GATE), finding["detail"]
    words = visit.words
    told: tuple[str, dict[str, str]] = ("", {})
    match gate, detail.split():
        case (("DEATH" | "AFTER_DEATH"), [_, month]):
            told = "pay.why_died", {"month": words.month(month)}
        case "DOUBLE", [kind, _]:
            told = "pay.why_double", {"kind": visit.t.word(f"BENEFIT_KIND_{kind}")}
        case "JUMP", [before, now] if before.isdecimal() and now.isdecimal():
            told = "pay.why_jump", {"before": _fen(visit, before), "now": _fen(visit, now)}
        case "ACCOUNT_SHARED", [_, count]:
            told = "pay.why_shared", {"count": count}
        case "FIRST", [month]:
            told = "pay.why_first", {"month": words.month(month)}
        case "DIFFERENCE_PAST_END", [month]:
            told = "pay.why_past_end", {"month": words.month(month)}
        case "SUSPENDED", [reason]:
            return visit.t.word(f"SUSPENSION_REASON_{reason}")
    return visit.t(told[0], **told[1]) if told[0] else detail


def _fen(visit: Visit, fen: str) -> str:
    return visit.words.money(f"{int(fen) // 100}.{int(fen) % 100:02d}")


async def findings_csv(visit: Visit) -> Response:
    """Every finding as the API exports it."""
    number = visit.request.path_params["payroll_id"]
    if not PAYROLL.fullmatch(number):
        return visit.render("missing.html", 404)
    path = f"/v1/payrolls/{number}/findings:export"
    first = await visit.get(path)

    async def parts() -> AsyncIterator[str]:
        found = first
        yield "\N{BYTE ORDER MARK}" + found["content"]
        while found["next_page_token"]:
            found = await visit.get(path, page_token=found["next_page_token"])
            yield found["content"]

    return streamed(f"findings-{number[-8:]}.csv", parts())


async def releases(visit: Visit) -> Response:
    """Releases that wait: the reason of the first person, and the decision of a second."""
    problem: ApiProblem | None = None
    action = visit.form.get("action", "")
    if action in {"approve", "reject"}:
        path = f"/v1/payroll-releases/{visit.form.get('release_id', '')}:decide"
        try:
            await visit.post(path, {"approve": action == "approve"}, key=visit.form.get("key", ""))
            return visit.go(f"/desk/releases?done={action}")
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused
    found = await visit.get(
        "/v1/payroll-releases", purpose=PURPOSE, page_size=_ROWS, page_token=visit.query.get("page", "")
    )
    done = visit.query.get("done", "")
    return visit.render(
        "office/releases.html",
        problem.status if problem else 200,
        rows=found["releases"],
        following=found["next_page_token"],
        may_decide="SUPERVISOR" in visit.roles,
        done=done if done in {"asked", "approve", "reject"} else "",
        problem=problem,
    )


async def returns(visit: Visit) -> Response:
    """What became of every row of an answer of the bank, and how far its booking is."""
    number, payroll_id = visit.request.path_params["return_id"], visit.query.get("payroll", "")
    if not _RETURN.fullmatch(number):
        return visit.render("missing.html", 404)
    found = await visit.get(f"/v1/return-files/{number}/rows", page_size=100, page_token=visit.query.get("page", ""))
    job = None
    if PAYROLL.fullmatch(payroll_id):
        progress = await visit.get(f"/v1/payrolls/{payroll_id}/progress")
        job = next((one["job"] for one in progress["returns"] if one["return_id"] == number), None)
    return visit.render(
        "office/returns.html",
        payroll_id=payroll_id if PAYROLL.fullmatch(payroll_id) else "",
        shown=jobs.shown(job) if job else None,
        rows=[{**one, "tone": TONES[one["verdict"].removeprefix("RETURN_VERDICT_")]} for one in found["rows"]],
        following=found["next_page_token"],
    )


async def returned(visit: Visit) -> Response:
    """Payments that the bank sent back: sent again, or parked until the payee is put right."""
    problem: ApiProblem | None = None
    if visit.request.method == "POST":
        path = f"/v1/payments/{visit.form.get('payment_id', '')}:retry"
        try:
            await visit.post(path, {}, key=visit.form.get("key", ""))
            return visit.go("/desk/returned-payments?state=WAITING&done=retry")
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused
    state = visit.query.get("state", "OWED")
    state = state if state in RETURNED else "OWED"
    found = await visit.get(
        "/v1/returned-payments",
        state=f"RETURNED_STATE_{state}",
        page_size=_ROWS,
        page_token=visit.query.get("page", ""),
    )
    return visit.render(
        "office/returned.html",
        problem.status if problem else 200,
        state=state,
        states=RETURNED,
        rows=found["payments"],
        following=found["next_page_token"],
        may_retry="CLERK" in visit.roles and state == "OWED",
        done=visit.query.get("done") == "retry",
        problem=problem,
    )


PAGES = (
    Page("/desk/payrolls/{payroll_id}/findings", findings, STAFF, acr=2, methods=_POST),
    Page("/desk/payrolls/{payroll_id}/findings.csv", findings_csv, STAFF, acr=2),
    Page("/desk/releases", releases, STAFF, acr=2, methods=_POST),
    Page("/desk/returns/{return_id}", returns, STAFF, acr=2),
    Page("/desk/returned-payments", returned, STAFF, acr=2, methods=_POST),
)
