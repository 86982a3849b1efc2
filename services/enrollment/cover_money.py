"""Money beside the bills of employers: residents' years, months paid twice, back payments, accounts of other schemes.

Pure values and decisions; amounts of law are in `domain`. Sources: 国发〔2014〕8号 (residents),
人社部发〔2014〕17号 (overlaps).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from kernel.calendar import Month
from kernel.dated import DatedValue
from kernel.errors import InvalidInput, Refused
from kernel.money import Money
from kernel.statement import Statement
from services.enrollment.billing import Bill
from services.enrollment.cover import CoverKind
from services.enrollment.domain.account import YearTerms
from services.enrollment.domain.contributions import Scheme

BACK_MONTHS_MAX = 240  # one bill for each month, all in one answer
_DOCUMENT_REF = re.compile(r"[\w〔〕()（）\[\]-]{4,60}")


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
