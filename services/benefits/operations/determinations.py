"""Determinations (核定): prepared by one person, decided by another; an approved one starts its benefit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chassis import approval, inbox
from chassis.principal import person_not_found
from kernel import ids
from kernel.calendar import Month
from kernel.errors import Conflict, Forbidden, InvalidInput, NotFound, Refused
from services.benefits import calculation, entitlement
from services.benefits.calculation import PensionInputs, UnemploymentInputs, canonical
from services.benefits.entitlement import ASK_AGAIN_SECONDS, End
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
from services.benefits.operations.ending import end_early
from services.benefits.store import decisions, register
from services.benefits.store.rows import BenefitRow, DeterminationRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.benefits.calculation import Calculation
    from services.benefits.commands import Approve, Payee, PreparePension, PrepareUnemployment, Reject
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.store.rows import AccountRow, PayeeRow, PersonRow

APPROVAL_KINDS = {Kind.EMPLOYEE_PENSION: "pension", Kind.UNEMPLOYMENT: "unemployment_benefit"}
REASON_LEAST, REASON_MOST = 2, 200  # characters of a rejection, as the contract says


@dataclass(frozen=True, slots=True)
class Shown:
    """A determination with what is shown beside it."""

    determination: DeterminationRow
    calculation: Calculation
    account_tail: str
    benefit: BenefitRow | None = None


async def prepare_pension(tx: Transaction, command: PreparePension, policy: BenefitsPolicy) -> Shown:
    """Determine an employee pension, first person.

    The month must have begun, the window of flexible retirement must hold it, and enrollment must have settled the
    account for it. Pays from the month after retirement (退休次月).

    Raises:
        NotFound: PERSON_NOT_FOUND.
        InvalidInput: TRACK_INVALID.
        Conflict: ACCOUNT_NOT_SETTLED.
        Refused: TRACK_UNKNOWN, NO_CONTRIBUTIONS, PENSION_ALREADY_DETERMINED, RETIREMENT_NOT_REACHED, NOT_APPLICABLE,
            TOO_EARLY, TOO_LATE, CONTRIBUTION_SHORT, SETTLEMENT_MONTH_DIFFERS, POLICY_PARAMETER_MISSING.
    """
    person = await known_person(tx, command.person_id)
    if any(one.kind is Kind.EMPLOYEE_PENSION for one in await decisions.benefits(tx, person.person_id)):
        raise _pension_exists()
    spells = await register.spells(tx, person.person_id)
    track = entitlement.track_of(person.sex, spells, command.track)
    birth = Month.of(person.birth_date)
    month = command.retirement_month or calculation.retirement_of(track, birth, policy).statutory
    calculation.require_window(track, birth, month, policy)
    if month > Month.of(tx.today):
        raise Refused("RETIREMENT_NOT_REACHED", "the month of retirement has not begun", month=str(month))
    account = await _settled_account(tx, person.person_id, month)
    history = (await register.history(tx, person.person_id, Scheme.EMPLOYEE_PENSION)).until(month)
    assert account.settled_balance is not None
    inputs = PensionInputs(
        birth=birth,
        track=track,
        retirement_month=month,
        history=history.counted,
        balance=account.settled_balance,
        balance_provisional=bool(account.settled_provisional),
        old_transitional=command.old_transitional,
    )
    result = calculation.calculate_pension(inputs, policy)
    notes = [
        f"pension months up to {history.last_month}: {len(history.counted)}, of them deemed {len(history.deemed)}",
        f"personal account settled for {month}: {account.settled_balance}",
    ]
    return await _prepare(
        tx, person, result, command.payee, first_month=month.next, last_month=None, event_month=month, notes=notes
    )


async def prepare_unemployment(tx: Transaction, command: PrepareUnemployment, policy: BenefitsPolicy) -> Shown:
    """Determine an unemployment benefit, first person.

    The months of unemployment insurance since the last spell count; the benefit is paid from the month after the
    registration.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        InvalidInput: CARRIED_MONTHS_INVALID.
        Conflict: EMPLOYMENT_NOT_ENDED.
        Refused: BENEFIT_ALREADY_RUNNING, REGISTRATION_DATE_INVALID, LESS_THAN_12_MONTHS, VOLUNTARY_END,
            POLICY_PARAMETER_MISSING.
    """
    person = await known_person(tx, command.person_id)
    known = await decisions.benefits(tx, person.person_id)
    if any(one.state is not BenefitState.ENDED for one in known):
        raise _benefit_running()
    lost = entitlement.lost_employment(await register.spells(tx, person.person_id))
    entitlement.require_registration(command.registration_date, lost, tx.today)
    before = next((one for one in known if one.kind is Kind.UNEMPLOYMENT), None)
    history = (await register.history(tx, person.person_id, Scheme.UNEMPLOYMENT)).until(lost.last_month).paid
    if before is not None:  # the months restart after each spell (社会保险法 art. 46)
        history = history.after(before.event_month)
    entitlement.require_unemployed(history, lost, command.registration_date, policy)
    entitlement.require_carried(
        command.carried_months,
        await _unused_months(tx, before) if before else None,
        policy.unemployment.total_max.on(command.registration_date).value,
    )
    inputs = UnemploymentInputs(
        history=history,
        event_month=lost.last_month,
        registration_date=command.registration_date,
        division=lost.division,
        carried_months=command.carried_months,
    )
    terms = calculation.unemployment_terms(inputs, policy)
    result = calculation.calculate_unemployment(inputs, terms.first_month, policy)
    notes = [
        f"employment ended with {lost.last_month}, reason {lost.reason}",
        f"months of unemployment insurance since the last spell: {terms.contribution_months}",
        f"months of benefit: {terms.months}, carried over {command.carried_months}",
    ]
    return await _prepare(
        tx,
        person,
        result,
        command.payee,
        first_month=terms.first_month,
        last_month=terms.last_month,
        event_month=lost.last_month,
        division=lost.division,
        notes=notes,
    )


async def approve(tx: Transaction, command: Approve) -> Shown:
    """Approve a determination (复核): the benefit starts; a pension ends a running unemployment benefit.

    Raises:
        NotFound: DETERMINATION_NOT_FOUND.
        Forbidden: SAME_PERSON.
        Refused: DETERMINATION_CLOSED, STATEMENT_CHANGED, APPROVAL_EXPIRED, PENSION_ALREADY_DETERMINED,
            BENEFIT_ALREADY_RUNNING.
    """
    row = await _open_determination(tx, command.subject_id)
    if command.digest != row.digest:
        raise Refused("STATEMENT_CHANGED", "the digest is not that of this determination")
    await register.lock_persons(tx, [row.person_id])
    running = await decisions.lock_running(tx, [row.person_id])
    _require_nothing_else(row, await decisions.benefits(tx, row.person_id))
    result = await decisions.calculation(tx, row.digest)
    payee = await decisions.payee(tx, row.payee_id)
    await approval.decide(tx, row.approval_id, approve=True)
    await approval.execute(
        tx,
        row.approval_id,
        kind=APPROVAL_KINDS[row.kind],
        subject=_id(row),
        payload=_payload(row, payee),
    )
    benefit = _benefit(row, result)
    _decide(tx, row, Decision.APPROVE)
    if not await decisions.start(tx, benefit):
        raise _pension_exists() if row.kind is Kind.EMPLOYEE_PENSION else _benefit_running()
    tx.emit(facts.benefit_started(benefit))
    for other in running:
        await end_early(tx, other, End(row.first_month.previous, EndReason.RETIRED))
    if row.kind is Kind.UNEMPLOYMENT:
        await _end_if_at_work(tx, benefit)
    tx.audit("determination_approved", person_id=row.person_id, detail={"determination_id": _id(row)})
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
    tx.audit("determination_rejected", person_id=row.person_id, detail={"determination_id": _id(row)})
    return await _shown(tx, row)


async def show(tx: Transaction, determination_id: UUID) -> Shown:
    """A determination as it is.

    Raises:
        NotFound: DETERMINATION_NOT_FOUND.
    """
    row = await decisions.determination(tx, determination_id)
    if row is None:
        raise _not_found()
    if tx.principal.is_staff:
        tx.audit(tx.method, person_id=row.person_id)
    return await _shown(tx, row)


async def known_person(tx: Transaction, person_id: UUID) -> PersonRow:
    """A person whom enrollment has announced.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    person = await register.person(tx, person_id)
    if person is None:
        raise person_not_found()
    return person


# Preparing ----------------------------------------------------------------------------------------------------------


async def _prepare(
    tx: Transaction,
    person: PersonRow,
    result: Calculation,
    to: Payee,
    *,
    first_month: Month,
    last_month: Month | None,
    event_month: Month,
    notes: list[str],
    division: str = "",
) -> Shown:
    await decisions.add_calculations(tx, [result])
    payee = decisions.add_payee(tx, person.person_id, to)
    if await decisions.shares_account(tx, payee):
        notes.append("the payee account also receives a benefit of another person")
    row = DeterminationRow(
        determination_id=ids.new_id(),
        person_id=person.person_id,
        kind=result.kind,
        state=DeterminationState.PREPARED,
        first_month=first_month,
        last_month=last_month,
        event_month=event_month,
        division=division,
        digest=result.digest,
        payee_id=payee.payee_id,
        notes=notes,
        approval_id=ids.new_id(),
        maker=tx.principal.acting_person,
        prepare_date=tx.today,
    )
    row.approval_id = await approval.request(
        tx, kind=APPROVAL_KINDS[row.kind], subject=_id(row), payload=_payload(row, payee)
    )
    tx.session.add(row)
    tx.audit("determination_prepared", person_id=person.person_id, detail={"determination_id": _id(row)})
    return Shown(row, result, payee.account_tail)


async def _settled_account(tx: Transaction, person_id: UUID, month: Month) -> AccountRow:
    """The account as enrollment settled it, once the contributions that went before have arrived too."""
    account = await register.account(tx, person_id)
    if account is None or account.settled_month is None or not await _contributions_known(tx, account):
        raise Conflict(
            "ACCOUNT_NOT_SETTLED",
            "the settlement of the personal account has not arrived",
            retry_after=ASK_AGAIN_SECONDS,
            month=str(month),
        )
    if account.settled_month != month:
        raise Refused(
            "SETTLEMENT_MONTH_DIFFERS",
            "the account was settled for another month of retirement",
            settled_month=str(account.settled_month),
            month=str(month),
        )
    return account


async def _contributions_known(tx: Transaction, account: AccountRow) -> bool:
    """Contributions and accounts are announced side by side; the settlement says which of the former went before."""
    key = ids.to_text("per", account.person_id)
    return not account.settled_after or await inbox.knows(tx, [("contributions", key, account.settled_after)])


async def _unused_months(tx: Transaction, before: BenefitRow) -> int:
    """Months of an ended unemployment benefit that were never drawn."""
    determination = await decisions.determination(tx, before.determination_id)
    assert determination is not None
    assert determination.last_month is not None
    assert before.last_month is not None
    return before.last_month.months_until(determination.last_month)


def _payload(row: DeterminationRow, payee: PayeeRow) -> bytes:
    """What the second person's approval is bound to: the calculation, the months and the account."""
    content = {
        "determination": _id(row),
        "person": ids.to_text("per", row.person_id),
        "digest": row.digest.hex(),
        "first_month": str(row.first_month),
        "last_month": str(row.last_month or ""),
        "account": payee.account_index.hex(),
    }
    return canonical(content).encode()


# Deciding -----------------------------------------------------------------------------------------------------------


async def _open_determination(tx: Transaction, determination_id: UUID) -> DeterminationRow:
    """A determination that the caller may decide, locked."""
    row = await decisions.determination(tx, determination_id, lock=True)
    if row is None:
        raise _not_found()
    if row.state is not DeterminationState.PREPARED:
        raise Refused("DETERMINATION_CLOSED", "the determination was decided before", state=row.state.value)
    checker = tx.principal.acting_person
    if checker in {row.maker, ids.to_text("per", row.person_id)}:
        raise Forbidden("SAME_PERSON", "who prepared it, or whom it is for, does not decide it")
    return row


def _require_nothing_else(row: DeterminationRow, known: Sequence[BenefitRow]) -> None:
    """One pension in a life; one unemployment benefit at a time, and one for each lost employment."""
    match row.kind:
        case Kind.EMPLOYEE_PENSION:
            if any(one.kind is Kind.EMPLOYEE_PENSION for one in known):
                raise _pension_exists()
        case Kind.UNEMPLOYMENT:
            same_loss = (one for one in known if one.kind is Kind.UNEMPLOYMENT and one.event_month >= row.event_month)
            if any(one.state is not BenefitState.ENDED for one in known) or any(same_loss):
                raise _benefit_running()


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
    )


async def _end_if_at_work(tx: Transaction, benefit: BenefitRow) -> None:
    """A new employment may have been announced between preparing and approving."""
    row = await decisions.benefit(tx, benefit.benefit_id, lock=True)
    assert row is not None
    for spell in await register.spells(tx, row.person_id):
        if spell.scheme is Scheme.UNEMPLOYMENT:
            last = entitlement.last_month_before_work(row.first_month, row.event_month, spell.start_month)
            await end_early(tx, row, End(last, EndReason.REEMPLOYED) if last else None)


async def _shown(tx: Transaction, row: DeterminationRow) -> Shown:
    payee = await decisions.payee(tx, row.payee_id)
    result = await decisions.calculation(tx, row.digest)
    return Shown(row, result, payee.account_tail, await decisions.benefit_of(tx, row.determination_id))


def _id(row: DeterminationRow) -> str:
    return ids.to_text("det", row.determination_id)


def _not_found() -> NotFound:
    return NotFound("DETERMINATION_NOT_FOUND", "no such determination")


def _pension_exists() -> Refused:
    return Refused("PENSION_ALREADY_DETERMINED", "a pension of this person was determined before")


def _benefit_running() -> Refused:
    return Refused("BENEFIT_ALREADY_RUNNING", "the person draws a benefit that excludes this one", source=("SIL",))
