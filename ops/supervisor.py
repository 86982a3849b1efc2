"""The supervisor: starts units in the order of their needs, restarts what dies, stops everything in reverse order.

One loop in the main thread, which looks at its units twenty times a second. It knows nothing about what the units do;
`ops.platform` says which there are and `ops.up` tells people what happens.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ops.units import Unit

LOOK_SECONDS = 0.05
START_SECONDS = 90.0  # a first start with migrations on a slow machine
BACKOFF_SECONDS, BACKOFF_SECONDS_MAX = 0.2, 10.0
STEADY_SECONDS = 30.0  # who lived that long starts again with the shortest pause
START_TRIES = 3  # deaths before the first readiness after which the start is given up
SETTINGS_WRONG = 2  # exit code of a process whose settings are wrong: starting it again cannot help


class State(Enum):
    """Where a unit stands."""

    PENDING = "pending"
    STARTING = "starting"
    READY = "ready"
    DIED = "died"
    STOPPED = "stopped"


class StartFailed(Exception):  # noqa: N818 - read as a sentence
    """A unit could not be started; `unit` is its name and the text its last words."""

    def __init__(self, unit: str, words: str) -> None:
        super().__init__(words)
        self.unit = unit


@dataclass
class Watched:
    """A unit and what happened to it."""

    unit: Unit
    state: State = State.PENDING
    since: float = 0.0
    restarts: int = 0
    was_ready: bool = False
    backoff: float = BACKOFF_SECONDS
    again_at: float = 0.0


@dataclass(frozen=True)
class Happening:
    """Something to tell: a unit changed its state."""

    name: str
    state: State
    seconds: float = 0.0
    exit_code: int | None = None
    pause: float = 0.0
    is_restart: bool = False


class Supervisor:
    """Keeps units running.

    Args:
        units: In starting order; each may need units before it.
        tell: Hears of every change, after `watched` shows it.
        is_stopping: Asked all the time; True ends `start` and `watch` early.
    """

    def __init__(
        self, units: Sequence[Unit], *, tell: Callable[[Happening], None], is_stopping: Callable[[], bool]
    ) -> None:
        self.watched = {unit.name: Watched(unit) for unit in units}
        self._tell = tell
        self._is_stopping = is_stopping

    def start(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Start everything and wait until it is ready; `meanwhile` is called in each round and must not wait.

        Raises:
            StartFailed: A unit died again and again, or was not ready in time.
        """
        deadline = time.monotonic() + START_SECONDS
        while not self._is_stopping() and not all(watched.was_ready for watched in self.watched.values()):
            self._look()
            late = [watched for watched in self.watched.values() if not watched.was_ready]
            if time.monotonic() > deadline and late:
                raise StartFailed(late[0].unit.name, f"not ready in {START_SECONDS:.0f} s\n{late[0].unit.log_tail()}")
            meanwhile()
            time.sleep(LOOK_SECONDS)

    def watch(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Restart what dies, until asked to stop; `meanwhile` as in `start`."""
        while not self._is_stopping():
            self._look()
            meanwhile()
            time.sleep(LOOK_SECONDS)

    def stop(self, levels: Sequence[tuple[Sequence[str], float]], *, is_hurried: Callable[[], bool]) -> list[str]:
        """Stop level by level; returns the names of those who had to be killed.

        Args:
            levels: Names that stop together with the seconds they get, first those that nobody needs.
            is_hurried: True when nobody wants to wait any longer; the rest is then killed.
        """
        killed: list[str] = []
        for names, seconds in levels:
            units = [self.watched[name].unit for name in names if name in self.watched]
            for unit in units:
                unit.ask_to_stop()
            deadline = time.monotonic() + seconds
            while any(unit.pid() for unit in units) and time.monotonic() < deadline and not is_hurried():
                time.sleep(LOOK_SECONDS / 2)
            for unit in units:
                if unit.pid():
                    killed.append(unit.name)
                    unit.kill()
                self._change(self.watched[unit.name], State.STOPPED)
        return killed

    # -- inside

    def _look(self) -> None:
        for watched in self.watched.values():
            if self._is_stopping():
                return
            match watched.state:
                case State.PENDING if all(self.watched[need].was_ready for need in watched.unit.needs):
                    self._start(watched)
                case State.DIED if time.monotonic() >= watched.again_at:
                    watched.restarts += 1
                    self._start(watched)
                case State.STARTING if watched.unit.is_ready():
                    self._ready(watched)
                case State.STARTING | State.READY if watched.unit.exit_code() is not None:
                    self._died(watched)
                case _:
                    pass

    def _start(self, watched: Watched) -> None:
        self._change(watched, State.STARTING)
        try:
            watched.unit.start()
        except (OSError, RuntimeError) as error:
            if not watched.was_ready:
                raise StartFailed(watched.unit.name, str(error)) from error
            self._died(watched)
        else:
            if watched.unit.is_ready():
                self._ready(watched)

    def _ready(self, watched: Watched) -> None:
        seconds = time.monotonic() - watched.since
        watched.was_ready = True
        self._change(watched, State.READY, seconds=seconds, is_restart=watched.restarts > 0)

    def _died(self, watched: Watched) -> None:
        code = watched.unit.exit_code()
        if watched.unit.is_step and watched.state is State.READY:
            return  # a step that did its work
        if not watched.was_ready and (
            watched.unit.is_step or code == SETTINGS_WRONG or watched.restarts >= START_TRIES
        ):
            raise StartFailed(watched.unit.name, watched.unit.log_tail() or f"exit code {code}")
        if watched.state is State.READY and time.monotonic() - watched.since > STEADY_SECONDS:
            watched.backoff = BACKOFF_SECONDS
        pause = watched.backoff
        watched.again_at = time.monotonic() + pause
        watched.backoff = min(pause * 2, BACKOFF_SECONDS_MAX)
        self._change(watched, State.DIED, exit_code=code, pause=pause)

    def _change(
        self,
        watched: Watched,
        state: State,
        *,
        seconds: float = 0.0,
        exit_code: int | None = None,
        pause: float = 0.0,
        is_restart: bool = False,
    ) -> None:
        watched.state = state
        watched.since = time.monotonic()
        self._tell(Happening(watched.unit.name, state, seconds, exit_code, pause, is_restart))
