"""Requests of callers, as commands."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from chassis.values import word_of
from kernel import ids
from kernel.errors import InvalidInput
from kernel.identity import check_resident_id
from services.card.commands import Announce, BindDevice, ConfirmPin, SetPin, Verify
from services.card.credentials import AUDIENCE_MAX, NONCE_BYTES
from services.card.crypto import profile as profiles
from services.card.crypto.algorithms import ES256, POINT_BYTES, SIGNATURE_BYTES, SM2, KeyWrong
from services.card.messages.states import PHYSICAL_EVENTS
from services.card.store.verifiers import Check, Verifier
from services.card.tokens import REFERENCE_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date
    from uuid import UUID

    from hrss.card.v1 import card_service_pb2 as pb
    from hrss.card.v1 import codes_service_pb2 as codes_pb

_REFERENCE = re.compile(r"[A-Za-z0-9-]{4,40}", re.ASCII)
_PURPOSE_MAX = 40
_SECOND = re.compile(r"[0-9]{1,11}", re.ASCII)
_RESULT = re.compile(r"[a-z_]{2,40}", re.ASCII)
_CLIENT = re.compile(r"[!-~]{1,80}", re.ASCII)
_NONCE, _CHECKS_MAX, _NAME_MAX = 16, 500, 100
ALGORITHMS = {"ES256": ES256, "SM2": SM2}


def announce(request: pb.AnnouncePhysicalCardRequest, today: date) -> Announce:
    """What happened to a physical card."""
    number = id_no(request.id_no, today)
    if not _REFERENCE.fullmatch(request.physical_card_ref):
        raise InvalidInput(
            "PHYSICAL_REF_INVALID", "a reference has 4 to 40 letters, digits and hyphens", field="physical_card_ref"
        )
    if request.sequence < 1:
        raise InvalidInput("SEQUENCE_INVALID", "events are counted from 1", field="sequence")
    return Announce(
        id_no=number,
        physical_ref=request.physical_card_ref,
        event=word_of(PHYSICAL_EVENTS, request.event, "event"),
        sequence=request.sequence,
        payment_enabled=request.payment_enabled,
        simulated=request.simulated,
    )


def id_no(text: str, today: date) -> str:
    """An identity number as it was meant: blanks left out, full-width digits and a small x as they should be.

    Raises:
        InvalidInput: ID_NO_INVALID with its cause; a number of fifteen digits is none.
    """
    checked = check_resident_id("".join(text.split()), today)
    if not checked.valid:
        raise InvalidInput("ID_NO_INVALID", "this is no identity number", field="id_no", cause=checked.reason)
    return checked.number


def card(text: str) -> UUID:
    """Which card."""
    return ids.parse("crd", text, field="card_id")


def activate(request: pb.ActivateCardRequest) -> SetPin:
    """Activate a card."""
    return SetPin(card(request.card_id), request.pin, request.consent, request.phone)


def reset_pin(request: pb.ResetPinRequest) -> SetPin:
    """Set a new PIN."""
    return SetPin(card(request.card_id), request.pin, phone=request.phone)


def confirm_pin(request: pb.ConfirmPinRequest) -> ConfirmPin:
    """Confirm by the PIN."""
    return ConfirmPin(card(request.card_id), request.pin)


def verify(request: pb.VerifyTokenRequest) -> Verify:
    """Verify a code. A purpose that is no word of ours is one that nobody may ask for."""
    if not request.purpose:
        raise InvalidInput("VERIFY_PURPOSE_REQUIRED", "a verifier says what for", field="purpose")
    signed_time = request.signed_time or "0"
    if not _SECOND.fullmatch(signed_time):
        raise InvalidInput("TIME_INVALID", "seconds since 1970, decimal", field="signed_time")
    return Verify(
        request.token,
        request.purpose[:_PURPOSE_MAX],
        audience=octets(request.audience, "audience", 0, AUDIENCE_MAX),
        signed_time=int(signed_time),
        nonce=octets(request.nonce, "nonce", _NONCE if request.signature else 0, _NONCE),
        signature=octets(request.signature, "signature", 0, SIGNATURE_BYTES),
    )


def bind_device(request: codes_pb.BindDeviceRequest) -> BindDevice:
    """Bind a device."""
    return BindDevice(
        card(request.card_id),
        octets(request.device_key, "device_key", POINT_BYTES, POINT_BYTES),
        octets(request.proof, "proof", SIGNATURE_BYTES, SIGNATURE_BYTES),
    )


def device(text: str) -> UUID:
    """Which device."""
    return ids.parse("dev", text, field="device_id")


def checks(request: codes_pb.ReportOfflineRequest) -> list[Check]:
    """What a verifier saw offline."""
    if not 0 < len(request.checks) <= _CHECKS_MAX:
        raise InvalidInput("CHECKS_INVALID", "a report has 1 to 500 checks", field="checks")
    found = []
    for number, one in enumerate(request.checks):
        if not _SECOND.fullmatch(one.time) or not _RESULT.fullmatch(one.result):
            raise InvalidInput("CHECKS_INVALID", "a check has a time and a result", field=f"checks[{number}]")
        reference = octets(one.card_reference, f"checks[{number}].card_reference", REFERENCE_BYTES, REFERENCE_BYTES)
        nonce = octets(one.nonce, f"checks[{number}].nonce", NONCE_BYTES, NONCE_BYTES)
        found.append(Check(reference, nonce, int(one.time), one.result))
    return found


def verifier(request: codes_pb.RegisterVerifierRequest, purposes: Collection[str]) -> Verifier:
    """The contract of a verifier; its purposes are words of the policy."""
    asked = request.verifier
    if not _CLIENT.fullmatch(asked.client) or not 1 < len(asked.name) <= _NAME_MAX or asked.daily_quota < 1:
        raise InvalidInput("VERIFIER_INVALID", "a contract names client, organisation and quota", field="verifier")
    if not asked.purposes or not set(asked.purposes) <= set(purposes):
        raise InvalidInput("VERIFIER_INVALID", "a contract names purposes of the policy", field="verifier.purposes")
    alg = ALGORITHMS.get(asked.alg) if asked.alg else None
    point = octets(request.public_key, "public_key", POINT_BYTES, POINT_BYTES) if asked.alg else None
    try:
        if asked.alg and point is not None:
            profiles.public(alg or 0, point)
    except KeyWrong:
        raise InvalidInput("VERIFIER_INVALID", "no public key of that algorithm", field="public_key") from None
    return Verifier(
        asked.client, asked.name, asked.active, tuple(sorted(set(asked.purposes))), asked.daily_quota, alg, point
    )


def octets(text: str, field: str, least: int, most: int) -> bytes:
    """Bytes from base64url without padding, of a length between two limits.

    Raises:
        InvalidInput: BYTES_INVALID.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        data = None
    if data is None or not least <= len(data) <= most or not text.isascii():
        raise InvalidInput("BYTES_INVALID", f"base64url of {least} to {most} bytes", field=field)
    return data
