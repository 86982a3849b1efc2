"""What a verification comes to: details for staff, groups for third parties, and what a purpose lets a verifier see."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.card.domain.lifecycle import CardState


class Detail(StrEnum):
    """Why a code was accepted or not."""

    OK = "OK"
    STALE = "STALE"
    REPLAYED = "REPLAYED"
    CLOCK_WRONG = "CLOCK_WRONG"
    WRONG_AUDIENCE = "WRONG_AUDIENCE"
    REVOKED = "REVOKED"
    SUSPENDED = "SUSPENDED"
    LOCKED = "LOCKED"
    CARD_EXPIRED = "CARD_EXPIRED"
    STATUS_UNKNOWN = "STATUS_UNKNOWN"
    UNKNOWN_KEY = "UNKNOWN_KEY"
    LIST_EXPIRED = "LIST_EXPIRED"
    MALFORMED = "MALFORMED"
    UNSUPPORTED_VERSION = "UNSUPPORTED_VERSION"
    BAD_ISSUER_SIGNATURE = "BAD_ISSUER_SIGNATURE"
    BAD_DEVICE_SIGNATURE = "BAD_DEVICE_SIGNATURE"
    KEY_WITHDRAWN = "KEY_WITHDRAWN"
    PURPOSE_NOT_ALLOWED = "PURPOSE_NOT_ALLOWED"
    RATE_LIMITED = "RATE_LIMITED"
    VERIFIER_SUSPENDED = "VERIFIER_SUSPENDED"


class Group(StrEnum):
    """What third parties are told."""

    OK = "OK"
    SHOW_AGAIN = "SHOW_AGAIN"
    NOT_VALID = "NOT_VALID"
    CANNOT_CHECK = "CANNOT_CHECK"
    REFUSED = "REFUSED"
    DENIED = "DENIED"


GROUPS: dict[Detail, Group] = {
    Detail.OK: Group.OK,
    Detail.STALE: Group.SHOW_AGAIN,
    Detail.REPLAYED: Group.SHOW_AGAIN,
    Detail.CLOCK_WRONG: Group.SHOW_AGAIN,
    Detail.WRONG_AUDIENCE: Group.SHOW_AGAIN,
    Detail.REVOKED: Group.NOT_VALID,
    Detail.SUSPENDED: Group.NOT_VALID,
    Detail.LOCKED: Group.NOT_VALID,
    Detail.CARD_EXPIRED: Group.NOT_VALID,
    Detail.STATUS_UNKNOWN: Group.CANNOT_CHECK,
    Detail.UNKNOWN_KEY: Group.CANNOT_CHECK,
    Detail.LIST_EXPIRED: Group.CANNOT_CHECK,
    Detail.MALFORMED: Group.REFUSED,
    Detail.UNSUPPORTED_VERSION: Group.REFUSED,
    Detail.BAD_ISSUER_SIGNATURE: Group.REFUSED,
    Detail.BAD_DEVICE_SIGNATURE: Group.REFUSED,
    Detail.KEY_WITHDRAWN: Group.REFUSED,
    Detail.PURPOSE_NOT_ALLOWED: Group.DENIED,
    Detail.RATE_LIMITED: Group.DENIED,
    Detail.VERIFIER_SUSPENDED: Group.DENIED,
}
# Harmless to know, and the holder's device can be helped with it; anything else says something of the holder or helps
# whoever tries.
TOLD = frozenset({Group.OK, Group.SHOW_AGAIN})


SHORT_NAME = 5


class Shown(StrEnum):
    """What a purpose may show of the holder."""

    NAME = "name"  # first and last character
    LAST_FOUR = "last4"  # of the identity number


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a code may be verified for: the scope the verifier needs, the level of the card, and what is shown."""

    word: str
    scope: str
    level: int
    shown: frozenset[Shown]


def when(iat: int, ttl: int, now: int, leeway: int) -> Detail:
    """Whether a code is good at this second."""
    if iat > now + leeway:
        return Detail.CLOCK_WRONG
    return Detail.OK if now <= iat + ttl + leeway else Detail.STALE


def standing(state: CardState | None, valid_to: date | None, today: date) -> Detail:
    """Whether a card can be shown; one that nobody knows looks like one that was cancelled."""
    match state:
        case CardState.SUSPENDED_TEMP | CardState.SUSPENDED_FORMAL:
            return Detail.SUSPENDED
        case CardState.LOCKED:
            return Detail.LOCKED
        case CardState.ACTIVE:
            return Detail.OK if valid_to is not None and today <= valid_to else Detail.CARD_EXPIRED
        case CardState.EXPIRED:
            return Detail.CARD_EXPIRED
        case _:
            return Detail.REVOKED


def mask_name(name: str) -> str:
    """A name as it is shown: first and last character; of two characters only the first."""
    if len(name) <= 2:  # noqa: PLR2004 - surname and one character
        return name[:1] + "*" if len(name) > 1 else "*"
    return name[0] + "*" * (len(name) - 2) + name[-1]


def mask_short(name: str) -> str:
    """A masked name for a code, which has no room for long ones: never more than three stars."""
    return mask_name(name if len(name) <= SHORT_NAME else name[: SHORT_NAME - 1] + name[-1])
