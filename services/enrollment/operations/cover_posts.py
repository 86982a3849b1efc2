"""Government posts (机关事业单位): enrolment, the month's bill with lines of its own, what a receipt settles.

Pension (120) and occupational annuity (X12) have accounts of their own, apart from each other and from that of the
employee pension. The law files say nothing of unemployment and work injury in such posts, so only what an enrolment
names is insured (docs/decisions/0132).
"""

import asyncio
from datetime import date
from uuid import UUID

from chassis import ledger
from chassis.principal import employer_not_found
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import Conflict, Refused
from kernel.money import Money
from services.enrollment import accounting, billing, register
from services.enrollment import cover as rules
from services.enrollment.billing import POST_SCHEMES, Bill, BillKind, Terms
from services.enrollment.commands import AssessBill, EnrollPost
from services.enrollment.cover import EmployerKind
from services.enrollment.domain.contributions import EmployerTerms, Scheme, contribution_rates
from services.enrollment.messages import facts
from services.enrollment.operations import cover_people
from services.enrollment.operations.office import Office
from services.enrollment.register import SCHEMES, Employer, Enrollment, Participation, State, Wage
from services.enrollment.store import bills, cover, cover_bills, employments, people
from services.enrollment.store import cover_posts as store

SLICE = 250


async def set_kind(tx: Transaction, employer_id: UUID, kind: EmployerKind) -> tuple[Employer, EmployerKind]:
    """Say what an employer is, before it insures anybody.

    Raises:
        NotFound: EMPLOYER_NOT_FOUND.
        Refused: EMPLOYER_IN_USE.
    """
    employer = await people.lock_employer(tx, employer_id)
    if employer is None:
        raise employer_not_found()
    if await store.kind_of(tx, employer_id) is not kind:
        if await store.has_employments(tx, employer_id):
            raise Refused("EMPLOYER_IN_USE", "the employer has insured people already")
        await store.set_kind(tx, employer_id, kind)
        tx.audit("SetEmployerKind", detail={"employer_id": ids.to_text("emp", employer_id), "kind": kind})
    return employer, kind


async def enroll_post(tx: Transaction, command: EnrollPost, office: Office) -> tuple[Enrollment, bool]:
    """Enrol a person in a government post; whether the person was new is the second part of the answer.

    Raises:
        NotFound: EMPLOYER_NOT_FOUND.
        Refused: EMPLOYER_KIND_WRONG, START_MONTH_OUT_OF_WINDOW, NAME_MISMATCH, PERSON_RETIRED.
        AlreadyExists: ALREADY_ENROLLED.
        InvalidInput: POST_REQUIRED.
    """
    tx.principal.require_employer(command.employer_id)
    employer = await _government(tx, command.employer_id)
    identity = command.person.identity
    assert identity.birth is not None
    assert identity.sex is not None
    register.check_start_month(command.start_month, tx.today, identity.birth)
    track = register.track_of(identity.sex, command.post)
    insured = await cover_people.person_for(tx, command.person, office)
    rules.check_not_employed(await cover.employed(tx, insured.person_id, command.start_month))
    schemes = (*POST_SCHEMES, *(one for one in Scheme if one in command.more_schemes))
    made = Enrollment(
        enrollment_id=ids.new_id(),
        person_id=insured.person_id,
        employer_id=command.employer_id,
        post=command.post,
        track=track,
        start_month=command.start_month,
        wages=(Wage(command.start_month, command.wage),),
        participations=tuple(
            Participation(
                participation_id=ids.new_id(),
                person_id=insured.person_id,
                employer_id=command.employer_id,
                scheme=scheme,
                state=State.ACTIVE,
                start_month=command.start_month,
                end_month=None,
                end_reason=None,
                track=track,
            )
            for scheme in schemes
        ),
    )
    if not await employments.add(tx, made, command.wage, new=None, phone=""):
        raise Conflict("CONCURRENT_CHANGE", "others are enrolling the same person", retry_after=0.2)
    await cover_people.end_by_work(tx, insured.person_id, command.start_month)
    for one in made.participations:
        tx.emit(facts.participation_started(one, employer.division), is_first=True)
    tx.audit("EnrollPost", person_id=made.person_id, detail={"enrollment_id": ids.to_text("enr", made.enrollment_id)})
    return made, insured.is_new


async def assess_bill(tx: Transaction, command: AssessBill, office: Office) -> Bill:
    """Assess a month's bill of a government body, by the rules of `bills.assess_bill`.

    The limits of the base are those of the city's employees (assumed: the law files have no others).

    Raises:
        NotFound: EMPLOYER_NOT_FOUND.
        Refused: EMPLOYER_KIND_WRONG, MONTH_NOT_STARTED, NOBODY_INSURED, POLICY_PARAMETER_MISSING.
    """
    billing.check_month_started(command.month, tx.today)
    employer = await _government(tx, command.employer_id)
    made = await bill_month(tx, employer, command.month, office)
    bill = await bills.latest(tx, employer.employer_id, command.month, BillKind.GOVERNMENT)
    if bill is None:
        raise Refused("NOBODY_INSURED", "the employer insures nobody in that month", month=str(command.month))
    if made:
        tx.audit("AssessPostBill", detail={"bill_id": _bill_id(bill), "persons": str(bill.person_count)})
    return bill


async def bill_month(tx: Transaction, employer: Employer, month: Month, office: Office) -> bool:
    """Bill a locked government body for everybody who is insured and not yet billed; False when there is nobody.

    Raises:
        InvalidInput: INDUSTRY_CLASS_UNKNOWN, FLOAT_STEP_UNKNOWN.
        PolicyParameterMissing: A limit or rate is not known for the month.
    """
    named = {SCHEMES[code] for code in await cover_bills.named_schemes(tx, employer.employer_id, month)}
    law, day = office.policy.contributions, month.first_day
    terms = Terms(month, law, EmployerTerms(employer.injury_class, employer.injury_step), BillKind.GOVERNMENT)
    limits = law.limits.on(day)
    schemes = [scheme for scheme in Scheme if scheme in {*POST_SCHEMES, *named}]
    return await cover_bills.assess_posts(
        tx,
        employer.employer_id,
        terms,
        rates=contribution_rates(month, schemes, law, terms.employer),
        limits=limits.value,
        provisional=billing.explain(limits.value.floor, terms, schemes).provisional,
        policy_version=office.policy.version,
    )


async def settle(tx: Transaction, bill: Bill, paid_date: date) -> tuple[int, ledger.Entry]:
    """Contribution months and credits of both accounts of a paid bill, their facts, and the booking to the funds."""
    source = f"bill:{_bill_id(bill)}"
    settled = await cover_bills.settle_posts(tx, bill, source, Month.of(paid_date))
    for number, (person_id, items) in enumerate(settled, start=1):
        tx.emit(facts.contributions_settled(person_id, bill.month, items, source))
        if number % SLICE == 0:
            await asyncio.sleep(0)
    postings = [
        (accounting.RECEIVED, -bill.total),
        (accounting.GOVERNMENT_FUND, bill.charges["pension_employer"]),
        (accounting.GOVERNMENT_ACCOUNTS, bill.charges["pension_employee"]),
        (accounting.ANNUITY_ACCOUNTS, bill.of_scheme(Scheme.OCCUPATIONAL_ANNUITY)),
        (accounting.UNEMPLOYMENT_FUND, bill.of_scheme(Scheme.UNEMPLOYMENT)),
        (accounting.INJURY_FUND, bill.of_scheme(Scheme.WORK_INJURY)),
    ]
    moved = [(account, amount) for account, amount in postings if amount != Money.ZERO]
    return len(settled), ledger.Entry("settlement", _bill_id(bill), moved, paid_date)


async def _government(tx: Transaction, employer_id: UUID) -> Employer:
    employer = await people.lock_employer(tx, employer_id)
    if employer is None:
        raise employer_not_found()
    if await store.kind_of(tx, employer_id) is not EmployerKind.GOVERNMENT:
        raise Refused("EMPLOYER_KIND_WRONG", "the employer is no government body")
    return employer


def _bill_id(bill: Bill) -> str:
    return ids.to_text("bil", bill.bill_id)
