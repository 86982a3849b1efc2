"""What moves: histories of older systems, and pension relations between areas (关系转移接续). Values and decisions.

Sources of the transfer: 国办发〔2009〕66号; amounts in `domain.arrears`. What these leave open and is
decided here is written in docs/decisions/0140 and marked assumed.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from itertools import groupby, pairwise
from uuid import UUID

from kernel.calendar import Month
from kernel.errors import InvalidInput, NotFound, Refused
from kernel.money import Money
from kernel.statement import Statement
from services.enrollment.accounting import ContributionState
from services.enrollment.domain.arrears import BaseYear
from services.enrollment.domain.bridging import Direction as BridgeDirection
from services.enrollment.domain.contributions import Scheme

# -- years of contributions in a row

MONTHS = 12
EVERY_MONTH = 0b1111_1111_1111
PENSION = 1
COUNTED: Mapping[int, Scheme] = {1: Scheme.EMPLOYEE_PENSION, 2: Scheme.UNEMPLOYMENT, 4: Scheme.WORK_INJURY}

Run = tuple[int, int, int, bool]  # first month, how many, base in fen, whether deemed


def runs_of(months: int, deemed: int, bases: Sequence[int]) -> list[Run]:
    """The months of a row in runs with one base and state each."""
    if months == EVERY_MONTH and not deemed:
        if len(bases) == 1:
            return [(1, MONTHS, bases[0], False)]
        starts = [0, *(place for place in range(1, MONTHS) if bases[place] != bases[place - 1]), MONTHS]
        return [(first + 1, last - first, bases[first], False) for first, last in pairwise(starts)]
    places = [
        (place, bases[0] if len(bases) == 1 else bases[place], bool(deemed >> place & 1))
        for place in range(MONTHS)
        if months >> place & 1
    ]
    runs: list[Run] = []
    for place, base, is_deemed in places:
        if runs and runs[-1][0] + runs[-1][1] == place + 1 and runs[-1][2:] == (base, is_deemed):
            runs[-1] = (runs[-1][0], runs[-1][1] + 1, base, is_deemed)
        else:
            runs.append((place + 1, 1, base, is_deemed))
    return runs


@dataclass(frozen=True, slots=True)
class Sums:
    """The figures by which a delivery is checked as a whole; bases and balances in fen."""

    row_count: int = 0
    person_count: int = 0
    pension_months: int = 0
    unemployment_months: int = 0
    injury_months: int = 0
    bases: int = 0
    balances: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    def plain(self) -> dict[str, int]:
        """As JSON."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def differences(self, stated: "Sums") -> list[tuple[str, int, int]]:
        """Name, stated and counted figure of everything that does not agree."""
        return [
            (one.name, getattr(stated, one.name), getattr(self, one.name))
            for one in fields(self)
            if getattr(stated, one.name) != getattr(self, one.name)
        ]


@dataclass(frozen=True, slots=True)
class FileRef:
    """An uploaded file of a delivery."""

    upload_id: str
    digest: str


@dataclass(frozen=True, slots=True)
class BringIn:
    """Bring in the years before from files of layout 2."""

    files: Sequence[FileRef]
    system: str
    stated: Sums | None = None


FILES_MAX = 200
SAMPLE_MAX, SAMPLE_USUAL = 1000, 100
_SEED = re.compile(r"[0-9A-Za-z]{1,40}", re.ASCII)


def check_sample(seed: str, size: int) -> int:
    """The size of a sample.

    Raises:
        InvalidInput: SAMPLE_INVALID.
    """
    if not _SEED.fullmatch(seed) or not 0 <= size <= SAMPLE_MAX:
        raise InvalidInput("SAMPLE_INVALID", "a seed is 1 to 40 letters and digits, a sample up to 1,000 persons")
    return size or SAMPLE_USUAL


# -- relations


class Direction(StrEnum):
    """Where a relation moves."""

    IN = "IN"
    OUT = "OUT"


class Step(StrEnum):
    """Where a transfer stands."""

    APPLIED = "APPLIED"
    LETTER = "LETTER"
    FORM = "FORM"
    FUNDS = "FUNDS"
    DONE = "DONE"
    REFUSED = "REFUSED"


# Each step has one before it; a refusal is possible until the form, with which months and money begin to move.
BEFORE = {Step.LETTER: Step.APPLIED, Step.FORM: Step.LETTER, Step.FUNDS: Step.FORM, Step.DONE: Step.FUNDS}
REFUSABLE = frozenset({Step.APPLIED, Step.LETTER})
SOURCE = ("GBF-2009-66",)

_DOCUMENT_NO = re.compile(r"[0-9A-Za-z-]{4,40}", re.ASCII)
_AREA = re.compile(r"[1-9][0-9]{5}", re.ASCII)
REASON_MAX = 200


@dataclass(frozen=True, slots=True)
class Bridge:
    """An account that moved between the pensions of residents and employees."""

    bridge_id: UUID
    person_id: UUID
    direction: BridgeDirection
    amount: Money
    employee_months: int
    statement: Statement
    bridge_date: date


@dataclass(frozen=True, slots=True)
class FormYear:
    """Months of the pension on one base in an information form (信息表)."""

    year: int
    first_month: int
    month_count: int
    base: Money
    state: ContributionState

    @property
    def last(self) -> Month:
        """The last month."""
        return Month(self.year, self.first_month + self.month_count - 1)


@dataclass(frozen=True, slots=True)
class Transfer:
    """A pension relation that moves."""

    transfer_id: UUID
    person_id: UUID
    direction: Direction
    state: Step
    other_area: str
    temporary: bool
    steps: Sequence[tuple[Step, date, str]] = ()
    years: Sequence[FormYear] = ()
    statement: Statement | None = None
    policy_version: str = ""
    through: Month | None = None
    account: Money | None = None
    pooled: Money | None = None
    refusal: str = ""


def transfer_not_found() -> NotFound:
    """The one text for a transfer that does not exist and for one that is not the caller's business."""
    return NotFound("TRANSFER_NOT_FOUND", "no such transfer")


def check_step(transfer: Transfer, to: Step, direction: Direction | None = None) -> None:
    """A step follows the one before it, in the direction that it belongs to.

    Raises:
        Refused: TRANSFER_STATE_FORBIDS with the state.
    """
    allowed = transfer.state in REFUSABLE if to is Step.REFUSED else BEFORE.get(to) == transfer.state
    if not allowed or direction not in {None, transfer.direction}:
        raise Refused("TRANSFER_STATE_FORBIDS", "the transfer is not at that step", state=transfer.state)


def check_area(text: str, home: str) -> str:
    """The other area: a division code outside this city.

    Raises:
        InvalidInput: AREA_INVALID.
    """
    if not _AREA.fullmatch(text) or text.startswith(home):
        raise InvalidInput("AREA_INVALID", "the other area has a division code outside this city", field="other_area")
    return text


def check_document_no(text: str, field: str) -> str:
    """The number of a letter, form or payment.

    Raises:
        InvalidInput: DOCUMENT_NO_INVALID.
    """
    if not _DOCUMENT_NO.fullmatch(text):
        raise InvalidInput("DOCUMENT_NO_INVALID", "a number has 4 to 40 letters, digits and hyphens", field=field)
    return text


def age_on(birth: date, day: date) -> int:
    """Whole years on a day."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def check_form(years: Sequence[FormYear], today: date) -> None:
    """The years of an information form follow one another, each within its year and not in the future.

    Raises:
        InvalidInput: FORM_YEARS_INVALID.
    """
    last: Month | None = None
    for one in years:
        fits = one.first_month >= 1 and one.month_count >= 1 and one.first_month + one.month_count - 1 <= MONTHS
        if not (fits and 1949 <= one.year <= today.year):  # noqa: PLR2004 - the first jobs of the state
            raise _form_wrong()
        first = Month(one.year, one.first_month)
        if (last is not None and first <= last) or one.last > Month.of(today):
            raise _form_wrong()
        if one.base < Money.ZERO or (one.base == Money.ZERO and one.state is ContributionState.PAID):
            raise _form_wrong()
        last = one.last
    if last is None:
        raise _form_wrong()


def form_years(months: Iterable[tuple[Month, Money, ContributionState]]) -> list[FormYear]:
    """Months in ascending order as the lines of an information form: as few as say the same."""
    lines: list[FormYear] = []
    for year, rows in groupby(months, key=lambda one: one[0].year):
        for month, base, state in rows:
            before = lines[-1] if lines else None
            if (
                before
                and before.year == year
                and before.last.next == month
                and (before.base, before.state) == (base, state)
            ):
                lines[-1] = FormYear(year, before.first_month, before.month_count + 1, base, state)
            else:
                lines.append(FormYear(year, month.month, 1, base, state))
    return lines


def base_years(years: Iterable[FormYear]) -> list[BaseYear]:
    """What the pooled part is taken from: paid months; deemed ones had no contribution."""
    return [BaseYear(one.year, one.base, one.month_count) for one in years if one.state is ContributionState.PAID]


def _form_wrong() -> InvalidInput:
    return InvalidInput(
        "FORM_YEARS_INVALID",
        "the years of the form do not follow one another or lie outside the calendar",
        field="years",
    )
