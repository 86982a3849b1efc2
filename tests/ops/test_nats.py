"""The embedded NATS: messages survive, and a service can do nothing but its own work."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import nats
import pytest
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig

from ops.embedded.nats import SERVICES, EmbeddedNats, EmbeddedNatsError, find_binary, inbox_prefix, permissions
from ops.home import ROOT
from tests.ops.conditions import alive, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from nats.aio.client import Client

    from ops.secrets import Keys

STREAM = "hrss-enrollment"


@asynccontextmanager
async def connected(server: EmbeddedNats, user: str, errors: asyncio.Queue[str] | None = None) -> AsyncIterator[Client]:
    """A client as the services connect; permission errors appear nowhere but in its callback."""

    async def heard(error: Exception) -> None:
        if errors is not None:
            errors.put_nowait(str(error))

    client = await nats.connect(server.url(user), inbox_prefix=inbox_prefix(user).encode(), error_cb=heard)
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
async def stream(nats_server: EmbeddedNats) -> AsyncIterator[EmbeddedNats]:
    """The server with enrollment's stream and the two consumers of it."""
    async with connected(nats_server, "admin") as admin:
        js = admin.jetstream()
        for left in await js.streams_info():  # other tests of the session use the same server
            await js.delete_stream(str(left.config.name))
        await js.add_stream(StreamConfig(name=STREAM, subjects=["hrss.enrollment.v1.>"]))
        for name in ("benefits", "gateway"):
            await js.add_consumer(STREAM, ConsumerConfig(durable_name=name, ack_policy=AckPolicy.EXPLICIT))
        yield nats_server
        await js.delete_stream(STREAM)


async def test_a_service_publishes_its_facts_and_another_pulls_and_acknowledges_them(stream: EmbeddedNats) -> None:
    async with connected(stream, "enrollment") as producer, connected(stream, "benefits") as consumer:
        await producer.jetstream().publish("hrss.enrollment.v1.PersonRegistered", b"fact")

        subscription = await consumer.jetstream().pull_subscribe_bind("benefits", stream=STREAM)
        (message,) = await subscription.fetch(1, timeout=5)
        await message.ack_sync(timeout=5)

        assert message.data == b"fact"
        assert (await subscription.consumer_info()).num_pending == 0


@pytest.mark.parametrize(
    "subject",
    [
        "hrss.enrollment.v1.PersonRegistered",
        "hrss.benefits.v2.Anything",
        f"$JS.API.STREAM.DELETE.{STREAM}",
        f"$JS.API.STREAM.PURGE.{STREAM}",
        f"$JS.API.STREAM.MSG.GET.{STREAM}",
        f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.gateway",
        f"$JS.API.CONSUMER.DELETE.{STREAM}.benefits",
        f"$JS.API.CONSUMER.CREATE.{STREAM}.spy",
        f"$JS.ACK.{STREAM}.gateway.1.1.1.1.1",
        "$SYS.REQ.SERVER.PING",
    ],
)
async def test_a_service_may_publish_nothing_else(stream: EmbeddedNats, subject: str) -> None:
    errors: asyncio.Queue[str] = asyncio.Queue()
    async with connected(stream, "benefits", errors) as client:
        await client.publish(subject, b"{}")
        refusal = await asyncio.wait_for(errors.get(), 5)

    assert "permissions violation" in refusal.lower()


@pytest.mark.parametrize("subject", ["hrss.>", "hrss.enrollment.v1.>", ">", "_INBOX_enrollment.>", "_INBOX.>", "$JS.>"])
async def test_a_service_may_not_listen_past_its_consumer(stream: EmbeddedNats, subject: str) -> None:
    errors: asyncio.Queue[str] = asyncio.Queue()
    async with connected(stream, "benefits", errors) as client:
        await client.subscribe(subject)
        refusal = await asyncio.wait_for(errors.get(), 5)

    assert "permissions violation" in refusal.lower()


@pytest.mark.parametrize("login", [{}, {"user": "enrollment", "pass": "wrong"}, {"user": "nobody", "pass": ""}])
def test_unknown_user_and_wrong_password_are_refused(nats_server: EmbeddedNats, login: dict[str, str]) -> None:
    with (
        socket.create_connection(("127.0.0.1", nats_server.port), timeout=5) as client,
        client.makefile("rb") as answers,
    ):
        assert answers.readline().startswith(b"INFO ")
        client.sendall(f"CONNECT {json.dumps({'verbose': False, **login})}\r\nPING\r\n".encode())

        assert answers.readline() == b"-ERR 'Authorization Violation'\r\n"


async def test_acknowledged_messages_survive_kill_9(tmp_path: Path) -> None:
    server = EmbeddedNats(tmp_path / "nats").start()
    async with connected(server, "admin") as admin:
        js = admin.jetstream()
        for left in await js.streams_info():  # other tests of the session use the same server
            await js.delete_stream(str(left.config.name))
        await js.add_stream(StreamConfig(name=STREAM, subjects=["hrss.enrollment.v1.>"]))
        for number in range(20):
            await js.publish("hrss.enrollment.v1.PersonRegistered", str(number).encode())
    assert server.process

    server.process.kill()
    server.process.wait()

    with server.start():
        async with connected(server, "admin") as admin:
            assert (await admin.jetstream().stream_info(STREAM)).state.messages == 20


def test_server_is_gone_after_its_parent_was_killed(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys\nfrom ops.embedded.nats import EmbeddedNats\n"
        "server = EmbeddedNats(pathlib.Path(sys.argv[1])).start()\n"
        "print(server.process.pid, flush=True)\nserver.process.wait()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "nats")], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    server = int(parent.stdout.readline())
    assert alive(server)

    parent.kill()
    parent.wait()
    parent.stdout.close()

    until(lambda: not alive(server), what="the server's end")


def test_failure_to_start_carries_the_servers_words(nats_server: EmbeddedNats, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedNatsError, match="address already in use"):
        EmbeddedNats(tmp_path / "nats", port=nats_server.port).start()


def test_each_message_is_flushed_before_it_is_acknowledged(nats_server: EmbeddedNats) -> None:
    assert '"sync_interval": "always"' in (nats_server.root / "server.conf").read_text()


def test_passwords_stand_in_private_files_only(nats_server: EmbeddedNats, server_keys: Keys) -> None:
    configuration = nats_server.root / "server.conf"

    assert configuration.stat().st_mode & 0o777 == 0o600
    assert nats_server.root.stat().st_mode & 0o777 == 0o700
    assert server_keys.password("nats-enrollment") in configuration.read_text()
    assert server_keys.password("nats-enrollment") not in nats_server.log.read_text()


def test_production_file_is_accepted_and_gives_each_user_the_same_rights() -> None:
    file = ROOT / "deploy" / "nats" / "hrss.conf"
    passwords = {f"HRSS_NATS_{user.upper()}_PASSWORD": "x" for user in ("admin", *SERVICES)}

    result = subprocess.run([find_binary(), "-t", "-c", str(file)], env=passwords, capture_output=True, check=False)

    assert result.returncode == 0, result.stderr.decode()
    text = file.read_text()
    assert "sync_interval: always" in text
    for service in SERVICES:
        _, _, block = text.partition(f"user: {service},")
        block = block.partition("user:")[0]
        for kind, subjects in permissions(service).items():
            (line,) = [line for line in block.splitlines() if line.strip().startswith(f"{kind}:")]
            assert json.loads(line.partition(":")[2]) == subjects
