"""The delayed statutory age: published rows of each track, and what holds for every birth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.calendar import Month
from kernel.retirement import StatutoryAge, TrackRule, statutory_age

START = Month(2025, 1)
MEN, WOMEN_50 = TrackRule(720, 4, 36), TrackRule(600, 2, 60)
births = st.builds(Month, st.integers(1950, 2000), st.integers(1, 12))


@pytest.mark.parametrize(
    ("birth", "rule", "expected"),
    [
        (Month(1964, 12), MEN, Month(2024, 12)),
        (Month(1965, 1), MEN, Month(2025, 2)),
        (Month(1965, 5), MEN, Month(2025, 7)),
        (Month(1976, 9), MEN, Month(2039, 9)),
        (Month(1990, 1), MEN, Month(2053, 1)),
        (Month(1975, 1), WOMEN_50, Month(2025, 2)),
        (Month(1984, 11), WOMEN_50, Month(2039, 11)),
    ],
)
def test_the_statutory_month_is_the_delayed_one(birth: Month, rule: TrackRule, expected: Month) -> None:
    assert statutory_age(birth, rule, START).month == expected


@given(births, st.sampled_from([MEN, WOMEN_50]))
def test_who_is_born_later_never_retires_earlier(birth: Month, rule: TrackRule) -> None:
    reached, later = statutory_age(birth, rule, START), statutory_age(birth.next, rule, START)
    assert later.month > reached.month
    assert 0 <= reached.delay_months <= rule.max_delay
    assert reached.is_delayed == (reached.delay_months > 0)
    assert reached.original == birth.plus(rule.original_months)


def test_an_age_is_a_value() -> None:
    assert StatutoryAge(Month(2025, 1), 1, is_delayed=True).month == Month(2025, 2)
