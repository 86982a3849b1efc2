"""Uploaded files: a sealed store that the gateway writes and the services read.

A file is stored once per content, encrypted, under a name made with a secret key, so that neither the directory nor a
backup of it tells what is inside or whether two systems hold the same document. What travels between the processes is
a random upload id and the SHA-256 digest of the content; whoever reads gives both, and the content is checked against
the digest.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chassis.sealed import Sealer
from kernel.errors import InvalidInput, NotFound, Refused

if TYPE_CHECKING:
    from pathlib import Path

BYTES_MAX = 64 * 1024 * 1024  # an imported history of 100,000 months is about 8 MiB; read as a whole, so bounded
_UPLOAD_ID = re.compile(r"upl_[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class FileRef:
    """Where a file is and what it must contain."""

    upload_id: str
    digest: str
    size: int


class Files:
    """The store below one directory; a process that may not read it needs no key."""

    def __init__(self, files_dir: Path, keys_dir: Path) -> None:
        self._objects = files_dir / "objects"
        self._uploads = files_dir / "uploads"
        self._sealer = Sealer.load(keys_dir / "files.key")

    async def put(self, data: bytes) -> FileRef:
        """Store a file; on disk when this returns.

        Raises:
            InvalidInput: UPLOAD_TOO_LARGE.
        """
        if len(data) > BYTES_MAX:
            raise InvalidInput("UPLOAD_TOO_LARGE", f"a file has at most {BYTES_MAX} bytes")
        return await asyncio.to_thread(self._put, data)

    async def get(self, upload_id: str, digest: str) -> bytes:
        """The content of an upload.

        Raises:
            NotFound: UPLOAD_NOT_FOUND.
            Refused: UPLOAD_DIGEST_DIFFERS: it is there, with another content than the caller means.
        """
        return await asyncio.to_thread(self._get, upload_id, digest)

    def _put(self, data: bytes) -> FileRef:
        ref = FileRef(f"upl_{secrets.token_hex(16)}", hashlib.sha256(data).hexdigest(), len(data))
        path = self._object_of(ref.digest)
        if not path.exists():
            _write(path, self._sealer.seal("file", "content", ref.digest, data))
        about = json.dumps({"digest": ref.digest, "size": ref.size})
        _write(self._uploads / ref.upload_id, self._sealer.seal("file", "upload", ref.upload_id, about))
        return ref

    def _get(self, upload_id: str, digest: str) -> bytes:
        if not _UPLOAD_ID.fullmatch(upload_id):
            raise _not_found()
        try:
            about = json.loads(self._sealer.open("file", "upload", upload_id, (self._uploads / upload_id).read_bytes()))
            if not secrets.compare_digest(about["digest"].encode(), digest.encode()):
                raise Refused("UPLOAD_DIGEST_DIFFERS", "the upload holds another content")
            data = self._sealer.open("file", "content", digest, self._object_of(digest).read_bytes())
        except FileNotFoundError:
            raise _not_found() from None
        if hashlib.sha256(data).hexdigest() != digest:
            raise Refused("UPLOAD_DIGEST_DIFFERS", "the upload holds another content")
        return data

    def _object_of(self, digest: str) -> Path:
        name = self._sealer.blind_index("file", digest).hex()
        return self._objects / name[:2] / name


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, and durably."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _not_found() -> NotFound:
    return NotFound("UPLOAD_NOT_FOUND", "no such upload")
