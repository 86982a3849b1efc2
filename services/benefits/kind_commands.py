"""What callers ask for of the kinds beside employee pension and unemployment benefit, as values. Pure."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from kernel.calendar import Month
from kernel.money import Money
from services.benefits.commands import Payee
from services.benefits.domain.injury import Nursing
from services.benefits.domain.retirement import Track
from services.benefits.kinds.government import OldAmounts
from services.benefits.kinds.work_death import DependantFacts
from services.benefits.lifecycle import EndReason


@dataclass(frozen=True, slots=True)
class PrepareGovernmentPension:
    """Determine a government pension and its annuity, first person."""

    person_id: UUID
    retirement_date: date
    track: Track | None
    joined: date | None
    balance: Money
    annuity_balance: Money
    deemed_months: int
    deemed_index: Decimal | None
    old: Money | None
    old_parts: OldAmounts | None
    new_total: Money | None
    payee: Payee
    document: str
    early_by_service: bool = False


@dataclass(frozen=True, slots=True)
class PrepareResidentPension:
    """Determine a resident pension, first person."""

    person_id: UUID
    first_month: Month | None
    balance: Money
    full_years: int
    was_60_at_start: bool
    payee: Payee
    document: str


@dataclass(frozen=True, slots=True)
class PrepareDisabilityAllowance:
    """Determine a disability allowance, first person."""

    person_id: UUID
    claim_date: date
    capacity_lost: bool
    track: Track | None
    old_transitional: Money | None
    payee: Payee
    document: str


@dataclass(frozen=True, slots=True)
class PrepareInjury:
    """Determine what a work injury brings, first person."""

    person_id: UUID
    event_date: date
    appraisal_date: date
    grade: int
    nursing: Nursing | None
    suitable_work: bool
    average_base: Money | None
    payee: Payee
    document: str


@dataclass(frozen=True, slots=True)
class PrepareInjuryTopUp:
    """Determine what the fund adds to a pension, first person."""

    benefit_id: UUID
    payee: Payee
    document: str


@dataclass(frozen=True, slots=True)
class PrepareInjuryMedicalGrant:
    """Determine the medical grant at the end of an employment, first person."""

    person_id: UUID
    event_date: date
    end_date: date
    grade: int
    own_request: bool
    employer_fault: bool
    occupational_disease: bool
    track: Track | None
    payee: Payee
    document: str


@dataclass(frozen=True, slots=True)
class WorkDependant:
    """A dependant with the end of the entitlement and an account."""

    facts: DependantFacts
    last_month: Month | None
    payee: Payee


@dataclass(frozen=True, slots=True)
class PrepareWorkDeath:
    """Determine what a death from work brings, first person."""

    person_id: UUID
    event_date: date
    injury_date: date | None
    missing: bool
    hardship: bool
    after_paid_leave: bool
    without_once: bool
    without_funeral: bool
    average_base: Money | None
    dependants: tuple[WorkDependant, ...]
    payee: Payee | None
    document: str


@dataclass(frozen=True, slots=True)
class PrepareSurvivors:
    """Determine survivors' benefits, first person."""

    person_id: UUID
    death_date: date
    drawn_months: int | None
    own_contributions: Money | None
    without_funeral: bool
    payee: Payee
    document: str
    from_unemployment: bool = False


@dataclass(frozen=True, slots=True)
class PrepareMoreUnemployment:
    """Determine what follows an unemployment benefit: its extension, or its last months in one sum; first person."""

    person_id: UUID
    payee: Payee
    document: str


@dataclass(frozen=True, slots=True)
class PrepareResidentFuneral:
    """Determine the funeral aid of a resident, first person."""

    person_id: UUID
    death_date: date
    balance_left: Money
    payee: Payee
    document: str


@dataclass(frozen=True, slots=True)
class EndBenefit:
    """End a benefit by decision, or revoke what was determined."""

    benefit_id: UUID
    reason: EndReason
    last_month: Month
    document: str


@dataclass(frozen=True, slots=True)
class EmployeePlan:
    """An employee pension that might be."""

    retirement_month: Month | None
    future_base: Money | None
    track: Track | None


@dataclass(frozen=True, slots=True)
class GovernmentPlan:
    """A government pension that might be."""

    retirement_date: date
    joined: date | None
    balance: Money
    annuity_balance: Money
    deemed_months: int
    deemed_index: Decimal | None
    future_base: Money | None
    track: Track | None


@dataclass(frozen=True, slots=True)
class ResidentPlan:
    """A resident pension that might be."""

    first_month: Month | None
    balance: Money
    full_years: int


Plan = EmployeePlan | GovernmentPlan | ResidentPlan


@dataclass(frozen=True, slots=True)
class ComparePensions:
    """What would the pension be, in several scenarios? Changes nothing."""

    person_id: UUID
    plans: tuple[Plan, ...]
