"""Parked facts: shown, replayed, dropped; what waited behind them follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chassis import inbox, parked
from chassis.receive import receive
from kernel.errors import NotFound, Refused
from tests.chassis.demo import CLERK, MIGRATIONS, TODAY, a_consumer, add_stroke, run, say, written
from tests.chassis.test_events import messages, strokes
from tests.plugins.databases import NewDatabase, owner_fetch

if TYPE_CHECKING:
    from chassis.database import Database
    from chassis.inbox import Consumer
    from chassis.transaction import Transaction


class Rule:
    """Refuses bad facts until it is told to accept them."""

    accepts = False

    async def on_written(self, tx: Transaction, fact: Any) -> None:
        """Refuse or take effect."""
        if fact.text == "bad" and not self.accepts:
            raise Refused("NOT_SO", "no")
        await add_stroke(tx, fact)


async def a_parked_one(database: Database, listener: Database, rule: Rule) -> Consumer:
    """A fact that is parked with two that wait behind it."""
    consumer = a_consumer(rule.on_written)
    for text in ("bad", "", ""):
        await say(database, written("a", text=text))
    for message in await messages(database, consumer):
        await receive(listener, consumer, message)
    assert await inbox.status(listener) == inbox.Status(waiting=2, parked=1)
    return consumer


@pytest.fixture
async def listener(new_database: NewDatabase) -> Database:
    """The database of a service that listens."""
    return await new_database("demo", migrations=MIGRATIONS)


async def test_what_is_parked_can_be_seen(database: Database, listener: Database) -> None:
    await a_parked_one(database, listener, Rule())

    (one,) = await run(listener, parked.listed)

    assert (one.kind, one.key, one.version, one.reason, one.state) == ("note", "a", 1, "NOT_SO", "PARKED")
    assert await run(listener, lambda tx: parked.show(tx, one.number)) == one
    with pytest.raises(NotFound, match="PARKED_NOT_FOUND"):
        await run(listener, lambda tx: parked.show(tx, 99))


async def test_a_replayed_fact_is_followed_by_those_behind_it(database: Database, listener: Database) -> None:
    rule = Rule()
    consumer = await a_parked_one(database, listener, rule)
    with pytest.raises(Refused, match="NOT_SO"):
        await parked.replay(listener, [consumer], 1, principal=CLERK, today=TODAY)
    rule.accepts = True

    await parked.replay(listener, [consumer], 1, principal=CLERK, today=TODAY)

    assert await strokes(listener) == [("a", 1), ("a", 2), ("a", 3)]
    assert await inbox.status(listener) == inbox.Status(waiting=0, parked=0)
    with pytest.raises(Refused, match="PARKED_DECIDED"):
        await parked.replay(listener, [consumer], 1, principal=CLERK, today=TODAY)


async def test_a_dropped_fact_lets_those_behind_it_pass(database: Database, listener: Database) -> None:
    consumer = await a_parked_one(database, listener, Rule())

    await parked.drop(listener, [consumer], 1, principal=CLERK, today=TODAY, reason="entered twice")

    assert await strokes(listener) == [("a", 2), ("a", 3)]
    (row,) = await owner_fetch(listener, "SELECT state, decided_by, decision FROM parked")
    assert tuple(row) == ("DROPPED", "idp|wang", "entered twice")
    assert len(await owner_fetch(listener, "SELECT 1 FROM audit WHERE action = 'parked dropped'")) == 1


async def test_a_fact_that_was_superseded_can_only_be_dropped(database: Database, listener: Database) -> None:
    consumer = a_consumer()
    await say(database, written("a"))
    (message,) = await messages(database, consumer)
    await receive(listener, consumer, message)
    await owner_fetch(listener, "DELETE FROM inbox")
    (again,) = await messages(database, consumer)
    await receive(listener, consumer, again)

    with pytest.raises(Refused, match="PARKED_SUPERSEDED"):
        await parked.replay(listener, [consumer], 1, principal=CLERK, today=TODAY)
    await parked.drop(listener, [consumer], 1, principal=CLERK, today=TODAY, reason="known")

    assert await strokes(listener) == [("a", 1)]


async def test_a_message_that_can_be_read_now_takes_effect(database: Database, listener: Database) -> None:
    consumer = a_consumer()
    await say(database, written("a"))
    (message,) = await messages(database, consumer)
    message.wrong = "EVENT_UNREADABLE"
    await receive(listener, consumer, message)

    await parked.replay(listener, [consumer], 1, principal=CLERK, today=TODAY)

    assert await strokes(listener) == [("a", 1)]
