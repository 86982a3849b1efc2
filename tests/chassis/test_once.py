"""Once: a repeated request gets its stored reply, whenever and wherever it comes again."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest

from chassis.once import RequestKey, StoredReply, once
from kernel.errors import Conflict, Refused
from tests.chassis.demo import CLERK, MIGRATIONS, TODAY, written
from tests.plugins.databases import NewDatabase, owner_fetch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chassis.database import Database
    from chassis.transaction import Transaction


def a_key(body: bytes = b"body", *, request_id: str = "r-1", caller: str = "app|li") -> RequestKey:
    return RequestKey(caller, "/demo/Write", request_id, hashlib.sha256(body).digest())


def adding(reply: bytes = b"reply of \xe5\xbc\xa0") -> Callable[[Transaction], Awaitable[bytes]]:
    async def work(tx: Transaction) -> bytes:
        await tx.execute("INSERT INTO stroke (note, version, value) VALUES ('n', 0, 1)")
        tx.emit(written("n", 1))
        return reply

    return work


async def ask(
    database: Database, key: RequestKey, work: Callable[[Transaction], Awaitable[bytes]] | None = None
) -> StoredReply:
    return await once(database, key, work or adding(), principal=CLERK, today=TODAY)


async def strokes(database: Database) -> int:
    return len(await owner_fetch(database, "SELECT 1 FROM stroke"))


async def test_the_second_time_answers_without_an_effect(database: Database) -> None:
    first = await ask(database, a_key())
    second = await ask(database, a_key())

    assert (first.replayed, second.replayed) == (False, True)
    assert first.body == second.body
    assert first.min_version == second.min_version == "note:n:1"
    assert await strokes(database) == 1


async def test_another_body_under_the_same_id_is_refused(database: Database) -> None:
    await ask(database, a_key())

    with pytest.raises(Refused, match="REQUEST_ID_REUSED"):
        await ask(database, a_key(b"other"))

    assert await strokes(database) == 1


async def test_ids_belong_to_their_caller(database: Database) -> None:
    await ask(database, a_key())
    other = await ask(database, a_key(b"other", caller="app|wu"))

    assert not other.replayed
    assert await strokes(database) == 2


async def test_twenty_at_once_have_one_effect_and_one_answer(database: Database, new_database: NewDatabase) -> None:
    second_process = new_database.opened(database.settings)

    replies = await asyncio.gather(
        *(ask(process, a_key()) for _ in range(10) for process in (database, second_process))
    )

    assert len({reply.body for reply in replies}) == 1
    assert sum(not reply.replayed for reply in replies) == 1
    assert await strokes(database) == 1
    assert len(await owner_fetch(database, "SELECT 1 FROM audit")) == 1


async def test_a_request_that_still_runs_elsewhere_is_a_conflict(database: Database, new_database: NewDatabase) -> None:
    second_process = new_database.opened(database.settings)
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def slow(tx: Transaction) -> bytes:
        inside.set()
        await go_on.wait()
        return await adding()(tx)

    first = asyncio.create_task(ask(database, a_key(), slow))
    await inside.wait()
    with pytest.raises(Conflict, match="REQUEST_IN_PROGRESS"):
        await ask(second_process, a_key())
    go_on.set()

    assert not (await first).replayed
    assert (await ask(second_process, a_key())).replayed


async def test_a_refusal_stores_nothing_and_is_decided_again(database: Database) -> None:
    async def refuse(tx: Transaction) -> bytes:
        await adding()(tx)
        raise Refused("TOO_EARLY", "no")

    with pytest.raises(Refused, match="TOO_EARLY"):
        await ask(database, a_key(), refuse)

    assert not await owner_fetch(database, "SELECT 1 FROM request")
    assert not (await ask(database, a_key())).replayed
    assert await strokes(database) == 1


async def test_the_stored_reply_is_sealed(database: Database) -> None:
    await ask(database, a_key(), adding(b"Zhang San 320602199001011234"))

    (row,) = await owner_fetch(database, "SELECT reply FROM request")
    assert b"320602199001011234" not in row["reply"]


async def test_one_audit_row_tells_who_asked_for_what(database: Database) -> None:
    await ask(database, a_key())
    await ask(database, a_key())

    (row,) = await owner_fetch(database, "SELECT * FROM audit")
    assert (row["action"], row["method"], row["request_id"]) == ("/demo/Write", "/demo/Write", "r-1")
    assert row["body_digest"] == hashlib.sha256(b"body").digest()


async def test_without_stored_replies_a_repetition_has_a_second_effect(new_database: NewDatabase) -> None:
    database = await new_database("demo", migrations=MIGRATIONS, test_off="once")

    await ask(database, a_key())
    await ask(database, a_key())

    assert await strokes(database) == 2
