"""Answers to callers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.values import to_date
from hrss.card.v1 import card_pb2 as model
from hrss.card.v1 import card_service_pb2 as pb
from kernel import ids
from services.card.domain.lifecycle import Actor, CardEvent, CardState, actions
from services.card.domain.verification import GROUPS, TOLD, Detail, Shown, mask_name
from services.card.messages.states import (
    CARD_STATES,
    COUNTER_ACTIONS,
    DETAILS,
    HOLDER_ACTIONS,
    PHYSICAL_STATES,
    RESULTS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.card.results import Announced, Minted, PinTried, ShownCard, Verified
_RESULTS_OF_PIN = {True: pb.PIN_RESULT_OK, False: pb.PIN_RESULT_WRONG}


def announced(done: Announced) -> pb.AnnouncePhysicalCardResponse:
    """What became of an event of a physical card."""
    applied, older = pb.PHYSICAL_CARD_OUTCOME_APPLIED, pb.PHYSICAL_CARD_OUTCOME_OLDER
    reply = pb.AnnouncePhysicalCardResponse(outcome=applied if done.applied else older)
    if done.card is not None:
        reply.card_id = ids.to_text("crd", done.card.card_id)
        reply.card_state = CARD_STATES[done.card.state]
    return reply


def card(shown: ShownCard) -> pb.GetCardResponse:
    """A card."""
    return pb.GetCardResponse(card=_card(shown))


def cards(shown: Sequence[ShownCard]) -> pb.ListCardsResponse:
    """The cards of a person."""
    return pb.ListCardsResponse(cards=map(_card, shown))


def activated(shown: ShownCard) -> pb.ActivateCardResponse:
    """An activated card."""
    return pb.ActivateCardResponse(card=_card(shown))


def pin_reset(shown: ShownCard) -> pb.ResetPinResponse:
    """A card with a new PIN."""
    return pb.ResetPinResponse(card=_card(shown))


def loss_reported(shown: ShownCard) -> pb.ReportLossResponse:
    """A suspended card."""
    return pb.ReportLossResponse(card=_card(shown))


def loss_lifted(shown: ShownCard) -> pb.LiftLossResponse:
    """A card as it stood before."""
    return pb.LiftLossResponse(card=_card(shown))


def cancelled(shown: ShownCard) -> pb.CancelCardResponse:
    """A cancelled card."""
    return pb.CancelCardResponse(card=_card(shown))


def pin_tried(tried: PinTried) -> pb.ConfirmPinResponse:
    """What a PIN turned out to be."""
    result = pb.PIN_RESULT_LOCKED if tried.is_locked else _RESULTS_OF_PIN[tried.is_right]
    return pb.ConfirmPinResponse(result=result, tries_left=tried.tries_left)


def minted(made: Minted) -> pb.MintTokenResponse:
    """A code to show."""
    return pb.MintTokenResponse(token=made.text, valid_seconds=made.valid_seconds, refresh_seconds=made.refresh_seconds)


def verified(done: Verified, *, to_staff: bool) -> pb.VerifyTokenResponse:
    """What a verification came to, as far as this verifier may know."""
    group = GROUPS[done.detail]
    reply = pb.VerifyTokenResponse(result=RESULTS[group])
    if to_staff or group in TOLD:
        reply.detail = DETAILS[done.detail]
    if done.detail is Detail.OK:
        reply.subject_ref = done.subject_ref
        reply.level = done.level
        if Shown.NAME in done.shown:
            reply.name_masked = mask_name(done.name)
        if Shown.LAST_FOUR in done.shown:
            reply.id_no_last4 = done.id_no[-4:]
    return reply


def _card(shown: ShownCard) -> model.Card:
    card, holder = shown.card, shown.holder
    message = model.Card(
        card_id=ids.to_text("crd", card.card_id),
        person_id=ids.to_text("per", card.person_id),
        issue_no=card.issue_no or "",
        name_masked=mask_name(shown.name),
        level=card.level,
        state=CARD_STATES[card.state],
        state_since=to_date(card.state_since),
        usable=shown.usable,
        usable_level=shown.usable_level,
        replaced_by=ids.to_text("crd", card.replaced_by) if card.replaced_by is not None else "",
        holder_actions=possible(card.state, card.suspended_by, HOLDER_ACTIONS),
        counter_actions=possible(card.state, card.suspended_by, COUNTER_ACTIONS),
    )
    if card.valid_from is not None and card.valid_to is not None:
        message.valid_from.CopyFrom(to_date(card.valid_from))
        message.valid_to.CopyFrom(to_date(card.valid_to))
    if holder.physical_state is not None:
        message.physical_state = PHYSICAL_STATES[holder.physical_state]
    return message


def possible(
    state: CardState, suspended_by: Actor | None, wanted: Mapping[tuple[CardEvent, Actor], model.CardAction.ValueType]
) -> list[model.CardAction.ValueType]:
    """What the table lets somebody do with a card that stands here; a suspension by the physical card waits for it."""
    steps = actions(state)
    if suspended_by is Actor.PHYSICAL:
        steps = frozenset(one for one in steps if one[0] is not CardEvent.RESUME)
    return [action for step, action in wanted.items() if step in steps]
