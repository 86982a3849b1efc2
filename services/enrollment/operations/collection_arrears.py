"""Arrears: due days, late fees, demands and instalment plans.

No due day is ever invented: it is given with the month, or the law has it, or whoever needs it is refused by name.
"""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from chassis import approval, paging
from chassis.principal import employer_not_found
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import AlreadyExists, NotFound, PolicyParameterMissing, Refused
from kernel.money import Money
from kernel.statement import Statement
from services.enrollment import arrears as arrears_rules
from services.enrollment import collection as rules
from services.enrollment.arrears import Arrear, Demand, DemandKind, Instalment, Plan, PlanState
from services.enrollment.billing import BillKind, BillState
from services.enrollment.domain.contributions import Scheme
from services.enrollment.operations.office import Office
from services.enrollment.register import bill_not_found
from services.enrollment.store import bills, collection, debts, people
from services.enrollment.store.debts import OpenDocument

PLAN_KIND = "instalment_plan"


async def set_due_date(tx: Transaction, month: Month, due: date | None, office: Office) -> tuple[date, int]:
    """Store the due day with every bill of a month that has none; the day, and how many got it.

    Raises:
        InvalidInput: DUE_DATE_INVALID.
        PolicyParameterMissing: No day was given and the law has none.
    """
    day = office.policy.due_rule.on(month.first_day).value.of(month) if due is None else due
    arrears_rules.check_due_date(day, month)
    count = await debts.set_due_date(tx, month, day)
    tx.audit("SetDueDate", detail={"month": str(month), "due_date": str(day), "bills": str(count)})
    return day, count


async def list_arrears(
    tx: Transaction, employer_id: UUID, on: date | None, office: Office
) -> tuple[Sequence[Arrear], Money, str]:
    """What an employer owes on a day, oldest first, with its credit and the version of the law.

    Bills that were paid too late and whose fee is not demanded are listed too, with nothing open.

    Raises:
        NotFound: EMPLOYER_NOT_FOUND.
        Refused: DUE_DATE_MISSING with the bill, POLICY_PARAMETER_MISSING.
    """
    tx.principal.require_employer(employer_id)
    if await people.employer(tx, employer_id) is None:
        raise employer_not_found()
    day = on or tx.today
    documents = [*await debts.open_documents(tx, employer_id), *await debts.late_bills(tx, employer_id)]
    arrears = [
        Arrear(one.document, one.month, one.open, await _due(one, office), await _fee(tx, one, day, office))
        for one in documents
    ]
    return arrears, await collection.credit(tx, employer_id), office.policy.version


async def reminder(
    tx: Transaction, employer_id: UUID, on: date | None, office: Office
) -> tuple[date, Sequence[Arrear]]:
    """What an employer is reminded of (催缴) and the day for which the fees are; no fee where no due day is known.

    Raises:
        NotFound: EMPLOYER_NOT_FOUND.
        PolicyParameterMissing: No rate of the late fee is in force on a day of payment.
    """
    tx.principal.require_employer(employer_id)
    if await people.employer(tx, employer_id) is None:
        raise employer_not_found()
    day = on or tx.today
    documents = [*await debts.open_documents(tx, employer_id), *await debts.late_bills(tx, employer_id)]
    found = []
    for one in documents:
        due = due_of(one.due_date, one.month, office)
        fee = await _fee(tx, one, day, office) if one.bill_id is None or due is not None else None
        found.append(Arrear(one.document, one.month, one.open, due if one.bill_id else None, fee))
    return day, found


def due_of(due: date | None, month: Month, office: Office) -> date | None:
    """The due day of a bill: that which it was given, or the law's; None when neither is known."""
    if due is not None:
        return due
    try:
        return office.policy.due_rule.on(month.first_day).value.of(month)
    except PolicyParameterMissing:
        return None


async def demand_late_fee(tx: Transaction, bill_id: UUID, office: Office) -> Demand:
    """Demand the late fee of a bill that is paid; its amount does not grow any more then.

    Raises:
        NotFound: BILL_NOT_FOUND.
        AlreadyExists: LATE_FEE_DEMANDED.
        Refused: BILL_NOT_PAID, NOT_LATE, DUE_DATE_MISSING, POLICY_PARAMETER_MISSING.
    """
    bill = await bills.bill(tx, bill_id, lock=True)
    if bill is None:
        raise bill_not_found()
    if bill.state is not BillState.PAID:
        raise Refused("BILL_NOT_PAID", "the fee grows until the bill is paid", open=str(bill.open))
    if bill.employer_id is None or bill.kind is BillKind.BACK_PAYMENT:
        raise Refused("NOT_LATE", "a flexible worker owes no late fee, and a back payment holds its own")
    name = ids.to_text("bil", bill_id)
    document = OpenDocument(name, bill.month, Money.ZERO, bill.paid, await debts.due_date(tx, bill_id), bill_id)
    fee = await _fee(tx, document, tx.today, office)
    if fee.total == Money.ZERO:
        raise Refused("NOT_LATE", "the bill was paid in time, or the fee is less than a fen")
    weights = {scheme: bill.of_scheme(scheme) for scheme in (Scheme.UNEMPLOYMENT, Scheme.WORK_INJURY)}
    # What is not of the two is of the pension, of a government post with its annuity (docs/decisions/0167).
    weights = {Scheme.EMPLOYEE_PENSION: bill.total - Money.total(weights.values()), **weights}
    demand = Demand(
        demand_id=ids.new_id(),
        employer_id=bill.employer_id,
        kind=DemandKind.LATE_FEE,
        bill_id=bill_id,
        difference_id=None,
        total=fee.total,
        paid=Money.ZERO,
        shares=arrears_rules.shares(fee.total, weights),
        statement=fee,
        policy_version=office.policy.version,
        assess_date=tx.today,
    )
    if not await debts.add_demand(tx, demand):
        raise AlreadyExists("LATE_FEE_DEMANDED", "the late fee of this bill was demanded before")
    tx.audit("DemandLateFee", detail={"bill_id": name, "demand_id": ids.to_text("dem", demand.demand_id)})
    return demand


async def list_demands(
    tx: Transaction, *, employer_id: UUID | None, size: int, token: str
) -> tuple[Sequence[Demand], str]:
    """A page of demands, newest first, and the token of the next.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=size, token=token, query=f"demands {employer_id}")
    before = UUID(hex=page.after) if page.after else None
    rows = await debts.demand_page(tx, employer_id=employer_id, before=before, limit=page.size + 1)
    shown = rows[: page.size]
    return shown, paging.following(tx, page, shown[-1].demand_id.hex) if len(rows) > page.size else ""


async def prepare_instalments(
    tx: Transaction, employer_id: UUID, parts: Sequence[Instalment], reason: str
) -> tuple[Plan, Money]:
    """Prepare a plan for everything that an employer owes; a second person decides.

    Raises:
        NotFound: EMPLOYER_NOT_FOUND.
        Refused: NOTHING_OWED.
        InvalidInput: INSTALMENTS_INVALID, INSTALMENTS_DIFFER with the debt, REASON_REQUIRED.
        AlreadyExists: APPROVAL_PENDING.
    """
    if await people.lock_employer(tx, employer_id) is None:
        raise employer_not_found()
    owed = await debts.open_documents(tx, employer_id)
    arrears_rules.check_instalments(parts, Money.total(one.open for one in owed), tx.today)
    plan_id = ids.new_id()
    draft = Plan(
        plan_id=plan_id,
        employer_id=employer_id,
        state=PlanState.PREPARED,
        total=Money.total(one.open for one in owed),
        reason=rules.check_reason(reason),
        approval_id=UUID(int=0),
        instalments=parts,
        documents=[one.document for one in owed],
    )
    # One draft of an employer at a time: the approval is the employer's.
    approval_id = await approval.request(
        tx, kind=PLAN_KIND, subject=ids.to_text("emp", employer_id), payload=_payload(draft)
    )
    plan = Plan(plan_id, employer_id, draft.state, draft.total, draft.reason, approval_id, parts, draft.documents)
    await debts.add_plan(tx, plan, owed)
    tx.audit("PrepareInstalments", detail={"plan_id": ids.to_text("pln", plan_id), "fen": str(plan.total.fen)})
    return plan, Money.ZERO


async def decide_instalments(tx: Transaction, plan_id: UUID, *, approve: bool) -> tuple[Plan, Money]:
    """Agree to a plan or reject it, as another person.

    Raises:
        NotFound: PLAN_NOT_FOUND.
        Forbidden: SECOND_PERSON_REQUIRED.
        Refused: APPROVAL_DECIDED, APPROVAL_EXPIRED, APPROVAL_PAYLOAD_DIFFERS.
    """
    plan, _ = await _plan(tx, plan_id, lock=True)
    await approval.decide(tx, plan.approval_id, approve=approve)
    if approve:
        await approval.execute(
            tx,
            plan.approval_id,
            kind=PLAN_KIND,
            subject=ids.to_text("emp", plan.employer_id),
            payload=_payload(plan),
        )
    await debts.decide_plan(tx, plan_id, PlanState.AGREED if approve else PlanState.REJECTED)
    tx.audit("DecideInstalments", detail={"plan_id": ids.to_text("pln", plan_id), "approve": str(approve)})
    return await _plan(tx, plan_id)


async def plan(tx: Transaction, plan_id: UUID) -> tuple[Plan, Money]:
    """Show a plan and what is paid of its debt.

    Raises:
        NotFound: PLAN_NOT_FOUND.
    """
    return await _plan(tx, plan_id)


async def _plan(tx: Transaction, plan_id: UUID, *, lock: bool = False) -> tuple[Plan, Money]:
    found = await debts.plan(tx, plan_id, lock=lock)
    if found is None:
        raise NotFound("PLAN_NOT_FOUND", "no such instalment plan")
    return found


def _payload(plan: Plan) -> bytes:
    """What the second person agrees to."""
    parts = ";".join(f"{one.number},{one.due_date},{one.amount}" for one in plan.instalments)
    return f"{plan.employer_id}|{plan.total}|{parts}|{','.join(sorted(plan.documents))}".encode()


async def _due(one: OpenDocument, office: Office) -> date | None:
    if one.bill_id is None:
        return one.due_date
    due = due_of(one.due_date, one.month, office)
    if due is None:
        raise Refused(
            "DUE_DATE_MISSING",
            "the bill has no due day and the law names none",
            bill=one.document,
            month=str(one.month),
        )
    return due


async def _fee(tx: Transaction, one: OpenDocument, day: date, office: Office) -> Statement:
    due = await _due(one, office)
    if one.bill_id is None or due is None:
        return Statement(())  # a late fee bears none, and a difference of final limits neither
    paid = await debts.payments(tx, one.bill_id)
    return arrears_rules.fee_of(paid, one.open, due, day, office.policy.late_fee_daily)
