"""Bills (征缴单) and receipts (到账): what an employer owes for a month and what came in.

Amounts of law come from `domain.contributions`; here is how they are added up, stored by column and explained again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from kernel.calendar import Month
from kernel.errors import InvalidInput, Refused
from kernel.money import Money
from kernel.statement import Statement
from services.enrollment.domain.contributions import (
    ContributionLaw,
    EmployerTerms,
    Scheme,
    Side,
    contribute,
    credit_account,
    determine_base,
)

# The amounts of a bill line in the order in which they are stored; `<name>_fen` is the column.
CHARGES: Mapping[str, tuple[Scheme, Side]] = {
    "pension_employer": (Scheme.EMPLOYEE_PENSION, Side.EMPLOYER),
    "pension_employee": (Scheme.EMPLOYEE_PENSION, Side.EMPLOYEE),
    "unemployment_employer": (Scheme.UNEMPLOYMENT, Side.EMPLOYER),
    "unemployment_employee": (Scheme.UNEMPLOYMENT, Side.EMPLOYEE),
    "injury_employer": (Scheme.WORK_INJURY, Side.EMPLOYER),
}
EMPLOYEE_SCHEMES = (Scheme.EMPLOYEE_PENSION, Scheme.UNEMPLOYMENT, Scheme.WORK_INJURY)


class BillState(StrEnum):
    """Where a bill stands."""

    ISSUED = "ISSUED"
    PART_PAID = "PART_PAID"
    PAID = "PAID"


@dataclass(frozen=True, slots=True)
class Bill:
    """A month's bill of an employer."""

    bill_id: UUID
    employer_id: UUID
    month: Month
    number: int
    state: BillState
    person_count: int
    charges: Mapping[str, Money]  # by name of CHARGES
    total: Money
    paid: Money
    provisional: bool
    assess_date: date

    @property
    def open(self) -> Money:
        """What is still to pay."""
        return self.total - self.paid

    def side(self, scheme: Scheme, side: Side) -> Money:
        """Total of one scheme and side."""
        return Money.total(self.charges[name] for name, charge in CHARGES.items() if charge == (scheme, side))


@dataclass(frozen=True, slots=True)
class BillLine:
    """One person on a bill."""

    person_id: UUID
    wage: Money
    base: Money


@dataclass(frozen=True, slots=True)
class Receipt:
    """Money received by the tax bureau for a bill."""

    receipt_id: UUID
    receipt_no: str
    bill_id: UUID
    amount: Money
    paid_date: date
    simulated: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """The law and the employer's class as they were when a bill was assessed."""

    month: Month
    law: ContributionLaw
    employer: EmployerTerms


def explain(wage: Money, terms: Terms) -> Statement:
    """The statement of a bill line: every amount with its rate and source."""
    base = determine_base(wage, terms.month, terms.law)
    return contribute(base, EMPLOYEE_SCHEMES, terms.law, terms.employer)


def account_share(wage: Money, terms: Terms) -> Money:
    """What a paid line adds to the personal account."""
    return credit_account(determine_base(wage, terms.month, terms.law), terms.law).amount


def state_after(total: Money, paid: Money) -> BillState:
    """The state of a bill by what was paid."""
    if paid == total:
        return BillState.PAID
    return BillState.PART_PAID if paid > Money.ZERO else BillState.ISSUED


def check_month_started(month: Month, today: date) -> None:
    """A month is billed when it has begun.

    Raises:
        Refused: MONTH_NOT_STARTED.
    """
    if month > Month.of(today):
        raise Refused("MONTH_NOT_STARTED", "the month has not begun", field="month", month=str(month))


def check_receipt(bill: Bill, amount: Money, paid_date: date, today: date) -> None:
    """A receipt pays at most what is open, on a day that has come.

    Raises:
        InvalidInput: RECEIPT_AMOUNT_INVALID, PAID_DATE_INVALID.
        Refused: RECEIPT_EXCEEDS_BILL with the open amount.
    """
    if amount <= Money.ZERO:
        raise InvalidInput("RECEIPT_AMOUNT_INVALID", "a receipt is for more than nothing", field="amount")
    if paid_date > today or Month.of(paid_date) < bill.month:
        raise InvalidInput(
            "PAID_DATE_INVALID",
            "money is received from the bill's month on and not in the future",
            field="paid_date",
            earliest=str(bill.month.first_day),
            latest=str(today),
        )
    if amount > bill.open:
        raise Refused(
            "RECEIPT_EXCEEDS_BILL", "the receipt is for more than is open", field="amount", open=str(bill.open)
        )
