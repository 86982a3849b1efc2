"""The servers die under load: nothing acknowledged is lost, nothing is doubled, and all agree again without a hand."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chassis import bus as chassis_bus
from chassis import inbox, migrate, outbox, sealed
from chassis.bus import Bus
from chassis.config import Settings
from chassis.database import Database
from chassis.inbox import ConsumerLoop
from chassis.once import RequestKey, once
from chassis.outbox import Relay
from kernel.errors import Busy, Conflict, Unavailable
from ops.embedded.nats import EmbeddedNats
from ops.embedded.postgres import EmbeddedPostgres
from ops.secrets import Keys
from tests.chassis.conditions import until
from tests.chassis.demo import CLERK, MIGRATIONS, TODAY, a_consumer, written
from tests.chassis.test_events import running, strokes
from tests.plugins.databases import owner_fetch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chassis.transaction import Transaction

KEYS = 5


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory for servers that this test alone may kill."""
    directory = Path(tempfile.mkdtemp(prefix="hrss-faults-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory)


def a_database(postgres: EmbeddedPostgres, home: Path, name: str) -> Database:
    migrate.upgrade("demo", postgres.owner_url(name), f"{name}_app", migrations=MIGRATIONS)
    sealed.create_keys(home / "sealed", "demo")
    return Database(
        Settings(
            env="test",
            service="demo",
            database_url=postgres.app_url(name),
            database_owner_url=postgres.owner_url(name),
            keys_dir=home / "sealed",
        )
    )


class Client:
    """Asks for one change after the other, repeating each with its request id until it is answered."""

    def __init__(self, database: Database, key: str) -> None:
        self.database = database
        self.key = key
        self.acknowledged = 0

    async def ask(self, stop: asyncio.Event) -> None:
        """Keep asking until told to stop."""
        while not stop.is_set():
            request = RequestKey("app|li", "/demo/Write", secrets.token_hex(8), b"body")
            while True:
                try:
                    await once(self.database, request, self.change, principal=CLERK, today=TODAY)
                except (Unavailable, Busy, Conflict):
                    await asyncio.sleep(0.05)  # as a client does between attempts
                else:
                    break
            self.acknowledged += 1

    async def change(self, tx: Transaction) -> bytes:
        """One row and one fact."""
        await tx.execute("INSERT INTO stroke (note, version, value) VALUES ($1, 0, 1)", self.key)
        tx.emit(written(self.key, 1))
        return b"done"


@pytest.mark.slow
async def test_killed_servers_lose_nothing_and_double_nothing(home: Path) -> None:
    keys = Keys(home / "keys")
    consumer = a_consumer()
    with (
        EmbeddedPostgres(home / "pg", keys=keys, databases=["says", "hears"]) as postgres,
        EmbeddedNats(home / "nats", keys=keys) as nats,
    ):
        says, hears = a_database(postgres, home, "says"), a_database(postgres, home, "hears")
        await chassis_bus.provision(nats.admin_url, streams=["enrollment"], consumers={"benefits": [consumer]})
        sending, hearing = Bus(nats.url("enrollment"), "enrollment"), Bus(nats.url("benefits"), "benefits")
        await sending.start()
        await hearing.start()
        clients = [Client(says, f"k{number}") for number in range(KEYS)]
        stop = asyncio.Event()

        async with running(Relay(says, sending), ConsumerLoop(hears, hearing, consumer)):
            asking = [asyncio.create_task(client.ask(stop)) for client in clients]
            for server in (nats, postgres, nats):
                await more(clients, 100)
                assert server.process is not None
                server.process.kill()
                server.process.wait()
                if server is nats:
                    await more(clients, 50)  # commands go on without the broker
                server.start()
            await more(clients, 100)
            stop.set()
            await asyncio.gather(*asking)
            await until(lambda: agree(says, hears), seconds=30)

        for client in clients:
            done = [version for note, version in await strokes(says) if note == client.key]
            heard = [version for note, version in await strokes(hears) if note == client.key]
            assert len(done) == client.acknowledged
            assert heard == list(range(1, client.acknowledged + 1))
        assert await ids(says, "outbox") == await ids(hears, "inbox")
        for bus in (sending, hearing):
            await bus.close()
        for database in (says, hears):
            await database.close()


async def more(clients: list[Client], count: int) -> None:
    """Wait until so many more changes were acknowledged."""
    before = sum(client.acknowledged for client in clients)
    await until(lambda: sum(client.acknowledged for client in clients) >= before + count)


async def agree(says: Database, hears: Database) -> bool:
    if (await outbox.status(says)).pending or await inbox.status(hears) != inbox.Status(waiting=0, parked=0):
        return False
    return await ids(says, "outbox") == await ids(hears, "inbox")


async def ids(database: Database, table: str) -> set[object]:
    return {row["event_id"] for row in await owner_fetch(database, f"SELECT event_id FROM {table}")}
