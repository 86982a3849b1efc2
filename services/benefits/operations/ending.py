"""How a benefit ends, and what that means for payments that are already prepared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel import ids
from services.benefits.lifecycle import BenefitState, PayrollState
from services.benefits.messages import facts
from services.benefits.operations.payroll_approval import ask_approval
from services.benefits.store import decisions, payrolls

if TYPE_CHECKING:
    from chassis.transaction import Transaction
    from services.benefits.entitlement import End
    from services.benefits.store.rows import BenefitRow


async def end_early(tx: Transaction, benefit: BenefitRow, how: End | None) -> None:
    """End a locked benefit before its time; one whose own last month comes first runs to it."""
    if how is None or benefit.state is BenefitState.ENDED:
        return
    if benefit.last_month is not None and how.last_month >= benefit.last_month:
        return
    await end(tx, benefit, how)


async def end(tx: Transaction, benefit: BenefitRow, how: End) -> None:
    """End a locked benefit.

    Payments after its last month leave the payrolls that were not released; those that were released are written down
    as overpaid. A payroll that somebody already looked at gets a new digest, so that they have to look again.
    """
    decisions.end(benefit, how)
    for payroll in await payrolls.unreleased_after(tx, benefit.benefit_id, how.last_month):
        await payrolls.withdraw(tx, payroll.payroll_id, benefit.benefit_id, how.last_month)
        if payroll.state is PayrollState.PREPARED:
            await ask_approval(tx, payroll)
    overpaid = await payrolls.note_overpaid(tx, benefit.benefit_id, how.last_month, how.reason.value, tx.today)
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
