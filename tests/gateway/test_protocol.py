"""Connections end: whatever a client without a login sends or does not send, it cannot keep one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from kernel.errors import InvalidInput
from services.gateway.edge import exchange, protocol
from services.gateway.edge.exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

REFUSED = b"HTTP/1.1 401"
QUICK = 0.3


async def refuses(_scope: Any, _receive: Any, send: Any) -> None:
    """Answers without reading the body, as the edge does for somebody without a login."""
    await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """A server that refuses everything and waits only shortly."""
    monkeypatch.setattr(protocol, "REST_SECONDS", QUICK)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        refuses,
        http=protocol.BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        timeout_keep_alive=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listener]))
    yield listener.getsockname()[1]
    server.should_exit = True
    await serving


async def closed_after(reader: asyncio.StreamReader, seconds: float) -> bool:
    """Whether the other side closes within so many seconds."""
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(seconds):
            await reader.read()
            return True
    return reader.at_eof()


async def test_a_body_that_comes_after_its_refusal_does_not_keep_the_connection(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(REFUSED)

    writer.write(b"a")  # ended the server's keep-alive timer

    assert await closed_after(reader, QUICK * 4)
    writer.close()


async def test_bytes_that_begin_no_request_do_not_keep_the_connection(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /v1/x HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(REFUSED)

    writer.write(b"\r\n")

    assert await closed_after(reader, 3)
    writer.close()


async def test_a_body_that_comes_in_time_leaves_the_connection_usable(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(REFUSED)
    writer.write(b"abc")
    await asyncio.sleep(QUICK * 1.5)  # longer than the rest of a body may take

    writer.write(b"GET /v1/x HTTP/1.1\r\nHost: x\r\n\r\n")

    assert (await reader.readuntil(b"\r\n\r\n")).startswith(REFUSED)
    assert await closed_after(reader, 3)  # and then it is idle as any other
    writer.close()


@pytest.mark.parametrize("first", [[], [{"type": "http.request", "body": b"{", "more_body": True}]])
async def test_a_body_that_is_announced_and_never_sent_is_refused(
    first: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "BODY_SECONDS", 0.05)
    pieces = list(first)

    async def receive() -> dict[str, Any]:
        return pieces.pop() if pieces else await asyncio.Future()

    scope = {"method": "POST", "path": "/v1/x", "headers": [(b"content-length", b"100")]}
    async with asyncio.timeout(20):
        with pytest.raises(InvalidInput, match="BODY_TOO_SLOW"):
            await Exchange.of(scope, receive).body(1000)
