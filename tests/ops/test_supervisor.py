"""The supervisor: needs before those who need them, back after a death, down in order, and an honest failure."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from ops.home import Home
from ops.supervisor import Happening, StartFailed, State, Supervisor
from ops.units import Program
from tests.ops.conditions import alive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

READY = """
import json, os, signal, sys, time
path = os.environ["HRSS_READY_FILE"]
open(path + "~", "w").write(json.dumps({"pid": os.getpid()}))
os.rename(path + "~", path)
"""
SERVES = READY + "signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)" + READY + "\nwhile True: time.sleep(1)"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A prepared home."""
    home = Home(tmp_path / "var")
    home.prepare()
    return home


def a_program(home: Home, name: str, code: str = SERVES, **options: object) -> Program:
    """A program that runs that code."""
    return Program(name, [sys.executable, "-c", code], dict(os.environ), home, **options)  # type: ignore[arg-type]  # the options of one test


class Scene:
    """A supervisor, what it told, and a switch that ends it."""

    def __init__(self, *units: Program) -> None:
        self.told: list[Happening] = []
        self.stop_when: Callable[[], bool] = lambda: False
        self.supervisor = Supervisor(units, tell=self.told.append, is_stopping=self._is_stopping)

    def _is_stopping(self) -> bool:
        return self.stop_when()

    def names(self, state: State) -> list[str]:
        """Who came into that state, in order."""
        return [happening.name for happening in self.told if happening.state is state]

    def stop(self, *levels: tuple[tuple[str, ...], float]) -> list[str]:
        """Stop everything."""
        return self.supervisor.stop(levels, is_hurried=lambda: False)

    def watch_until(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        """Watch until the condition holds."""
        deadline = time.monotonic() + seconds
        self.stop_when = lambda: condition() or time.monotonic() > deadline
        self.supervisor.watch()
        self.stop_when = lambda: False
        assert condition()


def test_units_start_after_what_they_need(home: Home) -> None:
    scene = Scene(a_program(home, "gateway", needs=("backend",)), a_program(home, "backend"), a_program(home, "traces"))

    scene.supervisor.start()

    order = [(happening.name, happening.state) for happening in scene.told]
    assert order.index(("backend", State.READY)) < order.index(("gateway", State.STARTING))
    assert order.index(("traces", State.STARTING)) < order.index(("backend", State.READY))
    assert scene.stop((("gateway", "backend", "traces"), 5.0)) == []


def test_step_runs_once_and_others_wait_for_its_success(home: Home) -> None:
    step = a_program(home, "migrate", "print('done')", is_step=True)
    scene = Scene(step, a_program(home, "service", needs=("migrate",)))

    scene.supervisor.start()
    pid = scene.supervisor.watched["service"].unit.pid()
    scene.watch_until(lambda: bool(pid))

    assert scene.names(State.STARTING) == ["migrate", "service"]
    assert scene.names(State.DIED) == []
    scene.stop((("service",), 5.0))


def test_step_that_fails_ends_the_start_with_its_words(home: Home) -> None:
    step = a_program(home, "migrate", "import sys; sys.exit('no such table')", is_step=True)
    scene = Scene(step, a_program(home, "service", needs=("migrate",)))

    with pytest.raises(StartFailed, match="no such table") as failure:
        scene.supervisor.start()

    assert failure.value.unit == "migrate"
    assert "service" not in scene.names(State.STARTING)


def test_wrong_settings_end_the_start_at_once(home: Home) -> None:
    scene = Scene(a_program(home, "service", "import sys; print('HRSS_X is wrong'); sys.exit(2)"))

    with pytest.raises(StartFailed, match="HRSS_X is wrong"):
        scene.supervisor.start()

    assert scene.names(State.STARTING) == ["service"]


def test_program_that_never_stands_is_given_up(home: Home) -> None:
    scene = Scene(a_program(home, "service", "raise SystemExit('boom')"))

    with pytest.raises(StartFailed, match="boom"):
        scene.supervisor.start()

    assert scene.supervisor.watched["service"].restarts == 3


def test_killed_program_is_back_and_the_others_are_untouched(home: Home) -> None:
    scene = Scene(a_program(home, "one"), a_program(home, "two"))
    scene.supervisor.start()
    one, two = (scene.supervisor.watched[name].unit.pid() for name in ("one", "two"))

    os.kill(one, signal.SIGKILL)
    scene.watch_until(lambda: scene.names(State.READY).count("one") == 2)

    (death,) = [happening for happening in scene.told if happening.state is State.DIED]
    assert (death.name, death.exit_code) == ("one", -signal.SIGKILL)
    assert scene.supervisor.watched["one"].unit.pid() not in (0, one)
    assert scene.supervisor.watched["two"].unit.pid() == two
    scene.stop((("one", "two"), 5.0))


def test_pauses_grow_while_a_program_keeps_dying(home: Home) -> None:
    scene = Scene(a_program(home, "service", READY + "time.sleep(0.2)"))
    scene.supervisor.start()

    scene.watch_until(lambda: len(scene.names(State.DIED)) == 3)

    pauses = [happening.pause for happening in scene.told if happening.state is State.DIED]
    assert pauses == [0.2, 0.4, 0.8]
    scene.stop((("service",), 5.0))


def test_old_ready_file_does_not_count(home: Home) -> None:
    home.ready_file("service").write_text('{"pid": 1}')
    program = a_program(home, "service", "import signal; signal.pause()")

    program.start()

    assert not program.is_ready()
    program.kill()


def test_levels_stop_one_after_the_other(home: Home) -> None:
    scene = Scene(a_program(home, "database"), a_program(home, "service"))
    scene.supervisor.start()
    pids = [watched.unit.pid() for watched in scene.supervisor.watched.values()]

    killed = scene.stop((("service",), 5.0), (("database",), 5.0))

    assert killed == []
    assert scene.names(State.STOPPED) == ["service", "database"]
    assert not any(alive(pid) for pid in pids)


def test_program_that_does_not_stop_is_killed_after_its_time(home: Home) -> None:
    scene = Scene(a_program(home, "service", STUBBORN))
    scene.supervisor.start()
    pid = scene.supervisor.watched["service"].unit.pid()

    assert scene.stop((("service",), 0.1)) == ["service"]
    assert not alive(pid)


def test_second_request_to_stop_does_not_wait(home: Home) -> None:
    scene = Scene(a_program(home, "service", STUBBORN))
    scene.supervisor.start()

    started = time.monotonic()
    killed = scene.supervisor.stop([(("service",), 60.0)], is_hurried=lambda: True)

    assert killed == ["service"]
    assert time.monotonic() - started < 10


def test_output_goes_to_a_private_log(home: Home) -> None:
    scene = Scene(a_program(home, "service", "print('hello', flush=True)\n" + SERVES))
    scene.supervisor.start()
    scene.stop((("service",), 5.0))

    assert home.log("service").read_text() == "hello\n"
    assert home.log("service").stat().st_mode & 0o777 == 0o600
