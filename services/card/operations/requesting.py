"""A card is asked for (申领), its holder's identity is proved, and it waits for whoever issues it.

The proof is a living face, the counter that saw the holder, or the card centre that made the physical card. Of a proof
only the answer, its number and its time are kept. There is always the way through the counter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernel import ids
from kernel.errors import AlreadyExists, Forbidden, InvalidInput, Refused
from services.card.domain.lifecycle import Actor, CardEvent, CardState, Physical
from services.card.operations import holders, issuing, life
from services.card.store import cards, orders, proofs
from services.card.store.proofs import Method, Proof
from services.card.store.rows import CardRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.card.operations.office import Office
    from services.card.results import ShownCard
    from services.card.store.rows import HolderRow

PAGE = 100
_UNPROVED = frozenset({CardState.REQUESTED, CardState.VERIFYING})


@dataclass(frozen=True, slots=True)
class Proved:
    """What became of a proof."""

    card: CardRow
    repeated: bool


async def request(tx: Transaction, person_id: UUID, evidence_ref: str, office: Office) -> ShownCard:
    """Ask for a card as its holder or for the holder at the counter, who has proved the identity there.

    Args:
        tx: The transaction.
        person_id: Whose card.
        evidence_ref: What the counter saw, for example the number of its record; of the counter alone.
        office: Law, keys, places, back end.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        AlreadyExists: ALREADY_HAS_CARD with the state of that card and nothing of its holder.
        InvalidInput: EVIDENCE_REQUIRED.
        Refused: CARD_NOT_USABLE: the holder died, or the physical card cannot be used.
    """
    tx.principal.require_person(person_id)
    holder = await holders.locked(tx, person_id)
    if (there := await cards.live(tx, person_id)) is not None:
        raise AlreadyExists("ALREADY_HAS_CARD", "a person has one card", state=there.state.value)
    is_own = tx.principal.person_id == person_id
    if not is_own and not evidence_ref:
        raise InvalidInput("EVIDENCE_REQUIRED", "the counter says what it saw", field="evidence_ref")
    actor = Actor.HOLDER if is_own else Actor.COUNTER
    card = CardRow(
        card_id=ids.new_id(),
        person_id=person_id,
        level=issuing.level(holder),
        state=CardState.REQUESTED,
        state_since=tx.today,
    )
    life.require_usable(tx, card, holder, office)
    tx.session.add(card)
    await tx.session.flush()
    life.say(tx, card, CardEvent.REQUEST, actor, None)
    if not is_own:
        await prove(tx, card, holder, Proof(Method.COUNTER, evidence_ref, passed=True, simulated=False), office)
    return await life.shown(tx, card, office)


async def start_proof(tx: Transaction, card_id: UUID, office: Office) -> ShownCard:
    """The holder stands before the camera: whoever checks faces looks for the request now.

    Raises:
        NotFound: CARD_NOT_FOUND.
        Refused: CARD_STEP_REFUSED.
    """
    card = await life.load(tx, card_id, lock=True, holder_only=True)
    life.change(tx, card, CardEvent.START_PROOF, Actor.SYSTEM)
    return await life.shown(tx, card, office)


async def record(tx: Transaction, card_id: UUID, proof: Proof, office: Office) -> Proved:
    """Take the answer of a check: a card that was asked for goes on, or its request ends.

    Raises:
        NotFound: CARD_NOT_FOUND.
        Forbidden: FACE_CHECK_SIMULATED.
        Refused: CARD_STEP_REFUSED, PROOF_DIFFERS.
    """
    if proof.simulated and office.is_production:
        raise Forbidden("FACE_CHECK_SIMULATED", "production takes no answer of a simulator", field="simulated")
    found = await life.load(tx, card_id)
    holder = await holders.locked(tx, found.person_id)
    card = await life.load(tx, card_id, lock=True)
    if (before := await proofs.get(tx, card_id)) is not None and card.state not in _UNPROVED:
        if before != proof:
            raise Refused("PROOF_DIFFERS", "the identity was proved before, with another answer")
        return Proved(card, repeated=True)
    await prove(tx, card, holder, proof, office)
    return Proved(card, repeated=False)


async def prove(tx: Transaction, card: CardRow, holder: HolderRow, proof: Proof, office: Office) -> None:
    """Let a proof take effect; with the local back end the card is issued at once.

    A proof for somebody who died, or whose physical card is over, is no proof.

    Raises:
        Refused: CARD_STEP_REFUSED.
    """
    if card.state is CardState.REQUESTED:
        life.change(tx, card, CardEvent.START_PROOF, Actor.SYSTEM)
    passed = proof.passed and holder.death_date is None and holder.physical_state is not Physical.CANCELLED
    life.change(tx, card, CardEvent.PASS_PROOF if passed else CardEvent.FAIL_PROOF, Actor.SYSTEM)
    await tx.session.flush()
    await proofs.add(tx, card.card_id, proof)
    if not passed:
        return
    if office.is_national:
        await orders.add(tx, card.card_id)
        return
    await issuing.issue(tx, card, holder, office)


def by_physical(holder: HolderRow) -> Proof:
    """The card centre made a physical card for the holder: it knows who that is."""
    return Proof(Method.PHYSICAL, f"{holder.physical_sequence}", passed=True, simulated=False)


async def open_proofs(tx: Transaction) -> Sequence[UUID]:
    """The cards whose holders stand before the camera; ids and nothing of the holders."""
    return await proofs.waiting(tx, PAGE)


async def reject_for_death(tx: Transaction, card: CardRow) -> None:
    """End the request of somebody who died before the identity was proved."""
    if card.state is CardState.REQUESTED:
        life.change(tx, card, CardEvent.START_PROOF, Actor.SYSTEM)
    life.change(tx, card, CardEvent.FAIL_PROOF, Actor.SYSTEM)
