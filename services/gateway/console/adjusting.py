"""The annual adjustment (年度调整), new computation, and what another parameter would mean for the funds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from services.gateway.console.desk import STAFF
from services.gateway.portal import jobs
from services.gateway.portal.comparing import side_by_side
from services.gateway.portal.forms import Field
from services.gateway.portal.page import Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.sending import BAD_REQUEST, sent, whole
from services.gateway.portal.statements import explained

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

PURPOSE = "adjustment of benefits"  # what the audit row says
_STATE, _SOURCE = "ADJUSTMENT_STATE_", "ADJUSTMENT_SOURCE_"
PENSIONS = ("BENEFIT_KIND_EMPLOYEE_PENSION", "BENEFIT_KIND_GOVERNMENT_PENSION")
CREATE = (
    Field("year", "digits", "adjust.year", "adjust.year_hint"),
    Field("kind", "choice", "benefits.kind", choices=PENSIONS),
    Field("source", "choice", "adjust.source", "adjust.source_hint", choices=(f"{_SOURCE}POLICY", f"{_SOURCE}DEMO")),
)
NOTICE = (
    Field("year", "digits", "adjust.year", "adjust.year_hint"),
    Field("kind", "choice", "benefits.kind", choices=PENSIONS),
    Field("notice_no", "text", "adjust.notice_no", "adjust.notice_no_hint"),
    Field("amounts.flat", "money", "adjust.flat", required=False),
    Field("amounts.per_year", "long", "adjust.per_year", "adjust.per_year_hint", required=False),
    Field("amounts.per_year_minimum", "money", "adjust.per_year_least", required=False),
    Field("amounts.percent", "text", "adjust.percent", "adjust.percent_hint", required=False),
    Field("amounts.tilt", "long", "adjust.tilt", "adjust.tilt_hint", required=False),
    Field("amounts.increase_minimum", "money", "adjust.floor", required=False),
)
RECOMPUTE = (Field("benefit_id", "text", "adjust.one_benefit", "adjust.one_benefit_hint", required=False),)
REASON = (Field("reason", "text", "office.reason", "office.reason_hint"),)
WHAT_IF = (
    Field("change.file", "text", "adjust.file", "adjust.file_hint"),
    Field("change.key", "text", "adjust.key", "adjust.key_hint"),
    Field("change.from_date", "date", "adjust.from_date", "format.day_hint"),
    Field("change.to_date", "date", "adjust.to_date", "adjust.to_date_hint", required=False),
    Field("change.value", "text", "adjust.value", "adjust.value_hint"),
    Field("sample_size", "digits", "adjust.sample", "adjust.sample_hint", required=False),
    Field("person_id", "text", "adjust.person", "adjust.person_hint", required=False),
)
# What may be done next: state → action → the roles that the API lets in.
_CLERK, _SUPERVISOR = frozenset({"CLERK"}), frozenset({"SUPERVISOR"})
_BOTH = _CLERK | _SUPERVISOR
NEXT: Mapping[str, Mapping[str, frozenset[str]]] = {
    "DRAFT": {"dry-run": _CLERK, "discard": _BOTH},
    "DRY_RUN": {"approve": _SUPERVISOR, "dry-run": _CLERK, "discard": _BOTH},
    "APPROVED": {"start": _BOTH, "discard": _BOTH},
    "DONE": {"reverse": _BOTH},
}
ACTIONS = frozenset(action for states in NEXT.values() for action in states)
_YEARS = re.compile(r"(\d{1,2}|\*)\s+(\d{1,6}(?:\.\d{1,4})?)", re.ASCII)
_AGES = re.compile(r"(\d{1,3})\s*-\s*(\d{0,3})\s+(\d{1,6}(?:\.\d{2})?)", re.ASCII)
_ADJUSTMENT = re.compile(r"adj_[0-9a-f]{32}", re.ASCII)
_POST = ("GET", "POST")


async def adjustments(visit: Visit) -> Response:
    """Every adjustment and new computation; a clerk makes one from the law, or from the demonstration's terms."""
    action, key = visit.form.get("action", ""), visit.form.get("key", "")

    async def create(body: dict[str, Any]) -> Any:
        asked = {"year": whole(visit, "year", body["year"]), "kinds": [body["kind"]], "source": body["source"]}
        return await visit.post("/v1/adjustments", asked, key=key, purpose=PURPOSE)

    async def notice(body: dict[str, Any]) -> Any:
        asked = {"year": whole(visit, "year", body["year"]), "kinds": [body["kind"]], "source": f"{_SOURCE}NOTICE"}
        asked |= {"notice_no": body["notice_no"], "amounts": amounts_of(visit, body.get("amounts", {}))}
        return await visit.post("/v1/adjustments", asked, key=key, purpose=PURPOSE)

    async def recompute(body: dict[str, Any]) -> Any:
        return await visit.post("/v1/adjustments:recompute", body, key=key, purpose=PURPOSE)

    known = {"year": str(visit.today().year), "kind": PENSIONS[0], "source": f"{_SOURCE}POLICY"}
    created = await sent(visit, CREATE, create, known=known, mine=action == "create")
    noticed = await sent(visit, NOTICE, notice, known=known, mine=action == "notice")
    again = await sent(visit, RECOMPUTE, recompute, mine=action == "recompute")
    made = created.answer or noticed.answer or again.answer
    if made is not None:
        return visit.go(f"/desk/adjustments/{made['adjustment']['adjustment_id']}")
    wrong = next((one for one in (created, noticed, again) if one.problem), created)
    problem = wrong.problem
    found = await visit.get("/v1/adjustments", purpose=PURPOSE, page_size=50, page_token=visit.query.get("page", ""))
    is_clerk = "CLERK" in visit.roles
    return visit.render(
        "office/adjustments.html",
        problem.status if problem else 200,
        rows=found["adjustments"],
        following=found["next_page_token"],
        create=created.filled if is_clerk else None,
        notice=noticed.filled if is_clerk else None,
        again=again.filled if is_clerk else None,
        wrong=wrong.filled,
        may_ask="AUDITOR" not in visit.roles,
        action=action if problem else "",
        problem=problem,
    )


def amounts_of(visit: Visit, given: Mapping[str, str]) -> dict[str, Any]:
    """The amounts of a notice as the API takes them; bands are typed a line each.

    Raises:
        ApiProblem: A line is no band; beside its field.
    """
    found: dict[str, Any] = {name: value for name, value in given.items() if name not in {"per_year", "tilt"}}
    for name, shape in (("per_year", _YEARS), ("tilt", _AGES)):
        for line in filter(None, (line.strip() for line in given.get(name, "").splitlines())):
            match = shape.fullmatch(line)
            if match is None:
                wrong = {"pointer": f"/amounts/{name}", "detail": visit.t("adjust.line_wrong", line=line)}
                raise ApiProblem(BAD_REQUEST, "", visit.t("error.title"), errors=[wrong])
            found.setdefault(name, []).append(
                _year_band(*match.groups()) if shape is _YEARS else _age_band(*match.groups())
            )
    return found


def _year_band(upto: str, amount: str) -> dict[str, Any]:
    return {"amount": amount} if upto == "*" else {"upto_years": int(upto), "amount": amount}


def _age_band(first: str, last: str, amount: str) -> dict[str, Any]:
    amount = amount if "." in amount else f"{amount}.00"
    return {"age_from": int(first), "amount": amount} | ({"age_to": int(last)} if last else {})


async def what_if(visit: Visit) -> Response:
    """Ask what another value of a parameter would mean: a dry run that changes nothing."""

    async def ask(body: dict[str, Any]) -> Any:
        asked = {"change": body["change"], "sample_size": whole(visit, "sample_size", body.get("sample_size", "0"))}
        asked |= {"person_id": body["person_id"]} if body.get("person_id") else {}
        return await visit.post("/v1/adjustments:what-if", asked, key=visit.form.get("key", ""), purpose=PURPOSE)

    known = {
        "change.file": "pension-employee.yaml",
        "change.key": "basic_rate_per_year",
        "change.from_date": visit.today().replace(month=1, day=1).isoformat(),
    }
    asked = await sent(visit, WHAT_IF, ask, known=known)
    if asked.answer is not None:
        return visit.go(f"/desk/adjustments/{asked.answer['adjustment']['adjustment_id']}")
    return visit.render("office/what_if.html", asked.status, filled=asked.filled, problem=asked.problem)


async def adjustment(visit: Visit) -> Response:
    """One of them: its amounts, what the dry run found with samples old and new, approval, run, reversal."""
    number = visit.request.path_params["adjustment_id"]
    if not _ADJUSTMENT.fullmatch(number):
        return visit.render("missing.html", 404)
    path, action = f"/v1/adjustments/{number}", visit.form.get("action", "")

    async def do(body: dict[str, Any]) -> Any:
        if action in {"approve", "reverse"}:
            body |= {"digest": visit.form.get("digest", "")}
        return await visit.post(f"{path}:{action}", body, key=visit.form.get("key", ""), purpose=PURPOSE)

    moved = await sent(visit, REASON if action == "reverse" else (), do, mine=action in ACTIONS)
    if moved.answer is not None:
        return visit.go(f"/desk/adjustments/{number}?done={action}")
    one = (await visit.get(path, purpose=PURPOSE))["adjustment"]
    impact = one.get("result") or one.get("impact")
    overpaid = None
    if one["state"] in {f"{_STATE}REVERSED", f"{_STATE}DONE"} and (impact or {}).get("overpaid", "0.00") != "0.00":
        overpaid = await visit.get(
            f"{path}/overpayments", purpose=PURPOSE, page_size=50, page_token=visit.query.get("page", "")
        )
    shown = jobs.shown(one["job"]) if one.get("job", {}).get("job_id") else None
    is_running = bool(shown and shown["is_running"])
    done = visit.query.get("done", "")
    reverse = moved.filled if action == "reverse" else (await sent(visit, REASON, do, mine=False)).filled
    allowed = NEXT.get(one["state"].removeprefix(_STATE), {})
    if one["purpose"] == "ADJUSTMENT_PURPOSE_WHAT_IF":
        allowed = {name: roles for name, roles in allowed.items() if name == "discard"}
    return visit.render(
        "office/adjustment.html",
        moved.status,
        one=one,
        shown=shown,
        impact=impact,
        bands=_by_dimension(impact),
        samples=[_sample(visit, sample) for sample in (impact or {}).get("samples", [])],
        overpaid=overpaid,
        following=overpaid["next_page_token"] if overpaid else "",
        actions=[name for name, roles in allowed.items() if roles & visit.roles] if not is_running else [],
        reverse=reverse,
        seen=visit.form.get("digest", ""),
        done=done if done in ACTIONS else "",
        problem=moved.problem,
    )


def _by_dimension(impact: Mapping[str, Any] | None) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for band in (impact or {}).get("bands", []):
        found.setdefault(band["dimension"], []).append(band)
    return found


def _sample(visit: Visit, sample: Mapping[str, Any]) -> dict[str, Any]:
    before, after = sample.get("statement_before"), sample.get("statement_after")
    return {
        **sample,
        "after_statement": explained(after, visit.t),
        "rows": side_by_side(before, after, visit.language) if before else [],
    }


PAGES = (
    Page("/desk/adjustments", adjustments, STAFF, acr=2, methods=_POST),
    Page("/desk/adjustments/what-if", what_if, _BOTH, acr=2, methods=_POST),
    Page("/desk/adjustments/{adjustment_id}", adjustment, STAFF, acr=2, methods=_POST),
)
