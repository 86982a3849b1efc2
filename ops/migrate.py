"""`python -m ops.migrate` and `hrss migrate`: keys, schemas, streams and consumers, as far as they are not there yet.

It runs as a process of its own, so that the supervisor needs no database driver and services no right to change a
schema. The URLs come from the environment, see `ops.servers`. With `HRSS_ADMIN_DATABASE_URL` it also makes databases
and roles as the other URLs name them; without it a site has made them already.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import asyncpg
import nats.errors

from chassis import audit_keys, bus, logs, migrate, principal, sealed
from ops import roles
from ops.servers import SERVICES, ServerUnknown, broker_from, databases_from, given

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from urllib.parse import SplitResult

    from chassis.inbox import Consumer
    from ops.servers import Broker, Databases

# Who hands sealed identities to whom in its events.
EXCHANGES = (("enrollment", "card"),)
CONNECT_SECONDS = 10
MAKING = 0x68727374  # one process at a time makes databases and roles


def main(environ: Mapping[str, str]) -> int:
    """Bring everything up to date; says in a line what was done."""
    started = time.monotonic()
    try:
        databases, broker = databases_from(environ), broker_from(environ)
        if databases is None or broker is None:
            raise ServerUnknown("没有给出数据库或 NATS 地址 / no URLs of databases or NATS are given")
        admin_url = given(environ, "HRSS_ADMIN_DATABASE_URL")
    except ServerUnknown as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        limits = bus.Limits(replicas=replicas_from(environ))
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    make_keys(Path(environ.get("HRSS_KEYS_DIR") or "var/keys"))
    try:
        if admin_url:
            asyncio.run(make_databases(admin_url, databases))
        changed = asyncio.run(upgrade(databases, broker, limits))
    except (
        OSError,
        nats.errors.Error,
        asyncpg.PostgresConnectionError,
        asyncpg.InvalidAuthorizationSpecificationError,
    ) as error:
        # A server that is away, or that does not know us: one line, because a traceback says nothing more.
        sys.stderr.write(
            f"连接不上服务器（{logs.describe(error)}），请检查 HRSS_*_DATABASE_OWNER_URL 和 HRSS_NATS_ADMIN_URL / "
            "a server does not let us in: check HRSS_*_DATABASE_OWNER_URL and HRSS_NATS_ADMIN_URL\n"
        )
        return 1
    seconds = time.monotonic() - started
    sys.stdout.write(f"migrated: {', '.join(changed) or 'nothing to do'} ({seconds:.1f} s)\n")
    return 0


def make_keys(keys_dir: Path) -> None:
    """Make the keys that are missing: principal assertion, sealed columns, audit, own keys, exchange, uploads."""
    principal.create_keys(keys_dir)
    for service in SERVICES:
        sealed.create_keys(keys_dir, service)
        audit_keys.create(keys_dir, service)
        own_keys(service, keys_dir)
    for producer, consumer in EXCHANGES:
        sealed.create_exchange_key(keys_dir, producer, consumer)
    sealed.create_files_key(keys_dir)


async def make_databases(admin_url: str, databases: Databases) -> None:
    """Make the databases and roles that are missing; a role that exists gets the password of its URL.

    Args:
        admin_url: URL of a superuser.
        databases: Names, roles and passwords, as the processes will use them.
    """
    connection = await asyncpg.connect(admin_url, timeout=CONNECT_SECONDS)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", MAKING)
        for service in SERVICES:
            app, owner = urlsplit(databases.app_urls[service]), urlsplit(databases.owner_urls[service])
            name = owner.path.removeprefix("/")
            if not await connection.fetchval(roles.database_exists(name)):
                await connection.execute(roles.make_database(name))
            async with connection.transaction():
                owner_role = await _role(connection, owner, "owner")
                app_role = await _role(connection, app, "app")
                await connection.execute(roles.hand_over(name, owner_role, app_role))
    finally:
        await connection.close()


async def _role(connection: asyncpg.Connection[asyncpg.Record], url: SplitResult, kind: roles.Kind) -> str:
    """Make the role of a URL, or give it the URL's password; returns its name."""
    role, password = unquote(url.username or ""), unquote(url.password or "")
    exists = bool(await connection.fetchval(roles.role_exists(role)))
    await connection.execute(roles.make_role(role, kind, password, exists=exists))
    return role


async def upgrade(databases: Databases, broker: Broker, limits: bus.Limits | None = None) -> list[str]:
    """Upgrade all schemas and make streams and consumers; returns the services whose schema changed."""
    changed = []
    for service in SERVICES:  # one after the other: alembic's `op` is one for the whole process
        owner_url, app_role = databases.owner_urls[service], databases.app_role(service)
        if await migrate.upgrade_async(service, owner_url, app_role):
            changed.append(service)
    await bus.provision(
        broker.admin_url,
        streams=SERVICES,
        consumers={service: consumers(service) for service in SERVICES},
        limits=limits,
        with_audit=True,
    )
    return changed


def replicas_from(environ: Mapping[str, str]) -> int:
    """On how many nodes each stream lies: HRSS_NATS_REPLICAS, else three in production and one elsewhere.

    Raises:
        ValueError: It is not 1, 3 or 5; the text names the variable.
    """
    given = environ.get("HRSS_NATS_REPLICAS") or ("3" if environ.get("HRSS_ENV") == "prod" else "1")
    if given not in {"1", "3", "5"}:
        raise ValueError("HRSS_NATS_REPLICAS 须为 1、3 或 5 / HRSS_NATS_REPLICAS must be 1, 3 or 5")
    return int(given)


def own_keys(service: str, keys_dir: Path) -> None:
    """Make the keys that a service declares in its `keyring.py`; most have none."""
    name = f"services.{service}.keyring"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return
    module.create_keys(keys_dir)


def consumers(service: str) -> Iterable[Consumer]:
    """What a service listens to, as its `events.py` declares; a service without that file listens to nothing."""
    try:
        module = importlib.import_module(f"services.{service}.events")
    except ModuleNotFoundError as error:
        if error.name != f"services.{service}.events":
            raise
        return ()
    declared: Iterable[Consumer] = module.CONSUMERS
    return declared


if __name__ == "__main__":
    import os

    sys.exit(main(os.environ))
