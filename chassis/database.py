"""The database of a service: connections, their limits, and what their failures mean.

The engine runs in the driver's autocommit and `chassis.transaction` sends BEGIN and COMMIT itself: so the answer to
COMMIT is seen as it is, BEGIN is also the check whether a pooled connection still lives, and raw statements share the
transaction of the session. Nobody else opens connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy import MetaData
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.orm import registry as orm_registry

from chassis import crash
from chassis.logs import get_logger
from chassis.sealed import Sealer
from chassis.statements import trace_statements
from kernel.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from chassis.config import Settings

log = get_logger(__name__)

POOL_SIZE = 8  # per process; ten processes stay well below PostgreSQL's usual 100 connections
BULK_POOL_SIZE = POOL_SIZE // 2  # jobs get at most half as many as people do
POOL_TIMEOUT_SECONDS = 2.0  # longer waits only fill the queue behind
RECYCLE_SECONDS = 1800
CONNECT_TIMEOUT_SECONDS = 5.0
BEGIN_TIMEOUT_SECONDS = 3.0  # a connection that does not answer BEGIN by then is dead
COMMAND_TIMEOUT_SECONDS = 10.0
BULK_COMMAND_TIMEOUT_SECONDS = 330.0  # above its statement timeout of five minutes
RETRY_AFTER_SECONDS = 2.0
CLOSE_SECONDS = 10.0  # how long closing waits for running transactions

# What the server says when it, and not the statement, is the trouble: connection lost or refused (08), out of
# resources (53), shut down or starting (57P), statement timeout (57014), idle transaction ended (25P03).
AWAY = ("08", "53", "57P", "57014", "25P03")
AGAIN = ("40001", "40P01")  # serialization failure, deadlock
LOCKED = "55P03"
STALE_PLAN = "0A000"  # "cached plan must not change result type", after a migration

# What the driver raises when a connection is of no use any more. It is an internal error of the driver where the
# server said good-bye before the statement was sent.
DRIVER = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)

NAMING = {
    "ix": "%(table_name)s_%(column_0_name)s",
    "uq": "%(table_name)s_%(column_0_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s",
    "fk": "%(table_name)s_%(column_0_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}


def registry() -> orm_registry:
    """A registry for the tables of one service: `class Table(SQLModel, registry=registry())`."""
    return orm_registry(metadata=MetaData(naming_convention=NAMING))


class Database:
    """Everything a process holds of its service's database."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.outbox_written = asyncio.Event()  # wakes the relay of this process
        self.jobs_added = asyncio.Event()  # wakes its job worker
        # Negative control "outbox": events go straight to the bus after the commit, as if there were no outbox.
        self.publish_directly: Callable[[Any], Awaitable[None]] | None = None
        self._pool = Pool(settings, POOL_SIZE, statement_seconds=5, command_timeout=COMMAND_TIMEOUT_SECONDS)
        self._running: set[asyncio.Task[Any]] = set()
        crash.arm(settings)

    @cached_property
    def bulk(self) -> Pool:
        """Connections for jobs: fewer, and with five minutes for a statement; made when the first job runs."""
        return Pool(self.settings, BULK_POOL_SIZE, statement_seconds=300, command_timeout=BULK_COMMAND_TIMEOUT_SECONDS)

    @cached_property
    def sealer(self) -> Sealer:
        """The key of this service's sealed columns."""
        return Sealer.load(self.settings.keys_dir / f"{self.settings.service}.sealed.key")

    @property
    def in_use(self) -> int:
        """How many interactive connections are at work."""
        return self._pool.in_use

    def pool(self, *, bulk: bool = False) -> Pool:
        """The connections for interactive work or for jobs."""
        return self.bulk if bulk else self._pool

    def track(self, task: asyncio.Task[Any], pool: Pool) -> None:
        """Keep a running transaction alive and known until it ends, then give its place to the next."""

        def ended(done: asyncio.Task[Any]) -> None:
            self._running.discard(done)
            pool.leave()

        self._running.add(task)
        task.add_done_callback(ended)

    async def ping(self) -> None:
        """Ask the database something.

        Raises:
            Unavailable: DATABASE_UNAVAILABLE.
        """
        async with self.connection() as connection:
            await connection.fetchval("SELECT 1")

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """A raw connection for the chassis' own work (relay, leases, status); statements commit one by one.

        Raises:
            Unavailable: DATABASE_UNAVAILABLE, also when the connection is lost meanwhile.
        """
        await self._pool.enter()
        try:
            async with self._pool.raw() as connection:
                yield connection
        finally:
            self._pool.leave()

    async def close(self) -> None:
        """Let running transactions end, then close every connection."""
        if self._running:
            await asyncio.wait(self._running, timeout=CLOSE_SECONDS)
        await self._pool.close()
        if "bulk" in self.__dict__:
            await self.bulk.close()


class Pool:
    """A bounded set of connections with a semaphore before it, so that nobody queues inside the pool."""

    def __init__(self, settings: Settings, size: int, *, statement_seconds: int, command_timeout: float) -> None:
        self.size = size
        self._places = asyncio.Semaphore(size)
        self.name = settings.database_url.rpartition("/")[2].partition("?")[0]
        self.engine = _engine(settings, size, statement_seconds, command_timeout)
        # Open connections at rest, the last used on top: fetching one from the engine costs more than a statement.
        self._resting: list[AsyncConnection] = []
        self._is_closed = False
        trace_statements(self.engine, self.name)

    @property
    def in_use(self) -> int:
        """How many connections are at work."""
        return self.size - self._places._value  # noqa: SLF001 - asyncio offers no other way to read it

    async def enter(self) -> None:
        """Wait for a place; must be given back with `leave`.

        Raises:
            Unavailable: DATABASE_UNAVAILABLE: all places stayed taken.
        """
        if not self._places.locked():
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(POOL_TIMEOUT_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise unavailable() from None

    def leave(self) -> None:
        """Give a place back."""
        self._places.release()

    async def begin(self, statement: str) -> Begun:
        """A connection on which BEGIN was just answered; dead pooled ones are replaced on the way.

        Raises:
            Unavailable: DATABASE_UNAVAILABLE.
        """
        for _ in range(self.size + 1):  # after a restart of the server every pooled connection may be dead
            connection = await self._connect()
            begun = Begun(connection, self)
            try:
                await begun.raw.execute(statement, timeout=BEGIN_TIMEOUT_SECONDS)
            except asyncio.CancelledError:
                await begun.drop()
                raise
            except DRIVER:
                await begun.drop()
                continue
            return begun
        raise unavailable()

    async def take(self) -> Begun:
        """A connection on which nothing was begun, for one statement; it may turn out to be dead.

        Raises:
            Unavailable: DATABASE_UNAVAILABLE: none can be made.
        """
        return Begun(await self._connect(), self)

    @contextlib.asynccontextmanager
    async def raw(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """A connection without a transaction; see `Database.connection`."""
        connection = await self._connect()
        raw = driver(connection)
        try:
            yield raw
        except BaseException as error:
            is_lost = is_away(error, raw)
            if is_lost or raw.is_in_transaction() or isinstance(error, asyncio.CancelledError):
                await connection.invalidate()
            if is_lost and isinstance(error, Exception):
                raise unavailable() from None
            raise
        finally:
            await self.rest(connection)

    async def rest(self, connection: AsyncConnection) -> None:
        """Keep a connection for the next; one that is broken, old or not clean goes to the engine to be replaced."""
        if not (self._is_closed or connection.invalidated or connection.in_transaction()):
            assert connection.sync_connection is not None
            made: float = connection.sync_connection.info.setdefault("hrss_made", time.monotonic())
            if time.monotonic() - made < RECYCLE_SECONDS and not driver(connection).is_closed():
                self._resting.append(connection)
                return
        await connection.close()

    async def close(self) -> None:
        """Close all connections."""
        self._is_closed = True
        while self._resting:
            await self._resting.pop().close()
        await self.engine.dispose()

    async def _connect(self) -> AsyncConnection:
        if self._resting:
            return self._resting.pop()
        connection = self.engine.connect()
        try:
            await connection.start()
        except (SQLAlchemyError, *DRIVER) as error:
            log.warning("database_unreachable", error=type(error).__name__, sqlstate=sqlstate(error))
            raise unavailable() from None
        return connection


class Begun:
    """A connection inside a transaction that we ourselves began, or taken for one statement without."""

    __slots__ = ("_pool", "connection", "raw")

    def __init__(self, connection: AsyncConnection, pool: Pool) -> None:
        self.connection = connection
        self.raw = driver(connection)
        self._pool = pool

    async def rollback(self) -> None:
        """Undo everything; a connection that cannot is thrown away, which undoes it too."""
        try:
            if self.raw.is_in_transaction():
                await self.raw.execute("ROLLBACK", timeout=BEGIN_TIMEOUT_SECONDS)
        except DRIVER:
            await self.drop()
        else:
            await self.give_back()

    async def give_back(self) -> None:
        """Return the connection to its pool."""
        if self.raw.is_closed() or self.raw.is_in_transaction():
            await self.drop()
        else:
            await self._pool.rest(self.connection)

    async def drop(self) -> None:
        """Throw the connection away: nobody knows its state."""
        with contextlib.suppress(Exception):
            await self.connection.invalidate()
        with contextlib.suppress(Exception):
            await self.connection.close()


def driver(connection: AsyncConnection) -> asyncpg.Connection[asyncpg.Record]:
    """The driver's own connection below SQLAlchemy's."""
    sync_connection = connection.sync_connection
    assert sync_connection is not None
    raw: asyncpg.Connection[asyncpg.Record] | None = sync_connection.connection.driver_connection
    assert raw is not None
    return raw


def unavailable() -> Unavailable:
    """The refusal when the database cannot be asked; nothing was changed."""
    return Unavailable(
        "DATABASE_UNAVAILABLE", "the database does not answer; nothing was changed", retry_after=RETRY_AFTER_SECONDS
    )


def sqlstate(error: BaseException) -> str:
    """The code of a database error, "" where there is none."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(origin, "sqlstate", None) or "")


def violated(error: BaseException) -> str:
    """Name of the constraint that a statement violated, "" when the error is something else."""
    if not sqlstate(error).startswith("23"):
        return ""
    current: BaseException | None = error.orig if isinstance(error, DBAPIError) else error
    while current is not None:  # SQLAlchemy's copy of the error does not carry the name, its cause does
        if name := getattr(current, "constraint_name", None):
            return str(name)
        current = current.__cause__
    return "unknown"


def is_away(error: BaseException, raw: asyncpg.Connection[asyncpg.Record] | None) -> bool:
    """Whether an error says that the database could not do its work, rather than that the work is wrong."""
    if sqlstate(error).startswith(AWAY) or isinstance(
        error, OSError | TimeoutError | PoolTimeout | asyncpg.InternalClientError
    ):
        return True
    return raw is not None and raw.is_closed() and isinstance(error, asyncpg.InterfaceError | DBAPIError)


def _engine(settings: Settings, size: int, statement_seconds: int, command_timeout: float) -> AsyncEngine:
    return create_async_engine(
        re.sub(r"^postgresql(\+\w+)?://", "postgresql+asyncpg://", settings.database_url),
        pool_size=size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        pool_recycle=RECYCLE_SECONDS,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        connect_args={
            "timeout": CONNECT_TIMEOUT_SECONDS,
            "command_timeout": command_timeout,
            "server_settings": {
                "application_name": f"hrss-{settings.service}",
                "timezone": "UTC",
                "statement_timeout": f"{statement_seconds}s",
                "lock_timeout": "2s",
                # Else a client that vanished keeps its locks for ever.
                "idle_in_transaction_session_timeout": "10s",
                "jit": "off",  # our statements are short; compiling them takes longer than running them
            },
        },
    )
