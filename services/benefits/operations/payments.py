"""What the bank fetches and answers (银行回盘)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from chassis import ledger, paging
from kernel import ids
from kernel.errors import Forbidden, InvalidInput, NotFound, Refused
from kernel.money import Money
from services.benefits.commands import Payee
from services.benefits.entitlement import End
from services.benefits.lifecycle import (
    PAYMENT_STEPS,
    BenefitState,
    EndReason,
    PaymentItem,
    PaymentState,
    PayrollState,
)
from services.benefits.messages import facts
from services.benefits.operations import keeping_recovery
from services.benefits.operations import payrolls as payroll_operations
from services.benefits.operations.ending import end
from services.benefits.paying import Limits
from services.benefits.store import decisions, keeping_plans, payrolls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.transaction import Transaction
    from services.benefits.calculation import Calculation
    from services.benefits.commands import PageOf, RecordResult
    from services.benefits.store.rows import PayeeRow, PaymentRow

# The bank's number of the payment, as it prints on its statements; no text that could hold a name.
_REFERENCE = re.compile(r"[0-9A-Za-z._:/-]{4,64}", re.ASCII)
TRIES = Limits().tries
_ANSWERED = {PaymentState.CONFIRMED, PaymentState.RETURNED}


@dataclass(frozen=True, slots=True)
class Order:
    """A payment as the bank gets it."""

    payment: PaymentRow
    payee: Payee
    deducted: Money = Money.ZERO  # what the payee is sent less, by an agreed recovery


@dataclass(frozen=True, slots=True)
class Orders:
    """A page of payments of a payroll."""

    orders: Sequence[Order]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class PaymentShown:
    """A payment with its calculation and the state of its payroll."""

    payment: PaymentRow
    payroll_state: PayrollState
    calculation: Calculation


async def list_orders(tx: Transaction, command: PageOf) -> Orders:
    """The payments of an approved payroll with names and accounts in clear, for the bank's adapter only.

    Raises:
        NotFound: PAYROLL_NOT_FOUND.
        Refused: PAYROLL_NOT_APPROVED.
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    payroll = await payrolls.get(tx, command.owner_id)
    if payroll is None:
        raise payroll_operations.not_found()
    if payroll.state is not PayrollState.APPROVED:
        raise Refused("PAYROLL_NOT_APPROVED", "the payroll was not approved", state=payroll.state.value)
    payroll_id = ids.to_text("prl", payroll.payroll_id)
    page = paging.read(tx, size=command.size, token=command.token, query=payroll_id)
    chunk, _, last = page.after.partition(" ")
    after = (int(chunk), UUID(last)) if last else None
    rows = await payrolls.payments_of_payroll(tx, payroll.payroll_id, after=after, limit=page.size + 1)
    shown = rows[: page.size]
    if shown:
        keys = "".join(payment.payment_id.hex for payment, _ in shown)
        detail = {
            "payroll_id": payroll_id,
            "count": str(len(shown)),
            "payments_digest": hashlib.sha256(keys.encode()).hexdigest(),
        }
        tx.audit("payees_shown", detail=detail)
    token = ""
    if len(rows) > page.size:
        token = paging.following(tx, page, f"{shown[-1][0].chunk} {shown[-1][0].payment_id}")
    held = await keeping_plans.held_of(tx, (payment.payment_id for payment, _ in shown))
    orders = [Order(payment, _open(tx, payee), held.get(payment.payment_id, Money.ZERO)) for payment, payee in shown]
    return Orders(orders, token)


async def record_result(tx: Transaction, command: RecordResult, tries: int = TRIES) -> PaymentShown:
    """Record what the bank answered: the money leaves the clearing account, to the payee or back.

    Raises:
        NotFound: PAYMENT_NOT_FOUND.
        InvalidInput: BANK_REFERENCE_REQUIRED.
        Forbidden: SIMULATION_REFUSED: a simulator answered in production.
        Refused: PAYMENT_NOT_APPROVED, PAYMENT_ALREADY_ANSWERED.
    """
    if not _REFERENCE.fullmatch(command.bank_reference):
        raise InvalidInput(
            "BANK_REFERENCE_REQUIRED", "a bank reference has 4 to 64 letters and digits", field="bank_reference"
        )
    if command.simulated and tx.database.settings.is_prod:
        raise Forbidden("SIMULATION_REFUSED", "a simulated answer is nothing in production")
    known = await payrolls.payment(tx, command.payment_id)
    if known is None:
        raise NotFound("PAYMENT_NOT_FOUND", "no such payment")
    payroll = await payrolls.get(tx, known.payroll_id)
    # Benefits are locked before payments everywhere: an answer and an end of the benefit cannot block each other.
    benefit = await decisions.benefit(tx, known.benefit_id, lock=True)
    payment = await payrolls.payment(tx, command.payment_id, lock=True)
    assert payroll is not None
    assert benefit is not None
    assert payment is not None
    if payment.state in _ANSWERED:
        raise Refused("PAYMENT_ALREADY_ANSWERED", "the bank answered before", state=payment.state.value)
    if payroll.state is not PayrollState.APPROVED or payment.state is not PaymentState.OPEN:
        raise Refused("PAYMENT_NOT_APPROVED", "the payment was not released to the bank")
    payment.state = PAYMENT_STEPS[payment.state, command.answer]
    payment.bank_reference = command.bank_reference
    payment.simulated = command.simulated
    payment.answer_date = tx.today
    await payrolls.count_answer(tx, payment.payroll_id, payment.state)
    is_returned = payment.state is PaymentState.RETURNED
    # An overpayment that the bank sends back is recovered by that, and owed to nobody.
    is_recovered = is_returned and await payrolls.settle_overpaid(tx, payment.payment_id, tx.today)
    if is_returned:
        await payrolls.note_returned(tx, payment, tries, is_recovered=is_recovered)
    await _book(tx, payment, _account(payment, is_recovered=is_recovered))
    await keeping_recovery.answered(tx, payment, is_recovered=is_recovered)
    tx.emit(facts.payment_returned(payment) if is_returned else facts.payment_confirmed(payment))
    is_last = payment.item is PaymentItem.MONTH and payment.month == benefit.last_month  # answered either way
    if is_last and benefit.state is BenefitState.ACTIVE:
        await end(tx, [(benefit, End(payment.month, EndReason.EXHAUSTED))])
    tx.audit(
        "payment_answered",
        person_id=payment.person_id,
        detail={"payment_id": ids.to_text("pmt", payment.payment_id), "state": payment.state.value},
    )
    return PaymentShown(payment, payroll.state, await decisions.calculation(tx, payment.digest))


def _account(payment: PaymentRow, *, is_recovered: bool) -> str:
    """Where the money goes: to what was paid, to what came back and is still owed, or back to the fund."""
    if payment.state is PaymentState.CONFIRMED:
        return payroll_operations.PAID[payment.kind]
    return (payroll_operations.FUNDS if is_recovered else payroll_operations.RETURNED)[payment.kind]


async def _book(tx: Transaction, payment: PaymentRow, account: str) -> None:
    """From the bank's clearing account to where the answer puts the money."""
    if not payment.amount.fen:
        return
    await ledger.post(
        tx,
        kind="payment_paid" if payment.state is PaymentState.CONFIRMED else "payment_returned",
        key=f"payment/{ids.to_text('pmt', payment.payment_id)}",
        postings=[
            (payroll_operations.CLEARING, -payment.amount),
            (account, payment.amount),
        ],
        business_date=tx.today,
    )


def _open(tx: Transaction, payee: PayeeRow) -> Payee:
    sealer = tx.database.sealer
    return Payee(
        name=sealer.open_text("payee", "name", payee.payee_id, payee.name_sealed),
        account=sealer.open_text("payee", "account", payee.payee_id, payee.account_sealed),
    )
