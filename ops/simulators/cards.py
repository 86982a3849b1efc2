"""Simulated card centre (制卡系统仿真): announces what happened to physical cards.

The real centre knows its holders by their numbers and counts its events for each of them. Here whoever plays a story
says what happened; the reference is made from the holder, so that a restart announces nothing new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.client import key_of

if TYPE_CHECKING:
    from ops.client import Gateway, Json


async def announce(
    gateway: Gateway, person_id: str, id_no: str, event: str, sequence: int, *, payment_enabled: bool = True
) -> Json:
    """Announce an event of a physical card; the same event always goes under the same key.

    Args:
        gateway: The public API, acting as the card centre.
        person_id: The holder, for the reference of the card.
        id_no: The holder's identity number.
        event: ISSUED, LOST, UNLOST, LOCKED or CANCELLED.
        sequence: Place among the events of this holder, from 1.
        payment_enabled: Whether the bank account of the card is activated.
    """
    return await gateway.post(
        "/v1/physical-card-events",
        {
            "id_no": id_no,
            "physical_card_ref": f"SIM-{person_id.removeprefix('per_')}",
            "event": f"PHYSICAL_CARD_EVENT_{event}",
            "sequence": sequence,
            "payment_enabled": payment_enabled,
            "simulated": True,
        },
        key=key_of("physical-card", person_id, sequence),
    )
