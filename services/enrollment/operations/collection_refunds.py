"""Refunds: prepared by one person, approved by another, carried out by the bureau that collected the money.

Assumed (docs/decisions/0110): money goes back the way it came, so no account of anybody is kept here.
"""

from collections.abc import Sequence
from uuid import UUID

from chassis import approval, ledger, paging
from chassis.transaction import Transaction
from kernel import ids
from kernel.errors import AlreadyExists, InvalidInput, NotFound, Refused
from kernel.money import Money
from services.enrollment import accounting
from services.enrollment import collection as rules
from services.enrollment.collection import Refund, RefundKind, RefundState, SuspenseState
from services.enrollment.operations.collection import open_suspense
from services.enrollment.operations.office import Office
from services.enrollment.store import collection, refunds

KIND = "refund"


async def prepare(
    tx: Transaction, *, suspense_id: UUID | None, person_id: UUID | None, wanted: Money | None, reason: str
) -> Refund:
    """Prepare a refund of money on the suspense account, or of a person's withheld shares.

    Raises:
        InvalidInput: REFUND_SUBJECT_INVALID, REASON_REQUIRED, RECEIPT_AMOUNT_INVALID.
        NotFound: SUSPENSE_NOT_FOUND.
        Refused: SUSPENSE_CLOSED, SUSPENSE_LEFT_LESS, NOTHING_WITHHELD.
        AlreadyExists: APPROVAL_PENDING.
    """
    if (suspense_id is None) == (person_id is None):
        raise InvalidInput("REFUND_SUBJECT_INVALID", "either money or a person is named", field="suspense_id")
    reason = rules.check_reason(reason)
    if suspense_id is not None:
        money = await open_suspense(tx, suspense_id)
        left, employer_id, receipt_no, kind = money.left, money.employer_id, money.receipt_no, RefundKind.SUSPENSE
        subject = ids.to_text("sus", suspense_id)
    else:
        assert person_id is not None
        left, employer_id = await refunds.withheld(tx, person_id)
        receipt_no, kind, subject = "", RefundKind.WITHHELD, ids.to_text("per", person_id)
        if left <= Money.ZERO:
            raise Refused("NOTHING_WITHHELD", "no share of this person waits for a refund")
    amount = rules.take(left, wanted, left)
    refund_id = ids.new_id()
    payload = _payload(refund_id, amount)
    approval_id = await approval.request(tx, kind=KIND, subject=subject, payload=payload)
    refund = Refund(
        refund_id=refund_id,
        kind=kind,
        suspense_id=suspense_id,
        employer_id=employer_id,
        person_id=person_id,
        amount=amount,
        state=RefundState.PREPARED,
        reason=reason,
        approval_id=approval_id,
        reference="",
        receipt_no=receipt_no,
    )
    await refunds.add_refund(tx, refund)
    tx.audit("PrepareRefund", person_id=person_id, detail={"refund_id": ids.to_text("rfd", refund_id)})
    return refund


async def decide(tx: Transaction, refund_id: UUID, *, approve: bool) -> Refund:
    """Order a refund or reject it, as another person; the money leaves the suspense account when it is ordered.

    Raises:
        NotFound: REFUND_NOT_FOUND.
        Forbidden: SECOND_PERSON_REQUIRED.
        Refused: APPROVAL_DECIDED, APPROVAL_EXPIRED, SUSPENSE_LEFT_LESS, NOTHING_WITHHELD.
    """
    refund = await _refund(tx, refund_id)
    await approval.decide(tx, refund.approval_id, approve=approve)
    if approve:
        subject = ids.to_text("sus", refund.suspense_id) if refund.suspense_id else ids.to_text("per", _person(refund))
        payload = _payload(refund_id, refund.amount)
        await approval.execute(tx, refund.approval_id, kind=KIND, subject=subject, payload=payload)
        await _take(tx, refund)
        await _book(tx, refund, "refund_order", origin=_origin(refund), to=rules.ORDERED)
    state = RefundState.ORDERED if approve else RefundState.REJECTED
    await refunds.move_refund(tx, refund_id, state)
    tx.audit("DecideRefund", detail={"refund_id": ids.to_text("rfd", refund_id), "approve": str(approve)})
    return await _refund(tx, refund_id)


async def record_result(
    tx: Transaction, refund_id: UUID, *, is_paid: bool, reference: str, simulated: bool, office: Office
) -> Refund:
    """Record how the bureau carried out an order; a returned one puts the money back where it lay.

    Raises:
        NotFound: REFUND_NOT_FOUND.
        AlreadyExists: RECEIPT_NO_REUSED.
        Refused: REFUND_NOT_ORDERED, RECEIPT_SIMULATED.
    """
    if simulated and office.is_production:
        raise Refused("RECEIPT_SIMULATED", "production takes no answers of a simulator", field="simulated")
    refund = await _refund(tx, refund_id)
    if refund.state is not RefundState.ORDERED:
        raise Refused("REFUND_NOT_ORDERED", "this refund does not wait for an answer", state=refund.state)
    state = RefundState.CONFIRMED if is_paid else RefundState.RETURNED
    if not await refunds.move_refund(tx, refund_id, state, reference=reference, simulated=simulated):
        raise AlreadyExists("RECEIPT_NO_REUSED", "a refund with this reference was recorded", field="reference")
    if is_paid:
        await _book(tx, refund, "refund_paid", origin=rules.ORDERED, to=rules.PAID_BACK)
    else:
        if refund.suspense_id is not None:
            money = await collection.suspense(tx, refund.suspense_id)
            assert money is not None  # it is never deleted
            await collection.take(tx, money.suspense_id, money.left + refund.amount, SuspenseState.OPEN)
        await _book(tx, refund, "refund_returned", origin=rules.ORDERED, to=_origin(refund))
    tx.audit("RecordRefundResult", detail={"refund_id": ids.to_text("rfd", refund_id), "state": state.value})
    return await _refund(tx, refund_id)


async def list_refunds(
    tx: Transaction, *, state: RefundState | None, size: int, token: str
) -> tuple[Sequence[Refund], str]:
    """A page of refunds, newest first, and the token of the next.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=size, token=token, query=f"refunds {state}")
    before = UUID(hex=page.after) if page.after else None
    rows = await refunds.refund_page(tx, state=state, before=before, limit=page.size + 1)
    shown = rows[: page.size]
    if tx.principal.is_staff:  # some of them name a person
        tx.audit("ListRefunds", detail={"refunds": str(len(shown))})
    return shown, paging.following(tx, page, shown[-1].refund_id.hex) if len(rows) > page.size else ""


async def _take(tx: Transaction, refund: Refund) -> None:
    """Make sure that the money is still there, and take it."""
    if refund.suspense_id is None:
        left, _ = await refunds.withheld(tx, _person(refund))
        if left < refund.amount:
            raise Refused("NOTHING_WITHHELD", "less waits for a refund than was prepared")
        return
    money = await collection.suspense(tx, refund.suspense_id)
    if money is None or money.left < refund.amount:
        raise Refused("SUSPENSE_LEFT_LESS", "less is left than was prepared", left=str(money.left if money else 0))
    left = money.left - refund.amount
    await collection.take(
        tx, money.suspense_id, left, SuspenseState.OPEN if left > Money.ZERO else SuspenseState.RETURNED
    )


async def _book(tx: Transaction, refund: Refund, kind: str, *, origin: str, to: str) -> None:
    await ledger.post(
        tx,
        kind=kind,
        key=f"{kind}/{ids.to_text('rfd', refund.refund_id)}",
        postings=[(origin, -refund.amount), (to, refund.amount)],
        business_date=tx.today,
    )


def _origin(refund: Refund) -> str:
    return rules.SUSPENSE if refund.kind is RefundKind.SUSPENSE else accounting.REFUNDS


def _person(refund: Refund) -> UUID:
    assert refund.person_id is not None  # the database sees to it
    return refund.person_id


async def _refund(tx: Transaction, refund_id: UUID) -> Refund:
    refund = await refunds.refund(tx, refund_id)
    if refund is None:
        raise NotFound("REFUND_NOT_FOUND", "no such refund")
    return refund


def _payload(refund_id: UUID, amount: Money) -> bytes:
    return f"{refund_id}|{amount}".encode()
