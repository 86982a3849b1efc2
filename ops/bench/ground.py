"""The ground that benchmarks stand on: a platform in a directory of its own, and further processes beside it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from ops import children, servers
from ops.bench.measure import cpu_of
from ops.bench.patience import NotReady, Patience
from ops.demo.main import FREE_PORTS, of_state
from ops.home import ROOT, Home, read_json
from ops.secrets import Keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

START_TRIES = 3
STOP_SECONDS = 60.0
_PAUSE_SECONDS = 0.01


@dataclass
class Process:
    """A process beside the platform."""

    name: str
    child: subprocess.Popen[bytes]
    ready_file: Path
    log: Path

    @property
    def pid(self) -> int:
        """Its id."""
        return self.child.pid

    @cached_property
    def ready(self) -> Mapping[str, Any]:
        """Wait until it says that it is ready, and what it says.

        Raises:
            NotReady: It did not in time, or ended.
        """
        patience = Patience(f"start of {self.name}")
        while (said := read_json(self.ready_file)).get("pid") != self.pid:
            try:
                self._look(patience)
            except NotReady as problem:
                self.child.kill()
                raise NotReady(f"{problem}: {self.log.read_text(errors='replace')[-2000:]}") from None
            time.sleep(_PAUSE_SECONDS)
        return said

    def _look(self, patience: Patience) -> None:
        if self.child.poll() is not None:
            raise NotReady(f"{self.name} did not start")
        patience.saw(cpu_of(self.pid))

    def stop(self) -> None:
        """Ask it to end, and see to it that it does."""
        self.child.terminate()
        try:
            self.child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


@dataclass
class Ground:
    """A directory with a platform in it, started when a benchmark first needs it."""

    home: Home
    environ: dict[str, str] = field(default_factory=dict)
    _platform: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HRSS_")}
        self.environ = {**inherited, **FREE_PORTS, "HRSS_HOME": str(self.home.root), **self.environ}

    def up(self, **environ: str) -> float:
        """Start the platform unless it runs; the seconds until it was ready."""
        if self._platform is not None:
            return 0.0
        log = self.home.root.with_suffix(".log")
        # On a busy machine the platform itself gives up on what starts too slowly; the next start goes on from there.
        for tries_left in reversed(range(START_TRIES)):
            try:
                return self._up(log, environ)
            except NotReady:
                self.down()
                if not tries_left:
                    raise
        raise AssertionError

    def _up(self, log: Path, environ: Mapping[str, str]) -> float:
        begun = time.perf_counter()
        with log.open("ab") as output:
            command = [sys.executable, "-m", "ops.cli", "up"]
            self._platform = children.start(command, env={**self.environ, **environ}, output=output, cwd=ROOT)
        patience = Patience(f"start of the platform, log {log}")
        while (self.home.state() or {}).get("state") != "running":
            if self._platform.poll() is not None:
                raise NotReady(f"the platform did not start: {log.read_text(errors='replace')[-2000:]}")
            patience.saw(cpu_of(self._platform.pid))
            time.sleep(_PAUSE_SECONDS)
        return time.perf_counter() - begun

    def down(self) -> None:
        """Stop the platform; its data stay."""
        process, self._platform = self._platform, None
        if process is not None:
            process.terminate()
            process.wait(STOP_SECONDS)

    @property
    def state(self) -> Mapping[str, Any]:
        """What the supervisor says."""
        state = self.home.state()
        if state is None:
            raise NotReady("the platform is gone")
        return state

    def pids(self) -> dict[str, int]:
        """Every process of the platform, with the supervisor."""
        running = {name: int(one["pid"] or 0) for name, one in self.state["processes"].items()}
        return {"supervisor": int(self.state["pid"]), **{name: pid for name, pid in running.items() if pid}}

    @property
    def databases(self) -> servers.Databases:
        """Its databases."""
        return servers.databases(self.home, self.environ)

    @property
    def broker(self) -> servers.Broker:
        """Its broker."""
        return servers.broker(self.home, self.environ)

    def partner_token(self, client_id: str) -> str:
        """An access token of a partner system."""
        secret = Keys(self.home.keys).password(f"idp-client-{client_id}")
        issuer = of_state(self.state, self.home).issuer
        form = {"grant_type": "client_credentials"}
        answer = httpx.post(f"{issuer}/token", data=form, auth=(client_id, secret), timeout=STOP_SECONDS)
        return str(answer.raise_for_status().json()["access_token"])

    def program(self, module: str, name: str, **environ: str) -> Process:
        """Start one more process of ours; ask it for `ready` before it is used."""
        ready_file, log = self.home.ready_file(f"bench-{name}"), self.home.log(f"bench-{name}")
        ready_file.unlink(missing_ok=True)
        told = {
            **self.environ,
            "HRSS_KEYS_DIR": str(self.home.keys),
            "HRSS_FILES_DIR": str(self.home.files),
            "HRSS_ENV": "dev",
            "HRSS_READY_FILE": str(ready_file),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "gen")]),
            **environ,
        }
        told = {
            variable: value for variable, value in told.items() if variable not in FREE_PORTS or variable in environ
        }
        with log.open("ab") as output:
            child = children.start([sys.executable, "-m", module], env=told, output=output, cwd=ROOT)
        return Process(name, child, ready_file, log)


@contextlib.contextmanager
def ground() -> Iterator[Ground]:
    """A fresh ground; platform and directory are gone afterwards."""
    root = Path(tempfile.mkdtemp(prefix="hrss-bench-")).resolve()
    root.chmod(0o711)  # PostgreSQL does not run as root and must pass through
    made = Ground(Home(root / "home"))
    try:
        yield made
    finally:
        made.down()
        shutil.rmtree(root, ignore_errors=True)
