"""The personal account (个人账户): yearly interest, the chain of years, the balance at retirement.

Interest on the old balance, interest on the new contributions and the balance of the year's end are each rounded
half-up to the fen; balances chain from year to year. Source: 劳办发〔1997〕116号; rates: 人社部发〔2017〕31号.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from kernel.dated import Dated, DatedValue
from kernel.errors import InvalidInput
from kernel.money import Money
from kernel.statement import Line, ParameterUse, Statement

MONTHS = 12
_SOURCE = ("LB-1997-116",)


class Method(StrEnum):
    """How contributions of the year earn interest."""

    MONTHLY_PRODUCT = "monthly_product"  # 月积数法
    ANNUAL_FACTOR = "annual_factor"  # 年度计算法


@dataclass(frozen=True, slots=True)
class AccountLaw:
    """What the calculation needs of the law."""

    interest_rate: Dated[Decimal]
    method: Dated[Method]
    annual_factor: Dated[Decimal]


@dataclass(frozen=True, slots=True)
class Credits:
    """Contributions credited in one calendar year: amount by the month (1 to 12) in which each was booked."""

    year: int
    monthly: Mapping[int, Money]

    def __post_init__(self) -> None:
        if any(not 1 <= month <= MONTHS for month in self.monthly):
            raise InvalidInput("CREDIT_MONTH_INVALID", "a credit is booked in month 1 to 12", field="monthly")

    @property
    def total(self) -> Money:
        """All credits of the year."""
        return Money.total(self.monthly.values())

    def product(self, last: int) -> int:
        """Sum of fen × months up to month ``last`` (积数): a credit of month m earns last − m + 1 months, or none."""
        return sum(amount.fen * max(0, last - month + 1) for month, amount in self.monthly.items())


@dataclass(frozen=True, slots=True)
class AccountYear:
    """One year of an account; the statement's lines add up to the balance at its end."""

    year: int
    statement: Statement

    @property
    def opening(self) -> Money:
        """Balance brought forward."""
        return self.statement.amount("opening")

    @property
    def contribution(self) -> Money:
        """Contributions credited in the year."""
        return self.statement.amount("contribution")

    @property
    def interest_on_opening(self) -> Money:
        """Interest on the balance brought forward."""
        return self.statement.amount("interest_on_opening")

    @property
    def interest_on_new(self) -> Money:
        """Interest on the contributions of the year."""
        return self.statement.amount("interest_on_new")

    @property
    def closing(self) -> Money:
        """Balance at the end of the year, or at retirement."""
        return self.statement.total

    @property
    def provisional(self) -> bool:
        """Whether the rate of the year was not published yet."""
        return self.statement.provisional


@dataclass(frozen=True, slots=True)
class YearTerms:
    """The law of one account year: what is kept with a closed year, so that it explains itself for ever.

    ``annual_factor`` belongs to the annual-factor method alone.
    """

    year: int
    rate: DatedValue[Decimal]
    method: Method
    annual_factor: DatedValue[Decimal] | None = None

    @property
    def on_opening(self) -> Fraction:
        """For the set form: interest on the balance brought forward is half-up(balance × this)."""
        return Fraction(self.rate.value)

    @property
    def on_new(self) -> Fraction:
        """For the set form: interest on the credits is half-up(their product or, by the factor, their sum × this)."""
        match self.method:
            case Method.MONTHLY_PRODUCT:
                return Fraction(self.rate.value) / MONTHS
            case Method.ANNUAL_FACTOR:
                if self.annual_factor is None:
                    raise TypeError("the annual-factor method needs its factor")
                return Fraction(self.rate.value * self.annual_factor.value / 2)

    @property
    def provisional(self) -> bool:
        """Whether the year will be settled again."""
        return self.rate.provisional or (self.annual_factor is not None and self.annual_factor.provisional)

    def close(self, opening: Money, monthly: Mapping[int, Money]) -> "AccountYear":
        """The year of one account, from its opening and its credits by month of booking."""
        booked = Credits(self.year, monthly)
        return account_year(opening, booked, self.rate, method=self.method, annual_factor=self.annual_factor)


def year_terms(year: int, law: AccountLaw) -> YearTerms:
    """Method and rate that the law has for a year; provisional while the rate is not published.

    Raises:
        PolicyParameterMissing: No rate was ever published up to that year.
    """
    day = _new_year(year)
    method = law.method.on(day).value
    factor = law.annual_factor.on(day) if method is Method.ANNUAL_FACTOR else None
    return YearTerms(year, rate_of(year, law), method, factor)


def rate_of(year: int, law: AccountLaw) -> DatedValue[Decimal]:
    """The rate of a year; while it is not published, the latest published one, provisional.

    Raises:
        PolicyParameterMissing: No rate was ever published up to that year.
    """
    return law.interest_rate.provisionally_on(_new_year(year))


def account_year(
    opening: Money,
    booked: Credits,
    rate: DatedValue[Decimal],
    *,
    method: Method = Method.MONTHLY_PRODUCT,
    annual_factor: DatedValue[Decimal] | None = None,
) -> AccountYear:
    """Close a year of an account.

    Args:
        opening: Balance at the start of the year.
        booked: What was credited, by month of booking.
        rate: The year's credited rate (记账利率), a fraction.
        method: 月积数法 or 年度计算法.
        annual_factor: 1.083, for the annual-factor method.
    """
    on_opening = opening.times(rate.value)
    match method:
        case Method.MONTHLY_PRODUCT:
            on_new, formula = _product_interest(booked, rate.value, MONTHS)
            uses: tuple[ParameterUse, ...] = (rate.use(),)
        case Method.ANNUAL_FACTOR:
            if annual_factor is None:
                raise TypeError("the annual-factor method needs its factor")
            on_new = booked.total.times(rate.value * annual_factor.value / 2)
            formula = f"{booked.total} × {rate.value} × {annual_factor.value} ÷ 2 = {on_new}"
            uses = (rate.use(), annual_factor.use())
    return AccountYear(
        booked.year,
        Statement(
            (
                _opening(opening),
                _interest("interest_on_opening", on_opening, f"{opening} × {rate.value} = {on_opening}", (rate.use(),)),
                _contribution(booked),
                _interest("interest_on_new", on_new, formula, uses),
            )
        ),
    )


def account_years(opening: Money, years: Iterable[Credits], law: AccountLaw) -> tuple[AccountYear, ...]:
    """Close several years in a row, each opening with the balance before, by the law of each year.

    Raises:
        InvalidInput: YEARS_NOT_CONSECUTIVE.
        PolicyParameterMissing: A year before the first published rate.
    """
    closed: list[AccountYear] = []
    for booked in years:
        if closed and booked.year != closed[-1].year + 1:
            raise InvalidInput("YEARS_NOT_CONSECUTIVE", "years of an account follow one another", field="years")
        opening = closed[-1].closing if closed else opening
        closed.append(close_year(opening, booked, law))
    return tuple(closed)


def close_year(opening: Money, booked: Credits, law: AccountLaw) -> AccountYear:
    """Close a year by the method and the rate that the law has for it; provisional while the rate is not published."""
    return year_terms(booked.year, law).close(opening, booked.monthly)


def account_at_retirement(opening: Money, booked: Credits, rate: DatedValue[Decimal], *, months: int) -> AccountYear:
    """Settle an account in the year of retirement (assumed by the platform, see rule ``account.retirement_year``).

    Args:
        opening: Balance at the start of the year.
        booked: What was credited in the year; a credit booked after month ``months`` earns nothing.
        rate: The year's rate; provisional while not published.
        months: Months of the year up to and including the month before the first payment (k), 0 to 12.

    Raises:
        InvalidInput: RETIREMENT_MONTHS_INVALID.
    """
    if not 0 <= months <= MONTHS:
        raise InvalidInput("RETIREMENT_MONTHS_INVALID", "between 0 and 12 months of the year count", field="months")
    on_opening = opening.times(Fraction(rate.value) * months / MONTHS)
    on_new, formula = _product_interest(booked, rate.value, months)
    return AccountYear(
        booked.year,
        Statement(
            (
                _opening(opening),
                _interest(
                    "interest_on_opening",
                    on_opening,
                    f"{opening} × {rate.value} × {months} ÷ 12 = {on_opening}",
                    (rate.use(),),
                ),
                _contribution(booked),
                _interest("interest_on_new", on_new, formula, (rate.use(),)),
            )
        ),
    )


def _product_interest(booked: Credits, rate: Decimal, last: int) -> tuple[Money, str]:
    """P × r ÷ 12 (月积数法)."""
    product = Money(booked.product(last))
    interest = product.times(Fraction(rate) / MONTHS)
    return interest, f"{product} × {rate} ÷ 12 = {interest}"


def _opening(opening: Money) -> Line:
    return Line("opening", opening, "期初余额", "Balance brought forward", str(opening), sources=_SOURCE)


def _contribution(booked: Credits) -> Line:
    items = tuple((f"{booked.year:04d}-{month:02d}", str(amount)) for month, amount in sorted(booked.monthly.items()))
    formula = " + ".join(amount for _, amount in items) or "0"
    return Line(
        "contribution", booked.total, "本年记入", "Credited in the year", formula, inputs=items, sources=_SOURCE
    )


def _interest(code: str, amount: Money, formula: str, uses: tuple[ParameterUse, ...]) -> Line:
    zh, en = {
        "interest_on_opening": ("期初余额利息", "Interest on the balance brought forward"),
        "interest_on_new": ("本年记入利息", "Interest on the credits of the year"),
    }[code]
    return Line(
        code=code,
        amount=amount,
        title_zh=zh,
        title_en=en,
        formula=formula,
        sources=tuple(dict.fromkeys((*_SOURCE, *(source for use in uses for source in use.sources)))),
        parameters=uses,
        provisional=any(use.provisional for use in uses),
    )


def _new_year(year: int) -> date:
    return date(year, 1, 1)
