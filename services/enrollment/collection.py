"""Collection (征收): what comes in without fitting a bill, what is owed and what goes back.

Pure values and decisions. Assumed where the law is silent (docs/decisions/0110): money counts from the day on which the
bureau took it, also when it is matched later; the late fee is taken on each part that was paid too late, and belongs to
the funds in the proportion of the bill, each part rounded down and the rest to the pension fund.
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
from services.enrollment.billing import CHARGES
from services.enrollment.domain.arrears import late_days, late_fee
from services.enrollment.domain.contributions import Scheme

# Accounts of the ledger beside those of `accounting`.
SUSPENSE = "suspense:received"  # money without a bill
DEMANDS = "demands:received"  # paid on demands that have not taken effect
ORDERED = "refunds:ordered"  # refunds that the bureau has to carry out
PAID_BACK = "refunds:paid_back"  # what went back, for good

INSTALMENTS_MAX = 36  # three years
MONTHS_MAX = 24  # of one run or statement


class Verdict(StrEnum):
    """What became of a receipt."""

    ACCEPTED = "ACCEPTED"
    REPEATED = "REPEATED"
    SUSPENSE = "SUSPENSE"
    REFUSED = "REFUSED"


class SuspenseReason(StrEnum):
    """Why money lies on the suspense account."""

    OVERPAID = "OVERPAID"
    BILL_UNKNOWN = "BILL_UNKNOWN"
    PAYER_UNKNOWN = "PAYER_UNKNOWN"
    PAYER_DIFFERS = "PAYER_DIFFERS"
    PAID_EARLY = "PAID_EARLY"
    PLAN = "PLAN"
    DIFFERENCE = "DIFFERENCE"


class SuspenseState(StrEnum):
    """Where money on the suspense account stands."""

    OPEN = "OPEN"
    MATCHED = "MATCHED"
    RETURNED = "RETURNED"


class DemandKind(StrEnum):
    """What is demanded besides bills."""

    LATE_FEE = "LATE_FEE"
    DIFFERENCE = "DIFFERENCE"


class RefundKind(StrEnum):
    """What is refunded."""

    SUSPENSE = "SUSPENSE"
    WITHHELD = "WITHHELD"


class RefundState(StrEnum):
    """Where a refund stands."""

    PREPARED = "PREPARED"
    ORDERED = "ORDERED"
    REJECTED = "REJECTED"
    CONFIRMED = "CONFIRMED"
    RETURNED = "RETURNED"


class PlanState(StrEnum):
    """Where an instalment plan stands."""

    PREPARED = "PREPARED"
    AGREED = "AGREED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A receipt as the bureau gives it."""

    receipt_no: str
    payer_code: str  # credit code, not yet looked up
    document: str
    amount: Money
    paid_date: date
    simulated: bool
    source: str


@dataclass(frozen=True, slots=True)
class Suspense:
    """Money without a bill."""

    suspense_id: UUID
    receipt_no: str
    employer_id: UUID | None
    reason: SuspenseReason
    amount: Money
    left: Money
    state: SuspenseState
    paid_date: date


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
class Difference:
    """What final limits change on a bill."""

    difference_id: UUID
    bill_id: UUID
    employer_id: UUID
    month: Month
    charges: Mapping[str, Money]
    total: Money
    is_settled: bool

    def of(self, scheme: Scheme) -> Money:
        """What it changes of a scheme."""
        return Money.total(self.charges[name] for name, (one, _) in CHARGES.items() if one is scheme)


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
class Refund:
    """Money that goes back."""

    refund_id: UUID
    kind: RefundKind
    suspense_id: UUID | None
    employer_id: UUID | None
    person_id: UUID | None
    amount: Money
    state: RefundState
    reason: str
    approval_id: UUID
    reference: str
    receipt_no: str


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


def take(left: Money, wanted: Money | None, still_open: Money) -> Money:
    """How much of money on the suspense account goes to a bill.

    Args:
        left: What is left of the money.
        wanted: What the clerk says; None for as much as fits.
        still_open: What is open on the bill.

    Raises:
        InvalidInput: RECEIPT_AMOUNT_INVALID.
        Refused: SUSPENSE_LEFT_LESS with what is left, RECEIPT_EXCEEDS_BILL with what is open.
    """
    amount = min(left, still_open) if wanted is None else wanted
    if wanted is not None and wanted <= Money.ZERO:
        raise InvalidInput("RECEIPT_AMOUNT_INVALID", "more than nothing is matched", field="amount")
    if amount > left:
        raise Refused("SUSPENSE_LEFT_LESS", "less than that is left", field="amount", left=str(left))
    if amount > still_open or amount == Money.ZERO:
        raise Refused("RECEIPT_EXCEEDS_BILL", "less than that is open", field="amount", open=str(still_open))
    return amount


def check_months(first: Month, last: Month) -> None:
    """A period goes forwards and has at most two years.

    Raises:
        InvalidInput: MONTHS_REVERSED.
    """
    if not 0 <= first.months_until(last) < MONTHS_MAX:
        raise InvalidInput("MONTHS_REVERSED", "a period of 1 to 24 months is asked for", field="last_month")


def check_reason(text: str) -> str:
    """Why something is done, as people will read it later.

    Raises:
        InvalidInput: REASON_REQUIRED.
    """
    text = text.strip()
    if not 2 <= len(text) <= 500:  # noqa: PLR2004 - as the contract says
        raise InvalidInput("REASON_REQUIRED", "a reason has 2 to 500 characters", field="reason")
    return text


def suspense_not_found() -> NotFound:
    """No such money."""
    return NotFound("SUSPENSE_NOT_FOUND", "no such money on the suspense account")


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
