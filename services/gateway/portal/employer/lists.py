"""Lists by file: who comes and leaves (增减员), wages of the year (基数申报); template, upload, and every verdict."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.gateway.portal import jobs
from services.gateway.portal.downloads import as_csv, attachment
from services.gateway.portal.employer.desk import CLERK, employer_id, employer_of
from services.gateway.portal.forms import Field
from services.gateway.portal.page import FILE_MAX, Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.sending import sent

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of list: where it is sent, its modes, and the columns of its template with one row as an example."""

    path: str
    modes: tuple[str, ...]
    columns: tuple[str, ...]
    examples: tuple[tuple[str, ...], ...]


# The example rows hold an invented number of region 990000, which belongs to nobody.
_NUMBER = "990000199001010017"
KINDS: dict[str, Kind] = {
    "roster": Kind(
        "/v1/roster-imports",
        ("ROSTER_MODE_PARTIAL", "ROSTER_MODE_ALL_OR_NOTHING"),
        ("action", "name", "id_no", "month", "wage", "post", "end_reason"),
        (("add", _NUMBER, "6500.00", "production", ""), ("end", _NUMBER, "", "", "resigned")),
    ),
    "wages": Kind(
        "/v1/wage-declarations",
        ("DECLARATION_MODE_PARTIAL", "DECLARATION_MODE_ALL_OR_NOTHING"),
        ("name", "id_no", "from_month", "wage"),
        ((_NUMBER, "8600.00"),),
    ),
}


async def upload(visit: Visit) -> Response:
    """How the list is made, its template, and the upload."""
    name = visit.request.path_params["kind"]
    kind = KINDS.get(name)
    if kind is None or not employer_id(visit):
        return visit.render("missing.html", 404)
    fields = (Field("mode", "choice", "lists.mode", choices=kind.modes),)

    async def start(body: dict[str, Any]) -> Any:
        if "file" not in visit.files:
            raise ApiProblem(400, "", visit.t("error.title"), visit.t("lists.file_missing"))
        stored = await visit.upload("file")
        return await visit.post(
            kind.path, {**stored, **body, "employer_id": employer_id(visit)}, key=visit.form.get("key", "")
        )

    done = await sent(visit, fields, start, known={"mode": kind.modes[0]})
    if done.answer is not None:
        return visit.go(f"/employers/{employer_id(visit)}/lists/jobs/{done.answer['job']['job_id']}")
    return visit.render(
        "employer/list.html",
        done.status,
        employer=await employer_of(visit),
        kind=name,
        columns=kind.columns,
        filled=done.filled,
        problem=done.problem,
    )


async def template(visit: Visit) -> Response:
    """The file to fill in: heads in the visitor's language, an example of every action, this month."""
    name = visit.request.path_params["kind"]
    kind = KINDS.get(name)
    if kind is None:
        return visit.render("missing.html", 404)
    person, month = visit.t("lists.example_name"), visit.today().isoformat()[:7]
    rows = []
    for example in kind.examples:
        row = list(example)
        if name == "roster":
            row[1:1] = [person]
            row[3:3] = [month]
        else:
            row[0:0] = [person]
            row[2:2] = [month]
        rows.append(row)
    # The register reads Chinese heads or English ones, never a mixture.
    heads = [visit.t(f"lists.column_{column}") for column in kind.columns] if visit.language == "zh" else kind.columns
    return attachment(f"template-{name}.csv", as_csv(heads, rows))


async def job(visit: Visit) -> Response:
    """How far the list is, and the verdict of every row that was not taken."""
    job_id = visit.request.path_params["job_id"]
    if not employer_id(visit) or not jobs.JOB.fullmatch(job_id):
        return visit.render("missing.html", 404)
    employer, shown = await asyncio.gather(employer_of(visit), jobs.job_of(visit, job_id))
    return visit.render("employer/job.html", employer=employer, shown=shown)


async def job_csv(visit: Visit) -> Response:
    """The rows that were not taken, as a file."""
    job_id = visit.request.path_params["job_id"]
    if not jobs.JOB.fullmatch(job_id):
        return visit.render("missing.html", 404)
    return await jobs.rejects_csv(visit, job_id)


_POST = ("GET", "POST")
PAGES = (
    Page("/employers/{employer_id}/lists/jobs/{job_id}", job, CLERK, acr=2),
    Page("/employers/{employer_id}/lists/jobs/{job_id}/rejects.csv", job_csv, CLERK, acr=2),
    Page("/employers/{employer_id}/lists/{kind}", upload, CLERK, acr=2, methods=_POST, file_max=FILE_MAX),
    Page("/employers/{employer_id}/lists/{kind}/template.csv", template, CLERK, acr=2),
)
