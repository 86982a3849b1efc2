"""The keys that sign the audit: one pair for each service, for nothing else.

`<service>.audit.key` (PEM, mode 0600) lies with the service that signs, `<service>.audit.pub` with everybody who
verifies; the latter may hold several keys one after the other, so that checkpoints of an older key still verify. The
owner of the database has neither, and so cannot sign a chain that was computed anew.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

if TYPE_CHECKING:
    from pathlib import Path

KEY_ID_BYTES = 4
_END = b"-----END PUBLIC KEY-----"


class AuditKey:
    """The private half, in the process that signs."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.key_id = _id(key.public_key())

    def sign(self, body: str) -> bytes:
        """The signature of a checkpoint: Ed25519, 64 bytes."""
        return self._key.sign(body.encode())


class AuditVerifier:
    """The public halves of one service."""

    def __init__(self, keys: list[Ed25519PublicKey]) -> None:
        self._keys = keys

    def is_signed(self, body: str, signature: bytes) -> bool:
        """Whether one of the keys signed this."""
        for key in self._keys:
            try:
                key.verify(signature, body.encode())
            except InvalidSignature:
                continue
            return True
        return False


def create(keys_dir: Path, service: str) -> None:
    """Make the pair of a service as far as it is missing; the public key is derived from the private one."""
    private, public = _private(keys_dir, service), _public(keys_dir, service)
    if not private.exists():
        _write(private, Ed25519PrivateKey.generate())
    pem = _pem_of(_load_private(private))
    known = public.read_bytes() if public.exists() else b""
    if pem.strip() not in known:
        draft = public.with_suffix(f".{secrets.token_hex(4)}")
        draft.write_bytes(known + pem)
        draft.replace(public)


def rotate(keys_dir: Path, service: str) -> None:
    """Give a service a new key; processes sign with it after their next start, and the older one still verifies."""
    path = _private(keys_dir, service)
    draft = path.with_suffix(f".{secrets.token_hex(4)}")
    _write(draft, Ed25519PrivateKey.generate())
    draft.replace(path)
    create(keys_dir, service)


def load(keys_dir: Path, service: str) -> AuditKey:
    """The key of the service that signs.

    Raises:
        OSError: There is none.
        PermissionError: Others than the owner may read it.
    """
    path = _private(keys_dir, service)
    if path.stat().st_mode & 0o077:
        raise PermissionError(f"{path} must be readable by its owner only (mode 0600)")
    return AuditKey(_load_private(path))


def verifier(keys_dir: Path, service: str) -> AuditVerifier:
    """What verifies the checkpoints of a service.

    Raises:
        OSError: Its public key is not there.
    """
    keys = []
    for block in _public(keys_dir, service).read_bytes().split(_END)[:-1]:
        key = serialization.load_pem_public_key(block + _END)
        if not isinstance(key, Ed25519PublicKey):
            raise TypeError("a key of the audit is no Ed25519 key")
        keys.append(key)
    return AuditVerifier(keys)


def _private(keys_dir: Path, service: str) -> Path:
    return keys_dir / f"{service}.audit.key"


def _public(keys_dir: Path, service: str) -> Path:
    return keys_dir / f"{service}.audit.pub"


def _load_private(path: Path) -> Ed25519PrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("a key of the audit is no Ed25519 key")
    return key


def _pem_of(key: Ed25519PrivateKey) -> bytes:
    kinds = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(*kinds)


def _id(key: Ed25519PublicKey) -> str:
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).digest()[:KEY_ID_BYTES].hex()


def _write(path: Path, key: Ed25519PrivateKey) -> None:
    """Write a private key for its owner only; never over one that another process made meanwhile."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    draft = path.with_suffix(f".{secrets.token_hex(4)}.draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
