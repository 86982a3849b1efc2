"""Letters: small events travel together, and each keeps its id, its order and its own fate."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import inbox, outbox
from chassis.inbox import ConsumerLoop
from chassis.letters import BYTES_MAX, EVENTS, KEYS_MAX, ROWS_MAX, gathered, parted
from chassis.outbox import Relay
from chassis.receive import opened
from kernel.errors import Conflict, Refused
from tests.chassis.conditions import until
from tests.chassis.demo import MIGRATIONS, NoteWritten, a_consumer, add_stroke, say, written
from tests.plugins.databases import Nats, NewDatabase, owner_fetch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chassis.database import Database
    from chassis.transaction import Transaction

ID = UUID(int=7)
SAMPLED = f"00-{1:032x}-{1:016x}-01"
SILENT = f"00-{2:032x}-{2:016x}-00"


def a_row(seq: int, subject: str, keys: list[str], *, trace: str = SILENT, payload: bytes = b"x") -> dict[str, Any]:
    return {
        "seq": seq, "event_id": UUID(int=seq + 1), "epoch": 1, "subject": subject, "keys": keys, "payload": payload,
        "traceparent": trace,
    }  # fmt: skip


rows = st.lists(
    st.tuples(
        st.sampled_from(["A", "B", "C"]),
        st.lists(st.sampled_from("abcdef"), min_size=1, max_size=3, unique=True),
        st.sampled_from([SILENT, SILENT, SILENT, "", SAMPLED]),
        st.binary(max_size=300),
    ),
    max_size=80,
).map(lambda drawn: [a_row(at, one, keys, trace=t, payload=p) for at, (one, keys, t, p) in enumerate(drawn)])


@given(rows)
def test_letters_keep_every_row_once_in_the_order_of_its_aggregates(drawn: list[dict[str, Any]]) -> None:
    made = gathered(drawn)

    assert sorted(row["seq"] for letter in made for row in letter.rows) == [row["seq"] for row in drawn]
    for key in "abcdef":
        said = [row["seq"] for letter in made for row in letter.rows if key in row["keys"]]
        assert said == sorted(said)
    for letter in made:
        assert len({row["subject"] for row in letter.rows}) == 1
        assert letter.keys == {key for row in letter.rows for key in row["keys"]}
        assert len(letter.rows) == 1 or all(row["traceparent"] != SAMPLED for row in letter.rows)
        for row, (part, headers) in zip(letter.rows, parted(letter.body, letter.headers()), strict=True):
            assert (part, headers["Nats-Msg-Id"]) == (row["payload"], str(row["event_id"]))
            assert headers["traceparent"] == row["traceparent"]


def test_a_letter_is_bounded_and_large_rows_go_alone() -> None:
    small = [a_row(at, "A", [f"k{at}"]) for at in range(ROWS_MAX + 1)]
    assert [len(letter.rows) for letter in gathered(small)] == [ROWS_MAX, 1]
    large = [a_row(at, "A", [f"k{at}"], payload=b"x" * (BYTES_MAX // 2 + 1)) for at in range(3)]
    assert [len(letter.rows) for letter in gathered(large)] == [1, 1, 1]
    wide = a_row(1, "A", [f"w{at}" for at in range(KEYS_MAX)])
    assert [len(letter.rows) for letter in gathered([small[0], wide, small[2]])] == [2, 1]


@pytest.mark.parametrize("header", ["", "x", f"{ID}:3:", f"{ID}:1:,{ID}:4:", f"{ID}:2:,"])
def test_a_header_that_does_not_fit_is_one_event_that_cannot_be_read(header: str) -> None:
    (read,) = opened(a_consumer(), "hrss.enrollment.v1.NoteWritten", b"ab", {EVENTS: header, "Nats-Msg-Id": f"{ID}/2"})
    assert read.wrong == "EVENT_UNREADABLE"
    assert read.event_id is not None


async def test_events_of_a_letter_take_effect_each_for_itself(
    database: Database, new_database: NewDatabase, nats: Nats
) -> None:
    listener = await new_database("demo", migrations=MIGRATIONS)
    met: dict[str, int] = {}

    async def on_written(tx: Transaction, fact: Any) -> None:
        key = fact.header.aggregate_id
        met[key] = met.get(key, 0) + 1
        if key == "refused":
            raise Refused("NO", "no")
        if key == "later" and met[key] < 3:
            raise Conflict("LATER", "later", retry_after=0.05)
        await add_stroke(tx, fact)

    consumer = a_consumer(on_written)
    await nats.provision(["enrollment"], {"benefits": [consumer]})
    for key in ("a", "refused", "b", "later", "a", "later"):
        await say(database, written(key))
    assert await Relay(database, await nats.bus("enrollment")).relay_batch() == 6
    loop = ConsumerLoop(listener, await nats.bus("benefits"), consumer)
    assert await loop.lag() == (1, 0)

    async with running(loop):
        await until(lambda: heard(listener, 5))

    strokes = await owner_fetch(listener, "SELECT note, version FROM stroke ORDER BY note, version")
    assert [tuple(row) for row in strokes] == [("a", 1), ("a", 2), ("b", 1), ("later", 1), ("later", 2)]
    assert await inbox.status(listener) == inbox.Status(waiting=0, parked=1)
    (out,) = await owner_fetch(
        database, "SELECT count(DISTINCT event_id) AS ids FROM outbox WHERE published IS NOT NULL"
    )
    assert len(await owner_fetch(listener, "SELECT 1 FROM inbox")) == out["ids"] == 6
    assert (await outbox.status(database)).pending == 0


async def test_the_body_of_a_letter_is_an_event_with_all_its_facts(database: Database) -> None:
    for key in ("a", "b", "c"):
        await say(database, written(key, 7), written(f"{key}{key}", 8))
    found = await owner_fetch(database, "SELECT * FROM outbox ORDER BY seq")
    (letter,) = gathered([{**dict(row), "traceparent": ""} for row in found])
    facts = NoteWritten.FromString(letter.body).facts
    assert [fact.header.aggregate_id for fact in facts] == ["a", "aa", "b", "bb", "c", "cc"]


async def heard(database: Database, count: int) -> bool:
    return len(await owner_fetch(database, "SELECT 1 FROM stroke")) >= count


@contextlib.asynccontextmanager
async def running(loop: ConsumerLoop) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(loop.run(stop))
    try:
        yield
    finally:
        stop.set()
        await task
