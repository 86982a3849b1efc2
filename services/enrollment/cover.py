"""Insurance beyond the ordinary employee: covers without an employment, and the months in which they rest.

Pure values and decisions; amounts of law are in `domain`, money in `cover_money`, projects and platforms in
`cover_work`. Sources: 国发〔2005〕38号 (flexible workers), 国发〔2014〕8号 (residents), 国发〔2015〕2号 (posts).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from kernel.calendar import Month
from kernel.dated import DatedValue
from kernel.errors import AlreadyExists, InvalidInput, NotFound, Refused
from kernel.money import Money
from services.enrollment.billing import past_year_closed
from services.enrollment.cover_work import PlatformOrders, ProjectCover
from services.enrollment.domain.contributions import BaseLimits, Scheme
from services.enrollment.register import (
    START_MONTHS_AHEAD,
    START_MONTHS_BACK,
    Employment,
    EndReason,
    Participation,
    State,
    Stretch,
    Track,
    Wage,
)

DUE_DAYS = range(1, 29)


class CoverKind(StrEnum):
    """What a cover is."""

    FLEXIBLE = "FLEXIBLE"  # flexible worker (灵活就业人员) in the employee pension
    RESIDENT = "RESIDENT"  # resident (城乡居民) in the resident pension


COVER_SCHEMES = {CoverKind.FLEXIBLE: Scheme.EMPLOYEE_PENSION, CoverKind.RESIDENT: Scheme.RESIDENT_PENSION}


class EmployerKind(StrEnum):
    """What an employer is."""

    ENTERPRISE = "ENTERPRISE"
    GOVERNMENT = "GOVERNMENT"


class SuspendReason(StrEnum):
    """Why a participation rests."""

    UNPAID_LEAVE = "UNPAID_LEAVE"
    NO_INCOME = "NO_INCOME"
    STUDY_OR_SERVICE = "STUDY_OR_SERVICE"
    DETENTION = "DETENTION"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class Suspension:
    """Months in which a participation rests; open while it does."""

    from_month: Month
    until_month: Month | None

    def holds(self, month: Month) -> bool:
        """Whether it rests in a month."""
        return self.from_month <= month and (self.until_month is None or month <= self.until_month)


@dataclass(frozen=True, slots=True)
class Cover:
    """The insurance of a person without an employment; bases and suspensions newest first."""

    cover_id: UUID
    person_id: UUID
    participation_id: UUID
    kind: CoverKind
    division: str
    track: Track | None
    start_month: Month
    end_month: Month | None = None
    end_reason: EndReason | None = None
    state: State = State.ACTIVE
    bases: Sequence[Wage] = ()
    suspensions: Sequence[Suspension] = ()

    def base_of(self, month: Month) -> Money:
        """The chosen base in force in a month."""
        return next(one.amount for one in self.bases if one.from_month <= month)


@dataclass(frozen=True, slots=True)
class Insurance:
    """Everything by which a person is insured; paid and deemed months by scheme."""

    participations: Sequence[Participation]
    months: Mapping[Scheme, tuple[int, int]]
    employments: Sequence[Employment]
    covers: Sequence[Cover]
    projects: Sequence[ProjectCover]
    platforms: Sequence[PlatformOrders]


def check_base(base: Money, limits: DatedValue[BaseLimits]) -> Money:
    """A flexible worker chooses any base between floor and ceiling (rule base.flexible).

    Raises:
        Refused: BASE_OUT_OF_RANGE with both limits.
    """
    if not limits.value.floor <= base <= limits.value.ceiling:
        raise Refused(
            "BASE_OUT_OF_RANGE",
            "the base lies outside floor and ceiling",
            field="base",
            source=limits.source,
            floor=str(limits.value.floor),
            ceiling=str(limits.value.ceiling),
        )
    return base


def check_start(kind: CoverKind, start: Month, today: date) -> None:
    """A flexible worker starts in this year, for past years are not paid; a resident within the window of the register.

    Raises:
        Refused: START_MONTH_OUT_OF_WINDOW with the first and last month allowed.
    """
    now = Month.of(today)
    first = Month(now.year, 1) if kind is CoverKind.FLEXIBLE else now.plus(-START_MONTHS_BACK)
    last = now.plus(START_MONTHS_AHEAD)
    if not first <= start <= last:
        raise Refused(
            "START_MONTH_OUT_OF_WINDOW",
            "the first insured month lies outside the window",
            field="start_month",
            source=("MOHRSS-G-2016-5",),
            earliest=str(first),
            latest=str(last),
        )


def check_resident(birth: date, start: Month, min_age: DatedValue[int], *, is_student: bool) -> None:
    """Residents are of age, and at no school (国发〔2014〕8号).

    Raises:
        Refused: RESIDENT_TOO_YOUNG with the first month possible, RESIDENT_IS_STUDENT.
    """
    if is_student:
        raise Refused("RESIDENT_IS_STUDENT", "students are not taken in", field="is_student", source=min_age.source)
    first = Month.of(birth).plus(12 * min_age.value)
    if start < first:
        raise Refused(
            "RESIDENT_TOO_YOUNG",
            "the person is too young",
            field="start_month",
            source=min_age.source,
            age=str(min_age.value),
            earliest=str(first),
        )


def check_not_employed(employed: Stretch | None) -> None:
    """Who is insured by an employment needs no cover of their own: one month counts once.

    Raises:
        AlreadyExists: ALREADY_ENROLLED with the months of the employment.
    """
    if employed is not None:
        until = str(employed.end_month) if employed.end_month else ""
        raise AlreadyExists(
            "ALREADY_ENROLLED", "the person is enrolled in that month", since=str(employed.start_month), until=until
        )


def check_not_covered(covered: Stretch | None) -> None:
    """A person has one cover of a kind at a time.

    Raises:
        AlreadyExists: ALREADY_COVERED.
    """
    if covered is not None:
        until = str(covered.end_month) if covered.end_month else ""
        raise AlreadyExists(
            "ALREADY_COVERED", "the person has such a cover", since=str(covered.start_month), until=until
        )


def check_kind(cover: Cover, kind: CoverKind) -> None:
    """What is asked for fits the kind of the cover.

    Raises:
        Refused: COVER_KIND_WRONG.
    """
    if cover.kind is not kind:
        raise Refused("COVER_KIND_WRONG", "this is not possible for this kind of cover")


def check_open(cover: Cover) -> None:
    """The cover has not ended.

    Raises:
        Refused: COVER_ENDED.
    """
    if cover.end_month is not None:
        raise Refused("COVER_ENDED", "the cover has ended", until=str(cover.end_month))


def check_own_month(cover: Cover, month: Month, today: date) -> None:
    """A month that a flexible worker may pay: begun, of this year, within the cover and not suspended.

    Raises:
        Refused: PAST_YEAR_CLOSED, MONTH_NOT_INSURED, MONTH_SUSPENDED.
    """
    if month.year < today.year:
        raise past_year_closed(month, field="month")
    if month < cover.start_month or (cover.end_month is not None and month > cover.end_month):
        raise Refused(
            "MONTH_NOT_INSURED", "the month lies outside the cover", field="month", since=str(cover.start_month)
        )
    if any(one.holds(month) for one in cover.suspensions):
        raise Refused("MONTH_SUSPENDED", "the cover rests in that month", field="month", month=str(month))


def check_suspension(from_month: Month, start: Month, today: date, billed: Month | None) -> None:
    """A suspension begins within the participation, with a month that is not billed, and not after the next month.

    Raises:
        Refused: MONTH_ALREADY_BILLED.
        InvalidInput: SUSPENSION_MONTH_INVALID with the months allowed.
    """
    if billed is not None and from_month <= billed:
        raise Refused("MONTH_ALREADY_BILLED", "the month is billed", field="from_month", billed=str(billed))
    latest = max(Month.of(today).next, start)
    if not start <= from_month <= latest:
        raise _suspension_month(start, latest)


def check_resumption(from_month: Month, suspended_from: Month, today: date) -> None:
    """A resumption comes after the first suspended month, and not after the next month.

    Raises:
        InvalidInput: SUSPENSION_MONTH_INVALID with the months allowed.
    """
    latest = max(Month.of(today).next, suspended_from.next)
    if not suspended_from < from_month <= latest:
        raise _suspension_month(suspended_from.next, latest)


def check_end(cover: Cover, end: Month, today: date, billed: Month | None) -> None:
    """A cover ends within itself, not before a month that is billed and not in the future.

    Raises:
        InvalidInput: END_MONTH_INVALID with the first and last month allowed.
    """
    earliest = max(cover.start_month, billed) if billed else cover.start_month
    latest = max(Month.of(today), earliest)
    if not earliest <= end <= latest:
        raise InvalidInput(
            "END_MONTH_INVALID",
            "the last insured month lies outside the cover or before a billed month",
            field="end_month",
            earliest=str(earliest),
            latest=str(latest),
        )


def _suspension_month(earliest: Month, latest: Month) -> InvalidInput:
    return InvalidInput(
        "SUSPENSION_MONTH_INVALID",
        "the month lies outside what can be suspended or resumed",
        field="from_month",
        earliest=str(earliest),
        latest=str(latest),
    )


def cover_not_found() -> NotFound:
    """The one text for a cover that does not exist and for one that is not the caller's business."""
    return NotFound("COVER_NOT_FOUND", "no such cover")
