"""Databases and streams for tests: each test gets a fresh clone of a migrated template and an empty broker.

@pytest.fixture
async def database(new_database: NewDatabase) -> Database:
    return await new_database("enrollment")
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from chassis import audit_keys, migrate, principal, sealed
from chassis import bus as chassis_bus
from chassis.bus import Bus
from chassis.config import Settings
from chassis.database import Database
from ops import roles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
    from concurrent.futures import Future
    from pathlib import Path

    from chassis.inbox import Consumer
    from ops.embedded.nats import EmbeddedNats
    from ops.embedded.postgres import EmbeddedPostgres

SERVICES = ("enrollment", "benefits", "training", "card", "gateway")


@pytest.fixture(scope="session")
def keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key files as the platform has them after its first start."""
    directory = tmp_path_factory.mktemp("keys")
    for service in SERVICES:
        sealed.create_keys(directory, service)
        audit_keys.create(directory, service)
    sealed.create_exchange_key(directory, "enrollment", "card")
    sealed.create_files_key(directory)
    principal.create_keys(directory)
    return directory


class Administrator:
    """The superuser's one connection for a session, kept by a thread of its own.

    So a test neither starts a program for each statement nor waits for what it does not need yet.
    """

    def __init__(self, postgres: EmbeddedPostgres) -> None:
        self._postgres = postgres
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="administrator", daemon=True)
        self._thread.start()
        self._turn = asyncio.Lock()

    def begin(self, *statements: str) -> Future[None]:
        """Run statements one by one, after those that were begun before."""
        return asyncio.run_coroutine_threadsafe(self._run(statements), self._loop)

    async def _run(self, statements: Iterable[str]) -> None:
        async with self._turn:
            if self._connection is None or self._connection.is_closed():
                self._connection = await asyncpg.connect(self._postgres.admin_url())
            for statement in statements:
                await self._connection.execute(statement)

    def close(self) -> None:
        """End after the last statement."""

        async def end() -> None:
            async with self._turn:
                if self._connection is not None:
                    await self._connection.close()

        asyncio.run_coroutine_threadsafe(end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Templates:
    """Databases that were migrated once and are only copied from then on; the next copy is made while a test runs."""

    def __init__(self, postgres: EmbeddedPostgres, administrator: Administrator) -> None:
        self.postgres = postgres
        self._administrator = administrator
        self._next: dict[str, tuple[str, Future[None]]] = {}
        self._dropping: list[Future[None]] = []

    def copy(self, service: str, migrations: Path | None) -> str:
        """The name of a new copy."""
        if service not in self._next:
            self.postgres.create_database(service)
            migrate.upgrade(service, self.postgres.owner_url(service), f"{service}_app", migrations=migrations)
            self._administrator.begin(*(self._quick_login(f"{service}_{kind}") for kind in ("owner", "app"))).result()
            self._next[service] = self._begin(service)
        name, made = self._next[service]
        made.result()
        self._next[service] = self._begin(service)
        return name

    def drop(self, name: str) -> None:
        """Remove a copy, by and by; what went wrong is told to the next who asks."""
        for done in [one for one in self._dropping if one.done()]:
            self._dropping.remove(done)
            done.result()
        self._dropping.append(self._administrator.begin(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))

    def _begin(self, service: str) -> tuple[str, Future[None]]:
        name = f"{service}_{secrets.token_hex(5)}"
        return name, self._administrator.begin(*self.postgres.cloning(service, name))

    def _quick_login(self, role: str) -> str:
        """Tests connect thousands of times with random passwords: one round of the hash is as good as 4,096."""
        verifier = roles.scram_verifier(self.postgres.keys.password(f"postgres-{role}"), rounds=1)
        return f"ALTER ROLE \"{role}\" PASSWORD '{verifier}'"


@pytest.fixture(scope="session")
def templates(postgres: EmbeddedPostgres) -> Iterator[Templates]:
    """The session's migrated databases."""
    administrator = Administrator(postgres)
    yield Templates(postgres, administrator)
    administrator.close()


class NewDatabase:
    """Makes databases for one test; all of them are closed and dropped after it."""

    def __init__(self, templates: Templates, keys_dir: Path, files_dir: Path) -> None:
        self._templates = templates
        self._keys_dir = keys_dir
        self._files_dir = files_dir
        self._open: list[Database] = []
        self._names: list[str] = []

    async def __call__(self, service: str, *, migrations: Path | None = None, **overrides: Any) -> Database:
        """A fresh database of a service, opened with its app role."""
        return self.opened(self.settings(service, migrations=migrations, **overrides))

    def settings(self, service: str, *, migrations: Path | None = None, **overrides: Any) -> Settings:
        """Settings that lead to a fresh database of a service, for whoever opens it elsewhere."""
        name = self._templates.copy(service, migrations)
        self._names.append(name)
        sealed.create_keys(self._keys_dir, service)
        audit_keys.create(self._keys_dir, service)
        postgres = self._templates.postgres
        values: dict[str, Any] = {
            "env": "test",
            "service": service,
            "database_url": postgres.url(f"{service}_app", name),
            "database_owner_url": postgres.url(f"{service}_owner", name),
            "keys_dir": self._keys_dir,
            "files_dir": self._files_dir,
        }
        return Settings.model_validate(values | overrides)

    def opened(self, settings: Settings) -> Database:
        """One more process, as it were, on a database that exists."""
        database = Database(settings)
        self._open.append(database)
        return database

    async def close(self) -> None:
        """Close and drop everything."""
        for database in self._open:
            await database.close()
        for name in self._names:
            self._templates.drop(name)


@pytest.fixture
async def new_database(templates: Templates, keys_dir: Path, tmp_path: Path) -> AsyncIterator[NewDatabase]:
    """A maker of databases for this test; see `NewDatabase`."""
    maker = NewDatabase(templates, keys_dir, tmp_path / "files")
    yield maker
    await maker.close()


async def owner_fetch(database: Database, statement: str, *parameters: Any) -> list[asyncpg.Record]:
    """Look at (or spoil) the tables of a database as their owner."""
    connection = await asyncpg.connect(database.settings.database_owner_url)
    try:
        return await connection.fetch(statement, *parameters)
    finally:
        await connection.close()


async def owner_execute(database: Database, statements: str) -> None:
    """Change the schema of a database, as its owner could."""
    connection = await asyncpg.connect(database.settings.database_owner_url)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


class Nats:
    """The session's broker, emptied for this test."""

    def __init__(self, server: EmbeddedNats) -> None:
        self.server = server
        self._open: list[Bus] = []

    def url(self, service: str) -> str:
        """The address with a service's user."""
        return self.server.url(service)

    async def provision(
        self, streams: Iterable[str], consumers: Mapping[str, Iterable[Consumer]] | None = None
    ) -> None:
        """Make streams and durables."""
        await chassis_bus.provision(self.server.admin_url, streams=streams, consumers=consumers or {})

    async def bus(self, service: str) -> Bus:
        """A connected bus of a service."""
        bus = Bus(self.url(service), service)
        self._open.append(bus)
        await bus.start()
        await bus.wait_connected(10)
        return bus

    async def delete_streams(self) -> None:
        """Take everything away, as if the broker had lost its disk."""
        client = await chassis_bus.connect([self.server.admin_url], name="test", attempts=1)
        stream = client.jetstream()
        for one in await stream.streams_info():
            await stream.delete_stream(str(one.config.name))
        await client.close()

    async def close(self) -> None:
        """Close the connections of this test."""
        for bus in self._open:
            await bus.close()


@pytest.fixture
async def nats(nats_server: EmbeddedNats) -> AsyncIterator[Nats]:
    """An empty broker; make streams with `provision`, connections with `bus`."""
    broker = Nats(nats_server)
    await broker.delete_streams()
    yield broker
    await broker.close()
