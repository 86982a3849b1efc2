"""What a personal account (个人账户) will hold at retirement, for estimates only: enrollment alone settles accounts.

The months to come are assumed to be paid in their own month. Each year earns its published rate or, while that is not
published, the latest one; the year of retirement earns by the month, as a settlement does (月积数法,
劳办发〔1997〕116号).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from kernel.calendar import Month
from kernel.dated import Dated
from kernel.money import Money
from kernel.statement import ParameterUse

_MONTHS = 12


@dataclass(frozen=True, slots=True)
class ProjectionLaw:
    """What the projection needs of the law."""

    interest_rate: Dated[Decimal]
    credit_rate: Dated[Decimal]


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """An account as it is known: the balance at the start of a year and what was booked from then on, by month."""

    opening_year: int
    opening: Money
    booked: Mapping[Month, Money]


def booking_month(year: int, booked: Month) -> Month:
    """The month in which a credit of a year begins to earn: its booking, kept inside the year it belongs to."""
    return min(max(booked, Month(year, 1)), Month(year, _MONTHS))


@dataclass(frozen=True, slots=True)
class Projection:
    """The balance at retirement and the rates it rests on; provisional while one of them is not published."""

    balance: Money
    parameters: tuple[ParameterUse, ...]
    provisional: bool


def project(account: OpenAccount, bases: Mapping[Month, Money], retirement: Month, law: ProjectionLaw) -> Projection:
    """Carry an account forward to a month of retirement.

    Args:
        account: What is known.
        bases: Contribution base of each month that is assumed.
        retirement: The month of retirement, which still earns interest.
        law: Parameters.
    """
    booked = dict(account.booked)
    for month, base in bases.items():
        credit = base.times(law.credit_rate.on(month.first_day).value)
        booked[month] = booked.get(month, Money.ZERO) + credit
    balance, uses = account.opening, []
    for year in range(account.opening_year, retirement.year + 1):
        rate = law.interest_rate.provisionally_on(date(year, 1, 1))
        uses.append(rate.use())
        last = retirement.month if year == retirement.year else _MONTHS
        balance = _close(balance, {month: one for month, one in booked.items() if month.year == year}, rate.value, last)
    return Projection(balance, tuple(uses), any(use.provisional for use in uses))


def _close(opening: Money, booked: Mapping[Month, Money], rate: Decimal, last: int) -> Money:
    """Balance after the months 1 to `last` of a year; a credit of month m earns last − m + 1 months."""
    product = Money(sum(amount.fen * max(0, last - month.month + 1) for month, amount in booked.items()))
    on_opening = opening.times(Fraction(rate) * last / _MONTHS)
    on_new = product.times(Fraction(rate) / _MONTHS)
    return opening + on_opening + Money.total(booked.values()) + on_new
