"""The edge of the card service for events: persons that enrollment registers.

The exchange key is opened when the first fact arrives, from the directory that the process was told; the declaration
itself needs none, because the streams are made from it before there are keys.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from chassis.inbox import Consumer, many
from chassis.sealed import Sealer
from hrss.enrollment.v1 import enrollment_events_pb2 as heard
from services.card.messages import facts
from services.card.operations import holders

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from chassis.transaction import Transaction

EXCHANGE_KEY = "enrollment-card.exchange.key"


async def on_registered(tx: Transaction, said: Sequence[heard.PersonRegistered.Fact]) -> None:
    """Persons were registered."""
    exchange = exchange_key(tx.database.settings.keys_dir)
    await holders.note(tx, [facts.heard_person(fact, exchange) for fact in said])


@lru_cache(maxsize=8)
def exchange_key(keys_dir: Path) -> Sealer:
    """The key under which enrollment hands identities over."""
    return Sealer.load(keys_dir / EXCHANGE_KEY)


ENROLLMENT = Consumer("enrollment", {heard.PersonRegistered: many(on_registered)})
CONSUMERS = (ENROLLMENT,)
