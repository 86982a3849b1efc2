"""The first person: prepares a determination (核定) from what is known, for a second one to decide."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from chassis import approval, inbox
from kernel import ids
from kernel.calendar import Month
from kernel.errors import Conflict, InvalidInput, Refused
from kernel.money import Money
from services.benefits import calculation, entitlement, exclusion
from services.benefits.calculation import PensionInputs, UnemploymentInputs
from services.benefits.entitlement import ASK_AGAIN_SECONDS
from services.benefits.exclusion import Wanted, base_of
from services.benefits.history import Scheme
from services.benefits.lifecycle import DeterminationState, EndReason, Kind
from services.benefits.operations.determinations import (
    APPROVAL_KINDS,
    EXTENDED,
    Shown,
    known_person,
    last_spell,
    payload_of,
    place,
    text_id,
)
from services.benefits.store import decisions, register
from services.benefits.store.rows import DeterminationRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.benefits.calculation import Calculation
    from services.benefits.commands import Payee, PreparePension, PrepareUnemployment
    from services.benefits.entitlement import Spell
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.store.rows import AccountRow, BenefitRow, PersonRow


async def prepare_pension(
    tx: Transaction, command: PreparePension, policy: BenefitsPolicy, *, maker: str | None = None
) -> Shown:
    """Determine an employee pension, first person.

    The month must have begun, the window of flexible retirement must hold it, and enrollment must have settled the
    account for it. Pays from the month after retirement (退休次月). A job prepares in the name of a maker.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        InvalidInput: TRACK_INVALID.
        Conflict: ACCOUNT_NOT_SETTLED.
        Refused: PERSON_DIED, TRACK_UNKNOWN, NO_CONTRIBUTIONS, PENSION_ALREADY_DETERMINED, RETIREMENT_NOT_REACHED,
            NOT_APPLICABLE, TOO_EARLY, TOO_LATE, CONTRIBUTION_SHORT, SETTLEMENT_MONTH_DIFFERS,
            POLICY_PARAMETER_MISSING.
    """
    person = await known_person(tx, command.person_id)
    known = await decisions.benefits(tx, person.person_id)
    exclusion.require_free(Wanted(Kind.EMPLOYEE_PENSION, "", Month.of(tx.today), Month.of(tx.today)), known)
    spells = await register.spells(tx, person.person_id)
    entitlement.require_alive(spells, person.died_month)
    track = entitlement.track_of(person.sex, spells, command.track)
    birth, special = Month.of(person.birth_date), command.special_work
    month = command.retirement_month
    month = month or calculation.retirement_of(track, birth, policy, special_work=special).statutory
    calculation.require_window(track, birth, month, policy, special_work=special)
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
        special_work=special,
    )
    result = calculation.calculate_pension(inputs, policy)
    notes = [
        f"pension months up to {history.last_month}: {len(history.counted)}, of them deemed {len(history.deemed)}",
        f"personal account settled for {month}: {account.settled_balance}",
        *([f"special work, document {command.document}"] if special else []),
    ]
    share, first = place(known, Kind.EMPLOYEE_PENSION, "", month.next)
    return await write(
        tx,
        person,
        result,
        command.payee,
        first_month=first,
        last_month=None,
        event_month=month,
        notes=notes,
        share=share,
        maker=maker,
    )


async def prepare_unemployment(tx: Transaction, command: PrepareUnemployment, policy: BenefitsPolicy) -> Shown:
    """Determine an unemployment benefit, first person.

    The months of unemployment insurance since the last spell count; the benefit is paid from the month after the
    registration.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        InvalidInput: CARRIED_MONTHS_INVALID, DOCUMENT_INVALID.
        Conflict: EMPLOYMENT_NOT_ENDED.
        Refused: BENEFIT_ALREADY_RUNNING, PERSON_DIED, REGISTRATION_DATE_INVALID, LESS_THAN_12_MONTHS, VOLUNTARY_END,
            PREMIUM_NOT_NEAR, POLICY_PARAMETER_MISSING.
    """
    person = await known_person(tx, command.person_id)
    known = await decisions.benefits(tx, person.person_id)
    spells = await register.spells(tx, person.person_id)
    entitlement.require_alive(spells, person.died_month)
    # Paid from the month after the registration at the earliest.
    first_month = Month.of(command.registration_date).next
    exclusion.require_free(Wanted(Kind.UNEMPLOYMENT, "", first_month, first_month), known)
    lost = entitlement.lost_employment(spells)
    if not await _contributions_known(tx, person.person_id, lost.after):
        raise entitlement.not_ended()
    entitlement.require_registration(command.registration_date, lost, tx.today)
    before = last_spell(known)
    history = (await register.history(tx, person.person_id, Scheme.UNEMPLOYMENT)).until(lost.last_month).paid
    if before is not None:  # the months restart after each spell (社会保险法 art. 46)
        history = history.after(before.event_month)
    entitlement.require_unemployed(history, lost, command.registration_date, policy)
    entitlement.require_carried(
        command.carried_months,
        await _unused_months(tx, before, known) if before else None,
        policy.unemployment.total_max.on(command.registration_date).value,
    )
    if command.carried_months and before is None and not command.carried_document:
        raise InvalidInput(
            "DOCUMENT_INVALID", "carried months that no benefit here left need a document", field="carried_document"
        )
    inputs = UnemploymentInputs(
        history=history,
        event_month=lost.last_month,
        registration_date=command.registration_date,
        division=lost.division,
        carried_months=command.carried_months,
    )
    if command.premium_filed:
        inputs = replace(inputs, premium_until=_premium_until(inputs, person, spells, policy))
    terms = calculation.unemployment_terms(inputs, policy)
    result = calculation.calculate_unemployment(inputs, terms.first_month, policy)
    notes = [
        f"employment ended with {lost.last_month}, reason {lost.reason}",
        f"months of unemployment insurance since the last spell: {terms.contribution_months}",
        f"months of benefit: {terms.months}, carried over {command.carried_months}",
        *([f"carried months by document {command.carried_document}"] if command.carried_document else []),
    ]
    revoked = [one for one in known if one.end_reason is EndReason.REVOKED]
    share, first_month = place(revoked, Kind.UNEMPLOYMENT, "", terms.first_month)
    return await write(
        tx,
        person,
        result,
        command.payee,
        first_month=first_month,
        last_month=terms.last_month,
        share=share,
        event_month=lost.last_month,
        division=lost.division,
        notes=notes,
    )


def _premium_until(
    inputs: UnemploymentInputs, person: PersonRow, spells: Sequence[Spell], policy: BenefitsPolicy
) -> Month:
    """The statutory month of who filed for the pension premium (大龄领金人员代缴养老保险费, U06).

    Raises:
        Refused: PREMIUM_NOT_NEAR: no month of the claim is within a year of it.
        PolicyParameterMissing: What the fund pays is not known.
    """
    track = entitlement.track_of(person.sex, spells, None)
    statutory = calculation.retirement_of(track, Month.of(person.birth_date), policy).statutory
    terms = calculation.unemployment_terms(inputs, policy)
    first = policy.unemployment.first_premium_month(terms.first_month, terms.last_month, statutory)
    if first is None:
        raise Refused(
            "PREMIUM_NOT_NEAR",
            "no month of the claim lies within a year of the statutory age",
            source=("MOHRSS-2024-76",),
            statutory=str(statutory),
        )
    policy.unemployment.premium.on(first.first_day)  # what is not known refuses by its name
    return statutory


async def write(
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
    share: str = "",
    maker: str | None = None,
) -> Shown:
    """Write a prepared determination and ask for its approval, in the name of the caller or of the maker named.

    Raises:
        Refused: NOTHING_TO_PAY.
    """
    if result.statement.total <= Money.ZERO:
        raise Refused("NOTHING_TO_PAY", "by these facts nothing is paid", kind=result.kind.value)
    await decisions.add_calculations(tx, [result])
    payee = decisions.add_payee(tx, person.person_id, to)
    notes = list(notes)
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
        maker=maker or tx.principal.acting_person,
        prepare_date=tx.today,
        share=share,
    )
    row.approval_id = await approval.request(
        tx, kind=APPROVAL_KINDS[row.kind], subject=text_id(row), payload=payload_of(row, payee), maker=row.maker
    )
    tx.session.add(row)
    tx.audit("determination_prepared", person_id=person.person_id, detail={"determination_id": text_id(row)})
    return Shown(row, result, payee.account_tail)


async def _settled_account(tx: Transaction, person_id: UUID, month: Month) -> AccountRow:
    """The account as enrollment settled it, once the contributions that went before have arrived too."""
    account = await register.account(tx, person_id)
    if (
        account is None
        or account.settled_month is None
        or not await _contributions_known(tx, person_id, account.settled_after)
    ):
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


async def _contributions_known(tx: Transaction, person_id: UUID, version: int) -> bool:
    """Whether the contributions that went before a fact are here: the two kinds are announced side by side."""
    return not version or await inbox.knows(tx, [("contributions", ids.to_text("per", person_id), version)])


async def _unused_months(tx: Transaction, before: BenefitRow, known: Sequence[BenefitRow]) -> int:
    """Months of an ended unemployment benefit that were never drawn; an extension, or one sum, leaves none."""
    if base_of(before.share) == EXTENDED or any(
        one.kind is Kind.UNEMPLOYMENT_LUMP_SUM
        and one.event_month == before.event_month
        and one.end_reason is not EndReason.REVOKED
        for one in known
    ):
        return 0
    determination = await decisions.determination(tx, before.determination_id)
    assert determination is not None
    assert determination.last_month is not None
    assert before.last_month is not None
    return before.last_month.months_until(determination.last_month)
