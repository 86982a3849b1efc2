"""Files of the bank and what came back: rows only, whole chunks at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from services.benefits.lifecycle import Answer, PaymentState
from services.benefits.store.rows import PaymentRow

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from uuid import UUID

    from asyncpg import Record

    from chassis.transaction import Transaction

FILE = """
    SELECT file.*, (SELECT count(*) FROM payment_file_part AS part WHERE part.file_id = file.file_id) AS part_count
    FROM payment_file AS file
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a row of an answer."""

    line: int
    payment_id: UUID | None
    verdict: str  # ACCEPTED, REPEATED or REFUSED
    code: str = ""


@dataclass(frozen=True, slots=True)
class Booked:
    """An answer that is booked now."""

    payment: PaymentRow
    answer: Answer
    reference: str
    reason: str
    is_recovered: bool  # it was overpaid, and came back


# Out ----------------------------------------------------------------------------------------------------------------


async def add_file(tx: Transaction, values: Mapping[str, Any]) -> bool:
    """Write a file that is going to be made; False when the payroll has one of this form."""
    written = await tx.execute(
        """
        INSERT INTO payment_file (file_id, payroll_id, adapter, job_id, maker, business_date)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (payroll_id, adapter) DO NOTHING
        """,
        *(values[name] for name in ("file_id", "payroll_id", "adapter", "job_id", "maker")),
        tx.today,
    )
    return written > 0


async def file_of(tx: Transaction, payroll_id: UUID, adapter: str) -> Record | None:
    """The file of a payroll in a form."""
    return await tx.fetchrow(f"{FILE} WHERE payroll_id = $1 AND adapter = $2", payroll_id, adapter)


async def file(tx: Transaction, file_id: UUID) -> Record | None:
    """A file."""
    return await tx.fetchrow(f"{FILE} WHERE file_id = $1", file_id)


async def sealed_orders(tx: Transaction, payroll_id: UUID, chunk: int) -> Sequence[Record]:
    """The payments of a chunk with their sealed payees, in the order of their ids; less what a recovery holds back."""
    return await tx.fetch(
        """
        SELECT payment_id, payment.amount_fen - coalesce(held.amount_fen, 0) AS amount_fen, payee_id, name_sealed,
               account_sealed
        FROM payment JOIN payee USING (payee_id)
        LEFT JOIN deduction AS held USING (payment_id)
        WHERE payroll_id = $1 AND chunk = $2 AND payment.state <> 'WITHDRAWN' ORDER BY payment_id
        """,
        payroll_id,
        chunk,
    )


async def add_part(tx: Transaction, file_id: UUID, number: int, values: Mapping[str, Any]) -> None:
    """Keep a part of a file."""
    await tx.execute(
        """
        INSERT INTO payment_file_part (file_id, number, upload_id, digest, size, payment_count, total_fen)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        file_id,
        number,
        *(values[name] for name in ("upload_id", "digest", "size", "payment_count", "total_fen")),
    )


async def parts(tx: Transaction, file_id: UUID) -> Sequence[Record]:
    """The parts of a file in order."""
    return await tx.fetch("SELECT * FROM payment_file_part WHERE file_id = $1 ORDER BY number", file_id)


async def close_file(tx: Transaction, file_id: UUID, values: Mapping[str, Any]) -> None:
    """The file is whole."""
    await tx.execute(
        "UPDATE payment_file SET payment_count = $2, total_fen = $3, size = $4, digest = $5 WHERE file_id = $1",
        file_id,
        *(values[name] for name in ("payment_count", "total_fen", "size", "digest")),
    )


# Back ---------------------------------------------------------------------------------------------------------------


async def add_return(tx: Transaction, values: Mapping[str, Any]) -> None:
    """Keep that an answer came."""
    await tx.execute(
        """
        INSERT INTO return_file (return_id, payroll_id, upload_id, digest, job_id, row_count, simulated, business_date)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        *(values[name] for name in ("return_id", "payroll_id", "upload_id", "digest", "job_id", "row_count")),
        values["simulated"],
        tx.today,
    )


async def return_file(tx: Transaction, return_id: UUID) -> Record | None:
    """An answer that came."""
    return await tx.fetchrow("SELECT * FROM return_file WHERE return_id = $1", return_id)


async def return_rows(tx: Transaction, return_id: UUID, *, after: int, limit: int) -> Sequence[Record]:
    """What became of the rows of an answer."""
    return await tx.fetch(
        "SELECT * FROM return_row WHERE return_id = $1 AND line > $2 ORDER BY line LIMIT $3", return_id, after, limit
    )


async def add_verdicts(tx: Transaction, return_id: UUID, verdicts: Sequence[Verdict]) -> None:
    """Keep what became of rows."""
    await tx.execute(
        """
        INSERT INTO return_row (return_id, line, payment_id, verdict, code)
        SELECT $1, * FROM unnest($2::integer[], $3::uuid[], $4::text[], $5::text[])
        """,
        return_id,
        [one.line for one in verdicts],
        [one.payment_id for one in verdicts],
        [one.verdict for one in verdicts],
        [one.code for one in verdicts],
    )


async def lock_payments(tx: Transaction, payment_ids: Collection[UUID]) -> Mapping[UUID, PaymentRow]:
    """Payments that the bank answers, locked after their benefits, both in the order of their ids."""
    await tx.execute(
        """
        SELECT 1 FROM benefit WHERE benefit_id IN (SELECT benefit_id FROM payment WHERE payment_id = ANY ($1::uuid[]))
        ORDER BY benefit_id FOR NO KEY UPDATE
        """,
        list(payment_ids),
    )
    query = (
        select(PaymentRow)
        .where(col(PaymentRow.payment_id).in_(list(payment_ids)))
        .order_by(col(PaymentRow.payment_id))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {row.payment_id: row for row in (await tx.session.scalars(query)).all()}


async def settle_overpaid(tx: Transaction, payment_ids: Collection[UUID]) -> set[UUID]:
    """Which of some returned payments were overpaid: they are recovered by that."""
    rows = await tx.fetch(
        """
        UPDATE overpayment SET settled_date = $2
        WHERE payment_id = ANY ($1::uuid[]) AND settled_date IS NULL AND cancelled_date IS NULL RETURNING payment_id
        """,
        list(payment_ids),
        tx.today,
    )
    return {row["payment_id"] for row in rows}


async def answer(tx: Transaction, booked: Sequence[Booked], *, simulated: bool, tries: int) -> None:
    """Write answers down; what came back is kept as owed, parked after so many tries, or lapsed."""
    await tx.execute(
        """
        UPDATE payment SET state = one.state, bank_reference = reference, return_code = reason, simulated = $5,
               answer_date = $6
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS one (payment_id, state, reference, reason)
        WHERE payment.payment_id = one.payment_id
        """,
        [one.payment.payment_id for one in booked],
        [state_of(one.answer).value for one in booked],
        [one.reference for one in booked],
        [one.reason for one in booked],
        simulated,
        tx.today,
    )
    back = [one for one in booked if one.answer is Answer.RETURN]
    if back:
        await tx.execute(
            """
            INSERT INTO returned_payment (payment_id, benefit_id, try, state, business_date)
            SELECT payment_id, benefit_id, tries, CASE WHEN lapsed THEN 'LAPSED' WHEN tries >= $2 THEN 'PARKED'
                                                       ELSE 'OWED' END, $3
            FROM (
                SELECT payment.payment_id, payment.benefit_id, lapsed, coalesce(before.try, 0) + 1 AS tries
                FROM unnest($1::uuid[], $4::boolean[]) AS one (payment_id, lapsed) JOIN payment USING (payment_id)
                LEFT JOIN returned_payment AS before ON before.payment_id = payment.again_of
            ) AS counted
            """,
            [one.payment.payment_id for one in back],
            tries,
            tx.today,
            [one.is_recovered for one in back],
        )


async def count_answers(tx: Transaction, payroll_id: UUID, booked: Sequence[Booked]) -> None:
    """Count answered payments in their payroll; last, because every chunk waits for its row."""
    confirmed = sum(one.answer is Answer.CONFIRM for one in booked)
    await tx.execute(
        "UPDATE payroll SET confirmed_count = confirmed_count + $2, returned_count = returned_count + $3"
        " WHERE payroll_id = $1",
        payroll_id,
        confirmed,
        len(booked) - confirmed,
    )


def state_of(given: Answer) -> PaymentState:
    """Where an answered payment stands."""
    return PaymentState.CONFIRMED if given is Answer.CONFIRM else PaymentState.RETURNED


async def exhausted(tx: Transaction, payment_ids: Collection[UUID]) -> Sequence[UUID]:
    """Active benefits whose last month is among some answered payments."""
    rows = await tx.fetch(
        """
        SELECT benefit_id FROM payment JOIN benefit USING (benefit_id)
        WHERE payment_id = ANY ($1::uuid[]) AND benefit.state = 'ACTIVE' AND payment.month = benefit.last_month
          AND item = 'MONTH' ORDER BY benefit_id
        """,
        list(payment_ids),
    )
    return [row["benefit_id"] for row in rows]


# What came back -----------------------------------------------------------------------------------------------------

_RETURNED = """
    SELECT back.payment_id, back.benefit_id, back.try, back.state, back.business_date, payment.kind, payment.month,
           payment.amount_fen, payment.return_code, payment.payee_id, payment.person_id,
           benefit.payee_id AS payee_now
    FROM returned_payment AS back JOIN payment USING (payment_id)
    JOIN benefit ON benefit.benefit_id = back.benefit_id
"""


async def returned_payments(tx: Transaction, state: str, *, before: UUID | None, limit: int) -> Sequence[Record]:
    """Payments that came back and were not sent again, newest first."""
    return await tx.fetch(
        f"""
        {_RETURNED} WHERE back.state <> 'SENT' AND ($1 = '' OR back.state = $1)
          AND ($2::uuid IS NULL OR back.payment_id < $2) ORDER BY back.payment_id DESC LIMIT $3
        """,
        state,
        before,
        limit,
    )


async def returned_payment(tx: Transaction, payment_id: UUID) -> Record | None:
    """A payment that came back, locked."""
    return await tx.fetchrow(f"{_RETURNED} WHERE back.payment_id = $1 FOR NO KEY UPDATE OF back", payment_id)


async def wait_for_next(tx: Transaction, payment_id: UUID) -> None:
    """Send it with the next payroll."""
    await tx.execute("UPDATE returned_payment SET state = 'WAITING' WHERE payment_id = $1", payment_id)
