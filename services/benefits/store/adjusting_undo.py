"""Benefits before their adjustment is reversed: what they were, what they become, what was paid by the new amount."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.benefits.lifecycle import Kind
from services.benefits.store.adjusting_over import OVER
from services.benefits.store.ranges import BOUNDARIES, ranges

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Undone:
    """A benefit before its adjustment is reversed: what it was, what it becomes, what was paid by the new amount."""

    benefit_id: UUID
    person_id: UUID
    kind: Kind
    number: int
    after_fen: int
    before_fen: int
    before_digest: bytes
    provisional: bool
    first_month: date
    last_month: date
    over_fen: int


# Every benefit whose timeline the run touched; what it becomes is the newest amount of its time that the run did not
# make, nor another run of its year, reversed before: with the same terms both made the same calculations (0252).
# Paid by the new amount: months above the amount before, and the difference.
UNDO = f"""
    SELECT benefit.benefit_id, benefit.person_id, benefit.kind, last.number, benefit.monthly_fen AS after_fen,
           base.amount_fen AS before_fen, base.digest AS before_digest, base.provisional,
           paid.first_month, paid.last_month, coalesce(paid.over_fen, 0) AS over_fen
    FROM benefit_amount AS made JOIN benefit USING (benefit_id)
    CROSS JOIN LATERAL (
        SELECT max(number) AS number FROM benefit_amount AS one WHERE one.benefit_id = made.benefit_id
    ) AS last
    CROSS JOIN LATERAL (
        SELECT one.amount_fen, one.digest, calculation.provisional
        FROM benefit_amount AS one JOIN calculation USING (digest)
        WHERE one.benefit_id = made.benefit_id AND one.from_month <= made.from_month
          AND (terms_id IS NULL OR terms_id NOT IN (
              SELECT adjustment_id FROM adjustment WHERE purpose = 'ANNUAL'
                AND year = (SELECT year FROM adjustment AS mine WHERE mine.adjustment_id = $1)))
        ORDER BY one.number DESC LIMIT 1
    ) AS base
    {OVER}
    WHERE made.cause_id = $1 AND made.cause = 'ADJUSTED' AND made.benefit_id > $2 AND made.benefit_id <= $3
    ORDER BY benefit.benefit_id FOR NO KEY UPDATE OF benefit
"""  # noqa: S608 - constants


async def made_ranges(tx: Transaction, run_id: UUID, size: int) -> list[dict[str, Any]]:
    """Runs of so many benefits that a run adjusted."""
    made = "benefit_amount WHERE cause_id = $1 AND cause = 'ADJUSTED'"
    rows = await tx.fetch(BOUNDARIES.format(made, "$2"), run_id, size)
    return ranges(rows)


async def lock_made(tx: Transaction, run_id: UUID, after: UUID, last: UUID) -> list[Undone]:
    """The benefits of a chunk of a run that is reversed."""
    return [Undone(**{**dict(row), "kind": Kind(row["kind"])}) for row in await tx.fetch(UNDO, run_id, after, last)]
