"""The transition table, pair by pair, the number and the clock: what a case is, without a database."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.logs import REDACTED, clean
from kernel.errors import InvalidInput, Refused
from services.gateway.cases.domain import clock, number
from services.gateway.cases.domain.states import ENDED, OPEN, STUCK_ONLY, TRANSITIONS, Action, State, after, percent
from services.gateway.cases.holidays import Holidays

HOLIDAYS = Holidays()
DAYS = st.dates(date(2025, 1, 1), date(2026, 12, 31))
NUMBERS = st.builds(
    number.make, st.from_regex(r"[1-9][0-9]{5}", fullmatch=True), DAYS, st.integers(1, 4), st.integers(1, 999_999)
)


@pytest.mark.parametrize(("state", "action"), list(itertools.product(State, Action)))
def test_every_pair_of_state_and_action_is_in_the_table_or_refused(state: State, action: Action) -> None:
    if (state, action) in TRANSITIONS:
        assert after(state, action, is_stuck=True) is TRANSITIONS[state, action]
    else:
        with pytest.raises(Refused, match="CASE_STATE_WRONG"):
            after(state, action, is_stuck=True)


@pytest.mark.parametrize(("state", "action"), sorted(STUCK_ONLY))
def test_some_moves_are_for_cases_that_stand_still_only(state: State, action: Action) -> None:
    with pytest.raises(Refused, match="CASE_STATE_WRONG"):
        after(state, action)


def test_nothing_follows_an_end_and_every_state_is_reached() -> None:
    assert not [state for state, _ in TRANSITIONS if state in ENDED]
    assert set(TRANSITIONS.values()) | {State.DRAFT} == set(State)
    assert OPEN | ENDED | {State.DRAFT} == set(State)
    assert all(percent(state) == 100 for state in ENDED)


# Number


def test_the_check_digit_is_that_of_the_standard() -> None:
    assert number.check_digit("0794") == "5"  # the example of ISO 7064


@given(NUMBERS)
def test_a_number_is_read_with_and_without_hyphens(digits: str) -> None:
    assert number.parse(digits) == number.parse(number.show(digits)) == digits
    assert [len(part) for part in number.show(digits).split("-")] == [6, 8, 1, 6, 1]


@given(NUMBERS, st.integers(0, 21), st.integers(1, 9))
def test_one_wrong_digit_shows(digits: str, place: int, by: int) -> None:
    wrong = digits[:place] + str((int(digits[place]) + by) % 10) + digits[place + 1 :]

    with pytest.raises(InvalidInput, match="CASE_NUMBER_INVALID"):
        number.parse(wrong)


@pytest.mark.parametrize("text", ["", "1", "３" * 22, "3206022025112310000174" * 2, "32060220251123100001x4"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="CASE_NUMBER_INVALID"):
        number.parse(text)


@given(NUMBERS)
def test_logs_show_a_number_and_take_it_for_nobodys(digits: str) -> None:
    assert REDACTED not in clean(f"case {number.show(digits)}")


# Clock


@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        (date(2025, 11, 24), 0, date(2025, 11, 24)),
        (date(2025, 11, 24), 5, date(2025, 12, 1)),
        (date(2025, 9, 30), 1, date(2025, 10, 9)),  # 国庆、中秋 until 8 October
        (date(2025, 10, 10), 1, date(2025, 10, 11)),  # a Saturday worked in exchange
        (date(2025, 12, 31), 1, date(2026, 1, 4)),  # 元旦 2026, and a Sunday worked in exchange
        (date(2026, 2, 13), 1, date(2026, 2, 14)),  # the Saturday before 春节 is worked
        (date(2026, 2, 14), 1, date(2026, 2, 24)),
    ],
)
def test_holidays_and_worked_weekends_count_as_published(start: date, days: int, due: date) -> None:
    assert clock.due(clock.started(clock.Clock(), start), days, start, HOLIDAYS) == due


@given(DAYS, st.integers(0, 30))
def test_a_limit_has_exactly_its_working_days(start: date, days: int) -> None:
    due = clock.due(clock.started(clock.Clock(), start), days, start, HOLIDAYS)

    assert due is not None
    assert clock.working_days(HOLIDAYS, start, due) == days


@given(DAYS, st.integers(0, 20), st.integers(0, 20), st.integers(0, 40))
def test_days_on_which_the_clock_stands_are_not_used(start: date, first: int, stand: int, later: int) -> None:
    running = clock.started(clock.Clock(), start)
    stop = start + timedelta(days=first)
    again = stop + timedelta(days=stand)
    end = again + timedelta(days=later)

    stopped = clock.stopped(running, stop, HOLIDAYS)
    resumed = clock.started(stopped, again)

    assert clock.used(stopped, again, HOLIDAYS) == clock.used(running, stop, HOLIDAYS)
    assert clock.used(resumed, end, HOLIDAYS) == clock.working_days(HOLIDAYS, start, stop) + clock.working_days(
        HOLIDAYS, again, end
    )
    before, moved = (clock.due(one, 10, stop, HOLIDAYS) for one in (running, stopped))
    assert before is not None
    assert clock.due(resumed, 10, end, HOLIDAYS) >= before  # type: ignore[operator] # a started clock has a last day
    assert moved == before or first > 10


@given(DAYS, st.integers(-30, 30))
def test_days_are_counted_the_same_way_back(day: date, count: int) -> None:
    there = clock.plus(HOLIDAYS, day, count)

    assert (there - day).days * count >= 0
    assert clock.working_days(HOLIDAYS, min(day, there), max(day, there)) in {
        abs(count),
        abs(count) - 1,
        abs(count) + 1,
    }


def test_a_year_without_notice_is_counted_by_weekends_and_says_so() -> None:
    new_year = date(2031, 1, 1)

    assert HOLIDAYS.is_working(new_year)
    assert clock.is_provisional(HOLIDAYS, date(2026, 12, 1), new_year)
    assert not clock.is_provisional(HOLIDAYS, date(2025, 12, 1), date(2026, 1, 8))


def test_a_clock_that_has_not_started_has_no_last_day() -> None:
    assert clock.due(clock.Clock(), 10, date(2025, 11, 24), HOLIDAYS) is None
