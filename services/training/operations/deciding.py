"""Two persons decide a claim: one prepares it (核定), another approves it (复核) or rejects it (退回)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis import approval, ledger
from kernel import ids
from kernel.errors import Forbidden, InvalidInput, Refused
from services.training.calculation import Calculation, calculate, canonical
from services.training.domain import skill_subsidy
from services.training.lifecycle import CLAIM_STEPS, ClaimState, OrderState, Step
from services.training.messages import facts
from services.training.operations.checking import facts_of
from services.training.operations.claims import Shown, audit, not_found, plain_failures, with_details
from services.training.operations.payments import CLEARING, FUND
from services.training.store import certificates, claims, register
from services.training.store.rows import OrderRow

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.training.commands import Approve, Reject
    from services.training.domain.skill_subsidy import Facts
    from services.training.policy import TrainingPolicy
    from services.training.store.rows import ClaimRow

KIND = "skill_subsidy"
REASON_LEAST, REASON_MOST = 2, 200  # characters of a rejection, as the contract says


async def prepare(tx: Transaction, claim_id: UUID, policy: TrainingPolicy) -> Shown:
    """Prepare a claim, first person: the amount, from what is known now for the day of the application.

    A prepared claim may be prepared again, when facts changed or nobody approved it in time.

    Raises:
        NotFound: CLAIM_NOT_FOUND.
        Forbidden: SAME_PERSON: the claim is the clerk's own.
        Refused: CLAIM_CLOSED, CLAIM_NOT_ELIGIBLE, POLICY_PARAMETER_MISSING.
        AlreadyExists: APPROVAL_PENDING: it is prepared, and nothing changed.
    """
    row = await _open(tx, claim_id, Step.PREPARE)
    maker = tx.principal.acting_person
    if _is_claimant(tx, row):
        raise _same_person()
    made = await _calculated(tx, row, policy)
    await claims.add_calculation(tx, made)
    approval_id = await approval.request(
        tx, kind=KIND, subject=_subject(row, made), payload=await _payload(tx, row, made)
    )
    row.state = CLAIM_STEPS[row.state, Step.PREPARE]
    row.failures = []
    row.insured_months = made.inputs["insured_months"]
    row.urgent = made.inputs["is_urgent"]
    row.digest = made.digest
    row.approval_id = approval_id
    row.maker = maker
    row.prepare_date = tx.today
    audit(tx, "claim_prepared", row)
    return await _shown(tx, row)


async def approve(tx: Transaction, command: Approve, policy: TrainingPolicy) -> Shown:
    """Approve a prepared claim, second person: the payment order is released to the bank.

    Raises:
        NotFound: CLAIM_NOT_FOUND.
        Forbidden: SAME_PERSON.
        Refused: CLAIM_CLOSED, CLAIM_NOT_PREPARED, CLAIM_CHANGED, CLAIM_NOT_ELIGIBLE, APPROVAL_EXPIRED.
    """
    row = await _open(tx, command.claim_id, Step.APPROVE)
    _require_second(tx, row)
    made = await _calculated(tx, row, policy)
    if command.digest != row.digest or (made.inputs, made.statement) != await _seen(tx, row):
        raise Refused("CLAIM_CHANGED", "the claim is not what was seen: facts changed or it was prepared again")
    made = (await claims.calculations(tx, [command.digest]))[command.digest]
    assert row.approval_id is not None
    await approval.decide(tx, row.approval_id, approve=True)
    await approval.execute(
        tx, row.approval_id, kind=KIND, subject=_subject(row, made), payload=await _payload(tx, row, made)
    )
    _decide(tx, row, Step.APPROVE)
    await tx.session.flush()
    order = await _release(tx, row, made)
    tx.emit(facts.claim_approved(order))
    audit(tx, "claim_approved", row)
    return await _shown(tx, row)


async def reject(tx: Transaction, command: Reject, policy: TrainingPolicy) -> Shown:
    """Reject a claim, second person, with the conditions that it does not meet now.

    Raises:
        NotFound: CLAIM_NOT_FOUND.
        InvalidInput: REJECTION_REASON_REQUIRED.
        Forbidden: SAME_PERSON.
        Refused: CLAIM_CLOSED.
    """
    if not REASON_LEAST <= len(command.reason) <= REASON_MOST:
        raise InvalidInput("REJECTION_REASON_REQUIRED", "a reason has 2 to 200 characters", field="reason")
    row = await _open(tx, command.claim_id, Step.REJECT)
    _require_second(tx, row)
    known = await _facts(tx, row, policy)
    # What nobody may approve any more is only closed.
    if row.approval_id is not None and (await approval.get(tx, row.approval_id)).expires > tx.now:
        await approval.decide(tx, row.approval_id, approve=False, reason=command.reason)
    _decide(tx, row, Step.REJECT)
    row.failures = plain_failures(skill_subsidy.assess(known, policy.skill))
    row.rejection_reason = command.reason
    row.insured_months, row.urgent = known.insured_months, known.is_urgent
    tx.emit(facts.claim_rejected(row))
    audit(tx, "claim_rejected", row)
    return await _shown(tx, row)


async def _open(tx: Transaction, claim_id: UUID, step: Step) -> ClaimRow:
    """A claim that takes a step, locked; its person is held still first, everywhere in this order."""
    known = await claims.claim(tx, claim_id)
    if known is None:
        raise not_found()
    await register.lock_person(tx, known.person_id)
    row = await claims.claim(tx, claim_id, lock=True)
    assert row is not None
    if (row.state, step) in CLAIM_STEPS:
        return row
    if row.state is ClaimState.SUBMITTED:
        raise Refused("CLAIM_NOT_PREPARED", "nobody prepared the claim", state=row.state.value)
    raise Refused("CLAIM_CLOSED", "the claim was decided before", state=row.state.value)


def _require_second(tx: Transaction, row: ClaimRow) -> None:
    if tx.principal.acting_person in {row.maker, row.submitter} or _is_claimant(tx, row):
        raise _same_person()


def _is_claimant(tx: Transaction, row: ClaimRow) -> bool:
    """Whether the member of staff is the human whose claim it is, whichever login is used."""
    return tx.principal.person_id == row.person_id or tx.principal.acting_person == ids.to_text("per", row.person_id)


async def _facts(tx: Transaction, row: ClaimRow, policy: TrainingPolicy) -> Facts:
    certificate = await certificates.get(tx, row.certificate_id, lock=True)
    return await facts_of(tx, row.person_id, certificate, row.apply_date, policy)


async def _calculated(tx: Transaction, row: ClaimRow, policy: TrainingPolicy) -> Calculation:
    """What an eligible claim pays, from what is known now.

    Raises:
        Refused: CLAIM_NOT_ELIGIBLE with every condition that is not met, POLICY_PARAMETER_MISSING.
    """
    known = await _facts(tx, row, policy)
    assessment = skill_subsidy.assess(known, policy.skill)
    if not assessment.eligible:
        raise Refused(
            "CLAIM_NOT_ELIGIBLE",
            "the claim does not meet every condition",
            source=assessment.sources,
            reasons=", ".join(assessment.reasons),
        )
    return calculate(known, policy)


async def _seen(tx: Transaction, row: ClaimRow) -> tuple[object, object]:
    """Inputs and statement that the first person made, whatever else the policy files say since."""
    assert row.digest is not None
    made = (await claims.calculations(tx, [row.digest]))[row.digest]
    return made.inputs, made.statement


async def _release(tx: Transaction, row: ClaimRow, made: Calculation) -> OrderRow:
    """The payment order of an approved claim; its money leaves the fund for the bank's clearing account."""
    before = made.inputs["grants"]
    year = str(row.apply_date.year)
    order = OrderRow(
        order_id=ids.new_id(),
        claim_id=row.claim_id,
        person_id=row.person_id,
        certificate_id=row.certificate_id,
        occupation=made.inputs["occupation"],
        level=made.inputs["level"],
        apply_date=row.apply_date,
        apply_year=row.apply_date.year,
        place=1 + sum(grant["apply_date"].startswith(year) for grant in before),
        amount=made.statement.total,
        digest=made.digest,
        payee_id=row.payee_id,
        release_date=tx.today,
        state=OrderState.RELEASED,
    )
    tx.session.add(order)
    await ledger.post(
        tx,
        kind="subsidy",
        key=f"subsidy/{ids.to_text('ord', order.order_id)}",
        postings=[(FUND, -order.amount), (CLEARING, order.amount)],
        business_date=tx.today,
    )
    return order


def _decide(tx: Transaction, row: ClaimRow, step: Step) -> None:
    row.state = CLAIM_STEPS[row.state, step]
    row.checker = tx.principal.acting_person
    row.decide_date = tx.today


async def _payload(tx: Transaction, row: ClaimRow, made: Calculation) -> bytes:
    """What the second person's approval is bound to: the calculation and the account."""
    payee = (await claims.payees(tx, [row.payee_id]))[row.payee_id]
    content = {
        "claim": ids.to_text("clm", row.claim_id),
        "certificate": ids.to_text("crt", row.certificate_id),
        "digest": made.digest.hex(),
        "account": payee.account_index.hex(),
    }
    return canonical(content).encode()


def _subject(row: ClaimRow, made: Calculation) -> str:
    """The claim as it is now: another digest is another subject, so an approval of the old one opens nothing."""
    return f"{ids.to_text('clm', row.claim_id)}/{made.digest.hex()}"


async def _shown(tx: Transaction, row: ClaimRow) -> Shown:
    (shown,) = await with_details(tx, [row])
    return shown


def _same_person() -> Forbidden:
    return Forbidden("SAME_PERSON", "who submitted or prepared it, or whom it is for, does not decide it")
