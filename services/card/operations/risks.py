"""Locks by rule (风险规则): signs that a card is in wrong hands are counted, and so many of them lock it.

The holder is told, the reason stands in the audit, and the officer for risks lifts the lock (`operations.ending`); a
new PIN by two proofs opens it as well. A code counts once, however often somebody shows it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from services.card.domain.lifecycle import Actor, CardEvent, CardState
from services.card.operations import life
from services.card.store import cards, risks

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.card.domain.risks import Sign
    from services.card.operations.office import Office


async def note(tx: Transaction, card_id: UUID, sign: Sign, number: bytes, office: Office) -> None:
    """Count a sign and lock the card when its rule says so; a card that is not in use is left as it is."""
    rule = office.policy.risks.on(tx.today).value.get(sign)
    if rule is None:
        return
    if await risks.count(tx, card_id, sign.value, number, tx.now - timedelta(hours=rule.hours)) < rule.count:
        return
    card = await cards.get(tx, card_id, lock=True)
    if card is not None and card.state is CardState.ACTIVE:
        life.change(tx, card, CardEvent.LOCK, Actor.RISK, reason=rule.reason)
