"""Admission: how much of the platform one caller, and all callers together, may ask for at once.

Three walls, outermost first: a token bucket per caller and class of calls, a gate per service (so many calls at once, a
short wait, newest first), a breaker per service that stops asking one that does not answer. Without the gate, goodput
at three times the capacity fell to a quarter.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernel.errors import Busy, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

# Rows: who calls. Columns: class of the route. Values: calls a second, and how many may come at once. A person clicks;
# a counter's screen asks for ten things at once; a partner speaks for thousands of people.
_RATES: Mapping[str, Mapping[str, tuple[float, int]]] = {
    "citizen": {"READ": (20, 60), "WRITE": (5, 20), "HEAVY": (5, 20), "PUBLIC": (5, 20)},
    "staff": {"READ": (100, 400), "WRITE": (50, 200), "HEAVY": (50, 200), "PUBLIC": (20, 40)},
    "partner": {"READ": (2000, 4000), "WRITE": (1000, 2000), "HEAVY": (500, 1000), "PUBLIC": (20, 40)},
    "nobody": {"READ": (20, 60), "WRITE": (5, 20), "HEAVY": (5, 20), "PUBLIC": (5, 20)},
}
_BUCKETS_MAX = 50_000  # callers remembered; the one seen least recently starts afresh

CALLS_AT_ONCE = 96  # per service; the service itself refuses above 128, and retries and probes need room
QUEUE_SECONDS = 0.05  # whoever waits longer is better told to come again
_QUEUE_MAX = 256

_WINDOW_SECONDS = 10.0
_CALLS_MIN = 20  # fewer say nothing about a service
_FAILED_SHARE = 0.5
PROBE_SECONDS = 1.0


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a caller's limit, as the RateLimit headers say it."""

    policy: bytes
    state: bytes


class Rates:
    """Token buckets per caller and class."""

    def __init__(self, *, rates: Mapping[str, Mapping[str, tuple[float, int]]] = _RATES) -> None:
        self._rates = rates
        self._buckets: OrderedDict[tuple[str, str], _Bucket] = OrderedDict()
        self._policies = {
            (who, name): b'"%b";q=%d;w=%d' % (name.lower().encode(), burst, max(1, round(burst / rate)))
            for who, classes in rates.items()
            for name, (rate, burst) in classes.items()
        }

    def take(self, who: str, caller: str, rate_class: str) -> Allowance:
        """Count one call.

        Raises:
            Busy: RATE_LIMITED with the delay after which one more is allowed.
        """
        rate, burst = self._rates[who][rate_class]
        now = time.monotonic()
        key = (caller, rate_class)
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= _BUCKETS_MAX:
                self._buckets.popitem(last=False)
            bucket = self._buckets[key] = _Bucket(burst, now)
        else:
            self._buckets.move_to_end(key)
            bucket.tokens = min(burst, bucket.tokens + (now - bucket.at) * rate)
            bucket.at = now
        if bucket.tokens < 1:
            raise Busy("RATE_LIMITED", "the caller's limit is used up", retry_after=(1 - bucket.tokens) / rate)
        bucket.tokens -= 1
        left = int(bucket.tokens)
        state = b'"%b";r=%d;t=%d' % (rate_class.lower().encode(), left, max(1, round((burst - left) / rate)))
        return Allowance(self._policies[who, rate_class], state)


PRIORITIES = ("staff", "citizen", "partner", "bulk")


class Gate:
    """At most so many calls at once to one service; the others wait shortly, the newest of the most important first."""

    def __init__(self, *, at_once: int = CALLS_AT_ONCE, wait_seconds: float = QUEUE_SECONDS) -> None:
        self._free = at_once
        self._wait_seconds = wait_seconds
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {name: deque() for name in PRIORITIES}
        self._waiting_count = 0

    async def enter(self, priority: str) -> None:
        """Wait for a place.

        Raises:
            Busy: SERVER_BUSY when none came free in time.
        """
        if self._free > 0:
            self._free -= 1
            return
        if self._waiting_count >= _QUEUE_MAX:
            raise _busy()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue = self._waiting[priority]
        queue.append(turn)
        self._waiting_count += 1
        try:
            async with asyncio.timeout(self._wait_seconds):
                await turn
        except (TimeoutError, asyncio.CancelledError) as error:
            if turn.done() and not turn.cancelled():
                self.leave()  # the place was given in the moment in which the caller went away
            if isinstance(error, TimeoutError):
                raise _busy() from None
            raise
        finally:
            self._waiting_count -= 1
            if turn in queue:
                queue.remove(turn)

    def leave(self) -> None:
        """Give the place to whoever waits, or free it."""
        for queue in self._waiting.values():
            while queue:
                turn = queue.pop()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._free += 1


class Breaker:
    """Opens when half of at least twenty calls in ten seconds found nobody; then one call a second tries again."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._results: deque[tuple[float, bool]] = deque()
        self._failed = 0
        self._is_open = False
        self._probe_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether calls are refused at once."""
        return self._is_open

    def check(self) -> None:
        """Let the call through, or refuse it without asking the service.

        Raises:
            Unavailable: SERVICE_UNAVAILABLE.
        """
        if not self._is_open:
            return
        now = time.monotonic()
        if now < self._probe_at:
            raise Unavailable(
                "SERVICE_UNAVAILABLE", "the service did not answer lately", retry_after=1, service=self._service
            )
        self._probe_at = now + PROBE_SECONDS

    def record(self, *, answered: bool) -> None:
        """Note whether the service answered, whatever it said."""
        now = time.monotonic()
        if self._is_open:
            if answered:
                self._is_open = False
                self._results.clear()
                self._failed = 0
            return
        self._results.append((now, answered))
        self._failed += not answered
        while self._results and self._results[0][0] < now - _WINDOW_SECONDS:
            _, old = self._results.popleft()
            self._failed -= not old
        if len(self._results) >= _CALLS_MIN and self._failed >= len(self._results) * _FAILED_SHARE:
            self._is_open = True
            self._probe_at = now + PROBE_SECONDS


def _busy() -> Busy:
    return Busy("SERVER_BUSY", "too many calls at once", retry_after=1)
