"""Which states determinations, benefits, payrolls and payments have, and how one follows another. Pure values."""

from enum import StrEnum


class Kind(StrEnum):
    """Kind of benefit."""

    EMPLOYEE_PENSION = "EMPLOYEE_PENSION"  # 企业职工基本养老金
    UNEMPLOYMENT = "UNEMPLOYMENT"  # 失业保险金


class DeterminationState(StrEnum):
    """Where a determination (核定) stands."""

    PREPARED = "PREPARED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


class BenefitState(StrEnum):
    """Where a benefit (待遇) stands."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    ENDED = "ENDED"


class EndReason(StrEnum):
    """Why a benefit ended."""

    EXHAUSTED = "EXHAUSTED"  # 期满
    REEMPLOYED = "REEMPLOYED"  # 重新就业
    RETIRED = "RETIRED"  # 享受基本养老保险待遇
    DIED = "DIED"  # 死亡


class PayrollState(StrEnum):
    """Where a month's payroll (发放批次) stands."""

    PREPARING = "PREPARING"
    PREPARED = "PREPARED"
    APPROVED = "APPROVED"


class PaymentState(StrEnum):
    """Where a payment stands. An open one is prepared or released, as its payroll is."""

    OPEN = "OPEN"
    WITHDRAWN = "WITHDRAWN"
    CONFIRMED = "CONFIRMED"
    RETURNED = "RETURNED"


class Decision(StrEnum):
    """What the second person does with a determination."""

    APPROVE = "APPROVE"
    REJECT = "REJECT"


class Answer(StrEnum):
    """What happens to an open payment."""

    CONFIRM = "CONFIRM"  # the bank credited it
    RETURN = "RETURN"  # the bank sent it back
    WITHDRAW = "WITHDRAW"  # the benefit ended before its payroll was released


DETERMINATION_STEPS: dict[tuple[DeterminationState, Decision], DeterminationState] = {
    (DeterminationState.PREPARED, Decision.APPROVE): DeterminationState.APPROVED,
    (DeterminationState.PREPARED, Decision.REJECT): DeterminationState.REJECTED,
}

PAYMENT_STEPS: dict[tuple[PaymentState, Answer], PaymentState] = {
    (PaymentState.OPEN, Answer.CONFIRM): PaymentState.CONFIRMED,
    (PaymentState.OPEN, Answer.RETURN): PaymentState.RETURNED,
    (PaymentState.OPEN, Answer.WITHDRAW): PaymentState.WITHDRAWN,
}
