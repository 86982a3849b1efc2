"""Family accounts (亲情账户): invited by a delegate, agreed to by the ward or the window, ended by either at once.

What cards cause (a delegate's loss, a death, a cancellation) a trigger ends with the card; see the migration. Every
audit row is about the ward; who acted stands in it, and the delegate too.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from kernel import ids
from kernel.errors import AlreadyExists, Forbidden, InvalidInput, NotFound, Refused, Unauthenticated
from services.card.commands import ConfirmPin
from services.card.domain import family
from services.card.domain.family import Basis, DelegationEvent, DelegationState, EndedBy, Scope, Terms
from services.card.domain.lifecycle import CardState
from services.card.operations import holders, holding, life
from services.card.results import Consented, ShownDelegation
from services.card.store import bindings, cards, delegations
from services.card.store import holders as holder_rows
from services.card.store.delegations import Delegation
from services.card.tokens import REFERENCE_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.card.commands import ConsentToDelegation, InviteWard
    from services.card.operations.office import Office
    from services.card.results import ShownCard
    from services.card.store.rows import CardRow, HolderRow

FACE = 3  # level of a login with a live face
_OPEN = frozenset({CardState.ISSUED, CardState.ACTIVE, CardState.LOCKED})
_OVER = frozenset({"CANCELLED", "REPLACED", "EXPIRED", "REJECTED"})


async def invite(tx: Transaction, command: InviteWard, office: Office) -> ShownDelegation:
    """Ask a family member, or for a child the window, to let somebody act for them.

    Raises:
        NotFound: CARD_NOT_FOUND: the delegate has no card; FAMILY_WARD_NOT_FOUND: nobody with this name and number
            has a card that could be shown, whichever of it is not so.
        InvalidInput: FAMILY_SELF, FAMILY_TERM_INVALID.
        AlreadyExists: FAMILY_EXISTS.
        Refused: CARD_NOT_ACTIVE, CARD_NOT_USABLE, FAMILY_DELEGATE_TOO_YOUNG, FAMILY_LIMIT_REACHED.
    """
    delegate = await holders.known(tx, command.delegate_id)
    # The lock on the delegate's card lets one invitation after the other count the wards, and keeps a loss apart.
    await _require_own_card(tx, delegate, office, lock=True)
    years = office.policy.consent_age.on(tx.today).value
    if family.is_minor(delegate.birth_date, tx.today, years):
        raise Refused("FAMILY_DELEGATE_TOO_YOUNG", "who does not agree for themself acts for nobody else")
    if command.to_date is not None and command.to_date < tx.today:
        raise InvalidInput("FAMILY_TERM_INVALID", "the last day is over", field="to_date")
    ward = await _ward(tx, command)
    if ward.person_id == delegate.person_id:
        raise InvalidInput("FAMILY_SELF", "nobody is their own family member", field="ward_id_no")
    answer_days = office.policy.invitation_days.on(tx.today).value
    for lapsed in await delegations.end_lapsed_of(tx, delegate.person_id, tx.today - timedelta(days=answer_days)):
        note(tx, "family_invitation_lapsed", lapsed)
    limit = office.policy.family_limits[command.relation].on(tx.today).value
    total = office.policy.family_members.on(tx.today).value
    family.require_room(await delegations.wards(tx, delegate.person_id), command.relation, limit, total)
    one = Delegation(
        delegation_id=ids.new_id(),
        ward_id=ward.person_id,
        delegate_id=delegate.person_id,
        relation=command.relation,
        scopes=command.scopes,
        state=DelegationState.PENDING,
        state_since=tx.today,
        basis=None,
        reference=office.tell(REFERENCE_BYTES),
        from_date=None,
        to_date=command.to_date,
        ended_by=None,
    )
    if not await delegations.add(tx, one):
        raise AlreadyExists("FAMILY_EXISTS", "the two have a family account already")
    note(tx, "family_invited", one, relation=one.relation.value, scopes=",".join(sorted(one.scopes)))
    return await _shown(tx, one, one.delegate_id, office)


async def consent(tx: Transaction, command: ConsentToDelegation, office: Office) -> Consented:
    """The ward agrees, or the window does for a child; also what rests since the ward came of age runs again.

    Raises:
        NotFound: FAMILY_NOT_FOUND, CARD_NOT_FOUND.
        InvalidInput: FAMILY_EVIDENCE_INVALID.
        Unauthenticated: INSUFFICIENT_ACR: neither the face nor a PIN.
        Forbidden: FAMILY_WARD_CONSENTS, SECOND_PERSON_REQUIRED.
        Refused: FAMILY_STEP_REFUSED, FAMILY_GUARDIAN_AT_WINDOW, CARD_NOT_ACTIVE, CARD_NOT_USABLE.
    """
    one = await _load(tx, command.delegation_id, lock=True)
    ward = await holders.known(tx, one.ward_id)
    family.follow(_standing(tx, one, ward, office), DelegationEvent.CONSENT)
    await _require_own_card(tx, await holders.known(tx, one.delegate_id), office, lock=True)
    card = await living(tx, one.ward_id)
    if card is None or card.state not in _OPEN:
        raise Refused("CARD_NOT_ACTIVE", "the ward's card does not live", state=card.state.value if card else "")
    is_minor = family.is_minor(ward.birth_date, tx.today, office.policy.consent_age.on(tx.today).value)
    basis = _basis(tx, one, command, is_minor=is_minor)
    if basis is Basis.PIN:
        tried = await holding.confirm_pin(tx, ConfirmPin(card.card_id, command.pin), office)
        if not tried.is_right:
            note(tx, "family_pin_wrong", one)
            return Consented(
                await _shown(tx, one, one.ward_id, office), is_confirmed=False, tries_left=tried.tries_left
            )
    await delegations.activate(tx, one.delegation_id, basis, command.evidence)
    note(tx, "family_agreed", one, basis=basis.value)
    now = await _load(tx, one.delegation_id)
    return Consented(await _shown(tx, now, one.ward_id, office), is_confirmed=True, tries_left=0)


def _basis(tx: Transaction, one: Delegation, command: ConsentToDelegation, *, is_minor: bool) -> Basis:
    """On what ground somebody may agree; staff never for a family account of their own."""
    if "CLERK" in tx.principal.roles and tx.principal.person_id not in {one.ward_id, one.delegate_id}:
        if tx.principal.acting_person in {ids.to_text("per", who) for who in (one.ward_id, one.delegate_id)}:
            raise Forbidden("SECOND_PERSON_REQUIRED", "nobody serves their own family at the window")
        if not command.evidence:
            raise InvalidInput("FAMILY_EVIDENCE_INVALID", "staff name what they looked at", field="document_ref")
        return Basis.GUARDIAN if is_minor else Basis.WINDOW
    if tx.principal.person_id != one.ward_id:
        raise Forbidden("FAMILY_WARD_CONSENTS", "the family member agrees, not whoever invited them")
    if is_minor:
        raise Refused("FAMILY_GUARDIAN_AT_WINDOW", "for a child the window looks at the guardian's proof")
    if command.pin:
        return Basis.PIN
    if tx.principal.acr < FACE:
        raise Unauthenticated("INSUFFICIENT_ACR", "agreeing needs the face or the PIN", acr=str(FACE))
    return Basis.FACE


async def end(tx: Transaction, delegation_id: UUID, office: Office) -> ShownDelegation:
    """End a family account at once and for ever; the card of the ward is not touched.

    Raises:
        NotFound: FAMILY_NOT_FOUND.
        Refused: FAMILY_STEP_REFUSED: it is over.
    """
    one = await _load(tx, delegation_id, lock=True)
    family.follow(one.state, DelegationEvent.END)
    sides = {one.ward_id: EndedBy.WARD, one.delegate_id: EndedBy.DELEGATE}
    by = sides.get(tx.principal.person_id, EndedBy.WINDOW) if tx.principal.person_id else EndedBy.WINDOW
    await delegations.end(tx, one.delegation_id, by)
    note(tx, "family_ended", one, by=by.value)
    seen_by = one.delegate_id if by is EndedBy.DELEGATE else one.ward_id
    return await _shown(tx, await _load(tx, one.delegation_id), seen_by, office)


async def listed(tx: Transaction, person_id: UUID, office: Office) -> Sequence[ShownDelegation]:
    """The family accounts of a person on either side, newest first.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    await holders.known(tx, person_id)
    return [await _shown(tx, one, person_id, office) for one in await delegations.of_person(tx, person_id)]


async def ward_card(tx: Transaction, delegation_id: UUID, office: Office) -> ShownCard:
    """The card of the ward, as the delegate may look at it.

    Raises:
        As `acting`.
    """
    one, card = await acting(tx, delegation_id, Scope.QUERY, office)
    note(tx, "family_card_seen", one)
    return await life.shown(tx, card, office)


async def confirm_acting(tx: Transaction, delegation_id: UUID, scope: Scope, office: Office) -> UUID:
    """Whom the caller may do something for now; both persons stand in the audit.

    Raises:
        As `acting`.
    """
    one, _ = await acting(tx, delegation_id, scope, office)
    note(tx, "family_acted", one, scope=scope.value)
    return one.ward_id


async def acting(tx: Transaction, delegation_id: UUID, scope: Scope, office: Office) -> tuple[Delegation, CardRow]:
    """Let a delegate do something for a ward, now: the account runs, has the scope, and the cards of both live.

    Raises:
        NotFound: FAMILY_NOT_FOUND: none, or the caller is not its delegate; CARD_NOT_FOUND.
        Forbidden: FAMILY_SCOPE_MISSING.
        Refused: FAMILY_NOT_ACTIVE, CARD_NOT_ACTIVE, CARD_NOT_USABLE.
    """
    one = await _load(tx, delegation_id)
    if tx.principal.person_id != one.delegate_id:
        raise not_found()
    state = _standing(tx, one, await holders.known(tx, one.ward_id), office)
    if state is not DelegationState.ACTIVE:
        raise Refused("FAMILY_NOT_ACTIVE", "the family account does not run now", state=state.value)
    if scope not in one.scopes:
        raise Forbidden("FAMILY_SCOPE_MISSING", "the family account does not go so far", scope=scope.value)
    await _require_own_card(tx, await holders.known(tx, one.delegate_id), office)
    card = await living(tx, one.ward_id)
    if card is None:
        raise life.not_found()
    return one, card


def stands(tx: Transaction, one: Delegation | None, ward: HolderRow, office: Office) -> DelegationState:
    """Where the family account behind a code stands now; none: it ended."""
    return DelegationState.ENDED if one is None else _standing(tx, one, ward, office)


def last_day(one: Delegation, ward: HolderRow, years: int) -> date | None:
    """The last day on which a device may show the ward's card by itself; None: no end is known.

    It is the day before a child comes of age, or the end of the term.
    """
    ends = [one.to_date] if one.to_date is not None else []
    if one.basis is Basis.GUARDIAN:
        ends.append(family.of_age_on(ward.birth_date, years) - timedelta(days=1))
    return min(ends, default=None)


async def living(tx: Transaction, person_id: UUID, *, lock: bool = False) -> CardRow | None:
    """The card of a person that is not over; locked, when it must not change meanwhile."""
    found = next((one for one in await cards.of_person(tx, person_id) if one.state.value not in _OVER), None)
    if found is None or not lock:
        return found
    locked = await cards.get(tx, found.card_id, lock=True)
    return locked if locked is not None and locked.state.value not in _OVER else None


def note(tx: Transaction, action: str, one: Delegation, **detail: str) -> None:
    """Write down what happened, with both persons: who is acted for, and who acts for them."""
    tx.audit(
        action,
        person_id=one.ward_id,
        detail={
            "delegation_id": delegations.text(one.delegation_id),
            "on_behalf_of": ids.to_text("per", one.ward_id),
            "delegate": ids.to_text("per", one.delegate_id),
            **detail,
        },
    )


def not_found() -> NotFound:
    """The one text for a family account that does not exist and for one that is not the caller's business."""
    return NotFound("FAMILY_NOT_FOUND", "no such family account")


async def load_for(tx: Transaction, delegation_id: UUID) -> Delegation:
    """A family account of the caller, locked; raises as `end`."""
    return await _load(tx, delegation_id, lock=True)


async def _load(tx: Transaction, delegation_id: UUID, *, lock: bool = False) -> Delegation:
    """A family account that the caller stands in, or staff."""
    one = await delegations.get(tx, delegation_id, lock=lock)
    if one is None:
        raise not_found()
    mine = one.delegate_id if tx.principal.person_id == one.delegate_id else one.ward_id
    try:
        tx.principal.require_person(mine)
    except NotFound:
        raise not_found() from None
    return one


async def _ward(tx: Transaction, command: InviteWard) -> HolderRow:
    """The family member; that there is none, another name, and no card look the same from outside."""
    ward = await holder_rows.by_number(tx, command.ward_id_no)
    if ward is not None and holder_rows.name(tx, ward) == command.ward_name and ward.survivor_id is None:
        card = await living(tx, ward.person_id)
        if card is not None and card.state in _OPEN:
            return ward
    raise NotFound("FAMILY_WARD_NOT_FOUND", "nobody with this name and number has a card", field="ward_id_no")


async def _require_own_card(tx: Transaction, delegate: HolderRow, office: Office, *, lock: bool = False) -> None:
    """The delegate has a card that could be shown itself."""
    card = await living(tx, delegate.person_id, lock=lock)
    if card is None:
        raise life.not_found()
    if card.state is not CardState.ACTIVE or not (card.valid_to and tx.today <= card.valid_to):
        raise Refused("CARD_NOT_ACTIVE", "the delegate's card is not in use", state=card.state.value)
    life.require_usable(tx, card, delegate, office)


def _standing(tx: Transaction, one: Delegation, ward: HolderRow, office: Office) -> DelegationState:
    years = office.policy.consent_age.on(tx.today).value
    terms = Terms(one.state, one.state_since, one.basis, one.to_date)
    answer_days = office.policy.invitation_days.on(tx.today).value
    return family.standing(terms, ward.birth_date, tx.today, years, answer_days)


async def _shown(tx: Transaction, one: Delegation, seen_by: UUID, office: Office) -> ShownDelegation:
    is_delegate = seen_by == one.delegate_id
    ward = await holders.known(tx, one.ward_id)
    other = ward if is_delegate else await holders.known(tx, one.delegate_id)
    return ShownDelegation(
        delegation=one,
        state=_standing(tx, one, ward, office),
        is_delegate=is_delegate,
        other_name=holder_rows.name(tx, other),
        ward_is_minor=family.is_minor(ward.birth_date, tx.today, office.policy.consent_age.on(tx.today).value),
        devices=await bindings.of_delegation(tx, one.delegation_id),
    )
