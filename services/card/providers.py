"""Where private keys lie: in a file (development), or in a module by PKCS#11 (`pkcs11`).

A key in a file is refused in production unless somebody decided so, which is audited (services.card.settings). The
file holds signing keys of both profiles, so that a change of profile makes no key; a file of an earlier release is
completed in place.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.card.crypto import profile as profiles
from services.card.crypto import sm2
from services.card.crypto.algorithms import ES256, KeyWrong

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from services.card.crypto.algorithms import Private, Public
    from services.card.crypto.profile import Profile

FILE, ROOT_FILE = "card.keys.json", "card.root.json"
SECRETS = ("pairwise", "pin", "request", "wrap")
_SECRET_BYTES = 32


class Purpose(StrEnum):
    """What a signing key signs; no key has two."""

    CARD = "card"
    TOKEN = "token"  # noqa: S105 - a purpose
    STATUS = "status"
    TRUST_ROOT = "trust-root"


ONLINE = (Purpose.CARD, Purpose.TOKEN, Purpose.STATUS)


class KeysWrong(Exception):  # noqa: N818 - names the state of the keys
    """Keys cannot be used; the text never holds one."""


class KeysAway(KeysWrong):
    """Whoever holds the keys does not answer; later it may."""


@dataclass(frozen=True, slots=True)
class Held:
    """A signing key that a provider holds; its label is its thumbprint in hex."""

    purpose: Purpose
    label: str
    public: Public


class Provider(Protocol):
    """Holds private keys and signs with them."""

    def held(self) -> Sequence[Held]:
        """The signing keys that are here, oldest first."""

    def sign(self, label: str, data: bytes) -> bytes:
        """The raw signature of some bytes; KeysWrong when the key is not here, KeysAway when nobody can tell."""

    def generate(self, purpose: Purpose, profile: Profile) -> Held:
        """Make a key."""


class FileProvider:
    """Keys in a file of mode 0600; a key that another process added is found when it is asked for."""

    def __init__(self, keys_dir: Path, name: str = FILE) -> None:
        self._path = keys_dir / name
        self._held: list[Held] = []
        self._private: dict[str, Private] = {}
        self._read()

    def held(self) -> Sequence[Held]:
        """The signing keys in the file."""
        return self._held

    def sign(self, label: str, data: bytes) -> bytes:
        """The raw signature of some bytes."""
        key = self._private.get(label)
        if key is None:
            self._read()
            key = self._private.get(label)
        if key is None:
            raise KeysWrong("this key is not in the file")
        return key.sign(data)

    def generate(self, purpose: Purpose, profile: Profile) -> Held:
        """Add a key to the file."""
        key = profile.generate()
        try:
            with _changing(self._path) as content:
                content["signing"].append(_entry(purpose, key))
        except OSError:
            raise KeysWrong("the key file cannot be written here") from None
        self._read()
        return Held(purpose, profiles.thumb(key.public).hex(), key.public)

    def _read(self) -> None:
        content = _content(self._path)
        held: list[Held] = []
        private: dict[str, Private] = {}
        try:
            for one in _signing(content):
                alg = int(one["alg"])
                if alg != ES256 and not sm2.is_available():
                    continue
                key = profiles.private(alg, base64.b64decode(one["secret"]), base64.b64decode(one["point"]))
                label = profiles.thumb(key.public).hex()
                held.append(Held(Purpose(one["purpose"]), label, key.public))
                private[label] = key
        except (KeyWrong, KeyError, ValueError, TypeError):
            raise KeysWrong("something in the key file is no key") from None
        self._held, self._private = held, private


def secrets_in(keys_dir: Path) -> dict[str, bytes]:
    """The keys of the other purposes in the file of a directory."""
    content = _content(keys_dir / FILE)
    return {name: base64.b64decode(content[name]) for name in SECRETS if name in content}


def create_keys(keys_dir: Path) -> Path:
    """Make the key file where there is none, and in one that is there whatever it lacks; returns its path.

    Outside of production a root of trust is made beside it: a real one is kept offline.
    """
    if os.environ.get("HRSS_ENV") != "prod":
        _complete(keys_dir / ROOT_FILE, (Purpose.TRUST_ROOT,), ())
    return _complete(keys_dir / FILE, ONLINE, SECRETS)


def _complete(path: Path, purposes: Sequence[Purpose], names: Sequence[str]) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    used = tuple(profiles.PROFILES.values()) if sm2.is_available() else (profiles.I,)
    wanted = {(purpose.value, profile.alg) for purpose in purposes for profile in used}
    if path.exists() and _has(_content(path), wanted, names):
        return path  # nothing to lock: where it is complete it may lie on a volume that nobody writes
    with _changing(path) as content:
        for name in names:
            content.setdefault(name, base64.b64encode(os.urandom(_SECRET_BYTES)).decode())
        there = {(one["purpose"], int(one["alg"])) for one in content["signing"]}
        for purpose in purposes:
            for profile in used:
                if (purpose.value, profile.alg) not in there:
                    content["signing"].append(_entry(purpose, profile.generate()))
    return path


def _has(content: Mapping[str, Any], wanted: AbstractSet[tuple[str, int]], names: Sequence[str]) -> bool:
    there = {(one["purpose"], int(one["alg"])) for one in content.get("signing", ())}
    return wanted <= there and all(name in content for name in names) and "token" not in content


@contextmanager
def _changing(path: Path) -> Iterator[dict[str, Any]]:
    """The content of a file for one process at a time; written whole or not at all, and only when it changed."""
    lock = os.open(path.with_name(f".{path.name}.lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        content = _content(path) if path.exists() else {}
        before = json.dumps(content)
        content["signing"] = _signing(content)
        content.pop("token", None)
        yield content
        if (after := json.dumps(content)) != before:
            draft = path.with_suffix(f".{secrets.token_hex(4)}")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(after)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
    finally:
        os.close(lock)


def _content(path: Path) -> dict[str, Any]:
    if path.stat().st_mode & 0o077:
        raise PermissionError(f"{path} must be readable by its owner only (mode 0600)")
    content: dict[str, Any] = json.loads(path.read_text(encoding="ascii"))
    return content


def _signing(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The signing keys of a file; the first release had only those of tokens, as PEM."""
    older = [_entry(Purpose.TOKEN, _from_pem(one["pem"])) for one in content.get("token", ())]
    return older + list(content.get("signing", ()))


def _from_pem(pem: str) -> Private:
    key = serialization.load_pem_private_key(pem.encode("ascii"), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeysWrong("a signing key of the first release is of the curve P-256")
    return profiles.private(ES256, key.private_numbers().private_value.to_bytes(32, "big"), b"")


def _entry(purpose: Purpose, key: Private) -> dict[str, Any]:
    return {
        "purpose": purpose.value,
        "alg": key.public.alg,
        "secret": base64.b64encode(key.secret()).decode(),
        "point": base64.b64encode(key.public.point).decode(),
    }
