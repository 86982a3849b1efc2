"""Benefits that are held back and let go: the benefit, its suspension and the payrolls that it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernel import ids
from kernel.calendar import Month
from services.benefits.keeping import FORFEITS, SuspendReason
from services.benefits.lifecycle import Kind
from services.benefits.store import paying

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date
    from uuid import UUID

    from asyncpg import Record

    from chassis.transaction import Transaction
    from services.benefits.store.rows import BenefitRow


@dataclass(frozen=True, slots=True)
class Held:
    """A benefit that is held back or paid again from a month on."""

    benefit_id: UUID
    person_id: UUID
    kind: Kind
    from_month: Month


async def lock_benefits(tx: Transaction, benefit_ids: Iterable[UUID]) -> None:
    """Hold benefits still, in the order of their ids."""
    await tx.execute(
        "SELECT 1 FROM benefit WHERE benefit_id = ANY($1::uuid[]) ORDER BY benefit_id FOR NO KEY UPDATE",
        sorted(set(benefit_ids)),
    )


async def hold(
    tx: Transaction, from_months: Mapping[UUID, Month], reason: SuspendReason, evidence: str
) -> tuple[Sequence[Held], set[UUID]]:
    """Hold locked, running benefits back from a month on; what is held, and the payrolls that lost payments.

    Months that stand in payrolls which nobody released leave them; months that were released stay paid, and the
    benefit is held from the first month after them.
    """
    keys, froms = list(from_months), [month.first_day for month in from_months.values()]
    payrolls = await tx.fetch(
        """
        SELECT payroll_id, state FROM payroll WHERE payroll_id IN (
          SELECT payroll_id FROM payment JOIN unnest($1::uuid[], $2::date[]) AS one (benefit_id, from_month)
            USING (benefit_id)
          WHERE payment.month >= from_month AND payment.state = 'OPEN' AND payment.item = 'MONTH'
        ) ORDER BY payroll_id FOR NO KEY UPDATE
        """,
        keys,
        froms,
    )
    unreleased = [row["payroll_id"] for row in payrolls if row["state"] != "APPROVED"]
    withdrawn = await tx.fetch(
        """
        UPDATE payment SET state = 'WITHDRAWN'
        FROM unnest($1::uuid[], $2::date[]) AS one (benefit_id, from_month)
        WHERE payment.benefit_id = one.benefit_id AND month >= from_month AND state = 'OPEN' AND item = 'MONTH'
          AND payroll_id = ANY($3::uuid[])
        RETURNING payment.benefit_id, month, payroll_id, chunk
        """,
        keys,
        froms,
        unreleased,
    )
    for payroll_id in sorted({row["payroll_id"] for row in withdrawn}):
        left = {row["chunk"] for row in withdrawn if row["payroll_id"] == payroll_id}
        await paying.reopen_chunks(tx, payroll_id, sorted(left))
    first: dict[UUID, date] = {}
    for row in withdrawn:
        first[row["benefit_id"]] = min(row["month"], first.get(row["benefit_id"], row["month"]))
    held = await tx.fetch(
        """
        UPDATE benefit SET state = 'SUSPENDED', suspend_reason = $4,
               next_month = least(next_month, withdrawn),
               suspended_from = greatest(from_month, least(next_month, withdrawn))
        FROM unnest($1::uuid[], $2::date[], $3::date[]) AS one (benefit_id, from_month, withdrawn)
        WHERE benefit.benefit_id = one.benefit_id AND state = 'ACTIVE'
        RETURNING benefit.benefit_id, person_id, kind, suspended_from, from_month
        """,
        keys,
        froms,
        [first.get(key) for key in keys],
        reason.value,
    )
    await tx.execute(
        """
        INSERT INTO suspension (suspension_id, benefit_id, person_id, reason, evidence, from_month, business_date)
        SELECT suspension_id, benefit_id, person_id, $5, $6, from_month, $7
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::date[])
          AS one (suspension_id, benefit_id, person_id, from_month)
        """,
        [ids.new_id() for _ in held],
        [row["benefit_id"] for row in held],
        [row["person_id"] for row in held],
        # What is taken away begins where it was said, also in months that were released.
        [row["from_month" if reason in FORFEITS else "suspended_from"] for row in held],
        reason.value,
        evidence,
        tx.today,
    )
    return [_held(row) for row in held], set(unreleased) if withdrawn else set()


async def release(tx: Transaction, benefit_ids: Sequence[UUID], paid_from: Month | None = None) -> Sequence[Held]:
    """Pay locked, held benefits again: every month that was held, or only those from a month on.

    A month before `paid_from` is forfeited for good.
    """
    rows = await tx.fetch(
        """
        WITH held AS (
          SELECT benefit_id, suspended_from FROM benefit WHERE benefit_id = ANY($1::uuid[]) AND state = 'SUSPENDED'
        ), closed AS (
          UPDATE suspension SET closed_date = $3, paid_from = coalesce($2::date, suspended_from),
            forfeited_through = CASE WHEN $2::date > from_month THEN ($2::date - interval '1 month')::date END
          FROM held WHERE suspension.benefit_id = held.benefit_id AND closed_date IS NULL
        )
        UPDATE benefit SET state = 'ACTIVE', next_month = coalesce(greatest(next_month, $2::date), next_month),
          suspended_from = NULL, suspend_reason = NULL
        FROM held WHERE benefit.benefit_id = held.benefit_id
        RETURNING benefit.benefit_id, person_id, kind, coalesce($2::date, held.suspended_from) AS suspended_from
        """,
        list(benefit_ids),
        paid_from and paid_from.first_day,
        tx.today,
    )
    return sorted((_held(row) for row in rows), key=lambda one: one.benefit_id)


async def close_ended(tx: Transaction, benefit: BenefitRow) -> None:
    """A held benefit ended: what was held is paid up to the end, unless its reason takes the months away."""
    assert benefit.suspend_reason is not None
    assert benefit.suspended_from is not None
    assert benefit.last_month is not None
    forfeits = benefit.suspend_reason in FORFEITS
    await tx.execute(
        """
        UPDATE suspension SET closed_date = $2, forfeited_through = CASE WHEN $4 AND from_month <= $3 THEN $3::date END
        WHERE benefit_id = $1 AND closed_date IS NULL
        """,
        benefit.benefit_id,
        tx.today,
        benefit.last_month.first_day,
        forfeits,
    )
    if forfeits and benefit.suspended_from <= benefit.last_month:
        benefit.next_month = max(benefit.next_month, benefit.last_month.next)
    benefit.suspended_from = None
    benefit.suspend_reason = None


async def suspensions(tx: Transaction, benefit_id: UUID) -> Sequence[Record]:
    """When and why a benefit was held back, latest first."""
    return await tx.fetch(
        """
        SELECT suspension_id, reason, evidence, from_month, business_date, closed_date, paid_from, forfeited_through
        FROM suspension WHERE benefit_id = $1 ORDER BY suspension_id DESC
        """,
        benefit_id,
    )


def _held(row: Record) -> Held:
    return Held(row["benefit_id"], row["person_id"], Kind(row["kind"]), Month.of(row["suspended_from"]))
