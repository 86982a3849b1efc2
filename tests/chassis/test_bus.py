"""The bus: never in the way of a start, honest about what arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chassis import bus as chassis_bus
from chassis import outbox
from chassis.bus import Bus
from chassis.facts import DeclarationWrong, of_message, siblings
from chassis.inbox import Consumer, ignore
from chassis.outbox import Relay
from hrss.benefits.v1 import benefits_events_pb2 as benefits
from kernel.errors import Unavailable
from ops.embedded.nats import EmbeddedNats
from ops.secrets import Keys
from tests.chassis.conditions import until
from tests.chassis.demo import CoinMoved, a_consumer, say, written
from tests.chassis.test_events import in_stream, running, settled

if TYPE_CHECKING:
    from pathlib import Path

    from chassis.database import Database
    from tests.plugins.databases import Nats


async def test_a_start_does_not_wait_for_the_broker(tmp_path: Path) -> None:
    server = EmbeddedNats(tmp_path / "nats", keys=Keys(tmp_path / "keys"))
    with server:
        url = server.url("enrollment")
    bus = Bus(url, "enrollment")

    await bus.start()

    with pytest.raises(Unavailable, match="BROKER_UNAVAILABLE"):
        await bus.wait_connected(0.1)
    with pytest.raises(Unavailable, match="BROKER_UNAVAILABLE"):
        await bus.publish("hrss.enrollment.v1.X", b"", {})
    with server:
        await bus.wait_connected(10)
        await bus.close()


async def test_publishing_without_a_stream_is_no_success(nats: Nats) -> None:
    bus = await nats.bus("enrollment")

    with pytest.raises(Unavailable, match="STREAM_MISSING"):
        await bus.publish("hrss.enrollment.v1.X", b"", {})
    with pytest.raises(Unavailable, match="CONSUMER_MISSING"):
        await bus.consumer_lag("benefits")


async def test_republishing_without_a_broker_says_so(database: Database, nats: Nats) -> None:
    bus = await nats.bus("enrollment")
    await nats.provision(["enrollment"])
    async with running(Relay(database, bus)):
        await say(database, written("a"))
        await until(lambda: settled(database))
    await nats.delete_streams()

    with pytest.raises(Unavailable, match="STREAM_MISSING"):
        await outbox.republish(database, bus)


async def test_streams_and_durables_can_be_made_again_and_widened(database: Database, nats: Nats) -> None:
    narrow = Consumer("enrollment", {CoinMoved: ignore})
    wide = a_consumer()
    for consumer in (narrow, narrow, wide):
        await nats.provision(["enrollment", "benefits"], {"benefits": [consumer]})
    async with running(Relay(database, await nats.bus("enrollment"))):
        await say(database, written("a"))
        await until(lambda: settled(database))

    assert len(await in_stream(nats)) == 1
    assert await (await nats.bus("benefits")).consumer_lag("enrollment") == (1, 0)


def test_consumers_of_one_service_must_fit_together() -> None:
    with pytest.raises(DeclarationWrong, match="one Consumer per producer"):
        chassis_bus.check_together([a_consumer(), Consumer("enrollment", {CoinMoved: ignore})])
    names = siblings(of_message(benefits.BenefitStarted))
    kinds = {getattr(benefits, name.rpartition(".")[2]): ignore for name in names}
    chassis_bus.check_together([a_consumer(), Consumer("benefits", kinds)])
