"""What the card service counts for the plan's indicators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.card.store import cards

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chassis.operations import Period
    from chassis.transaction import Transaction


async def count(tx: Transaction, _period: Period) -> Mapping[str, int]:
    """Persons who claimed an electronic card (电子社保卡申领人数) and have not given it up.

    A card that still waits for its holder's consent was issued, not claimed; one that is suspended or locked is still
    its holder's.
    """
    return {"ecard_holders": await cards.claimed(tx)}
