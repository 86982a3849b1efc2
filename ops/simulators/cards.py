"""Simulated card centre (制卡系统仿真): announces what happened to physical cards.

The real centre makes cards from the orders of banks and counters, so it knows its holders by their numbers and counts
its events for each of them. Nothing on the platform hands out numbers, so nothing here waits for new persons: who plays
a story brings the orders of its cast and says what happened. The reference comes with the order, so that a repetition
announces nothing new.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ops.client import key_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ops.client import Gateway, Json

SIDE_BY_SIDE = 8


@dataclass(frozen=True, slots=True)
class Order:
    """An order of a physical card (制卡申请)."""

    reference: str  # of the card, opaque: 4 to 36 letters, digits and hyphens
    id_no: str = field(repr=False)


async def make_cards(gateway: Gateway, orders: Iterable[Order]) -> list[Json]:
    """Announce a physical card as issued for each order, several side by side; the answers in order."""
    hands = asyncio.Semaphore(SIDE_BY_SIDE)

    async def make(order: Order) -> Json:
        async with hands:
            return await announce(gateway, order, "ISSUED", 1)

    return await asyncio.gather(*(make(order) for order in orders))


async def announce(gateway: Gateway, order: Order, event: str, sequence: int, *, payment_enabled: bool = True) -> Json:
    """Announce an event of a physical card; the same event always goes under the same key.

    Args:
        gateway: The public API, acting as the card centre.
        order: The order from which the card was made.
        event: ISSUED, LOST, UNLOST, LOCKED or CANCELLED.
        sequence: Place among the events of this holder, from 1.
        payment_enabled: Whether the bank account of the card is activated.
    """
    return await gateway.post(
        "/v1/physical-card-events",
        {
            "id_no": order.id_no,
            "physical_card_ref": f"SIM-{order.reference}",
            "event": f"PHYSICAL_CARD_EVENT_{event}",
            "sequence": sequence,
            "payment_enabled": payment_enabled,
            "simulated": True,
        },
        key=key_of("physical-card", order.reference, sequence),
    )
