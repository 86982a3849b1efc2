"""How a card ends (注销): by its holder, by two persons at the counter, or by a death; and locks for a risk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis import approval
from kernel import ids
from kernel.errors import Forbidden, InvalidInput, NotFound
from services.card.domain.contact import NoticeWord
from services.card.domain.lifecycle import OPEN, SUSPENDED, Actor, CardEvent, CardState, follow
from services.card.operations import life, requesting
from services.card.store import cards, losses, risks
from services.card.store import holders as holder_rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.card.commands import DecideCancel
    from services.card.operations.office import Office
    from services.card.results import ShownCard

CANCEL = "cancel_card"
_REASON_MIN, _REASON_MAX = 2, 500


async def cancel(tx: Transaction, card_id: UUID, office: Office) -> ShownCard:
    """Cancel one's own card for ever.

    Raises:
        NotFound: CARD_NOT_FOUND.
        Refused: CARD_STEP_REFUSED.
    """
    card = await life.load(tx, card_id, lock=True, holder_only=True)
    life.change(tx, card, CardEvent.CANCEL, Actor.HOLDER)
    return await life.shown(tx, card, office)


async def prepare_cancel(tx: Transaction, card_id: UUID, reason: str) -> UUID:
    """A clerk takes in that a card is to be cancelled for ever; nothing happens until a second person agrees.

    Raises:
        NotFound: CARD_NOT_FOUND.
        InvalidInput: REASON_REQUIRED.
        Refused: CARD_STEP_REFUSED: the card could not be cancelled.
        AlreadyExists: APPROVAL_PENDING.
    """
    card = await life.load(tx, card_id, lock=True)
    _require_reason(reason)
    follow(card.state, CardEvent.CANCEL, Actor.SECOND, card.state_before)
    subject = ids.to_text("crd", card_id)
    approval_id = await approval.request(tx, kind=CANCEL, subject=subject, payload=_payload(subject))
    tx.audit("card_cancel_prepared", person_id=card.person_id, detail={"card_id": subject, "reason": reason})
    return approval_id


async def decide_cancel(tx: Transaction, command: DecideCancel, office: Office) -> ShownCard:
    """The second person agrees, and the card is cancelled; or not, and it stays as it is.

    Raises:
        NotFound: CARD_NOT_FOUND, APPROVAL_NOT_FOUND: also the approval of another card.
        Forbidden: SECOND_PERSON_REQUIRED.
        Refused: CARD_STEP_REFUSED, APPROVAL_DECIDED, APPROVAL_EXPIRED.
    """
    card = await life.load(tx, command.card_id, lock=True)
    subject = ids.to_text("crd", command.card_id)
    if (await approval.get(tx, command.approval_id)).subject != subject:
        raise NotFound("APPROVAL_NOT_FOUND", "no such approval for this card")
    await approval.decide(tx, command.approval_id, approve=command.approve, reason=command.reason)
    if command.approve:
        await approval.execute(tx, command.approval_id, kind=CANCEL, subject=subject, payload=_payload(subject))
        life.change(tx, card, CardEvent.CANCEL, Actor.SECOND)
    else:
        tx.audit("card_cancel_refused", person_id=card.person_id, detail={"card_id": subject})
    return await life.shown(tx, card, office)


async def lock_for_risk(tx: Transaction, card_id: UUID, reason: str, office: Office) -> ShownCard:
    """The officer for risks locks a card; a new PIN by two proofs, or the officer, opens it.

    Raises:
        NotFound: CARD_NOT_FOUND.
        InvalidInput: REASON_REQUIRED.
        Forbidden: OWN_CARD.
        Refused: CARD_STEP_REFUSED.
    """
    return await _for_risk(tx, card_id, CardEvent.LOCK, reason, office)


async def unlock(tx: Transaction, card_id: UUID, reason: str, office: Office) -> ShownCard:
    """The officer for risks lifts a lock; the PIN stays as it is and may be tried as often as at first.

    Raises:
        NotFound: CARD_NOT_FOUND.
        InvalidInput: REASON_REQUIRED.
        Forbidden: OWN_CARD.
        Refused: CARD_STEP_REFUSED.
    """
    return await _for_risk(tx, card_id, CardEvent.UNLOCK, reason, office)


async def _for_risk(tx: Transaction, card_id: UUID, event: CardEvent, reason: str, office: Office) -> ShownCard:
    card = await life.load(tx, card_id, lock=True)
    if tx.principal.known_person == ids.to_text("per", card.person_id):
        raise Forbidden("OWN_CARD", "nobody decides on the own card")
    _require_reason(reason)
    life.change(tx, card, event, Actor.RISK, reason=reason)
    if event is CardEvent.UNLOCK and (kept := await cards.pin(tx, card_id)) is not None:
        kept.failures = 0
    if event is CardEvent.UNLOCK:
        await risks.forget(tx, card_id)
    return await life.shown(tx, card, office)


async def note_deaths(tx: Transaction, deaths: Mapping[UUID, date | None]) -> None:
    """Cards of those who died end; a death that was none opens none of them again: the living person asks for another.

    A request that is with whoever issues is ended when it comes back (`issuing.settle`).
    """
    for person_id, day in sorted(deaths.items()):
        holder = await holder_rows.get(tx, person_id, lock=True)
        if holder is None:
            continue  # enrollment announces nobody twice: this cannot happen, and would end nothing
        holder.death_date = day
        if day is None:
            await _tell_taken_back(tx, person_id)
        if day is None or (card := await cards.live(tx, person_id)) is None:
            continue
        if card.state in OPEN | SUSPENDED:
            life.change(tx, card, CardEvent.DIE, Actor.SYSTEM)
        elif card.state is not CardState.QUEUED:
            await requesting.reject_for_death(tx, card)


async def _tell_taken_back(tx: Transaction, person_id: UUID) -> None:
    """Say to somebody who lives that the card which a death ended stays over and another can be asked for."""
    said = next(iter(await losses.notices(tx, person_id, 1)), None)
    if said is not None and said.event == CardEvent.DIE:
        life.tell(tx, person_id, said.card_id, NoticeWord.DEATH_TAKEN_BACK, Actor.SYSTEM)


def _require_reason(reason: str) -> None:
    if not _REASON_MIN <= len(reason.strip()) <= _REASON_MAX:
        raise InvalidInput("REASON_REQUIRED", "a reason has 2 to 500 characters", field="reason")


def _payload(subject: str) -> bytes:
    return f"{CANCEL}|{subject}".encode()
