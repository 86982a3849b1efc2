"""Readiness is progress: a consumer is stuck only when the same things stay pending."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chassis.readiness import STUCK_SECONDS, Progress, Readiness
from tests.chassis import demo
from tests.plugins.databases import owner_fetch

if TYPE_CHECKING:
    from chassis.database import Database
    from tests.plugins.databases import Nats, NewDatabase


@pytest.mark.parametrize(
    ("lags", "stuck"),
    [
        ([(0, 0), (0, 0)], False),
        ([(5, 1), (5, 1)], True),
        ([(0, 3), (0, 3)], True),
        ([(5, 1), (4, 1)], False),
        ([(5, 1), (9, 1)], False),
        ([(5, 1), (0, 0)], False),
    ],
)
def test_a_consumer_is_stuck_when_nothing_changed_for_too_long(lags: list[tuple[int, int]], stuck: bool) -> None:  # noqa: FBT001 - a column of the table
    progress = Progress()

    progress.is_stuck("enrollment", lags[0], 100.0)

    assert progress.is_stuck("enrollment", lags[1], 100.0 + STUCK_SECONDS + 1) is stuck


def test_it_is_given_its_time_from_the_last_move_on() -> None:
    progress = Progress()
    progress.is_stuck("enrollment", (5, 0), 0.0)
    progress.is_stuck("enrollment", (4, 0), STUCK_SECONDS)

    assert not progress.is_stuck("enrollment", (4, 0), 2 * STUCK_SECONDS)
    assert progress.is_stuck("enrollment", (4, 0), 2 * STUCK_SECONDS + 1)


async def a_database_with_an_old_row(new_database: NewDatabase) -> Database:
    database = await new_database("gateway")
    await demo.say(database, demo.written("note-1"))
    await owner_fetch(database, "UPDATE outbox SET created = created - interval '1 hour'")
    return database


async def test_a_relay_that_is_behind_is_named_while_the_broker_is_there(new_database: NewDatabase, nats: Nats) -> None:
    database = await a_database_with_an_old_row(new_database)
    bus = await nats.bus("gateway")

    missing = await Readiness(database, bus, [], relays=True).missing()

    assert set(missing) == {"relay"}


async def test_without_a_broker_what_waits_in_the_outbox_is_no_reason(new_database: NewDatabase) -> None:
    database = await a_database_with_an_old_row(new_database)

    assert await Readiness(database, None, [], relays=True).missing() == {}


async def test_a_database_that_went_away_is_named(new_database: NewDatabase) -> None:
    settings = new_database.settings("gateway")
    database = new_database.opened(settings.model_copy(update={"database_url": "postgresql://u:p@127.0.0.1:9/gateway"}))

    assert await Readiness(database, None, [], relays=True).missing() == {"database": "does not answer"}
