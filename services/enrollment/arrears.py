"""Arrears (欠费): what is owed after its day, the late fee on it, and the plans by which it is paid in parts.

Pure values and decisions. Assumed where the law is silent (docs/decisions/0110): the late fee is taken on each part
that was paid too late, and belongs to the funds in the proportion of the bill, each part rounded down and the rest to
the pension fund.
"""

import calendar
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from kernel.calendar import Month
from kernel.dated import Dated
from kernel.errors import InvalidInput, NotFound, Refused
from kernel.money import Money
from kernel.statement import Line, Statement
from services.enrollment.domain.arrears import late_days, late_fee
from services.enrollment.domain.contributions import Scheme

INSTALMENTS_MAX = 36  # three years


class DemandKind(StrEnum):
    """What is demanded besides bills."""

    LATE_FEE = "LATE_FEE"
    DIFFERENCE = "DIFFERENCE"


class PlanState(StrEnum):
    """Where an instalment plan stands."""

    PREPARED = "PREPARED"
    AGREED = "AGREED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class Demand:
    """Money owed besides monthly bills."""

    demand_id: UUID
    employer_id: UUID
    kind: DemandKind
    bill_id: UUID
    difference_id: UUID | None
    total: Money
    paid: Money
    shares: Mapping[Scheme, Money]
    statement: Statement | None
    policy_version: str
    assess_date: date

    @property
    def open(self) -> Money:
        """What is still to pay."""
        return self.total - self.paid


@dataclass(frozen=True, slots=True)
class Payment:
    """A part of what was paid on a bill."""

    amount: Money
    paid_date: date


@dataclass(frozen=True, slots=True)
class Arrear:
    """A bill or demand that is open, with its late fee so far."""

    document: str
    month: Month
    open: Money
    due_date: date | None
    fee: Statement | None  # none where no due day is known


@dataclass(frozen=True, slots=True)
class LateFeeRun:
    """Late fees of the city as they stood on a day (滞纳金计提), as far as its job went."""

    run_id: UUID
    on: date
    job_id: UUID
    with_demands: bool
    policy_version: str
    documents: int = 0
    employers: int = 0
    open: Money = Money.ZERO
    fee: Money = Money.ZERO
    demands: int = 0


@dataclass(frozen=True, slots=True)
class Reminded:
    """An employer in arrears on the day of a run."""

    employer_id: UUID
    documents: int
    open: Money
    fee: Money
    earliest_due: date | None


@dataclass(frozen=True, slots=True)
class Instalment:
    """A part of a plan."""

    number: int
    due_date: date
    amount: Money
    paid: Money = Money.ZERO


@dataclass(frozen=True, slots=True)
class Plan:
    """An agreement to pay a debt in parts."""

    plan_id: UUID
    employer_id: UUID
    state: PlanState
    total: Money
    reason: str
    approval_id: UUID
    instalments: Sequence[Instalment]
    documents: Sequence[str]


@dataclass(frozen=True, slots=True)
class DueRule:
    """The law's last day of payment: a day in a month after that of the bill."""

    months_after: int
    day: int

    def of(self, month: Month) -> date:
        """The due day of a month; a day that the month does not have is its last."""
        due = month.plus(self.months_after)
        return date(due.year, due.month, min(self.day, calendar.monthrange(due.year, due.month)[1]))


def check_due_date(due: date, month: Month) -> None:
    """A due day lies in the month of the bill or in the year after it.

    Raises:
        InvalidInput: DUE_DATE_INVALID.
    """
    if not month.first_day <= due <= month.plus(12).last_day:
        raise InvalidInput(
            "DUE_DATE_INVALID", "a due day lies in the month or the twelve after it", field="due_date", month=str(month)
        )


def reminder_csv(on: date, found: Sequence[Arrear]) -> str:
    """What an employer is reminded of, as a file: one row for each document, a fee only where it is known."""
    rows = [
        f"{one.document},{one.month},{one.due_date or ''},{one.open},{'' if one.fee is None else one.fee.total},{on}"
        for one in found
    ]
    return "\n".join(["document,month,due_date,open,late_fee,on", *rows, ""])


def fee_of(
    payments: Sequence[Payment], still_open: Money, due: date, on: date, daily_rate: Dated[Decimal]
) -> Statement:
    """The late fee of a bill on a day: one line for each payment after the due day and one for what is open.

    Source: 社会保险法 art. 86; simple, from the day after the due day, each line rounded once.

    Args:
        payments: What was paid, and when.
        still_open: What is not paid.
        due: Last day without a fee.
        on: The day on which the rest would be paid.
        daily_rate: Rate by day.

    Raises:
        PolicyParameterMissing: No rate is in force on a day of payment.
    """
    parts = [*payments, *([Payment(still_open, on)] if still_open > Money.ZERO else [])]
    late = [part for part in parts if late_days(due, part.paid_date)]
    return Statement(
        tuple(_numbered(late_fee(one.amount, due, one.paid_date, daily_rate), n) for n, one in enumerate(late, 1))
    )


def shares(amount: Money, weights: Mapping[Scheme, Money]) -> Mapping[Scheme, Money]:
    """Split an amount in proportion, each part rounded down; what is left over goes to the first scheme."""
    total = Money.total(weights.values()).fen
    parts = {scheme: Money(amount.fen * weight.fen // total) for scheme, weight in weights.items()}
    first = next(iter(parts))
    parts[first] += amount - Money.total(parts.values())
    return parts


def check_instalments(parts: Sequence[Instalment], debt: Money, today: date) -> None:
    """The parts of a plan follow one another from today on and add up to the debt exactly.

    Raises:
        Refused: NOTHING_OWED.
        InvalidInput: INSTALMENTS_INVALID, INSTALMENTS_DIFFER with the debt.
    """
    if debt == Money.ZERO:
        raise Refused("NOTHING_OWED", "the employer owes nothing")
    days = [part.due_date for part in parts]
    if (
        not 1 <= len(parts) <= INSTALMENTS_MAX
        or days[0] < today
        or any(one >= two for one, two in itertools.pairwise(days))
        or any(part.amount <= Money.ZERO for part in parts)
    ):
        raise InvalidInput(
            "INSTALMENTS_INVALID", "at most 36 parts, each of more than nothing, days ascending from today",
            field="instalments",
        )  # fmt: skip
    if Money.total(part.amount for part in parts) != debt:
        raise InvalidInput(
            "INSTALMENTS_DIFFER", "the parts do not add up to the debt", field="instalments", debt=str(debt)
        )


def filled(parts: Sequence[Instalment], paid: Money) -> Sequence[Instalment]:
    """The parts of a plan with what was paid of the debt, filled in order."""
    done = []
    for part in parts:
        share = min(part.amount, paid)
        paid -= share
        done.append(Instalment(part.number, part.due_date, part.amount, share))
    return done


def demand_not_found() -> NotFound:
    """No such demand."""
    return NotFound("DEMAND_NOT_FOUND", "no such demand")


def _numbered(line: Line, number: int) -> Line:
    """A statement has no two lines of one code."""
    return Line(
        code=f"{line.code}.{number}",
        amount=line.amount,
        title_zh=line.title_zh,
        title_en=line.title_en,
        formula=line.formula,
        inputs=line.inputs,
        sources=line.sources,
        parameters=line.parameters,
        provisional=line.provisional,
    )
