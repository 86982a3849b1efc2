"""How a card changes: one function for every change, which writes card, fact and audit row in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel import ids
from kernel.errors import DomainError, NotFound, Refused
from services.card.domain.lifecycle import SUSPENDED, Actor, CardEvent, CardState, Physical, follow
from services.card.domain.usability import LEVEL_ONE
from services.card.messages import facts
from services.card.operations import holders
from services.card.results import ShownCard
from services.card.store import cards
from services.card.store import holders as holder_rows
from services.card.store.rows import NoticeRow

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.card.domain.contact import NoticeWord
    from services.card.operations.office import Office
    from services.card.store.rows import CardRow, HolderRow

SHOW = "show"
# What a holder is told whoever did it: a loss that somebody else reported must not go unseen (恶意挂失).
TOLD = frozenset(CardEvent) - {CardEvent.REQUEST, CardEvent.START_PROOF, CardEvent.PASS_PROOF, CardEvent.ISSUE}


def change(tx: Transaction, card: CardRow, event: CardEvent, actor: Actor, *, reason: str = "") -> None:
    """Let something happen to a locked card: the one place where a card changes its state.

    Args:
        tx: The transaction.
        card: The card.
        event: What happens.
        actor: Who makes it happen.
        reason: Why, in words of staff; for the audit alone.

    Raises:
        Refused: CARD_STEP_REFUSED.
    """
    old = card.state
    step_to(tx, card, event, actor)
    say(tx, card, event, actor, old, reason=reason)


def step_to(tx: Transaction, card: CardRow, event: CardEvent, actor: Actor) -> None:
    """Follow the table without a word; whoever calls this says what came of several steps at once.

    Raises:
        Refused: CARD_STEP_REFUSED.
    """
    old = card.state
    card.state = follow(old, event, actor, card.state_before)
    card.state_since = tx.today
    card.state_before = old if card.state is CardState.SUSPENDED_TEMP else None
    card.suspended_by = actor if card.state in SUSPENDED else None


def say(
    tx: Transaction, card: CardRow, event: CardEvent, actor: Actor, old: CardState | None, *, reason: str = ""
) -> None:
    """Tell everybody, and the audit log, what happened to a card; and its holder what the holder has to know."""
    tx.emit(facts.of_card(card, event, actor))
    tx.audit(
        f"card_{event.value.lower()}",
        person_id=card.person_id,
        detail={
            "card_id": ids.to_text("crd", card.card_id),
            "from": "" if old is None else old.value,
            "to": card.state.value,
            "actor": actor.value,
        }
        | ({"reason": reason} if reason else {}),
    )
    if event in TOLD:
        tell(tx, card.person_id, card.card_id, event, actor)


def tell(tx: Transaction, person_id: UUID, card_id: UUID | None, word: CardEvent | NoticeWord, actor: Actor) -> None:
    """Tell a holder something: it stands at the card, and goes to the number on record, when there is one."""
    row = NoticeRow(
        notice_id=ids.new_id(),
        person_id=person_id,
        card_id=card_id,
        event=word.value,
        actor=actor,
        business_date=tx.today,
    )
    tx.session.add(row)


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
    if holder.death_date is not None:
        return "HOLDER_DIED"
    physical = (holder.physical_state or Physical.NORMAL).value.lower()  # none that is known stands in nobody's way
    return office.policy.obstacle(physical, usable_level(card, tx.now), operation, tx.today)


def usable_level(card: CardRow, now: datetime) -> int:
    """The level that a card has at this moment: what only level 2 opens waits a while after a device was bound."""
    waits = card.level_two_from is not None and now < card.level_two_from
    return min(card.level, LEVEL_ONE) if waits else card.level


async def shown(tx: Transaction, card: CardRow, office: Office) -> ShownCard:
    """A card as it is shown."""
    holder = await holders.known(tx, card.person_id)
    is_active = card.state is CardState.ACTIVE and card.valid_from is not None and card.valid_to is not None
    is_open = is_active and card.valid_from <= tx.today <= card.valid_to  # type: ignore[operator] # just looked at
    usable = is_open and not obstacle(tx, card, holder, office)
    return ShownCard(card, holder, holder_rows.name(tx, holder), usable, usable_level(card, tx.now))


def not_found() -> NotFound:
    """The one text for a card that does not exist and for one that is not the caller's business."""
    return NotFound("CARD_NOT_FOUND", "no such card")
