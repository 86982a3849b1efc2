"""The transaction: together or not at all, whatever happens to the caller."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from chassis.attempts import ATTEMPTS
from chassis.database import violated
from hrss.enrollment.v1 import enrollment_events_pb2
from kernel.errors import Conflict, Refused, Unavailable
from tests.chassis.conditions import until
from tests.chassis.demo import MIGRATIONS, TODAY, CoinMoved, NoteErased, NoteWritten, a_fact, run, say, written
from tests.plugins.databases import NewDatabase, owner_execute, owner_fetch

if TYPE_CHECKING:
    from collections.abc import Callable

    from chassis.database import Database
    from chassis.transaction import Transaction
    from ops.embedded.postgres import EmbeddedPostgres


async def insert(tx: Transaction, key: str = "a", total: int = 1) -> None:
    await tx.execute("INSERT INTO note (id, total) VALUES ($1, $2)", key, total)


async def test_rows_facts_and_audit_commit_together(database: Database) -> None:
    async def work(tx: Transaction) -> str:
        await insert(tx)
        tx.emit(written("a", 1))
        tx.audit("write", detail={"count": "1"})
        return "done"

    result = await run(database, work)

    assert result == "done"
    assert [row["total"] for row in await owner_fetch(database, "SELECT total FROM note")] == [1]
    (out,) = await owner_fetch(database, "SELECT * FROM outbox")
    assert (out["subject"], out["keys"], out["published"]) == (
        "hrss.enrollment.v1.NoteWritten",
        ["note/a"],
        None,
    )
    (audit,) = await owner_fetch(database, "SELECT * FROM audit")
    assert (audit["subject"], audit["action"], audit["purpose"], audit["case_no"], audit["request_id"]) == (
        "idp|wang",
        "write",
        "counter",
        "C-1",
        "r-1",
    )


async def test_a_refusal_undoes_everything(database: Database) -> None:
    async def work(tx: Transaction) -> None:
        await insert(tx)
        tx.emit(written("a"))
        tx.audit("write")
        raise Refused("TOO_LATE", "no")

    with pytest.raises(Refused, match="TOO_LATE"):
        await run(database, work)

    for table in ("note", "outbox", "audit", "aggregate"):
        assert not await owner_fetch(database, f"SELECT 1 FROM {table}")


async def test_a_caller_who_stops_waiting_does_not_stop_the_commit(database: Database) -> None:
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def work(tx: Transaction) -> None:
        await insert(tx)
        inside.set()
        await go_on.wait()

    waiting = asyncio.create_task(run(database, work))
    await inside.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go_on.set()
    await database.close()  # waits for what runs

    assert len(await owner_fetch(database, "SELECT 1 FROM note")) == 1


async def test_without_the_shield_the_commit_is_lost(new_database: NewDatabase) -> None:
    database = await new_database("demo", migrations=MIGRATIONS, test_off="shield")
    inside = asyncio.Event()

    async def work(tx: Transaction) -> None:
        await insert(tx)
        inside.set()
        await asyncio.Event().wait()

    waiting = asyncio.create_task(run(database, work))
    await inside.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await database.close()

    assert not await owner_fetch(database, "SELECT 1 FROM note")


async def test_many_cancelled_callers_leave_the_pool_whole(database: Database) -> None:
    async def one(number: int) -> None:
        task = asyncio.create_task(run(database, lambda tx: insert(tx, f"n{number}")))
        await asyncio.sleep(0.001 * (number % 7))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    await asyncio.gather(*(one(number) for number in range(40)))

    await run(database, lambda tx: insert(tx, "after"))
    await until(lambda: database.in_use == 0)


async def test_versions_count_per_aggregate_without_gaps_at_any_concurrency(database: Database) -> None:
    keys = ["a", "b", "c"]

    async def work(tx: Transaction, number: int) -> None:
        for key in keys if number % 2 else reversed(keys):
            tx.emit(written(key, number))
            tx.emit(written(key, number))

    await asyncio.gather(*(run(database, lambda tx, number=number: work(tx, number)) for number in range(30)))

    seen: dict[str, list[int]] = {key: [] for key in keys}
    for row in await owner_fetch(database, "SELECT payload FROM outbox ORDER BY seq"):
        for fact in NoteWritten.FromString(row["payload"]).facts:
            seen[fact.header.aggregate_id].append(fact.header.version)
    assert seen == {key: list(range(1, 61)) for key in keys}


async def test_kinds_count_for_themselves(database: Database) -> None:
    one, other = written("a"), a_fact(CoinMoved, "a")

    await say(database, one, other)

    assert (one.header.version, other.header.version) == (1, 1)


async def test_facts_of_one_type_share_a_row_and_keep_the_order_of_their_aggregate(database: Database) -> None:
    facts = [written("a"), written("b"), a_fact(NoteErased, "a"), written("c"), written("a")]

    await say(database, *facts)

    rows = await owner_fetch(database, "SELECT subject, keys FROM outbox ORDER BY seq")
    assert [(row["subject"].rpartition(".")[2], row["keys"]) for row in rows] == [
        ("NoteWritten", ["note/a", "note/b", "note/c"]),
        ("NoteErased", ["note/a"]),
        ("NoteWritten", ["note/a"]),
    ]
    assert [fact.header.version for fact in facts] == [1, 1, 2, 1, 3]


async def test_a_row_holds_at_most_500_facts(database: Database) -> None:
    await say(database, *(written(f"k{number}") for number in range(1001)))

    rows = await owner_fetch(database, "SELECT cardinality(keys) AS n FROM outbox ORDER BY seq")
    assert [row["n"] for row in rows] == [500, 500, 1]


async def test_the_business_day_of_a_fact_is_that_of_its_transaction(database: Database) -> None:
    fact = written("a")

    await say(database, fact)

    day = fact.header.business_date
    assert (day.year, day.month, day.day) == (TODAY.year, TODAY.month, TODAY.day)


async def test_a_message_that_is_no_fact_cannot_be_emitted(database: Database) -> None:
    async def work(tx: Transaction) -> None:
        tx.emit(enrollment_events_pb2.PersonRegistered())

    with pytest.raises(Exception, match="is not the Fact of an event"):
        await run(database, work)


async def test_a_deadlock_is_tried_again_until_both_are_through(database: Database) -> None:
    await run(database, lambda tx: insert(tx, "a", 0))
    await run(database, lambda tx: insert(tx, "b", 0))
    both = asyncio.Barrier(2)
    attempts = 0

    async def work(tx: Transaction, first: str, second: str) -> None:
        nonlocal attempts
        attempts += 1
        await tx.execute("UPDATE note SET total = total + 1 WHERE id = $1", first)
        if attempts <= 2:
            await both.wait()
        await tx.execute("UPDATE note SET total = total + 1 WHERE id = $1", second)

    await asyncio.gather(run(database, lambda tx: work(tx, "a", "b")), run(database, lambda tx: work(tx, "b", "a")))

    assert attempts == 3
    assert [row["total"] for row in await owner_fetch(database, "SELECT total FROM note")] == [2, 2]


async def test_after_four_attempts_it_is_a_conflict(database: Database) -> None:
    attempts = 0

    async def work(tx: Transaction) -> None:
        nonlocal attempts
        attempts += 1
        await tx.execute("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")

    with pytest.raises(Conflict, match="CONCURRENT_CHANGE"):
        await run(database, work)

    assert attempts == ATTEMPTS


async def test_a_violated_constraint_reaches_the_work_with_its_name(database: Database) -> None:
    await run(database, insert)

    async def work(tx: Transaction) -> str:
        try:
            async with tx.savepoint():
                await insert(tx)
        except asyncpg.UniqueViolationError as error:
            return violated(error)
        return ""

    assert await run(database, work) == "note_pkey"


async def test_a_failed_part_takes_back_what_it_said(database: Database) -> None:
    async def part(tx: Transaction) -> None:
        async with tx.savepoint():
            await insert(tx, "b")
            tx.emit(written("b"))
            tx.audit("b")
            raise ValueError("no")

    async def work(tx: Transaction) -> None:
        tx.emit(written("a"))
        with pytest.raises(ValueError, match="no"):
            await part(tx)
        await insert(tx, "c")

    await run(database, work)

    assert [row["id"] for row in await owner_fetch(database, "SELECT id FROM note")] == ["c"]
    assert [row["keys"] for row in await owner_fetch(database, "SELECT keys FROM outbox")] == [["note/a"]]
    assert not await owner_fetch(database, "SELECT 1 FROM audit")


async def test_raw_statements_in_a_part_go_back_also_after_the_session_was_used(database: Database) -> None:
    async def part(tx: Transaction) -> None:
        async with tx.savepoint():
            await insert(tx, "b")
            raise ValueError("no")

    async def work(tx: Transaction) -> None:
        await tx.session.execute(text("INSERT INTO note (id) VALUES ('a')"))
        with pytest.raises(ValueError, match="no"):
            await part(tx)

    await run(database, work)

    assert [row["id"] for row in await owner_fetch(database, "SELECT id FROM note")] == ["a"]


async def test_a_part_of_the_session_can_fail_alone(database: Database) -> None:
    await run(database, insert)

    async def work(tx: Transaction) -> str:
        name = ""
        await tx.session.execute(text("INSERT INTO note (id) VALUES ('b')"))
        try:
            async with tx.savepoint():
                await tx.session.execute(text("INSERT INTO note (id) VALUES ('a')"))
        except IntegrityError as error:
            name = violated(error)
        await tx.session.execute(text("INSERT INTO note (id) VALUES ('c')"))
        return name

    assert await run(database, work) == "note_pkey"
    assert [row["id"] for row in await owner_fetch(database, "SELECT id FROM note ORDER BY id")] == ["a", "b", "c"]


async def test_a_migration_under_open_connections_is_not_noticed(database: Database) -> None:
    async def read(tx: Transaction) -> tuple[int, int]:
        raw = await tx.fetch("SELECT * FROM note")
        rows = (await tx.session.execute(text("SELECT * FROM note"))).all()
        return len(raw[0]), len(rows[0])

    await run(database, insert)
    assert await run(database, read) == (3, 3)

    await owner_execute(database, "ALTER TABLE note ADD COLUMN more text")

    assert await run(database, read) == (4, 4)


async def test_work_that_goes_on_after_a_failed_statement_does_not_pass_as_done(database: Database) -> None:
    async def work(tx: Transaction) -> None:
        await insert(tx)
        with pytest.raises(asyncpg.PostgresError):
            await tx.execute("SELECT 1/0")

    with pytest.raises(RuntimeError, match="rolled everything back"):
        await run(database, work)

    assert not await owner_fetch(database, "SELECT 1 FROM note")


async def test_a_read_only_transaction_cannot_write_but_is_audited(database: Database) -> None:
    async def read(tx: Transaction) -> Any:
        tx.audit("look")
        return (await tx.fetch("SELECT 1 AS one"))[0]["one"]

    assert await run(database, read, read_only=True) == 1
    assert len(await owner_fetch(database, "SELECT 1 FROM audit WHERE action = 'look'")) == 1
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await run(database, insert, read_only=True)


async def test_connections_that_died_are_replaced_without_an_error(
    database: Database, postgres: EmbeddedPostgres
) -> None:
    await asyncio.gather(*(run(database, lambda tx, n=n: insert(tx, f"n{n}")) for n in range(8)))
    postgres.run_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'demo_app'")

    await asyncio.gather(*(run(database, lambda tx, n=n: insert(tx, f"m{n}")) for n in range(8)))

    assert len(await owner_fetch(database, "SELECT 1 FROM note")) == 16


async def test_a_database_that_is_away_is_named_so(new_database: NewDatabase) -> None:
    settings = new_database.settings("demo", migrations=MIGRATIONS)
    nowhere = settings.model_copy(update={"database_url": "postgresql://demo_app:x@127.0.0.1:1/demo"})
    database = new_database.opened(nowhere)

    with pytest.raises(Unavailable, match="DATABASE_UNAVAILABLE") as caught:
        await run(database, insert)

    assert caught.value.retry_after


async def test_a_connection_that_dies_while_committing_leaves_the_outcome_unknown(database: Database) -> None:
    await owner_execute(
        database,
        """
        CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER die AFTER INSERT ON note
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die();
        """,
    )

    with pytest.raises(Unavailable, match="OUTCOME_UNKNOWN") as caught:
        await run(database, insert)

    assert caught.value.retry_after
    assert not str(caught.value.__cause__ or "")


async def test_a_deferred_constraint_is_a_plain_no(database: Database) -> None:
    await owner_execute(
        database,
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'check_violation', CONSTRAINT = 'never'; END $$;
        CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON note
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();
        """,
    )

    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await run(database, insert)

    assert violated(caught.value) == "never"


async def test_a_failing_after_commit_action_changes_nothing(database: Database) -> None:
    done: list[int] = []

    async def work(tx: Transaction) -> None:
        await insert(tx)
        tx.after_commit(lambda: done.append(1 // 0))
        tx.after_commit(lambda: done.append(2))

    await run(database, work)

    assert done == [2]


async def test_facts_of_a_new_aggregate_count_from_one_and_go_on(database: Database) -> None:
    async def begin(tx: Transaction) -> Transaction:
        tx.emit(written("new"), is_first=True)
        tx.emit(written("known"))
        tx.emit(a_fact(NoteErased, "new"))
        return tx

    await say(database, written("known"))

    assert (await run(database, begin)).versions == {("note", "new"): 2, ("note", "known"): 2}
    await say(database, written("new"))

    rows = await owner_fetch(database, "SELECT id, version FROM aggregate ORDER BY id")
    assert [tuple(row) for row in rows] == [("known", 2), ("new", 3)]


async def test_an_aggregate_that_is_not_new_cannot_begin_again(database: Database) -> None:
    async def begin(tx: Transaction) -> None:
        await insert(tx)
        tx.emit(written("a"), is_first=True)

    await say(database, written("a"))

    with pytest.raises(asyncpg.UniqueViolationError):
        await run(database, begin)

    assert not await owner_fetch(database, "SELECT 1 FROM note")
    assert len(await owner_fetch(database, "SELECT 1 FROM outbox")) == 1


async def test_a_part_that_failed_does_not_leave_its_aggregates_new(database: Database) -> None:
    async def part(tx: Transaction) -> None:
        async with tx.savepoint():
            tx.emit(written("a"), is_first=True)
            raise Refused("TOO_LATE", "no")

    async def work(tx: Transaction) -> None:
        with pytest.raises(Refused):
            await part(tx)
        tx.emit(written("a"))

    await say(database, written("a"))
    await run(database, work)

    (row,) = await owner_fetch(database, "SELECT version FROM aggregate")
    assert row["version"] == 2


async def test_a_connection_serves_many_transactions(database: Database) -> None:
    async def backend(tx: Transaction) -> Any:
        await tx.session.execute(text("SELECT 1"))
        return (await tx.fetchrow("SELECT pg_backend_pid()"))[0]  # type: ignore[index] # the row is always there

    assert len({await run(database, backend) for _ in range(20)}) == 1


async def test_facts_said_by_the_hundred_are_those_said_one_by_one(database: Database) -> None:
    await say(database, written("n1", 1), written("n1", 2))
    facts = [written(f"n{number}", number, text="长" * 60) for number in range(1, 1002)]

    async def work(tx: Transaction) -> None:
        async def fails() -> None:
            async with tx.savepoint():
                tx.emit_many([written("gone")])
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await fails()
        tx.emit_many(facts)
        tx.emit(a_fact(CoinMoved, "n1", 5))  # another kind: its versions count for themselves

    await run(database, work)

    out = await owner_fetch(database, "SELECT subject, keys, payload FROM outbox ORDER BY seq OFFSET 1")
    assert [len(row["keys"]) for row in out] == [1, 500, 500, 1]
    read = [fact for row in out[1:] for fact in NoteWritten.FromString(row["payload"]).facts]
    assert read == facts
    assert [fact.header.version for fact in read] == [3] + [1] * 1000
    assert {fact.header.business_date.year for fact in read} == {TODAY.year}
    assert [key for row in out[1:] for key in row["keys"]] == [f"note/{one.header.aggregate_id}" for one in facts]
    assert len(await owner_fetch(database, "SELECT 1 FROM aggregate WHERE kind = 'note'")) == 1001


@pytest.mark.parametrize(
    "facts",
    [
        lambda: [written("a"), written("a")],
        lambda: [written("a"), written("")],
        lambda: [written("a"), a_fact(CoinMoved, "b")],
    ],
)
async def test_an_aggregate_has_one_fact_among_a_hundred(database: Database, facts: Callable[[], list[Any]]) -> None:
    async def twice(tx: Transaction) -> None:
        tx.emit_many([written("a")])
        tx.emit(written("a"))

    async def work(tx: Transaction) -> None:
        tx.emit_many(facts())

    for wrong in (work, twice):
        with pytest.raises(ValueError, match="aggregate"):
            await run(database, wrong)
    assert not await owner_fetch(database, "SELECT 1 FROM aggregate")
