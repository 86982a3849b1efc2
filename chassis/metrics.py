"""Metrics in the text format of Prometheus, and the small HTTP server that shows them beside health and readiness.

The server is a few lines over asyncio, because three fixed GET answers need no framework in every service. Names are
declared in docs/telemetry.md; labels never hold anything of a person.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

from chassis.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

log = get_logger(__name__)

# 5 ms to 5 s: below is noise of the machine, above is past the deadline of the edge.
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

RPC_SECONDS = Histogram(
    "hrss_rpc_server_seconds", "Time from the arrival of a call to its answer.", ["method", "code"], buckets=_SECONDS
)
CALLS_IN_FLIGHT = Gauge("hrss_rpc_server_in_flight", "Calls that are being answered.")
CALLS_REFUSED = Counter("hrss_rpc_server_busy", "Calls that were refused because too many were in flight.")
OUTBOX_PENDING = Gauge("hrss_outbox_pending", "Outbox rows that are not published.")
OUTBOX_LAG = Gauge("hrss_outbox_lag_seconds", "Age of the oldest outbox row that is not published.")
CONSUMER_PENDING = Gauge("hrss_consumer_pending", "Messages that a consumer has not been given.", ["consumer"])
CONSUMER_UNACKNOWLEDGED = Gauge("hrss_consumer_unacknowledged", "Messages given and not acknowledged.", ["consumer"])
WAITING = Gauge("hrss_inbox_waiting", "Facts that wait for an earlier one.")
PARKED = Gauge("hrss_inbox_parked", "Facts that need a person.")
AUDIT_UNSEALED = Gauge("hrss_audit_unsealed", "Audit rows that are not chained yet.")
AUDIT_UNSEALED_AGE = Gauge("hrss_audit_unsealed_age_seconds", "Age of the oldest audit row that is not chained.")
AUDIT_UNSIGNED = Gauge("hrss_audit_unsigned", "Chained audit rows that no checkpoint signs yet.")
AUDIT_CHECKPOINT_AGE = Gauge("hrss_audit_checkpoint_age_seconds", "Time since the last checkpoint of the audit.")
AUDIT_BROKEN = Gauge("hrss_audit_broken", "1 where seals are missing or a checkpoint differs outside.")
UNSEAL_REFUSED = Counter("hrss_unseal_refused", "Reads of staff that were refused because of the hourly quota.")
TIMETABLE_STARTS = Counter("hrss_timetable_starts", "Starts by the timetable.", ["entry", "state"])
TIMETABLE_TROUBLE = Gauge("hrss_timetable_trouble", "Starts that failed and no later one made up for.", ["state"])
TIMETABLE_LOOKED = Gauge("hrss_timetable_looked_timestamp_seconds", "When the timetable was looked at last.")
LOOP_LAG = Gauge("hrss_event_loop_lag_seconds", "Longest delay of the event loop in the last second.")
POOL_IN_USE = Gauge("hrss_database_pool_in_use", "Database connections that are lent out.")

LOOP_LAG_ALARM_SECONDS = 0.1
_LAG_EVERY_SECONDS = 0.1
_LAG_WINDOW = 10  # samples: the gauge shows the worst of a second, a scrape would miss a single one

_HEAD_MAX = 8192  # a scrape's request is a few hundred bytes
_READ_SECONDS = 5
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


class Monitor:
    """Serves /metrics, /healthz (the event loop turns) and /readyz (nothing stands in the way of work).

    Args:
        readiness: Answers what stands in the way, by part; empty means ready.
        refresh: Brings gauges up to date before they are shown.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        readiness: Callable[[], Awaitable[Mapping[str, str]]],
        refresh: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._host, self._port = host, port
        self._readiness = readiness
        self._refresh = refresh
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._port

    async def start(self) -> None:
        """Listen; port 0 takes a free one."""
        self._server = await asyncio.start_server(self._serve, self._host, self._port, limit=_HEAD_MAX)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and let go of who is connected."""
        if self._server is not None:
            self._server.close()
            for task in list(self._open):
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            async with asyncio.timeout(_READ_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            status, kind, body = await self._answer(head)
            writer.write(
                f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                "Cache-Control: no-store\r\nConnection: close\r\n\r\n".encode()
                + body
            )
            await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked went away, or never finished asking
        finally:
            self._open.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _answer(self, head: bytes) -> tuple[int, str, bytes]:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method != b"GET":
            return 405, "text/plain", b"GET only\n"
        if path == b"/metrics":
            if self._refresh is not None:
                with contextlib.suppress(Exception):  # old numbers are better than none while the database is away
                    await self._refresh()
            return 200, "text/plain; version=0.0.4; charset=utf-8", generate_latest(REGISTRY)
        if path == b"/healthz":
            return 200, "application/json", b'{"alive":true}\n'
        if path == b"/readyz":
            missing = await self._readiness()
            body = json.dumps({"ready": not missing, "missing": dict(missing)}) + "\n"
            return 503 if missing else 200, "application/json", body.encode()
        return 404, "text/plain", b"not found\n"


async def watch_loop() -> None:
    """Measure for ever how late the event loop is; long work on the loop shows here first."""
    recent = [0.0] * _LAG_WINDOW
    turn = 0
    while True:
        before = time.perf_counter()
        await asyncio.sleep(_LAG_EVERY_SECONDS)
        lag = max(0.0, time.perf_counter() - before - _LAG_EVERY_SECONDS)
        recent[turn % _LAG_WINDOW] = lag
        turn += 1
        LOOP_LAG.set(max(recent))
        if lag > LOOP_LAG_ALARM_SECONDS:
            log.warning("event_loop_late", lag_ms=round(lag * 1000))
