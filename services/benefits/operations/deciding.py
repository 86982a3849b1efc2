"""The second person: approves a determination (复核), which starts the benefit, or rejects it (退回)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis import approval
from kernel import ids
from kernel.calendar import Month
from kernel.errors import Forbidden, InvalidInput, Refused
from services.benefits import entitlement, exclusion
from services.benefits.calculation import recompute
from services.benefits.entitlement import End
from services.benefits.exclusion import ENDS, Wanted, base_of
from services.benefits.history import Scheme
from services.benefits.lifecycle import (
    AFTER_DEATH,
    DETERMINATION_STEPS,
    PENSIONS,
    BenefitState,
    Decision,
    DeterminationState,
    EndReason,
    Kind,
)
from services.benefits.messages import facts
from services.benefits.operations.adjusting_later import join_runs, require_no_run
from services.benefits.operations.determinations import (
    APPROVAL_KINDS,
    Shown,
    not_found,
    payload_of,
    runs_in,
    shown,
    text_id,
)
from services.benefits.operations.ending import end, end_earlier, end_early
from services.benefits.operations.same_facts import require_same_facts
from services.benefits.store import decisions, register
from services.benefits.store.decisions import Amount
from services.benefits.store.rows import BenefitRow

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.benefits.calculation import Calculation
    from services.benefits.commands import Approve, Reject
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.store.rows import DeterminationRow

REASON_LEAST, REASON_MOST = 2, 200  # characters of a rejection, as the contract says


async def approve(tx: Transaction, command: Approve, policy: BenefitsPolicy) -> Shown:
    """Approve a determination (复核): the benefit starts; a pension ends a running unemployment benefit.

    Raises:
        NotFound: DETERMINATION_NOT_FOUND.
        Forbidden: SAME_PERSON.
        Refused: DETERMINATION_CLOSED, STATEMENT_CHANGED, APPROVAL_EXPIRED, PERSON_DIED, PENSION_ALREADY_DETERMINED,
            FUNERAL_ALREADY_DETERMINED, BENEFIT_ALREADY_DETERMINED, BENEFIT_ALREADY_RUNNING.
    """
    row = await _open_determination(tx, command.subject_id)
    if command.digest != row.digest:
        raise Refused(
            "STATEMENT_CHANGED",
            "the digest is not that of this determination",
            field="statement_digest",
            digest=row.digest.hex(),
        )
    await register.lock_persons(tx, [row.person_id])
    person = await register.person(tx, row.person_id)
    if row.kind not in AFTER_DEATH:
        entitlement.require_alive(await register.spells(tx, row.person_id), person.died_month if person else None)
    running = await decisions.lock_running(tx, [row.person_id])
    known = await decisions.benefits(tx, row.person_id)
    exclusion.require_free(Wanted(row.kind, row.share, row.first_month, row.event_month), known)
    result = await decisions.calculation(tx, row.digest)
    await require_same_facts(tx, row, result, known)
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
    await require_no_run(tx, benefit)
    _decide(tx, row, Decision.APPROVE)
    ended = ENDS.get(row.kind, frozenset()) | {row.kind}
    over = [one for one in running if one.kind in ended and not runs_in(one, row.first_month)]
    await end(
        tx,
        [
            (one, _exhausted(one))
            for one in over
            if row.kind is not one.kind or base_of(row.share) == base_of(one.share)
        ],
    )
    later = await _later_amounts(tx, row, result, policy)
    if not await decisions.start(tx, benefit, later):
        raise exclusion.taken(row.kind)
    started = await decisions.benefit(tx, benefit.benefit_id, lock=True)
    assert started is not None
    await join_runs(tx, started)
    tx.emit(facts.benefit_started(started))
    retired = End(row.first_month.previous, EndReason.RETIRED)
    await end_early(tx, [(other, retired) for other in running if other.kind in ended - {row.kind}])
    if row.kind is Kind.UNEMPLOYMENT_LUMP_SUM:  # the claim ends before the months that the sum is for
        before = End(Month.parse(result.inputs["first_month"]).previous, EndReason.EXHAUSTED)
        await end_early(tx, [(other, before) for other in running if other.kind is Kind.UNEMPLOYMENT])
    if row.kind in PENSIONS:
        await end_earlier(tx, [(one, _from(one, retired)) for one in await _drawn_before(tx, row)])
    if row.kind is Kind.UNEMPLOYMENT:
        await _end_if_at_work(tx, started)
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


async def _later_amounts(
    tx: Transaction, row: DeterminationRow, result: Calculation, policy: BenefitsPolicy
) -> list[Amount]:
    """Amounts of later months that are known from the start: an annuity's last month pays what is left."""
    if row.kind is not Kind.OCCUPATIONAL_ANNUITY or row.last_month is None or row.last_month == row.first_month:
        return []
    last = recompute(row.kind, result.inputs, row.last_month, policy)
    await decisions.add_calculations(tx, [last])
    return [Amount(row.last_month, last.statement.total, last.digest)]


async def _drawn_before(tx: Transaction, row: DeterminationRow) -> list[BenefitRow]:
    """What a pension ends and what had run out by itself, maybe in a month that the pension is paid for."""
    return [one for kind in sorted(ENDS[row.kind]) for one in await decisions.lock_all(tx, [row.person_id], kind)]


def _from(benefit: BenefitRow, how: End) -> End:
    """An end never lies before the month before the first."""
    return End(max(how.last_month, benefit.first_month.previous), how.reason)


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
    spells = await register.spells(tx, benefit.person_id)
    starts = sorted(one.start_month for one in spells if one.scheme is Scheme.UNEMPLOYMENT)
    how = [entitlement.end_by_work(benefit.first_month, benefit.event_month, start) for start in starts]
    await end_early(tx, [(benefit, one) for one in how])
