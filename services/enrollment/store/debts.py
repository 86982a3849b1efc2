"""What employers owe: demands, arrears with their due days, and instalment plans."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from asyncpg import Record

from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from kernel.statement import Statement
from services.enrollment.arrears import Demand, DemandKind, Instalment, Payment, Plan, PlanState
from services.enrollment.billing import Receipt, state_after
from services.enrollment.domain.contributions import Scheme

# What an employer owes, oldest first; a bill before its own demands. A back payment holds its own fee, and no other.
OPEN = """
    SELECT 'bil_' || replace(bill_id::text, '-', '') AS document, month, total_fen - paid_fen AS open_fen, paid_fen,
           due_date, CASE WHEN kind <> 'BACK_PAYMENT' THEN bill_id END AS bill_id, 0 AS place
    FROM bill WHERE employer_id = $1 AND state <> 'PAID'
    UNION ALL
    SELECT 'dem_' || replace(demand_id::text, '-', ''), bill.month, demand.total_fen - demand.paid_fen, demand.paid_fen,
           NULL, NULL, 1
    FROM demand JOIN bill USING (bill_id) WHERE demand.employer_id = $1 AND demand.state <> 'PAID'
    ORDER BY month, place, document
"""
# A bill that is paid and was paid too late owes its fee until that is demanded.
LATE = """
    SELECT bill_id, month, due_date FROM bill
    WHERE employer_id = $1 AND state = 'PAID' AND due_date IS NOT NULL AND kind <> 'BACK_PAYMENT'
      AND EXISTS (SELECT 1 FROM receipt WHERE receipt.bill_id = bill.bill_id AND receipt.paid_date > bill.due_date)
      AND NOT EXISTS (SELECT 1 FROM demand WHERE demand.bill_id = bill.bill_id AND kind = 'LATE_FEE')
    ORDER BY month, bill_id
"""


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """A bill or demand that is not paid."""

    document: str
    month: Month
    open: Money
    paid: Money
    due_date: date | None
    bill_id: UUID | None  # of a bill that bears a late fee


# -- demands and arrears

_DEMAND = """
    demand_id, employer_id, kind, bill_id, difference_id, total_fen, paid_fen, pension_fen, unemployment_fen,
    injury_fen, statement, policy_version, assess_date
"""


async def add_demand(tx: Transaction, one: Demand) -> bool:
    """Store a demand; False when the late fee of the bill was demanded before."""
    return bool(
        await tx.execute(
            f"""
            INSERT INTO demand ({_DEMAND}, state)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb, $12, $13, 'ISSUED') ON CONFLICT DO NOTHING
            """,  # noqa: S608 - constant
            one.demand_id,
            one.employer_id,
            one.kind,
            one.bill_id,
            one.difference_id,
            one.total.fen,
            one.paid.fen,
            one.shares[Scheme.EMPLOYEE_PENSION].fen,
            one.shares[Scheme.UNEMPLOYMENT].fen,
            one.shares[Scheme.WORK_INJURY].fen,
            one.statement.canonical() if one.statement else None,
            one.policy_version,
            one.assess_date,
        )
    )


async def demand(tx: Transaction, demand_id: UUID) -> Demand | None:
    """A demand, locked."""
    row = await tx.fetchrow(f"SELECT {_DEMAND} FROM demand WHERE demand_id = $1 FOR UPDATE", demand_id)  # noqa: S608 - constant
    return _demand(row) if row else None


async def demand_page(
    tx: Transaction, *, employer_id: UUID | None, before: UUID | None, limit: int
) -> Sequence[Demand]:
    """Demands, newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_DEMAND} FROM demand WHERE ($1::uuid IS NULL OR employer_id = $1)
          AND ($2::uuid IS NULL OR demand_id < $2) ORDER BY demand_id DESC LIMIT $3
        """,  # noqa: S608 - constant
        employer_id,
        before,
        limit,
    )
    return [_demand(row) for row in rows]


async def pay_demand(tx: Transaction, one: Demand, receipt: Receipt, suspense_id: UUID | None) -> Money:
    """Note money that came for a locked demand; what is paid in all."""
    await tx.execute(
        """
        INSERT INTO demand_receipt (receipt_id, receipt_no, demand_id, amount_fen, paid_date, suspense_id)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        receipt.receipt_id,
        receipt.receipt_no,
        one.demand_id,
        receipt.amount.fen,
        receipt.paid_date,
        suspense_id,
    )
    paid = one.paid + receipt.amount
    state = state_after(one.total, paid)
    await tx.execute("UPDATE demand SET paid_fen = $2, state = $3 WHERE demand_id = $1", one.demand_id, paid.fen, state)
    return paid


async def open_documents(tx: Transaction, employer_id: UUID) -> Sequence[OpenDocument]:
    """What an employer owes, oldest first."""
    return [
        OpenDocument(
            row["document"], Month.of(row["month"]), Money(row["open_fen"]), Money(row["paid_fen"]), row["due_date"],
            row["bill_id"],
        )
        for row in await tx.fetch(OPEN, employer_id)
    ]  # fmt: skip


async def late_bills(tx: Transaction, employer_id: UUID) -> Sequence[OpenDocument]:
    """Paid bills whose late fee is not demanded; nothing of the bill itself is open."""
    return [
        OpenDocument(
            ids.to_text("bil", row["bill_id"]), Month.of(row["month"]), Money.ZERO, Money.ZERO, row["due_date"],
            row["bill_id"],
        )
        for row in await tx.fetch(LATE, employer_id)
    ]  # fmt: skip


async def payments(tx: Transaction, bill_id: UUID) -> Sequence[Payment]:
    """What was paid on a bill, in the order of the days."""
    rows = await tx.fetch(
        "SELECT amount_fen, paid_date FROM receipt WHERE bill_id = $1 ORDER BY paid_date, receipt_id", bill_id
    )
    return [Payment(Money(row["amount_fen"]), row["paid_date"]) for row in rows]


async def set_due_date(tx: Transaction, month: Month, due: date) -> int:
    """Give every bill of a month that has no due day one; how many."""
    return await tx.execute("UPDATE bill SET due_date = $2 WHERE month = $1 AND due_date IS NULL", month.first_day, due)


async def due_date(tx: Transaction, bill_id: UUID) -> date | None:
    """The due day of a bill, if it was set."""
    row = await tx.fetchrow("SELECT due_date FROM bill WHERE bill_id = $1", bill_id)
    day: date | None = row["due_date"] if row else None
    return day


def _demand(row: Record) -> Demand:
    return Demand(
        demand_id=row["demand_id"],
        employer_id=row["employer_id"],
        kind=DemandKind(row["kind"]),
        bill_id=row["bill_id"],
        difference_id=row["difference_id"],
        total=Money(row["total_fen"]),
        paid=Money(row["paid_fen"]),
        shares={
            Scheme.EMPLOYEE_PENSION: Money(row["pension_fen"]),
            Scheme.UNEMPLOYMENT: Money(row["unemployment_fen"]),
            Scheme.WORK_INJURY: Money(row["injury_fen"]),
        },
        statement=Statement.from_plain(row["statement"]) if row["statement"] else None,
        policy_version=row["policy_version"],
        assess_date=row["assess_date"],
    )


# -- instalment plans


async def add_plan(tx: Transaction, one: Plan, items: Sequence[OpenDocument]) -> None:
    """Store a plan with its parts and the debt it is for."""
    await tx.execute(
        """
        INSERT INTO instalment_plan (plan_id, employer_id, state, total_fen, reason, approval_id, prepare_date)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        one.plan_id,
        one.employer_id,
        one.state,
        one.total.fen,
        one.reason,
        one.approval_id,
        tx.today,
    )
    await tx.execute(
        "INSERT INTO instalment SELECT $1, * FROM unnest($2::integer[], $3::date[], $4::bigint[])",
        one.plan_id,
        [part.number for part in one.instalments],
        [part.due_date for part in one.instalments],
        [part.amount.fen for part in one.instalments],
    )
    await tx.execute(
        "INSERT INTO instalment_item SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[])",
        one.plan_id,
        [item.document for item in items],
        [item.open.fen for item in items],
        [item.paid.fen for item in items],
    )


async def plan(tx: Transaction, plan_id: UUID, *, lock: bool = False) -> tuple[Plan, Money] | None:
    """A plan and what was paid of its debt since it was prepared."""
    query = "SELECT * FROM instalment_plan WHERE plan_id = $1"
    row = await tx.fetchrow(query + (" FOR UPDATE" if lock else ""), plan_id)
    if row is None:
        return None
    parts = await tx.fetch("SELECT * FROM instalment WHERE plan_id = $1 ORDER BY number", plan_id)
    items = await tx.fetch(
        """
        SELECT item.document, coalesce(bill.paid_fen, demand.paid_fen) - paid_before_fen AS paid_fen, bill_month.month
        FROM instalment_item AS item
        LEFT JOIN bill ON document LIKE 'bil%' AND bill.bill_id = right(document, 32)::uuid
        LEFT JOIN demand ON document LIKE 'dem%' AND demand.demand_id = right(document, 32)::uuid
        LEFT JOIN bill AS bill_month ON bill_month.bill_id = coalesce(bill.bill_id, demand.bill_id)
        WHERE plan_id = $1 ORDER BY bill_month.month, document
        """,
        plan_id,
    )
    found = Plan(
        plan_id=plan_id,
        employer_id=row["employer_id"],
        state=PlanState(row["state"]),
        total=Money(row["total_fen"]),
        reason=row["reason"],
        approval_id=row["approval_id"],
        instalments=[Instalment(one["number"], one["due_date"], Money(one["amount_fen"])) for one in parts],
        documents=[one["document"] for one in items],
    )
    return found, Money(sum(one["paid_fen"] for one in items))


async def decide_plan(tx: Transaction, plan_id: UUID, state: PlanState) -> None:
    """Note the decision on a locked plan."""
    await tx.execute("UPDATE instalment_plan SET state = $2 WHERE plan_id = $1", plan_id, state)
