"""What an office works through: lists of what waits, how far a payroll is, and its jobs. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from chassis import jobs, paging
from kernel import ids
from services.benefits.bank_file import PLAIN
from services.benefits.lifecycle import PayrollState
from services.benefits.operations import queries
from services.benefits.operations.keeping_queries import REJECTS, JobShown
from services.benefits.operations.paying_bank import FileShown
from services.benefits.store import office, paying_bank

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg import Record

    from chassis.jobs import Job
    from chassis.paging import Page
    from chassis.transaction import Transaction

RETURNS = 50


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a payroll is, what it pays by kind, and its files."""

    job: Job
    kinds: Sequence[Record]
    file: FileShown | None
    returns: Sequence[tuple[Record, Job]]


async def determinations(tx: Transaction, state: str, *, size: int, token: str) -> tuple[Sequence[Record], str]:
    """A page of determinations in a state, and the token of the next.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=size, token=token, query=f"determinations {state}")
    rows = await office.determinations(tx, state, after=_after(page), limit=page.size + 1)
    return _listed(tx, page, rows, "determination_id")


async def releases(tx: Transaction, *, size: int, token: str) -> tuple[Sequence[Record], str]:
    """A page of releases that wait, and the token of the next.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=size, token=token, query="releases")
    return _listed(tx, page, await office.releases(tx, after=_after(page), limit=page.size + 1), "release_id")


async def suspended(tx: Transaction, reason: str, *, size: int, token: str) -> tuple[Sequence[Record], str]:
    """A page of benefits that are held back, and the token of the next.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=size, token=token, query=f"suspended {reason}")
    return _listed(tx, page, await office.suspended(tx, reason, after=_after(page), limit=page.size + 1), "benefit_id")


async def progress(tx: Transaction, payroll_id: UUID) -> Progress:
    """How far a payroll is and what was done with it.

    Raises:
        NotFound: PAYROLL_NOT_FOUND.
    """
    row = await queries.payroll(tx, payroll_id)
    file = await paying_bank.file_of(tx, payroll_id, PLAIN)
    returns = await office.returns_of(tx, payroll_id, limit=RETURNS)
    tx.audit(tx.method, detail={"payroll_id": ids.to_text("prl", payroll_id)})
    return Progress(
        await jobs.get(tx, row.job_id),
        [] if row.state is PayrollState.PREPARING else await office.kinds_of(tx, payroll_id),
        FileShown(file, await jobs.get(tx, file["job_id"])) if file else None,
        [(one, await jobs.get(tx, one["job_id"])) for one in returns],
    )


async def job(tx: Transaction, job_id: UUID) -> JobShown:
    """Any job of this service with the first rows that it did not take.

    Raises:
        NotFound: JOB_NOT_FOUND.
    """
    found = await jobs.get(tx, job_id)
    return JobShown(found, [one for _, one in await jobs.rejects(tx, job_id, limit=REJECTS)])


def _after(page: Page) -> UUID | None:
    return UUID(page.after) if page.after else None


def _listed(tx: Transaction, page: Page, rows: Sequence[Record], key: str) -> tuple[Sequence[Record], str]:
    """The page and the token of the next; that somebody looked is written down."""
    shown = rows[: page.size]
    tx.audit(tx.method, detail={"count": str(len(shown))})
    return shown, paging.following(tx, page, str(shown[-1][key])) if len(rows) > page.size else ""
