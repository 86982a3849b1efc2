"""The second wall: what the app role may not do, whatever the code tries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

from tests.chassis.demo import run, say, written
from tests.plugins.databases import owner_execute, owner_fetch

if TYPE_CHECKING:
    from chassis.database import Database

FORBIDDEN = [
    "UPDATE audit SET subject = 'somebody else'",
    "DELETE FROM audit",
    "TRUNCATE audit",
    "UPDATE audit_seal SET number = number + 1",
    "DELETE FROM audit_seal",
    "UPDATE audit_checkpoint SET body = ''",
    "DELETE FROM audit_checkpoint",
    "DELETE FROM audit_sealer",
    "DELETE FROM unsealed",
    "UPDATE ledger_posting SET amount_fen = 1",
    "DELETE FROM ledger_entry",
    "UPDATE stroke SET value = 1",
    "DELETE FROM outbox",
    "UPDATE outbox SET payload = ''",
    "DELETE FROM inbox",
    "UPDATE request SET body_hash = ''",
    "DELETE FROM request",
    "UPDATE parked SET body = ''",
    "DELETE FROM job_reject",
    "INSERT INTO epoch (epoch, reason) VALUES (9, 'mine')",
    "CREATE TABLE mine (id int)",
    "ALTER TABLE note ADD COLUMN mine int",
    "CREATE TEMP TABLE mine (id int)",
    "DROP TABLE note",
]


async def test_the_app_role_may_not_rewrite_or_create_anything(database: Database) -> None:
    allowed = []
    for statement in FORBIDDEN:
        try:
            await run(database, lambda tx, statement=statement: tx.execute(statement))
        except (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidSchemaNameError):
            continue
        allowed.append(statement)

    assert allowed == []


async def test_only_what_is_past_its_time_is_purged(database: Database) -> None:
    await say(database, written("a"), written("b"))
    await say(database, written("a"))
    await say(database, written("a"))
    await owner_execute(
        database,
        "UPDATE outbox SET created = now() - interval '31 days' WHERE seq < 3; UPDATE outbox SET published = now() "
        "WHERE seq <> 2",
    )

    purged = await run(database, lambda tx: tx.fetchrow("SELECT purge_expired() AS n"))

    assert purged["n"] == 1
    assert [row["seq"] for row in await owner_fetch(database, "SELECT seq FROM outbox ORDER BY seq")] == [2, 3]
