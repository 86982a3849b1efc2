"""What a supervisor starts: servers of ours, programs of ours, and steps that end by themselves.

A unit knows how to start, whether it is ready, and how to stop; when to do that is the supervisor's business. All of
them are started from the main thread (see `ops.children`).
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ops import children
from ops.home import read_json, write_json

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence

    from ops.embedded.nats import EmbeddedNats
    from ops.embedded.postgres import EmbeddedPostgres
    from ops.home import Home

TAIL_BYTES = 2000  # a traceback's end
LOG_BYTES_MAX = 20 * 1024 * 1024  # a log that grew beyond is renamed to .1 at the next start of its process


class Unit(Protocol):
    """Something that runs."""

    name: str
    needs: tuple[str, ...]
    is_step: bool

    def start(self) -> None:
        """Start it; raises when that is not possible at all."""

    def pid(self) -> int:
        """Its process id; 0 when it does not run."""

    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""

    def is_ready(self) -> bool:
        """Whether those who need it may start."""

    def ask_to_stop(self) -> None:
        """Begin the end, without waiting."""

    def kill(self) -> None:
        """End it at once and wait for that."""

    def log_tail(self) -> str:
        """Its last words."""


@dataclass
class Program:
    """A process of ours that says in its ready file when it is ready."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    home: Home
    needs: tuple[str, ...] = ()
    is_step: bool = False
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _log_start: int = 0

    def start(self) -> None:
        """Start the process with its output in its log file."""
        ready_file = self.home.ready_file(self.name)
        ready_file.unlink(missing_ok=True)
        path = self.home.log(self.name)
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            path.rename(path.with_suffix(".log.1"))
        with path.open("ab") as log:
            path.chmod(0o600)
            self._log_start = log.tell()
            environment = {**self.environment, "HRSS_READY_FILE": str(ready_file)}
            self.process = children.start(self.argv, env=environment, output=log)

    def pid(self) -> int:
        """The process id."""
        return self.process.pid if self.process and self.process.poll() is None else 0

    def exit_code(self) -> int | None:
        """How the process ended."""
        return self.process.poll() if self.process else None

    def is_ready(self) -> bool:
        """A step is ready when it ended well; a program when this very process says so."""
        if self.is_step:
            return self.exit_code() == 0
        return bool(self.pid()) and read_json(self.home.ready_file(self.name)).get("pid") == self.pid()

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        if self.process and self.process.poll() is None:
            self.process.terminate()

    def kill(self) -> None:
        """Send SIGKILL."""
        if self.process:
            children.stop(self.process)

    def log_tail(self) -> str:
        """The end of what this process wrote, without what others wrote before it."""
        return _tail(self.home, self.name, self._log_start)


@dataclass
class Server:
    """An embedded server, whose launcher waits until it is ready."""

    name: str
    server: EmbeddedPostgres | EmbeddedNats
    home: Home
    stop_signal: signal.Signals
    needs: tuple[str, ...] = ()
    is_step: bool = False

    def start(self) -> None:
        """Start the server; crash recovery is part of it."""
        self.home.ready_file(self.name).unlink(missing_ok=True)
        self.server.start()
        write_json(self.home.ready_file(self.name), {"pid": self.pid(), "port": self.server.port})

    def pid(self) -> int:
        """The process id."""
        process = self.server.process
        return process.pid if process and process.poll() is None else 0

    def exit_code(self) -> int | None:
        """How the server ended."""
        return self.server.process.poll() if self.server.process else None

    def is_ready(self) -> bool:
        """It is ready as soon as `start` returns."""
        return bool(self.pid())

    def ask_to_stop(self) -> None:
        """Begin an orderly shutdown."""
        if self.pid():
            assert self.server.process
            self.server.process.send_signal(self.stop_signal)

    def kill(self) -> None:
        """For PostgreSQL an immediate shutdown, which leaves no process of its own behind; then force."""
        if self.server.process:
            children.stop(self.server.process, (signal.SIGQUIT, 3.0))

    def log_tail(self) -> str:
        """The end of the log."""
        return _tail(self.home, self.name)


def _tail(home: Home, name: str, first: int = 0) -> str:
    try:
        with home.log(name).open("rb") as file:
            start = max(first, file.seek(0, 2) - TAIL_BYTES)
            file.seek(start)
            if start > first:
                file.readline()  # what is left of a line
            return file.read().decode(errors="replace").strip()
    except FileNotFoundError:
        return ""
