"""The entries of an account, each with the month that it was paid for."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from chassis.transaction import Transaction
from kernel.calendar import Month
from kernel.money import Money
from services.enrollment.accounting import EntryKind


@dataclass(frozen=True, slots=True)
class Entry:
    """A booking on an account."""

    booked: Month
    kind: EntryKind
    source: str
    amount: Money
    for_month: Month | None


async def entries(tx: Transaction, person_id: UUID) -> Sequence[Entry]:
    """All bookings of a person, oldest first."""
    rows = await tx.fetch(
        """
        SELECT booked_month, kind, source, amount_fen, (
            SELECT month FROM bill_line AS line WHERE line.person_id = entry.person_id
              AND entry.source = 'bill:bil_' || replace(line.bill_id::text, '-', '')
        ) AS for_month
        FROM account_entry AS entry WHERE person_id = $1 ORDER BY booked_month, created, kind, source
        """,
        person_id,
    )
    return [
        Entry(
            booked=Month.of(row["booked_month"]),
            kind=EntryKind(row["kind"]),
            source=row["source"],
            amount=Money(row["amount_fen"]),
            for_month=Month.of(row["for_month"]) if row["for_month"] else None,
        )
        for row in rows
    ]
