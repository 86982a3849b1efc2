"""What is only shown: cards, and the code that a holder shows for a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.errors import Refused
from services.card import tokens
from services.card.domain.lifecycle import CardState
from services.card.operations import holders, keys, life
from services.card.results import Minted
from services.card.store import cards
from services.card.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.card.operations.office import Office
    from services.card.results import ShownCard


async def card(tx: Transaction, card_id: UUID, office: Office) -> ShownCard:
    """A card.

    Raises:
        NotFound: CARD_NOT_FOUND.
    """
    found = await life.load(tx, card_id)
    if tx.principal.is_staff:
        tx.audit(tx.method, person_id=found.person_id)
    return await life.shown(tx, found, office)


async def by_number(tx: Transaction, issue_no: str, office: Office) -> ShownCard:
    """The card with an issue number, for staff; a number that nobody has looks like any other.

    Raises:
        NotFound: CARD_NOT_FOUND.
    """
    found = await cards.by_number(tx, issue_no)
    if found is None:
        raise life.not_found()
    tx.audit(tx.method, person_id=found.person_id)
    return await life.shown(tx, found, office)


async def cards_of(tx: Transaction, person_id: UUID, office: Office) -> Sequence[ShownCard]:
    """The cards of a person, newest first.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    holder = await holders.known(tx, person_id)
    return [await life.shown(tx, one, office) for one in await cards.of_person(tx, holder.person_id)]


async def mint(tx: Transaction, card_id: UUID, office: Office) -> Minted:
    """The text of a code, good for a minute and for one verification; nothing is stored.

    Raises:
        NotFound: CARD_NOT_FOUND.
        Refused: CARD_NOT_ACTIVE, CARD_NOT_USABLE.
    """
    found = await life.load(tx, card_id, holder_only=True)
    life.require_usable(tx, found, await holders.known(tx, found.person_id), office)
    if found.state is not CardState.ACTIVE:
        raise Refused("CARD_NOT_ACTIVE", "only an active card is shown", state=found.state.value)
    await keys.refresh(tx, office.keys)
    assert found.reference is not None  # an active card has one
    policy, today = office.policy, tx.today
    valid = policy.valid_seconds.on(today).value
    token = Token(
        reference=found.reference,
        iat=int(tx.now.timestamp()),
        ttl=valid,
        number=office.tell(tokens.NUMBER_BYTES),
        level=life.usable_level(found, tx.now),
    )
    return Minted(tokens.mint(token, office.keys), valid, policy.refresh_seconds.on(today).value)
