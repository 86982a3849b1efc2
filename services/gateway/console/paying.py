"""Paying (发放): the payrolls of the months, their preparation and approval, the files to the bank and back."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from services.gateway.console.desk import STAFF
from services.gateway.portal import jobs
from services.gateway.portal.downloads import streamed
from services.gateway.portal.forms import Field
from services.gateway.portal.page import FILE_MAX, Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.sending import sent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

PAYROLL = re.compile(r"prl_[0-9a-f]{32}", re.ASCII)
SUPERVISOR = frozenset({"SUPERVISOR"})
MONTH = (Field("month", "month", "pay.month", "apply.month_hint"),)
DONE = frozenset({"approved", "file", "returns"})
_PAGE = 50
_POST = ("GET", "POST")


async def payrolls(visit: Visit) -> Response:
    """The payrolls of the months, newest first; a clerk prepares the next one."""

    async def prepare(body: dict[str, Any]) -> Any:
        return await visit.post("/v1/payrolls", body, key=visit.form.get("key", ""))

    today = visit.today().isoformat()[:7]
    made = await sent(visit, MONTH, prepare, known={"month": today})
    if made.answer is not None:
        return visit.go(f"/desk/payrolls/{made.answer['payroll']['payroll_id']}")
    found = await visit.get("/v1/payrolls", page_size=_PAGE, page_token=visit.query.get("page", ""))
    return visit.render(
        "office/payrolls.html",
        made.status,
        rows=found["payrolls"],
        following=found["next_page_token"],
        prepare=made.filled if "CLERK" in visit.roles else None,
        problem=made.problem,
    )


async def payroll(visit: Visit) -> Response:
    """One payroll: what it pays, what the gates found, the second person's approval, files to the bank and back."""
    number = visit.request.path_params["payroll_id"]
    if not PAYROLL.fullmatch(number):
        return visit.render("missing.html", 404)
    path, action, key = f"/v1/payrolls/{number}", visit.form.get("action", ""), visit.form.get("key", "")

    async def approve(_body: dict[str, Any]) -> Any:
        return await visit.post(f"{path}:approve", {"digest": visit.form.get("digest", "")}, key=key)

    async def make_file(_body: dict[str, Any]) -> Any:
        return await visit.post(f"{path}:make-file", {}, key=key)

    async def take(_body: dict[str, Any]) -> Any:
        if "file" not in visit.files:
            raise ApiProblem(400, "", visit.t("error.title"), visit.t("lists.file_missing"))
        return await visit.post(f"{path}:import-returns", await visit.upload("file"), key=key)

    approved = await sent(visit, (), approve, mine=action == "approve")
    made = await sent(visit, (), make_file, mine=action == "file")
    taken = await sent(visit, (), take, mine=action == "returns")
    if taken.answer is not None:
        return visit.go(f"/desk/returns/{taken.answer['return_id']}?payroll={number}")
    if approved.answer is not None or made.answer is not None:
        return visit.go(f"/desk/payrolls/{number}?done={'approved' if made.answer is None else 'file'}")
    problem = approved.problem or made.problem or taken.problem
    found, progress, evidence = await asyncio.gather(
        visit.get(path), visit.get(f"{path}/progress"), visit.get(f"{path}/evidence")
    )
    done = visit.query.get("done", "")
    return visit.render(
        "office/payroll.html",
        problem.status if problem else 200,
        one=found["payroll"],
        shown=jobs.shown(progress["job"]),
        kinds=progress["kinds"],
        file=progress.get("file"),
        file_shown=jobs.shown(progress["file"]["job"]) if progress.get("file") else None,
        returns=[{**one, "shown": jobs.shown(one["job"])} for one in progress["returns"]],
        gates=[
            {
                **one,
                "limits": limits(visit, one["terms"]),
                "found": one["blocked_count"] + one["warned_count"] + one["released_count"] > 0,
            }
            for one in sorted(evidence["gates"], key=lambda one: (-one["blocked_count"], -one["warned_count"]))
        ],
        seen=visit.form.get("digest", ""),
        taken=taken.filled,
        done=done if done in DONE else "",
        problem=problem,
    )


def limits(visit: Visit, terms: str) -> list[str]:
    """The limits of a gate in words: "jump_percent=30", or pairs of benefits of which one gives way."""
    found = []
    for term in terms.split():
        name, _, value = term.partition("=")
        gives_way, _, kept = term.partition("<")
        if kept:
            kinds = {"one": visit.t.word(f"BENEFIT_KIND_{gives_way}"), "other": visit.t.word(f"BENEFIT_KIND_{kept}")}
            found.append(visit.t("pay.limit_pair", **kinds))
        elif visit.t.has(f"pay.limit_{name}"):
            found.append(visit.t(f"pay.limit_{name}", value=value))
        else:
            found.append(term)
    return found


async def bank_file(visit: Visit) -> Response:
    """The file for the bank, byte for byte, with names and accounts; every part that is read is audited."""
    number = visit.request.path_params["payroll_id"]
    if not PAYROLL.fullmatch(number):
        return visit.render("missing.html", 404)
    progress = await visit.get(f"/v1/payrolls/{number}/progress")
    if not (progress.get("file") or {}).get("digest"):
        return visit.go(f"/desk/payrolls/{number}")
    path = f"/v1/payment-files/{progress['file']['file_id']}/content"
    first = await visit.get(path, part=1)

    async def parts() -> AsyncIterator[str]:
        found = first
        yield found["content"]
        while found["next_part"]:
            found = await visit.get(path, part=found["next_part"])
            yield found["content"]

    month = (await visit.get(f"/v1/payrolls/{number}"))["payroll"]
    return streamed(f"payments-{month['month']}-{month['sequence']}.csv", parts())


PAGES = (
    Page("/desk/payrolls", payrolls, STAFF, acr=2, methods=_POST),
    Page("/desk/payrolls/{payroll_id}", payroll, STAFF, acr=2, methods=_POST, file_max=FILE_MAX),
    Page("/desk/payrolls/{payroll_id}/payments.csv", bank_file, SUPERVISOR, acr=3),
)
