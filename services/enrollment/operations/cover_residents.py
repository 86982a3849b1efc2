"""Years of residents: what a tier adds, its receipt, and the accounts beside that of the employee pension."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

from chassis import ledger
from chassis.principal import person_not_found
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import AlreadyExists, InvalidInput, NotFound, Refused
from kernel.money import Money
from services.enrollment import accounting
from services.enrollment import cover as rules
from services.enrollment import cover_money as money_rules
from services.enrollment.commands import AssessResidentYear, SingleReceipt
from services.enrollment.cover import CoverKind
from services.enrollment.cover_money import ResidentPayment, SchemeAccount
from services.enrollment.domain.contributions import Scheme
from services.enrollment.domain.residents import resident_year
from services.enrollment.operations import cover_people
from services.enrollment.operations.office import Office
from services.enrollment.store import cover, cover_money, people


async def assess_resident_year(tx: Transaction, command: AssessResidentYear, office: Office) -> ResidentPayment:
    """Assess a resident's payment of this year by tier.

    Raises:
        NotFound: COVER_NOT_FOUND.
        Refused: COVER_KIND_WRONG, COVER_ENDED, TIER_UNKNOWN, POLICY_PARAMETER_MISSING.
        InvalidInput: YEAR_INVALID.
        AlreadyExists: YEAR_ALREADY_ASSESSED.
    """
    found = await cover_people.for_change(tx, command.cover_id)
    rules.check_kind(found, CoverKind.RESIDENT)
    rules.check_open(found)
    if command.year != tx.today.year or command.year < found.start_month.year:
        raise InvalidInput("YEAR_INVALID", "a resident pays for this year", field="year")
    tiers = office.policy.resident_tiers.on(date(command.year, 1, 1))
    statement = resident_year(command.year, command.tier, command.aid, tiers)
    made = ResidentPayment(
        payment_id=ids.new_id(),
        cover_id=found.cover_id,
        person_id=found.person_id,
        year=command.year,
        tier=command.tier,
        subsidy=statement.amount("subsidy"),
        aid=command.aid,
        statement=statement,
        policy_version=office.policy.version,
    )
    if not await cover_money.add_payment(tx, made):
        raise AlreadyExists("YEAR_ALREADY_ASSESSED", "the year has a payment", year=str(command.year))
    tx.audit("AssessResidentYear", person_id=found.person_id, detail={"payment_id": _payment_id(made)})
    return made


async def record_resident_payment(
    tx: Transaction, command: SingleReceipt, office: Office
) -> tuple[ResidentPayment, SchemeAccount]:
    """Record the receipt of a yearly payment; payment, subsidy and aid are credited to the resident account.

    Raises:
        NotFound: RESIDENT_PAYMENT_NOT_FOUND.
        AlreadyExists: RECEIPT_NO_REUSED.
        InvalidInput: RECEIPT_AMOUNT_INVALID, PAID_DATE_INVALID.
        Refused: PAYMENT_ALREADY_PAID, PAYMENT_ON_BEHALF, RECEIPT_SIMULATED.
    """
    check_simulated(command, office)
    found = await cover_money.lock_payment(tx, command.subject_id)
    if found is None:
        raise NotFound("RESIDENT_PAYMENT_NOT_FOUND", "no such payment")
    money_rules.check_single_receipt(
        found.tier,
        command.amount,
        command.paid_date,
        tx.today,
        earliest=date(found.year, 1, 1),
        paid=found.paid_date,
    )
    if found.is_on_behalf:
        raise on_behalf()
    await credit_payment(tx, found, command.receipt_no, command.paid_date, simulated=command.simulated)
    tx.audit("RecordResidentPayment", person_id=found.person_id, detail={"payment_id": _payment_id(found)})
    accounts = await cover_money.scheme_accounts(tx, found.person_id)
    account = next(one for one in accounts if one.scheme is Scheme.RESIDENT_PENSION)
    return replace(found, paid_date=command.paid_date), account


async def credit_payment(
    tx: Transaction,
    found: ResidentPayment,
    receipt_no: str,
    paid_date: date,
    *,
    simulated: bool,
    origin: str = accounting.TAX,
    part: str = "PAYMENT",
) -> None:
    """Note a locked payment as paid and credit it with its subsidy and aid.

    Args:
        tx: Where.
        found: The payment, not paid yet.
        receipt_no: Number of the money.
        paid_date: Day on which it came.
        simulated: Whether a simulator sent it.
        origin: Account of the ledger that it comes from.
        part: What it is called on the account.

    Raises:
        AlreadyExists: RECEIPT_NO_REUSED.
        Refused: PAYMENT_ON_BEHALF.
    """
    if found.is_on_behalf:
        raise on_behalf()
    if not await cover_money.pay(tx, found.payment_id, receipt_no, paid_date, simulated=simulated):
        raise receipt_no_reused()
    parts = {part: found.tier, "SUBSIDY": found.subsidy, "AID": found.aid}
    source = cover.source_of("rpy", found.payment_id)
    month = Month.of(paid_date)
    await cover_money.book(tx, found.person_id, Scheme.RESIDENT_PENSION, parts, source=source, month=month)
    postings = [
        (origin, -found.tier),
        (accounting.SUBSIDY, -found.subsidy),
        (accounting.AID, -found.aid),
        (accounting.RESIDENT_ACCOUNTS, Money.total(parts.values())),
    ]
    await ledger.post(
        tx,
        kind="resident_payment",
        key=_payment_id(found),
        postings=[(account, amount) for account, amount in postings if amount != Money.ZERO],
        business_date=paid_date,
    )


def on_behalf() -> Refused:
    """The government pays this year of a person."""
    return Refused("PAYMENT_ON_BEHALF", "the government pays this year on behalf", source=("GF-2014-8",))


async def scheme_accounts(tx: Transaction, person_id: UUID) -> Sequence[SchemeAccount]:
    """Show the accounts of a person beside that of the employee pension.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    await check_known(tx, person_id)
    return await cover_money.scheme_accounts(tx, person_id)


def check_simulated(command: SingleReceipt, office: Office) -> None:
    """Production takes no receipts of a simulator.

    Raises:
        Refused: RECEIPT_SIMULATED.
    """
    if command.simulated and office.is_production:
        raise Refused("RECEIPT_SIMULATED", "production takes no receipts of a simulator", field="simulated")


def receipt_no_reused() -> AlreadyExists:
    """The number of a receipt is unique for ever."""
    return AlreadyExists("RECEIPT_NO_REUSED", "a receipt with this number was recorded", field="receipt_no")


def _payment_id(one: ResidentPayment) -> str:
    return ids.to_text("rpy", one.payment_id)


async def check_known(tx: Transaction, person_id: UUID) -> None:
    """Who asks may see the person, and the person stands in the register.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    tx.principal.require_person(person_id)
    if not await people.is_known(tx, person_id):
        raise person_not_found()
