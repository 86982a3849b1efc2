"""Months of persons who pay themselves: bills of flexible workers, and months that are paid back (补缴)."""

from dataclasses import replace
from uuid import UUID

from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import Refused
from kernel.money import Money
from kernel.statement import Line, Statement
from services.enrollment import billing
from services.enrollment import cover as rules
from services.enrollment import cover_money as money_rules
from services.enrollment.billing import EMPLOYEE_SCHEMES, Bill, BillKind, Terms
from services.enrollment.commands import AssessBackPayment
from services.enrollment.cover import CoverKind
from services.enrollment.cover_money import BackPayment
from services.enrollment.domain import arrears
from services.enrollment.domain.contributions import EmployerTerms, Scheme, credit_account, determine_base
from services.enrollment.operations import cover_people
from services.enrollment.operations.office import Office
from services.enrollment.register import enrollment_not_found
from services.enrollment.store import bills, cover, cover_bills, employments, people
from services.enrollment.store.cover_bills import NewBill

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
    money_rules.check_back_payment(first, last, enrollment.start_month, command.document_ref, limit)
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
