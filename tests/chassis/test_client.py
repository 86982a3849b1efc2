"""The channel of the gateway: services come and go behind it, and callers do not notice."""

from __future__ import annotations

import asyncio
import socket
import time
from datetime import date
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from chassis.client import Backend, Deadline
from chassis.config import Settings
from chassis.database import Database
from chassis.principal import Principal, Signer, Verifier, create_keys
from chassis.problems import Fault
from chassis.rpc import Call, Server
from kernel.errors import Unavailable
from tests.chassis.echo import pb
from tests.chassis.echo_service import Echo

if TYPE_CHECKING:
    from pathlib import Path

NOWHERE = "127.0.0.1:9"
TRY = "/hrss.echo.v1.EchoService/Try"


class Flaky(Echo):
    """Refuses the first calls, then answers."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.calls = 0

    async def Try(self, request: Any, _call: Call) -> Any:
        """Answer what was asked, unless it is still refusing."""
        self.calls += 1
        if self.calls <= self.refusals:
            raise Unavailable("DATABASE_UNAVAILABLE", "not now", retry_after=2)
        await asyncio.sleep(0.002)
        return pb.TryResponse(text=request.text)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("keys")
    create_keys(directory)
    return directory


async def a_server(keys: Path, servicer: Echo, port: int = 0) -> tuple[Server, int]:
    settings = Settings(
        env="test", service="echo", keys_dir=keys, rpc_port=port, database_url=f"postgresql://{NOWHERE}/x"
    )
    # Nothing here needs the database, so it is one that nobody ever connects to.
    server = Server(settings, Database(settings), [servicer], Verifier(keys))
    return server, await server.start()


async def ask(backend: Backend, text: str = "x", seconds: float = 5.0) -> str:
    reply = await backend.call(
        TRY,
        pb.TryRequest(text=text).SerializeToString(),
        principal=Principal.anonymous(),
        today=date(2025, 11, 23),
        deadline=Deadline.after(seconds),
    )
    return str(pb.TryResponse.FromString(reply.body).text)


async def test_a_rolling_restart_under_load_fails_no_call(keys: Path) -> None:
    ports, servers = [0, 0], []
    for index in range(2):
        server, ports[index] = await a_server(keys, Flaky())
        servers.append(server)
    address = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)
    backend = Backend("echo", address, Signer(keys))
    done, stop = 0, asyncio.Event()

    async def load() -> None:
        nonlocal done
        while not stop.is_set():
            assert await ask(backend, str(done)) is not None
            done += 1

    callers = [asyncio.create_task(load()) for _ in range(8)]
    for index, server in enumerate(list(servers)):
        await server.stop(5)
        fresh = Flaky()
        servers[index], _ = await a_server(keys, fresh, ports[index])
        # As whoever rolls a service does: the next one only when the one before has work again.
        async with asyncio.timeout(30):
            while fresh.calls < 50:
                await asyncio.wait(callers, timeout=0.01, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    results = await asyncio.gather(*callers, return_exceptions=True)

    await backend.close()
    for server in servers:
        await server.stop(0)
    assert results == [None] * 8
    assert done >= 200


async def test_a_service_that_is_away_for_a_moment_is_asked_again(keys: Path) -> None:
    flaky = Flaky(refusals=2)
    server, port = await a_server(keys, flaky)
    backend = Backend("echo", f"127.0.0.1:{port}", Signer(keys))

    assert await ask(backend, "at last") == "at last"

    await backend.close()
    await server.stop(0)
    assert flaky.calls == 3


async def test_it_is_not_asked_for_ever(keys: Path) -> None:
    flaky = Flaky(refusals=100)
    server, port = await a_server(keys, flaky)
    backend = Backend("echo", f"127.0.0.1:{port}", Signer(keys))

    with pytest.raises(Unavailable) as caught:
        await ask(backend)

    await backend.close()
    await server.stop(0)
    assert (caught.value.reason, caught.value.retry_after) == ("DATABASE_UNAVAILABLE", 2)
    assert flaky.calls == 4


async def test_a_peer_that_accepts_and_never_answers_costs_no_more_than_the_deadline(keys: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        backend = Backend("echo", f"127.0.0.1:{silent.getsockname()[1]}", Signer(keys))
        before = time.monotonic()

        with pytest.raises((Fault, Unavailable)) as caught:
            await ask(backend, seconds=0.5)

        await backend.close()
    assert time.monotonic() - before < 3
    if isinstance(caught.value, Fault):
        assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_readiness_of_the_channel_has_a_limit(keys: Path) -> None:
    server, port = await a_server(keys, Flaky())
    signer = Signer(keys)
    there, away = Backend("echo", f"127.0.0.1:{port}", signer), Backend("echo", "127.0.0.1:9", signer)

    assert await there.ready(5)
    assert not await away.ready(0.1)

    await there.close()
    await away.close()
    await server.stop(0)
