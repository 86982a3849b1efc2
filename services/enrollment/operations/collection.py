"""Receipts matched: whole, in part, too much, or to nobody. No path here loses money or books it twice.

Every receipt goes through one gate, its number; then to the bill or demand that it names, as far as that is open, and
the rest to the suspense account. Money that leaves the suspense account makes a receipt that names it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from chassis import ledger, paging
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import InvalidInput, Refused
from kernel.money import Money
from services.enrollment import accounting
from services.enrollment import arrears as arrears_rules
from services.enrollment import collection as rules
from services.enrollment.arrears import Demand, DemandKind, PlanState
from services.enrollment.billing import Bill, BillKind, BillState, Receipt
from services.enrollment.collection import Incoming, Suspense, SuspenseReason, SuspenseState, Verdict
from services.enrollment.domain.contributions import Scheme
from services.enrollment.operations import bills as billed
from services.enrollment.operations.collection_settlement import settle_waiting
from services.enrollment.register import bill_not_found
from services.enrollment.store import bills, collection, debts

FUNDS = {
    Scheme.EMPLOYEE_PENSION: accounting.PENSION_FUND,
    Scheme.UNEMPLOYMENT: accounting.UNEMPLOYMENT_FUND,
    Scheme.WORK_INJURY: accounting.INJURY_FUND,
}


@dataclass(frozen=True, slots=True)
class Target:
    """A bill or demand, locked, that money can go to."""

    employer_id: UUID | None  # None: a person pays for themselves
    month: Month
    open: Money
    bill: Bill
    demand: Demand | None = None


async def collect(tx: Transaction, one: Incoming, payers: Mapping[str, UUID]) -> tuple[Verdict, str]:
    """Book a receipt of the bureau; what became of it, and why when it is not simply accepted.

    Args:
        tx: Where.
        one: The receipt, right in form.
        payers: Employers by credit code.
    """
    payer = payers.get(one.payer_code)
    if not await collection.add_collected(tx, one, payer):
        is_same = await collection.is_recorded(tx, one, payer)
        return (Verdict.REPEATED, "") if is_same else (Verdict.REFUSED, "RECEIPT_NO_REUSED")
    if payer is not None and one.document.startswith("pln_"):
        return await _collect_plan(tx, one, payer)
    target = await find(tx, one.document)
    fits, reason = _fits(one, payer, target)
    if target is not None and fits > Money.ZERO:
        await apply(tx, target, fits, one.paid_date, receipt_no=one.receipt_no, simulated=one.simulated)
    if reason is None:
        return Verdict.ACCEPTED, ""
    await _hold(tx, one, payer, one.amount - fits, reason)
    return Verdict.SUSPENSE, reason.value


async def match(tx: Transaction, suspense_id: UUID, document: str, wanted: Money | None) -> tuple[Suspense, int]:
    """Match money of the suspense account to a bill or demand; the money after it, and the persons settled.

    Raises:
        NotFound: SUSPENSE_NOT_FOUND, BILL_NOT_FOUND, DEMAND_NOT_FOUND.
        InvalidInput: DOCUMENT_UNKNOWN, RECEIPT_AMOUNT_INVALID.
        Refused: SUSPENSE_CLOSED, SUSPENSE_LEFT_LESS, PAYER_DIFFERS, RECEIPT_EXCEEDS_BILL.
    """
    money = await open_suspense(tx, suspense_id)
    target = await find(tx, document)
    if target is None:
        if document.startswith("bil_"):
            raise bill_not_found()
        if document.startswith("dem_"):
            raise arrears_rules.demand_not_found()
        raise InvalidInput("DOCUMENT_UNKNOWN", "a document is bil_… or dem_…", field="document")
    if money.employer_id is not None and money.employer_id != target.employer_id:
        raise Refused("PAYER_DIFFERS", "the bill is another employer's", field="document")
    amount = rules.take(money.left, wanted, target.open)
    after, settled = await _use(tx, money, target, amount)
    detail = {"suspense_id": ids.to_text("sus", suspense_id), "document": document, "fen": str(amount.fen)}
    tx.audit("MatchSuspense", detail=detail)
    return after, settled


async def open_suspense(tx: Transaction, suspense_id: UUID) -> Suspense:
    """Money on the suspense account of which some is left, locked.

    Raises:
        NotFound: SUSPENSE_NOT_FOUND.
        Refused: SUSPENSE_CLOSED.
    """
    money = await collection.suspense(tx, suspense_id)
    if money is None:
        raise rules.suspense_not_found()
    if money.state is not SuspenseState.OPEN:
        raise Refused("SUSPENSE_CLOSED", "nothing of this money is left", state=money.state)
    return money


async def list_suspense(
    tx: Transaction, *, employer_id: UUID | None, state: SuspenseState | None, size: int, token: str
) -> tuple[Sequence[Suspense], str]:
    """A page of the suspense account, newest first, and the token of the next.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=size, token=token, query=f"suspense {employer_id} {state}")
    before = UUID(hex=page.after) if page.after else None
    rows = await collection.suspense_page(tx, employer_id=employer_id, state=state, before=before, limit=page.size + 1)
    shown = rows[: page.size]
    return shown, paging.following(tx, page, shown[-1].suspense_id.hex) if len(rows) > page.size else ""


async def find(tx: Transaction, document: str) -> Target | None:
    """The bill or demand that a document names, locked; None when there is none."""
    try:
        if document.startswith("bil_"):
            bill = await bills.bill(tx, ids.parse("bil", document), lock=True)
            return Target(bill.employer_id, bill.month, bill.open, bill) if bill else None
        demand = await debts.demand(tx, ids.parse("dem", document))
    except InvalidInput:
        return None
    if demand is None:
        return None
    bill = await bills.bill(tx, demand.bill_id, lock=True)
    assert bill is not None  # no role may delete one
    return Target(demand.employer_id, bill.month, demand.open, bill, demand)


async def apply(
    tx: Transaction,
    target: Target,
    amount: Money,
    paid_date: date,
    *,
    receipt_no: str = "",
    simulated: bool = False,
    suspense_id: UUID | None = None,
) -> int:
    """Put money on a locked bill or demand, at most what is open; the persons settled by it."""
    receipt_id = ids.new_id()
    number = receipt_no or f"SUS-{receipt_id.hex}"
    receipt = Receipt(receipt_id, number, target.bill.bill_id, amount, paid_date, simulated)
    if target.demand is None:
        _, settled = await billed.pay(tx, target.bill, receipt, suspense_id=suspense_id)
        return settled
    demand = target.demand
    paid = await debts.pay_demand(tx, demand, receipt, suspense_id)
    origin = accounting.TAX if suspense_id is None else rules.SUSPENSE
    entries = [
        ledger.Entry(
            "demand_receipt", ids.to_text("rcp", receipt_id), [(origin, -amount), (rules.DEMANDS, amount)], paid_date
        )
    ]
    if paid == demand.total and demand.kind is DemandKind.LATE_FEE:
        funds = {**FUNDS, Scheme.EMPLOYEE_PENSION: accounting.GOVERNMENT_FUND} if _is_post(target.bill) else FUNDS
        parts = [(funds[scheme], share) for scheme, share in demand.shares.items() if share != Money.ZERO]
        key = ids.to_text("dem", demand.demand_id)
        entries.append(ledger.Entry("late_fee", key, [(rules.DEMANDS, -demand.total), *parts], paid_date))
    await ledger.post_many(tx, entries)
    if paid == demand.total and demand.kind is DemandKind.DIFFERENCE and target.bill.state is BillState.PAID:
        return await settle_waiting(tx, target.bill)
    return 0


def _is_post(bill: Bill) -> bool:
    return bill.kind is BillKind.GOVERNMENT


def _fits(one: Incoming, payer: UUID | None, target: Target | None) -> tuple[Money, SuspenseReason | None]:
    """How much of a receipt goes to what it names, and why the rest does not."""
    if payer is None:
        return Money.ZERO, SuspenseReason.PAYER_UNKNOWN
    if target is None:
        return Money.ZERO, SuspenseReason.BILL_UNKNOWN
    if target.employer_id != payer:
        return Money.ZERO, SuspenseReason.PAYER_DIFFERS
    if Month.of(one.paid_date) < target.month:
        return Money.ZERO, SuspenseReason.PAID_EARLY
    fits = min(one.amount, target.open)
    return fits, SuspenseReason.OVERPAID if fits < one.amount else None


async def _use(tx: Transaction, money: Suspense, target: Target, amount: Money) -> tuple[Suspense, int]:
    """Take from locked money what goes to a bill; it counts from the day on which the bureau took it."""
    left = money.left - amount
    state = SuspenseState.OPEN if left > Money.ZERO else SuspenseState.MATCHED
    await collection.take(tx, money.suspense_id, left, state)
    day = max(money.paid_date, target.month.first_day)
    settled = await apply(tx, target, amount, day, suspense_id=money.suspense_id)
    after = Suspense(
        money.suspense_id, money.receipt_no, money.employer_id, money.reason, money.amount, left, state, money.paid_date
    )
    return after, settled


async def _collect_plan(tx: Transaction, one: Incoming, payer: UUID) -> tuple[Verdict, str]:
    """Money for an instalment plan goes to its oldest debts, through the suspense account."""
    try:
        found = await debts.plan(tx, ids.parse("pln", one.document))
    except InvalidInput:
        found = None
    if found is None or found[0].state is not PlanState.AGREED:
        await _hold(tx, one, payer, one.amount, SuspenseReason.BILL_UNKNOWN)
        return Verdict.SUSPENSE, SuspenseReason.BILL_UNKNOWN.value
    plan, _ = found
    if plan.employer_id != payer:
        await _hold(tx, one, payer, one.amount, SuspenseReason.PAYER_DIFFERS)
        return Verdict.SUSPENSE, SuspenseReason.PAYER_DIFFERS.value
    money = await _hold(tx, one, payer, one.amount, SuspenseReason.PLAN)
    for document in plan.documents:
        target = await find(tx, document)
        if target is None or Money.ZERO in {target.open, money.left}:
            continue
        money, _ = await _use(tx, money, target, min(money.left, target.open))
    return (Verdict.SUSPENSE, SuspenseReason.PLAN.value) if money.left > Money.ZERO else (Verdict.ACCEPTED, "")


async def _hold(
    tx: Transaction, one: Incoming, employer_id: UUID | None, amount: Money, reason: SuspenseReason
) -> Suspense:
    """Put money of a receipt on the suspense account."""
    money = Suspense(
        ids.new_id(), one.receipt_no, employer_id, reason, amount, amount, SuspenseState.OPEN, one.paid_date
    )
    await collection.add_suspense(tx, money)
    await ledger.post(
        tx,
        kind="suspense",
        key=ids.to_text("sus", money.suspense_id),
        postings=[(accounting.TAX, -amount), (rules.SUSPENSE, amount)],
        business_date=one.paid_date,
    )
    return money
