"""The books of benefits proved as a job: one chunk per rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis import jobs
from chassis.jobs import ChunkResult, JobKind, Reject
from kernel import ids
from services.benefits.store import books

if TYPE_CHECKING:
    from chassis.jobs import Chunk, Job
    from chassis.transaction import Transaction

JOB = "check_benefit_books"


async def check_books(tx: Transaction) -> Job:
    """Start to prove the books."""
    job_id = await jobs.start(
        tx, JOB, chunks=[{"rule": rule.code} for rule in books.RULES], total_count=len(books.RULES)
    )
    tx.audit("CheckBenefitBooks", detail={"job_id": ids.to_text("job", job_id)})
    return await jobs.get(tx, job_id)


def job_kind() -> JobKind:
    """The job that proves."""
    return JobKind(JOB, _run_chunk)


async def _run_chunk(tx: Transaction, _job: Job, chunk: Chunk) -> ChunkResult:
    rule = books.BY_CODE[chunk.params["rule"]]
    row = await tx.fetchrow(books.finding(rule))
    assert row is not None
    if row["count"] == 0:
        return ChunkResult(done=1)
    reject = Reject(
        chunk.number,
        rule.code,
        f"{rule.zh}：共 {row['count']} 处，第一处 {row['first']}",
        f"{rule.en}: {row['count']} in all, the first is {row['first']}",
    )
    return ChunkResult(rejects=[reject])
