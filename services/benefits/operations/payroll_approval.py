"""What the second person approves of a payroll: its digest, asked for anew whenever its payments change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis import approval
from kernel import ids
from services.benefits.lifecycle import PayrollState
from services.benefits.store import paying

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.benefits.store.rows import PayrollRow

KIND = "payroll"


async def ask_approval(tx: Transaction, payroll: PayrollRow) -> None:
    """Add a locked payroll up and ask for the approval of exactly that, in the name of who prepared it."""
    totals = await paying.totals(tx, payroll.payroll_id)
    approval_id = await approval.request(
        tx, kind=KIND, subject=subject(payroll.payroll_id, totals.digest), payload=totals.digest, maker=payroll.maker
    )
    # All at once: a session writes what it holds before each raw statement, and a half-filled row breaks a constraint.
    payroll.payment_count = totals.count
    payroll.total = totals.total
    payroll.digest = totals.digest
    payroll.approval_id = approval_id
    payroll.state = PayrollState.PREPARED


def subject(payroll_id: UUID, digest: bytes) -> str:
    """The payroll as it is now: another digest is another subject, so an approval of the old one opens nothing."""
    return f"{ids.to_text('prl', payroll_id)}/{digest.hex()}"
