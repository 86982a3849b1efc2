"""Which states a card has and how one follows another: one literal table, with who may do it.

Every pair that is not in the table is refused.
"""

from dataclasses import dataclass
from enum import StrEnum

from kernel.errors import Refused


class CardState(StrEnum):
    """Where a card stands."""

    ISSUED = "ISSUED"  # 已签发
    ACTIVE = "ACTIVE"  # 正常
    LOCKED = "LOCKED"  # 锁定
    SUSPENDED = "SUSPENDED"  # 挂失
    CANCELLED = "CANCELLED"  # 注销


class CardEvent(StrEnum):
    """What happens to a card."""

    ISSUE = "ISSUE"
    ACTIVATE = "ACTIVATE"
    LOCK = "LOCK"
    RESET_PIN = "RESET_PIN"
    SUSPEND = "SUSPEND"
    RESUME = "RESUME"
    CANCEL = "CANCEL"


class Actor(StrEnum):
    """Who makes it happen."""

    HOLDER = "HOLDER"  # 持卡人
    COUNTER = "COUNTER"  # 窗口
    PHYSICAL = "PHYSICAL"  # 实体卡动态
    SYSTEM = "SYSTEM"


class Physical(StrEnum):
    """Where the physical card stands."""

    NORMAL = "NORMAL"
    LOST = "LOST"
    LOCKED = "LOCKED"
    CANCELLED = "CANCELLED"


class PhysicalEvent(StrEnum):
    """What the source of physical cards announces."""

    ISSUED = "ISSUED"
    LOST = "LOST"
    UNLOST = "UNLOST"
    LOCKED = "LOCKED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Step:
    """Where an event leads and who may make it happen; `to` None is the state before the suspension."""

    to: CardState | None
    actors: frozenset[Actor]


_HOLDER, _SYSTEM = frozenset({Actor.HOLDER}), frozenset({Actor.SYSTEM})
_FEED = frozenset({Actor.PHYSICAL})
_ANYBODY = frozenset({Actor.HOLDER, Actor.COUNTER, Actor.PHYSICAL})
_NO_COUNTER = frozenset({Actor.HOLDER, Actor.PHYSICAL})

STEPS: dict[tuple[CardState | None, CardEvent], Step] = {
    (None, CardEvent.ISSUE): Step(CardState.ISSUED, _FEED),
    (CardState.ISSUED, CardEvent.ACTIVATE): Step(CardState.ACTIVE, _HOLDER),
    (CardState.ACTIVE, CardEvent.LOCK): Step(CardState.LOCKED, _SYSTEM),
    (CardState.LOCKED, CardEvent.RESET_PIN): Step(CardState.ACTIVE, _HOLDER),
    (CardState.ISSUED, CardEvent.SUSPEND): Step(CardState.SUSPENDED, _ANYBODY),
    (CardState.ACTIVE, CardEvent.SUSPEND): Step(CardState.SUSPENDED, _ANYBODY),
    (CardState.LOCKED, CardEvent.SUSPEND): Step(CardState.SUSPENDED, _ANYBODY),
    (CardState.SUSPENDED, CardEvent.RESUME): Step(None, _ANYBODY),
    (CardState.ISSUED, CardEvent.CANCEL): Step(CardState.CANCELLED, _NO_COUNTER),
    (CardState.ACTIVE, CardEvent.CANCEL): Step(CardState.CANCELLED, _NO_COUNTER),
    (CardState.LOCKED, CardEvent.CANCEL): Step(CardState.CANCELLED, _NO_COUNTER),
    (CardState.SUSPENDED, CardEvent.CANCEL): Step(CardState.CANCELLED, _NO_COUNTER),
}

PHYSICAL_STATES: dict[PhysicalEvent, Physical] = {
    PhysicalEvent.ISSUED: Physical.NORMAL,
    PhysicalEvent.LOST: Physical.LOST,
    PhysicalEvent.UNLOST: Physical.NORMAL,
    PhysicalEvent.LOCKED: Physical.LOCKED,
    PhysicalEvent.CANCELLED: Physical.CANCELLED,
}


def follow(state: CardState | None, event: CardEvent, actor: Actor, before: CardState | None = None) -> CardState:
    """The state after an event.

    Args:
        state: The state now; None before there is a card.
        event: What happens.
        actor: Who makes it happen.
        before: The state before the suspension, when there is one.

    Raises:
        Refused: CARD_STEP_REFUSED: the table has no such step, or not for this actor.
    """
    step = STEPS.get((state, event))
    to = None if step is None or actor not in step.actors else step.to or before
    if to is None:
        raise Refused(
            "CARD_STEP_REFUSED",
            "the card does not stand where this could follow",
            state="" if state is None else state.value,
            event=event.value,
        )
    return to


def answer_to(card: CardState | None, physical: Physical, suspended_by: Actor | None) -> CardEvent | None:
    """What a physical card that now stands like this does to the electronic one; None: nothing.

    A usable physical card brings an electronic one into being, and resumes one that a physical card suspended; a loss
    that the holder reported stays until the holder lifts it.
    """
    match physical:
        case Physical.NORMAL:
            if card is None:
                return CardEvent.ISSUE
            return CardEvent.RESUME if suspended_by is Actor.PHYSICAL else None
        case Physical.LOST | Physical.LOCKED:
            is_open = card is not None and card is not CardState.SUSPENDED
            return CardEvent.SUSPEND if is_open else None
        case Physical.CANCELLED:
            return None if card is None else CardEvent.CANCEL
