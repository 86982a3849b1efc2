"""Signs that a card is in wrong hands (风险规则): each rule counts one sign within so many hours and locks the card."""

from dataclasses import dataclass
from enum import StrEnum

from services.card.domain.verification import Detail


class Sign(StrEnum):
    """What is counted."""

    REFUSED_CODES = "refused_codes"  # codes of the card that were ours and not accepted, each once
    DOUBLE_USE = "double_use"  # one number of a device at two verifiers


@dataclass(frozen=True, slots=True)
class Rule:
    """So many of a sign within so many hours lock a card."""

    sign: Sign
    count: int
    hours: int

    @property
    def reason(self) -> str:
        """Why a card was locked, for the audit."""
        return f"rule {self.sign.value}: {self.count} within {self.hours} h"


# Codes that were good once or elsewhere: pictures of a screen, and codes that were relayed. One that comes again within
# its minute is not counted, for scanners fire twice; nor what a verifier's contract refuses.
COUNTED = frozenset({Detail.STALE, Detail.WRONG_AUDIENCE})
