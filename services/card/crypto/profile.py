"""The two profiles: which signature, digest, keyed digest and seal go together."""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers import algorithms as ciphers

from services.card.crypto import algorithms
from services.card.crypto.algorithms import KeyWrong, thumbprint
from services.card.crypto.es256 import Es256Private, Es256Public
from services.card.crypto.sm2 import Sm2Private, Sm2Public

if TYPE_CHECKING:
    from services.card.crypto.algorithms import Private, Public

NONCE_BYTES, TAG_BYTES = 12, 16


class SealWrong(Exception):  # noqa: N818 - reads as what it says
    """Sealed bytes do not open: another key or place, or changed."""


class _Block(Protocol):
    def __call__(self, key: bytes) -> ciphers.AES | ciphers.SM4: ...


@dataclass(frozen=True, slots=True)
class Profile:
    """One profile.

    Args:
        name: "I" or "G".
        alg: COSE number of its signature.
        hash_name: As hashlib names its digest.
        block: Its block cipher.
        key_bytes: Length of a key of that cipher.
    """

    name: str
    alg: int
    hash_name: str
    block: _Block
    key_bytes: int

    def digest(self, data: bytes) -> bytes:
        """SHA-256 or SM3."""
        return hashlib.new(self.hash_name, data).digest()

    def mac(self, key: bytes, data: bytes) -> bytes:
        """HMAC with the digest of the profile."""
        return hmac.digest(key, data, self.hash_name)

    def generate(self) -> Private:
        """A new signing key."""
        return Es256Private.generate() if self.alg == algorithms.ES256 else Sm2Private.generate()

    def seal(self, key: bytes, data: bytes, place: bytes) -> bytes:
        """Encrypt bytes for one place: nonce, ciphertext, tag."""
        nonce = os.urandom(NONCE_BYTES)
        cipher = Cipher(self.block(key[: self.key_bytes]), modes.GCM(nonce)).encryptor()
        cipher.authenticate_additional_data(place)
        return nonce + cipher.update(data) + cipher.finalize() + cipher.tag

    def open(self, key: bytes, sealed: bytes, place: bytes) -> bytes:
        """Decrypt bytes in their place.

        Raises:
            SealWrong: They are not what was sealed there.
        """
        if len(sealed) < NONCE_BYTES + TAG_BYTES:
            raise SealWrong
        nonce, body, tag = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:-TAG_BYTES], sealed[-TAG_BYTES:]
        cipher = Cipher(self.block(key[: self.key_bytes]), modes.GCM(nonce, tag)).decryptor()
        cipher.authenticate_additional_data(place)
        try:
            return cipher.update(body) + cipher.finalize()
        except InvalidTag:
            raise SealWrong from None


I = Profile("I", algorithms.ES256, "sha256", ciphers.AES, 32)  # noqa: E741 - the profile's name
G = Profile("G", algorithms.SM2, "sm3", ciphers.SM4, 16)
PROFILES = {profile.name: profile for profile in (I, G)}


def public(alg: int, point: bytes) -> Public:
    """A public key from its compressed point.

    Raises:
        KeyWrong: It is no point, or no algorithm of ours.
    """
    match alg:
        case algorithms.ES256:
            return Es256Public.read(point)
        case algorithms.SM2:
            return Sm2Public.read(point)
        case _:
            raise KeyWrong("no algorithm of ours")


def private(alg: int, secret: bytes, point: bytes) -> Private:
    """A private key from its number and point; raises as `public`."""
    match alg:
        case algorithms.ES256:
            return Es256Private.read(secret)
        case algorithms.SM2:
            return Sm2Private.read(secret, point)
        case _:
            raise KeyWrong("no algorithm of ours")


def thumb(key: Public) -> bytes:
    """The thumbprint of a public key."""
    assert isinstance(key, Es256Public | Sm2Public)
    return thumbprint(key.alg, *key.coordinates())
