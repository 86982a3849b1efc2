"""Whom the embedded PostgreSQL runs as, which refuses to be root.

Without root: ourselves. As root: `nobody` where that user reaches binaries and data, else a user namespace of its own
(a checkout below a private home directory). No system user is made, no parent directory is opened.
"""

from __future__ import annotations

import ctypes
import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING

from ops import children

if TYPE_CHECKING:
    from collections.abc import Sequence

CLONE_NEWUSER = 0x10000000


class PrivilegesMissing(RuntimeError):  # noqa: N818 - read as a sentence
    """There is no user that may run the server on these paths."""


class Privileges:
    """Whom the server runs as: ourselves; as root `nobody`, or a user namespace where that fails.

    The namespace also serves a user without a name (a container with an arbitrary uid), which initdb refuses.
    """

    def __init__(self, run_as: str) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._namespace = False
        self._ids: tuple[int, int] | None = None
        self._ways: tuple[bool, ...] = (False, True)
        if os.geteuid() == 0 or not _has_name(os.geteuid()):
            entry = pwd.getpwnam(run_as)
            self._ids = (entry.pw_uid, entry.pw_gid)
            self._ways = (False, True) if os.geteuid() == 0 else (True,)

    def choose(self, data: Path, *, must_reach: Sequence[Path]) -> None:
        """Take the first way that reaches every path, but keep to the one the data directory was made with."""
        if not self._ids:
            return
        owner = data.stat().st_uid if data.exists() else None
        for way in self._ways:
            self._namespace = way
            if owner is not None and owner != (os.geteuid() if self._namespace else self._ids[0]):
                continue
            if all(self._reaches(path) for path in must_reach):
                return
        raise PrivilegesMissing(
            f"uid {self._ids[0]} cannot reach {' or '.join(map(str, must_reach))}, and user namespaces are not allowed "
            "here: keep virtual environment and data outside private home directories, or do not run as root"
        )

    def own(self, path: Path, mode: int) -> None:
        """Give a path to the server's user with exactly this mode."""
        path.chmod(mode)
        if self._ids and not self._namespace:
            os.chown(path, *self._ids)

    def drop(self) -> None:
        """Become the server's user; runs in the child between fork and exec."""
        if self._ids and self._namespace:
            uid, gid = os.geteuid(), os.getegid()
            if self._libc.unshare(CLONE_NEWUSER):
                os._exit(97)
            maps = {"uid_map": f"{self._ids[0]} {uid} 1", "setgroups": "deny", "gid_map": f"{self._ids[1]} {gid} 1"}
            for name, text in maps.items():
                Path("/proc/self", name).write_text(text)
        elif self._ids:
            os.setgroups([])
            os.setgid(self._ids[1])
            os.setuid(self._ids[0])
        os.umask(0o077)

    def _reaches(self, path: Path) -> bool:
        test = children.start(["/usr/bin/test", "-x", str(path)], cwd="/", drop_privileges=self.drop)
        return test.wait() == 0


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
