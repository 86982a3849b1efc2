"""Which states a card has and how one follows another: one literal table, with who may do it.

Every pair that is not in the table is refused. The physical card (实体卡) is no state of this table: what becomes of it
is answered by `answer_to`, and the answer is an event of the table like any other.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from kernel.errors import Refused


class CardState(StrEnum):
    """Where a card stands."""

    REQUESTED = "REQUESTED"  # 已申领
    VERIFYING = "VERIFYING"  # 核验中
    QUEUED = "QUEUED"  # 待签发
    REJECTED = "REJECTED"  # 未通过
    ISSUED = "ISSUED"  # 已签发
    ACTIVE = "ACTIVE"  # 正常
    LOCKED = "LOCKED"  # 锁定
    SUSPENDED_TEMP = "SUSPENDED_TEMP"  # 临时挂失
    SUSPENDED_FORMAL = "SUSPENDED_FORMAL"  # 正式挂失
    REPLACED = "REPLACED"  # 已补换
    CANCELLED = "CANCELLED"  # 注销
    EXPIRED = "EXPIRED"  # 到期


class CardEvent(StrEnum):
    """What happens to a card."""

    REQUEST = "REQUEST"  # 申领
    START_PROOF = "START_PROOF"  # 开始实人核验
    PASS_PROOF = "PASS_PROOF"  # 核验通过 # noqa: S105 - an event
    FAIL_PROOF = "FAIL_PROOF"  # 核验未通过
    ISSUE = "ISSUE"  # 签发
    DECLINE = "DECLINE"  # 签发方不予签发
    ACTIVATE = "ACTIVATE"  # 激活
    LOCK = "LOCK"  # 锁定
    RESET_PIN = "RESET_PIN"  # 密码重置
    UNLOCK = "UNLOCK"  # 解除风险锁定
    SUSPEND = "SUSPEND"  # 临时挂失
    RESUME = "RESUME"  # 解挂
    LAPSE = "LAPSE"  # 临时挂失到期
    SUSPEND_FORMALLY = "SUSPEND_FORMALLY"  # 正式挂失
    REPLACE = "REPLACE"  # 补换
    CANCEL = "CANCEL"  # 注销
    DIE = "DIE"  # 持卡人死亡
    EXPIRE = "EXPIRE"  # 有效期满


class Actor(StrEnum):
    """Who makes it happen."""

    HOLDER = "HOLDER"  # 持卡人
    HOTLINE = "HOTLINE"  # 12333 热线
    COUNTER = "COUNTER"  # 窗口
    SECOND = "SECOND"  # 复核: the second of two persons at the counter
    PHYSICAL = "PHYSICAL"  # 实体卡动态
    RISK = "RISK"  # 风险管理
    BATCH = "BATCH"  # 批量签发
    SYSTEM = "SYSTEM"


class Physical(StrEnum):
    """Where the physical card stands."""

    NORMAL = "NORMAL"
    LOST = "LOST"
    FORMALLY_LOST = "FORMALLY_LOST"
    LOCKED = "LOCKED"
    CANCELLED = "CANCELLED"


class PhysicalEvent(StrEnum):
    """What the source of physical cards announces."""

    ISSUED = "ISSUED"
    LOST = "LOST"
    UNLOST = "UNLOST"
    LOCKED = "LOCKED"
    CANCELLED = "CANCELLED"
    FORMALLY_LOST = "FORMALLY_LOST"


@dataclass(frozen=True, slots=True)
class Step:
    """Where an event leads and who may make it happen; `to` None is the state before the suspension."""

    to: CardState | None
    actors: frozenset[Actor]


def _by(*actors: Actor) -> frozenset[Actor]:
    return frozenset(actors)


_S, _E = CardState, CardEvent
_SYSTEM = _by(Actor.SYSTEM)

PENDING = frozenset({_S.REQUESTED, _S.VERIFYING, _S.QUEUED})  # no number, no place, nothing to show yet
OPEN = frozenset({_S.ISSUED, _S.ACTIVE, _S.LOCKED})
SUSPENDED = frozenset({_S.SUSPENDED_TEMP, _S.SUSPENDED_FORMAL})
FINAL = frozenset({_S.REJECTED, _S.REPLACED, _S.CANCELLED, _S.EXPIRED})
UNNUMBERED = PENDING | {_S.REJECTED}

_LOSSES: dict[tuple[CardState | None, CardEvent], Step] = {
    **{
        (state, _E.SUSPEND): Step(_S.SUSPENDED_TEMP, _by(Actor.HOLDER, Actor.HOTLINE, Actor.COUNTER, Actor.PHYSICAL))
        for state in OPEN
    },
    # The counter and the holder lift; a physical card lifts what a physical card began. Never the hotline.
    (_S.SUSPENDED_TEMP, _E.RESUME): Step(None, _by(Actor.HOLDER, Actor.COUNTER, Actor.PHYSICAL)),
    (_S.SUSPENDED_TEMP, _E.LAPSE): Step(None, _SYSTEM),
    **{
        (state, _E.SUSPEND_FORMALLY): Step(_S.SUSPENDED_FORMAL, _by(Actor.COUNTER, Actor.PHYSICAL))
        for state in OPEN | {_S.SUSPENDED_TEMP}
    },
    (_S.SUSPENDED_FORMAL, _E.REPLACE): Step(_S.REPLACED, _by(Actor.COUNTER, Actor.PHYSICAL)),
}
_ENDS: dict[tuple[CardState | None, CardEvent], Step] = {
    (state, event): Step(to, actors)
    for state, (event, to, actors) in product(
        OPEN | SUSPENDED,
        (
            (_E.CANCEL, _S.CANCELLED, _by(Actor.HOLDER, Actor.PHYSICAL, Actor.SECOND)),
            (_E.DIE, _S.CANCELLED, _SYSTEM),
            (_E.EXPIRE, _S.EXPIRED, _SYSTEM),
        ),
    )
}
STEPS: dict[tuple[CardState | None, CardEvent], Step] = {
    (None, _E.REQUEST): Step(_S.REQUESTED, _by(Actor.HOLDER, Actor.COUNTER, Actor.PHYSICAL, Actor.BATCH)),
    (_S.REQUESTED, _E.START_PROOF): Step(_S.VERIFYING, _SYSTEM),
    (_S.VERIFYING, _E.PASS_PROOF): Step(_S.QUEUED, _SYSTEM),
    (_S.VERIFYING, _E.FAIL_PROOF): Step(_S.REJECTED, _SYSTEM),
    (_S.QUEUED, _E.ISSUE): Step(_S.ISSUED, _SYSTEM),
    (_S.QUEUED, _E.DECLINE): Step(_S.REJECTED, _SYSTEM),
    (_S.ISSUED, _E.ACTIVATE): Step(_S.ACTIVE, _by(Actor.HOLDER, Actor.COUNTER)),
    (_S.ACTIVE, _E.LOCK): Step(_S.LOCKED, _by(Actor.SYSTEM, Actor.RISK)),
    (_S.LOCKED, _E.RESET_PIN): Step(_S.ACTIVE, _by(Actor.HOLDER, Actor.COUNTER)),
    (_S.LOCKED, _E.UNLOCK): Step(_S.ACTIVE, _by(Actor.RISK)),
    **_LOSSES,
    **_ENDS,
}

PHYSICAL_STATES: dict[PhysicalEvent, Physical] = {
    PhysicalEvent.ISSUED: Physical.NORMAL,
    PhysicalEvent.LOST: Physical.LOST,
    PhysicalEvent.UNLOST: Physical.NORMAL,
    PhysicalEvent.LOCKED: Physical.LOCKED,
    PhysicalEvent.CANCELLED: Physical.CANCELLED,
    PhysicalEvent.FORMALLY_LOST: Physical.FORMALLY_LOST,
}
# A card that is issued by the word of others goes all these steps at once; a batch the same way.
WAY_TO_ISSUE = (_E.REQUEST, _E.START_PROOF, _E.PASS_PROOF, _E.ISSUE)


def follow(state: CardState | None, event: CardEvent, actor: Actor, before: CardState | None = None) -> CardState:
    """The state after an event.

    Args:
        state: The state now; None before there is a card.
        event: What happens.
        actor: Who makes it happen.
        before: The state before the suspension, when there is one.

    Raises:
        Refused: CARD_STEP_REFUSED with state and event: the table has no such step, or not for this actor.
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


def actions(state: CardState) -> frozenset[tuple[CardEvent, Actor]]:
    """Everything that can happen to a card that stands here, with who can make it happen; for pages that offer it."""
    return frozenset((event, actor) for (at, event), step in STEPS.items() if at is state for actor in step.actors)


def answer_to(
    card: CardState | None, physical: Physical, suspended_by: Actor | None, *, is_another: bool = False
) -> CardEvent | None:
    """What a physical card that now stands like this does to the electronic one; None: nothing.

    A usable physical card brings an electronic one into being, proves one that was asked for, resumes one that a
    physical card suspended, and replaces one that was formally lost when it is another physical card. A loss that the
    holder reported stays until the holder lifts it. A request that waits is settled when it is issued.

    Args:
        card: Where the live electronic card stands; None: there is none.
        physical: Where the physical card stands now.
        suspended_by: Who suspended the electronic card.
        is_another: Whether this is another physical card than the one before.
    """
    match physical:
        case Physical.NORMAL:
            return _answer_to_usable(card, suspended_by, is_another=is_another)
        case Physical.LOST | Physical.LOCKED:
            return CardEvent.SUSPEND if card in OPEN else None
        case Physical.FORMALLY_LOST:
            return CardEvent.SUSPEND_FORMALLY if card in OPEN or card is CardState.SUSPENDED_TEMP else None
        case Physical.CANCELLED:
            return CardEvent.CANCEL if card in OPEN | SUSPENDED else None


def _answer_to_usable(card: CardState | None, suspended_by: Actor | None, *, is_another: bool) -> CardEvent | None:
    match card:
        case None:
            return CardEvent.REQUEST
        case CardState.REQUESTED:
            return CardEvent.START_PROOF
        case CardState.VERIFYING:
            return CardEvent.PASS_PROOF
        case CardState.SUSPENDED_TEMP if suspended_by is Actor.PHYSICAL:
            return CardEvent.RESUME
        case CardState.SUSPENDED_FORMAL if is_another:
            return CardEvent.REPLACE
        case _:
            return None
