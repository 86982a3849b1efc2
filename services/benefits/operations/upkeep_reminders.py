"""Reminders of certifications (认证提醒) as a job: each due day of a benefit gets one, written a run at a time.

What is written waits for the adapter that sends it; a job that runs again, or twice at once, writes nothing twice.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from chassis import jobs
from chassis.jobs import ChunkResult, JobKind
from services.benefits.store import upkeep as store
from services.benefits.upkeep import Task

if TYPE_CHECKING:
    from chassis.jobs import Chunk, Job
    from chassis.transaction import Transaction
    from services.benefits.policy import BenefitsPolicy

CHUNK = 5_000  # one statement


def job(policy: BenefitsPolicy, *, size: int = CHUNK) -> JobKind:
    """The job: its first chunk plans, the others write a run each."""
    return JobKind(Task.REMINDERS.value, partial(_chunk, policy=policy, size=size))


async def _chunk(tx: Transaction, job_: Job, chunk: Chunk, *, policy: BenefitsPolicy, size: int) -> ChunkResult:
    day = job_.business_date
    schemes, terms = policy.certification.schemes.on(day).value, policy.certification.terms(day)
    if "last" not in chunk.params:
        runs = await store.reminder_runs(tx, schemes, terms, day, size)
        if runs:
            await jobs.add_chunks(tx, job_.id, runs, row_count=sum(one["count"] for one in runs))
        return ChunkResult()
    after, last = UUID(chunk.params["after"]), UUID(chunk.params["last"])
    count = await store.add_reminders(tx, schemes, terms, day, after=after, last=last)
    tx.audit("reminders_written", detail={"count": str(count)})
    return ChunkResult(done=count, skipped=max(0, chunk.params["count"] - count))
