"""What the gates found in a payroll, with its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from asyncpg import Record

    from chassis.transaction import Transaction
    from services.benefits.paying import Effect, Gate


async def evidence(tx: Transaction, payroll_id: UUID) -> Sequence[Record]:
    """What each gate looked at in a payroll, and how often it found something."""
    return await tx.fetch(
        """
        SELECT gate, sum(checked_count)::bigint AS checked, sum(blocked_count)::bigint AS blocked,
               sum(warned_count)::bigint AS warned, sum(released_count)::bigint AS released, max(terms) AS terms
        FROM payroll_gate WHERE payroll_id = $1 GROUP BY gate ORDER BY gate
        """,
        payroll_id,
    )


async def findings(
    tx: Transaction,
    payroll_id: UUID,
    *,
    gate: Gate | None,
    effect: Effect | None,
    after: tuple[UUID, str] | None,
    limit: int,
) -> Sequence[Record]:
    """Findings of a payroll in the order of benefits and gates."""
    return await tx.fetch(
        """
        SELECT benefit_id, finding.person_id, finding.gate, effect, detail, kind FROM payroll_finding AS finding
        JOIN benefit USING (benefit_id)
        WHERE payroll_id = $1 AND ($2::text IS NULL OR finding.gate = $2) AND ($3::text IS NULL OR effect = $3)
          AND ($4::uuid IS NULL OR (benefit_id, finding.gate) > ($4, $5::text))
        ORDER BY benefit_id, finding.gate LIMIT $6
        """,
        payroll_id,
        gate.value if gate else None,
        effect.value if effect else None,
        after[0] if after else None,
        after[1] if after else "",
        limit,
    )


async def last_held(tx: Transaction, benefit_id: UUID, gate: Gate) -> Record | None:
    """The newest payroll in which a gate held a benefit back."""
    return await tx.fetchrow(
        """
        SELECT finding.*, payroll.month FROM payroll_finding AS finding JOIN payroll USING (payroll_id)
        WHERE benefit_id = $1 AND gate = $2 AND effect = 'BLOCK' ORDER BY payroll_id DESC LIMIT 1
        """,
        benefit_id,
        gate.value,
    )
