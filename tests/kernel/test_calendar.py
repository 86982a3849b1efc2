"""Days and months: one parser, Shanghai days, months that count."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.calendar import Month, add_months, parse_date, shanghai_day
from kernel.errors import InvalidInput

months = st.builds(Month, st.integers(1900, 2200), st.integers(1, 12))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-02-30", "DATE_IMPOSSIBLE"),
        ("0000-01-01", "DATE_IMPOSSIBLE"),
        ("2026-13-01", "DATE_IMPOSSIBLE"),
        ("20260228", "DATE_MALFORMED"),
        ("2026-2-8", "DATE_MALFORMED"),
        ("10000-01-01", "DATE_MALFORMED"),
        ("2026-02-28\n", "DATE_MALFORMED"),
        ("２０２６-02-28", "DATE_MALFORMED"),
        ("2026-02-28T00:00", "DATE_MALFORMED"),
        ("", "DATE_MALFORMED"),
    ],
)
def test_a_wrong_day_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_date(text)

    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [("2025-00", "MONTH_IMPOSSIBLE"), ("2025-13", "MONTH_IMPOSSIBLE"), ("2025-1", "MONTH_MALFORMED"),
     ("2025-01-01", "MONTH_MALFORMED"), ("٢٠٢٥-01", "MONTH_MALFORMED")],
)  # fmt: skip
def test_a_wrong_month_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Month.parse(text)

    assert caught.value.reason == reason


def test_a_day_of_the_law_is_a_day_in_shanghai() -> None:
    assert shanghai_day(datetime(2025, 12, 31, 15, 59, 59, tzinfo=UTC)) == date(2025, 12, 31)
    assert shanghai_day(datetime(2025, 12, 31, 16, 0, tzinfo=UTC)) == date(2026, 1, 1)


def test_an_instant_without_a_zone_has_no_day() -> None:
    with pytest.raises(ValueError, match="zone"):
        shanghai_day(datetime(2025, 12, 31))  # noqa: DTZ001 - the mistake under test


def test_months_are_added_to_a_day_up_to_the_end_of_the_month() -> None:
    assert add_months(date(2024, 1, 31), 1) == date(2024, 2, 29)
    assert add_months(date(2024, 2, 29), 12) == date(2025, 2, 28)
    assert add_months(date(2025, 3, 15), -3) == date(2024, 12, 15)


def test_a_month_knows_its_days() -> None:
    assert (Month(2024, 2).first_day, Month(2024, 2).last_day) == (date(2024, 2, 1), date(2024, 2, 29))


def test_a_range_includes_both_ends_and_may_be_empty() -> None:
    assert [str(month) for month in Month.range(Month(2023, 11), Month(2024, 2))] == [
        "2023-11", "2023-12", "2024-01", "2024-02",
    ]  # fmt: skip
    assert list(Month.range(Month(2024, 2), Month(2024, 1))) == []


@given(months, st.integers(-600, 600))
def test_going_and_counting_agree(month: Month, count: int) -> None:
    there = month.plus(count)

    assert month.months_until(there) == count
    assert there.plus(-count) == month
    assert (there > month) == (count > 0)


@given(months)
def test_text_and_back_is_the_same_month(month: Month) -> None:
    assert Month.parse(str(month)) == month
    assert Month.of(month.last_day) == month
    assert month.next.previous == month
