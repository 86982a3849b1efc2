"""Secrets of an embedded platform, made at the first start and kept in one private directory.

Every secret is a file of its own, readable by its owner only (0600) in a directory of mode 0700, so that it never
stands in an argument list, a log or an image. Production puts the same files there from its own secret store.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PASSWORD_BYTES = 24  # 192 bits: beyond guessing, and short enough for a connection URL


class Keys:
    """A directory of secret files; each is made once and read ever after."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if directory.stat().st_mode & 0o777 != 0o700:  # noqa: PLR2004 - the mode; a mount for reading has it already
            directory.chmod(0o700)

    def password(self, name: str) -> str:
        """The password `name`, random at the first call."""
        return self.secret(f"{name}.password", lambda: secrets.token_urlsafe(PASSWORD_BYTES).encode()).decode()

    def secret(self, file_name: str, make: Callable[[], bytes]) -> bytes:
        """The content of a secret file; `make` gives it when there is none yet."""
        path = self.directory / file_name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            write_private(path, make())
            return path.read_bytes()  # what stands there counts, also when another process was faster


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all; never over an existing one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
