"""Family accounts: requests as commands, and answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from chassis.values import date_of, to_date, word_of
from hrss.card.v1 import family_service_pb2 as pb
from kernel import ids
from kernel.errors import InvalidInput, Refused
from kernel.identity import check_resident_id, normalise_name
from services.card.commands import BindDelegateDevice, ConsentToDelegation, InviteWard
from services.card.crypto.algorithms import POINT_BYTES, SIGNATURE_BYTES
from services.card.domain.family import Basis, DelegationState, EndedBy, Relation, Scope
from services.card.domain.verification import mask_name
from services.card.messages import replies
from services.card.messages.codes import text
from services.card.messages.requests import octets
from services.card.store import bindings, delegations

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from services.card.results import Bound, Consented, Minted, ShownCard, ShownDelegation

RELATIONS = {pb.FamilyRelation.Value(f"FAMILY_RELATION_{one.value}"): one for one in Relation}
SCOPES = {pb.FamilyScope.Value(f"FAMILY_SCOPE_{one.value}"): one for one in Scope}
_STATES = {one: pb.DelegationState.Value(f"DELEGATION_STATE_{one.value}") for one in DelegationState}
_BASES = {one: pb.DelegationBasis.Value(f"DELEGATION_BASIS_{one.value}") for one in Basis}
_ENDED = {one: pb.DelegationEndedBy.Value(f"DELEGATION_ENDED_BY_{one.value}") for one in EndedBy}
_RELATION_NUMBERS = {one: number for number, one in RELATIONS.items()}
_SCOPE_NUMBERS = {one: number for number, one in SCOPES.items()}
_EVIDENCE_MIN, _EVIDENCE_MAX = 2, 60
_LONG_NUMBER = re.compile(r"[0-9]{15}", re.ASCII)  # an identity number is none of a document


def delegation(text_: str) -> UUID:
    """Which family account."""
    return ids.parse("dlg", text_, field="delegation_id")


def invite(request: pb.InviteWardRequest, today: date) -> InviteWard:
    """Whom a delegate invites, and for what; payment is refused by name.

    Raises:
        Refused: FAMILY_NEVER_PAYS.
        InvalidInput: FAMILY_SCOPES_INVALID, ID_NO_INVALID, NAME_INVALID.
    """
    if pb.FAMILY_SCOPE_PAYMENT in request.scopes:
        raise Refused("FAMILY_NEVER_PAYS", "no family account pays", field="scopes")
    if not request.scopes:
        raise InvalidInput("FAMILY_SCOPES_INVALID", "a family account is for something", field="scopes")
    checked = check_resident_id(request.ward_id_no, today)
    if not checked.valid:
        raise InvalidInput("ID_NO_INVALID", "this is no identity number", field="ward_id_no", cause=checked.reason)
    try:
        name = normalise_name(request.ward_name)
    except InvalidInput as wrong:
        raise InvalidInput("NAME_INVALID", "this is no name", field="ward_name", cause=wrong.reason) from None
    return InviteWard(
        delegate_id=ids.parse("per", request.person_id, field="person_id"),
        ward_name=name,
        ward_id_no=checked.number,
        relation=word_of(RELATIONS, request.relation, "relation"),
        scopes=frozenset(word_of(SCOPES, one, "scopes") for one in request.scopes),
        to_date=date_of(request.to_date, "to_date") if request.HasField("to_date") else None,
    )


def consent(request: pb.ConsentToDelegationRequest) -> ConsentToDelegation:
    """An agreement.

    Raises:
        InvalidInput: FAMILY_EVIDENCE_INVALID.
    """
    seen = request.document_ref
    if seen and (not _EVIDENCE_MIN <= len(seen) <= _EVIDENCE_MAX or _LONG_NUMBER.search(seen)):
        raise InvalidInput(
            "FAMILY_EVIDENCE_INVALID",
            "a document is named in 2 to 60 characters, not by an identity number",
            field="document_ref",
        )
    return ConsentToDelegation(delegation(request.delegation_id), request.pin, seen)


def acting(request: pb.ConfirmActingRequest) -> tuple[UUID, Scope]:
    """What a delegate is going to do."""
    return delegation(request.delegation_id), word_of(SCOPES, request.scope, "scope")


def acting_confirmed(ward_id: UUID) -> pb.ConfirmActingResponse:
    """Whom a delegate acts for."""
    return pb.ConfirmActingResponse(ward_id=ids.to_text("per", ward_id))


def bind_device(request: pb.BindDelegateDeviceRequest) -> BindDelegateDevice:
    """A device of a delegate."""
    return BindDelegateDevice(
        delegation(request.delegation_id),
        octets(request.device_key, "device_key", POINT_BYTES, POINT_BYTES),
        octets(request.proof, "proof", SIGNATURE_BYTES, SIGNATURE_BYTES),
    )


def invited(shown: ShownDelegation) -> pb.InviteWardResponse:
    """An invitation."""
    return pb.InviteWardResponse(delegation=_delegation(shown, 0))


def consented(done: Consented) -> pb.ConsentToDelegationResponse:
    """What became of an agreement."""
    return pb.ConsentToDelegationResponse(
        delegation=_delegation(done.shown, 0), confirmed=done.is_confirmed, tries_left=done.tries_left
    )


def ended(shown: ShownDelegation) -> pb.EndDelegationResponse:
    """A family account that ended."""
    return pb.EndDelegationResponse(delegation=_delegation(shown, 0))


def listed(found: Sequence[ShownDelegation], now: int) -> pb.ListDelegationsResponse:
    """The family accounts of a person."""
    return pb.ListDelegationsResponse(delegations=[_delegation(one, now) for one in found])


def minted(made: Minted) -> pb.MintWardTokenResponse:
    """A code to show."""
    return pb.MintWardTokenResponse(
        token=made.text, valid_seconds=made.valid_seconds, refresh_seconds=made.refresh_seconds
    )


def ward_card(shown: ShownCard) -> pb.GetWardCardResponse:
    """The card of the ward."""
    return pb.GetWardCardResponse(card=replies.card(shown).card)


def bound(done: Bound) -> pb.BindDelegateDeviceResponse:
    """A device that was bound."""
    return pb.BindDelegateDeviceResponse(
        device_id=bindings.text(done.binding_id), credential=text(done.credential), valid_seconds=done.valid_seconds
    )


def unbound(_: None) -> pb.UnbindDelegateDeviceResponse:
    """A binding that ended."""
    return pb.UnbindDelegateDeviceResponse()


def _delegation(shown: ShownDelegation, now: int) -> pb.Delegation:
    one = shown.delegation
    message = pb.Delegation(
        delegation_id=delegations.text(one.delegation_id),
        is_delegate=shown.is_delegate,
        other_name_masked=mask_name(shown.other_name),
        relation=_RELATION_NUMBERS[one.relation],
        scopes=sorted(_SCOPE_NUMBERS[scope] for scope in one.scopes),
        state=_STATES[shown.state],
        state_since=to_date(one.state_since),
        ward_is_minor=shown.ward_is_minor,
        devices=[
            pb.DelegateDevice(
                device_id=bindings.text(device.binding_id), valid_seconds=max(0, (device.cred_exp or 0) - now)
            )
            for device in shown.devices
        ],
    )
    if one.basis is not None:
        message.basis = _BASES[one.basis]
    if one.ended_by is not None:
        message.ended_by = _ENDED[one.ended_by]
    for name, day in (("from_date", one.from_date), ("to_date", one.to_date)):
        if day is not None:
            getattr(message, name).CopyFrom(to_date(day))
    return message
