"""The monthly sweep (逾期未认证暂停): benefits without a certification in time are held back, as a job.

A chunk locks the benefits of its run that are overdue, looks again, and holds them back by the statements that hold one
back by hand. It says nothing twice: a benefit that is held is not overdue. Payrolls that lost payments are looked at
again when the job ends; until then their digests refuse every approval.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from chassis import jobs
from chassis.jobs import ChunkResult, JobKind
from kernel import ids
from kernel.calendar import Month
from services.benefits.domain import certification as law
from services.benefits.keeping import SuspendReason
from services.benefits.operations.keeping_suspending import ask_approvals, hold
from services.benefits.store import chunks, keeping_overdue, payrolls

if TYPE_CHECKING:
    from chassis.jobs import Chunk, Job
    from chassis.transaction import Transaction
    from services.benefits.policy import BenefitsPolicy

JOB = "certification_sweep"
CHUNK_BENEFITS = 500  # one event message of facts


async def start(tx: Transaction, policy: BenefitsPolicy) -> Job:
    """Start the sweep of this month; a second one finds what became overdue since.

    Raises:
        Refused: POLICY_PARAMETER_MISSING.
    """
    policy.certification.terms(tx.today)  # what is not known refuses here, not in every chunk
    job_id = await jobs.start(tx, JOB, params={"month": str(Month.of(tx.today))}, chunks=[{}])
    tx.audit("certification_sweep_started", detail={"job_id": ids.to_text("job", job_id)})
    return await jobs.get(tx, job_id)


def job(policy: BenefitsPolicy, *, size: int = CHUNK_BENEFITS) -> JobKind:
    """The job: its first chunk plans, the others hold a run of benefits each."""
    return JobKind(JOB, partial(_run_chunk, policy=policy, size=size), _finish)


async def _run_chunk(tx: Transaction, job_: Job, chunk: Chunk, *, policy: BenefitsPolicy, size: int) -> ChunkResult:
    month = Month.parse(job_.params["month"])
    day = job_.business_date
    schemes, terms = policy.certification.schemes.on(day).value, policy.certification.terms(day)
    before = law.good_from(day, terms)
    if "last" not in chunk.params:
        ends = await keeping_overdue.overdue_boundaries(tx, schemes, before, month, size)
        starts = [None, *(end for end, _ in ends)]
        runs = [
            {"after": str(after) if after else "", "last": str(last), "count": count}
            for after, (last, count) in zip(starts, ends, strict=False)  # nobody overdue: no run
        ]
        if runs:
            await jobs.add_chunks(tx, job_.id, runs, row_count=sum(count for _, count in ends))
        return ChunkResult()
    await chunks.by_key(tx)
    after = UUID(chunk.params["after"]) if chunk.params["after"] else None
    rows = await keeping_overdue.lock_overdue(tx, schemes, before, month, after=after, last=UUID(chunk.params["last"]))
    from_months = {row["benefit_id"]: law.assess(row["last_date"], day, terms).suspended_from for row in rows}
    count, changed = (
        await hold(tx, from_months, SuspendReason.CERTIFICATION_OVERDUE, ids.to_text("job", job_.id))
        if from_months
        else (0, set())
    )
    tx.audit("benefits_suspended", detail={"count": str(count), "payrolls": str(len(changed))})
    return ChunkResult(done=count, skipped=max(0, chunk.params["count"] - count))


async def _finish(tx: Transaction, job_: Job) -> None:
    stale = await payrolls.stale(tx)
    await ask_approvals(tx, stale)
    tx.audit("certification_sweep_done", detail={"job_id": ids.to_text("job", job_.id), "payrolls": str(len(stale))})
