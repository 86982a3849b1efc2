"""Interest of the personal account: both methods, the chain, the year of retirement."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.policy import open_policy, release_directory
from kernel.dated import DatedValue
from kernel.dated import given as a_given
from kernel.errors import InvalidInput, PolicyParameterMissing
from kernel.money import Money
from services.enrollment.domain.account import (
    Credits,
    Method,
    account_at_retirement,
    account_year,
    account_years,
    close_year,
    rate_of,
)
from services.enrollment.policy import EnrollmentPolicy

LAW = EnrollmentPolicy(open_policy(release_directory())).account

balances = st.integers(0, 10**9).map(Money)
monthly = st.dictionaries(st.integers(1, 12), st.integers(0, 10**6).map(Money))
rates = st.decimals("0", "0.12", places=4)


def a_rate(text: str | Decimal) -> DatedValue[Decimal]:
    return a_given("rate", Decimal(text), date(2025, 1, 1))


def test_a_year_explains_its_interest() -> None:
    year = account_year(Money.yuan("1000"), Credits(2024, {12: Money.yuan("100")}), rate_of(2024, LAW))

    assert [(line.code, str(line.amount), line.formula) for line in year.statement.lines] == [
        ("opening", "1000.00", "1000.00"),
        ("interest_on_opening", "26.20", "1000.00 × 0.0262 = 26.20"),
        ("contribution", "100.00", "100.00"),
        ("interest_on_new", "0.22", "100.00 × 0.0262 ÷ 12 = 0.22"),
    ]
    assert (str(year.closing), year.provisional) == ("1126.42", False)
    assert year.statement.line("interest_on_new").parameters[0].key == "interest_rate"


def test_a_year_whose_rate_is_not_published_uses_the_latest_and_says_so() -> None:
    year = close_year(Money.yuan("1000"), Credits(2026, {}), LAW)

    assert (str(year.interest_on_opening), year.provisional) == ("15.00", True)


def test_a_year_before_every_published_rate_is_refused() -> None:
    with pytest.raises(PolicyParameterMissing):
        close_year(Money.yuan("1000"), Credits(1995, {}), LAW)


def test_years_must_follow_one_another() -> None:
    with pytest.raises(InvalidInput) as caught:
        account_years(Money.ZERO, [Credits(2022, {}), Credits(2024, {})], LAW)

    assert caught.value.reason == "YEARS_NOT_CONSECUTIVE"


@pytest.mark.parametrize("month", [0, 13])
def test_a_credit_is_booked_in_a_month_of_the_year(month: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        Credits(2024, {month: Money(1)})

    assert caught.value.reason == "CREDIT_MONTH_INVALID"


@pytest.mark.parametrize("months", [-1, 13])
def test_retirement_lies_in_the_year(months: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        account_at_retirement(Money.ZERO, Credits(2025, {}), a_rate("0.015"), months=months)

    assert caught.value.reason == "RETIREMENT_MONTHS_INVALID"


def test_a_credit_booked_after_the_last_month_is_paid_out_without_interest() -> None:
    settled = account_at_retirement(Money.ZERO, Credits(2025, {8: Money.yuan("396.16")}), a_rate("0.0150"), months=7)

    assert (str(settled.interest_on_new), str(settled.closing)) == ("0.00", "396.16")


@given(balances, monthly, rates)
def test_interest_is_never_negative_and_the_lines_add_up(
    opening: Money, booked: dict[int, Money], rate: Decimal
) -> None:
    year = account_year(opening, Credits(2025, booked), a_rate(rate))

    assert year.interest_on_opening >= Money.ZERO
    assert year.interest_on_new >= Money.ZERO
    assert year.closing == opening + year.contribution + year.interest_on_opening + year.interest_on_new


@given(balances, st.lists(monthly, min_size=1, max_size=10))
def test_a_chain_is_one_year_after_the_other(opening: Money, years: list[dict[int, Money]]) -> None:
    booked = [Credits(2016 + place, months) for place, months in enumerate(years)]
    balance = opening
    for credits_ in booked:
        balance = close_year(balance, credits_, LAW).closing

    assert account_years(opening, booked, LAW)[-1].closing == balance


@given(balances, monthly, rates)
def test_retiring_after_twelve_months_is_the_whole_year(
    opening: Money, booked: dict[int, Money], rate: Decimal
) -> None:
    year = Credits(2025, booked)

    assert (
        account_at_retirement(opening, year, a_rate(rate), months=12).closing
        == account_year(opening, year, a_rate(rate)).closing
    )


@given(balances, monthly, rates)
def test_the_methods_differ_as_their_formulas_say(opening: Money, booked: dict[int, Money], rate: Decimal) -> None:
    year = Credits(2025, booked)
    factor = a_given("annual_factor", Decimal("1.083"), date(2025, 1, 1))

    found = account_year(opening, year, a_rate(rate), method=Method.ANNUAL_FACTOR, annual_factor=factor)

    exact = Fraction(rate) * Fraction(1083, 2000) * year.total.fen
    assert abs(found.interest_on_new.fen - exact) <= Fraction(1, 2)
    assert found.interest_on_opening == account_year(opening, year, a_rate(rate)).interest_on_opening
