"""Bills (征缴单) and receipts (到账): what an employer owes for a month and what came in.

Amounts of law come from `domain.contributions`; here is how they are added up, stored by column and explained again.
"""

from collections.abc import Mapping, Sequence
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
    contribute_flexible,
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
POST_SCHEMES = (Scheme.GOVERNMENT_PENSION, Scheme.OCCUPATIONAL_ANNUITY)  # of every government post


class BillKind(StrEnum):
    """What a bill is for."""

    EMPLOYER = "EMPLOYER"  # a month of an employer's employees
    BACK_PAYMENT = "BACK_PAYMENT"  # a month that was missed (补缴), with its late fee
    GOVERNMENT = "GOVERNMENT"  # a month of a government body (机关事业单位)
    FLEXIBLE = "FLEXIBLE"  # a month of a flexible worker (灵活就业), who is the payer


# The amounts of each kind of bill: the columns are the same, what they mean depends on the kind.
PARTS: Mapping[BillKind, Mapping[str, tuple[Scheme, Side]]] = {
    BillKind.EMPLOYER: CHARGES,
    BillKind.BACK_PAYMENT: CHARGES,
    BillKind.GOVERNMENT: {
        "pension_employer": (Scheme.GOVERNMENT_PENSION, Side.EMPLOYER),
        "pension_employee": (Scheme.GOVERNMENT_PENSION, Side.EMPLOYEE),
        "annuity_employer": (Scheme.OCCUPATIONAL_ANNUITY, Side.EMPLOYER),
        "annuity_employee": (Scheme.OCCUPATIONAL_ANNUITY, Side.EMPLOYEE),
        "unemployment_employer": (Scheme.UNEMPLOYMENT, Side.EMPLOYER),
        "unemployment_employee": (Scheme.UNEMPLOYMENT, Side.EMPLOYEE),
        "injury_employer": (Scheme.WORK_INJURY, Side.EMPLOYER),
    },
    BillKind.FLEXIBLE: {"pension_employee": (Scheme.EMPLOYEE_PENSION, Side.FLEXIBLE)},
}


def schemes_of(kind: BillKind) -> tuple[Scheme, ...]:
    """The schemes that can stand on a bill of a kind."""
    return tuple(dict.fromkeys(scheme for scheme, _ in PARTS[kind].values()))


class BillState(StrEnum):
    """Where a bill stands."""

    ISSUED = "ISSUED"
    PART_PAID = "PART_PAID"
    PAID = "PAID"


@dataclass(frozen=True, slots=True)
class Bill:
    """A month's bill of an employer, or of a flexible worker, who then is the payer."""

    bill_id: UUID
    employer_id: UUID | None
    month: Month
    number: int
    state: BillState
    person_count: int
    charges: Mapping[str, Money]  # by name of PARTS of its kind
    total: Money
    paid: Money
    provisional: bool
    assess_date: date
    kind: BillKind = BillKind.EMPLOYER
    payer_id: UUID | None = None
    late_fee: Money = Money.ZERO
    withdrawn: bool = False  # an employment took the place of a month that was not paid

    @property
    def open(self) -> Money:
        """What is still to pay."""
        return self.total - self.paid

    def side(self, scheme: Scheme, side: Side) -> Money:
        """Total of one scheme and side; what a flexible worker pays is the side of the employee."""
        names = PARTS[self.kind].items()
        sides = (side, Side.FLEXIBLE) if side is Side.EMPLOYEE else (side,)
        return Money.total(self.charges[name] for name, (one, of) in names if one is scheme and of in sides)

    def of_scheme(self, scheme: Scheme) -> Money:
        """Total of one scheme, both sides."""
        return self.side(scheme, Side.EMPLOYER) + self.side(scheme, Side.EMPLOYEE)


@dataclass(frozen=True, slots=True)
class BillLine:
    """One person on a bill; of a government body, with the schemes of the post."""

    person_id: UUID
    wage: Money
    base: Money
    schemes: tuple[Scheme, ...] = EMPLOYEE_SCHEMES


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
    kind: BillKind = BillKind.EMPLOYER


def explain(wage: Money, terms: Terms, schemes: Sequence[Scheme] = EMPLOYEE_SCHEMES) -> Statement:
    """The statement of a bill line: every amount with its rate and source."""
    base = determine_base(wage, terms.month, terms.law)
    if terms.kind is BillKind.FLEXIBLE:
        return contribute_flexible(base, terms.law)
    return contribute(base, schemes, terms.law, terms.employer)


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


def past_year_closed(month: Month, *, field: str) -> Refused:
    """A flexible worker does not pay for past years (rule arrears.backpay)."""
    return Refused(
        "PAST_YEAR_CLOSED",
        "flexible workers do not pay for past years",
        field=field,
        source=("MOHRSS-G-2016-5", "MOHRSST-2019-94"),
        month=str(month),
    )


def check_receipt(bill: Bill, amount: Money, paid_date: date, today: date) -> None:
    """A receipt pays at most what is open, on a day that has come.

    Raises:
        InvalidInput: RECEIPT_AMOUNT_INVALID, PAID_DATE_INVALID.
        Refused: RECEIPT_EXCEEDS_BILL with the open amount, PAST_YEAR_CLOSED, BILL_WITHDRAWN.
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
    if bill.withdrawn:
        raise Refused("BILL_WITHDRAWN", "the bill was withdrawn", month=str(bill.month))
    if bill.kind is BillKind.FLEXIBLE and paid_date.year > bill.month.year:
        raise past_year_closed(bill.month, field="paid_date")
    if amount > bill.open:
        raise Refused(
            "RECEIPT_EXCEEDS_BILL", "the receipt is for more than is open", field="amount", open=str(bill.open)
        )
