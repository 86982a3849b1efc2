"""The PIN as it is kept: Argon2id with a salt of its own and a key of the server.

Six digits are a million values: without the key, which no database holds, a stolen table tells nothing.
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

SALT_BYTES = 16
_HASH_BYTES = 32
_PASSES, _LANES, _KIB = 2, 1, 19 * 1024


@dataclass(frozen=True, slots=True)
class Hashed:
    """A PIN as it is kept."""

    salt: bytes
    value: bytes

    def __repr__(self) -> str:
        return "Hashed(…)"


def hashed(pin: str, secret: bytes, salt: bytes | None = None) -> Hashed:
    """Hash a PIN; takes tens of milliseconds on purpose, so run it in a thread."""
    salt = salt or os.urandom(SALT_BYTES)
    kdf = Argon2id(salt=salt, length=_HASH_BYTES, iterations=_PASSES, lanes=_LANES, memory_cost=_KIB, secret=secret)
    return Hashed(salt, kdf.derive(pin.encode()))


def fits(pin: str, kept: Hashed, secret: bytes) -> bool:
    """Whether it is the PIN that was set; as slow as hashing."""
    return hmac.compare_digest(hashed(pin, secret, kept.salt).value, kept.value)
