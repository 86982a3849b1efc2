"""The gateway's rows: grants and the test clock. The only SQL of this service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Grant:
    """The insured person behind a login."""

    subject: str
    person_id: UUID
    name_masked: str


async def find_grant(tx: Transaction, subject: str) -> Grant | None:
    """The grant of a login."""
    row = await tx.fetchrow("SELECT person_id, name_masked FROM person_grant WHERE subject = $1", subject)
    return Grant(subject, row["person_id"], row["name_masked"]) if row else None


async def keep_grant(tx: Transaction, grant: Grant) -> None:
    """Store a grant; a login that the provider now joins to another person is moved."""
    await tx.execute(
        """
        INSERT INTO person_grant (subject, person_id, name_masked, grant_time) VALUES ($1, $2, $3, $4)
        ON CONFLICT (subject) DO UPDATE
        SET person_id = excluded.person_id, name_masked = excluded.name_masked, grant_time = excluded.grant_time
        """,
        grant.subject,
        grant.person_id,
        grant.name_masked,
        tx.now,
    )


async def moved_day(tx: Transaction) -> date | None:
    """The business day to which the test clock was moved; None where it is the real day."""
    row = await tx.fetchrow("SELECT business_date FROM test_clock")
    return row["business_date"] if row else None


async def move_day(tx: Transaction, day: date | None) -> None:
    """Move the test clock, or put it back to the real day."""
    await tx.execute(
        """
        INSERT INTO test_clock (business_date, move_time) VALUES ($1, $2)
        ON CONFLICT (is_only) DO UPDATE SET business_date = excluded.business_date, move_time = excluded.move_time
        """,
        day,
        tx.now,
    )
