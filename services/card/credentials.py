"""The code that a device makes (D): `NTD1:` and Base45 of a credential that we signed and a signature of the device.

Works with phone and verifier both offline: the credential (`NT1/C`) names the key of the device, a place in a status
list, level, masked name and last four digits; the device signs time, a number and, when the verifier could show one,
its challenge.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.card import cose, signing
from services.card.crypto import profile as profiles
from services.card.crypto.algorithms import POINT_BYTES, SIGNATURE_BYTES, KeyWrong
from services.card.domain.verification import Detail
from services.card.keyring import KeyState, Purpose
from services.card.tokens import LENGTH_MAX, REFERENCE_BYTES

if TYPE_CHECKING:
    from services.card.crypto.algorithms import Private, Public
    from services.card.keyring import KeyRing

PREFIX = "NTD1:"
CONTEXT, DEVICE_CONTEXT, BINDING_CONTEXT = b"NT1/C", "NT1/D", "NT1/B"
VERSION = 1
SHOWN_SECONDS = 60  # from the time that the device wrote
NONCE_BYTES, AUDIENCE_MAX = 6, 16
_NUMBER_MAX, _INDEX_MAX, _NAME_MAX, _LAST = 2**32, 2**20, 24, 4
SEEN_MAX = 4096  # credentials whose signature this process keeps in mind: about two megabytes


@dataclass(frozen=True, slots=True)
class Credential:
    """What we say of a device; `signer` is the label of the key that signed it."""

    reference: bytes
    iat: int
    exp: int
    device_key: bytes
    list_no: int
    index: int
    level: int
    masked_name: str
    last4: str
    flags: int = 0
    signer: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Presentation:
    """A code that a device made, with everything signed as it should be."""

    credential: Credential
    ts: int
    nonce: bytes
    audience: bytes


def issue(credential: Credential, keys: KeyRing) -> bytes:
    """The signed credential of a device."""
    fields = [
        VERSION,
        credential.reference,
        credential.iat,
        credential.exp,
        credential.device_key,
        credential.list_no,
        credential.index,
        credential.level,
        credential.masked_name,
        credential.last4,
        credential.flags,
    ]
    return signing.write(keys, Purpose.CARD, CONTEXT, cose.write(fields))


def present(blob: bytes, device: Private, ts: int, nonce: bytes, audience: bytes = b"") -> str:
    """The text of a code as a device makes it."""
    signature = device.sign(_shown(blob, ts, nonce, audience))
    return PREFIX + cose.base45_write(cose.write([blob, ts, nonce, audience, signature]))


def binds(device: Public, signature: bytes, card_id: str) -> bool:
    """Whether a device has the private key that it wants bound to a card."""
    return device.verifies(signature, cose.write([BINDING_CONTEXT, card_id, device.point]))


def read(text: str, keys: KeyRing) -> Presentation | Detail:  # noqa: PLR0911 - the order of a verification, one line each
    """What a code says when its credential is ours and its device signed it, else why not."""
    if len(text) > LENGTH_MAX or not text.startswith(PREFIX):
        return Detail.MALFORMED
    try:
        match cose.read(cose.base45_read(text.removeprefix(PREFIX))):
            case [bytes() as blob, int() as ts, bytes() as nonce, bytes() as audience, bytes() as signature]:
                if len(nonce) != NONCE_BYTES or len(audience) > AUDIENCE_MAX or len(signature) != SIGNATURE_BYTES:
                    return Detail.MALFORMED
                if not 0 <= ts < _NUMBER_MAX:
                    return Detail.MALFORMED
            case _:
                return Detail.MALFORMED
        known = keys.seen.get(blob) or _open(blob, keys)
    except cose.Malformed:
        return Detail.MALFORMED
    if not isinstance(known, tuple):
        return known if isinstance(known, Detail) else Detail.MALFORMED
    credential, device = known
    if not device.verifies(signature, _shown(blob, ts, nonce, audience)):
        return Detail.BAD_DEVICE_SIGNATURE
    return Presentation(credential, ts, nonce, audience)


def _shown(blob: bytes, ts: int, nonce: bytes, audience: bytes) -> bytes:
    return cose.write([DEVICE_CONTEXT, blob, ts, nonce, audience])


def _open(blob: bytes, keys: KeyRing) -> tuple[Credential, Public] | Detail:
    """A credential and the key of its device; one that verified is kept in mind until the keys change."""
    opened = signing.read(blob, keys, Purpose.CARD, CONTEXT)
    if isinstance(opened, Detail):
        return opened
    key, payload = opened
    credential = _credential(cose.read(payload), key.label)
    if isinstance(credential, Detail):
        return credential
    try:
        device = profiles.public(key.public.alg, credential.device_key)
    except KeyWrong:
        return Detail.BAD_DEVICE_SIGNATURE
    if key.state is not KeyState.WITHDRAWN:
        if len(keys.seen) >= SEEN_MAX:
            keys.seen.clear()
        keys.seen[blob] = (credential, device)
    return credential, device


def _credential(fields: object, signer: str) -> Credential | Detail:
    match fields:
        case [int() as version, *_] if version != VERSION:
            return Detail.UNSUPPORTED_VERSION
        case [
            _,
            bytes() as reference,
            int() as iat,
            int() as exp,
            bytes() as device_key,
            int() as list_no,
            int() as index,
            int() as level,
            str() as name,
            str() as last4,
            int() as flags,
        ]:
            is_whole = (
                len(reference) == REFERENCE_BYTES
                and len(device_key) == POINT_BYTES
                and len(name) <= _NAME_MAX
                and len(last4) <= _LAST
                and all(0 <= number < _NUMBER_MAX for number in (iat, exp, list_no, level, flags))
                and 0 <= index < _INDEX_MAX
            )
            if is_whole:
                return Credential(reference, iat, exp, device_key, list_no, index, level, name, last4, flags, signer)
    return Detail.MALFORMED
