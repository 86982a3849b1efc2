"""Simulated face check (人脸识别自助认证仿真): says that it is one with every answer, and looks at nobody.

The real adapter checks a living face against the police's library and records the number of the check. Number and
answer of this one follow from the person and the day, so that a repetition records nothing new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ops.client import key_of

if TYPE_CHECKING:
    from datetime import date

    from ops.client import Gateway, Json


async def check(gateway: Gateway, person_id: str, day: date, *, passed: bool = True) -> Json:
    """Check a face that nobody shows; the same person and day always go under the same number."""
    number = key_of("face", person_id, day, passed)[:24]
    return await gateway.post(
        f"/v1/persons/{person_id}:record-face-check",
        {
            "passed": passed,
            "certified_date": day.isoformat(),
            "evidence_ref": f"SIM-{number[:12]}-{number[12:]}",  # no run of digits that looks like a number of anybody
            "simulated": True,
        },
        key=key_of("face-check", number),
    )


async def prove_cards(gateway: Gateway) -> int:
    """Check the face of everybody who asked for a card and stands before the camera; returns how many."""
    waiting = (await gateway.get("/v1/card-proofs"))["card_ids"]
    for card_id in waiting:
        number = key_of("card-face", card_id)[:24]
        await gateway.post(
            f"/v1/cards/{card_id}:record-proof",
            {"passed": True, "evidence_ref": f"SIM-{number[:12]}-{number[12:]}", "simulated": True},
            key=key_of("card-proof", number),
        )
    return len(waiting)
