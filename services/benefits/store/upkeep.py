"""What the daily jobs read and write: runs of benefits, new amounts, reminders; a whole chunk in one statement each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kernel import ids
from services.benefits.keeping import needing
from services.benefits.store.ranges import BOUNDARIES, ranges

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from asyncpg import Record

    from chassis.transaction import Transaction
    from kernel.calendar import Month
    from services.benefits.domain.certification import CertificationTerms
    from services.benefits.store.adjusting_amounts import NewAmount, NewDifference

_DUE_BY = "(date_trunc('month', last_date) + make_interval(months => $2 + 1))::date - 1"
_REMINDED = f"""
    SELECT benefit_id, person_id, kind, {_DUE_BY} AS due_by FROM certified AS known
    WHERE kind = ANY($1::text[]) AND state = 'ACTIVE' AND {_DUE_BY} >= $4 AND {_DUE_BY} - $3::integer <= $4
      AND (last_month IS NULL OR last_month >= date_trunc('month', $4::date))
      AND NOT EXISTS (
        SELECT FROM reminder WHERE reminder.benefit_id = known.benefit_id AND reminder.due_by = {_DUE_BY}
      )
"""  # noqa: S608 - constants
_RESIDENTS = "SELECT benefit_id FROM benefit WHERE kind = 'RESIDENT_PENSION' AND state <> 'ENDED' AND first_month <= $1"
_ALLOWANCES = """
    SELECT one.benefit_id FROM benefit AS one
    WHERE one.kind = 'DISABILITY_ALLOWANCE' AND one.last_month <= $1
      AND (one.state <> 'ENDED' OR one.end_reason = 'EXHAUSTED')
      AND NOT EXISTS (
        SELECT FROM benefit AS other WHERE other.person_id = ANY(same_person(one.person_id))
          AND other.kind IN ('EMPLOYEE_PENSION', 'GOVERNMENT_PENSION', 'RESIDENT_PENSION')
          AND other.end_reason IS DISTINCT FROM 'REVOKED'
      )
      AND NOT EXISTS (
        SELECT FROM determination WHERE determination.person_id = ANY(same_person(one.person_id))
          AND determination.kind = 'EMPLOYEE_PENSION' AND determination.prepare_date >= one.last_month
      )
"""


@dataclass(frozen=True, slots=True)
class Reminder:
    """A reminder that waits to be sent."""

    reminder_id: UUID
    person_id: UUID
    benefit_id: UUID
    kind: str
    due_by: date


async def resident_runs(tx: Transaction, month: Month, size: int) -> list[dict[str, Any]]:
    """Runs of so many resident pensions that are drawn."""
    rows = await tx.fetch(BOUNDARIES.format(f"({_RESIDENTS}) AS wanted", "$2"), month.first_day, size)
    return ranges(rows, counted="count")


async def residents(tx: Transaction, month: Month, after: UUID, last: UUID) -> Sequence[UUID]:
    """The resident pensions of a run."""
    statement = f"{_RESIDENTS} AND benefit_id > $2 AND benefit_id <= $3 ORDER BY benefit_id"
    return [row["benefit_id"] for row in await tx.fetch(statement, month.first_day, after, last)]


async def allowance_runs(tx: Transaction, month: Month, size: int) -> list[dict[str, Any]]:
    """Runs of so many disability allowances whose last month has come, and nobody has prepared a pension."""
    rows = await tx.fetch(BOUNDARIES.format(f"({_ALLOWANCES}) AS wanted", "$2"), month.first_day, size)
    return ranges(rows, counted="count")


async def allowances(tx: Transaction, month: Month, after: UUID, last: UUID) -> Sequence[UUID]:
    """The disability allowances of a run."""
    statement = f"{_ALLOWANCES} AND one.benefit_id > $2 AND one.benefit_id <= $3 ORDER BY one.benefit_id"
    return [row["benefit_id"] for row in await tx.fetch(statement, month.first_day, after, last)]


async def write_amounts(
    tx: Transaction,
    cause_id: UUID,
    *,
    amounts: Sequence[NewAmount],
    differences: Sequence[NewDifference],
    now: Sequence[tuple[UUID, int, bytes, bool]],
) -> None:
    """Write new amounts of locked benefits, what is owed for months before, and what the benefits are from now on."""
    await tx.execute(
        """
        INSERT INTO benefit_amount (benefit_id, number, from_month, amount_fen, digest, cause, cause_id, business_date)
        SELECT benefit_id, number, from_month, amount, digest, 'RECOMPUTED', $1, $2
        FROM unnest($3::uuid[], $4::integer[], $5::date[], $6::bigint[], $7::bytea[])
          AS one (benefit_id, number, from_month, amount, digest)
        """,
        cause_id,
        tx.today,
        [one.benefit_id for one in amounts],
        [one.number for one in amounts],
        [one.from_month for one in amounts],
        [one.fen for one in amounts],
        [one.digest for one in amounts],
    )
    await tx.execute(
        """
        INSERT INTO difference (difference_id, benefit_id, person_id, cause, cause_id, first_month, last_month,
                                amount_fen, digest, business_date)
        SELECT difference_id, benefit_id, person_id, 'RECOMPUTED', $1, first_month, last_month, amount, digest, $2
        FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::date[], $7::date[], $8::bigint[], $9::bytea[])
          AS one (difference_id, benefit_id, person_id, first_month, last_month, amount, digest)
        """,
        cause_id,
        tx.today,
        [ids.new_id() for _ in differences],
        [one.benefit_id for one in differences],
        [one.person_id for one in differences],
        [one.first_month for one in differences],
        [one.last_month for one in differences],
        [one.fen for one in differences],
        [one.digest for one in differences],
    )
    await tx.execute(
        """
        UPDATE benefit SET monthly_fen = one.amount, digest = one.digest, provisional = one.provisional
        FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::boolean[])
          AS one (benefit_id, amount, digest, provisional)
        WHERE benefit.benefit_id = one.benefit_id
        """,
        [benefit_id for benefit_id, *_ in now],
        [fen for _, fen, *_ in now],
        [digest for _, _, digest, _ in now],
        [provisional for *_, provisional in now],
    )


# Reminders ----------------------------------------------------------------------------------------------------------


async def reminder_runs(
    tx: Transaction, schemes: tuple[str, ...], terms: CertificationTerms, today: date, size: int
) -> list[dict[str, Any]]:
    """Runs of so many benefits whose certification is due soon and who were not reminded of that day."""
    return ranges(
        await tx.fetch(
            BOUNDARIES.format(f"({_REMINDED}) AS wanted", "$5"),
            needing(schemes),
            terms.cycle_months.value,
            terms.reminder_days.value,
            today,
            size,
        ),
        counted="count",
    )


async def add_reminders(
    tx: Transaction,
    schemes: tuple[str, ...],
    terms: CertificationTerms,
    today: date,
    *,
    after: UUID,
    last: UUID,
) -> int:
    """Write the reminders of a run; one due day of a benefit has one, whoever writes at the same instant."""
    return await tx.execute(
        f"""
        INSERT INTO reminder (reminder_id, benefit_id, person_id, kind, due_by, business_date)
        SELECT uuidv7(), benefit_id, person_id, kind, due_by, $4 FROM ({_REMINDED}) AS wanted
        WHERE benefit_id > $5 AND benefit_id <= $6
        ON CONFLICT (benefit_id, due_by) DO NOTHING
        """,  # noqa: S608 - constants
        needing(schemes),
        terms.cycle_months.value,
        terms.reminder_days.value,
        today,
        after,
        last,
    )


async def waiting_reminders(tx: Transaction, today: date, *, after: UUID | None, limit: int) -> Sequence[Reminder]:
    """Reminders that wait to be sent, oldest first; none whose day is over, or whose beneficiary certified since."""
    rows: Sequence[Record] = await tx.fetch(
        """
        SELECT reminder_id, reminder.person_id, benefit_id, reminder.kind, due_by FROM reminder
        JOIN certified USING (benefit_id)
        WHERE sent_date IS NULL AND due_by >= $1 AND ($2::uuid IS NULL OR reminder_id > $2)
          AND certified.state = 'ACTIVE' AND last_date < reminder.business_date
        ORDER BY reminder_id LIMIT $3
        """,
        today,
        after,
        limit,
    )
    return [Reminder(*row) for row in rows]


async def record_sent(tx: Transaction, reminder_ids: Sequence[UUID], *, simulated: bool) -> int:
    """They were sent; how many of them nobody had said before."""
    return await tx.execute(
        "UPDATE reminder SET sent_date = $2, simulated = $3 WHERE reminder_id = ANY($1::uuid[]) AND sent_date IS NULL",
        list(reminder_ids),
        tx.today,
        simulated,
    )
