"""`hrss up` and `hrss down`: run the platform of a home until told to stop."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from chassis.config import KNOWN
from ops import platform
from ops.display import Display
from ops.embedded.nats import EmbeddedNatsError
from ops.embedded.postgres import EmbeddedPostgresError
from ops.home import ROOT, Home, HomeInUse, write_json
from ops.servers import ServerUnknown
from ops.supervisor import Happening, StartFailed, State, Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

    from rich.console import Console

    from ops.platform import Platform

DETACH_SECONDS = 120.0
DOWN_SECONDS = 20.0
POLL_SECONDS = 0.05


class Interrupts:
    """Counts requests to stop: the first ends in order, the second at once."""

    def __init__(self) -> None:
        self.count = 0

    def listen(self) -> None:
        """Take SIGINT, SIGTERM and SIGHUP (a terminal that was closed)."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._heard)

    def is_stopping(self) -> bool:
        """Whether to stop."""
        return self.count > 0

    def is_hurried(self) -> bool:
        """Whether to stop without waiting any longer."""
        return self.count > 1

    def _heard(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1


class DemoOffer:
    """Asks on the terminal whether to play the demo, and plays it beside the running platform."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._is_asked = self._is_answered = False
        self._demo: subprocess.Popen[bytes] | None = None

    def __call__(self) -> None:
        """One look at the keyboard; never waits."""
        if not self._is_asked:
            self._is_asked = True
            question = "现在播放“一生社保”演示吗？ / Play the working life now? [Y/n] "
            self._console.print(question, end="", highlight=False, markup=False)
        elif not self._is_answered and select.select([sys.stdin], [], [], 0)[0]:
            self._is_answered = True
            answer = sys.stdin.readline()
            if answer and answer.strip().lower() in ("", "y", "yes", "是"):
                self._demo = subprocess.Popen([sys.executable, "-m", "ops.cli", "demo"], stdin=subprocess.DEVNULL)
        elif self._demo:
            self._demo.poll()  # collects it when it ended


def up(
    home: Home,
    environ: Mapping[str, str],
    console: Console,
    *,
    plan: Callable[[Home, Mapping[str, str]], Platform] = platform.plan,
    offer: Callable[[], None] | None = None,
) -> int:
    """Run what is planned in the foreground until SIGINT or SIGTERM; returns the exit code.

    `offer` is called again and again while everything runs, and never waits.
    """
    if environ.get("HRSS_ENV", "dev") not in ("dev", "test"):
        text = (
            "hrss up 只用于开发（HRSS_ENV=dev 或 test）；生产环境请逐个启动服务 / "
            "hrss up is for development (HRSS_ENV=dev or test); run each service in production"
        )
        return _refuse(console, text)
    if wrong := unknown_variables(environ):
        return _refuse(console, f"不认识的变量 {'、'.join(wrong)} / unknown variables: {', '.join(wrong)}")
    try:
        home.prepare()
        with home.locked():
            return _run(home, plan(home, environ), console, offer)
    except OSError as error:
        return _refuse(console, _unusable(home, error))
    except HomeInUse:
        text = f"已有一个平台在 {home.root} 运行 / a platform already runs in {home.root}: hrss status, hrss down"
        return _refuse(console, text)
    except (platform.PortTaken, ServerUnknown, EmbeddedPostgresError, EmbeddedNatsError) as error:
        return _refuse(console, str(error))


def up_detached(home: Home, environ: Mapping[str, str], console: Console) -> int:
    """Run the platform in the background; returns when it is ready, or with what went wrong."""
    if home.state() is not None:
        text = f"已有一个平台在 {home.root} 运行 / a platform already runs in {home.root}: hrss status, hrss down"
        return _refuse(console, text)
    try:
        home.prepare()
    except OSError as error:
        return _refuse(console, _unusable(home, error))
    path = home.log("supervisor")
    with path.open("wb") as log:
        path.chmod(0o600)
        process = subprocess.Popen(
            [sys.executable, "-m", "ops.cli", "up"],
            env={**environ, "HRSS_HOME": str(home.root)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            start_new_session=True,
        )
    deadline = time.monotonic() + DETACH_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            console.print(path.read_text(errors="replace").strip(), highlight=False, markup=False)
            return process.returncode or 1
        state = home.state()
        if state and state["pid"] == process.pid and state["state"] == "running":
            console.print(path.read_text(errors="replace").strip(), highlight=False, markup=False)
            process.returncode = 0  # it lives on without us; Popen would warn of a child that was not waited for
            return 0
        time.sleep(POLL_SECONDS)
    return _refuse(console, f"{DETACH_SECONDS:.0f} 秒内未就绪 / not ready in {DETACH_SECONDS:.0f} s: {path}")


def down(home: Home, console: Console) -> int:
    """Stop the platform of a home and wait for its end."""
    state = home.state()
    if state is None:
        console.print("没有正在运行的平台 / no platform is running", highlight=False)
        return 0
    os.kill(state["pid"], signal.SIGTERM)
    started = time.monotonic()
    while home.state() is not None:
        if time.monotonic() - started > DOWN_SECONDS:
            return _refuse(console, f"进程 {state['pid']} 仍在运行 / process {state['pid']} still runs")
        time.sleep(POLL_SECONDS)
    console.print(f"已停止 / stopped ({time.monotonic() - started:.1f} s)", highlight=False)
    return 0


def _run(home: Home, planned: Platform, console: Console, offer: Callable[[], None] | None) -> int:
    interrupts = Interrupts()
    interrupts.listen()
    display = Display([unit.name for unit in planned.units], console)
    recorder = _Recorder(home, planned)

    def tell(happening: Happening) -> None:
        recorder.record(supervisor)
        display.tell(happening)

    supervisor = Supervisor(planned.units, tell=tell, is_stopping=interrupts.is_stopping)
    code = 0
    display.begin()
    try:
        supervisor.start(display.refresh)
        if not interrupts.is_stopping():
            display.running(planned, home)
            recorder.state = "running"
            recorder.record(supervisor)
            supervisor.watch(offer or (lambda: None))
    except StartFailed as failure:
        display.end()
        console.print(f"[red]✗[/] {failure.unit} 无法启动 / could not be started:", highlight=False)
        console.print(str(failure), highlight=False, markup=False)
        code = 1
    finally:
        started = time.monotonic()
        recorder.state = "stopping"
        killed = supervisor.stop(platform.STOP_LEVELS, is_hurried=interrupts.is_hurried)
        display.stopped(killed, time.monotonic() - started)
        home.state_file.unlink(missing_ok=True)
    return code


class _Recorder:
    """Keeps the state file true, for `hrss status` and everybody beside."""

    def __init__(self, home: Home, planned: Platform) -> None:
        self._file = home.state_file
        self._planned = planned
        self.state = "starting"

    def record(self, supervisor: Supervisor) -> None:
        """Write down how things stand."""
        now, clock = time.time(), time.monotonic()
        processes = {
            name: {
                "pid": watched.unit.pid(),
                "state": watched.state.value,
                "since": round(now - (clock - watched.since), 3) if watched.since else 0,
                "restarts": watched.restarts,
                "is_step": watched.unit.is_step,
            }
            for name, watched in supervisor.watched.items()
        }
        content = {
            "pid": os.getpid(),
            "state": self.state,
            "gateway_url": self._planned.gateway_url,
            "issuer": self._planned.issuer,
            "traces_url": self._planned.traces_url,
            "processes": processes,
        }
        write_json(self._file, content)


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """HRSS_* variables that no process of the platform reads: better said before anything starts."""
    known = KNOWN | {f"{name}_FILE" for name in KNOWN}
    return sorted(name for name in environ if name.startswith("HRSS_") and name not in known)


def _unusable(home: Home, error: OSError) -> str:
    return (
        f"目录 {home.root} 不能使用（{error.strerror}），请用 HRSS_HOME 指定可写的目录 / "
        f"the directory {home.root} cannot be used ({error.strerror}): name a writable one in HRSS_HOME"
    )


def _refuse(console: Console, text: str) -> int:
    console.print(f"[red]✗[/] {text}", highlight=False, soft_wrap=True)
    return 1


def is_up(state: Mapping[str, object]) -> bool:
    """Whether every process of a state file stands."""
    processes = state.get("processes")
    assert isinstance(processes, dict)
    return state.get("state") == "running" and all(one["state"] == State.READY.value for one in processes.values())
