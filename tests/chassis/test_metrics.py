"""The small HTTP server: three answers, and whatever else is sent does no harm."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

import pytest

from chassis import metrics
from chassis.metrics import Monitor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class State:
    """What the test says stands in the way."""

    def __init__(self) -> None:
        self.missing: dict[str, str] = {}
        self.refreshed = 0

    async def readiness(self) -> dict[str, str]:
        """What is missing."""
        return self.missing

    async def refresh(self) -> None:
        """Fail, as it does while the database is away."""
        self.refreshed += 1
        raise ConnectionError


@contextlib.asynccontextmanager
async def running(state: State) -> AsyncIterator[int]:
    monitor = Monitor("127.0.0.1", 0, readiness=state.readiness, refresh=state.refresh)
    await monitor.start()
    try:
        yield monitor.port
    finally:
        await monitor.stop()


async def send(port: int, data: bytes) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, body


async def get(port: int, path: str) -> tuple[int, bytes]:
    return await send(port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())


async def test_metrics_are_shown_although_fresh_numbers_could_not_be_had() -> None:
    state = State()
    metrics.RPC_SECONDS.labels("/a/B", "OK").observe(0.01)
    async with running(state) as port:
        status, body = await get(port, "/metrics")

    assert status == 200
    assert b'hrss_rpc_server_seconds_count{code="OK",method="/a/B"}' in body
    assert b"hrss_event_loop_lag_seconds" in body
    assert state.refreshed == 1


async def test_readiness_names_what_is_missing_while_the_process_lives() -> None:
    state = State()
    async with running(state) as port:
        assert await get(port, "/readyz") == (200, b'{"ready": true, "missing": {}}\n')
        state.missing = {"database": "does not answer"}
        status, body = await get(port, "/readyz?verbose=1")
        alive, _ = await get(port, "/healthz")

    assert (status, alive) == (503, 200)
    assert json.loads(body)["missing"] == {"database": "does not answer"}


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /etc/passwd HTTP/1.1\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\n\r\n", 405),
        (b"\x00\xff\r\n\r\n", 405),
        (b"GET " + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", 0),
    ],
)
async def test_anything_else_is_refused(data: bytes, status: int) -> None:
    async with running(State()) as port:
        try:
            assert (await send(port, data))[0] == status
        except ConnectionError:
            assert status == 0
        assert (await get(port, "/healthz"))[0] == 200
