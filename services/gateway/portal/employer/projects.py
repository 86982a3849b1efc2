"""Construction projects (同舟计划): register one with its premium, its roster and its end; who is covered on a day."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from services.gateway.portal.employer.desk import CLERK, EMPLOYER, PURPOSE, STAFF, employer_id, employer_of
from services.gateway.portal.forms import Field
from services.gateway.portal.page import Page
from services.gateway.portal.sending import sent
from services.gateway.portal.statements import explained

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

_PROJECT = re.compile(r"prj_[0-9a-f]{32}", re.ASCII)
NEW = (
    Field("permit_no", "text", "project.permit_no", "project.permit_no_hint"),
    Field("name", "text", "project.name"),
    Field("contract_price", "money", "project.price", "project.price_hint"),
    Field("start_date", "date", "project.start", "format.day_hint"),
    Field("planned_date", "date", "project.planned", "format.day_hint"),
)
WORKER = (
    Field("name", "name", "counter.name"),
    Field("id_no", "id_no", "counter.id_no", "counter.id_no_hint"),
    Field("from_date", "date", "project.from_date", "format.day_hint"),
)
END = (Field("completion_date", "date", "project.completion", "format.day_hint"),)


async def projects(visit: Visit) -> Response:
    """Open a project by its number, or register one."""
    if not employer_id(visit):
        return visit.render("missing.html", 404)
    given = visit.query.get("project", "").strip()
    if _PROJECT.fullmatch(given):
        return visit.go(f"/employers/{employer_id(visit)}/projects/{given}")

    async def register(body: dict[str, Any]) -> Any:
        return await visit.post(
            "/v1/projects", {**body, "employer_id": employer_id(visit)}, key=visit.form.get("key", "")
        )

    done = await sent(visit, NEW, register)
    if done.answer is not None:
        return visit.go(f"/employers/{employer_id(visit)}/projects/{done.answer['project']['project_id']}?done=new")
    return visit.render(
        "employer/projects.html",
        done.status,
        employer=await employer_of(visit),
        given=given,
        filled=done.filled if visit.roles & CLERK else None,
        problem=done.problem,
    )


async def project(visit: Visit) -> Response:
    """One project; a form on it adds a worker or ends it and comes back here."""
    project_id = visit.request.path_params["project_id"]
    if not employer_id(visit) or not _PROJECT.fullmatch(project_id):
        return visit.render("missing.html", 404)
    path, action = f"/v1/projects/{project_id}", visit.form.get("action", "")

    async def add(body: dict[str, Any]) -> Any:
        return await visit.post(f"{path}:add-worker", body, key=visit.form.get("key", ""))

    async def complete(body: dict[str, Any]) -> Any:
        return await visit.post(f"{path}:complete", body, key=visit.form.get("key", ""))

    worker = await sent(visit, WORKER, add, mine=action == "worker")
    end = await sent(visit, END, complete, mine=action == "end")
    if worker.answer is not None or end.answer is not None:
        return visit.go(f"{visit.path}?done={action}")
    employer, found = await asyncio.gather(employer_of(visit), visit.get(path))
    shown = found["project"]
    on, cover = visit.query.get("on", "").strip(), None
    if on and visit.roles & STAFF:
        cover = await visit.get(f"{path}/cover", purpose=PURPOSE, day=on)
    problem = worker.problem or end.problem
    done = visit.query.get("done", "")
    return visit.render(
        "employer/project.html",
        problem.status if problem else 200,
        employer=employer,
        project=shown,
        statement=explained(shown.get("statement"), visit.t),
        worker=worker.filled,
        end=end.filled,
        may="completion_date" not in shown and bool(visit.roles & {"CLERK", "EMPLOYER_AGENT"}),
        on=on,
        cover=cover,
        wrong=worker.filled if worker.problem else end.filled,
        problem=problem,
        done=done if done in {"new", "worker", "end"} else "",
    )


_POST = ("GET", "POST")
PAGES = (
    Page("/employers/{employer_id}/projects", projects, EMPLOYER, acr=2, methods=_POST),
    Page("/employers/{employer_id}/projects/{project_id}", project, EMPLOYER, acr=2, methods=_POST),
)
