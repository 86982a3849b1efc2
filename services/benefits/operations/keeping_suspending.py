"""Benefits are held back (暂停) and paid again (恢复): the same steps for one by hand and for many by the sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel import ids
from kernel.calendar import Month
from kernel.errors import Refused
from services.benefits.keeping import FORFEITS, SuspendReason, benefit_not_found
from services.benefits.lifecycle import BenefitState, PayrollState
from services.benefits.messages import keeping_facts
from services.benefits.operations import keeping_recovery
from services.benefits.operations.ending import owe_no_more
from services.benefits.operations.payroll_approval import ask_approval
from services.benefits.operations.settling import settle, settle_with_differences
from services.benefits.store import decisions, keeping_given_back, keeping_held, payrolls
from services.benefits.store import settling as settling_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.benefits.keeping import Resume, Suspend
    from services.benefits.store.rows import BenefitRow


async def hold(
    tx: Transaction, from_months: Mapping[UUID, Month], reason: SuspendReason, evidence: str
) -> tuple[int, set[UUID]]:
    """Hold locked benefits back and say so; how many, and the payrolls whose digests are not true any more."""
    held, changed = await keeping_held.hold(tx, from_months, reason, evidence)
    for one in held:
        tx.emit(keeping_facts.suspended(one, reason))
    if changed:  # months that left their payrolls may have a difference already
        await settle_with_differences(tx, [one.benefit_id for one in held])
    return len(held), changed


async def release(tx: Transaction, benefit_ids: Sequence[UUID], paid_from: Month | None = None) -> int:
    """Pay locked benefits again and say so; the months come with the next payroll (补发)."""
    released = await keeping_held.release(tx, benefit_ids, paid_from)
    for one in released:
        tx.emit(keeping_facts.resumed(one))
        detail = {"benefit_id": ids.to_text("ben", one.benefit_id), "from_month": str(one.from_month)}
        tx.audit("benefit_resumed", person_id=one.person_id, detail=detail)
    return len(released)


async def ask_approvals(tx: Transaction, payroll_ids: Iterable[UUID]) -> None:
    """Payrolls that somebody looked at and that lost payments since are looked at again."""
    for payroll_id in sorted(payroll_ids):
        payroll = await payrolls.get(tx, payroll_id, lock=True)
        assert payroll is not None
        if payroll.state is PayrollState.PREPARED:
            await ask_approval(tx, payroll)


async def check_suspend(tx: Transaction, command: Suspend) -> BenefitRow:
    """Whether a benefit may be held back by hand, locked.

    A month in the future waits until it has begun: what is due before it would be held too.

    Raises:
        NotFound: BENEFIT_NOT_FOUND.
        Refused: BENEFIT_NOT_ACTIVE, MONTH_NOT_STARTED, HOLD_MONTH_INVALID.
    """
    row = await locked(tx, command.benefit_id)
    if row.state is not BenefitState.ACTIVE:
        raise Refused("BENEFIT_NOT_ACTIVE", "only a benefit that is being paid is held back", state=row.state.value)
    if command.from_month > Month.of(tx.today):
        raise Refused("MONTH_NOT_STARTED", "the month has not begun", field="from_month")
    if command.from_month < row.first_month or (row.last_month is not None and command.from_month > row.last_month):
        raise Refused("HOLD_MONTH_INVALID", "the benefit does not run in that month", field="from_month")
    if command.reason in FORFEITS and command.from_month > row.next_month:
        # What is owed before the months that are taken away must stand in a payroll, or it would be taken away too.
        raise Refused("HOLD_MONTH_INVALID", "months before that one stand in no payroll yet", field="from_month")
    return row


async def suspend(tx: Transaction, command: Suspend) -> None:
    """Hold a benefit back by hand; two persons have agreed.

    Months that were released stay paid; where the reason takes months away they were not owed, and are a recovery.
    """
    row = await check_suspend(tx, command)
    if command.reason in FORFEITS:
        await keeping_given_back.note_forfeited(tx, row.benefit_id, command.from_month, command.reason.value)
    _, changed = await hold(tx, {row.benefit_id: command.from_month}, command.reason, command.evidence)
    if command.reason in FORFEITS:
        await keeping_recovery.open_overpaid(tx, row, command.reason.value)
        for payment_id in await settling_store.lapse_forfeited(tx, row.benefit_id, command.from_month.first_day):
            payment = await payrolls.payment(tx, payment_id)
            assert payment is not None
            await owe_no_more(tx, payment)
    await settle(tx, [row.benefit_id])
    await ask_approvals(tx, changed)
    detail = {"benefit_id": ids.to_text("ben", row.benefit_id), "reason": command.reason.value}
    tx.audit("benefit_suspended", person_id=row.person_id, detail=detail)


async def check_resume(tx: Transaction, command: Resume) -> tuple[BenefitRow, Month | None]:
    """Whether a benefit may be paid again by hand, locked; with the first month, where one is to be named.

    Raises:
        NotFound: BENEFIT_NOT_FOUND.
        Refused: BENEFIT_NOT_SUSPENDED, CERTIFICATION_REQUIRED, HOLD_MONTH_INVALID.
    """
    row = await locked(tx, command.benefit_id)
    if row.state is not BenefitState.SUSPENDED or row.suspend_reason is None or row.suspended_from is None:
        raise Refused("BENEFIT_NOT_SUSPENDED", "the benefit is not held back", state=row.state.value)
    reason = SuspendReason(row.suspend_reason)
    if reason is SuspendReason.CERTIFICATION_OVERDUE:
        raise Refused("CERTIFICATION_REQUIRED", "only a certification resumes it", source=("SI-OPS-2023",))
    if reason not in FORFEITS:
        return row, None
    if command.from_month is None or not row.suspended_from <= command.from_month <= Month.of(tx.today).next:
        raise Refused("HOLD_MONTH_INVALID", "the first month that is paid again must be named", field="from_month")
    return row, command.from_month


async def resume(tx: Transaction, command: Resume) -> None:
    """Pay a benefit again by hand; two persons have agreed."""
    row, paid_from = await check_resume(tx, command)
    await release(tx, [row.benefit_id], paid_from)
    await settle(tx, [row.benefit_id])


async def locked(tx: Transaction, benefit_id: UUID) -> BenefitRow:
    """A benefit, locked.

    Raises:
        NotFound: BENEFIT_NOT_FOUND.
    """
    row = await decisions.benefit(tx, benefit_id, lock=True)
    if row is None:
        raise benefit_not_found()
    return row
