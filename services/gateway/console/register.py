"""The register of persons for the office: what was true and known, duplicates, and what waits for a second person."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from services.gateway.console.desk import STAFF
from services.gateway.portal.forms import Field
from services.gateway.portal.page import Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.sending import sent

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

PURPOSE = "register keeping"  # what the audit row says
_PERSON = re.compile(r"per_[0-9a-f]{32}", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
EVIDENCE = (Field("evidence_ref", "text", "register.evidence", "register.evidence_hint"),)
UNMERGE = (Field("other_person_id", "text", "register.other", "register.other_hint"), *EVIDENCE)
# What a button of a pair does → whether the record on the left survives.
PAIR = {"merge-one": True, "merge-other": False, "dismiss": True}
_POST = ("GET", "POST")


async def history(visit: Visit) -> Response:
    """A person's record through time: all of it, as true on a day, as known on a day; a merger is undone here."""
    person_id = visit.request.path_params["person_id"]
    if not _PERSON.fullmatch(person_id):
        return visit.render("missing.html", 404)
    path = f"/v1/persons/{person_id}"
    given = {name: visit.query.get(name, "").strip().replace("/", "-") for name in ("as_of", "known_at")}
    wrong = any(value and not _DAY.fullmatch(value) for value in given.values())
    problem = ApiProblem(400, "", visit.t("office.day_wrong"), visit.t("format.day_hint")) if wrong else None

    async def unmerge(body: dict[str, Any]) -> Any:
        return await visit.post(f"{path}:unmerge", body, key=visit.form.get("key", ""), purpose=PURPOSE)

    undone = await sent(visit, UNMERGE, unmerge)
    if undone.answer is not None:
        return visit.go("/desk/person-requests?done=asked")
    person, found, death = await asyncio.gather(
        visit.get(path, purpose=PURPOSE),
        visit.get(f"{path}/history", purpose=PURPOSE, **({} if wrong else given)),
        _death(visit, path),
    )
    problem = problem or undone.problem
    return visit.render(
        "office/history.html",
        problem.status if problem else 200,
        person=person["person"],
        versions=found["versions"],
        death=death,
        given=given,
        unmerge=undone.filled if "CLERK" in visit.roles else None,
        problem=problem,
    )


async def _death(visit: Visit, path: str) -> Any:
    try:
        return await visit.get(f"{path}/death", purpose=PURPOSE)
    except ApiProblem as problem:
        if problem.needs_login:
            raise
        return None


async def duplicates(visit: Visit) -> Response:
    """Pairs that look like one person: merge them or say that they are two; a search for new ones is started here."""
    action = visit.form.get("action", "")
    problem: ApiProblem | None = None
    if action == "find":
        try:
            made = await visit.post("/v1/duplicate-persons:find", {}, key=visit.form.get("key", ""))
            return visit.go(f"/desk/jobs/{made['job']['job_id']}")
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused

    async def decide(body: dict[str, Any]) -> Any:
        one, other = visit.form.get("one", ""), visit.form.get("other", "")
        survivor, gone = (one, other) if PAIR[action] else (other, one)
        body |= {"other_person_id": gone}
        key = visit.form.get("key", "")
        if action == "dismiss":
            path, sends = "/v1/duplicate-persons:dismiss", {**body, "person_id": survivor}
        else:
            path, sends = f"/v1/persons/{survivor}:merge", body
        return await visit.post(path, sends, key=key, purpose=PURPOSE)

    decided = await sent(visit, EVIDENCE, decide, mine=action in PAIR)
    if decided.answer is not None:
        return visit.go(
            "/desk/duplicates?done=dismissed" if action == "dismiss" else "/desk/person-requests?done=asked"
        )
    problem = problem or decided.problem
    found = await visit.get(
        "/v1/duplicate-persons", purpose=PURPOSE, page_size=20, page_token=visit.query.get("page", "")
    )
    return visit.render(
        "office/duplicates.html",
        problem.status if problem else 200,
        pairs=found["duplicates"],
        following=found["next_page_token"],
        field_=EVIDENCE[0],
        filled=decided.filled,
        wrong_pair=visit.form.get("one", "") + visit.form.get("other", "") if decided.problem else "",
        may_merge="CLERK" in visit.roles,
        may=bool(visit.roles & {"CLERK", "SUPERVISOR"}),
        problem=problem,
        done=visit.query.get("done") == "dismissed",
    )


async def requests(visit: Visit) -> Response:
    """Changes, deaths and mergers that wait for a second person."""
    problem: ApiProblem | None = None
    action = visit.form.get("action", "")
    if action in {"approve", "reject"}:
        path = f"/v1/person-requests/{visit.form.get('person_request_id', '')}:decide"
        body = {"approve": action == "approve", "reason": visit.form.get("reason", "")}
        try:
            await visit.post(path, body, key=visit.form.get("key", ""), purpose=PURPOSE)
            return visit.go(f"/desk/person-requests?done={action}")
        except ApiProblem as refused:
            if refused.needs_login:
                raise
            problem = refused
    found = await visit.get("/v1/person-requests", page_size=50, page_token=visit.query.get("page", ""))
    done = visit.query.get("done", "")
    return visit.render(
        "office/person_requests.html",
        problem.status if problem else 200,
        rows=found["requests"],
        following=found["next_page_token"],
        may=bool(visit.roles & {"CLERK", "SUPERVISOR"}),
        problem=problem,
        done=done if done in {"asked", "approve", "reject"} else "",
    )


PAGES = (
    Page("/desk/people/{person_id}/history", history, STAFF, acr=2, methods=_POST),
    Page("/desk/duplicates", duplicates, STAFF, acr=2, methods=_POST),
    Page("/desk/person-requests", requests, STAFF, acr=2, methods=_POST),
)
