"""Payrolls and payments. Writes whole chunks; what a payment says never changes, only where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import tuple_
from sqlmodel import col, select

from services.benefits.lifecycle import PaymentState, PayrollState
from services.benefits.store import paying
from services.benefits.store.rows import BenefitRow, PayeeRow, PaymentRow, PayrollRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction
    from kernel.calendar import Month
    from services.benefits.calculation import Calculation

LOCK = {"key_share": True}  # FOR NO KEY UPDATE, as in `decisions`


@dataclass(frozen=True, slots=True)
class Due:
    """A month of a benefit that is to be paid, and the calculation that says what it is worth."""

    payment_id: UUID
    benefit: BenefitRow
    month: Month
    calculation: Calculation


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


async def add_payments(tx: Transaction, payroll_id: UUID, chunk: int, due: Sequence[Due]) -> int:
    """Write payments and move their benefits on; how many were new. A month that was paid before is left as it is."""
    written = await tx.execute(
        """
        INSERT INTO payment (payment_id, payroll_id, chunk, benefit_id, person_id, kind, month, amount_fen, digest,
                             payee_id, share, state)
        SELECT payment_id, $1, $2, benefit_id, person_id, kind, month, amount, digest, payee_id, share, 'OPEN'
        FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::date[], $8::bigint[], $9::bytea[], $10::uuid[],
                    $11::text[])
          AS due (payment_id, benefit_id, person_id, kind, month, amount, digest, payee_id, share)
        ON CONFLICT DO NOTHING
        """,
        payroll_id,
        chunk,
        [one.payment_id for one in due],
        [one.benefit.benefit_id for one in due],
        [one.benefit.person_id for one in due],
        [one.benefit.kind.value for one in due],
        [one.month.first_day for one in due],
        [one.calculation.statement.total.fen for one in due],
        [one.calculation.digest for one in due],
        [one.benefit.payee_id for one in due],
        [one.benefit.share for one in due],
    )
    for one in due:  # ascending months, so the last one stays
        one.benefit.next_month = one.month.next
    return written


async def payment(tx: Transaction, payment_id: UUID, *, lock: bool = False) -> PaymentRow | None:
    """A payment; locked when the bank answers."""
    return await tx.session.get(PaymentRow, payment_id, with_for_update=LOCK if lock else None, populate_existing=lock)


async def count_answer(tx: Transaction, payroll_id: UUID, state: PaymentState) -> None:
    """Count an answered payment in its payroll."""
    column = "confirmed_count" if state is PaymentState.CONFIRMED else "returned_count"
    await tx.execute(f"UPDATE payroll SET {column} = {column} + 1 WHERE payroll_id = $1", payroll_id)  # noqa: S608 - one of two constants


async def payments_of_payroll(
    tx: Transaction, payroll_id: UUID, *, after: tuple[int, UUID] | None, limit: int
) -> Sequence[tuple[PaymentRow, PayeeRow]]:
    """Payments of a payroll with their payees, in the order of chunks and ids."""
    query = (
        select(PaymentRow, PayeeRow)
        .join(PayeeRow, col(PayeeRow.payee_id) == col(PaymentRow.payee_id))
        .where(PaymentRow.payroll_id == payroll_id, PaymentRow.state != PaymentState.WITHDRAWN)
        .order_by(col(PaymentRow.chunk), col(PaymentRow.payment_id))
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(col(PaymentRow.chunk), col(PaymentRow.payment_id)) > after)
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
    """Take the payments of a benefit after a month out of a payroll that was not released; how many.

    A difference among them waits again, and so does what was to be sent again.
    """
    rows = await tx.fetch(
        """
        UPDATE payment SET state = 'WITHDRAWN'
        WHERE payroll_id = $1 AND benefit_id = $2 AND month > $3 AND state = 'OPEN'
        RETURNING payment_id, chunk, again_of
        """,
        payroll_id,
        benefit_id,
        last.first_day,
    )
    if rows:
        await tx.execute(
            "UPDATE difference SET payment_id = NULL WHERE payment_id = ANY ($1::uuid[])",
            [row["payment_id"] for row in rows],
        )
        await tx.execute(
            "UPDATE returned_payment SET state = 'OWED' WHERE payment_id = ANY ($1::uuid[])",
            [row["again_of"] for row in rows if row["again_of"]],
        )
        await paying.reopen_chunks(tx, payroll_id, sorted({row["chunk"] for row in rows}))
    return len(rows)


async def note_overpaid(tx: Transaction, benefit_id: UUID, last: Month, reason: str, today: date) -> int:
    """Write down the payments of a benefit after its last month that were released: they are to be recovered."""
    return await tx.execute(
        """
        INSERT INTO overpayment (payment_id, benefit_id, person_id, month, amount_fen, reason, found_date)
        SELECT payment_id, benefit_id, person_id, month, amount_fen, $3, $4 FROM payment
        WHERE benefit_id = $1 AND month > $2 AND state IN ('OPEN', 'CONFIRMED')
        ON CONFLICT (payment_id) DO UPDATE  -- one that was owed after all, and then was not
        SET reason = excluded.reason, found_date = excluded.found_date, cancelled_date = NULL, recovery_id = NULL
        WHERE overpayment.cancelled_date IS NOT NULL
        """,
        benefit_id,
        last.first_day,
        reason,
        today,
    )


async def settle_overpaid(tx: Transaction, payment_id: UUID, today: date) -> bool:
    """The bank sent an overpaid payment back: nothing is to be recovered; False when it was not overpaid."""
    written = await tx.execute(
        """
        UPDATE overpayment SET settled_date = $2
        WHERE payment_id = $1 AND settled_date IS NULL AND cancelled_date IS NULL
        """,
        payment_id,
        today,
    )
    return written > 0


async def returned_after(tx: Transaction, benefit_id: UUID, last: Month) -> Sequence[PaymentRow]:
    """The payments of a benefit after a month that the bank sent back and that are still owed: they lapse."""
    rows = await tx.fetch(
        """
        UPDATE returned_payment AS back SET state = 'LAPSED' FROM payment
        WHERE payment.payment_id = back.payment_id AND back.benefit_id = $1 AND month > $2
          AND back.state IN ('OWED', 'WAITING', 'PARKED')
        RETURNING payment.payment_id
        """,
        benefit_id,
        last.first_day,
    )
    ids_ = [row["payment_id"] for row in rows]
    query = select(PaymentRow).where(col(PaymentRow.payment_id).in_(ids_)).order_by(col(PaymentRow.month))
    return (await tx.session.scalars(query)).all() if ids_ else []


async def note_returned(tx: Transaction, payment: PaymentRow, tries: int, *, is_recovered: bool) -> None:
    """Write down that the bank sent a payment back; its try counts those before it, and after so many it is parked."""
    await tx.execute(
        """
        INSERT INTO returned_payment (payment_id, benefit_id, try, state, business_date)
        SELECT $1, $2, tries, CASE WHEN $4 THEN 'LAPSED' WHEN tries >= $5 THEN 'PARKED' ELSE 'OWED' END, $6
        FROM (
            SELECT coalesce((SELECT try + 1 FROM returned_payment AS before WHERE before.payment_id = $3), 1)
        ) AS one (tries)
        """,
        payment.payment_id,
        payment.benefit_id,
        payment.again_of,
        is_recovered,
        tries,
        tx.today,
    )


async def stale(tx: Transaction) -> Sequence[UUID]:
    """Payrolls that wait for an approval of what they are not any more: a payment left them since."""
    rows = await tx.fetch(
        """
        SELECT payroll_id FROM payroll WHERE state = 'PREPARED' AND payment_count <> (
          SELECT count(*) FROM payment WHERE payment.payroll_id = payroll.payroll_id AND payment.state <> 'WITHDRAWN'
        ) ORDER BY payroll_id
        """
    )
    return [row["payroll_id"] for row in rows]
