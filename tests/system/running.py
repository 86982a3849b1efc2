"""A whole platform for a test: `hrss up` in a directory of its own, with the handles a test needs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from ops import children
from ops.demo.main import FREE_PORTS, of_state
from ops.home import ROOT, Home
from ops.servers import databases

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ops.demo.stage import Platform

READY_SECONDS = 240.0
SMALL = 40  # employees of a story in a test
SETTLE_SECONDS = 30.0  # P5: all services agree again


class Running:
    """A platform that runs as its own processes."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self.home = Home(root)
        self.environ = {**os.environ, **FREE_PORTS, **environ, "HRSS_HOME": str(root)}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def platform(self) -> Platform:
        """Where it is reached."""
        return of_state(self.state, self.home)

    @property
    def state(self) -> dict[str, Any]:
        """What the supervisor says."""
        state = self.home.state()
        assert state is not None, "the supervisor is gone"
        return state

    def pid(self, name: str) -> int:
        """Pid of a running process, 0 while it is down."""
        return int(self.state["processes"][name]["pid"] or 0)

    def restarts(self, name: str) -> int:
        """How often a process was started again."""
        return int(self.state["processes"][name]["restarts"])

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Kill one process of the platform."""
        if pid := self.pid(name):
            os.kill(pid, number)

    def owner_url(self, service: str) -> str:
        """Database of a service as its owner."""
        return databases(self.home, self.environ).owner_urls[service]

    def start(self) -> None:
        """Start and wait until it is ready."""
        with (self.home.root.parent / f"{self.home.root.name}.log").open("ab") as log:
            command = [sys.executable, "-m", "ops.cli", "up"]
            self.process = children.start(command, env=self.environ, cwd=ROOT, output=log)
        limit = time.monotonic() + READY_SECONDS
        while time.monotonic() < limit:
            assert self.process.poll() is None, log.name
            state = self.home.state()
            if state is not None and state["state"] == "running":
                return
            time.sleep(0.05)
        raise AssertionError(f"not ready in {READY_SECONDS} s: {log.name}")

    def stop(self) -> int:
        """Stop as Ctrl-C does; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


@contextlib.contextmanager
def running(root: Path, **environ: str) -> Iterator[Running]:
    """A running platform below `root`, stopped at the end."""
    home = Running(root, environ)
    home.start()
    try:
        yield home
    finally:
        if home.process is not None and home.process.poll() is None:
            home.stop()


async def settled(platform: Running) -> None:
    """Wait until everything that was said has been heard (`hrss status --settled`)."""
    limit = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < limit:
        status = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ops.cli", "status", "--settled"),
            env=platform.environ,
            cwd=ROOT,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        if await status.wait() == 0:
            return
    raise AssertionError(f"not settled after {SETTLE_SECONDS} s")
