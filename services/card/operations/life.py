"""How a card changes: one function for every change, which writes card, fact and audit row in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel import ids
from kernel.errors import DomainError, NotFound, Refused
from services.card.domain.lifecycle import Actor, CardEvent, CardState, Physical, follow
from services.card.messages import facts
from services.card.operations import holders
from services.card.results import ShownCard
from services.card.store import cards
from services.card.store import holders as holder_rows

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.card.operations.office import Office
    from services.card.store.rows import CardRow, HolderRow

SHOW = "show"


def change(tx: Transaction, card: CardRow, event: CardEvent, actor: Actor) -> None:
    """Let something happen to a locked card.

    Raises:
        Refused: CARD_STEP_REFUSED.
    """
    old = card.state
    card.state = follow(old, event, actor, card.state_before)
    card.state_since = tx.today
    is_suspended = card.state is CardState.SUSPENDED
    card.state_before = old if is_suspended else None
    card.suspended_by = actor if is_suspended else None
    say(tx, card, event, actor, old)


def say(tx: Transaction, card: CardRow, event: CardEvent, actor: Actor, old: CardState | None) -> None:
    """Tell everybody, and the audit log, what happened to a card."""
    tx.emit(facts.of_card(card, event, actor))
    tx.audit(
        f"card_{event.value.lower()}",
        person_id=card.person_id,
        detail={
            "card_id": ids.to_text("crd", card.card_id),
            "from": "" if old is None else old.value,
            "to": card.state.value,
            "actor": actor.value,
        },
    )


async def load(tx: Transaction, card_id: UUID, *, lock: bool = False, holder_only: bool = False) -> CardRow:
    """A card that the caller may know of; that of another person is not found.

    Args:
        tx: The transaction.
        card_id: Which card.
        lock: Whether it is going to change.
        holder_only: Whether it must be the caller's own, whatever other roles the caller has.

    Raises:
        NotFound: CARD_NOT_FOUND.
    """
    card = await cards.get(tx, card_id, lock=lock)
    if card is None:
        raise not_found()
    try:
        tx.principal.require_person(card.person_id)
    except DomainError:
        raise not_found() from None
    if holder_only and tx.principal.person_id != card.person_id:
        raise not_found()
    return card


def acting(tx: Transaction, card: CardRow) -> Actor:
    """Whether the holder acts or the counter; no other role opens another's card to changes.

    Raises:
        NotFound: CARD_NOT_FOUND.
    """
    if tx.principal.person_id == card.person_id:
        return Actor.HOLDER
    if "CLERK" not in tx.principal.roles:
        raise not_found()
    return Actor.COUNTER


def require_usable(tx: Transaction, card: CardRow, holder: HolderRow, office: Office) -> None:
    """A card follows its physical card.

    Raises:
        Refused: CARD_NOT_USABLE with its cause.
    """
    if cause := obstacle(tx, card, holder, office):
        raise Refused("CARD_NOT_USABLE", "the card cannot be used now", source=("ECARD-FAQ",), cause=cause)


def obstacle(tx: Transaction, card: CardRow, holder: HolderRow, office: Office, operation: str = SHOW) -> str:
    """The first reason against a use of a card, empty when there is none."""
    physical = (holder.physical_state or Physical.CANCELLED).value.lower()
    return office.policy.obstacle(physical, card.level, operation, tx.today)


async def shown(tx: Transaction, card: CardRow, office: Office) -> ShownCard:
    """A card as it is shown."""
    holder = await holders.known(tx, card.person_id)
    is_open = card.state is CardState.ACTIVE and card.valid_from <= tx.today <= card.valid_to
    usable = is_open and not obstacle(tx, card, holder, office)
    return ShownCard(card, holder, holder_rows.name(tx, holder), usable)


def not_found() -> NotFound:
    """The one text for a card that does not exist and for one that is not the caller's business."""
    return NotFound("CARD_NOT_FOUND", "no such card")
