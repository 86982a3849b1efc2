"""Arrears, transfers and overlaps: what paying late, moving away or paying twice costs or returns."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from kernel.calendar import Month
from kernel.dated import Dated, DatedValue
from kernel.errors import InvalidInput
from kernel.money import Money
from kernel.statement import Line, Statement

_MONTHS = 12


@dataclass(frozen=True, slots=True)
class BaseYear:
    """A year of contributions on one monthly base; ``months`` below 12 for a part year."""

    year: int
    monthly_base: Money
    months: int


@dataclass(frozen=True, slots=True)
class OverlapYear:
    """Months of a year insured in two schemes, and the resident payment that goes back for them."""

    year: int
    months: int
    refund: Money


def late_days(due: date, paid: date) -> int:
    """Days of delay: none when paid on the due day or before."""
    return max(0, (paid - due).days)


def late_fee(amount: Money, due: date, paid: date, daily_rate: Dated[Decimal]) -> Line:
    """The late fee (滞纳金): simple, by the day, on the amount in arrears. Source: 社会保险法 art. 86.

    Args:
        amount: What was owed.
        due: Last day on which it could be paid without a fee.
        paid: Day of payment.
        daily_rate: Rate by day; the row in force on the day of payment counts.
    """
    days = late_days(due, paid)
    rate = daily_rate.on(paid)
    fee = amount.times(rate.value * days)
    return Line(
        code="late_fee",
        amount=fee,
        title_zh="滞纳金",
        title_en="Late fee",
        formula=f"{amount} × {rate.value} × {days} = {fee}",
        inputs=(("amount", str(amount)), ("due", str(due)), ("paid", str(paid)), ("days", str(days))),
        sources=rate.source,
        parameters=(rate.use(),),
    )


def transfer_fund(account: Money, years: Iterable[BaseYear], pooled_rate: DatedValue[Decimal]) -> Statement:
    """What moves with a person to another place (转移): the whole account and 12 % of each year's bases since 1998.

    Lines ``account`` and ``pooled``. Source: 国办发〔2009〕66号.

    Raises:
        InvalidInput: TRANSFER_MONTHS_INVALID.
    """
    parts = []
    for year in years:
        if not 0 <= year.months <= _MONTHS:
            raise InvalidInput("TRANSFER_MONTHS_INVALID", "a year has 0 to 12 months", field="years")
        if year.year >= pooled_rate.from_.year:
            parts.append((year, (year.monthly_base * year.months).times(pooled_rate.value)))
    pooled = Money.total(amount for _, amount in parts)
    formula = " + ".join(f"{year.monthly_base} × {year.months} × {pooled_rate.value}" for year, _ in parts) or "0"
    return Statement(
        (
            Line("account", account, "个人账户储存额", "Personal account", str(account), sources=pooled_rate.source),
            Line(
                code="pooled",
                amount=pooled,
                title_zh="统筹基金转移额",
                title_en="Pooled part",
                formula=f"{formula} = {pooled}",
                inputs=tuple((str(year.year), str(amount)) for year, amount in parts),
                sources=pooled_rate.source,
                parameters=(pooled_rate.use(),),
            ),
        )
    )


def overlap(
    employee_ranges: Iterable[tuple[Month, Month]], resident_years: Mapping[int, Money]
) -> tuple[OverlapYear, ...]:
    """Months insured twice count once; the resident payment of those months is refunded (重复参保).

    Every resident year given is listed, ascending, also with no month; overlapping employee ranges are united first.
    Source: 人社部发〔2014〕17号.

    Args:
        employee_ranges: First and last month of each stretch of employee insurance.
        resident_years: Yearly resident payment by year.

    Raises:
        InvalidInput: RANGE_REVERSED.
    """
    insured: set[Month] = set()
    for first, last in employee_ranges:
        if last < first:
            raise InvalidInput("RANGE_REVERSED", "a range ends before it begins", field="employee_ranges")
        insured.update(Month.range(first, last))
    result = []
    for year, payment in sorted(resident_years.items()):
        months = sum(month.year == year for month in insured)
        result.append(OverlapYear(year, months, payment.times(Fraction(months, _MONTHS))))
    return tuple(result)
