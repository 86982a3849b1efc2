"""States of a case and the one table of what follows what."""

from __future__ import annotations

from enum import StrEnum

from kernel.errors import Refused


class State(StrEnum):
    """Where a case stands."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    CORRECTION_REQUESTED = "CORRECTION_REQUESTED"
    ACCEPTED = "ACCEPTED"
    IN_REVIEW = "IN_REVIEW"
    APPROVED = "APPROVED"
    DELIVERED = "DELIVERED"
    REJECTED = "REJECTED"
    NOT_ACCEPTED = "NOT_ACCEPTED"
    WITHDRAWN = "WITHDRAWN"
    PARTLY_DONE = "PARTLY_DONE"


class Action(StrEnum):
    """What can happen to a case."""

    SUBMIT = "SUBMIT"
    ACCEPT = "ACCEPT"  # 受理
    DECLINE = "DECLINE"  # 不予受理
    REQUEST_CORRECTION = "REQUEST_CORRECTION"  # 补正
    CORRECT = "CORRECT"
    WITHDRAW = "WITHDRAW"
    PREPARE = "PREPARE"  # the item's service has made what is to be decided
    APPROVE = "APPROVE"
    REJECT = "REJECT"
    REFUSE = "REFUSE"  # the rules said no to an instant item, or to every part of a bundle
    DELIVER = "DELIVER"
    LEAVE = "LEAVE"  # a bundle of which some parts are done and the others will not be


class StepState(StrEnum):
    """Where a step stands."""

    WAITING = "WAITING"
    WORKING = "WORKING"
    DONE = "DONE"
    REFUSED = "REFUSED"
    SKIPPED = "SKIPPED"


OPEN = frozenset(
    {State.SUBMITTED, State.CORRECTION_REQUESTED, State.ACCEPTED, State.IN_REVIEW, State.APPROVED}
)  # handed in and not at an end; one of each item for a person
ENDED = frozenset({State.DELIVERED, State.REJECTED, State.NOT_ACCEPTED, State.WITHDRAWN, State.PARTLY_DONE})

TRANSITIONS: dict[tuple[State, Action], State] = {
    (State.DRAFT, Action.SUBMIT): State.SUBMITTED,
    (State.DRAFT, Action.WITHDRAW): State.WITHDRAWN,
    (State.SUBMITTED, Action.ACCEPT): State.ACCEPTED,
    (State.SUBMITTED, Action.DECLINE): State.NOT_ACCEPTED,
    (State.SUBMITTED, Action.REQUEST_CORRECTION): State.CORRECTION_REQUESTED,
    (State.SUBMITTED, Action.WITHDRAW): State.WITHDRAWN,
    (State.SUBMITTED, Action.REFUSE): State.REJECTED,
    (State.CORRECTION_REQUESTED, Action.CORRECT): State.SUBMITTED,
    (State.CORRECTION_REQUESTED, Action.DECLINE): State.NOT_ACCEPTED,
    (State.CORRECTION_REQUESTED, Action.WITHDRAW): State.WITHDRAWN,
    (State.ACCEPTED, Action.PREPARE): State.IN_REVIEW,
    # Only while a service has refused a step: then there is nothing prepared that would be left behind.
    (State.ACCEPTED, Action.REQUEST_CORRECTION): State.CORRECTION_REQUESTED,
    (State.ACCEPTED, Action.WITHDRAW): State.WITHDRAWN,
    (State.ACCEPTED, Action.REJECT): State.REJECTED,
    (State.ACCEPTED, Action.REFUSE): State.REJECTED,
    (State.ACCEPTED, Action.DELIVER): State.DELIVERED,
    (State.ACCEPTED, Action.LEAVE): State.PARTLY_DONE,
    (State.IN_REVIEW, Action.APPROVE): State.APPROVED,
    (State.IN_REVIEW, Action.REJECT): State.REJECTED,
    (State.APPROVED, Action.DELIVER): State.DELIVERED,
    # An approval that the service will not take any more (expired, content changed, person died).
    (State.APPROVED, Action.REJECT): State.REJECTED,
}
STUCK_ONLY = frozenset(
    {
        (State.ACCEPTED, Action.REQUEST_CORRECTION),
        (State.ACCEPTED, Action.WITHDRAW),
        (State.ACCEPTED, Action.REJECT),
        (State.APPROVED, Action.REJECT),
    }
)
_PERCENT = {
    State.DRAFT: 0,
    State.SUBMITTED: 20,
    State.CORRECTION_REQUESTED: 20,
    State.ACCEPTED: 40,
    State.IN_REVIEW: 60,
    State.APPROVED: 80,
}


def after(state: State, action: Action, *, is_stuck: bool = False) -> State:
    """The state that follows.

    Args:
        state: Where the case stands.
        action: What is to happen.
        is_stuck: Whether a service has refused a step of it.

    Raises:
        Refused: CASE_STATE_WRONG.
    """
    following = TRANSITIONS.get((state, action))
    if following is None or ((state, action) in STUCK_ONLY and not is_stuck):
        raise wrong(state)
    return following


def wrong(state: State) -> Refused:
    """The refusal for something that cannot follow this state."""
    return Refused("CASE_STATE_WRONG", "the case does not stand where this could follow", state=state.value)


def percent(state: State) -> int:
    """Share of the way that is gone, for people who wait."""
    return _PERCENT.get(state, 100)
