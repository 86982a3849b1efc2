"""The contribution history: what is stored by year reads as months, and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kernel.calendar import Month
from kernel.money import Money
from services.benefits.history import EMPTY_YEAR, ContributionMonth, History, Standing
from tests.benefits.builders import month

MONTHS = st.builds(Month, st.integers(1990, 2030), st.integers(1, 12))
HISTORIES = st.dictionaries(MONTHS, st.tuples(st.integers(0, 10**7), st.sampled_from(list(Standing))), max_size=40).map(
    lambda known: History(
        tuple(ContributionMonth(one, Money(fen), standing) for one, (fen, standing) in sorted(known.items()))
    )
)


def paid(first: str, last: str, base: str = "6000") -> History:
    return History().extended(month(first), month(last), Money.yuan(base))


@given(HISTORIES)
def test_a_history_survives_being_stored(history: History) -> None:
    assert History.from_plain(history.to_plain()) == history


@given(HISTORIES, MONTHS)
def test_before_and_after_a_month_are_all_of_it(history: History, border: Month) -> None:
    assert (*history.until(border).months, *history.after(border).months) == history.months


@given(HISTORIES, MONTHS, st.integers(0, 60))
def test_assuming_months_fills_gaps_and_touches_nothing_that_counts(history: History, first: Month, more: int) -> None:
    extended = history.extended(first, first.plus(more), Money(1))

    counted = {one.month: one for one in extended.counted.months}
    assert all(counted[one.month] == one for one in history.counted.months)
    assert all(one in counted for one in Month.range(first, first.plus(more)))
    assert list(extended.months) == sorted(extended.months, key=lambda one: one.month)


def test_a_month_of_a_year_is_replaced_in_its_place() -> None:
    year = EMPTY_YEAR.with_month(1, Money(5), Standing.PAID).with_month(12, Money(7), Standing.DEEMED)
    year = year.with_month(1, Money(6), Standing.UNPAID)

    assert year.states == "U..........D"
    assert year.bases_fen == (6, *[0] * 10, 7)


def test_the_last_base_is_that_of_the_last_paid_month() -> None:
    history = paid("2025-01", "2025-03", "5000").extended(month("2025-04"), month("2025-04"), Money.yuan("7000"))
    unpaid = ContributionMonth(month("2025-05"), Money.yuan("9000"), Standing.UNPAID)

    assert History((*history.months, unpaid)).last_base == Money.yuan("7000")
    assert History((unpaid,)).last_base is None
    assert History().last_month is None
