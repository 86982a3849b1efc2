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
from services.card.operations import ending, holders

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from chassis.transaction import Transaction

EXCHANGE_KEY = "enrollment-card.exchange.key"


async def on_registered(tx: Transaction, said: Sequence[heard.PersonRegistered.Fact]) -> None:
    """Persons were registered."""
    exchange = exchange_key(tx.database.settings.keys_dir)
    await holders.note(tx, [facts.heard_person(fact, exchange) for fact in said])


async def on_changed(tx: Transaction, said: Sequence[heard.PersonChanged.Fact]) -> None:
    """Records of persons were changed or corrected: their identity is sealed anew."""
    exchange = exchange_key(tx.database.settings.keys_dir)
    await holders.note(tx, [facts.heard_person(fact, exchange) for fact in said])


async def on_merged(tx: Transaction, said: Sequence[heard.PersonsMerged.Fact]) -> None:
    """Records went up in others; cards stay with the holder they were issued to."""
    await holders.note_mergers(tx, [facts.heard_merger(fact) for fact in said])


async def on_unmerged(tx: Transaction, said: Sequence[heard.PersonsUnmerged.Fact]) -> None:
    """Records stand by themselves again."""
    await holders.note_mergers(tx, [facts.heard_merger(fact) for fact in said])


async def on_died(tx: Transaction, said: Sequence[heard.PersonDied.Fact]) -> None:
    """Deaths were recorded, moved or taken back: cards of the dead end at once."""
    await ending.note_deaths(tx, dict(facts.heard_death(fact) for fact in said))


@lru_cache(maxsize=8)
def exchange_key(keys_dir: Path) -> Sealer:
    """The key under which enrollment hands identities over."""
    return Sealer.load(keys_dir / EXCHANGE_KEY)


ENROLLMENT = Consumer(
    "enrollment",
    {
        heard.PersonRegistered: many(on_registered),
        heard.PersonChanged: many(on_changed),
        heard.PersonDied: many(on_died),
        heard.PersonsMerged: many(on_merged),
        heard.PersonsUnmerged: many(on_unmerged),
    },
)
CONSUMERS = (ENROLLMENT,)
