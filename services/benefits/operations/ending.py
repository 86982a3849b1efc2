"""How a benefit ends, and what that means for payments that are already prepared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis import ledger
from kernel import ids
from services.benefits.lifecycle import BenefitState, PayrollState
from services.benefits.messages import facts
from services.benefits.operations import keeping_recovery
from services.benefits.operations.payroll_approval import ask_approval
from services.benefits.operations.payrolls import FUNDS, RETURNED
from services.benefits.operations.settling import settle
from services.benefits.store import decisions, keeping_held, payrolls

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.benefits.entitlement import End
    from services.benefits.store.rows import BenefitRow, PaymentRow, PayrollRow


async def end_early(tx: Transaction, ends: Iterable[tuple[BenefitRow, End | None]]) -> None:
    """End locked benefits before their time; one whose own last month comes first runs to it.

    A benefit may stand in `ends` more than once: the first that ends it counts.
    """
    early: dict[UUID, tuple[BenefitRow, End]] = {}
    for benefit, how in ends:
        if how is None or benefit.state is BenefitState.ENDED:
            continue
        if benefit.last_month is None or how.last_month < benefit.last_month:
            early.setdefault(benefit.benefit_id, (benefit, how))
    await end(tx, early.values())


async def end_earlier(tx: Transaction, ends: Iterable[tuple[BenefitRow, End | None]]) -> None:
    """End benefits that ended already, when it turns out that they should have ended before: a job heard late."""
    early: dict[UUID, tuple[BenefitRow, End]] = {}
    for benefit, how in ends:
        if how is None or benefit.state is not BenefitState.ENDED or benefit.last_month is None:
            continue
        known = early.get(benefit.benefit_id)
        if how.last_month < (known[1].last_month if known else benefit.last_month):
            early[benefit.benefit_id] = (benefit, how)
    await end(tx, early.values())


async def end(tx: Transaction, ends: Iterable[tuple[BenefitRow, End]]) -> None:
    """End locked benefits.

    Payments after the last month leave the payrolls that were not released; those that were released are written down
    as overpaid, and what the bank sent back of them is owed to nobody any more. A payroll that somebody already looked
    at gets a new digest, once for all benefits together, so that they have to look again.
    """
    changed: dict[UUID, PayrollRow] = {}
    ended: list[UUID] = []
    for benefit, how in ends:
        changed |= {one.payroll_id: one for one in await _end(tx, benefit, how)}
        ended.append(benefit.benefit_id)
    await settle(tx, ended)
    for payroll in changed.values():
        if payroll.state is PayrollState.PREPARED:
            await ask_approval(tx, payroll)


async def _end(tx: Transaction, benefit: BenefitRow, how: End) -> Sequence[PayrollRow]:
    """End one benefit; the payrolls that it left payments of."""
    decisions.end(benefit, how)
    if benefit.suspended_from is not None:
        await keeping_held.close_ended(tx, benefit)
    unreleased = await payrolls.unreleased_after(tx, benefit.benefit_id, how.last_month)
    for payroll in unreleased:
        await payrolls.withdraw(tx, payroll.payroll_id, benefit.benefit_id, how.last_month)
    overpaid = await payrolls.note_overpaid(tx, benefit.benefit_id, how.last_month, how.reason.value, tx.today)
    await keeping_recovery.open_overpaid(tx, benefit, how.reason.value)
    for payment in await payrolls.returned_after(tx, benefit.benefit_id, how.last_month):
        await owe_no_more(tx, payment)
    tx.emit(facts.benefit_ended(benefit))
    tx.audit(
        "benefit_ended",
        person_id=benefit.person_id,
        detail={
            "benefit_id": ids.to_text("ben", benefit.benefit_id),
            "last_month": str(how.last_month),
            "reason": how.reason.value,
            "overpaid_payments": str(overpaid),
        },
    )
    return unreleased


async def owe_no_more(tx: Transaction, payment: PaymentRow) -> None:
    """The money came back before its month was lost, and was kept as owed: it is the fund's."""
    if payment.amount.fen:
        await ledger.post(
            tx,
            kind="payment_lapsed",
            key=f"lapsed/{ids.to_text('pmt', payment.payment_id)}/{ids.new_id().hex}",
            postings=[(RETURNED[payment.kind], -payment.amount), (FUNDS[payment.kind], payment.amount)],
            business_date=tx.today,
        )
