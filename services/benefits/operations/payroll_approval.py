"""What the second person approves of a payroll: its digest, asked for anew whenever its payments change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis import approval
from kernel import ids
from services.benefits.lifecycle import PayrollState
from services.benefits.store import payrolls

if TYPE_CHECKING:
    from chassis.transaction import Transaction
    from services.benefits.store.rows import PayrollRow

KIND = "payroll"


async def ask_approval(tx: Transaction, payroll: PayrollRow) -> None:
    """Add a locked payroll up and ask for the approval of exactly that, in the name of who prepared it."""
    totals = await payrolls.totals(tx, payroll.payroll_id)
    payroll.payment_count = totals.count
    payroll.total = totals.total
    payroll.digest = totals.digest
    payroll.state = PayrollState.PREPARED
    payroll.approval_id = await approval.request(
        tx, kind=KIND, subject=subject(payroll), payload=totals.digest, maker=payroll.maker
    )


def subject(payroll: PayrollRow) -> str:
    """The payroll as it is now: another digest is another subject, so an approval of the old one opens nothing."""
    assert payroll.digest is not None
    return f"{ids.to_text('prl', payroll.payroll_id)}/{payroll.digest.hex()}"
