"""Keys in memory, for tests that need no file: a provider, and rings of both profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.card.crypto import profile as profiles
from services.card.crypto import sm2
from services.card.keyring import KeyRing, KeyState, Purpose, SigningKey
from services.card.providers import ONLINE, SECRETS, Held

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.card.crypto.algorithms import Private
    from services.card.crypto.profile import Profile

OTHERS = dict.fromkeys(SECRETS, b"k" * 32)


class Memory:
    """Holds keys as long as it lives."""

    def __init__(self) -> None:
        self._held: list[Held] = []
        self._private: dict[str, Private] = {}

    def held(self) -> Sequence[Held]:
        """The keys."""
        return self._held

    def sign(self, label: str, data: bytes) -> bytes:
        """A raw signature."""
        return self._private[label].sign(data)

    def generate(self, purpose: Purpose, profile: Profile) -> Held:
        """A new key."""
        key = profile.generate()
        one = Held(purpose, profiles.thumb(key.public).hex(), key.public)
        self._held.append(one)
        self._private[one.label] = key
        return one


def a_ring(profile: Profile, purposes: Sequence[Purpose] = ONLINE) -> KeyRing:
    """A ring with one active key for each purpose; skips where the machine has no SM2."""
    if profile is profiles.G and not sm2.is_available():
        pytest.skip("the system's libcrypto has no SM2: profile G is not tested here")
    memory = Memory()
    for purpose in purposes:
        memory.generate(purpose, profile)
    return KeyRing(memory, profile, OTHERS)


def turned(ring: KeyRing, states: dict[Purpose, KeyState]) -> KeyRing:
    """The same keys, those of some purposes standing elsewhere, with a fresh active one beside each."""
    keys = []
    for key in ring.keys:
        if (state := states.get(key.purpose)) is None:
            keys.append(key)
        else:
            fresh = ring.provider.generate(key.purpose, ring.profile)
            keys += [
                SigningKey(key.purpose, key.label, key.public, state),
                SigningKey(fresh.purpose, fresh.label, fresh.public, KeyState.ACTIVE),
            ]
    return KeyRing(ring.provider, ring.profile, OTHERS, keys)
