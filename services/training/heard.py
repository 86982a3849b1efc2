"""Facts that enrollment and benefits announced, as values. Made in `messages`, written by `store.register`; pure."""

from dataclasses import dataclass
from uuid import UUID

from kernel.calendar import Month


@dataclass(frozen=True, slots=True)
class StartedEmployment:
    """A participation in the unemployment insurance started."""

    participation_id: UUID
    person_id: UUID
    start_month: Month


@dataclass(frozen=True, slots=True)
class EndedEmployment:
    """A participation in the unemployment insurance ended."""

    participation_id: UUID
    end_month: Month


@dataclass(frozen=True, slots=True)
class SettledMonth:
    """A month of unemployment insurance: paid (or deemed, or billed and not paid)."""

    person_id: UUID
    month: Month
    is_paid: bool


@dataclass(frozen=True, slots=True)
class StartedBenefit:
    """An unemployment benefit started."""

    benefit_id: UUID
    person_id: UUID
    first_month: Month
    last_month: Month


@dataclass(frozen=True, slots=True)
class EndedBenefit:
    """An unemployment benefit ended; before its first month when it never began."""

    benefit_id: UUID
    last_month: Month
