"""The days that were begun for all cards, each with its job."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction

ONE_AT_A_TIME = 0x63646179  # two processes begin a day one after the other


async def job_of(tx: Transaction, day: date) -> UUID | None:
    """The job of a day; whoever asks may begin it, and nobody else meanwhile."""
    await tx.execute("SELECT pg_advisory_xact_lock($1)", ONE_AT_A_TIME)
    row = await tx.fetchrow("SELECT job_id FROM card_day WHERE day = $1", day)
    return row["job_id"] if row is not None else None


async def family_job_of(tx: Transaction, day: date) -> UUID | None:
    """The job of a day for family accounts; as `job_of`."""
    await tx.execute("SELECT pg_advisory_xact_lock($1)", ONE_AT_A_TIME)
    row = await tx.fetchrow("SELECT job_id FROM family_day WHERE day = $1", day)
    return row["job_id"] if row is not None else None


async def add_family(tx: Transaction, day: date, job_id: UUID) -> None:
    """A day was begun for family accounts."""
    await tx.execute("INSERT INTO family_day (day, job_id) VALUES ($1, $2)", day, job_id)


async def add(tx: Transaction, day: date, job_id: UUID) -> None:
    """A day was begun."""
    await tx.execute("INSERT INTO card_day (day, job_id) VALUES ($1, $2)", day, job_id)
