"""Facts that enrollment announced, as values. Made in `messages`, written by `store.register`; pure."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from kernel.calendar import Month
from kernel.money import Money
from services.benefits.domain.retirement import Track
from services.benefits.history import Scheme, Standing, YearRecord


@dataclass(frozen=True, slots=True)
class HeardPerson:
    """A person was registered."""

    person_id: UUID
    birth_date: date
    sex: str
    division: str


@dataclass(frozen=True, slots=True)
class StartedParticipation:
    """A participation started."""

    participation_id: UUID
    person_id: UUID
    employer_id: UUID
    scheme: Scheme
    start_month: Month
    track: Track | None
    division: str


@dataclass(frozen=True, slots=True)
class EndedParticipation:
    """A participation ended; `contributions_version` as in `SettledAccount`."""

    participation_id: UUID
    person_id: UUID
    end_month: Month
    reason: str
    contributions_version: int = 0


@dataclass(frozen=True, slots=True)
class SettledItem:
    """One scheme of a settled person-month."""

    person_id: UUID
    scheme: Scheme
    month: Month
    base: Money
    standing: Standing


@dataclass(frozen=True, slots=True)
class BroughtInYear:
    """Months of one scheme in a calendar year that were brought in; of the others nothing is said."""

    person_id: UUID
    scheme: Scheme
    year: int
    record: YearRecord


@dataclass(frozen=True, slots=True)
class LeftRelation:
    """A pension relation that left: its months up to one count elsewhere."""

    person_id: UUID
    through: Month


@dataclass(frozen=True, slots=True)
class HeardCredit:
    """An amount was credited to a personal account; `version` is its place in the order of the account."""

    person_id: UUID
    version: int
    kind: str
    year: int
    booking_month: Month
    amount: Money
    balance: Money


@dataclass(frozen=True, slots=True)
class SettledAccount:
    """A personal account was settled at retirement.

    `contributions_version` is the last settled month that went before, in the order of the person's contributions; 0
    when enrollment did not tell.
    """

    person_id: UUID
    retirement_month: Month
    balance: Money
    provisional: bool
    contributions_version: int = 0
