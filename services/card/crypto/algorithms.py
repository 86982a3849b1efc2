"""What a signing key can do, whatever its algorithm; signatures are raw r‖s of 64 bytes everywhere but inside here."""

from __future__ import annotations

import hashlib
from typing import Protocol

import cbor2

ES256 = -7
SM2 = -65537  # private use: no number is registered for SM2 with SM3
SIGNATURE_BYTES = 64
FIELD_BYTES = 32
POINT_BYTES = 33  # a compressed point
KID_BYTES = 4
CURVES = {ES256: 1, SM2: -65537}  # as COSE keys name their curve


class KeyWrong(Exception):  # noqa: N818 - reads as what it says
    """These bytes are no key of this algorithm; the text never holds them."""


class Public(Protocol):
    """A public key."""

    alg: int
    point: bytes

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether a raw signature is this key's; r or s out of range is no exception, it is no."""


class Private(Protocol):
    """A private key that lies in this process."""

    @property
    def public(self) -> Public:
        """Its public key."""

    def sign(self, data: bytes) -> bytes:
        """The raw signature of some bytes."""

    def secret(self) -> bytes:
        """The private number, 32 bytes."""


def thumbprint(alg: int, x: bytes, y: bytes) -> bytes:
    """The COSE key thumbprint (RFC 9679) of a public key on a curve."""
    key = {1: 2, -1: CURVES[alg], -2: x, -3: y}
    return hashlib.sha256(cbor2.dumps(key, canonical=True)).digest()


def halves(signature: bytes, order: int) -> tuple[int, int] | None:
    """R and s of a raw signature; None when it is none: another length (DER), zero, or not below the order."""
    if len(signature) != SIGNATURE_BYTES:
        return None
    r, s = int.from_bytes(signature[:FIELD_BYTES], "big"), int.from_bytes(signature[FIELD_BYTES:], "big")
    return (r, s) if 0 < r < order and 0 < s < order else None
