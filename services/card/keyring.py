"""The keys of the card service: one file, one purpose each, never shared.

`token` signs codes (ES256, named by the first four bytes of its thumbprint, RFC 9679); `pairwise` makes the names that
verifiers know holders by; `pin` goes into every PIN's hash; `request` goes into the digests of requests that hold a
PIN. The keys of sealed columns lie in a file of their own (chassis.sealed). A key in a file is for development:
production refuses it unless told otherwise (services.card.settings).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from services.card import cose

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

FILE = "card.keys.json"
ES256 = -7
KID_BYTES = 4
SIGNATURE_BYTES = 64
_FIELD = SIGNATURE_BYTES // 2
_SYMMETRIC = ("pairwise", "pin", "request")
_SECRET_BYTES = 32
_REFERENCE_BYTES = 16
_ECDSA = ec.ECDSA(hashes.SHA256())


class KeyState(StrEnum):
    """What a signing key is good for."""

    ACTIVE = "active"  # signs and verifies; there is one
    VERIFY_ONLY = "verify-only"
    WITHDRAWN = "withdrawn"


class KeysWrong(Exception):  # noqa: N818 - names the state of the file
    """The key file cannot be used; the text never holds a key."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key of the purpose `token`."""

    kid: bytes
    state: KeyState
    private: ec.EllipticCurvePrivateKey
    public: ec.EllipticCurvePublicKey

    def sign(self, data: bytes) -> bytes:
        """The raw signature r‖s of some bytes."""
        r, s = decode_dss_signature(self.private.sign(data, _ECDSA))
        return r.to_bytes(_FIELD, "big") + s.to_bytes(_FIELD, "big")

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether a raw signature is this key's; r or s out of range is no exception, it is no."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        r, s = int.from_bytes(signature[:_FIELD], "big"), int.from_bytes(signature[_FIELD:], "big")
        if not r or not s:
            return False
        try:
            self.public.verify(encode_dss_signature(r, s), data, _ECDSA)
        except InvalidSignature:
            return False
        return True


class KeyRing:
    """All keys of a key file, by purpose."""

    def __init__(self, signing: Iterable[SigningKey], symmetric: Mapping[str, bytes]) -> None:
        self._signing = tuple(signing)
        self._symmetric = dict(symmetric)
        active = [key for key in self._signing if key.state is KeyState.ACTIVE]
        if len(active) != 1 or missing(self._symmetric):
            raise KeysWrong("a key file has one active signing key and a key for every other purpose")
        self.active = active[0]
        self._test()

    @classmethod
    def load(cls, keys_dir: Path) -> Self:
        """Read the key file of a directory.

        Raises:
            PermissionError: Others than the owner may read the file.
            KeysWrong: Something in it is no key, or a key does not verify what it signs.
        """
        path = keys_dir / FILE
        if path.stat().st_mode & 0o077:
            raise PermissionError(f"{path} must be readable by its owner only (mode 0600)")
        content = json.loads(path.read_text(encoding="ascii"))
        return cls(
            [_signing_key(one["pem"], KeyState(one["state"])) for one in content["token"]],
            {purpose: base64.b64decode(content[purpose]) for purpose in _SYMMETRIC},
        )

    def with_kid(self, kid: bytes) -> list[SigningKey]:
        """The signing keys of that id; there may be several, and each is tried."""
        return [key for key in self._signing if key.kid == kid]

    def subject_ref(self, verifier: str, card_id: str) -> str:
        """The name by which one verifier knows the holder of a card, and nobody else does."""
        return self._mac("pairwise", f"{len(verifier)}:{verifier}|{card_id}".encode())[:_REFERENCE_BYTES].hex()

    def request_digest(self, digest: bytes) -> bytes:
        """The digest of a request as it is kept: a PIN has a million values, and a plain digest would tell which."""
        return self._mac("request", digest)

    @property
    def pin_secret(self) -> bytes:
        """What goes into every PIN's hash beside its salt."""
        return self._symmetric["pin"]

    def _mac(self, purpose: str, data: bytes) -> bytes:
        return hmac.digest(self._symmetric[purpose], data, "sha256")

    def _test(self) -> None:
        """Sign and verify once with each key before anything depends on it."""
        for key in self._signing:
            signature = key.sign(b"self-test")
            if not key.verifies(signature, b"self-test") or key.verifies(signature, b"another"):
                raise KeysWrong(f"key {key.kid.hex()} does not verify what it signs")


def missing(symmetric: Mapping[str, bytes]) -> list[str]:
    """The purposes that have no key of the right length."""
    return [purpose for purpose in _SYMMETRIC if len(symmetric.get(purpose, b"")) != _SECRET_BYTES]


def thumbprint(public: ec.EllipticCurvePublicKey) -> bytes:
    """The COSE key thumbprint (RFC 9679) of a public key."""
    numbers = public.public_numbers()
    x, y = numbers.x.to_bytes(_FIELD, "big"), numbers.y.to_bytes(_FIELD, "big")
    return hashlib.sha256(cose.write({1: 2, -1: 1, -2: x, -3: y})).digest()


def create_keys(keys_dir: Path) -> Path:
    """Make the key file where there is none; returns its path."""
    path = keys_dir / FILE
    if path.exists():
        return path
    keys_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    content: dict[str, object] = {"token": [{"state": KeyState.ACTIVE.value, "pem": new_pem()}]}
    for purpose in _SYMMETRIC:
        content[purpose] = base64.b64encode(os.urandom(_SECRET_BYTES)).decode()
    draft = path.with_suffix(f".{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # fails where another process was faster, whose keys then count
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path


def new_pem() -> str:
    """A new signing key as it lies in the file."""
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode("ascii")
    )


def _signing_key(pem: str, state: KeyState) -> SigningKey:
    private = serialization.load_pem_private_key(pem.encode("ascii"), None)
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        raise KeysWrong("a signing key is of the curve P-256")
    public = private.public_key()
    return SigningKey(thumbprint(public)[:KID_BYTES], state, private, public)
