"""Plans of recoveries, and what payments hold back for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import col, select

from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from services.benefits.keeping import Method
from services.benefits.store.keeping_recoveries import COLUMNS
from services.benefits.store.rows import PaymentRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.benefits.keeping import Plan


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
