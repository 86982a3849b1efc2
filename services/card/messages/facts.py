"""Facts of events: what enrollment says, as values, and what the card service says, as messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from chassis.sealed import SealBroken
from chassis.values import date_of, to_date
from hrss.card.v1 import card_events_pb2 as events
from hrss.enrollment.v1 import enrollment_events_pb2 as heard_pb
from hrss.type.v1 import fact_pb2
from kernel import ids
from kernel.errors import InvalidInput
from services.card.domain.lifecycle import Actor, CardEvent
from services.card.heard import HeardPerson
from services.card.messages.states import CARD_STATES, CAUSES

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from google.protobuf.message import Message

    from chassis.sealed import Sealer
    from services.card.store.rows import CardRow

SEALED_FIELD = "sealed_identity"
_CHANGES = {
    CardEvent.REQUEST: events.CardRequested.Fact,
    CardEvent.START_PROOF: events.CardProceeded.Fact,
    CardEvent.PASS_PROOF: events.CardProceeded.Fact,
    CardEvent.FAIL_PROOF: events.CardRejected.Fact,
    CardEvent.DECLINE: events.CardRejected.Fact,
    CardEvent.ACTIVATE: events.CardActivated.Fact,
    CardEvent.LOCK: events.CardLocked.Fact,
    CardEvent.RESET_PIN: events.CardResumed.Fact,
    CardEvent.SUSPEND: events.CardSuspended.Fact,
    CardEvent.UNLOCK: events.CardUnlocked.Fact,
    CardEvent.SUSPEND_FORMALLY: events.CardSuspended.Fact,
    CardEvent.RESUME: events.CardResumed.Fact,
    CardEvent.LAPSE: events.CardResumed.Fact,
    CardEvent.REPLACE: events.CardReplaced.Fact,
    CardEvent.CANCEL: events.CardCancelled.Fact,
    CardEvent.DIE: events.CardCancelled.Fact,
    CardEvent.EXPIRE: events.CardExpired.Fact,
}


def heard_person(fact: heard_pb.PersonRegistered.Fact | heard_pb.PersonChanged.Fact, exchange: Sealer) -> HeardPerson:
    """A registered or changed person, with the identity opened under the exchange key for its own event type.

    Raises:
        InvalidInput: SEALED_IDENTITY_UNREADABLE: sealed for another person or key; nothing else is said of it.
    """
    key = fact.header.aggregate_id
    event = heard_pb.PersonChanged if isinstance(fact, heard_pb.PersonChanged.Fact) else heard_pb.PersonRegistered
    try:
        identity = json.loads(exchange.open(event.DESCRIPTOR.full_name, SEALED_FIELD, key, fact.sealed_identity))
        name, id_no = str(identity["name"]), str(identity["id_no"])
    except (SealBroken, ValueError, KeyError, TypeError):
        raise InvalidInput("SEALED_IDENTITY_UNREADABLE", "the sealed identity does not open") from None
    return HeardPerson(ids.parse("per", key), date_of(fact.birth_date, "birth_date"), name, id_no)


def heard_merger(fact: heard_pb.PersonsMerged.Fact | heard_pb.PersonsUnmerged.Fact) -> tuple[UUID, UUID | None]:
    """The record that went up in another, and that one; none when it stands by itself again."""
    is_merged = isinstance(fact, heard_pb.PersonsMerged.Fact)
    survivor = ids.parse("per", fact.survivor_id) if is_merged else None
    return ids.parse("per", fact.header.aggregate_id), survivor


def heard_death(fact: heard_pb.PersonDied.Fact) -> tuple[UUID, date | None]:
    """Who died and when; no day when the death was none."""
    day = date_of(fact.death_date, "death_date") if fact.HasField("death_date") else None
    return ids.parse("per", fact.header.aggregate_id), day


def of_card(card: CardRow, event: CardEvent, actor: Actor) -> Message:
    """Say what happened to a card, without a word about its holder but the id."""
    if event is CardEvent.ISSUE:
        assert card.valid_to is not None
        return events.CardIssued.Fact(
            header=_header(card),
            person_id=ids.to_text("per", card.person_id),
            level=card.level,
            state=CARD_STATES[card.state],
            cause=CAUSES[actor],
            valid_to=to_date(card.valid_to),
        )
    fact: Message = _CHANGES[event](
        header=_header(card),
        person_id=ids.to_text("per", card.person_id),
        level=card.level,
        state=CARD_STATES[card.state],
        cause=CAUSES[actor],
    )
    if isinstance(fact, events.CardReplaced.Fact):
        assert card.replaced_by is not None
        fact.replaced_by = ids.to_text("crd", card.replaced_by)
    return fact


def double_use(card_id: UUID, person_id: UUID, verifier: str) -> Message:
    """Say that two verifiers saw one number of a device."""
    return events.DoubleUseDetected.Fact(
        header=fact_pb2.FactHeader(aggregate_id=ids.to_text("crd", card_id)),
        person_id=ids.to_text("per", person_id),
        verifier=verifier,
    )


def _header(card: CardRow) -> fact_pb2.FactHeader:
    return fact_pb2.FactHeader(aggregate_id=ids.to_text("crd", card.card_id))
