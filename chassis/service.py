"""A service: the declaration of what exists, and the life of the process that runs it.

Start: logs → telemetry → database and schema → bus in the background → consumers, relay, jobs → gRPC server → ready.
End: readiness off → (2 s in production) → no new calls, 10 s for those here → stop fetching → relay → connections →
2 s to send the last spans → exit 0. A broker that is away stops neither, nor does a database that is not there yet.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from chassis import audit_sealer, collector, inbox, logs, metrics, outbox, telemetry
from chassis.audit_sealer import AuditSealer
from chassis.bus import Bus
from chassis.database import Database
from chassis.inbox import Consumer, ConsumerLoop
from chassis.logs import get_logger
from chassis.operations import Figures, OperationsRpc, State, nothing
from chassis.outbox import Relay
from chassis.principal import Verifier
from chassis.readiness import CHECK_TIMEOUT_SECONDS, Readiness
from chassis.rpc import Server, Servicer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from chassis.config import Settings
    from chassis.jobs import JobKind
    from chassis.timetable import Entry

log = get_logger(__name__)

DRAIN_SECONDS = 10.0  # a call lives 5 s at most, its transaction little longer
CONSUMERS_SECONDS = 3.0  # one batch of facts
RELAY_SECONDS = 2.5  # it hands over for two seconds; what is left stays in the outbox
BUS_SECONDS = 0.5
END_SECONDS = 12.5  # all steps together, without the delay before and the flush after: P14 allows 15 s
CHECK_SECONDS = 1.0  # how often readiness is looked at
AWAIT_SECONDS = 0.2  # the same while the process waits for its database to start
RESTART_SECONDS = 1.0  # pause before a part that failed is started again


@dataclass(frozen=True, kw_only=True)
class Service:
    """What a service consists of."""

    settings: Settings
    servicers: Sequence[Servicer] = ()
    consumers: Sequence[Consumer] = ()
    jobs: Sequence[JobKind] = ()
    timetable: Sequence[Entry] = ()
    on_start: Sequence[Callable[[Database], Awaitable[None]]] = field(default=())
    figures: Figures = nothing
    # What a service does by itself from time to time, by name; ends when it is told to stop. Runs where jobs run.
    background: Mapping[str, Callable[[Database, asyncio.Event], Awaitable[None]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The service's name."""
        return self.settings.service


def run(build: Callable[[Any], Service], settings: Settings) -> None:
    """Run a service until it is told to stop; ends the process with its exit code."""
    if not settings.database_url:
        sys.stderr.write(
            f"无法启动 {settings.service}：缺少 HRSS_DATABASE_URL；试用请运行 hrss up / "
            f"cannot start {settings.service}: HRSS_DATABASE_URL is missing; hrss up starts everything\n"
        )
        raise SystemExit(2)
    logs.configure(settings)
    telemetry.start(settings)
    try:
        # grpc.aio runs on uvloop as well as on asyncio's own loop, for 10 % less CPU a call.
        import uvloop  # noqa: PLC0415 - not needed by tests that import this module

        code = uvloop.run(_live(build, settings))
    except Exception as error:
        log.exception("start_failed")
        sys.stderr.write(f"无法启动 {settings.service}：{logs.describe(error)} / cannot start {settings.service}\n")
        code = 1
    finally:
        telemetry.stop()
    sys.stderr.flush()
    raise SystemExit(code)


async def _live(build: Callable[[Any], Service], settings: Settings) -> int:
    process = Process(build(settings))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, process.ask_to_stop)
    return await process.live()


class Process:
    """One running process of a service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.settings = service.settings
        self.rpc_port = 0
        self._asked = asyncio.Event()
        self._stop_consuming = asyncio.Event()
        self._stop_relay = asyncio.Event()
        self._missing: dict[str, str] = {"start": "starting"}
        self._parts: dict[str, asyncio.Task[None]] = {}
        self._loops: list[ConsumerLoop] = []
        self._database = Database(self.settings)
        self._bus = Bus(self.settings.nats_url, self.settings.service) if self.settings.nats_url else None
        self._readiness = Readiness(self._database, self._bus, self._loops, relays=self.settings.has_role("relay"))
        self._server: Server | None = None
        self._monitor = metrics.Monitor(
            self.settings.rpc_host, self.settings.metrics_port, readiness=self._answer, refresh=self._refresh
        )

    def ask_to_stop(self) -> None:
        """Begin the end; asked a second time, end at once."""
        if self._asked.is_set():
            os._exit(1)
        self._asked.set()

    async def live(self) -> int:
        """Start, serve until asked to stop, end in order."""
        watch = asyncio.create_task(metrics.watch_loop())
        starting = asyncio.create_task(self._start())
        asked = asyncio.create_task(self._asked.wait())
        try:
            await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await asked
        finally:
            starting.cancel()
            asked.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await self._end()
            watch.cancel()
        return 0

    async def _start(self) -> None:
        begun = time.monotonic()
        if self.settings.has_role("rpc") and self.service.servicers:
            verifier = Verifier(self.settings.keys_dir)
            servicers = [*self.service.servicers, self._operations()]
            self._server = Server(self.settings, self._database, servicers, verifier)
        await self._monitor.start()
        await self._await_database()
        for action in self.service.on_start:
            await action(self._database)
        if self._bus is not None:
            await self._bus.start()
        self._start_parts()
        if self._server is not None:
            self.rpc_port = await self._server.start()
        await self._check()
        self._part("readiness", self._watch_readiness)
        collector.spare_what_stays()
        self._write_ready_file()
        log.info(
            "service_ready",
            rpc_port=self.rpc_port,
            metrics_port=self._monitor.port,
            seconds=round(time.monotonic() - begun, 3),
        )

    async def _await_database(self) -> None:
        """Wait until the database answers and has our schema; a migration may still be running."""
        said = ""
        while state := await self._readiness.database_state():
            if state != said:
                log.warning("waiting_for_database", state=state)
                said = state
            self._missing = {"database": state}
            await asyncio.sleep(AWAIT_SECONDS)

    def _start_parts(self) -> None:
        if self._bus is not None and self.settings.has_role("relay"):
            relay = Relay(self._database, self._bus)
            self._part("relay", lambda: relay.run(self._stop_relay))
        if self.settings.has_role("relay"):
            sealer = AuditSealer(self._database, self._bus)
            self._part("audit", lambda: sealer.run(self._stop_relay))
        if self._bus is not None and self.settings.has_role("consumer"):
            for consumer in self.service.consumers:
                loop = ConsumerLoop(self._database, self._bus, consumer)
                self._loops.append(loop)
                self._part(f"consumer-{consumer.producer}", _running(loop, self._stop_consuming))
        if self.settings.has_role("jobs") and self.service.jobs:
            from chassis.worker import Worker  # noqa: PLC0415 - not needed by services without jobs

            worker = Worker(self._database, list(self.service.jobs))
            self._part("jobs", lambda: worker.run(self._stop_consuming))
        if self.settings.has_role("jobs") and self.settings.has_timetable and self.service.timetable:
            from chassis.timekeeper import Timekeeper  # noqa: PLC0415 - the same

            keeper = Timekeeper(self._database, list(self.service.timetable))
            self._part("timetable", lambda: keeper.run(self._stop_consuming))
        if self.settings.has_role("jobs"):
            for name, work in self.service.background.items():
                self._part(name, partial(work, self._database, self._stop_consuming))

    def _part(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        self._parts[name] = asyncio.create_task(_supervised(name, work), name=name)

    async def _end(self) -> None:
        """Stop in the order that loses nothing; every step has its limit, because any neighbour may be away."""
        self._missing = {"stop": "stopping"}
        log.info("service_stopping")
        if self.settings.ready_file is not None:
            self.settings.ready_file.unlink(missing_ok=True)
        if self._server is not None and self.rpc_port:
            await self._server.serving(is_ready=False)
            await asyncio.sleep(self.settings.shutdown_delay)
        until = time.monotonic() + END_SECONDS
        if self._server is not None:
            await _within("rpc", self._server.stop(DRAIN_SECONDS), DRAIN_SECONDS + 0.5, until)
        self._stop_consuming.set()
        others = [task for name, task in self._parts.items() if name not in {"relay", "audit", "readiness"}]
        await _within("consumers", _ended(others), CONSUMERS_SECONDS, until)
        self._stop_relay.set()
        handing_over = [self._parts[name] for name in ("relay", "audit") if name in self._parts]
        await _within("relay", _ended(handing_over), RELAY_SECONDS, until)
        for task in self._parts.values():
            task.cancel()
        await asyncio.gather(*self._parts.values(), return_exceptions=True)
        if self._bus is not None:
            await _within("bus", self._bus.close(), BUS_SECONDS, until)
        await _within("database", self._database.close(), END_SECONDS, until)
        await _within("monitor", self._monitor.stop(), BUS_SECONDS, until + BUS_SECONDS)
        log.info("service_stopped")

    def _operations(self) -> OperationsRpc:
        """The service that tells the gateway how this one is doing."""
        bus = self._bus
        state = State(lambda: self._missing, lambda: bus is None or not bus.is_connected, self._loops)
        return OperationsRpc(state, self.service.figures)

    # -- readiness and metrics

    async def _answer(self) -> dict[str, str]:
        return self._missing

    async def _watch_readiness(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            await self._check()

    async def _check(self) -> None:
        """Say at /readyz and in the health service what stands in the way of work."""
        missing = await self._readiness.missing()
        if self._asked.is_set():
            return
        if missing != self._missing:
            log.info("readiness_changed", missing=missing)
        self._missing = missing
        if self._server is not None and self.rpc_port:
            await self._server.serving(is_ready="database" not in missing)

    async def _refresh(self) -> None:
        """Bring the gauges of the durable parts up to date for a scrape."""
        metrics.POOL_IN_USE.set(self._database.in_use)
        async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
            behind = await outbox.status(self._database)
            metrics.OUTBOX_PENDING.set(behind.pending)
            metrics.OUTBOX_LAG.set(behind.oldest_seconds)
            audit_sealer.show(await audit_sealer.status(self._database))
            facts = await inbox.status(self._database)
            metrics.WAITING.set(facts.waiting)
            metrics.PARKED.set(facts.parked)
            for loop in self._loops:
                pending, unacknowledged = await loop.lag()
                metrics.CONSUMER_PENDING.labels(loop.consumer.producer).set(pending)
                metrics.CONSUMER_UNACKNOWLEDGED.labels(loop.consumer.producer).set(unacknowledged)

    def _write_ready_file(self) -> None:
        path = self.settings.ready_file
        if path is not None:
            text = json.dumps({"pid": os.getpid(), "rpc_port": self.rpc_port, "metrics_port": self._monitor.port})
            fresh = path.with_name(f"{path.name}.{os.getpid()}")
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(path)


def _running(loop: ConsumerLoop, stop: asyncio.Event) -> Callable[[], Awaitable[None]]:
    return lambda: loop.run(stop)


async def _supervised(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Keep a part alive: one that fails is told to the log and started again."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("part_failed", part=name)
            await asyncio.sleep(RESTART_SECONDS)
        else:
            return


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    if tasks:
        await asyncio.wait(tasks)


async def _within(step: str, work: Awaitable[Any], seconds: float, until: float) -> None:
    """Do one step of the end; one that takes too long or fails is told to the log and left behind."""
    try:
        async with asyncio.timeout(max(0.1, min(seconds, until - time.monotonic()))):
            await work
    except TimeoutError:
        log.warning("stop_step_too_long", step=step)
    except Exception:
        log.exception("stop_step_failed", step=step)
