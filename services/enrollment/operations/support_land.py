"""Farmers whose land is taken (被征地农民、即征即保): the list of a notice, its money, and what each farmer's pays.

A list is paid when everybody on it is known and insured: no land is taken without insurance. The money of a farmer then
pays bills of a flexible worker or years of a resident, or goes to the resident account.
"""

from uuid import UUID

from chassis import ledger
from chassis.principal import person_not_found
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import AlreadyExists, InvalidInput, NotFound, Refused
from kernel.money import Money
from services.enrollment import accounting, billing
from services.enrollment import support as rules
from services.enrollment.billing import BillKind, Receipt
from services.enrollment.commands import SingleReceipt
from services.enrollment.cover import CoverKind
from services.enrollment.cover_money import check_single_receipt
from services.enrollment.domain.contributions import Scheme
from services.enrollment.operations import bills as billed
from services.enrollment.operations.cover_residents import check_simulated, credit_payment, receipt_no_reused
from services.enrollment.operations.office import Office
from services.enrollment.register import bill_not_found
from services.enrollment.store import bills, cover, cover_money, people
from services.enrollment.store import land as store
from services.enrollment.support import LandBatch, LandFund

TO_ACCOUNT = "RESIDENT_ACCOUNT"


async def register_batch(tx: Transaction, one: LandBatch) -> LandBatch:
    """Register the list of a notice.

    Raises:
        InvalidInput: NOTICE_DATE_INVALID.
        AlreadyExists: LAND_BATCH_EXISTS.
    """
    if one.notice_date > tx.today:
        raise InvalidInput("NOTICE_DATE_INVALID", "a notice is not of a day to come", field="notice_date")
    if not await store.add_batch(tx, one):
        raise AlreadyExists("LAND_BATCH_EXISTS", "this part of the notice is registered", field="notice_no")
    tx.audit("RegisterLandBatch", detail={"batch_id": _batch_id(one)})
    return one


async def show_batch(tx: Transaction, batch_id: UUID) -> LandBatch:
    """Show a list: who is missing, who is not insured yet, whether its money came.

    Raises:
        NotFound: LAND_BATCH_NOT_FOUND.
    """
    return _known(await store.batch(tx, batch_id))


async def add_farmer(tx: Transaction, batch_id: UUID, person_id: UUID, office: Office) -> LandBatch:
    """Put a farmer on a list, with the amount that the law of the notice's day names.

    Raises:
        NotFound: LAND_BATCH_NOT_FOUND, PERSON_NOT_FOUND.
        AlreadyExists: LAND_FARMER_LISTED.
        Refused: LAND_BATCH_PAID, LAND_BATCH_FULL, LAND_FARMER_TOO_YOUNG, POLICY_PARAMETER_MISSING.
    """
    found = _known(await store.batch(tx, batch_id, lock=True))
    if found.paid_date is not None:
        raise Refused("LAND_BATCH_PAID", "the money of the list came", paid=str(found.paid_date))
    if found.listed >= found.headcount:
        raise Refused("LAND_BATCH_FULL", "the list has all its people", headcount=str(found.headcount))
    person = await people.person(tx, person_id)
    if person is None:
        raise person_not_found()
    terms = office.policy.land_terms.on(found.notice_date)
    statement = rules.land_share(person.birth_date, found.notice_date, terms)
    if not await store.add_share(tx, batch_id, person_id, statement, office.policy.version):
        raise AlreadyExists("LAND_FARMER_LISTED", "the person stands on the list")
    tx.audit("AddLandFarmer", person_id=person_id, detail={"batch_id": _batch_id(found)})
    return _known(await store.batch(tx, batch_id))


async def record_receipt(tx: Transaction, receipt: SingleReceipt, office: Office) -> LandBatch:
    """Record the money of a list, whole and once, when everybody on it is insured; it is each farmer's from then on.

    Raises:
        NotFound: LAND_BATCH_NOT_FOUND.
        AlreadyExists: RECEIPT_NO_REUSED.
        InvalidInput: RECEIPT_AMOUNT_INVALID, PAID_DATE_INVALID.
        Refused: LAND_BATCH_OPEN with who is missing, PAYMENT_ALREADY_PAID, RECEIPT_SIMULATED.
    """
    check_simulated(receipt, office)
    found = _known(await store.batch(tx, receipt.subject_id, lock=True))
    if found.listed < found.headcount or found.insured < found.listed:
        raise Refused(
            "LAND_BATCH_OPEN",
            "somebody of the list is missing or not insured",
            source=("SIL",),
            missing=str(found.headcount - found.listed),
            uninsured=str(found.listed - found.insured),
        )
    check_single_receipt(
        found.owed, receipt.amount, receipt.paid_date, tx.today, earliest=found.notice_date, paid=found.paid_date
    )
    if not await store.receive(
        tx, found.batch_id, receipt.receipt_no, receipt.amount, receipt.paid_date, simulated=receipt.simulated
    ):
        raise receipt_no_reused()
    await store.credit(tx, found.batch_id, f"batch:{_batch_id(found)}", receipt.paid_date)
    await ledger.post(
        tx,
        kind="land_receipt",
        key=_batch_id(found),
        postings=[(rules.LAND_RECEIVED, -receipt.amount), (rules.LAND_ACCOUNTS, receipt.amount)],
        business_date=receipt.paid_date,
    )
    tx.audit("RecordLandReceipt", detail={"batch_id": _batch_id(found), "fen": str(receipt.amount.fen)})
    return _known(await store.batch(tx, found.batch_id))


async def fund(tx: Transaction, person_id: UUID) -> LandFund:
    """Show a farmer's money.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    tx.principal.require_person(person_id)
    if not await people.is_known(tx, person_id):
        raise person_not_found()
    return await store.fund(tx, person_id)


async def use(tx: Transaction, person_id: UUID, target: str, amount: Money | None) -> LandFund:
    """Let a farmer's money pay the rest of an own bill or a resident's year, or an amount go to the resident account.

    Raises:
        NotFound: PERSON_NOT_FOUND, BILL_NOT_FOUND, RESIDENT_PAYMENT_NOT_FOUND.
        InvalidInput: DOCUMENT_UNKNOWN, AMOUNT_INVALID.
        Refused: LAND_FUND_TOO_SMALL, NO_RESIDENT_COVER, PAYMENT_ALREADY_PAID, PAYMENT_ON_BEHALF, BILL_WITHDRAWN,
            PAST_YEAR_CLOSED.
    """
    tx.principal.require_person(person_id)
    if not await people.lock(tx, [person_id]):
        raise person_not_found()
    use_id = ids.new_id()
    match target[:4]:
        case "bil_":
            moved = await _pay_bill(tx, person_id, ids.parse("bil", target, field="target"), use_id)
        case "rpy_":
            moved = await _pay_year(tx, person_id, ids.parse("rpy", target, field="target"), use_id)
        case _:
            if target != TO_ACCOUNT:
                raise InvalidInput("DOCUMENT_UNKNOWN", "a target is bil_…, rpy_… or RESIDENT_ACCOUNT", field="target")
            moved = await _to_account(tx, person_id, amount, use_id)
    await store.use(tx, person_id, f"use:{_use_id(use_id)}", target, moved)
    tx.audit("UseLandFund", person_id=person_id, detail={"use_id": _use_id(use_id), "fen": str(moved.fen)})
    return await store.fund(tx, person_id)


async def _pay_bill(tx: Transaction, person_id: UUID, bill_id: UUID, use_id: UUID) -> Money:
    bill = await bills.bill(tx, bill_id, lock=True)
    if bill is None or bill.kind is not BillKind.FLEXIBLE or bill.payer_id != person_id:
        raise bill_not_found()
    balance = await store.balance(tx, person_id)
    if bill.open == Money.ZERO:
        raise Refused("PAYMENT_ALREADY_PAID", "this was paid before", paid=str(await bills.last_paid_date(tx, bill_id)))
    rules.check_left(balance, bill.open)
    billing.check_receipt(bill, bill.open, tx.today, tx.today)
    receipt = Receipt(ids.new_id(), f"LAND-{use_id.hex}", bill_id, bill.open, tx.today, simulated=False)
    await billed.pay(tx, bill, receipt, land_use_id=use_id)
    return bill.open


async def _pay_year(tx: Transaction, person_id: UUID, payment_id: UUID, use_id: UUID) -> Money:
    found = await cover_money.lock_payment(tx, payment_id)
    if found is None or found.person_id != person_id:
        raise NotFound("RESIDENT_PAYMENT_NOT_FOUND", "no such payment")
    if found.paid_date is not None:
        raise Refused("PAYMENT_ALREADY_PAID", "this was paid before", paid=str(found.paid_date))
    rules.check_left(await store.balance(tx, person_id), found.tier)
    await credit_payment(
        tx, found, f"LAND-{use_id.hex}", tx.today, simulated=False, origin=rules.LAND_ACCOUNTS, part="LAND"
    )
    return found.tier


async def _to_account(tx: Transaction, person_id: UUID, amount: Money | None, use_id: UUID) -> Money:
    balance = await store.balance(tx, person_id)
    moved = balance if amount is None else amount
    if moved < Money.ZERO or (amount is not None and amount == Money.ZERO):
        raise InvalidInput("AMOUNT_INVALID", "more than nothing goes to the account", field="amount")
    rules.check_left(balance, max(moved, Money(1)))
    covers = await cover.of_person(tx, person_id, only_open=True)
    if not any(one.kind is CoverKind.RESIDENT for one in covers):
        raise Refused("NO_RESIDENT_COVER", "the person is not insured as a resident", source=("GF-2014-8",))
    source = f"use:{_use_id(use_id)}"
    await cover_money.book(
        tx, person_id, Scheme.RESIDENT_PENSION, {"LAND": moved}, source=source, month=Month.of(tx.today)
    )
    await ledger.post(
        tx,
        kind="land_account",
        key=_use_id(use_id),
        postings=[(rules.LAND_ACCOUNTS, -moved), (accounting.RESIDENT_ACCOUNTS, moved)],
        business_date=tx.today,
    )
    return moved


def _known(found: LandBatch | None) -> LandBatch:
    if found is None:
        raise rules.batch_not_found()
    return found


def _batch_id(one: LandBatch) -> str:
    return ids.to_text("lbt", one.batch_id)


def _use_id(value: UUID) -> str:
    return ids.to_text("lus", value)
