"""What two persons let pass a gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from uuid import UUID

    from asyncpg import Record

    from chassis.transaction import Transaction


async def add_release(tx: Transaction, values: Mapping[str, Any], today: date) -> bool:
    """Write a release that waits for its second person; False when one waits already."""
    written = await tx.execute(
        """
        INSERT INTO payroll_release (release_id, benefit_id, gate, through_month, reason, state, approval_id, maker,
                                     prepare_date)
        VALUES ($1, $2, $3, $4, $5, 'PREPARED', $6, $7, $8) ON CONFLICT DO NOTHING
        """,
        *(values[name] for name in ("release_id", "benefit_id", "gate", "through_month", "reason", "approval_id")),
        values["maker"],
        today,
    )
    return written > 0


async def release(tx: Transaction, release_id: UUID) -> Record | None:
    """A release, locked."""
    return await tx.fetchrow(
        """
        SELECT one.*, benefit.person_id FROM payroll_release AS one JOIN benefit USING (benefit_id)
        WHERE release_id = $1 FOR NO KEY UPDATE OF one
        """,
        release_id,
    )


async def decide_release(tx: Transaction, release_id: UUID, state: str, checker: str) -> None:
    """Close a release."""
    await tx.execute(
        "UPDATE payroll_release SET state = $2, checker = $3, decide_date = $4 WHERE release_id = $1",
        release_id,
        state,
        checker,
        tx.today,
    )
