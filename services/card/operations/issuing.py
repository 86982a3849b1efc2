"""From a request to an issued card: number, reference, place and validity, drawn when whoever issues has said yes.

The local back end says yes at once. The national one is asked outside every transaction (`operations.ordering`), so a
card waits as QUEUED until it answered. What happened to holder and physical card meanwhile is settled at the issue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel import ids
from services.card.domain import issuing as rule
from services.card.domain import number
from services.card.domain.lifecycle import WAY_TO_ISSUE, Actor, CardEvent, CardState, answer_to, follow
from services.card.operations import devices, life
from services.card.store import cards, orders
from services.card.store.rows import CardRow
from services.card.tokens import REFERENCE_BYTES

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.card.operations.office import Office
    from services.card.store.rows import HolderRow

_DRAWS = 20  # 13 random digits: a second draw is rare, a twentieth means that the draw is broken


def level(holder: HolderRow) -> int:
    """The level of a holder's card: what moves money needs an activated bank account (二级签发的条件)."""
    return rule.level(payment_enabled=holder.payment_enabled)


def standing(holder: HolderRow) -> rule.Standing:
    """What counts of a holder for the rule who may have a card issued."""
    return rule.Standing(holder.physical_state, holder.survivor_id is not None, holder.death_date is not None)


async def issue_at_once(
    tx: Transaction, holder: HolderRow, actor: Actor, office: Office, card_id: UUID | None = None
) -> CardRow:
    """Issue a card whose holder's identity others vouch for: the card centre, the counter, the card before.

    The card goes all steps of the table at once and they are said as one, unless the back end has to be asked first.

    Args:
        tx: The transaction; it holds the lock of the holder, and an index keeps a second live card out in any case.
        holder: Whose card.
        actor: Who asks for it.
        office: Law, keys, places, back end.
        card_id: Id of the card; by default a new one.
    """
    state = _walk(actor, *(WAY_TO_ISSUE[:-1] if office.is_national else WAY_TO_ISSUE))
    for _ in range(_DRAWS):
        card = CardRow(
            card_id=card_id or ids.new_id(),
            person_id=holder.person_id,
            level=level(holder),
            state=state,
            state_since=tx.today,
        )
        if state is CardState.ISSUED:
            _give_number(tx, card, number.make(office.draw()), office)
        if await cards.add(tx, card):
            break
    else:
        raise RuntimeError("no free issue number was drawn")
    if state is CardState.QUEUED:
        await orders.add(tx, card.card_id)
        life.say(tx, card, CardEvent.REQUEST, actor, None)
        return card
    await devices.bind_server(tx, card, office)
    life.say(tx, card, CardEvent.ISSUE, actor, None)
    return card


async def issue(tx: Transaction, card: CardRow, holder: HolderRow, office: Office) -> None:
    """Issue a card that waited for its back end, and let it stand where its holder and physical card put it.

    Raises:
        Refused: CARD_STEP_REFUSED.
        Conflict: PLACES_LEASED.
    """
    old = card.state
    for _ in range(_DRAWS):
        issue_no = number.make(office.draw())
        if not await cards.is_taken(tx, issue_no):
            break
    else:
        raise RuntimeError("no free issue number was drawn")
    life.step_to(tx, card, CardEvent.ISSUE, Actor.SYSTEM)
    _give_number(tx, card, issue_no, office)
    card.level = level(holder)
    await tx.session.flush()
    await devices.bind_server(tx, card, office)
    life.say(tx, card, CardEvent.ISSUE, Actor.SYSTEM, old)
    await settle(tx, card, holder)


async def settle(tx: Transaction, card: CardRow, holder: HolderRow) -> None:
    """Let a card that was just issued follow what happened while it waited."""
    await tx.session.flush()
    if holder.death_date is not None:
        life.change(tx, card, CardEvent.DIE, Actor.SYSTEM)
        return
    if holder.physical_state is None:
        return
    if (event := answer_to(card.state, holder.physical_state, card.suspended_by)) is not None:
        life.change(tx, card, event, Actor.PHYSICAL)


def _walk(actor: Actor, *events: CardEvent) -> CardState:
    """Where these steps lead from nothing; the first is the actor's, the others are the system's."""
    state: CardState | None = None
    for event in events:
        state = follow(state, event, actor if event is CardEvent.REQUEST else Actor.SYSTEM)
    assert state is not None
    return state


def _give_number(tx: Transaction, card: CardRow, issue_no: str, office: Office) -> None:
    card.issue_no = issue_no
    card.reference = office.tell(REFERENCE_BYTES)
    card.valid_from = tx.today
    card.valid_to = rule.years_later(tx.today, office.policy.valid_years.on(tx.today).value)
