"""What came in, the suspense account, demands, arrears, plans, refunds and the files of the bureau."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from asyncpg import Record

from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from kernel.statement import Statement
from services.enrollment.billing import Receipt, state_after
from services.enrollment.collection import (
    Demand,
    DemandKind,
    Incoming,
    Instalment,
    Payment,
    Plan,
    PlanState,
    Refund,
    RefundKind,
    RefundState,
    Suspense,
    SuspenseReason,
    SuspenseState,
)
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
# What a person's settled account did not take and what was paid twice, less what was refunded: as in the books' check
# of these shares. A line of a government post has an account of another scheme, which takes its share.
WITHHELD = """
    SELECT employer_id, fen FROM (
        SELECT (SELECT coalesce(sum(account_fen), 0) FROM bill JOIN bill_line AS line USING (bill_id)
                WHERE bill.state = 'PAID' AND bill.kind <> 'GOVERNMENT' AND line.person_id = $1 AND NOT EXISTS (
                    SELECT 1 FROM account_entry AS entry
                    WHERE entry.person_id = $1 AND entry.kind = 'CONTRIBUTION'
                      AND entry.source = 'bill:bil_' || replace(bill.bill_id::text, '-', '')))
            + (SELECT coalesce(sum(line.account_fen), 0)
                FROM difference JOIN difference_line AS line USING (difference_id)
                WHERE difference.state = 'SETTLED' AND line.person_id = $1 AND line.account_fen > 0 AND NOT EXISTS (
                    SELECT 1 FROM account_entry AS entry
                    WHERE entry.person_id = $1 AND entry.kind = 'CONTRIBUTION'
                      AND entry.source = 'difference:dif_' || replace(difference_id::text, '-', '')))
            - (SELECT coalesce(sum(amount_fen), 0) FROM account_entry
               WHERE person_id = $1 AND kind = 'CONTRIBUTION' AND source LIKE 'settlement:%')
            + (SELECT coalesce(sum(amount_fen), 0) FROM overlap_refund WHERE person_id = $1)
            - (SELECT coalesce(sum(amount_fen), 0) FROM refund
               WHERE person_id = $1 AND state IN ('ORDERED', 'CONFIRMED')) AS fen
    ) AS share LEFT JOIN (
        SELECT employer_id FROM bill JOIN bill_line USING (bill_id) WHERE person_id = $1 AND employer_id IS NOT NULL
        ORDER BY bill.month DESC LIMIT 1
    ) AS last ON true
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


# -- what came in


async def add_collected(tx: Transaction, one: Incoming, employer_id: UUID | None) -> bool:
    """Store a receipt of the bureau; False when its number was used before, here or for a single receipt."""
    return bool(
        await tx.execute(
            """
            INSERT INTO collected (receipt_no, amount_fen, paid_date, employer_id, document, simulated, source)
            SELECT $1::text, $2::bigint, $3::date, $4::uuid, $5::text, $6::boolean, $7::text
            WHERE NOT EXISTS (SELECT FROM single_receipt WHERE receipt_no = $1)
            ON CONFLICT (receipt_no) DO NOTHING
            """,
            one.receipt_no,
            one.amount.fen,
            one.paid_date,
            employer_id,
            one.document,
            one.simulated,
            one.source,
        )
    )


async def is_recorded(tx: Transaction, one: Incoming, employer_id: UUID | None) -> bool:
    """Whether a receipt was stored before as it is now."""
    row = await tx.fetchrow(
        """
        SELECT 1 FROM collected WHERE receipt_no = $1 AND amount_fen = $2 AND paid_date = $3
            AND employer_id IS NOT DISTINCT FROM $4::uuid AND document = $5
        """,
        one.receipt_no,
        one.amount.fen,
        one.paid_date,
        employer_id,
        one.document,
    )
    return row is not None


async def employers_by_code(tx: Transaction, codes: Sequence[str]) -> Mapping[str, UUID]:
    """Employers by credit code, as far as they are registered."""
    rows = await tx.fetch("SELECT credit_code, employer_id FROM employer WHERE credit_code = ANY($1)", list(codes))
    return {row["credit_code"]: row["employer_id"] for row in rows}


async def collected_on(tx: Transaction, day: date) -> Mapping[str, Money]:
    """What is booked as collected on a day, by number."""
    rows = await tx.fetch("SELECT receipt_no, amount_fen FROM collected WHERE paid_date = $1", day)
    return {row["receipt_no"]: Money(row["amount_fen"]) for row in rows}


# -- the suspense account

_SUSPENSE = "suspense_id, receipt_no, employer_id, reason, amount_fen, left_fen, state, paid_date"


async def add_suspense(tx: Transaction, one: Suspense, *, difference_id: UUID | None = None) -> None:
    """Put money on the suspense account."""
    await tx.execute(
        f"INSERT INTO suspense ({_SUSPENSE}, difference_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",  # noqa: S608 - constant
        one.suspense_id,
        one.receipt_no or None,
        one.employer_id,
        one.reason,
        one.amount.fen,
        one.left.fen,
        one.state,
        one.paid_date,
        difference_id,
    )


async def suspense(tx: Transaction, suspense_id: UUID) -> Suspense | None:
    """Money on the suspense account, locked."""
    row = await tx.fetchrow(f"SELECT {_SUSPENSE} FROM suspense WHERE suspense_id = $1 FOR UPDATE", suspense_id)  # noqa: S608 - constant
    return _suspense(row) if row else None


async def take(tx: Transaction, suspense_id: UUID, left: Money, state: SuspenseState) -> None:
    """Note what is left of locked money."""
    await tx.execute(
        "UPDATE suspense SET left_fen = $2, state = $3 WHERE suspense_id = $1", suspense_id, left.fen, state
    )


async def suspense_page(
    tx: Transaction, *, employer_id: UUID | None, state: SuspenseState | None, before: UUID | None, limit: int
) -> Sequence[Suspense]:
    """Money on the suspense account, newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_SUSPENSE} FROM suspense
        WHERE ($1::uuid IS NULL OR employer_id = $1) AND ($2::text IS NULL OR state = $2)
          AND ($3::uuid IS NULL OR suspense_id < $3) ORDER BY suspense_id DESC LIMIT $4
        """,  # noqa: S608 - constant
        employer_id,
        state,
        before,
        limit,
    )
    return [_suspense(row) for row in rows]


async def credit(tx: Transaction, employer_id: UUID) -> Money:
    """What is left on the suspense account of an employer."""
    row = await tx.fetchrow(
        "SELECT coalesce(sum(left_fen), 0)::bigint AS fen FROM suspense WHERE employer_id = $1 AND state = 'OPEN'",
        employer_id,
    )
    return Money(row["fen"]) if row else Money.ZERO


def _suspense(row: Record) -> Suspense:
    return Suspense(
        row["suspense_id"],
        row["receipt_no"] or "",
        row["employer_id"],
        SuspenseReason(row["reason"]),
        Money(row["amount_fen"]),
        Money(row["left_fen"]),
        SuspenseState(row["state"]),
        row["paid_date"],
    )


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


# -- refunds

_REFUND = """
    refund_id, refund.kind, refund.suspense_id, refund.employer_id, person_id, refund.amount_fen, refund.state,
    refund.reason, approval_id, reference, receipt_no
"""


async def add_refund(tx: Transaction, one: Refund) -> None:
    """Store a prepared refund."""
    await tx.execute(
        """
        INSERT INTO refund (refund_id, kind, suspense_id, employer_id, person_id, amount_fen, state, reason,
                            approval_id, prepare_date)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        one.refund_id,
        one.kind,
        one.suspense_id,
        one.employer_id,
        one.person_id,
        one.amount.fen,
        one.state,
        one.reason,
        one.approval_id,
        tx.today,
    )


async def refund(tx: Transaction, refund_id: UUID) -> Refund | None:
    """A refund, locked."""
    row = await tx.fetchrow(
        f"""
        SELECT {_REFUND} FROM refund LEFT JOIN suspense USING (suspense_id) WHERE refund_id = $1 FOR UPDATE OF refund
        """,  # noqa: S608 - constant
        refund_id,
    )
    return _refund(row) if row else None


async def move_refund(
    tx: Transaction, refund_id: UUID, state: RefundState, *, reference: str | None = None, simulated: bool = False
) -> bool:
    """Note where a locked refund stands now; False when another refund has the reference."""
    return bool(
        await tx.execute(
            """
            UPDATE refund SET state = $2, reference = $3, simulated = $4
            WHERE refund_id = $1 AND NOT EXISTS (SELECT 1 FROM refund WHERE reference = $3)
            """,
            refund_id,
            state,
            reference,
            simulated,
        )
    )


async def refund_page(
    tx: Transaction, *, state: RefundState | None, before: UUID | None, limit: int
) -> Sequence[Refund]:
    """Refunds, newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_REFUND} FROM refund LEFT JOIN suspense USING (suspense_id)
        WHERE ($1::text IS NULL OR refund.state = $1) AND ($2::uuid IS NULL OR refund_id < $2)
        ORDER BY refund_id DESC LIMIT $3
        """,  # noqa: S608 - constant
        state,
        before,
        limit,
    )
    return [_refund(row) for row in rows]


async def withheld(tx: Transaction, person_id: UUID) -> tuple[Money, UUID | None]:
    """Shares of a person that no account takes and that were not refunded, and the employer that paid last.

    The person is locked, so that the same shares are not ordered twice.
    """
    await tx.fetch("SELECT 1 FROM person WHERE person_id = $1 FOR UPDATE", person_id)
    row = await tx.fetchrow(WITHHELD, person_id)
    return (Money(int(row["fen"])), row["employer_id"]) if row else (Money.ZERO, None)


def _refund(row: Record) -> Refund:
    return Refund(
        refund_id=row["refund_id"],
        kind=RefundKind(row["kind"]),
        suspense_id=row["suspense_id"],
        employer_id=row["employer_id"],
        person_id=row["person_id"],
        amount=Money(row["amount_fen"]),
        state=RefundState(row["state"]),
        reason=row["reason"],
        approval_id=row["approval_id"],
        reference=row["reference"] or "",
        receipt_no=row["receipt_no"] or "",
    )


# -- files of the bureau


async def add_verdicts(tx: Transaction, job_id: UUID, rows: Sequence[tuple[int, str, str, str]]) -> None:
    """Note what became of rows: line, number, verdict, code."""
    await tx.execute(
        """
        INSERT INTO receipt_verdict (job_id, line, receipt_no, verdict, code)
        SELECT $1, * FROM unnest($2::integer[], $3::text[], $4::text[], $5::text[])
        """,
        job_id,
        *(list(column) for column in zip(*rows, strict=True)),
    )


async def verdicts(tx: Transaction, job_id: UUID, *, after: int, limit: int) -> Sequence[Record]:
    """What became of the rows of a file, in its order."""
    return await tx.fetch(
        """
        SELECT line, receipt_no, verdict, code FROM receipt_verdict
        WHERE job_id = $1 AND line > $2 ORDER BY line LIMIT $3
        """,
        job_id,
        after,
        limit,
    )


async def bills_out(tx: Transaction, month: Month) -> Sequence[Record]:
    """What is open of a month, with the payer and its credit."""
    return await tx.fetch(
        """
        SELECT one.*, employer.credit_code, coalesce(left_fen, 0)::bigint AS credit_fen FROM (
            SELECT 'bil_' || replace(bill_id::text, '-', '') AS document, 'BILL' AS kind, employer_id, total_fen,
                   paid_fen, due_date
            FROM bill WHERE month = $1 AND state <> 'PAID'
            UNION ALL
            SELECT 'dem_' || replace(demand_id::text, '-', ''), demand.kind, demand.employer_id, demand.total_fen,
                   demand.paid_fen, NULL
            FROM demand JOIN bill USING (bill_id) WHERE month = $1 AND demand.state <> 'PAID'
        ) AS one JOIN employer USING (employer_id) LEFT JOIN (
            SELECT employer_id, sum(left_fen) AS left_fen FROM suspense WHERE state = 'OPEN' GROUP BY employer_id
        ) AS credit USING (employer_id)
        """,
        month.first_day,
    )


async def add_bill_file(tx: Transaction, values: Mapping[str, Any]) -> Record:
    """Store a file of bills, or find the same one."""
    columns = ", ".join(values)
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await tx.execute(
        f"INSERT INTO bill_file ({columns}) VALUES ({places}) ON CONFLICT (month, digest) DO NOTHING",  # noqa: S608 - names of ours
        *values.values(),
    )
    row = await tx.fetchrow(
        "SELECT * FROM bill_file WHERE month = $1 AND digest = $2", values["month"], values["digest"]
    )
    assert row is not None
    return row


async def bill_file(tx: Transaction, file_id: UUID) -> Record | None:
    """A file of bills."""
    return await tx.fetchrow("SELECT * FROM bill_file WHERE file_id = $1", file_id)


# -- the statement of an employer


async def statement(tx: Transaction, employer_id: UUID, first: Month, last: Month) -> Mapping[str, Any]:
    """What an employer was billed, paid and owes in a period, as plain values in fen."""
    row = await tx.fetchrow(STATEMENT, employer_id, first.first_day, last.first_day, last.last_day)
    assert row is not None
    plain: Mapping[str, Any] = row["plain"] if isinstance(row["plain"], dict) else json.loads(row["plain"])
    return plain


STATEMENT = """
    SELECT jsonb_build_object(
        'bills', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'bill_id', 'bil_' || replace(bill_id::text, '-', ''), 'month', to_char(month, 'YYYY-MM'),
                'number', number, 'state', state, 'persons', person_count, 'total_fen', total_fen, 'paid_fen', paid_fen,
                'due_date', due_date) ORDER BY month, number), '[]')
            FROM bill WHERE employer_id = $1 AND month BETWEEN $2 AND $3),
        'demands', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'demand_id', 'dem_' || replace(demand_id::text, '-', ''), 'kind', demand.kind,
                'bill_id', 'bil_' || replace(bill_id::text, '-', ''), 'month', to_char(month, 'YYYY-MM'),
                'total_fen', demand.total_fen, 'paid_fen', demand.paid_fen) ORDER BY month, demand_id), '[]')
            FROM demand JOIN bill USING (bill_id) WHERE demand.employer_id = $1 AND month BETWEEN $2 AND $3),
        'receipts', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'receipt_no', receipt_no, 'paid_date', paid_date, 'amount_fen', amount_fen, 'document', document)
                ORDER BY paid_date, receipt_no), '[]')
            FROM collected WHERE employer_id = $1 AND paid_date BETWEEN $2 AND $4),
        'suspense', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'suspense_id', 'sus_' || replace(suspense_id::text, '-', ''), 'reason', reason,
                'amount_fen', amount_fen, 'left_fen', left_fen) ORDER BY suspense_id), '[]')
            FROM suspense WHERE employer_id = $1 AND state = 'OPEN'),
        'totals', jsonb_build_object(
            'billed_fen', (SELECT coalesce(sum(total_fen), 0) FROM bill
                WHERE employer_id = $1 AND month BETWEEN $2 AND $3),
            'arrears_fen', (SELECT coalesce(sum(total_fen - paid_fen), 0) FROM bill
                WHERE employer_id = $1 AND month BETWEEN $2 AND $3),
            'demands_open_fen', (SELECT coalesce(sum(demand.total_fen - demand.paid_fen), 0)
                FROM demand JOIN bill USING (bill_id) WHERE demand.employer_id = $1 AND month BETWEEN $2 AND $3),
            'received_fen', (SELECT coalesce(sum(amount_fen), 0) FROM collected
                WHERE employer_id = $1 AND paid_date BETWEEN $2 AND $4),
            'credit_fen', (SELECT coalesce(sum(left_fen), 0) FROM suspense WHERE employer_id = $1 AND state = 'OPEN'))
    ) AS plain
"""
