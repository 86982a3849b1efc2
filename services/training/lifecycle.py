"""Which states claims and payment orders have, and how one follows another. Pure values."""

from enum import StrEnum


class IssuerType(StrEnum):
    """Who issues a certificate, with its own series of numbers."""

    ASSESSMENT_BODY = "ASSESSMENT_BODY"  # 社会培训评价组织
    EMPLOYER = "EMPLOYER"  # 用人单位
    STATE_QUALIFICATION = "STATE_QUALIFICATION"  # 国家职业资格


class ClaimState(StrEnum):
    """Where a claim (申领) stands."""

    SUBMITTED = "SUBMITTED"
    PREPARED = "PREPARED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


class OrderState(StrEnum):
    """Where a payment order (支付指令) stands."""

    RELEASED = "RELEASED"
    CONFIRMED = "CONFIRMED"
    RETURNED = "RETURNED"


class Step(StrEnum):
    """What staff do with a claim."""

    PREPARE = "PREPARE"  # also again, when the facts changed or the approval expired
    APPROVE = "APPROVE"
    REJECT = "REJECT"


class Answer(StrEnum):
    """What the bank says of a payment order."""

    CONFIRM = "CONFIRM"
    RETURN = "RETURN"


CLAIM_STEPS: dict[tuple[ClaimState, Step], ClaimState] = {
    (ClaimState.SUBMITTED, Step.PREPARE): ClaimState.PREPARED,
    (ClaimState.SUBMITTED, Step.REJECT): ClaimState.REJECTED,
    (ClaimState.PREPARED, Step.PREPARE): ClaimState.PREPARED,
    (ClaimState.PREPARED, Step.APPROVE): ClaimState.APPROVED,
    (ClaimState.PREPARED, Step.REJECT): ClaimState.REJECTED,
}

ORDER_STEPS: dict[tuple[OrderState, Answer], OrderState] = {
    (OrderState.RELEASED, Answer.CONFIRM): OrderState.CONFIRMED,
    (OrderState.RELEASED, Answer.RETURN): OrderState.RETURNED,
}
