"""Statements beside each other, and pensions that might be: what citizens and the office compare looks alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from services.gateway.portal.forms import Field, Filled
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.statements import explained

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.gateway.portal.visit import Visit

# Two plans in an address, so that they can be changed, kept and printed.
PLANS = ("one", "two")
_FIELDS = (
    Field("retirement_month", "month", "estimate.month", "estimate.month_hint", required=False),
    Field("future_base", "money", "estimate.base", "estimate.base_hint", required=False),
)
FIELDS = tuple(replace(field, name=f"{plan}.{field.name}") for plan in PLANS for field in _FIELDS)
_LATER = 12  # months that the second plan works longer unless it is told otherwise
_BAD_REQUEST = 400


@dataclass(frozen=True, slots=True)
class Row:
    """A line of one or both statements; the last row is the sum."""

    title: str
    first: str
    second: str
    difference: str
    is_sum: bool = False


def side_by_side(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None, language: str) -> list[Row]:
    """The lines of two statements by their codes, in the order of the first; lines of the second alone come after."""
    if not one or not other:
        return []
    first, second = ({line["code"]: line for line in found["lines"]} for found in (one, other))
    rows = []
    for code in dict.fromkeys([*first, *second]):
        line = first.get(code) or second[code]
        before, after = (str(found[code]["amount"]) if code in found else "" for found in (first, second))
        rows.append(
            Row(line["title_zh"] if language == "zh" else line["title_en"], before, after, _less(after, before))
        )
    return [*rows, Row("", one["total"], other["total"], _less(other["total"], one["total"]), is_sum=True)]


async def compared(visit: Visit, person_id: str, *, purpose: str = "") -> dict[str, Any]:
    """Two pensions of a person for what the address asks: the form as it stands, both results, and the rows.

    Without an answer in the address the first plan is the statutory month and the second twelve months later.
    """
    given = dict(visit.query)
    problem: ApiProblem | None = None
    result: Any = None
    retirement: Any = None
    try:
        retirement = (await visit.get(f"/v1/persons/{person_id}/retirement", purpose=purpose))["retirement"]
        if not any(given.get(field.name) for field in FIELDS):
            given |= _usual(retirement)
    except ApiProblem as refused:
        if refused.needs_login:
            raise
        problem = refused
    filled = Filled.of(FIELDS, given, visit.t)
    if problem is None:
        body = filled.body()
        plans = [{"employee": body.get(plan, {})} for plan in PLANS]
        try:
            asked = {"person_id": person_id, "scenarios": plans}
            result = await visit.post("/v1/benefits:compare", asked, purpose=purpose)
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused
            filled.blame(replace(refused, errors=[_placed(error) for error in refused.errors]))
    results = [_shown(visit, one) for one in result["results"]] if result else []
    rows = side_by_side(results[0]["statement"], results[1]["statement"], visit.language) if result else []
    return {
        "status": problem.status if problem and problem.status == _BAD_REQUEST else 200,
        "filled": filled,
        "problem": problem,
        "retirement": retirement,
        "results": results,
        "rows": rows,
        "notice": result[f"notice_{visit.language}"] if result else "",
    }


def _placed(error: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with a scenario of the API belongs to the plan of the form."""
    pointer = error.get("pointer", "")
    for number, plan in enumerate(PLANS):
        pointer = pointer.replace(f"/scenarios/{number}/employee", f"/{plan}")
    return {**error, "pointer": pointer}


def _usual(retirement: Mapping[str, Any]) -> dict[str, str]:
    statutory, latest = retirement["statutory_month"], retirement["latest_month"]
    year, month = (int(part) for part in statutory.split("-"))
    later = f"{year + _LATER // 12:04}-{month:02}"
    return {"one.retirement_month": statutory, "two.retirement_month": min(later, latest)}


def _shown(visit: Visit, result: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **result,
        "statement": explained(result.get("statement"), visit.t),
        "refusal": _refusal(visit, result["refusal_reason"], result["refusal_details"]),
    }


def _refusal(visit: Visit, reason: str, details: Sequence[str]) -> str:
    """Why a plan is not allowed, in words; empty where it is."""
    if not reason:
        return ""
    key = f"compare.refused_{reason}"
    if not visit.t.has(key):
        return " ".join((reason, *details))
    required = dict(detail.partition("=")[::2] for detail in details).get("required_months", "")
    more = visit.t("compare.required", months=required) if required else ""
    return f"{visit.t(key)} {more}".strip()


def _less(one: str, other: str) -> str:
    return f"{Decimal(one) - Decimal(other):.2f}" if one and other else ""
