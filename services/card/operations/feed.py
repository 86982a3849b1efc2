"""The feed of physical cards (实体卡动态): the electronic card is issued with the physical one and follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.errors import Conflict, NotFound, Refused
from services.card.domain.issuing import obstacle
from services.card.domain.lifecycle import PHYSICAL_STATES, Actor, CardEvent, PhysicalEvent, answer_to
from services.card.operations import issuing, life, losing, requesting
from services.card.results import Announced
from services.card.store import cards, holders
from services.card.store.rows import PhysicalEventRow

if TYPE_CHECKING:
    from chassis.transaction import Transaction
    from services.card.commands import Announce
    from services.card.operations.office import Office
    from services.card.store.rows import CardRow, HolderRow

RETRY_AFTER_SECONDS = 2.0


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
    before, is_another = holder.physical_state, holder.physical_ref not in (None, command.physical_ref)
    holder.physical_state = PHYSICAL_STATES[command.event]
    holder.physical_ref = command.physical_ref
    holder.physical_sequence = command.sequence
    holder.payment_enabled = command.payment_enabled
    tx.audit(
        "physical_card_changed",
        person_id=holder.person_id,
        detail={"from": before.value if before else "", "to": holder.physical_state.value},
    )
    return Announced(applied=True, card=await _follow(tx, holder, card, office, is_another=is_another))


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


async def _follow(
    tx: Transaction, holder: HolderRow, card: CardRow | None, office: Office, *, is_another: bool
) -> CardRow | None:
    """Let the electronic card follow what became of the physical one."""
    assert holder.physical_state is not None
    if holder.death_date is not None:
        return card  # what was live when the death became known was ended then
    state, by = (card.state, card.suspended_by) if card is not None else (None, None)
    event = answer_to(state, holder.physical_state, by, is_another=is_another)
    if card is None:
        if obstacle(issuing.standing(holder)):  # the rule of a city's batch, too
            return None
        return await issuing.issue_at_once(tx, holder, Actor.PHYSICAL, office)
    card.level = issuing.level(holder)
    match event:
        case CardEvent.START_PROOF | CardEvent.PASS_PROOF:
            await requesting.prove(tx, card, holder, requesting.by_physical(holder), office)
        case CardEvent.REPLACE:
            return await losing.put_another(tx, card, holder, Actor.PHYSICAL, office)
        case CardEvent():
            life.change(tx, card, event, Actor.PHYSICAL)
            if event in (CardEvent.SUSPEND, CardEvent.SUSPEND_FORMALLY):
                await losing.note(tx, card, Actor.PHYSICAL, formal=event is CardEvent.SUSPEND_FORMALLY)
    return card
