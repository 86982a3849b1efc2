"""What holders do with a card, at home or at the counter: activate, confirm by PIN, set a new PIN."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kernel.errors import InvalidInput, Refused
from services.card import pin as pins
from services.card.domain.lifecycle import Actor, CardEvent, CardState
from services.card.domain.password import weakness
from services.card.operations import holders, life
from services.card.results import PinTried
from services.card.store import cards, contacts
from services.card.store import holders as holder_rows
from services.card.store.rows import PinRow

if TYPE_CHECKING:
    from chassis.transaction import Transaction
    from services.card.commands import ConfirmPin, SetPin
    from services.card.operations.office import Office
    from services.card.results import ShownCard
    from services.card.store.rows import CardRow, HolderRow


async def activate(tx: Transaction, command: SetPin, office: Office) -> ShownCard:
    """The holder agrees to the use of a card and sets its PIN, alone with the face or at the counter.

    Raises:
        NotFound: CARD_NOT_FOUND.
        InvalidInput: CONSENT_REQUIRED, PIN_REFUSED.
        Refused: CARD_STEP_REFUSED, CARD_NOT_USABLE.
    """
    card = await life.load(tx, command.card_id, lock=True)
    if not command.consent:
        raise InvalidInput("CONSENT_REQUIRED", "a card is used with its holder's consent", field="consent")
    holder = await holders.known(tx, card.person_id)
    life.require_usable(tx, card, holder, office)
    life.change(tx, card, CardEvent.ACTIVATE, life.acting(tx, card))
    card.consent_date = tx.today
    await _set_pin(tx, card, holder, command, office)
    return await life.shown(tx, card, office)


async def reset_pin(tx: Transaction, command: SetPin, office: Office) -> ShownCard:
    """The holder of a locked card sets a new PIN: by two proofs, or at the counter that saw the holder.

    Raises:
        NotFound: CARD_NOT_FOUND.
        InvalidInput: PIN_REFUSED.
        Refused: CARD_STEP_REFUSED, CARD_NOT_USABLE.
    """
    card = await life.load(tx, command.card_id, lock=True)
    holder = await holders.known(tx, card.person_id)
    life.require_usable(tx, card, holder, office)
    life.change(tx, card, CardEvent.RESET_PIN, life.acting(tx, card))
    await _set_pin(tx, card, holder, command, office)
    return await life.shown(tx, card, office)


async def confirm_pin(tx: Transaction, command: ConfirmPin, office: Office) -> PinTried:
    """Look whether a PIN is right. A wrong one is counted and answered, never refused: a refusal would undo the count.

    Raises:
        NotFound: CARD_NOT_FOUND.
        Refused: CARD_NOT_USABLE.
    """
    card = await life.load(tx, command.card_id, lock=True, holder_only=True)
    kept = await cards.pin(tx, card.card_id)
    if card.state is CardState.LOCKED:
        return PinTried(is_right=False, is_locked=True, tries_left=0)
    life.require_usable(tx, card, await holders.known(tx, card.person_id), office)
    if card.state is not CardState.ACTIVE or kept is None:
        raise Refused("CARD_NOT_USABLE", "the card cannot be used now", cause=card.state.value)
    hashed = pins.Hashed(kept.salt, kept.value)
    is_right = await asyncio.to_thread(pins.fits, command.pin, hashed, office.keys.pin_secret)
    kept.failures = 0 if is_right else kept.failures + 1
    left = max(0, office.policy.lock_after.on(tx.today).value - kept.failures)
    if not left:
        life.change(tx, card, CardEvent.LOCK, Actor.SYSTEM)
    return PinTried(is_right, is_locked=not left, tries_left=left)


async def _set_pin(tx: Transaction, card: CardRow, holder: HolderRow, command: SetPin, office: Office) -> None:
    length = office.policy.pin_length.on(tx.today).value
    contact = await contacts.get(tx, card.person_id)
    for phone in {command.phone, contact.phone if contact is not None else ""}:
        if cause := weakness(command.pin, holder_rows.id_no(tx, holder), length, phone):
            raise InvalidInput("PIN_REFUSED", "the PIN is too weak", field="pin", cause=cause)
    await keep_pin(tx, card, await asyncio.to_thread(pins.hashed, command.pin, office.keys.pin_secret))


async def keep_pin(tx: Transaction, card: CardRow, hashed: pins.Hashed) -> None:
    """Set the PIN of a locked row; whoever calls this has seen that the card may have it."""
    kept = await cards.pin(tx, card.card_id)
    if kept is None:
        kept = PinRow(card_id=card.card_id, salt=hashed.salt, value=hashed.value, set_date=tx.today)
        tx.session.add(kept)
    kept.salt, kept.value, kept.failures, kept.set_date = hashed.salt, hashed.value, 0, tx.today
