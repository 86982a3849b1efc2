"""What two persons decide about a running benefit: hold back, pay again, another account, a plan, a write-off, its end.

The first person's request is checked at once and stored with what the approval is bound to; the second one's approval
lets it take effect, checked again, in the same transaction. Who asked, and whom it is about, never decides.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

from chassis import approval, paging
from kernel import ids
from kernel.calendar import Month
from kernel.errors import Forbidden, InvalidInput, NotFound, Refused
from kernel.money import Money
from services.benefits.calculation import canonical
from services.benefits.domain import backpay
from services.benefits.keeping import (
    BY_HAND,
    INSTALMENTS_MOST,
    Method,
    Plan,
    RequestKind,
    RequestState,
    Resume,
    Suspend,
    SuspendReason,
    check_evidence,
)
from services.benefits.kind_commands import EndBenefit
from services.benefits.lifecycle import BenefitState, EndReason
from services.benefits.operations import keeping_recovery
from services.benefits.operations.deciding import REASON_LEAST, REASON_MOST
from services.benefits.operations.keeping_suspending import check_resume, check_suspend, locked, resume, suspend
from services.benefits.operations.kinds_ending import check_end, end_benefit
from services.benefits.store import decisions, keeping, keeping_plans, keeping_requests, register
from services.benefits.store.keeping_requests import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.transaction import Transaction
    from services.benefits.keeping import ChangePayee, WriteOff
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.store.keeping_recoveries import Recovery
    from services.benefits.store.rows import BenefitRow

KIND = "keeping"


async def ask_suspend(tx: Transaction, command: Suspend) -> Request:
    """Ask to hold a benefit back.

    Raises:
        NotFound: BENEFIT_NOT_FOUND.
        InvalidInput: EVIDENCE_REQUIRED, VALUE_REQUIRED.
        Refused: BENEFIT_NOT_ACTIVE, MONTH_NOT_STARTED, HOLD_MONTH_INVALID.
        AlreadyExists: APPROVAL_PENDING.
    """
    if command.reason not in BY_HAND:
        raise InvalidInput("VALUE_REQUIRED", "for want of a certification the sweep holds back", field="reason")
    row = await check_suspend(tx, command)
    values = {"reason": command.reason.value, "from_month": str(command.from_month)}
    return await _ask(tx, RequestKind.SUSPEND, row, values, command.evidence)


async def ask_resume(tx: Transaction, command: Resume) -> Request:
    """Ask to pay a benefit again.

    Raises:
        NotFound: BENEFIT_NOT_FOUND.
        InvalidInput: EVIDENCE_REQUIRED.
        Refused: BENEFIT_NOT_SUSPENDED, CERTIFICATION_REQUIRED, HOLD_MONTH_INVALID.
        AlreadyExists: APPROVAL_PENDING.
    """
    row, paid_from = await check_resume(tx, command)
    return await _ask(tx, RequestKind.RESUME, row, {"from_month": str(paid_from or "")}, command.evidence)


async def ask_payee(tx: Transaction, command: ChangePayee) -> tuple[Request, str]:
    """Ask to pay into another account; name and account are sealed at once and never part of the request.

    Raises:
        NotFound: BENEFIT_NOT_FOUND.
        InvalidInput: EVIDENCE_REQUIRED.
        Refused: BENEFIT_ENDED.
        AlreadyExists: APPROVAL_PENDING.
    """
    row = await locked(tx, command.benefit_id)
    _require_not_ended(row)
    payee = decisions.add_payee(tx, row.person_id, command.payee)
    await tx.session.flush()
    values = {"payee_id": payee.payee_id.hex, "account": payee.account_index.hex()}
    return await _ask(tx, RequestKind.PAYEE, row, values, command.evidence), payee.account_tail


async def ask_plan(tx: Transaction, command: Plan, policy: BenefitsPolicy) -> Request:
    """Ask to agree on how an overpayment comes back.

    Raises:
        NotFound: RECOVERY_NOT_FOUND, BENEFIT_NOT_FOUND.
        InvalidInput: EVIDENCE_REQUIRED, RECOVERY_PLAN_INVALID.
        Refused: RECOVERY_SETTLED, DEDUCTION_TOO_HIGH, DEDUCTION_TAKEN, BENEFIT_ENDED, POLICY_PARAMETER_MISSING.
        AlreadyExists: APPROVAL_PENDING.
    """
    found = await _check_plan(tx, command, policy)
    row = await _of(tx, found)
    values = {
        "method": command.method.value,
        "monthly": str(command.monthly),
        "first_month": str(command.first_month),
        "benefit_id": command.benefit_id.hex if command.benefit_id else "",
    }
    return await _ask(tx, RequestKind.PLAN, row, values, command.agreement, recovery_id=found.recovery_id)


async def ask_write_off(tx: Transaction, command: WriteOff) -> Request:
    """Ask to give up a part of what is owed.

    Raises:
        NotFound: RECOVERY_NOT_FOUND.
        InvalidInput: EVIDENCE_REQUIRED, REPAYMENT_INVALID.
        Refused: REPAYMENT_EXCEEDS.
        AlreadyExists: APPROVAL_PENDING.
    """
    found = await keeping_recovery.locked(tx, command.recovery_id)
    keeping_recovery.require_within(found, command.amount)
    row = await _of(tx, found)
    values = {"amount": str(command.amount)}
    return await _ask(tx, RequestKind.WRITE_OFF, row, values, command.evidence, recovery_id=found.recovery_id)


async def ask_end(tx: Transaction, command: EndBenefit) -> tuple[Request, BenefitRow]:
    """Ask to end a benefit, or to revoke its determination; a supervisor decides.

    Raises:
        NotFound: BENEFIT_NOT_FOUND.
        InvalidInput: END_REASON_NOT_FITTING, LAST_MONTH_INVALID.
        Forbidden: SAME_PERSON.
        Refused: BENEFIT_ENDED.
        AlreadyExists: APPROVAL_PENDING.
    """
    row = await check_end(tx, command)
    if tx.principal.person_id == row.person_id:
        raise Forbidden("SAME_PERSON", "whom it is for does not end it")
    values = {"reason": command.reason.value, "last_month": str(command.last_month)}
    return await _ask(tx, RequestKind.END, row, values, command.document), row


async def decide(tx: Transaction, request_id: UUID, *, approve: bool, reason: str, policy: BenefitsPolicy) -> Request:
    """Approve or reject as another natural person; approved, it takes effect.

    Raises:
        NotFound: KEEPING_REQUEST_NOT_FOUND.
        Forbidden: SECOND_PERSON_REQUIRED, SAME_PERSON, ROLE_NOT_ALLOWED: only a supervisor ends a benefit.
        Refused: APPROVAL_DECIDED, APPROVAL_EXPIRED, and whatever stands in the way by now.
    """
    request = await keeping_requests.lock(tx, request_id)
    if request is None:
        raise NotFound("KEEPING_REQUEST_NOT_FOUND", "no such request")
    if request.state is not RequestState.WAITING:
        raise Refused("APPROVAL_DECIDED", "this was decided before", state=request.state.value)
    if tx.principal.person_id == request.person_id:
        raise Forbidden("SAME_PERSON", "whom it is about does not decide it")
    if request.kind is RequestKind.END and "SUPERVISOR" not in tx.principal.roles:
        raise Forbidden("ROLE_NOT_ALLOWED", "a supervisor decides whether a benefit ends")
    if not approve and not REASON_LEAST <= len(reason) <= REASON_MOST:
        raise InvalidInput("REJECTION_REASON_REQUIRED", "a reason has 2 to 200 characters", field="reason")
    expired = (await approval.get(tx, request.approval_id)).expires <= tx.now
    if approve or not expired:  # what nobody may approve any more is only closed
        await approval.decide(tx, request.approval_id, approve=approve, reason=reason)
    if approve:
        await approval.execute(tx, request.approval_id, kind=KIND, subject=_subject(request), payload=request.payload)
        await _apply(tx, request, json.loads(request.payload), policy)
    state = RequestState.DONE if approve else RequestState.REJECTED
    await keeping_requests.close(tx, request_id, state)
    detail = {"keeping_request_id": ids.to_text("kpr", request_id), "kind": request.kind.value, "state": state.value}
    tx.audit("keeping_request_decided", person_id=request.person_id, detail=detail)
    return Request(
        request_id=request.request_id,
        kind=request.kind,
        benefit_id=request.benefit_id,
        recovery_id=request.recovery_id,
        person_id=request.person_id,
        payload=request.payload,
        evidence=request.evidence,
        approval_id=request.approval_id,
        state=state,
        business_date=request.business_date,
    )


async def list_waiting(tx: Transaction, *, size: int, token: str) -> tuple[Sequence[Request], str]:
    """A page of what waits, oldest first, and the token of the next.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=size, token=token, query="keeping requests")
    rows = await keeping_requests.waiting(tx, after=UUID(page.after) if page.after else None, limit=page.size + 1)
    shown = rows[: page.size]
    if tx.principal.is_staff:
        tx.audit(tx.method, detail={"count": str(len(shown))})
    return shown, paging.following(tx, page, str(shown[-1].request_id)) if len(rows) > page.size else ""


async def _apply(tx: Transaction, request: Request, plain: dict[str, Any], policy: BenefitsPolicy) -> None:
    match request.kind:
        case RequestKind.SUSPEND:
            reason, month = SuspendReason(plain["reason"]), Month.parse(plain["from_month"])
            await suspend(tx, Suspend(request.benefit_id, reason, month, request.evidence))
        case RequestKind.RESUME:
            month_or_none = Month.parse(plain["from_month"]) if plain["from_month"] else None
            await resume(tx, Resume(request.benefit_id, month_or_none, request.evidence))
        case RequestKind.PAYEE:
            row = await locked(tx, request.benefit_id)
            _require_not_ended(row)
            await keeping.change_payee(tx, row, UUID(hex=plain["payee_id"]))
        case RequestKind.PLAN:
            assert request.recovery_id is not None
            plan = Plan(
                recovery_id=request.recovery_id,
                method=Method(plain["method"]),
                monthly=Money.yuan(plain["monthly"]),
                first_month=Month.parse(plain["first_month"]),
                benefit_id=UUID(hex=plain["benefit_id"]) if plain["benefit_id"] else None,
                agreement=request.evidence,
            )
            found = await _check_plan(tx, plan, policy)
            await keeping_plans.set_plan(tx, plan, found.balance)
        case RequestKind.END:
            ended = EndBenefit(
                request.benefit_id, EndReason(plain["reason"]), Month.parse(plain["last_month"]), request.evidence
            )
            await end_benefit(tx, ended)
        case RequestKind.WRITE_OFF:
            assert request.recovery_id is not None
            amount = Money.yuan(plain["amount"])
            await keeping_recovery.write_off(tx, request.recovery_id, amount, request.evidence)


async def _check_plan(tx: Transaction, command: Plan, policy: BenefitsPolicy) -> Recovery:
    """Whether a plan fits: it ends within ten years, and a deduction leaves the person enough to live on."""
    row = None
    if command.benefit_id is not None:  # benefits are locked before recoveries everywhere
        row = await locked(tx, command.benefit_id)
    found = await keeping_recovery.locked(tx, command.recovery_id)
    if (command.method is Method.DEDUCTION) != (row is not None):
        raise InvalidInput(
            "RECOVERY_PLAN_INVALID", "a deduction names its benefit, instalments none", field="benefit_id"
        )
    if found.balance <= Money.ZERO:
        raise Refused("RECOVERY_SETTLED", "nothing of it is owed any more")
    if command.monthly <= Money.ZERO or command.monthly * INSTALMENTS_MOST < found.balance:
        raise InvalidInput("RECOVERY_PLAN_INVALID", "the plan ends within ten years", field="monthly")
    if command.first_month < Month.of(tx.today):
        raise InvalidInput("RECOVERY_PLAN_INVALID", "the plan begins in this month or later", field="first_month")
    backpay.plan_recovery(
        found.balance, offset=Money.ZERO, instalment=command.monthly, first=command.first_month
    )  # the law's own checks
    if row is not None:
        if row.person_id not in await register.same(tx, found.person_id):
            raise NotFound("BENEFIT_NOT_FOUND", "no such benefit of this person")
        _require_not_ended(row)
        most = row.monthly.times(policy.deduction_share.on(tx.today).value)
        if command.monthly > most:
            raise Refused("DEDUCTION_TOO_HIGH", "more than the share that may be deducted", most=str(most))
        if await keeping_plans.is_deducted(tx, row.benefit_id, found.recovery_id):
            raise Refused("DEDUCTION_TAKEN", "another recovery is deducted from this benefit")
    return found


async def _ask(
    tx: Transaction,
    kind: RequestKind,
    row: BenefitRow,
    values: dict[str, str],
    evidence: str,
    *,
    recovery_id: UUID | None = None,
) -> Request:
    evidence = check_evidence(evidence, "evidence_ref")
    subject = ids.to_text("rcv", recovery_id) if recovery_id else ids.to_text("ben", row.benefit_id)
    payload = canonical({**values, "kind": kind.value, "subject": subject, "evidence": evidence}).encode()
    approval_id = await approval.request(tx, kind=KIND, subject=f"{kind.value}:{subject}", payload=payload)
    request = Request(
        request_id=ids.new_id(),
        kind=kind,
        benefit_id=row.benefit_id,
        recovery_id=recovery_id,
        person_id=row.person_id,
        payload=payload,
        evidence=evidence,
        approval_id=approval_id,
        state=RequestState.WAITING,
        business_date=tx.today,
    )
    await keeping_requests.add(tx, request)
    detail = {"keeping_request_id": ids.to_text("kpr", request.request_id), "kind": kind.value, "evidence": evidence}
    tx.audit("keeping_request_asked", person_id=row.person_id, detail=detail)
    return request


async def _of(tx: Transaction, found: Recovery) -> BenefitRow:
    """The benefit of a recovery, not locked: benefits are locked before recoveries, never after."""
    row = await decisions.benefit(tx, found.benefit_id)
    assert row is not None  # the database refers to it
    return row


def _subject(request: Request) -> str:
    thing = ids.to_text("rcv", request.recovery_id) if request.recovery_id else ids.to_text("ben", request.benefit_id)
    return f"{request.kind.value}:{thing}"


def _require_not_ended(row: BenefitRow) -> None:
    if row.state is BenefitState.ENDED:
        raise Refused("BENEFIT_ENDED", "the benefit has ended")
