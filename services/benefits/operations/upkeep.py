"""Starting the daily jobs (日常批处理), and what the adapter of messages sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from chassis import jobs, paging
from kernel import ids
from kernel.calendar import Month
from kernel.errors import Forbidden, InvalidInput, NotFound
from services.benefits.operations import upkeep_allowances, upkeep_reminders, upkeep_residents
from services.benefits.store import upkeep as store
from services.benefits.upkeep import SENT_AT_ONCE, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.jobs import Job, JobKind, Reject
    from chassis.transaction import Transaction
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.store.upkeep import Reminder

REJECTS = 100


@dataclass(frozen=True, slots=True)
class JobShown:
    """A job with the first benefits that it could do nothing for."""

    job: Job
    rejects: Sequence[Reject]


def job_kinds(policy: BenefitsPolicy) -> list[JobKind]:
    """The daily jobs."""
    return [upkeep_residents.job(policy), upkeep_allowances.job(policy), upkeep_reminders.job(policy)]


async def start(tx: Transaction, task: Task, policy: BenefitsPolicy) -> Job:
    """Start a daily job for this month, or this day. What it prepares, it prepares in the caller's name.

    What prepares nothing the platform starts itself as well.

    Raises:
        Forbidden: NATURAL_PERSON_REQUIRED.
        Refused: POLICY_PARAMETER_MISSING.
    """
    if task is Task.REMINDERS:
        policy.certification.terms(tx.today)  # what is not known refuses here, not in every chunk
    prepares = task is Task.ALLOWANCES_TO_PENSIONS
    maker = tx.principal.acting_person if prepares or "SYSTEM" not in tx.principal.roles else ""
    params = {"month": str(Month.of(tx.today)), "maker": maker}
    job_id = await jobs.start(tx, task.value, params=params, chunks=[{}])
    tx.audit("upkeep_started", detail={"job_id": ids.to_text("job", job_id), "task": task.value})
    return await jobs.get(tx, job_id)


async def show(tx: Transaction, job_id: UUID) -> JobShown:
    """A daily job.

    Raises:
        NotFound: JOB_NOT_FOUND.
    """
    found = await jobs.get(tx, job_id)
    if found.kind not in set(Task):
        raise NotFound("JOB_NOT_FOUND", "no such job")
    return JobShown(found, [one for _, one in await jobs.rejects(tx, job_id, limit=REJECTS)])


async def list_reminders(tx: Transaction, *, size: int, token: str) -> tuple[Sequence[Reminder], str]:
    """A page of reminders that wait to be sent.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=size, token=token, query="reminders")
    after = UUID(page.after) if page.after else None
    rows = await store.waiting_reminders(tx, tx.today, after=after, limit=page.size + 1)
    shown = rows[: page.size]
    tx.audit(tx.method, detail={"count": str(len(shown))})
    return shown, paging.following(tx, page, str(shown[-1].reminder_id)) if len(rows) > page.size else ""


async def record_reminders(tx: Transaction, reminder_ids: Sequence[UUID], *, simulated: bool) -> int:
    """The adapter sent them; how many were new.

    Raises:
        InvalidInput: VALUE_REQUIRED.
        Forbidden: ADAPTER_SIMULATED: a simulator in production.
    """
    if not 1 <= len(reminder_ids) <= SENT_AT_ONCE:
        raise InvalidInput("VALUE_REQUIRED", f"1 to {SENT_AT_ONCE} reminders are named", field="reminder_ids")
    if simulated and tx.database.settings.is_prod:
        raise Forbidden("ADAPTER_SIMULATED", "a simulated adapter sends nothing in production")
    count = await store.record_sent(tx, reminder_ids, simulated=simulated)
    tx.audit("reminders_sent", detail={"count": str(count), "simulated": str(simulated).lower()})
    return count
