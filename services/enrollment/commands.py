"""What callers ask enrolment to do, as checked values."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from kernel.calendar import Month
from kernel.identity import ResidentIdCheck
from kernel.money import Money
from services.enrollment.cover import SuspendReason
from services.enrollment.cover_work import Branch
from services.enrollment.domain.contributions import Scheme
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


# Covers without an employment, posts and projects ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class NewPerson:
    """Name and number of somebody who comes to be insured; shows nothing of the identity it carries."""

    name: str
    identity: ResidentIdCheck  # valid
    phone: str

    def __repr__(self) -> str:
        return "NewPerson()"


@dataclass(frozen=True, slots=True)
class EnrollFlexible:
    """Enrol a flexible worker (灵活就业人员参保)."""

    person: NewPerson
    division: str
    start_month: Month
    base: Money
    post: Post | None


@dataclass(frozen=True, slots=True)
class EnrollResident:
    """Enrol a resident (城乡居民参保)."""

    person: NewPerson
    division: str
    start_month: Month
    is_student: bool


@dataclass(frozen=True, slots=True)
class ChangeBase:
    """Change the chosen base of a flexible worker."""

    cover_id: UUID
    from_month: Month
    base: Money


@dataclass(frozen=True, slots=True)
class Suspend:
    """Let an enrolment or cover rest (暂停缴费)."""

    relation_id: UUID
    from_month: Month
    reason: SuspendReason


@dataclass(frozen=True, slots=True)
class Resume:
    """Let it go on (恢复缴费)."""

    relation_id: UUID
    from_month: Month


@dataclass(frozen=True, slots=True)
class EndCover:
    """End a cover (终止缴费)."""

    cover_id: UUID
    end_month: Month
    reason: EndReason


@dataclass(frozen=True, slots=True)
class AssessResidentYear:
    """Assess a resident's yearly payment."""

    cover_id: UUID
    year: int
    tier: Money
    aid: Money


@dataclass(frozen=True, slots=True)
class SingleReceipt:
    """The receipt of a payment, a project's premium or a platform's month (到账)."""

    subject_id: UUID
    receipt_no: str
    amount: Money
    paid_date: date
    simulated: bool


@dataclass(frozen=True, slots=True)
class EnrollPost:
    """Enrol a person in a government post (机关事业单位参保)."""

    employer_id: UUID
    person: NewPerson
    start_month: Month
    wage: Money
    post: Post | None
    more_schemes: tuple[Scheme, ...]


@dataclass(frozen=True, slots=True)
class AssessBackPayment:
    """Assess a back payment (补缴)."""

    enrollment_id: UUID
    first_month: Month
    last_month: Month
    wage: Money
    document_ref: str
    due_day: int


@dataclass(frozen=True, slots=True)
class RegisterProject:
    """Register a construction project (工程建设项目参保)."""

    employer_id: UUID
    permit_no: str
    name: str
    contract_price: Money
    start_date: date
    planned_date: date


@dataclass(frozen=True, slots=True)
class AddProjectWorker:
    """Put a worker on the roster of a project."""

    project_id: UUID
    person: NewPerson
    from_date: date


@dataclass(frozen=True, slots=True)
class WorkerDay:
    """Orders of a worker on a day."""

    person_id: UUID
    day: date
    orders: int


@dataclass(frozen=True, slots=True)
class ReportPlatformOrders:
    """Report a month's orders of a platform."""

    employer_id: UUID
    month: Month
    branch: Branch
    days: tuple[WorkerDay, ...]
