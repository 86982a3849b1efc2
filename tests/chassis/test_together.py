"""Plain messages share a transaction; everything else goes alone, with the same effects as ever."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from chassis.inbox import ConsumerLoop, many
from chassis.outbox import Relay
from chassis.receive import Incoming, receive
from chassis.together import MESSAGES_MAX, packs, receive_together
from kernel.errors import Refused
from tests.chassis.conditions import until
from tests.chassis.demo import MIGRATIONS, CoinMoved, NoteErased, a_consumer, a_fact, add_stroke, say, written
from tests.chassis.test_events import messages, reached, running, strokes
from tests.plugins.databases import Nats, NewDatabase, owner_fetch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.database import Database
    from chassis.transaction import Transaction


@pytest.fixture
async def listener(new_database: NewDatabase) -> Database:
    """The database of a service that listens."""
    return await new_database("demo", migrations=MIGRATIONS)


class Seen:
    """A handler that notes in which transactions it was called, and with how many facts."""

    def __init__(self) -> None:
        self.calls: list[tuple[Transaction, int]] = []

    async def note(self, tx: Transaction, facts: Sequence[Any]) -> None:
        """The handler."""
        self.calls.append((tx, len(facts)))
        for fact in facts:
            await add_stroke(tx, fact)


async def versions(database: Database) -> dict[str, int]:
    return {row["id"]: row["version"] for row in await owner_fetch(database, "SELECT id, version FROM seen")}


async def test_messages_of_many_aggregates_take_effect_in_one_transaction(
    database: Database, listener: Database
) -> None:
    seen = Seen()
    consumer = a_consumer(*[many(seen.note)] * 3)
    for number in range(10):
        await say(database, written(f"n{number}"), a_fact(CoinMoved, f"c{number}"))
    await say(database, written("n0"), a_fact(NoteErased, "n0"))
    await say(database, written("n0"))

    assert await receive_together(listener, consumer, await messages(database, consumer))

    assert len({id(tx) for tx, _ in seen.calls}) == 1
    # Notes 1 to 10 with n0 again, coins, the erasure, and what was written after it.
    assert [count for _, count in seen.calls] == [11, 10, 1, 1]
    assert [version for note, version in await strokes(listener) if note == "n0"] == [1, 2, 3, 4]
    assert await versions(listener) == {"n0": 4} | {f"n{n}": 1 for n in range(1, 10)} | {f"c{n}": 1 for n in range(10)}


async def test_known_aggregates_move_on(database: Database, listener: Database) -> None:
    consumer = a_consumer()
    await say(database, written("a"))
    await say(database, written("b"))
    assert await receive_together(listener, consumer, await messages(database, consumer))
    await say(database, written("a"))
    await say(database, written("b"), written("c"))

    assert await receive_together(listener, consumer, (await messages(database, consumer))[2:])

    assert await versions(listener) == {"a": 2, "b": 2, "c": 1}


@pytest.mark.parametrize("chosen", [[0, 0], [2, 0], [2, 1], [0, 3], [1, 0]], ids=str)
async def test_repeated_and_missing_ones_change_nothing_together(
    database: Database, listener: Database, chosen: list[int]
) -> None:
    consumer = a_consumer()
    for key in ("a", "b", "a", "b"):
        await say(database, written(key))
    said = await messages(database, consumer)
    if chosen == [1, 0]:
        await receive(listener, consumer, said[0])  # known since before
    before = await strokes(listener)

    assert not await receive_together(listener, consumer, [said[number] for number in chosen])

    assert await strokes(listener) == before
    assert len(await owner_fetch(listener, "SELECT FROM inbox")) == len(before)


async def test_what_waits_behind_a_gap_is_left_to_the_gate(database: Database, listener: Database) -> None:
    consumer = a_consumer()
    for key in ("a", "a", "a", "b"):
        await say(database, written(key))
    first, second, third, other = await messages(database, consumer)
    await receive(listener, consumer, third)

    assert not await receive_together(listener, consumer, [first, second, other])

    for one in (first, second, other):
        await receive(listener, consumer, one)
    assert await strokes(listener) == [("a", 1), ("a", 2), ("a", 3), ("b", 1)]


async def test_who_says_or_audits_goes_alone(database: Database, listener: Database) -> None:
    async def answer(tx: Transaction, fact: Any) -> None:
        await add_stroke(tx, fact)
        if fact.value:
            tx.audit("answered")

    consumer = a_consumer(answer)
    await say(database, written("a"))
    await say(database, written("b", 1))
    said = await messages(database, consumer)

    assert not await receive_together(listener, consumer, said)
    assert await strokes(listener) == []

    for one in said:
        await receive(listener, consumer, one)
    audited = await owner_fetch(listener, "SELECT request_id FROM audit")
    assert [row["request_id"] for row in audited] == [str(said[1].event_id)]


async def test_one_that_is_refused_does_not_hold_up_the_others(
    database: Database, listener: Database, nats: Nats
) -> None:
    async def picky(tx: Transaction, fact: Any) -> None:
        if fact.header.aggregate_id == "k7":
            raise Refused("NOT_WANTED", "not this one")
        await add_stroke(tx, fact)

    consumer = a_consumer(picky)
    await nats.provision(["enrollment"], {"benefits": [consumer]})
    for number in range(30):
        await say(database, written(f"k{number}"))
    relay = Relay(database, await nats.bus("enrollment"))
    loop = ConsumerLoop(listener, await nats.bus("benefits"), consumer)

    async with running(relay, loop):
        await until(partial(reached, listener, 29))

    parked = await owner_fetch(listener, "SELECT id, reason FROM parked")
    assert [(row["id"], row["reason"]) for row in parked] == [("k7", "NOT_WANTED")]
    assert sorted(note for note, _ in await strokes(listener)) == sorted(f"k{n}" for n in range(30) if n != 7)


async def test_a_backlog_takes_few_transactions(database: Database, listener: Database, nats: Nats) -> None:
    seen = Seen()
    consumer = a_consumer(many(seen.note))
    await nats.provision(["enrollment"], {"benefits": [consumer]})
    await asyncio.gather(*(say(database, written(f"k{number % 40}")) for number in range(200)))
    relay = Relay(database, await nats.bus("enrollment"))
    while await relay.relay_batch():
        pass
    loop = ConsumerLoop(listener, await nats.bus("benefits"), consumer)

    async with running(loop):
        await until(partial(reached, listener, 200))

    assert len({id(tx) for tx, _ in seen.calls}) < 50
    assert await versions(listener) == {f"k{number}": 5 for number in range(40)}


async def test_packs_hold_whole_lanes(database: Database) -> None:
    consumer = a_consumer()
    for number in range(MESSAGES_MAX + 20):
        await say(database, written(f"k{number % 40}"))
    said = await messages(database, consumer)
    alone = said[3]

    made: list[list[Incoming]] = list(packs(said, lambda one: one, lambda one: one is alone))

    assert 2 < len(made) < 6
    assert max(len(pack) for pack in made) <= MESSAGES_MAX
    for pack in made:
        keys = {key for one in pack for key in one.keys}
        assert [one for one in said if keys & set(one.keys)] == sorted(pack, key=said.index)
    assert [one for one in made if alone in one] == [[one for one in said if one.keys == alone.keys]]
