"""Worker processes: work of the processor that would hold up the event loop of a service.

They are spawned, never forked (gRPC and NATS have threads), when the first work comes, and end soon after the last.
What runs there must be importable by name and take and give what can be pickled.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from kernel.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

IDLE_SECONDS = 20.0  # starting one costs half a second, keeping one 50 MiB
PROCESSES_MAX = 2  # beside the database, which works for the same job


class Processes:
    """A few processes beside this one, started on demand."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._running = 0
        self._end: asyncio.TimerHandle | None = None

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in a process and wait for its result; what it raises is raised here.

        Raises:
            Conflict: CONCURRENT_CHANGE: the process was killed; the same work may be tried again.
        """
        if self._end is not None:
            self._end.cancel()
            self._end = None
        if self._pool is None:
            size = max(1, min(PROCESSES_MAX, os.cpu_count() or 1))
            self._pool = ProcessPoolExecutor(size, mp_context=multiprocessing.get_context("spawn"))
        pool = self._pool
        self._running += 1
        try:
            return await asyncio.wrap_future(pool.submit(function, *args, **kwargs))
        except BrokenProcessPool:
            if self._pool is pool:
                self._pool = None
            pool.shutdown(wait=False)
            raise Conflict("CONCURRENT_CHANGE", "a worker process was ended") from None
        finally:
            self._running -= 1
            if not self._running:
                self._end = asyncio.get_running_loop().call_later(IDLE_SECONDS, self.close)

    def close(self) -> None:
        """Let the processes end; a later run starts new ones."""
        if self._pool is not None and not self._running:
            self._pool.shutdown(wait=False)
            self._pool = None
