"""What callers ask enrolment to do, as checked values."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from kernel.calendar import Month
from kernel.identity import ResidentIdCheck
from kernel.money import Money
from services.enrollment.register import EndReason, Post


class RosterMode(StrEnum):
    """What becomes of the right rows of a roster when others are wrong."""

    PARTIAL = "PARTIAL"
    ALL_OR_NOTHING = "ALL_OR_NOTHING"


@dataclass(frozen=True, slots=True)
class RegisterEmployer:
    """Register an employer (参保单位登记)."""

    credit_code: str
    name: str
    division: str
    injury_class: int
    injury_step: Decimal


@dataclass(frozen=True, slots=True, repr=False)
class EnrollPerson:
    """Enrol a person with an employer (增员); shows nothing of the identity it carries."""

    employer_id: UUID
    name: str
    identity: ResidentIdCheck  # valid
    phone: str
    start_month: Month
    wage: Money
    post: Post | None

    def __repr__(self) -> str:
        return f"EnrollPerson(employer_id={self.employer_id}, start_month={self.start_month})"


@dataclass(frozen=True, slots=True)
class EndEnrollment:
    """End an enrolment (减员)."""

    enrollment_id: UUID
    end_month: Month
    reason: EndReason


@dataclass(frozen=True, slots=True)
class DeclareWage:
    """Declare the wage from a month on (基数申报)."""

    enrollment_id: UUID
    from_month: Month
    wage: Money


@dataclass(frozen=True, slots=True)
class AssessBill:
    """Assess a month's bill of an employer (征缴核定)."""

    employer_id: UUID
    month: Month


@dataclass(frozen=True, slots=True)
class RecordReceipt:
    """Record a receipt of the tax bureau (到账)."""

    receipt_no: str
    bill_id: UUID
    amount: Money
    paid_date: date
    simulated: bool


@dataclass(frozen=True, slots=True)
class SettleAccount:
    """Settle an account at retirement (退休时账户结算)."""

    person_id: UUID
    retirement_month: Month


@dataclass(frozen=True, slots=True)
class ImportHistory:
    """Bring in the months and balances of the years before (历史数据迁入)."""

    upload_id: str
    digest: str
    source_system: str


@dataclass(frozen=True, slots=True)
class ImportRoster:
    """Enrol everybody on an employer's roster (增员花名册)."""

    upload_id: str
    digest: str
    employer_id: UUID
    mode: RosterMode
