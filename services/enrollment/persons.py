"""The rules of a person's record: what was true when, what a change and a correction do to it, death, mergers.

Pure values and decisions. A record is a chain of segments without gaps: what is held to be true of a person from one
day to the next. A change begins a new segment; a correction rewrites the segments that held the wrong value.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from kernel.calendar import Month
from kernel.errors import InvalidInput, Refused
from kernel.identity import Sex
from kernel.money import Money
from services.enrollment.register import Stretch

# The first segment reaches back as far as anybody knows. The driver stores this day as -infinity.
BEGINNING = date.min
# Which values say who somebody is: a change of one of them needs a second person.
IDENTITY = frozenset({"name", "id_no", "sex", "birth_date"})
FIELDS = (*sorted(IDENTITY), "division", "phone")
MONTHS_NAMED = 24  # of a collision; more are a count

# A number of a document or a case; eight digits in a row may be a birth date, and three times six are an identity.
_EVIDENCE = re.compile(r"(?!.*[0-9]{15})[0-9A-Za-z\u4e00-\u9fff][0-9A-Za-z\u4e00-\u9fff._/()（）〔〕-]{1,79}")


class Cause(StrEnum):
    """Why a version was written."""

    REGISTERED = "REGISTERED"
    CHANGE = "CHANGE"
    CORRECTION = "CORRECTION"


class RequestKind(StrEnum):
    """What waits for a second person."""

    CHANGE = "CHANGE"
    DEATH = "DEATH"
    MERGE = "MERGE"
    UNMERGE = "UNMERGE"


class RequestState(StrEnum):
    """Where a request stands."""

    WAITING = "WAITING"
    DONE = "DONE"
    REJECTED = "REJECTED"


class DeathSource(StrEnum):
    """How a death is known."""

    MEDICAL = "MEDICAL"
    CREMATION = "CREMATION"
    HOUSEHOLD = "HOUSEHOLD"
    COURT = "COURT"


class DuplicateReason(StrEnum):
    """Why two records look like one person."""

    NUMBER = "NUMBER"
    NAME_BIRTH_PHONE = "NAME_BIRTH_PHONE"


@dataclass(frozen=True, slots=True, repr=False)
class Facts:
    """What is held to be true of a person; shows nothing of itself."""

    name: str
    id_no: str
    sex: Sex
    birth_date: date
    division: str
    phone: str

    def __repr__(self) -> str:
        return "Facts()"


@dataclass(frozen=True, slots=True)
class Segment:
    """What is true from a day on, until a day that no longer belongs to it."""

    valid_from: date
    valid_to: date | None
    facts: Facts


@dataclass(frozen=True, slots=True)
class Version:
    """A segment with what the register knew of it, and from when to when."""

    segment: Segment
    recorded: datetime
    superseded: datetime | None
    cause: Cause
    evidence: str


@dataclass(frozen=True, slots=True, repr=False)
class ChangePerson:
    """Change or correct a record; `values` holds what is to be different, by the names of `Facts`."""

    person_id: UUID
    cause: Cause
    day: date | None
    values: Mapping[str, str | date]
    evidence: str

    def __repr__(self) -> str:
        return f"ChangePerson({self.person_id}, {self.cause})"


@dataclass(frozen=True, slots=True)
class RecordDeath:
    """Record a death, another day of it, or (without a day) that nobody died."""

    person_id: UUID
    day: date | None
    source: DeathSource | None
    evidence: str


@dataclass(frozen=True, slots=True)
class Merge:
    """Make two records one, or two again."""

    survivor_id: UUID
    other_id: UUID
    evidence: str


@dataclass(frozen=True, slots=True)
class Death:
    """A recorded death."""

    day: date
    source: DeathSource
    evidence: str


@dataclass(frozen=True, slots=True)
class Request:
    """Something that waits for a second person, or what became of it."""

    request_id: UUID
    person_id: UUID
    kind: RequestKind
    state: RequestState
    other_id: UUID | None
    evidence: str
    created: datetime


@dataclass(frozen=True, slots=True)
class EmployerVersion:
    """What is in force for an employer from a month on; no month means from its registration."""

    start_month: Month | None
    name: str
    division: str
    injury_class: int
    injury_step: Decimal
    evidence: str


@dataclass(frozen=True, slots=True)
class ChangeEmployer:
    """Change an employer from a month on; None leaves a value as it is."""

    employer_id: UUID
    start_month: Month
    name: str | None
    division: str | None
    injury_class: int | None
    injury_step: Decimal | None
    evidence: str


@dataclass(frozen=True, slots=True)
class Books:
    """What of a personal account decides whether two can be one."""

    first_year: int
    closed_through: int | None
    balance: Money
    has_import: bool


@dataclass(frozen=True, slots=True)
class Record:
    """What of a record decides whether it can be merged."""

    is_retired: bool
    is_dead: bool
    months: frozenset[tuple[Month, int]]  # contribution months with their scheme
    billed: frozenset[Month]
    employments: Sequence[Stretch]
    books: Books | None
    is_settled: bool


def check_evidence(text: str) -> str:
    """The reference of an evidence.

    Raises:
        InvalidInput: EVIDENCE_REQUIRED.
    """
    if not _EVIDENCE.fullmatch(text):
        raise InvalidInput(
            "EVIDENCE_REQUIRED",
            "a change names its evidence by a reference of 2 to 80 characters",
            field="evidence_ref",
        )
    return text


def changed(
    segments: Sequence[Segment], values: Mapping[str, str | date], cause: Cause, day: date | None, today: date
) -> Sequence[Segment]:
    """The segments after a change or a correction, in order and without gaps.

    A change is true from its day on. A correction follows the wrong value through every segment that holds it,
    back and forth from its day (by default the latest segment), field by field.

    Raises:
        InvalidInput: CHANGE_DATE_INVALID: a change lies after the last one and not in the future.
    """
    if cause is Cause.CORRECTION:
        return _merged(_corrected(segments, values, day or today))
    last = segments[-1]
    earliest = last.valid_from if last.valid_from > BEGINNING else last.facts.birth_date
    if day is None or not earliest < day <= today:
        raise InvalidInput(
            "CHANGE_DATE_INVALID",
            "a change lies after the one before and not in the future",
            field="effective_date",
            after=earliest.isoformat(),
            until=today.isoformat(),
        )
    after = Segment(day, None, replace(last.facts, **values))  # type: ignore[arg-type]  # checked where it was read
    return _merged([*segments[:-1], replace(last, valid_to=day), after])


def _corrected(segments: Sequence[Segment], values: Mapping[str, str | date], day: date) -> Sequence[Segment]:
    at = max((place for place, one in enumerate(segments) if one.valid_from <= day), default=0)
    result = list(segments)
    for name, value in values.items():
        wrong = getattr(segments[at].facts, name)
        first = last = at
        while first > 0 and getattr(segments[first - 1].facts, name) == wrong:
            first -= 1
        while last + 1 < len(segments) and getattr(segments[last + 1].facts, name) == wrong:
            last += 1
        for place in range(first, last + 1):
            result[place] = replace(result[place], facts=replace(result[place].facts, **{name: value}))  # type: ignore[arg-type]  # checked where it was read
    return result


def _merged(segments: Sequence[Segment]) -> Sequence[Segment]:
    """Neighbours that say the same become one."""
    result: list[Segment] = []
    for one in segments:
        if result and result[-1].facts == one.facts:
            result[-1] = replace(result[-1], valid_to=one.valid_to)
        else:
            result.append(one)
    return result


def visible(versions: Sequence[Version], as_of: date | None, known_at: datetime | None) -> Sequence[Version]:
    """What the register said at a moment, of a day; without either, all that it ever said."""
    return [
        one
        for one in versions
        if (as_of is None or (one.segment.valid_from <= as_of and (one.segment.valid_to or date.max) > as_of))
        and (known_at is None or (one.recorded < known_at and (one.superseded is None or one.superseded >= known_at)))
    ]


def check_death(day: date, birth: date, today: date) -> None:
    """A death lies between birth and today.

    Raises:
        InvalidInput: DEATH_DATE_INVALID.
    """
    if not birth <= day <= today:
        raise InvalidInput(
            "DEATH_DATE_INVALID", "a death lies after the birth and not in the future", field="death_date"
        )


def check_merge(survivor: Record, other: Record) -> None:
    """Two records can be one when no month stands in both and their accounts follow one another.

    Raises:
        Refused: MERGE_STANDING (the record that would go up carries a pension, a settlement or a death),
            MERGE_STILL_INSURED (nobody ended the insurance of the other record with the death),
            MERGE_MONTHS_COLLIDE with the months, MERGE_ACCOUNTS_COLLIDE.
    """
    if other.is_retired or other.is_dead or other.is_settled:
        raise Refused("MERGE_STANDING", "the record with the pension or the death has to be the survivor")
    if survivor.is_dead and any(one.end_month is None for one in other.employments):
        raise Refused("MERGE_STILL_INSURED", "one record says the person died, the other is still insured")
    months = {month for month, _ in survivor.months & other.months} | (survivor.billed & other.billed)
    months |= (survivor.billed & {month for month, _ in other.months}) | (
        other.billed & {month for month, _ in survivor.months}
    )
    for one in other.employments:
        for held in survivor.employments:
            months |= _common(one, held)
    if months:
        named = [str(month) for month in sorted(months)]
        raise Refused(
            "MERGE_MONTHS_COLLIDE",
            "months stand in both records; refund the double ones first",
            months=" ".join(named[:MONTHS_NAMED]),
            count=str(len(named)),
        )
    if survivor.books and other.books and not _follow(survivor.books, other.books):
        raise Refused("MERGE_ACCOUNTS_COLLIDE", "both accounts have closed years or an imported balance")


def _common(one: Stretch, other: Stretch) -> set[Month]:
    first = max(one.start_month, other.start_month)
    ends = [end for end in (one.end_month, other.end_month) if end]
    if not ends:
        return {first}
    return set(Month.range(first, min(ends))) if min(ends) >= first else set()


def _follow(one: Books, other: Books) -> bool:
    """Whether two accounts can be one: at most one of them has closed years, and the other begins after them."""
    if one.has_import and other.has_import:
        return False
    closed = [books for books in (one, other) if books.closed_through is not None]
    if len(closed) == 2:  # noqa: PLR2004 - both
        return False
    if not closed:
        return True
    opened = other if closed[0] is one else one
    return opened.first_year > (closed[0].closed_through or 0)
