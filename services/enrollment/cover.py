"""Insurance beyond the ordinary employee: covers without an employment, suspensions, back payments, overlaps, projects.

Pure values and decisions; amounts of law are in `domain`. Sources: 国发〔2005〕38号 (flexible workers), 国发〔2014〕8号
(residents), 国发〔2015〕2号 (government posts), 人社部发〔2014〕17号 (overlaps), 人社部发〔2014〕103号 (projects).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from kernel.calendar import Month
from kernel.dated import DatedValue
from kernel.errors import AlreadyExists, InvalidInput, NotFound, Refused
from kernel.money import Money
from kernel.statement import Statement
from services.enrollment.billing import Bill, past_year_closed
from services.enrollment.domain.account import YearTerms
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

BACK_MONTHS_MAX = 240  # one bill for each month, all in one answer
DUE_DAYS = range(1, 29)
_PERMIT_NO = re.compile(r"[0-9A-Z-]{6,40}", re.ASCII)
_DOCUMENT_REF = re.compile(r"[\w〔〕()（）\[\]-]{4,60}")
CONTRACT_PRICE_MAX = Money(100_000_000_000_00)
DAY_ORDERS_MAX = 1000
REPORT_ROWS_MAX = 5000


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


class Branch(StrEnum):
    """Branch of a platform, by the word that the law uses for its fee."""

    RIDE = "出行"
    TAKEAWAY = "外卖"
    DELIVERY = "即时配送"
    FREIGHT = "同城货运"


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
class ResidentPayment:
    """A resident's payment of a year."""

    payment_id: UUID
    cover_id: UUID
    person_id: UUID
    year: int
    tier: Money
    subsidy: Money
    aid: Money
    statement: Statement
    policy_version: str
    paid_date: date | None = None
    refunded: Money = Money.ZERO
    is_on_behalf: bool = False  # the government pays it


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """An entry of an account beside that of the employee pension."""

    part: str
    source: str
    booked: Month
    amount: Money


@dataclass(frozen=True, slots=True)
class SchemeAccount:
    """An account beside that of the employee pension, with its entries, newest first."""

    scheme: Scheme
    balance: Money
    entries: Sequence[AccountEntry]


@dataclass(frozen=True, slots=True)
class SchemeYear:
    """A closed year of a person's account beside that of the employee pension."""

    scheme: Scheme
    year: int
    opening: Money
    contribution: Money
    interest: Money
    monthly: Mapping[int, Money]  # what was booked, by month
    terms: YearTerms
    policy_version: str

    @property
    def statement(self) -> Statement:
        """How the year comes about: opening, interest on it, what was booked, interest on that."""
        return self.terms.close(self.opening, self.monthly).statement


@dataclass(frozen=True, slots=True)
class Overlap:
    """Months that were paid twice, and what goes back; booked when it has an id."""

    kind: CoverKind
    months: Sequence[Month]
    statement: Statement
    refund_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class BackPayment:
    """A back payment: each month's contributions and fee, and one bill for each month."""

    back_payment_id: UUID
    statement: Statement
    bills: Sequence[Bill]


@dataclass(frozen=True, slots=True)
class Project:
    """A construction project insured as a whole."""

    project_id: UUID
    employer_id: UUID
    permit_no: str
    name: str
    contract_price: Money
    start_date: date
    planned_date: date
    completion_date: date | None
    premium: Money
    statement: Statement
    policy_version: str
    paid_date: date | None = None
    named_count: int = 0

    def covers(self, day: date) -> bool:
        """Whether the work of a day is covered: from the start to the completion."""
        return self.start_date <= day and (self.completion_date is None or day <= self.completion_date)


@dataclass(frozen=True, slots=True)
class ProjectCover:
    """A stretch on the roster of a project."""

    project_id: UUID
    name: str
    from_date: date
    until_date: date | None


@dataclass(frozen=True, slots=True)
class PlatformMonth:
    """A month's orders of a platform in one branch."""

    platform_month_id: UUID
    employer_id: UUID
    month: Month
    branch: Branch
    orders: int
    premium: Money
    statement: Statement
    policy_version: str
    paid_date: date | None = None


@dataclass(frozen=True, slots=True)
class PlatformOrders:
    """Orders of a person with one platform, of a day or of a month."""

    employer_id: UUID
    branch: Branch
    orders: int
    month: Month
    days: int = 1


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


def check_back_payment(first: Month, last: Month, start: Month, document_ref: str, limit: DatedValue[int]) -> None:
    """Months before an enrolment, in one piece; a lump of more months than the limit rests on a document.

    Raises:
        InvalidInput: BACK_PAYMENT_MONTHS_INVALID, DOCUMENT_INVALID.
        Refused: DOCUMENT_REQUIRED.
    """
    count = first.months_until(last) + 1
    if not 1 <= count <= BACK_MONTHS_MAX or last >= start:
        raise InvalidInput(
            "BACK_PAYMENT_MONTHS_INVALID",
            "back payments are for months before the enrolment, at most 240 at once",
            field="last_month",
            latest=str(start.previous),
            most=str(BACK_MONTHS_MAX),
        )
    if document_ref and not _DOCUMENT_REF.fullmatch(document_ref):
        raise InvalidInput("DOCUMENT_INVALID", "a reference has 4 to 60 letters and digits", field="document_ref")
    if count > limit.value and not document_ref:
        raise Refused(
            "DOCUMENT_REQUIRED",
            "a long back payment needs a ruling",
            field="document_ref",
            source=limit.source,
            months=str(limit.value),
        )


def check_project_dates(start: date, planned: date) -> None:
    """A project ends after it starts.

    Raises:
        InvalidInput: PROJECT_DATES_INVALID.
    """
    if planned < start:
        raise project_dates_invalid("planned_date", start, None)


def check_permit_no(text: str) -> str:
    """The number of a construction permit.

    Raises:
        InvalidInput: PERMIT_NO_INVALID.
    """
    if not _PERMIT_NO.fullmatch(text):
        raise InvalidInput(
            "PERMIT_NO_INVALID", "a permit number has 6 to 40 digits, capital letters and hyphens", field="permit_no"
        )
    return text


def check_single_receipt(
    owed: Money, amount: Money, paid_date: date, today: date, *, earliest: date, paid: date | None
) -> None:
    """A receipt that pays the whole of something, once, on a day that has come.

    Raises:
        Refused: PAYMENT_ALREADY_PAID.
        InvalidInput: RECEIPT_AMOUNT_INVALID, PAID_DATE_INVALID.
    """
    if paid is not None:
        raise Refused("PAYMENT_ALREADY_PAID", "this was paid before", paid=str(paid))
    if amount != owed:
        raise InvalidInput("RECEIPT_AMOUNT_INVALID", "the receipt is not for what is owed", field="amount")
    if not earliest <= paid_date <= today:
        raise InvalidInput(
            "PAID_DATE_INVALID",
            "money is received in its year and not in the future",
            field="paid_date",
            earliest=str(earliest),
            latest=str(today),
        )


def months_paid_twice(resident_years: Mapping[int, int], employed: Sequence[Month]) -> Mapping[int, int]:
    """Months of each resident year in which the person was insured as an employee too, beyond those paid back before.

    Args:
        resident_years: Months already paid back, by year of a payment.
        employed: Months that were paid in the employee scheme.
    """
    return {
        year: months
        for year, done in resident_years.items()
        if (months := len({one for one in employed if one.year == year}) - done) > 0
    }


def project_dates_invalid(field: str, earliest: date, latest: date | None) -> InvalidInput:
    """A day of a project that lies outside it."""
    return InvalidInput(
        "PROJECT_DATES_INVALID",
        "the day lies outside the project",
        field=field,
        earliest=str(earliest),
        latest=str(latest or ""),
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


def project_not_found() -> NotFound:
    """The one text for a project that does not exist and for one that is not the caller's business."""
    return NotFound("PROJECT_NOT_FOUND", "no such project")
