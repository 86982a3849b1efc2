"""Which states determinations, benefits, payrolls and payments have, and how one follows another. Pure values."""

from enum import StrEnum


class Kind(StrEnum):
    """Kind of benefit."""

    EMPLOYEE_PENSION = "EMPLOYEE_PENSION"  # 企业职工基本养老金
    UNEMPLOYMENT = "UNEMPLOYMENT"  # 失业保险金
    GOVERNMENT_PENSION = "GOVERNMENT_PENSION"  # 机关事业单位基本养老金
    OCCUPATIONAL_ANNUITY = "OCCUPATIONAL_ANNUITY"  # 职业年金
    RESIDENT_PENSION = "RESIDENT_PENSION"  # 城乡居民养老金
    DISABILITY_ALLOWANCE = "DISABILITY_ALLOWANCE"  # 病残津贴
    INJURY_GRANT = "INJURY_GRANT"  # 一次性伤残补助金
    INJURY_ALLOWANCE = "INJURY_ALLOWANCE"  # 伤残津贴
    INJURY_NURSING = "INJURY_NURSING"  # 生活护理费
    INJURY_MEDICAL_GRANT = "INJURY_MEDICAL_GRANT"  # 一次性工伤医疗补助金
    INJURY_FUNERAL = "INJURY_FUNERAL"  # 工亡丧葬补助金
    INJURY_DEATH_GRANT = "INJURY_DEATH_GRANT"  # 一次性工亡补助金
    INJURY_DEPENDANT = "INJURY_DEPENDANT"  # 供养亲属抚恤金
    SURVIVOR_FUNERAL = "SURVIVOR_FUNERAL"  # 丧葬补助金
    SURVIVOR_GRANT = "SURVIVOR_GRANT"  # 抚恤金
    RESIDENT_FUNERAL = "RESIDENT_FUNERAL"  # 居民丧葬补助金
    UNEMPLOYMENT_LUMP_SUM = "UNEMPLOYMENT_LUMP_SUM"  # 一次性领取失业保险金
    UNEMPLOYMENT_FUNERAL = "UNEMPLOYMENT_FUNERAL"  # 领金期间死亡丧葬补助金
    UNEMPLOYMENT_GRANT = "UNEMPLOYMENT_GRANT"  # 领金期间死亡抚恤金


PENSIONS = frozenset({Kind.EMPLOYEE_PENSION, Kind.GOVERNMENT_PENSION, Kind.RESIDENT_PENSION})  # one in a life
ONE_OFF = frozenset(
    {
        Kind.INJURY_GRANT,
        Kind.INJURY_MEDICAL_GRANT,
        Kind.INJURY_FUNERAL,
        Kind.INJURY_DEATH_GRANT,
        Kind.SURVIVOR_FUNERAL,
        Kind.SURVIVOR_GRANT,
        Kind.RESIDENT_FUNERAL,
        Kind.UNEMPLOYMENT_LUMP_SUM,
        Kind.UNEMPLOYMENT_FUNERAL,
        Kind.UNEMPLOYMENT_GRANT,
    }
)  # paid once: the first month is the last
AFTER_DEATH = frozenset(
    {
        Kind.INJURY_FUNERAL,
        Kind.INJURY_DEATH_GRANT,
        Kind.INJURY_DEPENDANT,
        Kind.SURVIVOR_FUNERAL,
        Kind.SURVIVOR_GRANT,
        Kind.RESIDENT_FUNERAL,
        Kind.UNEMPLOYMENT_FUNERAL,
        Kind.UNEMPLOYMENT_GRANT,
    }
)  # paid to others because the person died: a death ends none of them
FUNERALS = frozenset(
    {Kind.INJURY_FUNERAL, Kind.SURVIVOR_FUNERAL, Kind.RESIDENT_FUNERAL, Kind.UNEMPLOYMENT_FUNERAL}
)  # one in all
GRANTS = frozenset({Kind.SURVIVOR_GRANT, Kind.UNEMPLOYMENT_GRANT})  # one of the two (assumed: decision 0244)
FUND_OF = {
    Kind.EMPLOYEE_PENSION: "employee_pension",
    Kind.UNEMPLOYMENT: "unemployment",
    Kind.GOVERNMENT_PENSION: "government_pension",
    Kind.OCCUPATIONAL_ANNUITY: "occupational_annuity",
    Kind.RESIDENT_PENSION: "resident_pension",
    Kind.DISABILITY_ALLOWANCE: "employee_pension",
    Kind.INJURY_GRANT: "work_injury",
    Kind.INJURY_ALLOWANCE: "work_injury",
    Kind.INJURY_NURSING: "work_injury",
    Kind.INJURY_MEDICAL_GRANT: "work_injury",
    Kind.INJURY_FUNERAL: "work_injury",
    Kind.INJURY_DEATH_GRANT: "work_injury",
    Kind.INJURY_DEPENDANT: "work_injury",
    Kind.SURVIVOR_FUNERAL: "employee_pension",
    Kind.SURVIVOR_GRANT: "employee_pension",
    Kind.RESIDENT_FUNERAL: "resident_pension",
    Kind.UNEMPLOYMENT_LUMP_SUM: "unemployment",
    Kind.UNEMPLOYMENT_FUNERAL: "unemployment",
    Kind.UNEMPLOYMENT_GRANT: "unemployment",
}  # the fund (基金) that pays


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
    REFUSED_WORK = "REFUSED_WORK"  # 无正当理由拒不接受介绍的工作或培训
    ENLISTED = "ENLISTED"  # 应征服兵役
    EMIGRATED = "EMIGRATED"  # 移居境外
    ENTITLEMENT_LOST = "ENTITLEMENT_LOST"  # 丧失享受待遇条件
    REVOKED = "REVOKED"  # 核定撤销


class AmountCause(StrEnum):
    """Why a benefit has an amount from a month on."""

    DETERMINED = "DETERMINED"  # 核定
    ADJUSTED = "ADJUSTED"  # 年度调整
    RECOMPUTED = "RECOMPUTED"  # 重新计算
    REVERSED = "REVERSED"  # 撤销调整


class PaymentItem(StrEnum):
    """What a payment is for."""

    MONTH = "MONTH"  # a month of a benefit
    DIFFERENCE = "DIFFERENCE"  # a difference for months that were paid before (补差)
    AGAIN = "AGAIN"  # one that the bank sent back, sent again (重发)


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
