"""Bills, their lines and receipts. Lines are settled by one statement, however many; `store.assessment` makes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlmodel import col, desc, select

from chassis.transaction import Transaction
from kernel.calendar import Month
from kernel.money import Money
from services.enrollment.accounting import EntryKind, booking_month
from services.enrollment.billing import (
    EMPLOYEE_SCHEMES,
    PARTS,
    POST_SCHEMES,
    Bill,
    BillKind,
    BillLine,
    BillState,
    Receipt,
    Terms,
)
from services.enrollment.domain.contributions import Scheme
from services.enrollment.store import terms as stored_terms
from services.enrollment.store.rows import BillLineRow, BillRow

CONTRIBUTE = """
    INSERT INTO contribution (person_id, month, scheme, state, base_fen, employer_fen, employee_fen, bill_id)
    SELECT line.person_id, line.month, part.scheme, 'PAID', line.base_fen, part.employer_fen, part.employee_fen, $1
    FROM bill_line AS line JOIN bill USING (bill_id) CROSS JOIN LATERAL (VALUES
        (CASE bill.kind WHEN 'GOVERNMENT' THEN 120 ELSE 110 END::smallint,
            line.pension_employer_fen, line.pension_employee_fen, true),
        (9012::smallint, line.annuity_employer_fen, line.annuity_employee_fen, bill.kind = 'GOVERNMENT'),
        (210::smallint, line.unemployment_employer_fen, line.unemployment_employee_fen,
            CASE bill.kind WHEN 'GOVERNMENT' THEN line.unemployment_employer_fen > 0 ELSE bill.kind <> 'FLEXIBLE' END),
        (410::smallint, line.injury_employer_fen, 0,
            CASE bill.kind WHEN 'GOVERNMENT' THEN line.injury_employer_fen > 0 ELSE bill.kind <> 'FLEXIBLE' END)
    ) AS part (scheme, employer_fen, employee_fen, stands)
    WHERE line.bill_id = $1 AND part.stands
"""
LINES = "SELECT person_id, base_fen, account_fen FROM bill_line WHERE bill_id = $1 ORDER BY person_id"
# Accounts are locked in the order of their persons. An account whose year is closed books in the next January
# (`accounting.booking_month`); one that is settled takes nothing more and is not in the answer.
CREDIT = """
    INSERT INTO account AS mine (person_id, balance_fen, first_year)
    SELECT person_id, account_fen, extract(year FROM $2::date) FROM bill_line WHERE bill_id = $1 ORDER BY person_id
    ON CONFLICT (person_id) DO UPDATE SET
        balance_fen = mine.balance_fen + excluded.balance_fen,
        first_year = CASE WHEN mine.closed_through IS NULL THEN least(mine.first_year, excluded.first_year)
                          ELSE mine.first_year END
    WHERE mine.settle_month IS NULL
    RETURNING person_id, balance_fen, closed_through
"""


@dataclass(frozen=True, slots=True)
class Credited:
    """One person-month of a bill that was paid: the account's share, the month of its booking, and the balance now.

    A settled account takes nothing more: then there is no month, and the share is to be refunded.
    """

    person_id: UUID
    base: Money
    share: Money
    booked: Month | None
    balance: Money


async def bill(tx: Transaction, bill_id: UUID, *, lock: bool = False) -> Bill | None:
    """A bill, on demand locked for a receipt."""
    query = select(BillRow).where(BillRow.bill_id == bill_id).execution_options(populate_existing=True)
    row = await tx.session.scalar(query.with_for_update() if lock else query)
    return _bill(row) if row else None


async def latest(tx: Transaction, employer_id: UUID, month: Month, kind: BillKind = BillKind.EMPLOYER) -> Bill | None:
    """The newest bill of an employer for a month, of one kind."""
    row = await tx.session.scalar(
        select(BillRow)
        .where(BillRow.employer_id == employer_id, BillRow.month == month, BillRow.kind == kind)
        .order_by(desc(col(BillRow.number)))
        .limit(1)
    )
    return _bill(row) if row else None


async def bills(
    tx: Transaction, *, employer_id: UUID | None, state: BillState | None, before: UUID | None, limit: int
) -> Sequence[Bill]:
    """Bills, newest first."""
    query = select(BillRow).order_by(desc(col(BillRow.bill_id))).limit(limit)
    if employer_id is not None:
        query = query.where(BillRow.employer_id == employer_id)
    if state is not None:
        # Who asks for a state wants to act on it, and nothing is done with a bill that was withdrawn.
        query = query.where(BillRow.state == state, col(BillRow.withdrawn_date).is_(None))
    if before is not None:
        query = query.where(col(BillRow.bill_id) < before)
    return [_bill(row) for row in await tx.session.scalars(query)]


async def lines(tx: Transaction, bill_id: UUID, *, after: UUID | None, limit: int) -> Sequence[BillLine]:
    """Lines of a bill in the order of the persons."""
    query = select(BillLineRow).where(BillLineRow.bill_id == bill_id).order_by(col(BillLineRow.person_id)).limit(limit)
    if after is not None:
        query = query.where(col(BillLineRow.person_id) > after)
    return [BillLine(row.person_id, row.wage, row.base, _schemes(row)) for row in await tx.session.scalars(query)]


async def terms_of(tx: Transaction, bill_id: UUID) -> tuple[Terms, str]:
    """The law and class behind a bill, and the version of the policy files."""
    row = await tx.session.get_one(BillRow, bill_id)
    return stored_terms.from_plain(row.terms), row.policy_version


async def add_receipt(
    tx: Transaction, receipt: Receipt, suspense_id: UUID | None, land_use_id: UUID | None = None
) -> None:
    """Store money that came for a bill, from the bureau, from the suspense account or from that of a farmer."""
    await tx.execute(
        """
        INSERT INTO receipt (receipt_id, receipt_no, bill_id, amount_fen, paid_date, simulated, suspense_id,
                             land_use_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        receipt.receipt_id,
        receipt.receipt_no,
        receipt.bill_id,
        receipt.amount.fen,
        receipt.paid_date,
        receipt.simulated,
        suspense_id,
        land_use_id,
    )


async def pay(tx: Transaction, bill_id: UUID, paid: Money, state: BillState) -> None:
    """Note on a locked bill what was paid in all."""
    await tx.execute("UPDATE bill SET paid_fen = $2, state = $3 WHERE bill_id = $1", bill_id, paid.fen, state)


async def last_paid_date(tx: Transaction, bill_id: UUID) -> date:
    """The day on which the last money of a bill came, in whatever order its receipts were recorded."""
    row = await tx.fetchrow("SELECT max(paid_date) AS day FROM receipt WHERE bill_id = $1", bill_id)
    assert row is not None
    day: date = row["day"]
    return day


async def settle(tx: Transaction, bill_id: UUID, paid_date: date, source: str) -> Sequence[Credited]:
    """Turn the lines of a paid bill into contribution months and credits of the accounts, in order of the persons."""
    await tx.execute(CONTRIBUTE, bill_id)
    lines = await tx.fetch(LINES, bill_id)
    accounts = {row["person_id"]: row for row in await tx.fetch(CREDIT, bill_id, Month.of(paid_date).first_day)}
    credited = []
    entries = []
    for line in lines:
        person_id, base, share = line["person_id"], Money(line["base_fen"]), Money(line["account_fen"])
        account = accounts.get(person_id)
        if account is None:
            credited.append(Credited(person_id, base, share, None, Money.ZERO))
            continue
        month = booking_month(paid_date, account["closed_through"])
        entries.append((person_id, EntryKind.CONTRIBUTION.value, source, month.year, month.first_day, share.fen))
        credited.append(Credited(person_id, base, share, month, Money(account["balance_fen"])))
    raw = await tx.raw()
    await raw.copy_records_to_table(
        "account_entry",
        records=entries,
        columns=["person_id", "kind", "source", "year", "booked_month", "amount_fen"],
    )
    return credited


def _bill(row: BillRow) -> Bill:
    return Bill(
        bill_id=row.bill_id,
        employer_id=row.employer_id,
        month=row.month,
        number=row.number,
        state=row.state,
        person_count=row.person_count,
        charges={name: getattr(row, name) for name in PARTS[row.kind]},
        total=row.total,
        paid=row.paid,
        provisional=row.provisional,
        assess_date=row.assess_date,
        kind=row.kind,
        payer_id=row.payer_id,
        late_fee=row.late_fee,
        withdrawn=row.withdrawn_date is not None,
    )


def _schemes(row: BillLineRow) -> tuple[Scheme, ...]:
    """The schemes of a line: those of an employee, unless it is the line of a government post."""
    if row.annuity_employer == Money.ZERO:
        return EMPLOYEE_SCHEMES
    more = ((Scheme.UNEMPLOYMENT, row.unemployment_employer), (Scheme.WORK_INJURY, row.injury_employer))
    return (*POST_SCHEMES, *(scheme for scheme, amount in more if amount > Money.ZERO))
