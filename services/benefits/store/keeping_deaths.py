"""What a death ended, as it is needed when the death was recorded wrongly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import col, select

from kernel.calendar import Month
from kernel.money import Money
from services.benefits.keeping import SuspendReason
from services.benefits.lifecycle import BenefitState, Kind
from services.benefits.store.rows import BenefitRow, DeterminationRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from chassis.transaction import Transaction

# Months that a suspension took away before the death are not owed by a life that goes on.
LOST = """
    EXISTS (SELECT FROM suspension WHERE suspension.benefit_id = $1 AND {0} BETWEEN from_month AND forfeited_through)
"""
_MONTHS = "benefit_id = $1 AND month > $2 AND ($3::date IS NULL OR month <= $3) AND item = 'MONTH'"


async def lock_ended(
    tx: Transaction, person_ids: Iterable[UUID], kinds: Iterable[Kind]
) -> Sequence[tuple[BenefitRow, Month | None]]:
    """Ended benefits of some persons, locked in the order of their ids, with the last month as it was determined."""
    query = (
        select(BenefitRow, col(DeterminationRow.last_month))
        .join(DeterminationRow, col(DeterminationRow.determination_id) == col(BenefitRow.determination_id))
        .where(
            col(BenefitRow.person_id).in_(set(person_ids)),
            BenefitRow.state == BenefitState.ENDED,
            col(BenefitRow.kind).in_(list(kinds)),
        )
        .order_by(col(BenefitRow.benefit_id))
        .with_for_update(key_share=True, of=BenefitRow)
        .execution_options(populate_existing=True)
    )
    return [(row[0], row[1]) for row in (await tx.session.execute(query)).all()]


@dataclass(frozen=True, slots=True)
class HeldAtEnd:
    """A suspension that only the end closed."""

    from_month: Month
    reason: SuspendReason
    evidence: str


async def held_at_end(tx: Transaction, benefit_id: UUID) -> HeldAtEnd | None:
    """How a benefit was held back when it ended, if it was."""
    row = await tx.fetchrow(
        """
        SELECT from_month, reason, evidence, paid_from FROM suspension
        WHERE benefit_id = $1 ORDER BY suspension_id DESC LIMIT 1
        """,
        benefit_id,
    )
    if row is None or row["paid_from"] is not None:
        return None
    return HeldAtEnd(Month.of(row["from_month"]), SuspendReason(row["reason"]), row["evidence"])


async def is_replaced(tx: Transaction, row: BenefitRow) -> bool:
    """Whether another benefit of the kind runs in the place of an ended one."""
    found = await tx.fetchrow(
        """
        SELECT 1 FROM benefit WHERE person_id = ANY(same_person($1)) AND kind = $2 AND share = $3 AND state <> 'ENDED'
        """,
        row.person_id,
        row.kind.value,
        row.share,
    )
    return found is not None


async def first_withdrawn(tx: Transaction, benefit_id: UUID, after: Month, until: Month | None) -> Month | None:
    """The first of some months that left its payroll and stands in no other; a suspension may have taken it away."""
    row = await tx.fetchrow(
        f"""
        SELECT min(month) AS month FROM payment AS left_one WHERE {_MONTHS} AND state = 'WITHDRAWN' AND NOT EXISTS (
          SELECT FROM payment WHERE payment.benefit_id = $1 AND payment.month = left_one.month AND item = 'MONTH'
            AND state <> 'WITHDRAWN')
          AND NOT {LOST.format("left_one.month")}
        """,  # noqa: S608 - a constant condition
        benefit_id,
        after.first_day,
        until and until.first_day,
    )
    return Month.of(row["month"]) if row and row["month"] else None


async def returned(
    tx: Transaction, benefit_id: UUID, after: Month, until: Month | None
) -> Sequence[tuple[UUID, Money]]:
    """Payments of some months that the bank sent back and that had lapsed: they are owed again, with their amounts."""
    rows = await tx.fetch(
        f"""
        WITH again AS (
          UPDATE returned_payment AS back SET state = 'OWED'
          FROM (SELECT payment_id FROM payment
                WHERE {_MONTHS} AND state = 'RETURNED' AND NOT {LOST.format("month")}) AS sent
          WHERE back.payment_id = sent.payment_id AND back.state = 'LAPSED' RETURNING back.payment_id
        )
        SELECT payment_id, amount_fen FROM payment JOIN again USING (payment_id) WHERE amount_fen > 0
        ORDER BY payment_id
        """,  # noqa: S608 - a constant condition
        benefit_id,
        after.first_day,
        until and until.first_day,
    )
    return [(row["payment_id"], Money(row["amount_fen"])) for row in rows]
