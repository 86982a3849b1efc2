"""Sealed fields: personal data encrypted so that a value opens only in the row and column it was written for.

AES-256-GCM; the associated data is `table|column|row id|key version`, so a sealed value that is copied to another row
does not open there. A blind index (HMAC) finds a row by a value without holding it. Keys are files of mode 0600 and
rotate by version: the newest seals, all open. The index key stays, because changing it means computing every index
anew.

A random nonce of 96 bits is safe for 2^32 values under one key; a city of eight million people with a hundred sealed
values each stays below a fifth of that. Rotate before.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import secrets
from typing import TYPE_CHECKING, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chassis import unsealing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from uuid import UUID

KEY_BYTES = 32
NONCE_BYTES = 12
INDEX_BYTES = 16  # 2^64 values before two of them are likely to meet
TAG_BYTES = 16


class SealBroken(Exception):  # noqa: N818 - reads as what it says
    """A sealed value does not open: other place, other key, or changed. The text never tells more."""


class Sealer:
    """Seals and opens the values of one key file."""

    def __init__(self, keys: Mapping[int, bytes], index_key: bytes) -> None:
        self._ciphers = {version: AESGCM(key) for version, key in keys.items()}
        self._current = max(keys)
        self._index_key = index_key

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a key file that `create_keys` or one of its companions made.

        Raises:
            PermissionError: Others than the owner may read the file.
        """
        if path.stat().st_mode & 0o077:
            raise PermissionError(f"{path} must be readable by its owner only (mode 0600)")
        content = json.loads(path.read_text(encoding="ascii"))
        keys = {int(version): base64.b64decode(key) for version, key in content["seal"].items()}
        return cls(keys, base64.b64decode(content["index"]))

    def seal(self, table: str, column: str, row_id: UUID | str, value: str | bytes) -> bytes:
        """Encrypt a value for one place: version byte, nonce, ciphertext with tag."""
        data = value.encode() if isinstance(value, str) else value
        nonce = os.urandom(NONCE_BYTES)
        place = _place(table, column, row_id, self._current)
        return bytes([self._current]) + nonce + self._ciphers[self._current].encrypt(nonce, data, place)

    def open(
        self,
        table: str,
        column: str,
        row_id: UUID | str,
        sealed: bytes,
        *,
        of: UUID | None = None,
        is_shown: bool = True,
    ) -> bytes:
        """Decrypt a value in its place; for the staff that is counted (`chassis.unsealing`).

        Args:
            table: Where the value stands.
            column: The same.
            row_id: The same.
            sealed: The value.
            of: Whose record it is where several rows are of one person, so that they count as one.
            is_shown: False where the value is only compared and never leaves the service.

        Raises:
            SealBroken: The value is not what was sealed for this place.
        """
        cipher = self._ciphers.get(sealed[0]) if len(sealed) > NONCE_BYTES + TAG_BYTES else None
        if cipher is None:
            raise SealBroken
        if is_shown:
            unsealing.note(of or row_id)
        nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, body, _place(table, column, row_id, sealed[0]))
        except InvalidTag:
            raise SealBroken from None

    def open_text(
        self,
        table: str,
        column: str,
        row_id: UUID | str,
        sealed: bytes,
        *,
        of: UUID | None = None,
        is_shown: bool = True,
    ) -> str:
        """Decrypt a text in its place; as `open`."""
        return self.open(table, column, row_id, sealed, of=of, is_shown=is_shown).decode()

    def blind_index(self, kind: str, normalised: str) -> bytes:
        """What a sealed value is found by: equal for equal values of a kind, and telling nothing without the key."""
        return hmac.digest(self._index_key, f"{kind}|{normalised}".encode(), "sha256")[:INDEX_BYTES]


def create_keys(keys_dir: Path, service: str) -> Path:
    """Make the key file of a service's sealed columns where there is none; returns its path."""
    return _create(keys_dir / f"{service}.sealed.key")


def create_exchange_key(keys_dir: Path, producer: str, consumer: str) -> Path:
    """Make the key under which one service hands sealed values to another in its events; returns its path."""
    return _create(keys_dir / f"{producer}-{consumer}.exchange.key")


def create_files_key(keys_dir: Path) -> Path:
    """Make the key of the upload store, which the gateway and the services share; returns its path."""
    return _create(keys_dir / "files.key")


def rotate(path: Path) -> int:
    """Add a new version to a key file; processes seal with it after their next start. Returns the version."""
    content = json.loads(path.read_text(encoding="ascii"))
    version = max(int(one) for one in content["seal"]) + 1
    if version > 255:  # noqa: PLR2004 - the version is one byte
        raise ValueError("a key file holds 255 versions")
    content["seal"][str(version)] = _random()
    draft = path.with_suffix(f".{secrets.token_hex(4)}")
    _write(draft, content)
    draft.replace(path)
    return version


def _create(path: Path) -> Path:
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_suffix(f".{secrets.token_hex(4)}")
        _write(draft, {"seal": {"1": _random()}, "index": _random()})
        try:
            os.link(draft, path)  # fails where another process was faster, whose key then counts
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path


def _write(path: Path, content: Mapping[str, object]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())


def _random() -> str:
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def _place(table: str, column: str, row_id: UUID | str, version: int) -> bytes:
    return f"{table}|{column}|{row_id}|{version}".encode()
