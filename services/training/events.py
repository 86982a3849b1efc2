"""The edge of training for events: what enrollment and benefits announce."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.inbox import Consumer, ignore, many
from hrss.benefits.v1 import benefits_events_pb2 as benefits
from hrss.enrollment.v1 import enrollment_events_pb2 as enrollment
from services.training.messages import facts
from services.training.operations import register

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.transaction import Transaction


async def on_registered(tx: Transaction, said: Sequence[enrollment.PersonRegistered.Fact]) -> None:
    """Persons were registered."""
    await register.note_persons(tx, [facts.heard_person(fact) for fact in said])


async def on_merged(tx: Transaction, said: Sequence[enrollment.PersonsMerged.Fact]) -> None:
    """Records went up in others."""
    await register.note_merged(tx, [facts.heard_merger(fact) for fact in said])


async def on_unmerged(tx: Transaction, said: Sequence[enrollment.PersonsUnmerged.Fact]) -> None:
    """Records stand by themselves again."""
    await register.note_unmerged(tx, [facts.heard_merger(fact)[0] for fact in said])


async def on_started(tx: Transaction, said: Sequence[enrollment.ParticipationStarted.Fact]) -> None:
    """Participations started."""
    await register.note_started(tx, [one for fact in said for one in facts.started_employments(fact)])


async def on_ended(tx: Transaction, said: Sequence[enrollment.ParticipationEnded.Fact]) -> None:
    """Participations ended."""
    await register.note_ended(tx, [one for fact in said for one in facts.ended_employments(fact)])


async def on_contributions(tx: Transaction, said: Sequence[enrollment.ContributionsSettled.Fact]) -> None:
    """Person-months of contributions were settled."""
    await register.note_settled(tx, [one for fact in said for one in facts.settled_months(fact)])


async def on_history(tx: Transaction, said: Sequence[enrollment.HistoryBroughtIn.Fact]) -> None:
    """Years of contributions were brought in."""
    await register.note_settled(tx, [one for fact in said for one in facts.brought_in_months(fact)])


async def on_benefit_started(tx: Transaction, said: Sequence[benefits.BenefitStarted.Fact]) -> None:
    """Benefits started."""
    await register.note_benefits(tx, [one for fact in said for one in facts.started_benefits(fact)])


async def on_benefit_ended(tx: Transaction, said: Sequence[benefits.BenefitEnded.Fact]) -> None:
    """Benefits ended."""
    await register.note_ended_benefits(tx, [one for fact in said for one in facts.ended_benefits(fact)])


ENROLLMENT = Consumer(
    "enrollment",
    {
        enrollment.PersonRegistered: many(on_registered),
        enrollment.PersonChanged: ignore,  # birth, sex and name are no business of training
        enrollment.PersonDied: ignore,  # a claim rests on a certificate and its day
        enrollment.PersonsMerged: many(on_merged),
        enrollment.PersonsUnmerged: many(on_unmerged),
        enrollment.ParticipationStarted: many(on_started),
        enrollment.ParticipationEnded: many(on_ended),
        enrollment.ContributionsSettled: many(on_contributions),
        enrollment.HistoryBroughtIn: many(on_history),
        enrollment.RelationTransferred: ignore,  # of the pension; months of unemployment insurance stay where they were
    },
)
BENEFITS = Consumer(
    "benefits",
    {
        benefits.BenefitStarted: many(on_benefit_started),
        benefits.BenefitEnded: many(on_benefit_ended),
        benefits.PaymentConfirmed: ignore,
        benefits.PaymentReturned: ignore,
        benefits.BenefitSuspended: ignore,
        benefits.BenefitResumed: ignore,
        benefits.BenefitsAdjusted: ignore,
        benefits.OverpaymentFound: ignore,
    },
)
CONSUMERS = (ENROLLMENT, BENEFITS)
