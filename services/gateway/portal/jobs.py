"""A long job as a page shows it: how far it is, what it did not take and why; every group of pages shows it alike."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from services.gateway.portal.downloads import as_csv, attachment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.responses import Response

    from services.gateway.portal.visit import Visit

JOB = re.compile(r"job_[0-9a-f]{32}", re.ASCII)
RUNNING = frozenset({"JOB_STATE_QUEUED", "JOB_STATE_RUNNING"})
TONES = {
    "JOB_STATE_DONE": "good",
    "JOB_STATE_FAILED": "bad",
    "JOB_STATE_RUNNING": "brand",
    "JOB_STATE_PAUSED": "warn",
}
_PAGE = 200
_ROWS_MAX = 20_000  # rows of a file that may all be rejected


def percent_done(job: Mapping[str, Any]) -> int:
    """Share of a job's rows that are through, whatever became of them; what has ended well is through."""
    through = job["done_count"] + job["rejected_count"] + job["skipped_count"]
    if job["state"] == "JOB_STATE_DONE":
        return 100
    return int(min(100, 100 * through // job["total_count"])) if job["total_count"] else 0


def shown(job: Mapping[str, Any], rejects: Sequence[Mapping[str, Any]] = (), following: str = "") -> dict[str, Any]:
    """A job as the macros `job_panel` and `reject_table` take it."""
    return {
        "job": job,
        "percent": percent_done(job),
        "tone": TONES.get(job["state"], ""),
        "is_running": job["state"] in RUNNING,
        "rejects": rejects,
        "following": following,
        "codes": sorted({one["code"] for one in rejects}),
    }


async def benefit_job_of(visit: Visit, job_id: str) -> dict[str, Any]:
    """A job of the benefits with its first rejects; raises ApiProblem."""
    found = await visit.get(f"/v1/benefit-jobs/{job_id}")
    return shown(found["job"], found["rejects"])


async def job_of(visit: Visit, job_id: str) -> dict[str, Any]:
    """A job of the register with its first rejects; raises ApiProblem."""
    token = visit.query.get("page", "")
    path = f"/v1/enrollment-jobs/{job_id}"
    found, rejects = await asyncio.gather(
        visit.get(path), visit.get(f"{path}/rejects", page_size=_PAGE, page_token=token)
    )
    return shown(found["job"], rejects["rejects"], rejects["next_page_token"])


async def rejects_csv(visit: Visit, job_id: str) -> Response:
    """All rejected rows with line, reason and text, to be worked through in a spreadsheet; raises ApiProblem."""
    path, token = f"/v1/enrollment-jobs/{job_id}/rejects", ""
    rows: list[tuple[Any, ...]] = []
    while len(rows) < _ROWS_MAX:
        found = await visit.get(path, page_size=_PAGE, page_token=token)
        rows += [(one["line"], one["code"], one[f"text_{visit.language}"]) for one in found["rejects"]]
        token = found["next_page_token"]
        if not token:
            break
    return _rejects_file(visit, job_id, rows)


def rejects_file(visit: Visit, job_id: str, rejects: Sequence[Mapping[str, Any]]) -> Response:
    """Rejected rows that are at hand, as a file."""
    rows = [(one["line"], one["code"], one[f"text_{visit.language}"]) for one in rejects]
    return _rejects_file(visit, job_id, rows)


def _rejects_file(visit: Visit, job_id: str, rows: Sequence[tuple[Any, ...]]) -> Response:
    heads = [visit.t(key) for key in ("job.line", "job.code", "job.reason")]
    return attachment(f"rejected-{job_id[-8:]}.csv", as_csv(heads, rows))
