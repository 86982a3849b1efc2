"""Requests of callers, as commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from chassis.values import word_of
from kernel import ids
from kernel.errors import InvalidInput
from kernel.identity import check_resident_id
from services.card.commands import Announce, ConfirmPin, SetPin, Verify
from services.card.messages.states import PHYSICAL_EVENTS

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from hrss.card.v1 import card_service_pb2 as pb

_REFERENCE = re.compile(r"[A-Za-z0-9-]{4,40}", re.ASCII)
_PURPOSE_MAX = 40


def announce(request: pb.AnnouncePhysicalCardRequest, today: date) -> Announce:
    """What happened to a physical card."""
    checked = check_resident_id(request.id_no, today)
    if not checked.valid:
        raise InvalidInput("ID_NO_INVALID", "this is no identity number", field="id_no", cause=checked.reason)
    if not _REFERENCE.fullmatch(request.physical_card_ref):
        raise InvalidInput(
            "PHYSICAL_REF_INVALID", "a reference has 4 to 40 letters, digits and hyphens", field="physical_card_ref"
        )
    if request.sequence < 1:
        raise InvalidInput("SEQUENCE_INVALID", "events are counted from 1", field="sequence")
    return Announce(
        id_no=checked.number,
        physical_ref=request.physical_card_ref,
        event=word_of(PHYSICAL_EVENTS, request.event, "event"),
        sequence=request.sequence,
        payment_enabled=request.payment_enabled,
        simulated=request.simulated,
    )


def card(text: str) -> UUID:
    """Which card."""
    return ids.parse("crd", text, field="card_id")


def activate(request: pb.ActivateCardRequest) -> SetPin:
    """Activate a card."""
    return SetPin(card(request.card_id), request.pin, request.consent)


def reset_pin(request: pb.ResetPinRequest) -> SetPin:
    """Set a new PIN."""
    return SetPin(card(request.card_id), request.pin)


def confirm_pin(request: pb.ConfirmPinRequest) -> ConfirmPin:
    """Confirm by the PIN."""
    return ConfirmPin(card(request.card_id), request.pin)


def verify(request: pb.VerifyTokenRequest) -> Verify:
    """Verify a code. A purpose that is no word of ours is one that nobody may ask for."""
    if not request.purpose:
        raise InvalidInput("VERIFY_PURPOSE_REQUIRED", "a verifier says what for", field="purpose")
    return Verify(request.token, request.purpose[:_PURPOSE_MAX])
