"""The code that a holder shows (展码): `NTS1:` and Base45 of a COSE_Sign1, minted when it is shown.

Its payload is `[1, card reference, issued at, seconds, number, level, flags]`: nothing about the person, and no number
of the card. Reading goes from cheap to dear and stops at the first thing that is wrong; nothing that fails here was
looked up or stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.card import cose
from services.card.domain.verification import Detail
from services.card.keyring import ES256, SIGNATURE_BYTES, KeyState

if TYPE_CHECKING:
    from services.card.keyring import KeyRing

PREFIX = "NTS1:"
CONTEXT = b"NT1/S"
VERSION = 1
LENGTH_MAX = 520
REFERENCE_BYTES = 8
NUMBER_BYTES = 8
_NUMBER_MAX = 2**32


@dataclass(frozen=True, slots=True)
class Token:
    """What a code says."""

    reference: bytes
    iat: int
    ttl: int
    number: bytes
    level: int
    flags: int = 0


def mint(token: Token, keys: KeyRing) -> str:
    """The text of a code, signed."""
    key = keys.active
    protected = cose.write({1: ES256, 4: key.kid})
    fields = [VERSION, token.reference, token.iat, token.ttl, token.number, token.level, token.flags]
    payload = cose.write(fields)
    signature = key.sign(cose.to_be_signed(protected, CONTEXT, payload))
    return PREFIX + cose.base45_write(cose.write([protected, {}, payload, signature]))


def read(text: str, keys: KeyRing) -> Token | Detail:
    """What a code says when it is ours, else why it is not: form, key, algorithm, signature, in this order."""
    if len(text) > LENGTH_MAX or not text.startswith(PREFIX):
        return Detail.MALFORMED
    try:
        message = cose.read(cose.base45_read(text.removeprefix(PREFIX)))
        match message:
            case [bytes() as protected, dict() as unprotected, bytes() as payload, bytes() as signature]:
                if unprotected or len(signature) != SIGNATURE_BYTES:
                    return Detail.MALFORMED
                return _signed(protected, payload, signature, keys)
    except cose.Malformed:
        pass
    return Detail.MALFORMED


def _signed(protected: bytes, payload: bytes, signature: bytes, keys: KeyRing) -> Token | Detail:
    header, fields = cose.read(protected), cose.read(payload)
    if not isinstance(header, dict) or header.keys() != {1, 4} or not isinstance(header[4], bytes):
        return Detail.MALFORMED
    found = keys.with_kid(header[4])
    if not found:
        return Detail.UNKNOWN_KEY
    if header[1] != ES256:  # every key of the file has this one; what a header asks for never decides
        return Detail.MALFORMED
    data = cose.to_be_signed(protected, CONTEXT, payload)
    key = next((one for one in found if one.verifies(signature, data)), None)
    if key is None:
        return Detail.BAD_ISSUER_SIGNATURE
    if key.state is KeyState.WITHDRAWN:
        return Detail.KEY_WITHDRAWN
    return _token(fields)


def _token(fields: object) -> Token | Detail:
    """The parts of a payload that we signed; one of a later version is told apart from nonsense."""
    match fields:
        case [int() as version, *_] if version != VERSION:
            return Detail.UNSUPPORTED_VERSION
        case [_, bytes() as reference, int() as iat, int() as ttl, bytes() as number, int() as level, int() as flags]:
            is_whole = len(reference) == REFERENCE_BYTES and len(number) == NUMBER_BYTES
            if is_whole and 0 <= iat < _NUMBER_MAX and 0 <= ttl < _NUMBER_MAX:
                return Token(reference, iat, ttl, number, level, flags)
    return Detail.MALFORMED
