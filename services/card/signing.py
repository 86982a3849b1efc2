"""COSE_Sign1 with the keys of a purpose: written by the active key, read against all that verify.

The context (external_aad) keeps one kind of signed thing from being taken for another, and so does the purpose of the
key; the key fixes the algorithm, and a header that names another one is nonsense.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from services.card import cose
from services.card.crypto.algorithms import SIGNATURE_BYTES
from services.card.domain.verification import Detail
from services.card.keyring import KeyState

if TYPE_CHECKING:
    from services.card.keyring import KeyRing, Purpose, SigningKey


def write(keys: KeyRing, purpose: Purpose, context: bytes, payload: bytes) -> bytes:
    """A signed payload."""
    key = keys.active(purpose)
    protected = cose.write({1: key.public.alg, 4: key.kid})
    signature = keys.sign(key, cose.to_be_signed(protected, context, payload))
    return cose.write([protected, {}, payload, signature])


def read(data: bytes, keys: KeyRing, purpose: Purpose, context: bytes) -> tuple[SigningKey, bytes] | Detail:
    """Who signed a payload and what it is, else why it is not ours: form, key, algorithm, signature, in this order.

    Raises:
        Malformed: It is not written as we write.
    """
    match cose.read(data):
        case [bytes() as protected, dict() as unprotected, bytes() as payload, bytes() as signature]:
            if unprotected or len(signature) != SIGNATURE_BYTES:
                return Detail.MALFORMED
        case _:
            return Detail.MALFORMED
    alg, kid = _header(protected)
    found = keys.with_kid(kid, purpose)
    if not found:
        return Detail.UNKNOWN_KEY
    named = [key for key in found if key.public.alg == alg]
    if not named:
        return Detail.MALFORMED
    signed = cose.to_be_signed(protected, context, payload)
    key = next((one for one in named if one.public.verifies(signature, signed)), None)
    if key is None:
        return Detail.BAD_ISSUER_SIGNATURE
    return Detail.KEY_WITHDRAWN if key.state is KeyState.WITHDRAWN else (key, payload)


@lru_cache(maxsize=256)  # every code of a key has the same few bytes here
def _header(protected: bytes) -> tuple[object, bytes]:
    """Algorithm and key that a header names; an algorithm may be anything, the key decides.

    Raises:
        Malformed: It names more or less.
    """
    header = cose.read(protected)
    if not isinstance(header, dict) or header.keys() != {1, 4} or not isinstance(header[4], bytes):
        raise cose.Malformed
    return header[1], header[4]
