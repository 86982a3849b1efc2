"""The directory that holds everything of an embedded platform, and what stands in it about the running processes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# `hrss status` holds the lock for an instant while it looks whether somebody else does.
LOCK_TRIES, LOCK_PAUSE_SECONDS = 5, 0.05
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Home:
    """`var/` of a checkout, or wherever `HRSS_HOME` points."""

    root: Path

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Home:
        """The home that the environment names."""
        return cls(Path(environ.get("HRSS_HOME") or ROOT / "var").expanduser().resolve())

    @property
    def keys(self) -> Path:
        """Secrets, mode 0700."""
        return self.root / "keys"

    @property
    def files(self) -> Path:
        """Uploaded files, sealed."""
        return self.root / "files"

    @property
    def audit(self) -> Path:
        """Signed checkpoints of the audit, only ever added to."""
        return self.root / "audit"

    @property
    def run(self) -> Path:
        """What is running: pids, ports, the lock."""
        return self.root / "run"

    @property
    def state_file(self) -> Path:
        """What the supervisor says about its processes."""
        return self.run / "supervisor.json"

    def log(self, process: str) -> Path:
        """The log file of a process."""
        return self.root / "logs" / f"{process}.log"

    def ready_file(self, process: str) -> Path:
        """Where a process says that it is ready."""
        return self.run / f"{process}.json"

    def prepare(self) -> None:
        """Make the directories. As root, others may pass through the home (PostgreSQL runs as nobody), not list it."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o711 if os.geteuid() == 0 else 0o700)
        for path in (self.keys, self.files, self.audit, self.run, self.root / "logs"):
            path.mkdir(exist_ok=True)
            path.chmod(0o700)

    def state(self) -> dict[str, Any] | None:
        """What the supervisor that holds the lock says; None when none runs."""
        try:
            with (self.run / "lock").open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return dict(json.loads(self.state_file.read_bytes()))
        except (FileNotFoundError, NotADirectoryError):
            pass
        return None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the home for one supervisor.

        Raises:
            HomeInUse: Another supervisor holds it.
        """
        with (self.run / "lock").open("ab") as file:
            for tries_left in reversed(range(LOCK_TRIES)):
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if not tries_left:
                        raise HomeInUse(self.root) from None
                time.sleep(LOCK_PAUSE_SECONDS)
            write_json(self.state_file, {"pid": os.getpid(), "state": "starting", "processes": {}})
            yield


class HomeInUse(Exception):  # noqa: N818 - read as a sentence
    """A platform already runs in this directory."""


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all, for its owner only."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False)
    draft.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The content of a JSON file; empty when it is not there or not whole."""
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
