"""Family accounts (亲情账户): who may show whose card, how that begins, and what ends it. One literal table of steps.

A delegate acts, a ward is acted for. Nobody under the age of consent agrees for themself, nobody above it is agreed
for, and no family account ever pays.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kernel.calendar import add_months
from kernel.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

MONTHS_OF_A_YEAR = 12
LEVEL_THAT_PAYS = 2


class Relation(StrEnum):
    """What the ward is to the delegate."""

    ELDER = "ELDER"  # 父母及其他长辈
    CHILD = "CHILD"  # 子女
    SPOUSE = "SPOUSE"  # 配偶
    OTHER = "OTHER"  # 其他亲属


class Scope(StrEnum):
    """What a delegate may do."""

    SHOW_CODE = "SHOW_CODE"  # 代为展码
    QUERY = "QUERY"  # 代为查询
    APPLY = "APPLY"  # 代为办事


class Basis(StrEnum):
    """What a family account stands on."""

    GUARDIAN = "GUARDIAN"  # of a child, looked at by the window
    FACE = "FACE"  # the ward agreed, and was recognised
    PIN = "PIN"  # the ward agreed, by the PIN of the card
    WINDOW = "WINDOW"  # the ward agreed before staff


class DelegationState(StrEnum):
    """Where a family account stands."""

    PENDING = "PENDING"  # 待同意
    ACTIVE = "ACTIVE"  # 生效
    SUSPENDED = "SUSPENDED"  # 暂停: the ward came of age and has not agreed yet
    ENDED = "ENDED"  # 已解除


class DelegationEvent(StrEnum):
    """What happens to a family account."""

    CONSENT = "CONSENT"
    COME_OF_AGE = "COME_OF_AGE"
    END = "END"


class EndedBy(StrEnum):
    """Who or what ended a family account."""

    WARD = "WARD"
    DELEGATE = "DELEGATE"
    WINDOW = "WINDOW"
    DELEGATE_CARD = "DELEGATE_CARD"  # lost, cancelled, over, or its holder died
    WARD_CARD = "WARD_CARD"  # cancelled, over, or its holder died
    TERM = "TERM"
    LAPSED = "LAPSED"  # nobody answered the invitation in time


_PENDING, _ACTIVE, _SUSPENDED, _ENDED = DelegationState
STEPS: dict[tuple[DelegationState, DelegationEvent], DelegationState] = {
    (_PENDING, DelegationEvent.CONSENT): _ACTIVE,
    (_SUSPENDED, DelegationEvent.CONSENT): _ACTIVE,
    (_ACTIVE, DelegationEvent.COME_OF_AGE): _SUSPENDED,
    (_PENDING, DelegationEvent.END): _ENDED,
    (_ACTIVE, DelegationEvent.END): _ENDED,
    (_SUSPENDED, DelegationEvent.END): _ENDED,
}


def follow(state: DelegationState, event: DelegationEvent) -> DelegationState:
    """The state after an event.

    Raises:
        Refused: FAMILY_STEP_REFUSED: the table has no such step.
    """
    to = STEPS.get((state, event))
    if to is None:
        raise Refused(
            "FAMILY_STEP_REFUSED",
            "the family account does not stand where this could follow",
            state=state.value,
            event=event.value,
        )
    return to


def of_age_on(birth: date, years: int) -> date:
    """The birthday on which somebody reaches an age; who was born on 29 February has it on the 28th in other years."""
    return add_months(birth, years * MONTHS_OF_A_YEAR)


def is_minor(birth: date, today: date, years: int) -> bool:
    """Whether somebody is under the age of own consent (未满年龄)."""
    return today < of_age_on(birth, years)


@dataclass(frozen=True, slots=True)
class Terms:
    """What is written of a family account: its state, what it stands on, its last day."""

    state: DelegationState
    since: date
    basis: Basis | None
    to_date: date | None


def standing(terms: Terms, birth: date, today: date, years: int, answer_days: int) -> DelegationState:
    """Where a family account stands today, whatever the last daily step wrote.

    A guardian's word is good until the ward comes of age, no account outlives its last day, and an invitation that
    nobody answered lapses.

    Args:
        terms: What is written of it.
        birth: When the ward was born.
        today: The day.
        years: The age of own consent.
        answer_days: How many days an invitation waits.
    """
    if terms.state is _PENDING and (today - terms.since).days > answer_days:
        return _ENDED
    if terms.state is not _ENDED and terms.to_date is not None and today > terms.to_date:
        return _ENDED
    if terms.state is _ACTIVE and terms.basis is Basis.GUARDIAN and not is_minor(birth, today, years):
        return _SUSPENDED
    return terms.state


def may_show_for(purpose: str, level: int, level_two: Collection[str]) -> bool:
    """Whether a code that a family member shows is good for a purpose: never for one that moves money."""
    return level < LEVEL_THAT_PAYS and purpose not in level_two


def require_room(counts: Mapping[Relation, int], relation: Relation, limit: int, total: int) -> None:
    """A delegate has so many wards of a relation and no more, and so many of all relations together.

    Args:
        counts: The wards that the delegate has, by relation.
        relation: What the new one is.
        limit: How many of that relation.
        total: How many in all.

    Raises:
        Refused: FAMILY_LIMIT_REACHED.
    """
    if counts.get(relation, 0) >= limit or sum(counts.values()) >= total:
        raise Refused(
            "FAMILY_LIMIT_REACHED",
            "the delegate has as many wards as the rules allow",
            source=("ECARD-FAQ",),
            relation=relation.value,
        )
