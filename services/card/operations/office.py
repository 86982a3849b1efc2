"""What the operations work with beside the transaction: law, keys, and where random numbers come from."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.card.domain.number import RANDOM_DIGITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.card.keyring import KeyRing
    from services.card.policy import CardPolicy


def draw_issue_digits() -> int:
    """The random part of an issue number."""
    return secrets.randbelow(10**RANDOM_DIGITS)


@dataclass(frozen=True, slots=True)
class Office:
    """Law and keys of one process; `draw` gives the random part of an issue number, `tell` random bytes."""

    policy: CardPolicy
    keys: KeyRing
    is_production: bool
    draw: Callable[[], int] = draw_issue_digits
    tell: Callable[[int], bytes] = secrets.token_bytes
