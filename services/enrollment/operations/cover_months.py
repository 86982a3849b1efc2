"""Months and years of persons who pay themselves: bills, resident payments, back payments, what was paid twice."""

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
from kernel.statement import Line, Statement
from services.enrollment import accounting, billing
from services.enrollment import cover as rules
from services.enrollment.accounting import ContributionState, EntryKind
from services.enrollment.billing import EMPLOYEE_SCHEMES, Bill, BillKind, Terms
from services.enrollment.commands import AssessBackPayment, AssessResidentYear, SingleReceipt
from services.enrollment.cover import BackPayment, CoverKind, Overlap, ResidentPayment, SchemeAccount
from services.enrollment.domain import arrears
from services.enrollment.domain.contributions import EmployerTerms, Scheme, credit_account, determine_base
from services.enrollment.domain.residents import resident_refund, resident_year
from services.enrollment.messages import facts
from services.enrollment.operations import cover_people
from services.enrollment.operations.office import Office
from services.enrollment.register import enrollment_not_found
from services.enrollment.store import bills, cover, cover_bills, cover_money, employments, people
from services.enrollment.store.cover_bills import NewBill
from services.enrollment.store.cover_money import DoubleMonth

NO_EMPLOYER = EmployerTerms(1)  # a flexible worker has no class of work injury


async def assess_cover_bill(tx: Transaction, cover_id: UUID, month: Month, office: Office) -> Bill:
    """Bill a month of a flexible worker (灵活就业缴费核定); the same month again answers with the same bill.

    Raises:
        NotFound: COVER_NOT_FOUND.
        Refused: COVER_KIND_WRONG, PERSON_RETIRED, MONTH_NOT_STARTED, PAST_YEAR_CLOSED, MONTH_NOT_INSURED,
            MONTH_SUSPENDED, EMPLOYED_IN_MONTH, MONTH_ALREADY_BILLED, POLICY_PARAMETER_MISSING.
    """
    found = await cover_people.for_change(tx, cover_id)
    rules.check_kind(found, CoverKind.FLEXIBLE)
    billing.check_month_started(month, tx.today)
    bill = await cover_bills.flexible_bill(tx, found.person_id, month)
    if bill is not None:
        return bill
    if await cover.is_retired(tx, found.person_id):
        raise Refused("PERSON_RETIRED", "the person draws a pension", source=("SIL",))
    rules.check_own_month(found, month, tx.today)
    if await cover.employed(tx, found.person_id, month, month) is not None:
        raise _employed(month)
    law = office.policy.contributions
    terms = Terms(month, law, NO_EMPLOYER, BillKind.FLEXIBLE)
    chosen = found.base_of(month)
    base = determine_base(chosen, month, law)
    bill_id = await cover_bills.add(
        tx,
        NewBill(
            kind=BillKind.FLEXIBLE,
            employer_id=None,
            payer_id=found.person_id,
            person_id=found.person_id,
            relation_id=found.cover_id,
            terms=terms,
            wage=chosen,
            base=base.base,
            account=credit_account(base, law).amount,
            statement=billing.explain(chosen, terms),
            late_fee=Money.ZERO,
            policy_version=office.policy.version,
        ),
    )
    if bill_id is None:
        raise Refused("MONTH_ALREADY_BILLED", "the month is billed or paid", field="month", billed=str(month))
    tx.audit("AssessCoverBill", person_id=found.person_id, detail={"bill_id": ids.to_text("bil", bill_id)})
    made = await bills.bill(tx, bill_id)
    assert made is not None
    return made


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
    rules.check_single_receipt(
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
    await _check_known(tx, person_id)
    return await cover_money.scheme_accounts(tx, person_id)


async def assess_back_payment(tx: Transaction, command: AssessBackPayment, office: Office) -> BackPayment:
    """Assess the back payment of months before an enrolment: a bill for each, with the late fee up to today.

    The fee of a month runs from the day that the office gives in the month after it (the law files name no due day) and
    is fixed by the assessment (docs/decisions/0131). Each scheme's part bears its own fee, which goes to its fund.

    Raises:
        NotFound: ENROLLMENT_NOT_FOUND.
        InvalidInput: BACK_PAYMENT_MONTHS_INVALID, DOCUMENT_INVALID.
        Refused: DOCUMENT_REQUIRED, MONTH_ALREADY_PAID, EMPLOYED_IN_MONTH, EMPLOYER_KIND_WRONG,
            POLICY_PARAMETER_MISSING.
    """
    enrollment = await employments.load(tx, command.enrollment_id)
    if enrollment is None:
        raise enrollment_not_found()
    await people.lock(tx, [enrollment.person_id])
    employer = await people.lock_employer(tx, enrollment.employer_id)
    assert employer is not None
    if {one.scheme for one in enrollment.participations} != set(EMPLOYEE_SCHEMES):
        raise Refused("EMPLOYER_KIND_WRONG", "this is not possible for a government post")
    first, last = command.first_month, command.last_month
    limit = office.policy.document_after_months.on(tx.today)
    rules.check_back_payment(first, last, enrollment.start_month, command.document_ref, limit)
    other = await cover.employed(tx, enrollment.person_id, first, last)
    if other is not None:
        raise _employed(max(other.start_month, first))
    taken = await cover_bills.taken_months(tx, enrollment.person_id, first, last)
    if taken:
        raise Refused("MONTH_ALREADY_PAID", "a month is billed or paid", field="first_month", month=str(taken[0]))
    law, rate = office.policy.contributions, office.policy.late_fee_daily
    lines: list[Line] = []
    made: list[Bill] = []
    fees: dict[UUID, dict[Scheme, Money]] = {}
    for month in Month.range(first, last):
        terms = Terms(month, law, EmployerTerms(employer.injury_class, employer.injury_step), BillKind.BACK_PAYMENT)
        statement = billing.explain(command.wage, terms)
        due = month.next.first_day.replace(day=command.due_day)
        late = {
            scheme: arrears.late_fee(_of(statement, scheme), due, max(due, tx.today), rate)
            for scheme in EMPLOYEE_SCHEMES
        }
        fee = {scheme: line.amount for scheme, line in late.items()}
        base = determine_base(command.wage, month, law)
        bill_id = await cover_bills.add(
            tx,
            NewBill(
                kind=BillKind.BACK_PAYMENT,
                employer_id=enrollment.employer_id,
                payer_id=None,
                person_id=enrollment.person_id,
                relation_id=enrollment.enrollment_id,
                terms=terms,
                wage=command.wage,
                base=base.base,
                account=credit_account(base, law).amount,
                statement=statement,
                late_fee=Money.total(fee.values()),
                policy_version=office.policy.version,
            ),
        )
        if bill_id is None:
            raise Refused("MONTH_ALREADY_PAID", "a month is billed or paid", field="first_month", month=str(month))
        fees[bill_id] = fee
        lines += [replace(line, code=f"{month}.{line.code}") for line in statement.lines]
        lines += [replace(line, code=f"{month}.{scheme}.late_fee") for scheme, line in late.items()]
        bill = await bills.bill(tx, bill_id)
        assert bill is not None
        made.append(bill)
    result = BackPayment(ids.new_id(), Statement(tuple(lines)), tuple(made))
    await cover_bills.add_back_payment(
        tx,
        result,
        enrollment_id=enrollment.enrollment_id,
        person_id=enrollment.person_id,
        wage=command.wage,
        document_ref=command.document_ref,
        months=(first, last),
        fees=fees,
        policy_version=office.policy.version,
    )
    tx.audit(
        "AssessBackPayment",
        person_id=enrollment.person_id,
        detail={"back_payment_id": ids.to_text("bpy", result.back_payment_id), "months": str(len(made))},
    )
    return result


async def overlap(tx: Transaction, person_id: UUID) -> Sequence[Overlap]:
    """Show what a person has paid twice and what would go back.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    await _check_known(tx, person_id)
    flexible, resident, _ = await _overlaps(tx, person_id)
    return [one for one in (flexible, resident) if one is not None]


async def refund_overlap(tx: Transaction, person_id: UUID, office: Office) -> Sequence[Overlap]:
    """Take back what was paid twice: it waits on `refunds:after_settlement` to be paid out.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        Refused: NOTHING_OVERLAPS, ACCOUNT_YEAR_CLOSED, ACCOUNT_ALREADY_SETTLED.
    """
    if not await people.lock(tx, [person_id]):
        raise person_not_found()
    flexible, resident, months = await _overlaps(tx, person_id)
    done = []
    if flexible is not None:
        done.append(await _refund_flexible(tx, person_id, flexible, months, office))
    if resident is not None:
        done.append(await _refund_resident(tx, person_id, resident, office))
    if not done:
        raise Refused("NOTHING_OVERLAPS", "no month was paid twice", source=("MOHRSS-2014-17",))
    tx.audit("RefundOverlap", person_id=person_id, detail={"refunds": str(len(done))})
    return done


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


async def _overlaps(tx: Transaction, person_id: UUID) -> tuple[Overlap | None, Overlap | None, Sequence[DoubleMonth]]:
    months = await cover_money.paid_twice(tx, person_id)
    flexible = Overlap(CoverKind.FLEXIBLE, [one.month for one in months], _flexible_refund(months)) if months else None
    done = await cover_money.refunded_months(tx, person_id)
    employed = await cover_money.employee_months(tx, person_id, list(done))
    if months:  # a month that goes back does not count as employee insurance
        employed = [one for one in employed if one not in {back.month for back in months}]
    payments = {one.year: one.tier for one in await cover_money.payments(tx, person_id)}
    counts = rules.months_paid_twice(done, employed)
    resident = None
    if counts:
        lines = tuple(resident_refund(year, payments[year], number) for year, number in sorted(counts.items()))
        twice = sorted(one for one in employed if one.year in counts)
        if Money.total(line.amount for line in lines) > Money.ZERO:
            resident = Overlap(CoverKind.RESIDENT, twice, Statement(lines))
    return flexible, resident, months


async def _refund_flexible(
    tx: Transaction, person_id: UUID, one: Overlap, months: Sequence[DoubleMonth], office: Office
) -> Overlap:
    closed_through, is_settled, balance = await cover_money.lock_account(tx, person_id)
    if is_settled:
        raise Refused("ACCOUNT_ALREADY_SETTLED", "the account was settled before", source=("MOHRSS-2014-17",))
    early = next((back.booked for back in months if back.booked and back.booked.year <= (closed_through or 0)), None)
    if early is not None:
        raise Refused("ACCOUNT_YEAR_CLOSED", "the interest of that year is booked", year=str(early.year))
    refund_id = ids.new_id()
    share = Money.total(back.account for back in months)
    source = cover.source_of("rfd", refund_id)
    await cover_money.add_refund(
        tx, refund_id, person_id, one.kind, one.statement, account=share, policy_version=office.policy.version
    )
    await cover_money.take_back(tx, person_id, refund_id, months, source)
    await ledger.post(
        tx,
        kind="overlap_refund",
        key=ids.to_text("rfd", refund_id),
        postings=[
            (accounting.ACCOUNTS, -share),
            (accounting.PENSION_FUND, share - one.statement.total),
            (accounting.REFUNDS, one.statement.total),
        ],
        business_date=tx.today,
    )
    for back in months:
        unpaid = {Scheme.EMPLOYEE_PENSION: (back.base, ContributionState.UNPAID)}
        tx.emit(facts.contributions_settled(person_id, back.month, unpaid, source))
        if back.booked is not None:
            balance -= back.account
            tx.emit(
                facts.account_credited(
                    person_id, EntryKind.CONTRIBUTION, back.booked, amount=-back.account, balance=balance
                )
            )
    return replace(one, refund_id=refund_id)


async def _refund_resident(tx: Transaction, person_id: UUID, one: Overlap, office: Office) -> Overlap:
    refund_id = ids.new_id()
    source = cover.source_of("rfd", refund_id)
    total = one.statement.total
    await cover_money.add_refund(
        tx, refund_id, person_id, one.kind, one.statement, account=total, policy_version=office.policy.version
    )
    years = {
        int(line.code.removeprefix("resident.")): (int(dict(line.inputs)["months"]), line.amount)
        for line in one.statement.lines
    }
    await cover_money.note_resident_refund(tx, person_id, refund_id, years)
    await cover_money.book(
        tx, person_id, Scheme.RESIDENT_PENSION, {"REFUND": -total}, source=source, month=Month.of(tx.today)
    )
    await ledger.post(
        tx,
        kind="overlap_refund",
        key=ids.to_text("rfd", refund_id),
        postings=[(accounting.RESIDENT_ACCOUNTS, -total), (accounting.REFUNDS, total)],
        business_date=tx.today,
    )
    return replace(one, refund_id=refund_id)


def _flexible_refund(months: Sequence[DoubleMonth]) -> Statement:
    """What goes back for each month: all that the person paid, for all of it was the individual part."""
    return Statement(
        tuple(
            Line(
                code=f"flexible.{one.month}",
                amount=one.paid,
                title_zh=f"{one.month} 灵活就业缴费退还",
                title_en=f"Flexible worker's payment of {one.month} that goes back",
                formula=str(one.paid),
                inputs=(("month", str(one.month)), ("base", str(one.base)), ("account", str(one.account))),
                sources=("MOHRSS-2014-17", "MOHRSS-G-2016-5"),
            )
            for one in months
        )
    )


def _of(statement: Statement, scheme: Scheme) -> Money:
    return Money.total(line.amount for line in statement.lines if line.code.startswith(f"{scheme}."))


def _employed(month: Month) -> Refused:
    return Refused(
        "EMPLOYED_IN_MONTH",
        "an employment insures the person in that month",
        field="month",
        source=("MOHRSS-2014-17",),
        month=str(month),
    )


def _payment_id(one: ResidentPayment) -> str:
    return ids.to_text("rpy", one.payment_id)


async def _check_known(tx: Transaction, person_id: UUID) -> None:
    tx.principal.require_person(person_id)
    if not await people.is_known(tx, person_id):
        raise person_not_found()
