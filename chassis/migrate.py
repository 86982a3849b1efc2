"""Migrations: the chassis' own tables first, then those of the service, each with its own version table.

    chassis.migrate.upgrade("enrollment", owner_url, "enrollment_app")

Revisions lie in `chassis/migrations/versions` and `services/<name>/migrations/versions` and run as the owner; the app
role gets exactly what `grant_app` gives. Two starts at once wait for each other. Where the database records every
revision of this release there is nothing to do, and neither alembic nor SQLAlchemy is loaded.
"""

# ruff: noqa: PLC0415 - a start that has nothing to migrate must not load what migrates

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import asyncpg

from chassis import schema

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

LOCK = 0x68727373  # "hrss": one migration at a time per database
LOCK_TIMEOUT_SECONDS = 2  # a waiting ALTER TABLE blocks everybody behind it; better to let go and come again
LOCK_TRIES = 10

_process_lock = threading.Lock()

EVERYTHING = ("SELECT", "INSERT", "UPDATE", "DELETE")
APPEND_ONLY = ("SELECT", "INSERT")


def upgrade(service: str, owner_url: str, app_role: str, *, migrations: Path | None = None) -> bool:
    """Bring a database up to date; returns whether there was anything to do.

    Args:
        service: Name of the service; one without a migrations directory gets the chassis' tables only.
        owner_url: URL with the owner role.
        app_role: Role that the service works with.
        migrations: Directory of the service's revisions; by default that of the service.
    """
    outcome: list[bool | BaseException] = []

    def work() -> None:
        try:
            outcome.append(asyncio.run(upgrade_async(service, owner_url, app_role, migrations=migrations)))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            outcome.append(error)

    thread = threading.Thread(target=work, name="migrate")  # its own loop, whatever loop the caller has
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


async def upgrade_async(service: str, owner_url: str, app_role: str, *, migrations: Path | None = None) -> bool:
    """The same as `upgrade`, inside a running event loop."""
    wanted = schema.revisions(service, migrations)
    guard = await asyncpg.connect(_plain(owner_url), timeout=10)
    try:
        if wanted <= await schema.applied(guard):
            return False
        await guard.execute("SELECT pg_advisory_lock($1)", LOCK)
        if wanted <= await schema.applied(guard):  # somebody else was faster
            return False
        await _alone(_run(owner_url, schema.chains(service, migrations), app_role))
        await _record(guard, wanted, app_role)
        return True
    finally:
        await guard.close()


def grant_app(name: str, *privileges: str, append_only: bool = False, kind: str = "TABLE") -> None:
    """Give the app role its rights on a new table; for use inside a revision.

    Args:
        name: The table (or what `kind` says).
        privileges: What it may do; by default everything but DDL.
        append_only: Only reading and inserting, for whatever must never be rewritten.
        kind: What is granted on, as GRANT names it.
    """
    from alembic import op

    rights = privileges or (APPEND_ONLY if append_only else EVERYTHING)
    role = op.get_context().opts["app_role"]
    op.execute(f'GRANT {", ".join(rights)} ON {kind} {name} TO "{role}"')


def create_ledger() -> None:
    """Create the ledger's tables (see `chassis.ledger`); for use inside a revision of a service that books money."""
    from alembic import op

    from chassis.ledger import DDL

    for statement in DDL:
        op.execute(statement)
    grant_app("ledger_entry", append_only=True)
    grant_app("ledger_posting", append_only=True)


async def _alone(work: Awaitable[None]) -> None:
    """Run something while no other migration runs in this process: `alembic.op` is one for all of them."""
    while not _process_lock.acquire(blocking=False):  # noqa: ASYNC110 - the others are in other threads
        await asyncio.sleep(0.01)
    try:
        await work
    finally:
        _process_lock.release()


async def _record(connection: asyncpg.Connection[asyncpg.Record], wanted: frozenset[str], app_role: str) -> None:
    """Note which revisions are applied, where the service can read it."""
    async with connection.transaction():
        await connection.execute("CREATE TABLE IF NOT EXISTS schema_state (revision text PRIMARY KEY)")
        await connection.execute(f'GRANT SELECT ON schema_state TO "{app_role}"')
        await connection.execute(
            "INSERT INTO schema_state SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING", sorted(wanted)
        )


async def _run(owner_url: str, chains: Sequence[tuple[str, Path]], app_role: str) -> None:
    from sqlalchemy import NullPool
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.ext.asyncio import create_async_engine

    settings = {
        "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
        "statement_timeout": "0",
        "application_name": "hrss-migrate",
    }
    engine = create_async_engine(
        "postgresql+asyncpg" + _plain(owner_url).removeprefix("postgresql"),
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={"server_settings": settings},
    )
    try:
        for name, path in chains:
            for left in reversed(range(LOCK_TRIES)):
                try:
                    async with engine.connect() as connection:
                        await connection.run_sync(_upgrade_chain, name, path, app_role)
                    break
                except DBAPIError as error:
                    if getattr(error.orig, "sqlstate", None) != asyncpg.LockNotAvailableError.sqlstate or not left:
                        raise
                    await asyncio.sleep(0.5)
    finally:
        await engine.dispose()


def _upgrade_chain(connection: Connection, name: str, path: Path, app_role: str) -> None:
    """Run one chain of revisions, each in its own transaction, so that a stopped run goes on where it was."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(path))

    def steps(revision: Any, _context: MigrationContext) -> Any:
        return script._upgrade_revs("head", revision)  # noqa: SLF001 - what alembic's own commands call here

    options = {
        "fn": steps,
        "script": script,
        "version_table": "alembic_version_chassis" if name == "chassis" else "alembic_version",
        "transaction_per_migration": True,
        "app_role": app_role,
    }
    context = MigrationContext.configure(connection=connection, opts=options)
    with Operations.context(context):
        context.run_migrations()
    connection.commit()


def _plain(url: str) -> str:
    """The URL as the driver itself wants it."""
    return url.replace("postgresql+asyncpg://", "postgresql://", 1)
