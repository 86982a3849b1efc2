"""Databases and streams for tests: each test gets a fresh clone of a migrated template and an empty broker.

@pytest.fixture
async def database(new_database: NewDatabase) -> Database:
    return await new_database("enrollment")
"""

from __future__ import annotations

import secrets
from collections import Counter
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from chassis import audit_keys, migrate, principal, sealed
from chassis import bus as chassis_bus
from chassis.bus import Bus
from chassis.config import Settings
from chassis.database import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
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


class Templates:
    """Databases that were migrated once and are only copied from then on."""

    def __init__(self, postgres: EmbeddedPostgres) -> None:
        self.postgres = postgres
        self._ready: set[str] = set()
        self._copies: Counter[str] = Counter()

    def copy(self, service: str, migrations: Path | None) -> str:
        """The name of a new copy."""
        if service not in self._ready:
            self.postgres.create_database(service)
            migrate.upgrade(service, self.postgres.owner_url(service), f"{service}_app", migrations=migrations)
            self._ready.add(service)
        self._copies[service] += 1
        name = f"{service}_{self._copies[service]}_{secrets.token_hex(3)}"
        self.postgres.clone_database(service, name)
        return name


@pytest.fixture(scope="session")
def templates(postgres: EmbeddedPostgres) -> Templates:
    """The session's migrated databases."""
    return Templates(postgres)


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
            self._templates.postgres.drop_database(name)


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
