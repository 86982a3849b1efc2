"""Payrolls and payments. Writes whole chunks; what a payment says never changes, only where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import col, select

from kernel.money import Money
from services.benefits.lifecycle import BenefitState, Kind, PaymentState, PayrollState
from services.benefits.store.rows import BenefitRow, PayeeRow, PaymentRow, PayrollRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction
    from kernel.calendar import Month

LOCK = {"key_share": True}  # FOR NO KEY UPDATE, as in `decisions`

# Benefits that still have an unpaid month up to $1, and are not held back; its end is the index benefit_to_pay.
TO_PAY = "state <> 'SUSPENDED' AND next_month <= $1::date AND (last_month IS NULL OR next_month <= last_month)"


@dataclass(frozen=True, slots=True)
class Due:
    """A month of a benefit that is to be paid."""

    payment_id: UUID
    benefit: BenefitRow
    month: Month
    amount: Money
    digest: bytes


@dataclass(frozen=True, slots=True)
class Totals:
    """What a payroll adds up to; the digest covers id, amount and payee of every payment."""

    count: int
    total: Money
    digest: bytes


async def add(tx: Transaction, row: PayrollRow) -> bool:
    """Write a new payroll; False when somebody else wrote one of that month and sequence."""
    found = await tx.fetchrow(
        """
        INSERT INTO payroll (payroll_id, month, sequence, state, job_id, maker, prepare_date)
        VALUES ($1, $2, $3, 'PREPARING', $4, $5, $6) ON CONFLICT (month, sequence) DO NOTHING RETURNING payroll_id
        """,
        row.payroll_id,
        row.month.first_day,
        row.sequence,
        row.job_id,
        row.maker,
        row.prepare_date,
    )
    return found is not None


async def get(tx: Transaction, payroll_id: UUID, *, lock: bool = False) -> PayrollRow | None:
    """A payroll; locked when it is going to change."""
    return await tx.session.get(PayrollRow, payroll_id, with_for_update=LOCK if lock else None, populate_existing=lock)


async def last_of_month(tx: Transaction, month: Month) -> PayrollRow | None:
    """The payroll of a month, or its last supplement."""
    query = select(PayrollRow).where(PayrollRow.month == month).order_by(col(PayrollRow.sequence).desc()).limit(1)
    return (await tx.session.scalars(query)).one_or_none()


async def is_unpaid(tx: Transaction, month: Month) -> bool:
    """Whether a benefit has a month up to this one that stands in no payroll."""
    row = await tx.fetchrow(f"SELECT EXISTS (SELECT 1 FROM benefit WHERE {TO_PAY}) AS is_unpaid", month.first_day)  # noqa: S608 - a constant condition
    assert row is not None
    return bool(row["is_unpaid"])


async def digest_unpaid(tx: Transaction, month: Month) -> str:
    """Which benefits have a month up to this one that stands in no payroll, and since when: the same text, the same."""
    row = await tx.fetchrow(
        f"""
        SELECT encode(sha256(convert_to(string_agg(benefit_id || '|' || next_month, ',' ORDER BY benefit_id), 'UTF8')),
                      'hex') AS digest
        FROM benefit WHERE {TO_PAY}
        """,  # noqa: S608 - a constant condition
        month.first_day,
    )
    assert row is not None
    return str(row["digest"])


async def listed(
    tx: Transaction, state: PayrollState | None, *, before: UUID | None, limit: int
) -> Sequence[PayrollRow]:
    """Payrolls, newest first."""
    query = select(PayrollRow).order_by(col(PayrollRow.payroll_id).desc()).limit(limit)
    if state is not None:
        query = query.where(PayrollRow.state == state)
    if before is not None:
        query = query.where(col(PayrollRow.payroll_id) < before)
    return (await tx.session.scalars(query)).all()


async def boundaries(tx: Transaction, month: Month, size: int) -> list[UUID]:
    """Ids that end runs of `size` benefits to pay, ascending; the last one ends the rest."""
    rows = await tx.fetch(
        f"""
        SELECT benefit_id FROM (
          SELECT benefit_id, row_number() OVER (ORDER BY benefit_id) AS place, count(*) OVER () AS total
          FROM benefit WHERE {TO_PAY}
        ) AS numbered
        WHERE place % $2 = 0 OR place = total ORDER BY benefit_id
        """,  # noqa: S608 - a constant condition
        month.first_day,
        size,
    )
    return [row["benefit_id"] for row in rows]


async def lock_to_pay(tx: Transaction, month: Month, after: UUID | None, last: UUID) -> Sequence[BenefitRow]:
    """The benefits of a run that have an unpaid month, locked in the order of their ids."""
    query = (
        select(BenefitRow)
        .where(
            col(BenefitRow.benefit_id) <= last,
            col(BenefitRow.state) != BenefitState.SUSPENDED,
            col(BenefitRow.next_month) <= month,
            col(BenefitRow.last_month).is_(None) | (col(BenefitRow.next_month) <= col(BenefitRow.last_month)),
        )
        .order_by(col(BenefitRow.benefit_id))
        .with_for_update(key_share=True)
    )
    if after is not None:
        query = query.where(col(BenefitRow.benefit_id) > after)
    return (await tx.session.scalars(query)).all()


async def add_payments(tx: Transaction, payroll_id: UUID, due: Sequence[Due]) -> int:
    """Write payments and move their benefits on; how many were new. A month that was paid before is left as it is."""
    written = await tx.execute(
        """
        INSERT INTO payment (payment_id, payroll_id, benefit_id, person_id, kind, month, amount_fen, digest, payee_id,
                             share, state)
        SELECT payment_id, $1, benefit_id, person_id, kind, month, amount, digest, payee_id, share, 'OPEN'
        FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::date[], $7::bigint[], $8::bytea[], $9::uuid[],
                    $10::text[])
          AS due (payment_id, benefit_id, person_id, kind, month, amount, digest, payee_id, share)
        ON CONFLICT DO NOTHING
        """,
        payroll_id,
        [one.payment_id for one in due],
        [one.benefit.benefit_id for one in due],
        [one.benefit.person_id for one in due],
        [one.benefit.kind.value for one in due],
        [one.month.first_day for one in due],
        [one.amount.fen for one in due],
        [one.digest for one in due],
        [one.benefit.payee_id for one in due],
        [one.benefit.share for one in due],
    )
    for one in due:  # ascending months, so the last one stays
        one.benefit.next_month = one.month.next
    return written


async def totals(tx: Transaction, payroll_id: UUID) -> Totals:
    """What the payments of a payroll add up to now."""
    row = await tx.fetchrow(
        """
        SELECT count(*) AS count, coalesce(sum(amount_fen), 0)::bigint AS total,
               sha256(coalesce(string_agg(
                 sha256(convert_to(payment_id || '|' || amount_fen || '|', 'UTF8') || account_index),
                 ''::bytea ORDER BY payment_id), ''::bytea)) AS digest
        FROM payment JOIN payee USING (payee_id) WHERE payroll_id = $1 AND payment.state <> 'WITHDRAWN'
        """,
        payroll_id,
    )
    assert row is not None
    return Totals(row["count"], Money(row["total"]), row["digest"])


async def totals_by_kind(tx: Transaction, payroll_id: UUID) -> Mapping[Kind, Money]:
    """What a payroll pays for each kind of benefit."""
    rows = await tx.fetch(
        """
        SELECT kind, sum(amount_fen)::bigint AS total FROM payment
        WHERE payroll_id = $1 AND state <> 'WITHDRAWN' GROUP BY kind ORDER BY kind
        """,
        payroll_id,
    )
    return {Kind(row["kind"]): Money(row["total"]) for row in rows}


async def payment(tx: Transaction, payment_id: UUID, *, lock: bool = False) -> PaymentRow | None:
    """A payment; locked when the bank answers."""
    return await tx.session.get(PaymentRow, payment_id, with_for_update=LOCK if lock else None, populate_existing=lock)


async def count_answer(tx: Transaction, payroll_id: UUID, state: PaymentState) -> None:
    """Count an answered payment in its payroll."""
    column = "confirmed_count" if state is PaymentState.CONFIRMED else "returned_count"
    await tx.execute(f"UPDATE payroll SET {column} = {column} + 1 WHERE payroll_id = $1", payroll_id)  # noqa: S608 - one of two constants


async def payments_of_payroll(
    tx: Transaction, payroll_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[tuple[PaymentRow, PayeeRow]]:
    """Payments of a payroll with their payees, in the order of their ids."""
    query = (
        select(PaymentRow, PayeeRow)
        .join(PayeeRow, col(PayeeRow.payee_id) == col(PaymentRow.payee_id))
        .where(PaymentRow.payroll_id == payroll_id, PaymentRow.state != PaymentState.WITHDRAWN)
        .order_by(col(PaymentRow.payment_id))
        .limit(limit)
    )
    if after is not None:
        query = query.where(col(PaymentRow.payment_id) > after)
    return [(row[0], row[1]) for row in (await tx.session.execute(query)).all()]


async def payments_of_person(
    tx: Transaction, person_id: UUID, *, before: UUID | None, limit: int
) -> Sequence[tuple[PaymentRow, PayrollState]]:
    """Payments to a person with the states of their payrolls, newest first."""
    query = (
        select(PaymentRow, col(PayrollRow.state))
        .join(PayrollRow, col(PayrollRow.payroll_id) == col(PaymentRow.payroll_id))
        .where(PaymentRow.person_id == person_id, PaymentRow.state != PaymentState.WITHDRAWN)
        .order_by(col(PaymentRow.payment_id).desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(col(PaymentRow.payment_id) < before)
    return [(row[0], row[1]) for row in (await tx.session.execute(query)).all()]


async def unreleased_after(tx: Transaction, benefit_id: UUID, last: Month) -> Sequence[PayrollRow]:
    """Payrolls that hold payments of a benefit after a month and are not approved yet, locked."""
    found = await tx.fetch(
        """
        SELECT payroll_id FROM payroll WHERE payroll_id IN (
          SELECT payroll_id FROM payment WHERE benefit_id = $1 AND month > $2 AND state = 'OPEN'
        ) ORDER BY payroll_id FOR NO KEY UPDATE
        """,
        benefit_id,
        last.first_day,
    )
    rows = [await get(tx, row["payroll_id"], lock=True) for row in found]
    return [row for row in rows if row is not None and row.state is not PayrollState.APPROVED]


async def withdraw(tx: Transaction, payroll_id: UUID, benefit_id: UUID, last: Month) -> int:
    """Take the payments of a benefit after a month out of a payroll that was not released."""
    return await tx.execute(
        """
        UPDATE payment SET state = 'WITHDRAWN'
        WHERE payroll_id = $1 AND benefit_id = $2 AND month > $3 AND state = 'OPEN'
        """,
        payroll_id,
        benefit_id,
        last.first_day,
    )


async def note_overpaid(tx: Transaction, benefit_id: UUID, last: Month, reason: str, today: date) -> int:
    """Write down the payments of a benefit after its last month that were released: they are to be recovered."""
    return await tx.execute(
        """
        INSERT INTO overpayment (payment_id, benefit_id, person_id, month, amount_fen, reason, found_date)
        SELECT payment_id, benefit_id, person_id, month, amount_fen, $3, $4 FROM payment
        WHERE benefit_id = $1 AND month > $2 AND state IN ('OPEN', 'CONFIRMED')
        ON CONFLICT (payment_id) DO NOTHING
        """,
        benefit_id,
        last.first_day,
        reason,
        today,
    )


async def settle_overpaid(tx: Transaction, payment_id: UUID, today: date) -> bool:
    """The bank sent an overpaid payment back: nothing is to be recovered; False when it was not overpaid."""
    written = await tx.execute(
        "UPDATE overpayment SET settled_date = $2 WHERE payment_id = $1 AND settled_date IS NULL", payment_id, today
    )
    return written > 0


async def returned_after(tx: Transaction, benefit_id: UUID, last: Month) -> Sequence[PaymentRow]:
    """The payments of a benefit after a month that the bank sent back."""
    query = (
        select(PaymentRow)
        .where(
            PaymentRow.benefit_id == benefit_id,
            col(PaymentRow.month) > last,
            PaymentRow.state == PaymentState.RETURNED,
        )
        .order_by(col(PaymentRow.month))
    )
    return (await tx.session.scalars(query)).all()
