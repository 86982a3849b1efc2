"""Collection (征收): what comes in without fitting a bill, and what goes back; what is owed is in `arrears`.

Pure values and decisions. Assumed where the law is silent (docs/decisions/0110): money counts from the day on which the
bureau took it, also when it is matched later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from kernel.calendar import Month
from kernel.errors import InvalidInput, NotFound, Refused
from kernel.money import Money
from services.enrollment.billing import CHARGES
from services.enrollment.domain.contributions import Scheme

# Accounts of the ledger beside those of `accounting`.
SUSPENSE = "suspense:received"  # money without a bill
DEMANDS = "demands:received"  # paid on demands that have not taken effect
ORDERED = "refunds:ordered"  # refunds that the bureau has to carry out
PAID_BACK = "refunds:paid_back"  # what went back, for good
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
