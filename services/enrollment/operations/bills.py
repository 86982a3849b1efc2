"""Bills and receipts. A bill of 20,000 persons costs the same statements as one of twenty."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

from chassis import ledger, paging
from chassis.principal import employer_not_found
from chassis.transaction import Transaction
from kernel import ids
from kernel.errors import AlreadyExists, NotFound, Refused
from kernel.money import Money
from kernel.statement import Statement
from services.enrollment import accounting, billing
from services.enrollment.accounting import ContributionState, EntryKind
from services.enrollment.billing import (
    EMPLOYEE_SCHEMES,
    Bill,
    BillKind,
    BillLine,
    BillState,
    Receipt,
    schemes_of,
)
from services.enrollment.city import tariff
from services.enrollment.collection import SUSPENSE, Incoming
from services.enrollment.commands import AssessBill, RecordReceipt
from services.enrollment.domain.contributions import EmployerTerms, Scheme
from services.enrollment.messages import facts
from services.enrollment.operations import cover_posts
from services.enrollment.operations.collection_settlement import settle_waiting
from services.enrollment.operations.office import Office
from services.enrollment.register import bill_not_found
from services.enrollment.store import assessment, bills, collection, cover_bills, people, persons_employers
from services.enrollment.store.assessment import Billed
from services.enrollment.support import LAND_ACCOUNTS

SLICE = 250  # facts made between two turns of the event loop: about 2 ms
EXPLAINED_SLICE = 8  # lines explained between two turns


async def assess_bill(tx: Transaction, command: AssessBill, office: Office) -> Bill:
    """Assess a month's bill (征缴核定).

    The same month again answers with the same bill, unless somebody was enrolled late: then a supplement is made for
    those, and it is the answer.

    Raises:
        NotFound: EMPLOYER_NOT_FOUND.
        Refused: MONTH_NOT_STARTED, NOBODY_INSURED, POLICY_PARAMETER_MISSING.
    """
    billing.check_month_started(command.month, tx.today)
    employer = await people.lock_employer(tx, command.employer_id)
    if employer is None:
        raise employer_not_found()
    in_force = await persons_employers.in_force(tx, employer.employer_id, command.month)
    assert in_force is not None  # it is locked
    employer = in_force[0]
    terms = EmployerTerms(employer.injury_class, employer.injury_step)
    made = await assessment.assess(
        tx,
        [Billed(employer.employer_id, place=0)],
        [tariff(command.month, office.policy.contributions, terms)],
        policy_version=office.policy.version,
    )
    bill = await bills.latest(tx, employer.employer_id, command.month)
    if bill is None:
        raise Refused("NOBODY_INSURED", "the employer insures nobody in that month", month=str(command.month))
    if made.bill_count:
        tx.audit("AssessBill", detail={"bill_id": _bill_id(bill), "persons": str(bill.person_count)})
    return bill


async def record_receipt(tx: Transaction, command: RecordReceipt, office: Office) -> tuple[Bill, int]:
    """Record a receipt (到账); one that pays the rest settles the bill. Answers the bill and the persons settled.

    Raises:
        NotFound: BILL_NOT_FOUND.
        AlreadyExists: RECEIPT_NO_REUSED.
        InvalidInput: RECEIPT_AMOUNT_INVALID, PAID_DATE_INVALID.
        Refused: RECEIPT_EXCEEDS_BILL, RECEIPT_SIMULATED.
    """
    if command.simulated and office.is_production:
        raise Refused("RECEIPT_SIMULATED", "production takes no receipts of a simulator", field="simulated")
    bill = await bills.bill(tx, command.bill_id, lock=True)
    if bill is None:
        raise bill_not_found()
    receipt = Receipt(
        ids.new_id(), command.receipt_no, bill.bill_id, command.amount, command.paid_date, command.simulated
    )
    one = Incoming(
        receipt_no=receipt.receipt_no,
        payer_code="",
        document=_bill_id(bill),
        amount=receipt.amount,
        paid_date=receipt.paid_date,
        simulated=receipt.simulated,
        source="call",
    )
    if not await collection.add_collected(tx, one, bill.employer_id):
        raise AlreadyExists("RECEIPT_NO_REUSED", "a receipt with this number was recorded", field="receipt_no")
    billing.check_receipt(bill, receipt.amount, receipt.paid_date, tx.today)
    after, settled = await pay(tx, bill, receipt)
    receipt_id = ids.to_text("rcp", receipt.receipt_id)
    tx.audit("RecordReceipt", detail={"bill_id": _bill_id(bill), "receipt_id": receipt_id, "settled": str(settled)})
    return after, settled


async def pay(
    tx: Transaction,
    bill: Bill,
    receipt: Receipt,
    *,
    suspense_id: UUID | None = None,
    land_use_id: UUID | None = None,
) -> tuple[Bill, int]:
    """Put money on a locked bill; the last of it settles the bill. Answers the bill and the persons settled.

    Args:
        tx: Where.
        bill: Locked.
        receipt: At most what is open.
        suspense_id: Where the money lay; None when the bureau hands it over now.
        land_use_id: The use of a farmer's money that pays it; None when it is none.
    """
    await bills.add_receipt(tx, receipt, suspense_id, land_use_id)
    paid = bill.paid + receipt.amount
    after = replace(bill, paid=paid, state=billing.state_after(bill.total, paid))
    await bills.pay(tx, bill.bill_id, after.paid, after.state)
    kind, origin = ("receipt", accounting.TAX) if suspense_id is None else ("suspense_match", SUSPENSE)
    if land_use_id is not None:
        kind, origin = "land_payment", LAND_ACCOUNTS
    entries = [
        ledger.Entry(
            kind,
            ids.to_text("rcp", receipt.receipt_id),
            [(origin, -receipt.amount), (accounting.RECEIVED, receipt.amount)],
            receipt.paid_date,
        )
    ]
    settled = 0
    if after.state is BillState.PAID:
        settled, entry = await _settle(tx, bill, await bills.last_paid_date(tx, bill.bill_id))
        entries.append(entry)
    await ledger.post_many(tx, entries)
    if after.state is BillState.PAID:
        await settle_waiting(tx, after)
    return after, settled


async def bill(tx: Transaction, bill_id: UUID) -> Bill:
    """Show a bill.

    Raises:
        NotFound: BILL_NOT_FOUND.
    """
    found = await bills.bill(tx, bill_id)
    if found is None:
        raise bill_not_found()
    try:
        if found.employer_id is not None:
            tx.principal.require_employer(found.employer_id)
        else:
            tx.principal.require_person(found.payer_id or found.bill_id)
    except NotFound:
        raise bill_not_found() from None
    return found


async def list_bills(
    tx: Transaction, *, employer_id: UUID | None, state: BillState | None, size: int, token: str
) -> tuple[Sequence[Bill], str]:
    """A page of bills, newest first, and the token of the next.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=size, token=token, query=f"bills {employer_id} {state}")
    before = UUID(hex=page.after) if page.after else None
    rows = await bills.bills(tx, employer_id=employer_id, state=state, before=before, limit=page.size + 1)
    shown = rows[: page.size]
    return shown, paging.following(tx, page, shown[-1].bill_id.hex) if len(rows) > page.size else ""


async def list_lines(
    tx: Transaction, bill_id: UUID, *, size: int, token: str
) -> tuple[Sequence[tuple[BillLine, Statement]], str, str]:
    """A page of the lines of a bill, each explained by the law that was in force when it was assessed.

    Beside them the policy version of the assessment and the token of the next page.

    Raises:
        NotFound: BILL_NOT_FOUND.
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    shown_bill = await bill(tx, bill_id)
    page = paging.read(tx, size=size, token=token, query=f"lines {bill_id}")
    after = UUID(hex=page.after) if page.after else None
    rows = await bills.lines(tx, bill_id, after=after, limit=page.size + 1)
    terms, policy_version = await bills.terms_of(tx, bill_id)
    shown: list[tuple[BillLine, Statement]] = []
    for number, line in enumerate(rows[: page.size], start=1):
        shown.append((line, billing.explain(line.wage, terms, line.schemes)))
        if number % EXPLAINED_SLICE == 0:
            await asyncio.sleep(0)
    if tx.principal.is_staff:
        tx.audit("ListBillLines", detail={"bill_id": _bill_id(shown_bill), "persons": str(len(shown))})
    following = paging.following(tx, page, shown[-1][0].person_id.hex) if len(rows) > page.size else ""
    return shown, policy_version, following


async def _settle(tx: Transaction, bill: Bill, paid_date: date) -> tuple[int, ledger.Entry]:
    """Contribution months, credits of the accounts, their facts, and the booking from the bill to the funds."""
    if bill.kind is BillKind.GOVERNMENT:
        return await cover_posts.settle(tx, bill, paid_date)
    source, schemes = f"bill:{_bill_id(bill)}", schemes_of(bill.kind)
    settled = await bills.settle(tx, bill.bill_id, paid_date, source)
    for number, one in enumerate(settled, start=1):
        paid = (one.base, ContributionState.PAID)
        tx.emit(facts.contributions_settled(one.person_id, bill.month, dict.fromkeys(schemes, paid), source))
        if one.booked is not None:
            tx.emit(
                facts.account_credited(
                    one.person_id, EntryKind.CONTRIBUTION, one.booked, amount=one.share, balance=one.balance
                )
            )
        if number % SLICE == 0:
            await asyncio.sleep(0)
    credited = Money.total(one.share for one in settled if one.booked is not None)
    withheld = Money.total(one.share for one in settled if one.booked is None)
    fees = await cover_bills.late_fees(tx, bill)
    sides = {scheme: bill.of_scheme(scheme) + fees.get(scheme, Money.ZERO) for scheme in EMPLOYEE_SCHEMES}
    postings = [
        (accounting.RECEIVED, -bill.total),
        (accounting.PENSION_FUND, sides[Scheme.EMPLOYEE_PENSION] - credited - withheld),
        (accounting.ACCOUNTS, credited),
        (accounting.REFUNDS, withheld),
        (accounting.UNEMPLOYMENT_FUND, sides[Scheme.UNEMPLOYMENT]),
        (accounting.INJURY_FUND, sides[Scheme.WORK_INJURY]),
    ]
    moved = [(account, amount) for account, amount in postings if amount != Money.ZERO]
    return len(settled), ledger.Entry("settlement", _bill_id(bill), moved, paid_date)


def _bill_id(bill: Bill) -> str:
    return ids.to_text("bil", bill.bill_id)
