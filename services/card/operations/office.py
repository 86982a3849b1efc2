"""What the operations work with beside the transaction: law, keys, and where random numbers come from."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.card.domain.number import RANDOM_DIGITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.card.keyring import KeyRing
    from services.card.operations.places import Places
    from services.card.policy import CardPolicy


def draw_issue_digits() -> int:
    """The random part of an issue number."""
    return secrets.randbelow(10**RANDOM_DIGITS)


@dataclass(frozen=True, slots=True)
class Office:
    """Law and keys of one process; `draw` gives the random part of an issue number, `tell` random bytes.

    Args:
        policy: The law.
        keys: Signing keys and secrets.
        is_production: Whether real people's data is behind this process.
        places: Leased places of status lists.
        root: Public keys of the root of trust; in development its private one too.
        signs_trust: Whether this process signs trust lists by itself.
        is_national: Whether the national platform issues cards, so that they wait for its answer.
        status_uri: Where status lists are found, without their number.
    """

    policy: CardPolicy
    keys: KeyRing
    is_production: bool
    places: Places
    root: KeyRing | None = None
    signs_trust: bool = False
    is_national: bool = False
    status_uri: str = "https://hrss.example.invalid/v1/card-status-lists"
    draw: Callable[[], int] = draw_issue_digits
    tell: Callable[[int], bytes] = secrets.token_bytes
