"""Whether a process can do its work: progress, not connection.

The database answers and has our schema, the relay is not far behind, each consumer moves or has nothing to do. While
the broker is away nothing moves, and that is no reason to refuse commands: the outbox keeps what they say.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from chassis import outbox, schema
from kernel.errors import DomainError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.bus import Bus
    from chassis.database import Database
    from chassis.inbox import ConsumerLoop

CHECK_TIMEOUT_SECONDS = 2.0
RELAY_LAG_MAX_SECONDS = 30.0
STUCK_SECONDS = 30.0  # a consumer with something pending moves within that time


class Readiness:
    """Looks at what stands in the way of work, by part; an empty answer means ready."""

    def __init__(self, database: Database, bus: Bus | None, loops: Sequence[ConsumerLoop], *, relays: bool) -> None:
        self._database = database
        self._bus = bus
        self._loops = loops
        self._relays = relays
        self._progress = Progress()

    async def missing(self) -> dict[str, str]:
        """What stands in the way."""
        if state := await self.database_state():
            return {"database": state}
        if self._bus is None or not self._bus.is_connected:
            return {}
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
                return await self._behind()
        except (DomainError, TimeoutError, OSError):
            return {}  # who did not answer just now is seen by its own check next time

    async def database_state(self) -> str:
        """What is wrong with the database, empty when nothing is."""
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
                is_current = await schema.is_current(self._database, self._database.settings.service)
        except (DomainError, TimeoutError):
            return "does not answer"
        return "" if is_current else "schema is older"

    async def _behind(self) -> dict[str, str]:
        found: dict[str, str] = {}
        if self._relays:
            status = await outbox.status(self._database)
            if status.oldest_seconds > RELAY_LAG_MAX_SECONDS:
                found["relay"] = f"{status.oldest_seconds:.0f} s behind"
        for loop in self._loops:
            producer = loop.consumer.producer
            if self._progress.is_stuck(producer, await loop.lag(), time.monotonic()):
                found[f"consumer {producer}"] = "does not move"
        return found


class Progress:
    """Remembers when each consumer moved last."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[tuple[int, int], float]] = {}

    def is_stuck(self, name: str, lag: tuple[int, int], now: float) -> bool:
        """Whether a consumer has had the same things pending for too long.

        Args:
            name: The consumer.
            lag: Messages that it was not given, and those it did not acknowledge.
            now: Seconds of a clock that only goes forward.
        """
        before, since = self._last.get(name, (lag, now))
        if lag != before or not any(lag):
            since = now
        self._last[name] = (lag, since)
        return now - since > STUCK_SECONDS
