"""Files of the tax bureau: receipts in with the verdict of every row, the daily comparison, bills out."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from services.gateway.console.desk import STAFF
from services.gateway.portal import jobs
from services.gateway.portal.downloads import attachment
from services.gateway.portal.forms import Field
from services.gateway.portal.page import FILE_MAX, Page
from services.gateway.portal.public_api import ApiProblem
from services.gateway.portal.sending import sent

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

CLERK = frozenset({"CLERK"})
WHAT = (Field("what", "choice", "office.receipt_what", choices=("import_receipts", "compare_receipts")),)
PATHS = {"import_receipts": "/v1/receipt-files", "compare_receipts": "/v1/receipt-files:compare"}
MONTH = (Field("month", "month", "employer.month", "apply.month_hint"),)
TONES = {"ACCEPTED": "good", "REPEATED": "", "SUSPENSE": "warn", "REFUSED": "bad"}
_PREFIX = "ROW_VERDICT_"
_FILE = re.compile(r"fil_[0-9a-f]{32}", re.ASCII)
_POST = ("GET", "POST")


async def receipts(visit: Visit) -> Response:
    """Hand in a file of the bureau, or write the file of a month's open bills."""
    action = visit.form.get("action", "")

    async def take(body: dict[str, Any]) -> Any:
        if "file" not in visit.files:
            raise ApiProblem(400, "", visit.t("error.title"), visit.t("lists.file_missing"))
        stored = await visit.upload("file")
        return await visit.post(PATHS[body["what"]], stored, key=visit.form.get("key", ""))

    async def export(body: dict[str, Any]) -> Any:
        return await visit.post("/v1/bill-files", body, key=visit.form.get("key", ""))

    taken = await sent(visit, WHAT, take, known={"what": "import_receipts"}, mine=action == "receipts")
    if taken.answer is not None:
        job = taken.answer["job"]
        room = "receipts" if taken.filled.values["what"] == "import_receipts" else "jobs"
        return visit.go(f"/desk/{room}/{job['job_id']}")
    written = await sent(visit, MONTH, export, mine=action == "bills")
    if written.answer is not None:
        return visit.go(f"/desk/bill-files/{written.answer['file']['file_id']}")
    problem = taken.problem or written.problem
    return visit.render(
        "office/receipts.html",
        problem.status if problem else 200,
        taken=taken.filled,
        written=written.filled,
        wrong=taken.filled if taken.problem else written.filled,
        problem=problem,
    )


async def rows(visit: Visit) -> Response:
    """What became of every row of a file of receipts."""
    job_id = visit.request.path_params["job_id"]
    if not jobs.JOB.fullmatch(job_id):
        return visit.render("missing.html", 404)
    shown, found = await asyncio.gather(
        visit.get(f"/v1/enrollment-jobs/{job_id}"),
        visit.get(f"/v1/receipt-files/{job_id}/rows", page_size=100, page_token=visit.query.get("page", "")),
    )
    return visit.render(
        "office/receipt_rows.html",
        shown=jobs.shown(shown["job"]),
        rows=[{**one, "tone": TONES.get(one["verdict"].removeprefix(_PREFIX), "")} for one in found["rows"]],
        following=found["next_page_token"],
    )


async def bill_file(visit: Visit) -> Response:
    """A file of bills: its totals, and the way to save it."""
    file_id = visit.request.path_params["file_id"]
    if not _FILE.fullmatch(file_id):
        return visit.render("missing.html", 404)
    found = await visit.get(f"/v1/bill-files/{file_id}")
    return visit.render("office/bill_file.html", file=found["file"])


async def bill_file_csv(visit: Visit) -> Response:
    """The file itself, byte for byte."""
    file_id = visit.request.path_params["file_id"]
    if not _FILE.fullmatch(file_id):
        return visit.render("missing.html", 404)
    pieces, offset = [], 0
    while True:
        found = await visit.get(f"/v1/bill-files/{file_id}", offset=offset or None)
        pieces.append(found["content"])
        offset = found["next_offset"]
        if not offset:
            break
    return attachment(f"bills-{found['file']['month']}.csv", "".join(pieces).encode())


PAGES = (
    Page("/desk/receipts", receipts, CLERK, acr=2, methods=_POST, file_max=FILE_MAX),
    Page("/desk/receipts/{job_id}", rows, STAFF, acr=2),
    Page("/desk/bill-files/{file_id}", bill_file, STAFF, acr=2),
    Page("/desk/bill-files/{file_id}/content.csv", bill_file_csv, STAFF, acr=2),
)
