"""The rules of the register: who may be enrolled from when, what ends what, what may be shown of a person.

Pure values and decisions; amounts of law are in `domain`. Sources: 社会保险法 arts. 57 to 63, 社会保险经办条例.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from kernel.calendar import Month
from kernel.errors import AlreadyExists, InvalidInput, NotFound, Refused
from kernel.identity import Sex
from kernel.money import Money
from services.enrollment.domain.contributions import Scheme

# Schemes with their official codes (AAE140), which are also how they are stored; X12 has letters and is stored as 9012.
SCHEME_CODES = {
    Scheme.EMPLOYEE_PENSION: 110,
    Scheme.GOVERNMENT_PENSION: 120,
    Scheme.RESIDENT_PENSION: 170,
    Scheme.UNEMPLOYMENT: 210,
    Scheme.WORK_INJURY: 410,
    Scheme.OCCUPATIONAL_ANNUITY: 9012,
}
SCHEMES = {code: scheme for scheme, code in SCHEME_CODES.items()}

# An employer has 30 days to enrol (社会保险法 art. 58); a year back covers what audits and arbitration find. Older
# months need a decision of their own, and more than the next month is no fact yet.
START_MONTHS_BACK = 12
START_MONTHS_AHEAD = 1
# No monthly wage in the city comes near; it catches a wage typed in fen and keeps every product inside 64 bits.
WAGE_MAX = Money(100_000_000)

_PHONE = re.compile(r"1[3-9][0-9]{9}", re.ASCII)
_DIVISION = re.compile(r"[1-9][0-9]{5}", re.ASCII)
_RECEIPT_NO = re.compile(r"[0-9A-Za-z-]{4,40}", re.ASCII)
# Every imported row keeps it and it is shown beside each: letters of a system, never the name of a person. Eight digits
# in a row are a birth date, a telephone or an identity number.
_SOURCE_SYSTEM = re.compile(r"(?!.*[0-9]{8})[0-9A-Za-z][0-9A-Za-z._-]{1,39}", re.ASCII)


class Post(StrEnum):
    """Kind of post (岗位), which decides the retirement track of a woman."""

    MANAGEMENT = "management"
    PRODUCTION = "production"


class Track(StrEnum):
    """Retirement track (退休轨道)."""

    MALE_60 = "male_60"
    FEMALE_55 = "female_55"
    FEMALE_50 = "female_50"


class EndReason(StrEnum):
    """Why an employment ended."""

    RESIGNED = "RESIGNED"
    DISMISSED = "DISMISSED"
    CONTRACT_EXPIRED = "CONTRACT_EXPIRED"
    RETIRED = "RETIRED"
    DIED = "DIED"
    STOPPED = "STOPPED"  # a flexible worker or resident, by own wish
    EMPLOYED = "EMPLOYED"  # an employment took the place of a flexible worker's cover


class State(StrEnum):
    """Where a participation (参保关系) stands."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    ENDED = "ENDED"


class Action(StrEnum):
    """What can happen to a participation."""

    SUSPEND = "SUSPEND"
    RESUME = "RESUME"
    END = "END"


TRANSITIONS = {
    (State.ACTIVE, Action.SUSPEND): State.SUSPENDED,
    (State.ACTIVE, Action.END): State.ENDED,
    (State.SUSPENDED, Action.RESUME): State.ACTIVE,
    (State.SUSPENDED, Action.END): State.ENDED,
}


@dataclass(frozen=True, slots=True)
class Employer:
    """A registered employer (用人单位)."""

    employer_id: UUID
    credit_code: str
    name: str
    division: str
    injury_class: int
    injury_step: Decimal
    register_date: date


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """An insured person (参保人) with the identity in clear; never logged, which is why it shows nothing of itself."""

    person_id: UUID
    name: str
    id_no: str
    birth_date: date
    sex: Sex
    division: str
    retirement_month: Month | None = None

    def __repr__(self) -> str:
        return f"Person({self.person_id})"


@dataclass(frozen=True, slots=True)
class Stretch:
    """The months of an employment; open while it has no end."""

    start_month: Month
    end_month: Month | None


@dataclass(frozen=True, slots=True)
class Wage:
    """A declared wage (申报工资), in force from a month on."""

    from_month: Month
    amount: Money


@dataclass(frozen=True, slots=True)
class Participation:
    """The insurance of one person in one scheme (参保关系), with an employer or by a cover of their own."""

    participation_id: UUID
    person_id: UUID
    employer_id: UUID | None
    scheme: Scheme
    state: State
    start_month: Month
    end_month: Month | None
    end_reason: EndReason | None
    track: Track | None  # none for a resident
    cover_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Employment:
    """An employment in short, with the name of the employer, as its person recognises it."""

    enrollment_id: UUID
    employer_id: UUID
    employer_name: str
    start_month: Month
    end_month: Month | None


@dataclass(frozen=True, slots=True)
class Enrollment:
    """An employment with its participations and its wages, newest first."""

    enrollment_id: UUID
    person_id: UUID
    employer_id: UUID
    post: Post | None
    track: Track
    start_month: Month
    end_month: Month | None = None
    end_reason: EndReason | None = None
    wages: Sequence[Wage] = ()
    participations: Sequence[Participation] = ()


def transition(state: State, action: Action) -> State:
    """The state after an action.

    Raises:
        Refused: PARTICIPATION_STATE_FORBIDS.
    """
    following = TRANSITIONS.get((state, action))
    if following is None:
        raise Refused("PARTICIPATION_STATE_FORBIDS", f"a participation that is {state} cannot {action}", state=state)
    return following


def track_of(sex: Sex, post: Post | None) -> Track:
    """The retirement track: men 60; women 55 in management and technical posts, 50 in production.

    Source: 国务院关于渐进式延迟法定退休年龄的办法, 国发〔1978〕104号.

    Raises:
        InvalidInput: POST_REQUIRED: the post of a woman decides.
    """
    if sex == "male":
        return Track.MALE_60
    if post is None:
        raise InvalidInput("POST_REQUIRED", "the kind of post decides when a woman retires", field="post")
    return Track.FEMALE_55 if post is Post.MANAGEMENT else Track.FEMALE_50


def check_start_month(start: Month, today: date, birth: date) -> None:
    """A first insured month lies at most twelve months back, after the birth and not after the next month.

    Raises:
        Refused: START_MONTH_OUT_OF_WINDOW with the first and last month allowed.
    """
    now = Month.of(today)
    first, last = max(now.plus(-START_MONTHS_BACK), Month.of(birth).next), now.plus(START_MONTHS_AHEAD)
    if not first <= start <= last:
        raise Refused(
            "START_MONTH_OUT_OF_WINDOW",
            "the first insured month lies outside the window",
            field="start_month",
            source=("SIL", "SI-OPS-2023"),
            earliest=str(first),
            latest=str(last),
        )


def check_free(start: Month, last: Stretch | None) -> None:
    """A person has one employment at a time: a new one starts after the last one's end.

    Raises:
        AlreadyExists: ALREADY_ENROLLED with the months of the employment in the way.
    """
    if last is None or (last.end_month is not None and last.end_month < start):
        return
    until = str(last.end_month) if last.end_month else ""
    raise AlreadyExists(
        "ALREADY_ENROLLED", "the person is enrolled in that month", since=str(last.start_month), until=until
    )


def check_end_month(enrollment: Enrollment, end: Month, *, today: date, last_billed: Month | None) -> None:
    """A last insured month lies within the employment, not in the future, and not before a month already billed.

    Raises:
        InvalidInput: END_MONTH_INVALID with the first and last month allowed.
    """
    earliest = max(enrollment.start_month, last_billed) if last_billed else enrollment.start_month
    latest = max(Month.of(today), enrollment.start_month)  # one who was to start next month may end with it
    if not earliest <= end <= latest:
        raise InvalidInput(
            "END_MONTH_INVALID",
            "the last insured month lies outside the employment or before a billed month",
            field="end_month",
            earliest=str(earliest),
            latest=str(max(latest, earliest)),
        )


def check_wage(wage: Money) -> Money:
    """A declared monthly wage.

    Raises:
        InvalidInput: WAGE_INVALID.
    """
    if not Money.ZERO < wage <= WAGE_MAX:
        raise InvalidInput("WAGE_INVALID", "a monthly wage is more than 0 and at most 1,000,000", field="wage")
    return wage


def check_phone(text: str) -> str:
    """A mobile number of the mainland, or nothing.

    Raises:
        InvalidInput: PHONE_INVALID.
    """
    if text and not _PHONE.fullmatch(text):
        raise InvalidInput("PHONE_INVALID", "a mobile number has 11 digits and begins with 13 to 19", field="phone")
    return text


def check_division(text: str) -> str:
    """A division code, GB/T 2260.

    Raises:
        InvalidInput: DIVISION_INVALID.
    """
    if not _DIVISION.fullmatch(text):
        raise InvalidInput("DIVISION_INVALID", "a division code has six digits", field="division")
    return text


def check_receipt_no(text: str) -> str:
    """The number of a receipt (电子税票号).

    Raises:
        InvalidInput: RECEIPT_NO_INVALID.
    """
    if not _RECEIPT_NO.fullmatch(text):
        raise InvalidInput(
            "RECEIPT_NO_INVALID", "a receipt number has 4 to 40 digits, letters and hyphens", field="receipt_no"
        )
    return text


def check_source_system(text: str) -> str:
    """The name of a delivering system.

    Raises:
        InvalidInput: SOURCE_INVALID.
    """
    if not _SOURCE_SYSTEM.fullmatch(text):
        raise InvalidInput(
            "SOURCE_INVALID",
            "the delivering system has a name of 2 to 40 letters, digits, dots, hyphens and underscores",
            field="source_system",
        )
    return text


def mask_name(name: str) -> str:
    """A name as it is shown: first and last character, the rest hidden; of two characters only the first."""
    if len(name) <= 2:  # noqa: PLR2004 - surname and one character
        return name[:1] + "*" if len(name) > 1 else "*"
    return name[0] + "*" * (len(name) - 2) + name[-1]


def mask_id_no(number: str) -> str:
    """A number as it is shown: division and last character.

    The birth date and the division stand beside it in the same answer, so showing the usual last four characters would
    show the whole number.
    """
    return number[:6] + "*" * (len(number) - 7) + number[-1:]


def enrollment_not_found() -> NotFound:
    """The one text for an enrolment that does not exist and for one that is not the caller's business."""
    return NotFound("ENROLLMENT_NOT_FOUND", "no such enrolment")


def bill_not_found() -> NotFound:
    """The one text for a bill that does not exist and for one that is not the caller's business."""
    return NotFound("BILL_NOT_FOUND", "no such bill")
