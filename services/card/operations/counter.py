"""The card at the window (窗口): the clerk looks at documents, the holder types the PIN on a pad that no clerk reads.

The PIN is hashed when the pad hands it over and becomes the card's when the clerk goes on, with the same entry, for the
same card and the same act. A new PIN takes two proofs: the document, and beside it the face or a code to the number on
record; the code alone never does, and a number that was just set is no proof.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from kernel import ids
from kernel.errors import Forbidden, InvalidInput, NotFound, Refused
from services.card import pin as pins
from services.card.domain.contact import CodePurpose, SetBy
from services.card.domain.lifecycle import Actor, CardEvent, follow
from services.card.domain.password import weakness
from services.card.operations import contacts, holders, holding, life
from services.card.results import OnPad, PinReset
from services.card.store import contacts as contact_rows
from services.card.store import holders as holder_rows
from services.card.store import pin_entries
from services.card.store.pin_entries import Act, Entry, EntryState

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.card.commands import ResetAtCounter
    from services.card.operations.office import Office
    from services.card.results import CodeSent, ShownCard
    from services.card.store.rows import CardRow

EVENTS = {Act.ACTIVATE: CardEvent.ACTIVATE, Act.RESET_PIN: CardEvent.RESET_PIN}


async def ask(tx: Transaction, card_id: UUID, terminal: str, act: Act, office: Office) -> Entry:
    """Ask the holder for a PIN on a pad, when the card stands where one can be set.

    Raises:
        NotFound: CARD_NOT_FOUND.
        Forbidden: OWN_CARD.
        Refused: CARD_STEP_REFUSED, CARD_NOT_USABLE.
    """
    card = await _load(tx, card_id)
    life.require_usable(tx, card, await holders.known(tx, card.person_id), office)
    follow(card.state, EVENTS[act], Actor.COUNTER, card.state_before)
    seconds = office.policy.pin_pad_seconds.on(tx.today).value
    expires = tx.now + timedelta(seconds=seconds)
    by, state = tx.principal.subject, EntryState.WAITING
    entry = Entry(ids.new_id(), card_id, terminal, act, by, state, None, simulated=False, expires=expires)
    await pin_entries.add(tx, entry)
    tx.audit("pin_asked_for", person_id=card.person_id, detail={"terminal": terminal, "act": act.value})
    return entry


async def show(tx: Transaction, entry_id: UUID) -> Entry:
    """Where an entry stands, for the clerk who asked.

    Raises:
        NotFound: PIN_ENTRY_NOT_FOUND.
    """
    entry = await pin_entries.get(tx, entry_id)
    if entry is None or entry.asked_by != tx.principal.subject:
        raise _no_entry()
    return entry


async def on_pad(tx: Transaction, terminal: str) -> OnPad:
    """What a pad waits for.

    Raises:
        NotFound: PIN_ENTRY_NOT_FOUND: nothing, or not any more.
    """
    entry = await pin_entries.waiting(tx, terminal)
    if entry is None or tx.now >= entry.expires:
        raise _no_entry()
    card = await life.load(tx, entry.card_id)
    return OnPad(entry, holder_rows.name(tx, await holders.known(tx, card.person_id)))


async def enter(tx: Transaction, entry_id: UUID, pin: str, office: Office, *, simulated: bool) -> Entry:
    """Take the PIN that a holder typed; a weak one is refused, and the pad goes on waiting.

    Raises:
        NotFound: PIN_ENTRY_NOT_FOUND.
        Forbidden: PIN_PAD_SIMULATED.
        InvalidInput: PIN_REFUSED.
    """
    if simulated and office.is_production:
        raise Forbidden("PIN_PAD_SIMULATED", "production takes no PIN of a simulator", field="simulated")
    entry = await pin_entries.get(tx, entry_id, lock=True)
    if entry is None or entry.state is not EntryState.WAITING or tx.now >= entry.expires:
        raise _no_entry()
    card = await life.load(tx, entry.card_id)
    holder = await holders.known(tx, card.person_id)
    length = office.policy.pin_length.on(tx.today).value
    contact = await contact_rows.get(tx, card.person_id)
    if cause := weakness(pin, holder_rows.id_no(tx, holder), length, contact.phone if contact else ""):
        raise InvalidInput("PIN_REFUSED", "the PIN is too weak", field="pin", cause=cause)
    hashed = await asyncio.to_thread(pins.hashed, pin, office.keys.pin_secret)
    await pin_entries.enter(tx, entry_id, hashed, simulated=simulated)
    detail = {"terminal": entry.terminal, "simulated": str(simulated).lower()}
    tx.audit("pin_entered_on_pad", person_id=card.person_id, detail=detail)
    found = await pin_entries.get(tx, entry_id)
    assert found is not None
    return found


async def send_code(tx: Transaction, card_id: UUID, office: Office) -> CodeSent:
    """Send the code that is one of two proofs of a new PIN.

    Raises:
        NotFound: CARD_NOT_FOUND, CONTACT_NOT_FOUND.
        Forbidden: OWN_CARD.
        Refused: CARD_STEP_REFUSED, CONTACT_COOLING.
        Busy: TEXT_CODES_LIMIT_REACHED.
    """
    card = await _load(tx, card_id)
    follow(card.state, CardEvent.RESET_PIN, Actor.COUNTER, card.state_before)
    await holders.locked(tx, card.person_id)
    contact = await contact_rows.get(tx, card.person_id)
    if contact is None:
        raise contacts.no_number()
    if tx.now < contact.factor_from:
        raise Refused("CONTACT_COOLING", "the number was set a short time ago")
    tx.audit("reset_code_sent", person_id=card.person_id)
    return await contacts.send_code(tx, card.person_id, contact.phone, CodePurpose.RESET_PIN, SetBy.COUNTER, office)


async def activate(
    tx: Transaction, card_id: UUID, entry_id: UUID, evidence_ref: str, office: Office, *, consent: bool
) -> ShownCard:
    """Activate a card before the counter with the PIN that its holder typed.

    Raises:
        NotFound: CARD_NOT_FOUND, PIN_ENTRY_NOT_FOUND.
        InvalidInput: CONSENT_REQUIRED.
        Forbidden: OWN_CARD.
        Refused: CARD_STEP_REFUSED, CARD_NOT_USABLE, PIN_ENTRY_NOT_READY.
    """
    card = await _load(tx, card_id)
    if not consent:
        raise InvalidInput("CONSENT_REQUIRED", "a card is used with its holder's consent", field="consent")
    life.require_usable(tx, card, await holders.known(tx, card.person_id), office)
    entry = await _entered(tx, card, entry_id, Act.ACTIVATE)
    life.change(tx, card, CardEvent.ACTIVATE, Actor.COUNTER, reason=f"document {evidence_ref}")
    card.consent_date = tx.today
    await _take(tx, card, entry)
    return await life.shown(tx, card, office)


async def reset_pin(tx: Transaction, command: ResetAtCounter, office: Office) -> PinReset:
    """Give a locked card the PIN that its holder typed, on two proofs.

    Raises:
        NotFound: CARD_NOT_FOUND, PIN_ENTRY_NOT_FOUND, TEXT_CODE_NOT_FOUND.
        InvalidInput: SECOND_PROOF_REQUIRED.
        Forbidden: OWN_CARD.
        Refused: CARD_STEP_REFUSED, CARD_NOT_USABLE, PIN_ENTRY_NOT_READY.
    """
    card = await _load(tx, command.card_id)
    life.require_usable(tx, card, await holders.known(tx, card.person_id), office)
    follow(card.state, CardEvent.RESET_PIN, Actor.COUNTER, card.state_before)
    entry = await _entered(tx, card, command.entry_id, Act.RESET_PIN)
    if command.face_ref:
        proof = f"face {command.face_ref}"
    elif command.code_id is not None:
        code, tried = await contacts.try_code(tx, command.code_id, command.code, CodePurpose.RESET_PIN, office)
        if code.person_id != card.person_id:
            raise NotFound("TEXT_CODE_NOT_FOUND", "no such code waits")
        if not tried.is_right:
            return PinReset(await life.shown(tx, card, office), is_confirmed=False, tries_left=tried.tries_left)
        proof = "code"
    else:
        raise InvalidInput("SECOND_PROOF_REQUIRED", "a new PIN takes two proofs", field="face_ref")
    reason = f"document {command.evidence_ref}; {proof}"
    life.change(tx, card, CardEvent.RESET_PIN, Actor.COUNTER, reason=reason)
    await _take(tx, card, entry)
    return PinReset(await life.shown(tx, card, office), is_confirmed=True, tries_left=0)


async def _load(tx: Transaction, card_id: UUID) -> CardRow:
    """A card of somebody else: nobody serves themself at the window."""
    card = await life.load(tx, card_id, lock=True)
    if tx.principal.known_person == ids.to_text("per", card.person_id):
        raise Forbidden("OWN_CARD", "nobody decides on the own card")
    return card


async def _entered(tx: Transaction, card: CardRow, entry_id: UUID, act: Act) -> Entry:
    entry = await pin_entries.get(tx, entry_id, lock=True)
    if entry is None or entry.card_id != card.card_id or entry.act is not act:
        raise _no_entry()
    if entry.asked_by != tx.principal.subject:
        raise _no_entry()
    if entry.state is not EntryState.ENTERED or tx.now >= entry.expires:
        raise Refused("PIN_ENTRY_NOT_READY", "the holder has typed no PIN for this", state=entry.state.value)
    return entry


async def _take(tx: Transaction, card: CardRow, entry: Entry) -> None:
    assert entry.pin is not None  # a constraint
    await holding.keep_pin(tx, card, entry.pin)
    await pin_entries.use(tx, entry.entry_id)


def _no_entry() -> NotFound:
    return NotFound("PIN_ENTRY_NOT_FOUND", "no such entry waits")
