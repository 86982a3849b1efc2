"""Who draws a disability allowance and reaches the statutory age draws the pension (病残津贴转养老金), as a job.

Nothing turns by itself: the job prepares the determination in the name of who started it, with the account of the
allowance, and another person decides it as any other. What cannot be prepared yet, for want of the settled account for
example, is listed and comes with the next run.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from chassis import jobs
from chassis.jobs import ChunkResult, JobKind, Reject
from kernel import ids
from kernel.calendar import Month
from kernel.errors import Conflict, DomainError, Refused
from services.benefits.calculation import retirement_of
from services.benefits.commands import Payee, PreparePension
from services.benefits.kinds.disability import DisabilityFacts
from services.benefits.operations import preparing
from services.benefits.store import decisions
from services.benefits.store import upkeep as store
from services.benefits.upkeep import Task

if TYPE_CHECKING:
    from chassis.jobs import Chunk, Job
    from chassis.transaction import Transaction
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.store.rows import BenefitRow

CHUNK = 100  # determinations, each with some statements


def job(policy: BenefitsPolicy, *, size: int = CHUNK) -> JobKind:
    """The job: its first chunk plans, the others prepare the pensions of a run each."""
    return JobKind(Task.ALLOWANCES_TO_PENSIONS.value, partial(_chunk, policy=policy, size=size))


async def _chunk(tx: Transaction, job_: Job, chunk: Chunk, *, policy: BenefitsPolicy, size: int) -> ChunkResult:
    month = Month.parse(job_.params["month"])
    if "last" not in chunk.params:
        runs = await store.allowance_runs(tx, month, size)
        if runs:
            await jobs.add_chunks(tx, job_.id, runs, row_count=sum(one["count"] for one in runs))
        return ChunkResult()
    found = await store.allowances(tx, month, UUID(chunk.params["after"]), UUID(chunk.params["last"]))
    done, rejects = 0, []
    for place, benefit_id in enumerate(found):
        benefit = await decisions.benefit(tx, benefit_id)
        assert benefit is not None
        command = await _command(tx, benefit, month, policy)
        if command is None:
            continue
        try:
            async with tx.savepoint():
                await preparing.prepare_pension(tx, command, policy, maker=job_.params["maker"])
            done += 1
        except (Conflict, Refused) as error:
            rejects.append(_reject(place, benefit_id, error))
    tx.audit("pensions_proposed", detail={"count": str(done)})
    return ChunkResult(done=done, skipped=len(found) - done - len(rejects), rejects=rejects)


async def _command(tx: Transaction, benefit: BenefitRow, month: Month, policy: BenefitsPolicy) -> PreparePension | None:
    """The determination that takes the place of an allowance; none before the age, which few years may end it."""
    facts = DisabilityFacts.from_plain((await decisions.calculation(tx, benefit.digest)).inputs)
    statutory = retirement_of(facts.track, facts.birth, policy).statutory
    if month < statutory:
        return None
    payee, sealer = await decisions.payee(tx, benefit.payee_id), tx.database.sealer
    return PreparePension(
        person_id=benefit.person_id,
        retirement_month=statutory,
        track=facts.track,
        old_transitional=facts.old_transitional,
        payee=Payee(
            sealer.open_text("payee", "name", payee.payee_id, payee.name_sealed),
            sealer.open_text("payee", "account", payee.payee_id, payee.account_sealed),
        ),
    )


def _reject(place: int, benefit_id: UUID, error: DomainError) -> Reject:
    shown = ids.to_text("ben", benefit_id)
    return Reject(
        place + 1,
        error.reason,
        f"{shown}：已到法定退休年龄，暂不能核定养老金（{error.reason}），请处理后再办",
        f"{shown}: the statutory age is reached, and no pension can be prepared yet ({error.reason})",
    )
