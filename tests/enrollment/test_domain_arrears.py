"""Late fees, transfers and overlaps."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.policy import open_policy, release_directory
from kernel.calendar import Month
from kernel.errors import InvalidInput, PolicyParameterMissing
from kernel.money import Money
from services.enrollment.domain.arrears import BaseYear, late_fee, overlap, transfer_fund
from services.enrollment.policy import EnrollmentPolicy

POLICY = EnrollmentPolicy(open_policy(release_directory()))
DUE = date(2025, 3, 31)


@pytest.mark.parametrize(("days", "fee"), [(-5, "0.00"), (0, "0.00"), (1, "0.59"), (50, "29.71")])
def test_a_late_fee_counts_days_after_the_due_day(days: int, fee: str) -> None:
    line = late_fee(Money.yuan("1188.48"), DUE, DUE + timedelta(days=days), POLICY.late_fee_daily)

    assert str(line.amount) == fee


def test_there_was_no_late_fee_of_this_law_before_it() -> None:
    with pytest.raises(PolicyParameterMissing):
        late_fee(Money.yuan("100"), date(2011, 1, 1), date(2011, 6, 30), POLICY.late_fee_daily)


def test_years_before_1998_move_with_the_account_only() -> None:
    rate = POLICY.transfer_pooled_rate.on(date(2025, 1, 1))
    years = [BaseYear(1997, Money.yuan("500"), 12), BaseYear(1998, Money.yuan("500"), 12)]

    fund = transfer_fund(Money.yuan("100"), years, rate)

    assert (str(fund.amount("pooled")), str(fund.total)) == ("720.00", "820.00")


def test_a_year_has_twelve_months_at_most() -> None:
    rate = POLICY.transfer_pooled_rate.on(date(2025, 1, 1))

    with pytest.raises(InvalidInput):
        transfer_fund(Money.ZERO, [BaseYear(2020, Money(1), 13)], rate)


def test_a_reversed_range_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        overlap([(Month(2024, 3), Month(2024, 2))], {2024: Money(1)})

    assert caught.value.reason == "RANGE_REVERSED"


@given(st.integers(1, 12), st.integers(0, 24), st.integers(0, 10**6).map(Money))
def test_a_refund_never_exceeds_what_was_paid(first: int, length: int, payment: Money) -> None:
    start = Month(2023, first)

    years = overlap([(start, start.plus(length))], {2023: payment, 2024: payment})

    assert sum(year.months for year in years) <= length + 1
    assert all(Money.ZERO <= year.refund <= payment for year in years)
