"""Jobs: everything that touches more than a thousand rows, in chunks that survive a kill.

A chunk is one transaction: its rows, its facts, its audit row and "done" commit together. A service declares its kinds,
starts jobs inside the transaction of a command, and asks how far they are; `chassis.worker` does the work.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from chassis import paging
from chassis.telemetry import traceparent
from kernel import ids
from kernel.errors import NotFound, Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import date, datetime

    import asyncpg

    from chassis.transaction import Transaction

START = """
    INSERT INTO job (id, kind, params, business_date, started_by, total_count, traceparent)
    VALUES ($1, $2, $3::jsonb, $4, $5, $6, $7)
"""
ADD = """
    INSERT INTO job_chunk (job_id, number, params)
    SELECT $1::uuid, (SELECT coalesce(max(number), 0) FROM job_chunk WHERE job_id = $1::uuid) + one.ordinality,
           one.params
    FROM unnest($2::jsonb[]) WITH ORDINALITY AS one (params, ordinality)
"""
READ = """
    SELECT job.id, kind, job.params, job.state, business_date, started_by, total_count, job.message, traceparent,
           created, ended, count(chunk.number) AS chunk_count,
           coalesce(sum(done_count), 0)::bigint AS done_count,
           coalesce(sum(rejected_count), 0)::bigint AS rejected_count,
           coalesce(sum(skipped_count), 0)::bigint AS skipped_count
    FROM job LEFT JOIN job_chunk AS chunk ON chunk.job_id = job.id WHERE job.id = $1 GROUP BY job.id
"""
# The latest ones are chosen before their chunks are summed: a city's old jobs have chunks by the thousand. Ids are
# ordered by the time at which they were made.
LATEST = """
    SELECT job.id, job.kind, job.params, job.state, job.business_date, job.started_by, job.total_count, job.message,
           job.traceparent, job.created, job.ended, chunk_count, done_count, rejected_count, skipped_count
    FROM (
        SELECT * FROM job WHERE ($2 = '' OR kind = $2) AND ($3::uuid IS NULL OR id < $3) ORDER BY id DESC LIMIT $1
    ) AS job, LATERAL (
        SELECT count(*) AS chunk_count, coalesce(sum(done_count), 0)::bigint AS done_count,
               coalesce(sum(rejected_count), 0)::bigint AS rejected_count,
               coalesce(sum(skipped_count), 0)::bigint AS skipped_count
        FROM job_chunk WHERE job_id = job.id
    ) AS chunks
    ORDER BY job.id DESC
"""
REJECTS = """
    SELECT chunk, line, code, text_zh, text_en FROM job_reject
    WHERE job_id = $1 AND (chunk, line) > ($2::integer, $3::bigint) ORDER BY chunk, line LIMIT $4
"""
MOVE = """
    UPDATE job SET state = $2, message = $3, ended = CASE WHEN $2 = 'CANCELLED' THEN clock_timestamp() END
    WHERE id = $1 AND state = ANY($4::text[])
"""
REVIVE = """
    UPDATE job_chunk SET state = 'QUEUED', attempts = 0, due = clock_timestamp() WHERE job_id = $1 AND state = 'FAILED'
"""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands."""

    id: UUID
    kind: str
    params: Mapping[str, Any]
    state: str  # QUEUED, RUNNING, PAUSED, DONE, FAILED or CANCELLED
    business_date: date
    started_by: str
    total_count: int
    done_count: int
    rejected_count: int
    skipped_count: int
    chunk_count: int
    message: str
    traceparent: str
    created: datetime
    ended: datetime | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a job that commits as one."""

    number: int
    params: Mapping[str, Any]
    attempt: int


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that the job did not take."""

    line: int
    code: str
    text_zh: str
    text_en: str


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """What became of the rows of a chunk."""

    done: int = 0
    skipped: int = 0
    rejects: Sequence[Reject] = ()


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job and what its chunks do.

    Args:
        name: Name of the kind, for example "import_history".
        run_chunk: Does one chunk in the transaction given; may add further chunks.
        finish: Runs in the transaction that ends the job, after the last chunk.
    """

    name: str
    run_chunk: Callable[[Transaction, Job, Chunk], Awaitable[ChunkResult]]
    finish: Callable[[Transaction, Job], Awaitable[None]] | None = None


# -- inside a transaction of the service


async def start(
    tx: Transaction,
    kind: str,
    *,
    chunks: Sequence[Mapping[str, Any]],
    params: Mapping[str, Any] | None = None,
    total_count: int = 0,
) -> UUID:
    """Create a job with its chunks; it begins when this commits.

    Args:
        tx: The transaction of the command.
        kind: Name of a `JobKind`.
        chunks: What each chunk is told, as JSON; never personal data, which stays in the upload.
        params: What all chunks are told, as JSON.
        total_count: Rows in all, for progress.
    """
    job_id = ids.new_id()
    await tx.execute(
        START, job_id, kind, json.dumps(dict(params or {})), tx.today, tx.principal.subject, total_count, traceparent()
    )
    await add_chunks(tx, job_id, chunks)
    return job_id


async def add_chunks(tx: Transaction, job_id: UUID, chunks: Sequence[Mapping[str, Any]], *, row_count: int = 0) -> None:
    """Add chunks, and the rows in them, to a job that is not over; a planning chunk does so with what it found."""
    # The row of the job is locked by it, so numbers are drawn one after the other.
    await tx.execute("UPDATE job SET total_count = total_count + $2 WHERE id = $1", job_id, row_count)
    await tx.execute(ADD, job_id, [json.dumps(dict(chunk)) for chunk in chunks])
    tx.after_commit(tx.database.jobs_added.set)


async def get(tx: Transaction, job_id: UUID) -> Job:
    """A job and its progress.

    Raises:
        NotFound: JOB_NOT_FOUND.
    """
    row = await tx.fetchrow(READ, job_id)
    if row is None:
        raise NotFound("JOB_NOT_FOUND", "no such job")
    return job_of(row)


async def latest(tx: Transaction, limit: int, *, kind: str = "", before: UUID | None = None) -> list[Job]:
    """The jobs that were created last, newest first; of one kind, and before one, where these are given."""
    return [job_of(row) for row in await tx.fetch(LATEST, limit, kind, before)]


async def listed(tx: Transaction, kind: str, *, size: int, token: str) -> tuple[list[Job], str]:
    """A page of the jobs of a kind (of all where it is empty), newest first, and the token of the next.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=size, token=token, query=f"jobs {kind}")
    rows = await latest(tx, page.size + 1, kind=kind, before=UUID(page.after) if page.after else None)
    shown = rows[: page.size]
    tx.audit(tx.method, detail={"kind": kind, "count": str(len(shown))})
    return shown, paging.following(tx, page, str(shown[-1].id)) if len(rows) > page.size else ""


async def rejects(
    tx: Transaction, job_id: UUID, *, after: tuple[int, int] = (0, 0), limit: int = 100
) -> list[tuple[int, Reject]]:
    """Rejected rows with the number of their chunk, after (chunk, line), in order."""
    rows = await tx.fetch(REJECTS, job_id, *after, limit)
    return [(row["chunk"], Reject(row["line"], row["code"], row["text_zh"], row["text_en"])) for row in rows]


async def pause(tx: Transaction, job_id: UUID, *, reason: str = "") -> None:
    """Take no further chunk of a job; those that run end.

    Raises:
        Refused: JOB_NOT_RUNNING.
    """
    await _move(tx, job_id, "PAUSED", reason, ["QUEUED", "RUNNING"])


async def resume(tx: Transaction, job_id: UUID) -> None:
    """Go on with a paused job, or once more with a failed one.

    Raises:
        Refused: JOB_NOT_RUNNING: it is neither.
    """
    await _move(tx, job_id, "RUNNING", "", ["PAUSED", "FAILED"])
    await tx.execute(REVIVE, job_id)
    tx.after_commit(tx.database.jobs_added.set)


async def cancel(tx: Transaction, job_id: UUID, *, reason: str = "") -> None:
    """End a job for good; what its chunks did stays.

    Raises:
        Refused: JOB_NOT_RUNNING: it is over.
    """
    await _move(tx, job_id, "CANCELLED", reason, ["QUEUED", "RUNNING", "PAUSED", "FAILED"])


async def fail(tx: Transaction, job_id: UUID, reason: str) -> None:
    """End a job as failed from inside one of its chunks, whose own effects commit; the others find nothing to do."""
    await tx.execute(
        "UPDATE job SET state = 'FAILED', message = $2, ended = clock_timestamp() WHERE id = $1", job_id, reason
    )


async def _move(tx: Transaction, job_id: UUID, state: str, message: str, sources: Sequence[str]) -> None:
    if not await tx.execute(MOVE, job_id, state, message, list(sources)):
        found = await get(tx, job_id)
        raise Refused("JOB_NOT_RUNNING", f"a job that is {found.state} cannot become {state}", state=found.state)


def job_of(row: asyncpg.Record) -> Job:
    """A job from a row of `READ`."""
    return Job(**dict(row))
