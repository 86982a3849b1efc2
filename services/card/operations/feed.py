"""The feed of physical cards (实体卡动态): the electronic card is issued with the physical one and follows it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from kernel import ids
from kernel.errors import Conflict, NotFound, Refused
from services.card.domain import number
from services.card.domain.lifecycle import (
    PHYSICAL_STATES,
    Actor,
    CardEvent,
    PhysicalEvent,
    answer_to,
    follow,
)
from services.card.domain.usability import LEVEL_TWO
from services.card.operations import devices, life
from services.card.results import Announced
from services.card.store import cards, holders
from services.card.store.rows import CardRow, PhysicalEventRow
from services.card.tokens import REFERENCE_BYTES

if TYPE_CHECKING:
    from chassis.transaction import Transaction
    from services.card.commands import Announce
    from services.card.operations.office import Office
    from services.card.store.rows import HolderRow

LEVEL_ONE = 1
RETRY_AFTER_SECONDS = 2.0
_DRAWS = 20  # 13 random digits: a second draw is rare, a twentieth means that the draw is broken


async def announce(tx: Transaction, command: Announce, office: Office) -> Announced:
    """Take an event of a physical card; the last one decides, whatever the order of arrival.

    Raises:
        Refused: PHYSICAL_EVENT_SIMULATED, PHYSICAL_EVENT_DIFFERS.
        Conflict: HOLDER_NOT_KNOWN_YET.
        NotFound: PHYSICAL_CARD_UNKNOWN: something happened to a card that was never announced.
    """
    if command.simulated and office.is_production:
        raise Refused("PHYSICAL_EVENT_SIMULATED", "production takes no events of a simulator", field="simulated")
    holder = await holders.lock_by_number(tx, command.id_no)
    if holder is None:
        raise Conflict(
            "HOLDER_NOT_KNOWN_YET", "the register has not announced this person", retry_after=RETRY_AFTER_SECONDS
        )
    card = await cards.live(tx, holder.person_id)
    source = tx.principal.client
    if (known := await holders.event(tx, source, holder.person_id, command.sequence)) is not None:
        if (known.event, known.physical_ref, known.payment_enabled) != _content(command):
            raise Refused("PHYSICAL_EVENT_DIFFERS", "this event was announced before with another content")
        return Announced(known.applied, card)
    if holder.physical_state is None and command.event is not PhysicalEvent.ISSUED:
        raise NotFound("PHYSICAL_CARD_UNKNOWN", "no physical card of this holder was announced")
    applied = _counts(command, holder)
    tx.session.add(_event_row(tx, command, holder, source, applied=applied))
    if not applied:
        tx.audit("physical_event_kept", person_id=holder.person_id, detail={"sequence": str(command.sequence)})
        return Announced(applied=False, card=card)
    before = holder.physical_state
    holder.physical_state = PHYSICAL_STATES[command.event]
    holder.physical_ref = command.physical_ref
    holder.physical_sequence = command.sequence
    holder.payment_enabled = command.payment_enabled
    tx.audit(
        "physical_card_changed",
        person_id=holder.person_id,
        detail={"from": before.value if before else "", "to": holder.physical_state.value},
    )
    return Announced(applied=True, card=await _follow(tx, holder, card, office))


def _content(command: Announce) -> tuple[PhysicalEvent, str, bool]:
    return command.event, command.physical_ref, command.payment_enabled


def _counts(command: Announce, holder: HolderRow) -> bool:
    """Whether an event is the last one, and of the card that the holder has: one that was replaced counts no more."""
    is_current = command.event is PhysicalEvent.ISSUED or command.physical_ref == holder.physical_ref
    return command.sequence > holder.physical_sequence and is_current


def _event_row(
    tx: Transaction, command: Announce, holder: HolderRow, source: str, *, applied: bool
) -> PhysicalEventRow:
    return PhysicalEventRow(
        source=source,
        person_id=holder.person_id,
        sequence=command.sequence,
        event=command.event,
        physical_ref=command.physical_ref,
        payment_enabled=command.payment_enabled,
        simulated=command.simulated,
        applied=applied,
        business_date=tx.today,
    )


async def _follow(tx: Transaction, holder: HolderRow, card: CardRow | None, office: Office) -> CardRow | None:
    """Let the electronic card follow what became of the physical one."""
    assert holder.physical_state is not None
    if card is not None:
        card.level = _level(holder)
    state, by = (card.state, card.suspended_by) if card is not None else (None, None)
    match answer_to(state, holder.physical_state, by):
        case CardEvent.ISSUE:
            return await _issue(tx, holder, office)
        case CardEvent() as event if card is not None:
            life.change(tx, card, event, Actor.PHYSICAL)
    return card


async def _issue(tx: Transaction, holder: HolderRow, office: Office) -> CardRow:
    """Issue a card; the holder is locked, and an index keeps a second live one out in any case."""
    state = follow(None, CardEvent.ISSUE, Actor.PHYSICAL)
    for _ in range(_DRAWS):
        card = CardRow(
            card_id=ids.new_id(),
            person_id=holder.person_id,
            issue_no=number.make(office.draw()),
            reference=office.tell(REFERENCE_BYTES),
            level=_level(holder),
            state=state,
            state_since=tx.today,
            valid_from=tx.today,
            valid_to=_years_later(tx.today, office.policy.valid_years.on(tx.today).value),
        )
        if await cards.add(tx, card):
            await devices.bind_server(tx, card, office)
            life.say(tx, card, CardEvent.ISSUE, Actor.PHYSICAL, None)
            return card
    raise RuntimeError("no free issue number was drawn")


def _level(holder: HolderRow) -> int:
    return LEVEL_TWO if holder.payment_enabled else LEVEL_ONE


def _years_later(day: date, years: int) -> date:
    """The last day of so many years; a leap day ends on 28 February."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 2, 28)
