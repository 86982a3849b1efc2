"""The look: one statement that reads, audited as a read, on whatever connection still lives."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from chassis import look
from kernel.errors import Conflict, Refused, Unavailable
from tests.chassis.demo import CLERK, MIGRATIONS, TODAY, run, written
from tests.plugins.databases import NewDatabase, owner_execute, owner_fetch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chassis.database import Database
    from chassis.transaction import Transaction
    from ops.embedded.postgres import EmbeddedPostgres

COUNT = "SELECT count(*) AS notes FROM note"


async def count(tx: Transaction) -> int:
    row = await tx.fetchrow(COUNT)
    assert row is not None
    notes: int = row["notes"]
    return notes


async def looked(database: Database, work: Callable[[Transaction], Awaitable[Any]]) -> Any:
    return await look.run(database, work, principal=CLERK, today=TODAY, method="/demo/Look", request_id="r-1")


async def test_a_look_is_audited_before_its_result_is_known(database: Database) -> None:
    done: list[int] = []

    async def work(tx: Transaction) -> int:
        tx.audit("look", detail={"of": "notes"})
        tx.after_commit(lambda: done.append(1))
        return await count(tx)

    assert await looked(database, work) == 0
    assert done == [1]
    (row,) = await owner_fetch(database, "SELECT action, method, acting_person, purpose, request_id FROM audit")
    assert tuple(row) == ("look", "/demo/Look", "idp|p-wang", "counter", "r-1")

    await owner_execute(database, "REVOKE INSERT ON audit FROM demo_app")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await looked(database, work)


async def test_a_refusal_passes_and_is_not_audited(database: Database) -> None:
    async def work(tx: Transaction) -> None:
        tx.audit("look")
        await count(tx)
        raise Refused("NO", "no")

    with pytest.raises(Refused, match="NO"):
        await looked(database, work)
    assert not await owner_fetch(database, "SELECT 1 FROM audit")
    assert await looked(database, count) == 0


@pytest.mark.parametrize(
    "more",
    [
        lambda tx: tx.fetch(COUNT),
        lambda tx: tx.execute("INSERT INTO note (id, total) VALUES ('a', 1)"),
        lambda tx: tx.fetchrow("INSERT INTO note (id, total) VALUES ('a', 1) RETURNING id"),
        lambda tx: tx.fetch("WITH gone AS (DELETE FROM note RETURNING id) SELECT * FROM gone"),
        lambda tx: tx.raw(),
    ],
)
async def test_whatever_is_no_look_is_refused(
    database: Database, more: Callable[[Transaction], Awaitable[Any]]
) -> None:
    async def work(tx: Transaction) -> None:
        await count(tx)
        await more(tx)

    async def alone(tx: Transaction) -> None:
        await more(tx)
        await more(tx)

    for one in (work, alone):
        with pytest.raises(RuntimeError, match="take a transaction"):
            await looked(database, one)
    for said in (lambda tx: tx.emit(written("a", 1)), lambda tx: tx.session):

        async def speaks(tx: Transaction, said: Callable[[Transaction], Any] = said) -> None:
            said(tx)

        with pytest.raises(RuntimeError, match="take a transaction"):
            await looked(database, speaks)
    assert await looked(database, count) == 0


async def test_dead_connections_and_old_plans_are_not_noticed(database: Database, postgres: EmbeddedPostgres) -> None:
    async def every(tx: Transaction) -> int:
        await tx.fetch("SELECT pg_sleep(0.02), note.* FROM (VALUES (1)) AS one LEFT JOIN note ON true")
        return 1

    assert sum(await asyncio.gather(*(looked(database, every) for _ in range(8)))) == 8
    await owner_execute(database, "ALTER TABLE note ADD COLUMN more text")
    assert sum(await asyncio.gather(*(looked(database, every) for _ in range(8)))) == 8
    postgres.run_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'demo_app'")
    assert sum(await asyncio.gather(*(looked(database, every) for _ in range(16)))) == 16
    assert database.in_use == 0


async def test_who_gives_up_leaves_the_pool_whole(database: Database) -> None:
    async def slow(tx: Transaction) -> None:
        await tx.fetch("SELECT pg_sleep(0.05)")

    tasks = [asyncio.create_task(looked(database, slow)) for _ in range(8)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    assert all(isinstance(one, asyncio.CancelledError) for one in await asyncio.gather(*tasks, return_exceptions=True))

    assert await asyncio.gather(*(looked(database, count) for _ in range(16))) == [0] * 16


async def test_what_the_database_says_is_told_as_ours(new_database: NewDatabase, database: Database) -> None:
    async def locked(tx: Transaction) -> None:
        await tx.fetch("SELECT set_config('lock_timeout', '1', false), pg_advisory_lock(1)")

    async def hold(tx: Transaction) -> None:
        await tx.fetch("SELECT pg_advisory_xact_lock(1)")
        with pytest.raises(Conflict, match="CONCURRENT_CHANGE"):
            await looked(database, locked)

    await run(database, hold)
    settings = new_database.settings("demo", migrations=MIGRATIONS)
    nowhere = settings.model_copy(update={"database_url": "postgresql://demo_app:x@127.0.0.1:1/demo"})
    with pytest.raises(Unavailable, match="DATABASE_UNAVAILABLE"):
        await looked(new_database.opened(nowhere), count)
