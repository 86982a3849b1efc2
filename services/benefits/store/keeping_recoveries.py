"""What was paid too much and how it comes back: recoveries, plans, entries, deductions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import col, select

from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from services.benefits.keeping import Method, Way
from services.benefits.lifecycle import Kind
from services.benefits.store.rows import PaymentRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from uuid import UUID

    from asyncpg import Record

    from chassis.transaction import Transaction
    from services.benefits.keeping import Plan
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


@dataclass(frozen=True, slots=True)
class PlanShown:
    """The agreement in force."""

    plan_id: UUID
    recovery_id: UUID
    method: Method
    monthly: Money
    first_month: Month
    total: Money
    benefit_id: UUID | None
    agreement: str


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


# Plans and deductions -----------------------------------------------------------------------------------------------


async def set_plan(tx: Transaction, plan: Plan, total: Money) -> UUID:
    """Agree on a plan for a locked recovery; it replaces the one before."""
    await tx.execute(
        "UPDATE recovery_plan SET replaced_date = $2 WHERE recovery_id = $1 AND replaced_date IS NULL",
        plan.recovery_id,
        tx.today,
    )
    plan_id = ids.new_id()
    await tx.execute(
        """
        INSERT INTO recovery_plan (plan_id, recovery_id, method, monthly_fen, first_month, total_fen, benefit_id,
                                   agreement, business_date)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        plan_id,
        plan.recovery_id,
        plan.method.value,
        plan.monthly.fen,
        plan.first_month.first_day,
        total.fen,
        plan.benefit_id,
        plan.agreement,
        tx.today,
    )
    return plan_id


async def plan_of(tx: Transaction, recovery_id: UUID) -> PlanShown | None:
    """The plan in force of a recovery."""
    row = await tx.fetchrow("SELECT * FROM recovery_plan WHERE recovery_id = $1 AND replaced_date IS NULL", recovery_id)
    if row is None:
        return None
    return PlanShown(
        plan_id=row["plan_id"],
        recovery_id=row["recovery_id"],
        method=Method(row["method"]),
        monthly=Money(row["monthly_fen"]),
        first_month=Month.of(row["first_month"]),
        total=Money(row["total_fen"]),
        benefit_id=row["benefit_id"],
        agreement=row["agreement"],
    )


async def is_deducted(tx: Transaction, benefit_id: UUID, recovery_id: UUID) -> bool:
    """Whether another recovery that is still open is deducted from a benefit; a plan that is done makes room."""
    await tx.execute(
        """
        UPDATE recovery_plan SET replaced_date = $2 FROM recovery
        WHERE recovery_plan.benefit_id = $1 AND replaced_date IS NULL
          AND recovery.recovery_id = recovery_plan.recovery_id
          AND recovered_fen + written_off_fen + cancelled_fen = amount_fen
        """,
        benefit_id,
        tx.today,
    )
    row = await tx.fetchrow(
        "SELECT 1 FROM recovery_plan WHERE benefit_id = $1 AND recovery_id <> $2 AND replaced_date IS NULL",
        benefit_id,
        recovery_id,
    )
    return row is not None


async def plan_deductions(tx: Transaction, payroll_id: UUID) -> int:
    """Hold back what plans take from the payments of a payroll that is being prepared; how many payments give.

    One statement for the whole payroll. A payment gives at most the agreed amount, never more than it is, and all of
    them together never more than is owed and not on its way. The payments themselves stay what they are: the bank is
    told `held_of` less, and the entry in the ledger is made when it confirms.
    """
    await tx.execute(
        """
        SELECT 1 FROM recovery WHERE recovery_id IN (
          SELECT plan.recovery_id FROM recovery_plan AS plan JOIN payment USING (benefit_id)
          WHERE payroll_id = $1 AND replaced_date IS NULL
        ) ORDER BY recovery_id FOR NO KEY UPDATE
        """,
        payroll_id,
    )
    return await tx.execute(
        f"""
        INSERT INTO deduction (payment_id, recovery_id, amount_fen)
        SELECT payment_id, recovery_id, least(wish, free - before) FROM (
          SELECT payment_id, recovery_id, free, wish,
                 coalesce(sum(wish) OVER (PARTITION BY recovery_id ORDER BY month, payment_id
                                          ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::bigint AS before
          FROM (
            SELECT payment_id, month, plan.recovery_id, least(monthly_fen, payment.amount_fen) AS wish,
                   owed.amount_fen - recovered_fen - written_off_fen - cancelled_fen - held_fen AS free
            FROM payment JOIN recovery_plan AS plan
              ON plan.benefit_id = payment.benefit_id AND replaced_date IS NULL AND plan.first_month <= payment.month
            JOIN (SELECT {COLUMNS} FROM recovery) AS owed ON owed.recovery_id = plan.recovery_id
            WHERE payroll_id = $1 AND payment.state = 'OPEN' AND payment.item = 'MONTH'
          ) AS wishes
        ) AS taken WHERE wish > 0 AND free > before
        ON CONFLICT (payment_id) DO NOTHING
        """,  # noqa: S608 - constant
        payroll_id,
    )


async def held_of(tx: Transaction, payment_ids: Iterable[UUID]) -> dict[UUID, Money]:
    """How much less than their amounts the bank is told to pay for some payments."""
    rows = await tx.fetch(
        "SELECT payment_id, amount_fen FROM deduction WHERE payment_id = ANY($1::uuid[]) AND state <> 'RELEASED'",
        list(payment_ids),
    )
    return {row["payment_id"]: Money(row["amount_fen"]) for row in rows}


async def answer_deduction(tx: Transaction, payment_id: UUID, *, is_paid: bool) -> tuple[UUID, Money] | None:
    """The bank answered for a payment: what it held back is taken or given free; the recovery and the amount taken."""
    row = await tx.fetchrow(
        """
        UPDATE deduction SET state = $2 WHERE payment_id = $1 AND state = 'HELD' RETURNING recovery_id, amount_fen
        """,
        payment_id,
        "TAKEN" if is_paid else "RELEASED",
    )
    return (row["recovery_id"], Money(row["amount_fen"])) if row and is_paid else None


async def answered_payments(tx: Transaction, payment_ids: Iterable[UUID]) -> Sequence[tuple[PaymentRow, bool]]:
    """Those of some answered payments that hold something back or were overpaid and came back, in the order of ids."""
    rows = await tx.fetch(
        """
        SELECT payment_id, coalesce(state = 'RETURNED' AND settled_date IS NOT NULL AND recovery_id IS NOT NULL, false)
                 AS is_recovered,
               EXISTS (SELECT FROM deduction
                       WHERE deduction.payment_id = payment.payment_id AND state = 'HELD') AS holds
        FROM payment LEFT JOIN overpayment USING (payment_id)
        WHERE payment_id = ANY($1::uuid[]) AND state IN ('CONFIRMED', 'RETURNED')
        """,
        list(payment_ids),
    )
    concerned = {row["payment_id"]: bool(row["is_recovered"]) for row in rows if row["is_recovered"] or row["holds"]}
    query = select(PaymentRow).where(col(PaymentRow.payment_id).in_(concerned)).order_by(col(PaymentRow.payment_id))
    found = (await tx.session.scalars(query.execution_options(populate_existing=True))).all()
    return [(row, concerned[row.payment_id]) for row in found]


async def recovery_of_payment(tx: Transaction, payment_id: UUID) -> UUID | None:
    """The recovery that an overpaid payment belongs to."""
    row = await tx.fetchrow("SELECT recovery_id FROM overpayment WHERE payment_id = $1", payment_id)
    return row["recovery_id"] if row else None


# What turns out to be owed after all --------------------------------------------------------------------------------


async def cancel_overpaid(
    tx: Transaction, benefit_id: UUID, after: Month, until: Month | None
) -> Sequence[tuple[UUID, Money]]:
    """Payments of some months are owed after all; what each recovery held of them that is still at the payee."""
    rows = await tx.fetch(
        """
        WITH owed AS (
          UPDATE overpayment SET cancelled_date = $4
          WHERE benefit_id = $1 AND month > $2 AND ($3::date IS NULL OR month <= $3) AND settled_date IS NULL
            AND cancelled_date IS NULL
            AND NOT EXISTS (SELECT FROM suspension WHERE suspension.benefit_id = $1
                            AND month BETWEEN from_month AND forfeited_through)
          RETURNING recovery_id, amount_fen
        )
        SELECT recovery_id, sum(amount_fen)::bigint AS fen FROM owed WHERE recovery_id IS NOT NULL
        GROUP BY recovery_id ORDER BY recovery_id
        """,
        benefit_id,
        after.first_day,
        until and until.first_day,
        tx.today,
    )
    return [(row["recovery_id"], Money(row["fen"])) for row in rows]


async def give_back(tx: Transaction, one: Recovery, benefit: BenefitRow, amount: Money, digest: bytes) -> None:
    """Money that came back was owed after all: it is paid again as a difference of the benefit."""
    await add_difference(tx, benefit, first=one.first_month, last=one.last_month, amount=amount, digest=digest)


async def add_difference(
    tx: Transaction, benefit: BenefitRow, *, first: Month, last: Month, amount: Money, digest: bytes
) -> None:
    """Pay a benefit a sum beside its months; it stands for months up to the last one of the benefit."""
    until = last if benefit.last_month is None else max(min(last, benefit.last_month), benefit.first_month)
    await tx.execute(
        """
        INSERT INTO difference (difference_id, benefit_id, person_id, cause, cause_id, first_month, last_month,
                                amount_fen, digest, business_date)
        VALUES ($1, $2, $3, 'RECOMPUTED', $4, $5, $6, $7, $8, $9)
        """,
        ids.new_id(),
        benefit.benefit_id,
        benefit.person_id,
        ids.new_id(),
        min(first, until).first_day,
        until.first_day,
        amount.fen,
        digest,
        tx.today,
    )


async def note_forfeited(tx: Transaction, benefit_id: UUID, from_month: Month, reason: str) -> int:
    """Released payments of months that a reason takes away were not owed."""
    return await tx.execute(
        """
        INSERT INTO overpayment (payment_id, benefit_id, person_id, month, amount_fen, reason, found_date)
        SELECT payment_id, benefit_id, person_id, month, amount_fen, $3, $4 FROM payment
        WHERE benefit_id = $1 AND month >= $2 AND state IN ('OPEN', 'CONFIRMED') AND item IN ('MONTH', 'AGAIN')
        ON CONFLICT (payment_id) DO UPDATE
        SET reason = excluded.reason, found_date = excluded.found_date, cancelled_date = NULL, recovery_id = NULL
        WHERE overpayment.cancelled_date IS NOT NULL
        """,
        benefit_id,
        from_month.first_day,
        reason,
        tx.today,
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
