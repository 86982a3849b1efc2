"""What callers ask for, as values. Made in `messages`; pure."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from kernel.calendar import Month
from kernel.money import Money
from services.benefits.domain.retirement import Track
from services.benefits.lifecycle import Answer, PayrollState


@dataclass(frozen=True, slots=True)
class Payee:
    """Whom a benefit is paid to (收款账户); personal data, kept out of every log by not being printed."""

    name: str
    account: str

    def __repr__(self) -> str:
        return "Payee(…)"


@dataclass(frozen=True, slots=True)
class AskRetirement:
    """When does a person retire?"""

    person_id: UUID
    track: Track | None


@dataclass(frozen=True, slots=True)
class EstimatePension:
    """What would the pension be? Changes nothing."""

    person_id: UUID
    retirement_month: Month | None
    track: Track | None
    future_base: Money | None


@dataclass(frozen=True, slots=True)
class PreparePension:
    """Determine an employee pension, first person."""

    person_id: UUID
    retirement_month: Month | None
    track: Track | None
    old_transitional: Money | None
    payee: Payee
    special_work: bool = False
    document: str = ""


@dataclass(frozen=True, slots=True)
class PrepareUnemployment:
    """Determine an unemployment benefit, first person."""

    person_id: UUID
    registration_date: date
    carried_months: int
    payee: Payee
    carried_document: str = ""
    premium_filed: bool = False


@dataclass(frozen=True, slots=True)
class Approve:
    """Approve a determination or a payroll, second person: exactly what the digest names."""

    subject_id: UUID
    digest: bytes


@dataclass(frozen=True, slots=True)
class Reject:
    """Reject a determination, second person."""

    determination_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class RecordResult:
    """What the bank answered for a payment."""

    payment_id: UUID
    answer: Answer
    bank_reference: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class PageOf:
    """A page of what belongs to one thing."""

    owner_id: UUID
    size: int
    token: str


@dataclass(frozen=True, slots=True)
class PageOfPayrolls:
    """A page of payrolls, all or those in one state."""

    state: PayrollState | None
    size: int
    token: str
