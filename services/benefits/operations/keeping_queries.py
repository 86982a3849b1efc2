"""What is only shown of running benefits: how they were held back, what was paid too much, who draws twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from chassis import jobs, paging
from kernel.calendar import Month
from kernel.errors import NotFound
from kernel.money import Money
from services.benefits.domain import backpay
from services.benefits.keeping import benefit_not_found, recovery_not_found
from services.benefits.operations import keeping_import, keeping_recovery, keeping_sweep, paying_books
from services.benefits.operations.determinations import known_person
from services.benefits.store import decisions, keeping, keeping_held, keeping_plans, keeping_recoveries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg import Record

    from chassis.jobs import Job, Reject
    from chassis.transaction import Transaction
    from services.benefits.keeping import Repay
    from services.benefits.store.keeping_plans import PlanShown
    from services.benefits.store.keeping_recoveries import Recovery

REJECTS = 200


@dataclass(frozen=True, slots=True)
class BenefitKept:
    """When a benefit was held back, and the changes of its account."""

    suspensions: Sequence[Record]
    payees: Sequence[Record]


@dataclass(frozen=True, slots=True)
class RecoveryShown:
    """A recovery with its plan, what the plan has asked for by now, and what came back."""

    recovery: Recovery
    plan: PlanShown | None = None
    entries: Sequence[Record] = ()
    due_now: Money = Money.ZERO
    last_month: Month | None = None


@dataclass(frozen=True, slots=True)
class Recoveries:
    """Recoveries of a person, or a page of those that are open."""

    recoveries: Sequence[RecoveryShown]
    balance: Money
    next_page_token: str = ""


@dataclass(frozen=True, slots=True)
class JobShown:
    """A job and the first rows that it did not take."""

    job: Job
    rejects: Sequence[Reject]


async def benefit_kept(tx: Transaction, benefit_id: UUID) -> BenefitKept:
    """How a benefit was kept.

    Raises:
        NotFound: BENEFIT_NOT_FOUND.
    """
    row = await decisions.benefit(tx, benefit_id)
    if row is None:
        raise benefit_not_found()
    tx.audit(tx.method, person_id=row.person_id)
    return BenefitKept(await keeping_held.suspensions(tx, benefit_id), await keeping.payees(tx, benefit_id))


async def recovery(tx: Transaction, recovery_id: UUID) -> RecoveryShown:
    """A recovery.

    Raises:
        NotFound: RECOVERY_NOT_FOUND.
    """
    found = await keeping_recoveries.recovery(tx, recovery_id)
    if found is None:
        raise recovery_not_found()
    tx.audit(tx.method, person_id=found.person_id)
    return await shown(tx, found)


async def shown(tx: Transaction, found: Recovery) -> RecoveryShown:
    """A recovery with everything about it."""
    plan = await keeping_plans.plan_of(tx, found.recovery_id)
    entries = await keeping_recoveries.entries(tx, found.recovery_id)
    if plan is None:
        return RecoveryShown(found, None, entries)
    instalments = backpay.plan_recovery(
        plan.total, offset=Money.ZERO, instalment=plan.monthly, first=plan.first_month
    ).instalments
    now = Month.of(tx.today)
    due = Money.total(one.amount for one in instalments if one.month <= now)
    return RecoveryShown(found, plan, entries, due, instalments[-1].month)


async def repaid(tx: Transaction, command: Repay) -> RecoveryShown:
    """Money came back; the recovery as it stands then.

    Raises:
        DomainError: As `keeping_recovery.repay`.
    """
    return await shown(tx, await keeping_recovery.repay(tx, command))


async def person_recoveries(tx: Transaction, person_id: UUID) -> Recoveries:
    """Everything that a person was paid too much.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    await known_person(tx, person_id)
    if tx.principal.is_staff:
        tx.audit(tx.method, person_id=person_id)
    found = await keeping_recoveries.of_person(tx, person_id)
    return Recoveries([await shown(tx, one) for one in found], Money.total(one.balance for one in found))


async def open_recoveries(tx: Transaction, *, size: int, token: str) -> Recoveries:
    """A page of what is still owed.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=size, token=token, query="open recoveries")
    rows = await keeping_recoveries.open_page(tx, after=UUID(page.after) if page.after else None, limit=page.size + 1)
    some = rows[: page.size]
    tx.audit(tx.method, detail={"count": str(len(some))})
    following = paging.following(tx, page, str(some[-1].recovery_id)) if len(rows) > page.size else ""
    return Recoveries([RecoveryShown(one) for one in some], Money.total(one.balance for one in some), following)


async def doubles(tx: Transaction, *, size: int, token: str) -> tuple[Sequence[Record], str]:
    """A page of persons who draw what excludes one another, and the token of the next.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=size, token=token, query="double benefits")
    rows = await keeping.doubles(tx, after=UUID(page.after) if page.after else None, limit=page.size + 1)
    some = rows[: page.size]
    tx.audit(tx.method, detail={"count": str(len(some))})
    return some, paging.following(tx, page, str(some[-1]["root_id"])) if len(rows) > page.size else ""


async def job(tx: Transaction, job_id: UUID) -> JobShown:
    """A job that certifies, holds back or proves the books.

    Raises:
        NotFound: JOB_NOT_FOUND.
    """
    found = await jobs.get(tx, job_id)
    if found.kind not in {keeping_import.JOB, keeping_sweep.JOB, paying_books.JOB}:
        raise NotFound("JOB_NOT_FOUND", "no such job")
    return JobShown(found, [one for _, one in await jobs.rejects(tx, job_id, limit=REJECTS)])
