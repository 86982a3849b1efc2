"""What was paid too much and how it comes back: recoveries, plans, entries, deductions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from services.benefits.keeping import Way
from services.benefits.lifecycle import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from asyncpg import Record

    from chassis.transaction import Transaction
    from services.benefits.store.rows import BenefitRow


COLUMNS = """
    recovery_id, benefit_id, person_id, kind, reason, cause_id, first_month, last_month, amount_fen, recovered_fen,
    written_off_fen, cancelled_fen, found_date,
    (SELECT coalesce(sum(deduction.amount_fen), 0)::bigint FROM deduction JOIN payment USING (payment_id)
     WHERE deduction.recovery_id = recovery.recovery_id AND deduction.state = 'HELD' AND payment.state = 'OPEN')
    AS held_fen
"""


_COUNTERS = {
    Way.COUNTER: "recovered_fen",
    Way.BANK: "recovered_fen",
    Way.DEDUCTION: "recovered_fen",
    Way.RETURNED: "cancelled_fen",
    Way.CANCELLED: "cancelled_fen",
    Way.WRITTEN_OFF: "written_off_fen",
}


@dataclass(frozen=True, slots=True)
class Recovery:
    """Months that were paid and not owed, and what became of the money.

    Args:
        held: What later payments that the bank has not answered will take.
    """

    recovery_id: UUID
    benefit_id: UUID
    person_id: UUID
    kind: Kind
    reason: str
    cause_id: UUID | None
    first_month: Month
    last_month: Month
    amount: Money
    recovered: Money
    written_off: Money
    cancelled: Money
    found_date: date
    held: Money

    @property
    def balance(self) -> Money:
        """What is still owed."""
        return self.amount - self.recovered - self.written_off - self.cancelled

    @property
    def free(self) -> Money:
        """What is still owed and not on its way by a deduction."""
        return self.balance - self.held


async def open_overpaid(tx: Transaction, benefit: BenefitRow, reason: str) -> Recovery | None:
    """Make one recovery of the overpaid payments of a benefit that belong to none yet."""
    row = await tx.fetchrow(
        """
        WITH found AS (
          SELECT payment_id, month, amount_fen FROM overpayment
          WHERE benefit_id = $2 AND recovery_id IS NULL AND settled_date IS NULL AND cancelled_date IS NULL
        )
        INSERT INTO recovery (recovery_id, benefit_id, person_id, kind, reason, first_month, last_month, amount_fen,
                              found_date)
        SELECT $1, $2, $3, $4, $5, min(month), max(month), sum(amount_fen), $6 FROM found HAVING sum(amount_fen) > 0
        RETURNING recovery_id
        """,
        ids.new_id(),
        benefit.benefit_id,
        benefit.person_id,
        benefit.kind.value,
        reason,
        tx.today,
    )
    if row is None:
        return None
    await tx.execute(
        """
        UPDATE overpayment SET recovery_id = $2
        WHERE benefit_id = $1 AND recovery_id IS NULL AND settled_date IS NULL AND cancelled_date IS NULL
        """,
        benefit.benefit_id,
        row["recovery_id"],
    )
    return await recovery(tx, row["recovery_id"])


async def open_differences(
    tx: Transaction, cause_id: UUID, reason: str, over: Sequence[tuple[UUID, date, date, int]]
) -> Sequence[Recovery]:
    """Recoveries of what a run left overpaid; those that it left before are not made again.

    Args:
        tx: The transaction, which holds the benefits locked.
        cause_id: The run.
        reason: An UPPER_SNAKE word.
        over: Benefit, first and last month, fen.
    """
    rows = await tx.fetch(
        """
        INSERT INTO recovery (recovery_id, benefit_id, person_id, kind, reason, cause_id, first_month, last_month,
                              amount_fen, found_date)
        SELECT recovery_id, benefit_id, person_id, kind, $1, $2, one.first_month, one.last_month, amount, $3
        FROM unnest($4::uuid[], $5::uuid[], $6::date[], $7::date[], $8::bigint[])
          AS one (recovery_id, benefit_id, first_month, last_month, amount)
        JOIN benefit USING (benefit_id)
        ON CONFLICT ON CONSTRAINT recovery_once DO NOTHING RETURNING recovery_id
        """,
        reason,
        cause_id,
        tx.today,
        [ids.new_id() for _ in over],
        [benefit_id for benefit_id, *_ in over],
        [first for _, first, *_ in over],
        [last for _, _, last, _ in over],
        [fen for *_, fen in over],
    )
    found = await tx.fetch(
        f"SELECT {COLUMNS} FROM recovery WHERE recovery_id = ANY($1::uuid[]) ORDER BY benefit_id",  # noqa: S608 - constant
        [row["recovery_id"] for row in rows],
    )
    return [_recovery(row) for row in found]


async def recovery(tx: Transaction, recovery_id: UUID, *, lock: bool = False) -> Recovery | None:
    """A recovery; locked when money moves."""
    if lock:
        await tx.execute("SELECT 1 FROM recovery WHERE recovery_id = $1 FOR NO KEY UPDATE", recovery_id)
    row = await tx.fetchrow(f"SELECT {COLUMNS} FROM recovery WHERE recovery_id = $1", recovery_id)  # noqa: S608 - constant
    return _recovery(row) if row else None


async def of_person(tx: Transaction, person_id: UUID) -> Sequence[Recovery]:
    """All recoveries of a person, oldest first."""
    rows = await tx.fetch(
        f"SELECT {COLUMNS} FROM recovery WHERE person_id = ANY(same_person($1)) ORDER BY recovery_id",  # noqa: S608 - constant
        person_id,
    )
    return [_recovery(row) for row in rows]


async def open_page(tx: Transaction, *, after: UUID | None, limit: int) -> Sequence[Recovery]:
    """Recoveries of which something is still owed, oldest first."""
    rows = await tx.fetch(
        f"""
        SELECT {COLUMNS} FROM recovery
        WHERE recovered_fen + written_off_fen + cancelled_fen < amount_fen AND ($1::uuid IS NULL OR recovery_id > $1)
        ORDER BY recovery_id LIMIT $2
        """,  # noqa: S608 - constant
        after,
        limit,
    )
    return [_recovery(row) for row in rows]


async def shrink(
    tx: Transaction, one: Recovery, way: Way, amount: Money, reference: str, *, payment_id: UUID | None = None
) -> bool:
    """Write down what made a locked recovery smaller; False when that receipt was written down before."""
    column = _COUNTERS[way]
    row = await tx.fetchrow(
        """
        INSERT INTO recovery_entry (entry_id, recovery_id, way, amount_fen, reference, payment_id, business_date)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING entry_id
        """,
        ids.new_id(),
        one.recovery_id,
        way.value,
        amount.fen,
        reference,
        payment_id,
        tx.today,
    )
    if row is None:
        return False
    await tx.execute(
        f"UPDATE recovery SET {column} = {column} + $2 WHERE recovery_id = $1",  # noqa: S608 - one of three constants
        one.recovery_id,
        amount.fen,
    )
    return True


async def entries(tx: Transaction, recovery_id: UUID) -> Sequence[Record]:
    """What made a recovery smaller, oldest first."""
    return await tx.fetch(
        """
        SELECT entry_id, way, amount_fen, reference, payment_id, business_date FROM recovery_entry
        WHERE recovery_id = $1 ORDER BY entry_id
        """,
        recovery_id,
    )


def _recovery(row: Record) -> Recovery:
    return Recovery(
        recovery_id=row["recovery_id"],
        benefit_id=row["benefit_id"],
        person_id=row["person_id"],
        kind=Kind(row["kind"]),
        reason=row["reason"],
        cause_id=row["cause_id"],
        first_month=Month.of(row["first_month"]),
        last_month=Month.of(row["last_month"]),
        amount=Money(row["amount_fen"]),
        recovered=Money(row["recovered_fen"]),
        written_off=Money(row["written_off_fen"]),
        cancelled=Money(row["cancelled_fen"]),
        found_date=row["found_date"],
        held=Money(row["held_fen"]),
    )
