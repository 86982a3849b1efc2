"""`hrss up`: one platform per home, back after a death, gone after the end, whatever the end is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from ops import children, up
from ops.home import ROOT, Home
from tests.ops.conditions import alive, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Small:
    """A small platform in a process of its own."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root)
        self.log = root.parent / f"{root.name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> dict[str, Any]:
        """Start it; returns the state once it runs."""
        with self.log.open("ab") as log:
            self.process = children.start(
                [sys.executable, "-m", "tests.ops.small_platform"], env=self._environment(), output=log, cwd=ROOT
            )
        until(self._is_running, seconds=60, what="the platform's start")
        return self.state()

    def run_second(self) -> subprocess.CompletedProcess[str]:
        """Start another one in the same home."""
        return subprocess.run(
            [sys.executable, "-m", "tests.ops.small_platform"],
            env=self._environment(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    def state(self) -> dict[str, Any]:
        """What the supervisor says."""
        state = self.home.state()
        assert state
        return state

    def pids(self) -> dict[str, int]:
        """The processes of the platform."""
        return {name: one["pid"] for name, one in self.state()["processes"].items()}

    def end(self, number: signal.Signals) -> int:
        """Send a signal to the supervisor and wait for its end."""
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(30)

    def _is_running(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.log.read_text()
        state = self.home.state()
        return bool(state) and state["state"] == "running" if state else False

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "HRSS_HOME": str(self.home.root)}


@pytest.fixture
def small(server_home: Path, request: pytest.FixtureRequest) -> Iterator[Small]:
    """A small platform that is not started yet, and surely gone afterwards."""
    platform = Small(server_home / str(request.node.name))
    yield platform
    if platform.process and platform.process.poll() is None:
        platform.end(signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_everything_in_order_and_in_time(small: Small, number: signal.Signals) -> None:
    small.start()
    pids = small.pids()

    started = time.monotonic()
    code = small.end(number)

    assert code == 0
    assert time.monotonic() - started < 15
    assert not [name for name, pid in pids.items() if alive(pid)]
    assert "database system is shut down" in small.home.log("postgres").read_text()
    assert small.home.state() is None


def test_killed_supervisor_leaves_no_orphan(small: Small) -> None:
    small.start()
    pids = small.pids()

    small.end(signal.SIGKILL)

    until(lambda: not any(alive(pid) for pid in pids.values()), seconds=30, what="the end of all processes")


def test_next_start_goes_on_where_the_killed_one_was(small: Small) -> None:
    small.start()
    pids = small.pids()
    small.end(signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in pids.values()), what="the end of all processes")
    keys = {path.name: path.read_bytes() for path in small.home.keys.iterdir()}

    small.start()

    assert {path.name: path.read_bytes() for path in small.home.keys.iterdir()} == keys
    assert small.end(signal.SIGTERM) == 0


def test_second_platform_in_the_same_home_is_refused(small: Small) -> None:
    first = small.start()

    second = small.run_second()

    assert second.returncode == 1
    assert "已有一个平台" in second.stdout
    assert "a platform already runs" in second.stdout
    assert small.state()["pid"] == first["pid"]
    small.end(signal.SIGTERM)


@pytest.mark.parametrize("name", ["postgres", "nats", "gateway"])
def test_whoever_is_killed_is_back_and_it_is_said_in_a_line(small: Small, name: str) -> None:
    small.start()
    before = small.pids()

    os.kill(before[name], signal.SIGKILL)
    until(lambda: small.state()["processes"][name]["restarts"] == 1, what="the restart")
    until(lambda: small.state()["processes"][name]["state"] == "ready", what="its readiness")

    after = small.pids()
    assert after[name] not in (0, before[name])
    assert {other: pid for other, pid in after.items() if other != name} == {
        other: pid for other, pid in before.items() if other != name
    }
    small.end(signal.SIGTERM)
    said = [line for line in small.log.read_text().splitlines() if name in line and "意外退出" in line]
    assert len(said) == 1


def test_restarted_server_keeps_its_port(small: Small) -> None:
    small.start()
    port = small.home.ready_file("postgres").read_text()

    os.kill(small.pids()["postgres"], signal.SIGKILL)
    until(lambda: small.state()["processes"]["postgres"]["restarts"] == 1, what="the restart")
    until(lambda: small.state()["processes"]["postgres"]["state"] == "ready", what="its readiness")

    assert small.home.ready_file("postgres").read_text().partition('"port"')[2] == port.partition('"port"')[2]
    small.end(signal.SIGTERM)


def test_down_stops_the_platform_and_says_when_there_is_none(small: Small) -> None:
    small.start()
    console = Console(record=True, width=120)

    assert up.down(small.home, console) == 0
    assert up.down(small.home, console) == 0

    text = console.export_text()
    assert "已停止" in text
    assert "没有正在运行的平台" in text


def test_production_is_refused(tmp_path: Path) -> None:
    console = Console(record=True, width=120)

    assert up.up(Home(tmp_path / "var"), {"HRSS_ENV": "prod"}, console) == 1
    assert "development" in console.export_text()
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"HRSS_HOME": "/dev/null"}, "HRSS_HOME"),
        ({"HRSS_UNHEARD_OF": "1"}, "HRSS_UNHEARD_OF"),
        ({"HRSS_ENV": "production"}, "HRSS_ENV"),
    ],
)
def test_what_cannot_work_is_said_in_one_sentence_before_anything_starts(
    tmp_path: Path, changes: dict[str, str], words: str
) -> None:
    environ = {**os.environ, "HRSS_HOME": str(tmp_path / "home"), **changes}

    command = [sys.executable, "-m", "ops.cli", "up"]
    answer = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    assert answer.returncode == 1
    assert words in answer.stdout
    assert "Traceback" not in answer.stdout + answer.stderr
    assert not (tmp_path / "home").exists()
