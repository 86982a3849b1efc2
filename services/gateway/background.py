"""What the gateway does beside answering: the steps of cases are worked on, and what is said about them is relayed.

A broker that is away stops neither: facts wait in the outbox, and cases go on.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from chassis import audit_sealer, metrics, outbox
from chassis.audit_sealer import AuditSealer
from chassis.bus import Bus
from chassis.logs import get_logger
from chassis.outbox import Relay
from chassis.readiness import CHECK_TIMEOUT_SECONDS, Readiness

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from chassis.database import Database
    from services.gateway.cases.worker import Worker

log = get_logger(__name__)

WORKER_SECONDS = 6.0  # a call under way and its transaction; what is left is another's when the lease ends
RELAY_SECONDS = 2.5
BUS_SECONDS = 0.5


class Background:
    """The worker, the relay and the sealer of the audit of one process."""

    def __init__(self, database: Database, worker: Worker) -> None:
        self._database = database
        self._worker = worker
        settings = database.settings
        self._bus = Bus(settings.nats_url, settings.service) if settings.nats_url else None
        self.readiness = Readiness(database, self._bus, (), relays=self._bus is not None)
        self._stop_worker, self._stop_relay = asyncio.Event(), asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        self._relaying: asyncio.Task[None] | None = None
        self._sealing: asyncio.Task[None] | None = None

    @property
    def is_broker_away(self) -> bool:
        """Whether what is said waits in the outbox."""
        return self._bus is None or not self._bus.is_connected

    async def start(self) -> None:
        """Begin."""
        self._working = asyncio.create_task(self._worker.run(self._stop_worker), name="case worker")
        sealer = AuditSealer(self._database, self._bus)
        self._sealing = asyncio.create_task(sealer.run(self._stop_relay), name="audit")
        if self._bus is not None:
            await self._bus.start()
            self._relaying = asyncio.create_task(Relay(self._database, self._bus).run(self._stop_relay), name="relay")

    async def stop(self) -> None:
        """Finish what is under way, then hand over what was said; each within its limit."""
        self._stop_worker.set()
        await _within("case worker", self._working, WORKER_SECONDS)
        self._stop_relay.set()
        await _within("relay", self._relaying, RELAY_SECONDS)
        await _within("audit", self._sealing, RELAY_SECONDS)
        if self._bus is not None:
            await _within("bus", self._bus.close(), BUS_SECONDS)

    async def refresh(self) -> None:
        """Bring the gauges of the outbox up to date for a scrape."""
        metrics.POOL_IN_USE.set(self._database.in_use)
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            behind = await outbox.status(self._database)
            audit_sealer.show(await audit_sealer.status(self._database))
        metrics.OUTBOX_PENDING.set(behind.pending)
        metrics.OUTBOX_LAG.set(behind.oldest_seconds)


async def _within(step: str, work: Awaitable[None] | None, seconds: float) -> None:
    """Wait for one step of the end; one that takes too long is told to the log and left behind."""
    if work is None:
        return
    try:
        await asyncio.wait_for(work, seconds)
    except TimeoutError:
        log.warning("stop_step_too_long", step=step)
    except Exception:
        log.exception("stop_step_failed", step=step)
