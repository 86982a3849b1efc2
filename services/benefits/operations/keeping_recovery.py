"""What was paid too much (多发待遇): found, booked as a receivable, and everything that makes it smaller.

In the ledger it stands beside what was paid, not in its place: `receivable:` against `overpaid:` when it is found or
turns out not to be, `receivable:` to `recovered:` when money comes back, to `written_off:` when it is given up. The
entries of payrolls and payments stay as they are (docs/decisions/0195).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis import ledger
from kernel import ids
from kernel.errors import AlreadyExists, InvalidInput, Refused
from kernel.money import Money
from services.benefits.keeping import Way, check_evidence, recovery_not_found
from services.benefits.lifecycle import PaymentState
from services.benefits.messages import keeping_facts
from services.benefits.store import decisions, keeping_given_back, keeping_plans
from services.benefits.store import keeping_recoveries as store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.benefits.keeping import Repay
    from services.benefits.store.keeping_recoveries import Recovery
    from services.benefits.store.rows import BenefitRow, PaymentRow


async def open_overpaid(tx: Transaction, benefit: BenefitRow, reason: str) -> None:
    """Overpaid payments of a locked benefit that were just written down become one recovery (追回)."""
    found = await store.open_overpaid(tx, benefit, reason)
    if found is not None:
        await _found(tx, found)


async def note_overpaid_differences(
    tx: Transaction, cause_id: UUID, reason: str, over: Sequence[tuple[UUID, date, date, int]]
) -> None:
    """A run over many benefits says less than was paid: each difference is a recovery; see `store.open_differences`."""
    found = await store.open_differences(tx, cause_id, reason, over) if over else []
    await ledger.post_many(
        tx,
        [
            ledger.Entry(
                "recovery_found",
                f"recovery/{ids.to_text('rcv', one.recovery_id)}",
                [(_account("receivable", one), one.amount), (_account("overpaid", one), -one.amount)],
                tx.today,
            )
            for one in found
        ],
    )
    for one in found:
        tx.emit(keeping_facts.overpayment_found(one))
    if found:
        tx.audit("recoveries_found", detail={"reason": reason, "count": str(len(found))})


async def repay(tx: Transaction, command: Repay) -> Recovery:
    """Money came back at the counter or by the bank.

    Raises:
        NotFound: RECOVERY_NOT_FOUND.
        InvalidInput: EVIDENCE_REQUIRED, REPAYMENT_INVALID.
        AlreadyExists: REPAYMENT_RECEIPT_USED.
        Refused: REPAYMENT_EXCEEDS.
    """
    receipt_no = check_evidence(command.receipt_no, "receipt_no")
    found = await locked(tx, command.recovery_id)
    require_within(found, command.amount)
    if not await store.shrink(tx, found, command.way, command.amount, receipt_no):
        raise AlreadyExists("REPAYMENT_RECEIPT_USED", "a receipt with this number was recorded", field="receipt_no")
    await _book(tx, found, "recovery_repaid", command.amount, key=f"{command.way.value}/{receipt_no}", to="recovered")
    tx.audit("recovery_repaid", person_id=found.person_id, detail=_detail(found, command.amount))
    return await locked(tx, found.recovery_id)


async def write_off(tx: Transaction, recovery_id: UUID, amount: Money, evidence: str) -> None:
    """Give up a part of what is owed (核销); two persons have agreed.

    Raises:
        NotFound: RECOVERY_NOT_FOUND.
        Refused: REPAYMENT_EXCEEDS.
    """
    found = await locked(tx, recovery_id)
    require_within(found, amount)
    await store.shrink(tx, found, Way.WRITTEN_OFF, amount, evidence)
    await _book(tx, found, "recovery_written_off", amount, key=ids.new_id().hex, to="written_off")
    tx.audit("recovery_written_off", person_id=found.person_id, detail=_detail(found, amount))


async def answered(tx: Transaction, payment: PaymentRow, *, is_recovered: bool) -> None:
    """The bank answered for a payment: what it held back is taken, or the payment itself came back.

    Args:
        tx: The transaction of the answer, which has locked benefit and payment.
        payment: With its new state.
        is_recovered: The payment was overpaid and came back.
    """
    is_paid = payment.state is PaymentState.CONFIRMED
    taken = await keeping_plans.answer_deduction(tx, payment.payment_id, is_paid=is_paid)
    key = ids.to_text("pmt", payment.payment_id)
    if taken is not None:
        found = await locked(tx, taken[0])
        await store.shrink(tx, found, Way.DEDUCTION, taken[1], key, payment_id=payment.payment_id)
        await _book(tx, found, "recovery_deducted", taken[1], key=key, to="recovered")
        tx.audit("recovery_deducted", person_id=found.person_id, detail=_detail(found, taken[1]))
    if is_recovered and (recovery_id := await keeping_plans.recovery_of_payment(tx, payment.payment_id)):
        await cancel(tx, recovery_id, payment.amount, way=Way.RETURNED, digest=payment.digest, reference=key)


async def answered_many(tx: Transaction, payment_ids: Sequence[UUID]) -> int:
    """The bank answered for many payments by one file; how many of them a recovery cares about.

    For who books answers a set at a time: overpayments that came back are settled before, and no payment is named
    twice. Of a city's payments a few hundred hold something back, so each of those is taken as `answered` takes one.
    """
    concerned = await keeping_plans.answered_payments(tx, payment_ids)
    for payment, is_recovered in concerned:
        await answered(tx, payment, is_recovered=is_recovered)
    return len(concerned)


async def cancel(tx: Transaction, recovery_id: UUID, amount: Money, *, way: Way, digest: bytes, reference: str) -> None:
    """A part of a recovery is not owed; what came back of it already, or is on its way, is paid again.

    Args:
        tx: The transaction.
        recovery_id: Which.
        amount: The part.
        way: Why: the bank sent the payment back, or the months were owed after all.
        digest: The calculation that explains what is paid again.
        reference: What it rests on.
    """
    found = await locked(tx, recovery_id)
    less = min(amount, max(found.free, Money.ZERO))
    if less > Money.ZERO:
        await store.shrink(tx, found, way, less, reference)
        await ledger.post(
            tx,
            kind="recovery_cancelled",
            key=f"recovery_cancelled/{ids.to_text('rcv', recovery_id)}/{ids.new_id().hex}",
            postings=[(_account("receivable", found), -less), (_account("overpaid", found), less)],
            business_date=tx.today,
        )
    if amount > less:
        benefit = await decisions.benefit(tx, found.benefit_id)
        assert benefit is not None
        await keeping_given_back.give_back(tx, found, benefit, amount - less, digest)
    tx.audit("recovery_cancelled", person_id=found.person_id, detail=_detail(found, amount))


async def locked(tx: Transaction, recovery_id: UUID) -> Recovery:
    """A recovery, locked.

    Raises:
        NotFound: RECOVERY_NOT_FOUND.
    """
    found = await store.recovery(tx, recovery_id, lock=True)
    if found is None:
        raise recovery_not_found()
    return found


async def _found(tx: Transaction, found: Recovery) -> None:
    await ledger.post(
        tx,
        kind="recovery_found",
        key=f"recovery/{ids.to_text('rcv', found.recovery_id)}",
        postings=[(_account("receivable", found), found.amount), (_account("overpaid", found), -found.amount)],
        business_date=tx.today,
    )
    tx.emit(keeping_facts.overpayment_found(found))
    tx.audit("recovery_found", person_id=found.person_id, detail=_detail(found, found.amount))


async def _book(tx: Transaction, found: Recovery, kind: str, amount: Money, *, key: str, to: str) -> None:
    await ledger.post(
        tx,
        kind=kind,
        key=f"{kind}/{ids.to_text('rcv', found.recovery_id)}/{key}",
        postings=[(_account("receivable", found), -amount), (_account(to, found), amount)],
        business_date=tx.today,
    )


def require_within(found: Recovery, amount: Money) -> None:
    """Never more than is owed and not on its way.

    Raises:
        InvalidInput: REPAYMENT_INVALID.
        Refused: REPAYMENT_EXCEEDS.
    """
    if amount <= Money.ZERO:
        raise InvalidInput("REPAYMENT_INVALID", "the amount is more than nothing", field="amount")
    if amount > found.free:
        raise Refused("REPAYMENT_EXCEEDS", "more than is owed", field="amount", free=str(found.free))


def _account(name: str, found: Recovery) -> str:
    return f"{name}:{found.kind.value.lower()}"


def _detail(found: Recovery, amount: Money) -> dict[str, str]:
    return {"recovery_id": ids.to_text("rcv", found.recovery_id), "amount": str(amount)}
