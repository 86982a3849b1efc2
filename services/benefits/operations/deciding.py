"""The second person: approves a determination (复核), which starts the benefit, or rejects it (退回)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis import approval
from kernel import ids
from kernel.errors import Forbidden, InvalidInput, Refused
from services.benefits import entitlement
from services.benefits.calculation import PensionInputs, UnemploymentInputs
from services.benefits.entitlement import End
from services.benefits.history import Scheme
from services.benefits.lifecycle import (
    DETERMINATION_STEPS,
    BenefitState,
    Decision,
    DeterminationState,
    EndReason,
    Kind,
)
from services.benefits.messages import facts
from services.benefits.operations.determinations import (
    APPROVAL_KINDS,
    Shown,
    benefit_running,
    not_found,
    payload_of,
    pension_exists,
    runs_in,
    shown,
    text_id,
)
from services.benefits.operations.ending import end, end_early
from services.benefits.store import decisions, register
from services.benefits.store.rows import BenefitRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.benefits.calculation import Calculation
    from services.benefits.commands import Approve, Reject
    from services.benefits.store.rows import DeterminationRow

REASON_LEAST, REASON_MOST = 2, 200  # characters of a rejection, as the contract says


async def approve(tx: Transaction, command: Approve) -> Shown:
    """Approve a determination (复核): the benefit starts; a pension ends a running unemployment benefit.

    Raises:
        NotFound: DETERMINATION_NOT_FOUND.
        Forbidden: SAME_PERSON.
        Refused: DETERMINATION_CLOSED, STATEMENT_CHANGED, APPROVAL_EXPIRED, PERSON_DIED, PENSION_ALREADY_DETERMINED,
            BENEFIT_ALREADY_RUNNING.
    """
    row = await _open_determination(tx, command.subject_id)
    if command.digest != row.digest:
        raise Refused("STATEMENT_CHANGED", "the digest is not that of this determination")
    await register.lock_persons(tx, [row.person_id])
    person = await register.person(tx, row.person_id)
    entitlement.require_alive(await register.spells(tx, row.person_id), person.died_month if person else None)
    running = await decisions.lock_running(tx, [row.person_id])
    known = await decisions.benefits(tx, row.person_id)
    _require_nothing_else(row, known)
    result = await decisions.calculation(tx, row.digest)
    await _require_same_facts(tx, row, result, known)
    payee = await decisions.payee(tx, row.payee_id)
    await approval.decide(tx, row.approval_id, approve=True)
    await approval.execute(
        tx,
        row.approval_id,
        kind=APPROVAL_KINDS[row.kind],
        subject=text_id(row),
        payload=payload_of(row, payee),
    )
    benefit = _benefit(row, result)
    _decide(tx, row, Decision.APPROVE)
    await end(tx, [(one, _exhausted(one)) for one in running if not runs_in(one, row.first_month)])
    if not await decisions.start(tx, benefit):
        raise pension_exists() if row.kind is Kind.EMPLOYEE_PENSION else benefit_running()
    tx.emit(facts.benefit_started(benefit))
    retired = End(row.first_month.previous, EndReason.RETIRED)
    await end_early(tx, [(other, retired) for other in running])
    if row.kind is Kind.UNEMPLOYMENT:
        await _end_if_at_work(tx, benefit)
    tx.audit("determination_approved", person_id=row.person_id, detail={"determination_id": text_id(row)})
    return Shown(row, result, payee.account_tail, await decisions.benefit(tx, benefit.benefit_id))


async def reject(tx: Transaction, command: Reject) -> Shown:
    """Reject a determination (退回), second person.

    Raises:
        NotFound: DETERMINATION_NOT_FOUND.
        InvalidInput: REJECTION_REASON_REQUIRED.
        Forbidden: SAME_PERSON.
        Refused: DETERMINATION_CLOSED.
    """
    if not REASON_LEAST <= len(command.reason) <= REASON_MOST:
        raise InvalidInput("REJECTION_REASON_REQUIRED", "a reason has 2 to 200 characters", field="reason")
    row = await _open_determination(tx, command.determination_id)
    if (await approval.get(tx, row.approval_id)).expires > tx.now:  # what nobody may approve any more is only closed
        await approval.decide(tx, row.approval_id, approve=False, reason=command.reason)
    _decide(tx, row, Decision.REJECT)
    row.rejection_reason = command.reason
    tx.audit("determination_rejected", person_id=row.person_id, detail={"determination_id": text_id(row)})
    return await shown(tx, row)


async def _open_determination(tx: Transaction, determination_id: UUID) -> DeterminationRow:
    """A determination that the caller may decide, locked."""
    row = await decisions.determination(tx, determination_id, lock=True)
    if row is None:
        raise not_found()
    if row.state is not DeterminationState.PREPARED:
        raise Refused("DETERMINATION_CLOSED", "the determination was decided before", state=row.state.value)
    if tx.principal.acting_person == row.maker or tx.principal.person_id == row.person_id:
        raise Forbidden("SAME_PERSON", "who prepared it, or whom it is for, does not decide it")
    return row


def _require_nothing_else(row: DeterminationRow, known: Sequence[BenefitRow]) -> None:
    """One pension in a life; one unemployment benefit at a time, and one for each lost employment."""
    match row.kind:
        case Kind.EMPLOYEE_PENSION:
            if any(one.kind is Kind.EMPLOYEE_PENSION for one in known):
                raise pension_exists()
        case Kind.UNEMPLOYMENT:
            same_loss = (one for one in known if one.kind is Kind.UNEMPLOYMENT and one.event_month >= row.event_month)
            if any(runs_in(one, row.first_month) for one in known) or any(same_loss):
                raise benefit_running()
        case _:
            pass


async def _require_same_facts(
    tx: Transaction, row: DeterminationRow, made: Calculation, known: Sequence[BenefitRow]
) -> None:
    """What the first person calculated with must still be what is known: a later fact asks for a new determination."""
    match row.kind:
        case Kind.EMPLOYEE_PENSION:
            pension = PensionInputs.from_plain(made.inputs)
            history = await register.history(tx, row.person_id, Scheme.EMPLOYEE_PENSION)
            account = await register.account(tx, row.person_id)
            same = history.until(row.event_month).counted == pension.history
            same = same and account is not None and account.settled_balance == pension.balance
        case Kind.UNEMPLOYMENT:
            history = (await register.history(tx, row.person_id, Scheme.UNEMPLOYMENT)).until(row.event_month).paid
            before = next((one for one in known if one.kind is Kind.UNEMPLOYMENT), None)
            history = history.after(before.event_month) if before else history
            same = history == UnemploymentInputs.from_plain(made.inputs).history
        case _:
            same = True
    if not same:
        raise Refused("STATEMENT_CHANGED", "contributions or account changed since the determination was prepared")


def _decide(tx: Transaction, row: DeterminationRow, decision: Decision) -> None:
    row.state = DETERMINATION_STEPS[row.state, decision]
    row.checker = tx.principal.acting_person
    row.decide_date = tx.today


def _benefit(row: DeterminationRow, result: Calculation) -> BenefitRow:
    return BenefitRow(
        benefit_id=ids.new_id(),
        determination_id=row.determination_id,
        person_id=row.person_id,
        kind=row.kind,
        state=BenefitState.ACTIVE,
        monthly=result.statement.total,
        first_month=row.first_month,
        last_month=row.last_month,
        next_month=row.first_month,
        event_month=row.event_month,
        provisional=result.statement.provisional,
        division=row.division,
        digest=row.digest,
        payee_id=row.payee_id,
        share=row.share,
    )


def _exhausted(benefit: BenefitRow) -> End:
    """A benefit whose last month is over, though the bank has not answered for it yet."""
    assert benefit.last_month is not None
    return End(benefit.last_month, EndReason.EXHAUSTED)


async def _end_if_at_work(tx: Transaction, benefit: BenefitRow) -> None:
    """A new employment may have been announced between preparing and approving."""
    row = await decisions.benefit(tx, benefit.benefit_id, lock=True)
    assert row is not None
    starts = [one.start_month for one in await register.spells(tx, row.person_id) if one.scheme is Scheme.UNEMPLOYMENT]
    await end_early(tx, [(row, entitlement.end_by_work(row.first_month, row.event_month, start)) for start in starts])
