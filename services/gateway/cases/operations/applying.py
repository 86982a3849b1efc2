"""What applicants do: create, hand in, correct, withdraw."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hrss.gateway.v1 import cases_service_pb2 as pb
from kernel import ids
from kernel.errors import DomainError, Forbidden, InvalidInput, Refused, Unauthenticated
from services.gateway.cases import forms, store
from services.gateway.cases.domain.states import Action, State, StepState, after, wrong
from services.gateway.cases.effects import all as catalog
from services.gateway.cases.operations import progress

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.principal import Principal
    from chassis.transaction import Transaction
    from services.gateway.cases.desk import Desk
    from services.gateway.cases.effects.model import Item
    from services.gateway.cases.store import CaseRow

_FILLED_LATER = frozenset({"unemployment.registration_date"})  # by the registration, where both are parts of a bundle
WEB, COUNTER, APP, SYSTEM = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class Applicant:
    """Whom a case is about, as far as the register (or the form) says."""

    person_id: UUID | None
    name_masked: str
    last_four: str
    region: str


@dataclass(frozen=True, slots=True)
class Application:
    """A case to be created."""

    code: str
    person_id: UUID | None
    channel: int
    form: pb.CaseForm
    is_submitted: bool
    delegation_id: str = ""


def permit(command: Application, principal: Principal) -> Application:
    """Whether this caller may apply for this, and for whom; the command with the person filled in.

    Raises:
        Forbidden: ROLE_NOT_ALLOWED; SAME_PERSON for staff who apply for themselves at their own counter.
        Unauthenticated: INSUFFICIENT_ACR.
        InvalidInput: CASE_FORM_WRONG, CASE_INCOMPLETE.
        NotFound: PERSON_NOT_FOUND.
    """
    items = catalog.items_of(command.code)
    _require_applicant(items, command.form, principal)
    is_citizen = _is_citizen(principal)
    if command.channel == COUNTER and not principal.is_staff:
        raise InvalidInput("CASE_FORM_WRONG", "the counter is where staff sit", field="channel")
    forms.check(command.form, items)
    if not items[0].names_person:
        if command.person_id is not None:
            message = "the register finds out whom this is about"
            raise InvalidInput("CASE_FORM_WRONG", message, field="person_id")
        return command
    person_id = command.person_id or (principal.person_id if is_citizen else None)
    if person_id is None:
        raise InvalidInput("CASE_INCOMPLETE", "say whom the case is about", field="person_id")
    principal.require_person(person_id)
    if not is_citizen and is_about(principal, person_id):
        raise same_person()
    return replace(command, person_id=person_id)


def is_about(principal: Principal, person_id: UUID | None) -> bool:
    """Whether the human behind a login is this person, whichever of their logins it is."""
    return person_id is not None and (
        principal.person_id == person_id or principal.known_person == ids.to_text("per", person_id)
    )


def _is_citizen(principal: Principal) -> bool:
    return principal.roles.isdisjoint({"CLERK", "PARTNER"})


def _require_applicant(items: tuple[Item, ...], form: pb.CaseForm, principal: Principal) -> None:
    """Let only those fill in and hand in a form who might have begun with it."""
    if any(item.roles.isdisjoint(principal.roles) for item in items):
        raise Forbidden("ROLE_NOT_ALLOWED", "none of the caller's roles may apply for this")
    if _is_citizen(principal) and principal.acr < (acr := max(item.acr(form) for item in items)):
        raise Unauthenticated("INSUFFICIENT_ACR", "the login is not sure enough for this", acr=str(acr))


def permit_for_ward(command: Application, delegate: Principal, ward_id: UUID) -> tuple[Application, Principal]:
    """Whether a delegate may apply for this, now that the card service has confirmed whom they act for.

    Returns:
        The command with the person filled in, and who acts from now on: the ward, by the hands of the delegate. The
        services see the ward as the caller and the delegate as the human, and so does their audit.

    Raises:
        Refused: FAMILY_ITEM_NOT_POSSIBLE.
        And as `permit`.
    """
    if not command.is_submitted or command.channel == COUNTER or not _is_citizen(delegate):
        raise _not_for_family()
    if catalog.is_bundle(command.code) or any(not item.for_family for item in catalog.items_of(command.code)):
        raise _not_for_family()
    acting = replace(
        delegate,
        person_id=ward_id,
        roles=frozenset({"CITIZEN"}),
        natural_person=delegate.acting_person,
        employer_ids=frozenset(),
    )
    if command.person_id not in (None, ward_id):
        raise InvalidInput("CASE_FORM_WRONG", "the family account is of another person", field="person_id")
    return permit(replace(command, person_id=ward_id), acting), acting


def require_paid_to(form: pb.CaseForm, ward: Applicant) -> None:
    """A family account never moves money to the delegate: what is applied for is paid to the ward's own name.

    The gateway knows the name as the register masks it; the bank compares the whole one with the account.

    Raises:
        InvalidInput: CASE_FORM_WRONG.
    """
    if forms.mask_name(form.subsidy.payee.name.strip()) != ward.name_masked:
        raise InvalidInput("CASE_FORM_WRONG", "it is paid to the ward alone", field="form.subsidy.payee.name")


def _not_for_family() -> Refused:
    return Refused("FAMILY_ITEM_NOT_POSSIBLE", "family accounts do not apply for this")


async def create(
    tx: Transaction, desk: Desk, command: Application, applicant: Applicant, acting: Principal | None = None
) -> CaseRow:
    """Create a case, and hand it in when that is asked for; `acting` is the ward by the hands of a delegate.

    Raises:
        InvalidInput: CASE_INCOMPLETE.
        AlreadyExists: CASE_OPEN_ALREADY.
    """
    channel = command.channel or _channel_of(tx.principal)
    by_family = {"delegation_id": command.delegation_id} if command.delegation_id else {}
    row = await progress.new_case(
        tx,
        code=command.code,
        channel=channel,
        region=applicant.region,
        applicant=store.to_snapshot(acting or tx.principal) | by_family,
        form=command.form,
    )
    row.person_id, row.name_masked = applicant.person_id, applicant.name_masked
    if applicant.last_four:
        row.tail_index = store.tail_index(tx, row.case_id, applicant.last_four)
    await store.add(tx, row)
    await progress.note(tx, row, "created", **by_family)
    if command.is_submitted:
        await _hand_in(tx, desk, row, command.form, Action.SUBMIT)
    return row


async def submit(tx: Transaction, desk: Desk, case_no: str) -> CaseRow:
    """Hand in a draft.

    Raises:
        NotFound: CASE_NOT_FOUND.
        Refused: CASE_STATE_WRONG.
        InvalidInput: CASE_INCOMPLETE.
        AlreadyExists: CASE_OPEN_ALREADY.
        Forbidden: ROLE_NOT_ALLOWED; SAME_PERSON.
        Unauthenticated: INSUFFICIENT_ACR.
    """
    row = await own(tx, case_no)
    if row.state is not State.DRAFT:
        raise wrong(row.state)
    form = pb.CaseForm.FromString(store.open_form(tx, row))
    _take_in_hand(tx, row, form)
    await _hand_in(tx, desk, row, form, Action.SUBMIT)
    return row


async def correct(tx: Transaction, desk: Desk, case_no: str, form: pb.CaseForm) -> CaseRow:
    """Replace the form of a draft, or hand a case in again that was sent back.

    Raises:
        NotFound: CASE_NOT_FOUND.
        Refused: CASE_STATE_WRONG.
        InvalidInput: CASE_FORM_WRONG, CASE_INCOMPLETE.
        Forbidden: ROLE_NOT_ALLOWED; SAME_PERSON.
        Unauthenticated: INSUFFICIENT_ACR.
    """
    row = await own(tx, case_no)
    forms.check(form, catalog.items_of(row.code))
    if row.state not in {State.DRAFT, State.CORRECTION_REQUESTED}:
        raise wrong(row.state)
    _take_in_hand(tx, row, form)
    row.form_sealed = store.seal_form(tx, row.case_id, form.SerializeToString())
    if row.state is State.DRAFT:
        await store.save(tx, row)
        await progress.note(tx, row, "changed")
    else:
        await _hand_in(tx, desk, row, form, Action.CORRECT)
    return row


async def withdraw(tx: Transaction, desk: Desk, case_no: str) -> CaseRow:
    """Withdraw a case, as long as no service has begun or done anything for it.

    Raises:
        NotFound: CASE_NOT_FOUND.
        Refused: CASE_STATE_WRONG.
    """
    row = await own(tx, case_no)
    state = after(row.state, Action.WITHDRAW, is_stuck=row.is_stuck)
    steps = await progress.idle_steps(tx, row)
    if any(step.state is StepState.DONE for step in steps):
        raise Refused("CASE_STATE_WRONG", "a service has begun to work on it", state=row.state.value)
    row.state = state
    await store.skip_steps(tx, row.case_id)
    await progress.end(tx, desk, row, "withdrawn")
    return row


async def own(tx: Transaction, case_no: str, *, lock: bool = True) -> CaseRow:
    """A case that is the caller's business: their own, one that their system handed in, or any for staff.

    Raises:
        NotFound: CASE_NOT_FOUND.
    """
    row = await store.find(tx, case_no, lock=lock)
    if row is None:
        raise store.not_found()
    principal = tx.principal
    if principal.is_staff or "OPERATOR" in principal.roles:
        return row
    if "PARTNER" in principal.roles:
        if row.applicant["client"] != principal.client:
            raise store.not_found()
        return row
    if row.person_id is None:
        raise store.not_found()
    try:
        principal.require_person(row.person_id)
    except DomainError:
        raise store.not_found() from None
    return row


async def _hand_in(tx: Transaction, desk: Desk, row: CaseRow, form: pb.CaseForm, action: Action) -> None:
    items = catalog.items_of(row.code)
    forms.complete(form, items, filled_later=_FILLED_LATER if catalog.is_bundle(row.code) else frozenset())
    if row.person_id is not None and action is Action.SUBMIT:
        codes = {row.code, *(item.code for item in items)}
        if await store.open_codes(tx, row.person_id, codes):
            raise store.open_already()
    await progress.submit(tx, desk, row, action)


def _take_in_hand(tx: Transaction, row: CaseRow, form: pb.CaseForm) -> None:
    """Note who filled the form in now: what follows is done in their name, and none of these hands decides."""
    _require_applicant(catalog.items_of(row.code), form, tx.principal)
    if not _is_citizen(tx.principal) and is_about(tx.principal, row.person_id):
        raise same_person()
    row.applicant = store.to_snapshot(tx.principal) | {"hands": sorted(store.hands(row) | {tx.principal.known_person})}


def _channel_of(principal: Principal) -> int:
    if principal.is_staff:
        return COUNTER
    return SYSTEM if "PARTNER" in principal.roles else WEB


def same_person() -> Forbidden:
    """The refusal for somebody who would work on their own case, or be both persons of a decision."""
    return Forbidden("SAME_PERSON", "who applied or accepted does not decide, and nobody works on their own case")
