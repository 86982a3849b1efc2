"""The keys of the card service by purpose, never shared: who may be relied on for what, as this process knows it.

`card` signs credentials of devices, `token` codes that are minted, `status` status lists, `trust-root` the list of all
these (offline); `pairwise` makes the names that verifiers know holders by, `pin` goes into every PIN's hash, `request`
into the digests of requests that hold a PIN, `wrap` seals what is kept of keys in the database. Where the private ones
lie is the provider's business (`providers`); which key stands where is kept in the database, so that every process
learns of a rotation or a withdrawal (`store.keys`).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from kernel.errors import Unavailable
from services.card import providers
from services.card.crypto import profile as profiles
from services.card.crypto.algorithms import KID_BYTES
from services.card.providers import FILE, KeysAway, KeysWrong, Purpose, create_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from services.card.crypto.algorithms import Public
    from services.card.crypto.profile import Profile
    from services.card.providers import Provider

__all__ = ["FILE", "KeyRing", "KeyState", "KeysWrong", "Purpose", "SigningKey", "create_keys", "missing"]

AWAY_SECONDS, NO_KEY_SECONDS = 5.0, 60.0  # a module comes back by itself; a new key takes two operators
_REFERENCE_BYTES = 16
_SECRET_BYTES = 32


class KeyState(StrEnum):
    """Where a signing key stands."""

    PLANNED = "planned"  # made; nobody knows of it
    PUBLISHED = "published"  # in the trust list, so that verifiers have it before its first use
    ACTIVE = "active"  # signs and verifies; one for each purpose and algorithm
    VERIFY_ONLY = "verify-only"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public signing key and what it is good for."""

    purpose: Purpose
    label: str
    public: Public
    state: KeyState

    @property
    def kid(self) -> bytes:
        """Its short name in headers: the first bytes of its thumbprint, which two keys may share."""
        return bytes.fromhex(self.label)[:KID_BYTES]


class KeyRing:
    """All keys that this process knows.

    Args:
        provider: Holds the private keys.
        profile: What new signatures are made with; older ones of the other profile still verify.
        secrets: Keys of the other purposes.
        keys: Where the signing keys stand; without it, the last one that the provider holds for each purpose is active.
    """

    def __init__(
        self,
        provider: Provider,
        profile: Profile,
        secrets: Mapping[str, bytes],
        keys: Iterable[SigningKey] | None = None,
    ) -> None:
        self.provider = provider
        self.profile = profile
        self._secrets = dict(secrets)
        self.version = -1
        self._by_kid: dict[tuple[Purpose, bytes], list[SigningKey]] = {}
        self._by_label: dict[str, SigningKey] = {}
        self.seen: dict[bytes, object] = {}
        if missing(self._secrets):
            raise KeysWrong("a key file has a key for every purpose")
        self.learn(self._held() if keys is None else keys)
        self._test()

    @classmethod
    def load(cls, keys_dir: Path, profile: Profile = profiles.I) -> Self:
        """The keys in the files of a directory.

        Raises:
            PermissionError: Others than the owner may read the file.
            KeysWrong: Something in it is no key, or a key does not verify what it signs.
        """
        provider = providers.FileProvider(keys_dir)
        return cls(provider, profile, providers.secrets_in(keys_dir))

    def learn(self, keys: Iterable[SigningKey], version: int = -1) -> None:
        """Take over where the keys stand; credentials that were seen are forgotten, for one may be withdrawn."""
        by_kid: dict[tuple[Purpose, bytes], list[SigningKey]] = {}
        by_label = {}
        for key in keys:
            by_label[key.label] = key
            if key.state is not KeyState.PLANNED:
                by_kid.setdefault((key.purpose, key.kid), []).append(key)
        self._by_kid, self._by_label, self.seen, self.version = by_kid, by_label, {}, version

    @property
    def keys(self) -> list[SigningKey]:
        """All of them."""
        return list(self._by_label.values())

    def active(self, purpose: Purpose) -> SigningKey:
        """The key that signs for a purpose.

        Raises:
            Unavailable: SIGNING_UNAVAILABLE: there is none, since the last one was withdrawn.
        """
        for key in self._by_label.values():
            if key.purpose is purpose and key.state is KeyState.ACTIVE and key.public.alg == self.profile.alg:
                return key
        raise Unavailable("SIGNING_UNAVAILABLE", f"no active key for {purpose.value}", retry_after=NO_KEY_SECONDS)

    def sign(self, key: SigningKey, data: bytes) -> bytes:
        """The raw signature of some bytes.

        Raises:
            Unavailable: SIGNING_UNAVAILABLE: the module of the keys does not answer.
        """
        try:
            return self.provider.sign(key.label, data)
        except KeysAway:
            raise Unavailable(
                "SIGNING_UNAVAILABLE", "the module of the keys does not answer", retry_after=AWAY_SECONDS
            ) from None

    def with_kid(self, kid: bytes, purpose: Purpose) -> list[SigningKey]:
        """The keys of that id and purpose; there may be several, and each is tried."""
        return self._by_kid.get((purpose, kid), [])

    def state(self, label: str) -> KeyState:
        """Where a key stands; one that is not known is worth nothing."""
        key = self._by_label.get(label)
        return key.state if key is not None else KeyState.WITHDRAWN

    def subject_ref(self, verifier: str, card_id: str) -> str:
        """The name by which one verifier knows the holder of a card, and nobody else does."""
        return self._mac("pairwise", f"{len(verifier)}:{verifier}|{card_id}".encode())[:_REFERENCE_BYTES].hex()

    def request_digest(self, digest: bytes) -> bytes:
        """The digest of a request as it is kept: a PIN has a million values, and a plain digest would tell which."""
        return self._mac("request", digest)

    @property
    def secrets(self) -> Mapping[str, bytes]:
        """The keys of the other purposes, for a ring beside this one."""
        return self._secrets

    @property
    def pin_secret(self) -> bytes:
        """What goes into every PIN's hash beside its salt."""
        return self._secrets["pin"]

    def wrap(self, secret: bytes, place: str) -> bytes:
        """Seal a key for one place in the database."""
        return self.profile.name.encode() + self.profile.seal(self._secrets["wrap"], secret, place.encode())

    def unwrap(self, sealed: bytes, place: str) -> bytes:
        """A key that was sealed under either profile.

        Raises:
            SealWrong: It was not sealed here.
        """
        return profiles.PROFILES[sealed[:1].decode()].open(self._secrets["wrap"], sealed[1:], place.encode())

    def _mac(self, purpose: str, data: bytes) -> bytes:
        return hmac.digest(self._secrets[purpose], data, "sha256")

    def _held(self) -> list[SigningKey]:
        last = {(one.purpose, one.public.alg): one.label for one in self.provider.held()}
        return [
            SigningKey(
                one.purpose,
                one.label,
                one.public,
                KeyState.ACTIVE if last[one.purpose, one.public.alg] == one.label else KeyState.VERIFY_ONLY,
            )
            for one in self.provider.held()
        ]

    def _test(self) -> None:
        """Sign and verify once with each key of the provider before anything depends on it."""
        for one in self.provider.held():
            signature = self.provider.sign(one.label, b"self-test")
            if not one.public.verifies(signature, b"self-test") or one.public.verifies(signature, b"another"):
                raise KeysWrong(f"key {one.label[:8]} does not verify what it signs")


def missing(secrets: Mapping[str, bytes]) -> list[str]:
    """The purposes that have no key of the right length."""
    return [purpose for purpose in providers.SECRETS if len(secrets.get(purpose, b"")) != _SECRET_BYTES]
