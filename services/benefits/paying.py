"""What is looked at before money leaves: gates, exclusions between kinds, limits. Pure values.

The law of the files of policy says when a benefit ends; it names no limit for a jump of an amount and no number of
persons who may share an account. Those are limits of the office's own caution: settings with the defaults of `Limits`
(*assumed*, decision 0201), which stand in the evidence of every payroll.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from services.benefits.lifecycle import Kind


class Gate(StrEnum):
    """What is looked at (发放前校验)."""

    DEATH = "DEATH"  # 已知死亡: a month after that of the death
    AFTER_DEATH = "AFTER_DEATH"  # a difference or a payment sent again, to somebody who died
    SUSPENDED = "SUSPENDED"  # 暂停发放
    CERTIFICATION = "CERTIFICATION"  # 未按期资格认证
    DOUBLE = "DOUBLE"  # 重复领取, across kinds and merged records
    PARAMETER = "PARAMETER"  # 政策参数缺失
    PAYEE_MISSING = "PAYEE_MISSING"  # 缺收款账户
    PAYEE_PARKED = "PAYEE_PARKED"  # 收款账户多次退票
    ACCOUNT_CHANGED = "ACCOUNT_CHANGED"  # 收款账户自上次发放后变更
    ACCOUNT_SHARED = "ACCOUNT_SHARED"  # 多人共用账户
    JUMP = "JUMP"  # 金额突变
    FIRST = "FIRST"  # 首次发放
    PROVISIONAL = "PROVISIONAL"  # 暂定参数
    DIFFERENCE_PAST_END = "DIFFERENCE_PAST_END"  # a difference that covers months after the end


class Effect(StrEnum):
    """What a finding does to the payment."""

    BLOCK = "BLOCK"  # held back; comes with the next payroll that finds nothing
    WARN = "WARN"  # paid; the second person sees it
    RELEASED = "RELEASED"  # would be held back, and two persons let it pass


# What two persons may let pass. A death, a suspension or a missing parameter is put right where it stands.
RELEASABLE = frozenset(
    {Gate.AFTER_DEATH, Gate.DOUBLE, Gate.ACCOUNT_SHARED, Gate.JUMP, Gate.PAYEE_PARKED, Gate.CERTIFICATION}
)


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A benefit that gives way while another one is drawn for the same month (重复领取).

    Args:
        gives_way: The kind that is held back.
        to: The kind that is paid.
        source: Where that stands.
        unless: An input of its determination: where it is given, the benefit was worked out beside the other.
    """

    gives_way: Kind
    to: Kind
    source: str
    unless: str = ""


_PENSIONS = (Kind.EMPLOYEE_PENSION, Kind.GOVERNMENT_PENSION)
EXCLUSIONS: tuple[Exclusion, ...] = (
    # 社会保险法 art. 51: the unemployment benefit stops with a basic pension.
    *(Exclusion(Kind.UNEMPLOYMENT, pension, "SIL art. 51") for pension in (*_PENSIONS, Kind.RESIDENT_PENSION)),
    # One basic pension in a life; of two the resident pension gives way (assumed, decision 0201).
    Exclusion(Kind.RESIDENT_PENSION, Kind.EMPLOYEE_PENSION, "assumed"),
    Exclusion(Kind.RESIDENT_PENSION, Kind.GOVERNMENT_PENSION, "assumed"),
    Exclusion(Kind.EMPLOYEE_PENSION, Kind.GOVERNMENT_PENSION, "assumed"),
    # The allowance for lost capacity is for who does not draw a pension yet.
    *(Exclusion(Kind.DISABILITY_ALLOWANCE, pension, "assumed") for pension in (*_PENSIONS, Kind.RESIDENT_PENSION)),
    # At retirement the allowance stops; what the pension is lower than it is a determination of its own, which takes
    # the pension off and is paid beside it (工伤保险条例 art. 35, decision 0257).
    *(
        Exclusion(Kind.INJURY_ALLOWANCE, pension, "WII art. 35", unless="pension")
        for pension in (*_PENSIONS, Kind.RESIDENT_PENSION)
    ),
    # Only one of the funeral grants may be taken (policy/survivor.yaml `exclusive`).
    Exclusion(Kind.SURVIVOR_FUNERAL, Kind.INJURY_FUNERAL, "SIL"),
    Exclusion(Kind.RESIDENT_FUNERAL, Kind.INJURY_FUNERAL, "SIL"),
    Exclusion(Kind.RESIDENT_FUNERAL, Kind.SURVIVOR_FUNERAL, "SIL"),
    Exclusion(Kind.UNEMPLOYMENT_FUNERAL, Kind.INJURY_FUNERAL, "SIL"),
    Exclusion(Kind.UNEMPLOYMENT_FUNERAL, Kind.SURVIVOR_FUNERAL, "SIL"),
    Exclusion(Kind.RESIDENT_FUNERAL, Kind.UNEMPLOYMENT_FUNERAL, "SIL"),
    # Two benefits for the same want: who cannot work at all does not look for work, one grant for a death, and the sum
    # of the months that were left is instead of them.
    Exclusion(Kind.UNEMPLOYMENT, Kind.DISABILITY_ALLOWANCE, "assumed"),
    Exclusion(Kind.UNEMPLOYMENT_GRANT, Kind.SURVIVOR_GRANT, "assumed"),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """The office's caution; every default is *assumed* and shown with what it found.

    Args:
        jump_percent: An amount that is more than so many percent above that of the last paid month is held back, one
            that is so many below is warned of.
        shared_warn: From so many persons on one account it is warned of.
        shared_block: From so many on they are held back.
        tries: So often a payment is sent before it is parked.
    """

    jump_percent: int = 30
    shared_warn: int = 2
    shared_block: int = 10
    tries: int = 3

    def terms(self, gate: Gate) -> str:
        """The limit of a gate, as its evidence keeps it."""
        match gate:
            case Gate.JUMP:
                return f"jump_percent={self.jump_percent}"
            case Gate.ACCOUNT_SHARED:
                return f"shared_warn={self.shared_warn} shared_block={self.shared_block}"
            case Gate.PAYEE_PARKED:
                return f"tries={self.tries}"
            case Gate.DOUBLE:
                return " ".join(f"{one.gives_way}<{one.to}" for one in EXCLUSIONS)
            case _:
                return ""


@dataclass(frozen=True, slots=True)
class AskFindings:
    """Which findings of a payroll."""

    payroll_id: UUID
    gate: Gate | None
    effect: Effect | None
    size: int
    token: str


@dataclass(frozen=True, slots=True)
class PrepareRelease:
    """Let a held back benefit pass, first person."""

    benefit_id: UUID
    gate: Gate
    reason: str
