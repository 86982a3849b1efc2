"""The edge of benefits for events: what enrollment announces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.inbox import Consumer, many
from hrss.enrollment.v1 import enrollment_events_pb2 as heard
from services.benefits.messages import facts
from services.benefits.operations import register

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.transaction import Transaction


async def on_registered(tx: Transaction, said: Sequence[heard.PersonRegistered.Fact]) -> None:
    """Persons were registered."""
    await register.note_persons(tx, [facts.heard_person(fact) for fact in said])


async def on_changed(tx: Transaction, said: Sequence[heard.PersonChanged.Fact]) -> None:
    """Records of persons were changed or corrected."""
    await register.note_persons(tx, [facts.heard_person(fact) for fact in said])


async def on_died(tx: Transaction, said: Sequence[heard.PersonDied.Fact]) -> None:
    """Deaths were recorded, corrected or taken back."""
    await register.note_deaths(tx, [facts.heard_death(fact) for fact in said])


async def on_merged(tx: Transaction, said: Sequence[heard.PersonsMerged.Fact]) -> None:
    """Records went up in others."""
    await register.note_merged(tx, [facts.heard_merger(fact) for fact in said])


async def on_unmerged(tx: Transaction, said: Sequence[heard.PersonsUnmerged.Fact]) -> None:
    """Records stand by themselves again."""
    await register.note_unmerged(tx, [facts.heard_merger(fact)[0] for fact in said])


async def on_started(tx: Transaction, said: Sequence[heard.ParticipationStarted.Fact]) -> None:
    """Participations started."""
    await register.note_started(tx, [facts.started_participation(fact) for fact in said])


async def on_ended(tx: Transaction, said: Sequence[heard.ParticipationEnded.Fact]) -> None:
    """Participations ended."""
    await register.note_ended(tx, [facts.ended_participation(fact) for fact in said])


async def on_contributions(tx: Transaction, said: Sequence[heard.ContributionsSettled.Fact]) -> None:
    """Person-months of contributions were settled."""
    await register.note_contributions(tx, [item for fact in said for item in facts.settled_items(fact)])


async def on_credited(tx: Transaction, said: Sequence[heard.AccountCredited.Fact]) -> None:
    """Amounts were credited to personal accounts."""
    await register.note_credits(tx, [facts.heard_credit(fact) for fact in said])


async def on_settled(tx: Transaction, said: Sequence[heard.AccountSettled.Fact]) -> None:
    """Personal accounts were settled at retirement."""
    await register.note_settlements(tx, [facts.settled_account(fact) for fact in said])


ENROLLMENT = Consumer(
    "enrollment",
    {
        heard.PersonRegistered: many(on_registered),
        heard.PersonChanged: many(on_changed),
        heard.PersonDied: many(on_died),
        heard.PersonsMerged: many(on_merged),
        heard.PersonsUnmerged: many(on_unmerged),
        heard.ParticipationStarted: many(on_started),
        heard.ParticipationEnded: many(on_ended),
        heard.ContributionsSettled: many(on_contributions),
        heard.AccountCredited: many(on_credited),
        heard.AccountSettled: many(on_settled),
    },
)
CONSUMERS = (ENROLLMENT,)
