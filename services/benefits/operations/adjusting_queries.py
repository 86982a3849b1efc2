"""Reading changes of many amounts: a run with its job, what it left overpaid, and every amount of one benefit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from chassis import jobs, paging
from services.benefits.adjusting import timeline
from services.benefits.operations import queries
from services.benefits.operations.adjusting import found
from services.benefits.store import adjusting as store
from services.benefits.store import adjusting_amounts, decisions
from services.benefits.store.adjusting_amounts import StoredAmount

if TYPE_CHECKING:
    from chassis.jobs import Job
    from chassis.transaction import Transaction
    from services.benefits.adjusting_commands import PageOfRuns
    from services.benefits.calculation import Calculation
    from services.benefits.commands import PageOf
    from services.benefits.store.adjusting import Run
    from services.benefits.store.adjusting_amounts import Overpaid


@dataclass(frozen=True, slots=True)
class Shown:
    """A run with its job."""

    run: Run
    job: Job | None


@dataclass(frozen=True, slots=True)
class Runs:
    """A page of runs."""

    runs: list[Shown]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class Overpayments:
    """A page of what was paid too much."""

    overpaid: list[Overpaid]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class AmountShown(StoredAmount):
    """An amount with its calculation, and whether it counts for some month."""

    calculation: Calculation
    in_force: bool


async def shown(tx: Transaction, run: Run) -> Shown:
    """A run with its job."""
    return Shown(run, await jobs.get(tx, run.job_id) if run.job_id else None)


async def adjustment(tx: Transaction, adjustment_id: UUID) -> Shown:
    """A run.

    Raises:
        NotFound: ADJUSTMENT_NOT_FOUND.
    """
    return await shown(tx, await found(tx, adjustment_id))


async def adjustments(tx: Transaction, command: PageOfRuns) -> Runs:
    """Runs, newest first.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=command.size, token=command.token, query=f"adjustments {command.purpose or ''}")
    before = UUID(page.after) if page.after else None
    rows = await store.listed(tx, command.purpose, before=before, limit=page.size + 1)
    runs = [await shown(tx, one) for one in rows[: page.size]]
    token = paging.following(tx, page, str(runs[-1].run.adjustment_id)) if len(rows) > page.size else ""
    return Runs(runs, token)


async def overpayments(tx: Transaction, command: PageOf) -> Overpayments:
    """What a run leaves to be given back, by benefit; each person shown is audited.

    Raises:
        NotFound: ADJUSTMENT_NOT_FOUND.
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    run = await found(tx, command.owner_id)
    page = paging.read(tx, size=command.size, token=command.token, query=f"overpaid {run.text_id}")
    after = UUID(page.after) if page.after else None
    rows = await adjusting_amounts.overpaid(tx, run.adjustment_id, after=after, limit=page.size + 1)
    overpaid = rows[: page.size]
    for one in overpaid:
        tx.audit(tx.method, person_id=one.person_id)
    token = paging.following(tx, page, str(overpaid[-1].benefit_id)) if len(rows) > page.size else ""
    return Overpayments(overpaid, token)


async def amounts(tx: Transaction, benefit_id: UUID) -> list[AmountShown]:
    """Every amount that a benefit had, oldest first; that of another person is not found.

    Raises:
        NotFound: BENEFIT_NOT_FOUND.
    """
    await queries.benefit(tx, benefit_id)
    stored = await adjusting_amounts.amounts(tx, benefit_id)
    made = await decisions.calculations(tx, {one.digest for one in stored})
    in_force = {one.number for one in timeline(stored)}
    return [
        AmountShown(
            one.number,
            one.from_month,
            one.amount,
            one.digest,
            one.cause,
            one.cause_id,
            one.business_date,
            made[one.digest],
            one.number in in_force,
        )
        for one in stored
    ]
