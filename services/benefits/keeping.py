"""What keeps, holds back and takes back a running benefit, as values: certification, suspension, recovery. Pure."""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from kernel.calendar import Month
from kernel.errors import InvalidInput, NotFound
from kernel.money import Money
from services.benefits.commands import Payee
from services.benefits.lifecycle import Kind

# The names that policy/certification.yaml gives to what needs a certification. Assumed: of work injury the allowances
# and nursing by the month, and of survivors the dependants of a death from work; the annuity has no cycle of its own.
SCHEMES = {
    "employee_pension": frozenset({Kind.EMPLOYEE_PENSION}),
    "government_pension": frozenset({Kind.GOVERNMENT_PENSION}),
    "resident_pension": frozenset({Kind.RESIDENT_PENSION}),
    "survivor_dependants": frozenset({Kind.INJURY_DEPENDANT}),
    "work_injury_periodic": frozenset({Kind.INJURY_ALLOWANCE, Kind.INJURY_NURSING}),
}
SCHEME_OF = {kind: scheme for scheme, kinds in SCHEMES.items() for kind in kinds}
EVIDENCE_LEAST, EVIDENCE_MOST = 2, 80  # characters of a file number, never a sentence
_ID_NO = re.compile(r"[0-9]{17}[0-9Xx]", re.ASCII)
INSTALMENTS_MOST = 120  # ten years; a longer plan is a write-off in disguise (assumed)


class Source(StrEnum):
    """How a certification (待遇领取资格认证) was made."""

    FACE = "FACE"  # 自助认证（人脸识别）
    COUNTER = "COUNTER"  # 窗口
    VISIT = "VISIT"  # 上门
    ENTRUSTED = "ENTRUSTED"  # 委托单位或第三方
    DATA_MATCH = "DATA_MATCH"  # 数据比对


class SuspendReason(StrEnum):
    """Why a benefit is held back (暂停)."""

    CERTIFICATION_OVERDUE = "CERTIFICATION_OVERDUE"  # 逾期未认证
    IMPRISONED = "IMPRISONED"  # 服刑
    WHEREABOUTS_UNKNOWN = "WHEREABOUTS_UNKNOWN"  # 下落不明
    SUSPECTED = "SUSPECTED"  # 疑似冒领
    DOUBLE_BENEFIT = "DOUBLE_BENEFIT"  # 疑似重复领取


# Months under these reasons are never paid; under every other they are paid again in one sum (assumed where no rule
# says so: docs/decisions/0196).
FORFEITS = frozenset({SuspendReason.IMPRISONED})
BY_HAND = frozenset(SuspendReason) - {SuspendReason.CERTIFICATION_OVERDUE}


class RequestKind(StrEnum):
    """What waits for a second person."""

    SUSPEND = "SUSPEND"
    RESUME = "RESUME"
    PAYEE = "PAYEE"
    PLAN = "PLAN"
    WRITE_OFF = "WRITE_OFF"
    END = "END"


class RequestState(StrEnum):
    """Where a request stands."""

    WAITING = "WAITING"
    DONE = "DONE"
    REJECTED = "REJECTED"


class Method(StrEnum):
    """How an overpayment comes back."""

    INSTALMENT = "INSTALMENT"  # 分期退回
    DEDUCTION = "DEDUCTION"  # 从后续待遇中抵扣


class Way(StrEnum):
    """What made a recovery smaller."""

    COUNTER = "COUNTER"  # money at the counter
    BANK = "BANK"  # money by the bank
    DEDUCTION = "DEDUCTION"  # taken from a later month
    RETURNED = "RETURNED"  # the bank sent the overpaid payment back
    WRITTEN_OFF = "WRITTEN_OFF"  # 核销
    CANCELLED = "CANCELLED"  # it was owed after all


@dataclass(frozen=True, slots=True)
class Certify:
    """A beneficiary was seen, or is known, to be entitled; `share` names a dependant, empty for the person."""

    person_id: UUID
    share: str
    source: Source
    certified_date: date
    evidence: str
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Suspend:
    """Hold a benefit back from a month on."""

    benefit_id: UUID
    reason: SuspendReason
    from_month: Month
    evidence: str


@dataclass(frozen=True, slots=True)
class Resume:
    """Pay a benefit again; the month matters only where the reason takes months away."""

    benefit_id: UUID
    from_month: Month | None
    evidence: str


@dataclass(frozen=True, slots=True)
class ChangePayee:
    """Pay a benefit into another account."""

    benefit_id: UUID
    payee: Payee
    evidence: str


@dataclass(frozen=True, slots=True)
class Plan:
    """An agreement on how an overpayment comes back."""

    recovery_id: UUID
    method: Method
    monthly: Money
    first_month: Month
    benefit_id: UUID | None
    agreement: str


@dataclass(frozen=True, slots=True)
class Repay:
    """Money that came back, with the number of its receipt."""

    recovery_id: UUID
    way: Way
    amount: Money
    receipt_no: str


@dataclass(frozen=True, slots=True)
class WriteOff:
    """Give up a part of a recovery."""

    recovery_id: UUID
    amount: Money
    evidence: str


def check_evidence(text: str, field: str = "evidence") -> str:
    """The number of a document, never an identity number.

    Raises:
        InvalidInput: EVIDENCE_REQUIRED.
    """
    text = text.strip()
    allowed = all(one.isalnum() or one in " -_/.:#()（）〔〕[]" for one in text) and not _ID_NO.search(text)
    if not EVIDENCE_LEAST <= len(text) <= EVIDENCE_MOST or not allowed:
        raise InvalidInput("EVIDENCE_REQUIRED", "a document has a number of 2 to 80 characters", field=field)
    return text


def needing(schemes: tuple[str, ...]) -> list[str]:
    """The kinds of benefits that need a certification, by the schemes that the law names."""
    return sorted(kind.value for scheme in schemes for kind in SCHEMES[scheme])


def beneficiary(kind: Kind, share: str) -> str:
    """Who of a benefit is certified: the dependant that the share names, else the person (empty)."""
    return share if kind is Kind.INJURY_DEPENDANT else ""


def recovery_not_found() -> NotFound:
    """There is no such recovery."""
    return NotFound("RECOVERY_NOT_FOUND", "no such recovery")


def benefit_not_found() -> NotFound:
    """There is no such benefit."""
    return NotFound("BENEFIT_NOT_FOUND", "no such benefit")
