"""Retirement ages: the whole published table, the window, the payout months, and what must always hold."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from chassis.policy import open_policy, release_directory
from kernel.calendar import Month
from kernel.errors import PolicyParameterMissing, Refused
from services.benefits.domain.retirement import (
    Track,
    choose,
    disability_months,
    payout_months,
    require,
    retire,
    retire_from_special_work,
)
from services.benefits.policy import BenefitsPolicy

LAW = BenefitsPolicy(open_policy(release_directory())).retirement
HERE = Path(__file__).parent
TABLE: dict[str, Any] = yaml.safe_load((HERE / "retirement-age-table.yaml").read_text(encoding="utf-8"))
PAYOUT: dict[str, Any] = yaml.safe_load((HERE / "payout-months-table.yaml").read_text(encoding="utf-8"))
NOW = Month(2026, 1)

births = st.builds(Month, st.integers(1930, 2020), st.integers(1, 12))
tracks = st.sampled_from(Track)


@pytest.mark.parametrize("track", Track)
def test_the_formula_gives_every_row_of_the_published_table(track: Track) -> None:
    rows = TABLE[track.value]

    for birth, delay, statutory, years, months, payout in rows:
        person = retire(track, Month.parse(birth), LAW)
        found = (person.delay_months, str(person.statutory), divmod(person.age_months, 12))
        assert found == (delay, statutory, (years, months)), birth
        assert str(person.payout_months.value) == payout, birth
    assert len(rows) > 100


@pytest.mark.parametrize(
    ("track", "birth", "delay", "statutory"),
    [
        (Track.MALE_60, "1964-12", 0, "2024-12"),
        (Track.MALE_60, "1965-01", 1, "2025-02"),
        (Track.MALE_60, "1965-04", 1, "2025-05"),
        (Track.MALE_60, "1965-05", 2, "2025-07"),
        (Track.MALE_60, "1965-12", 3, "2026-03"),
        (Track.MALE_60, "1976-08", 35, "2039-07"),
        (Track.MALE_60, "1976-09", 36, "2039-09"),
        (Track.MALE_60, "1976-12", 36, "2039-12"),
        (Track.FEMALE_55, "1970-01", 1, "2025-02"),
        (Track.FEMALE_55, "1971-04", 4, "2026-08"),
        (Track.FEMALE_55, "1981-12", 36, "2039-12"),
        (Track.FEMALE_50, "1975-01", 1, "2025-02"),
        (Track.FEMALE_50, "1975-02", 1, "2025-03"),
        (Track.FEMALE_50, "1975-03", 2, "2025-05"),
        (Track.FEMALE_50, "1984-10", 59, "2039-09"),
        (Track.FEMALE_50, "1984-11", 60, "2039-11"),
        (Track.FEMALE_50, "1984-12", 60, "2039-12"),
    ],
)
def test_the_rows_printed_in_the_annex_hold(track: Track, birth: str, delay: int, statutory: str) -> None:
    person = retire(track, Month.parse(birth), LAW)

    assert (person.delay_months, str(person.statutory)) == (delay, statutory)


def test_the_payout_months_are_those_of_the_award_tables() -> None:
    for years, columns in PAYOUT["rows"].items():
        for months, expected in enumerate(columns):
            assert str(payout_months(years * 12 + months, NOW, LAW.payout).value) == expected
    assert str(payout_months(75 * 12 + 3, NOW, LAW.payout).value) == "56"


def test_before_2025_the_whole_age_counted() -> None:
    assert str(payout_months(60 * 12 + 3, Month(2024, 12), LAW.payout).value) == "139"
    assert str(payout_months(60 * 12 + 3, Month(2025, 1), LAW.payout).value) == "137.3"


def test_an_age_below_the_table_is_refused() -> None:
    with pytest.raises(PolicyParameterMissing) as caught:
        payout_months(39 * 12, NOW, LAW.payout)

    assert caught.value.metadata["key"] == "whole_year[39]"


def test_payout_months_say_how_sure_they_are() -> None:
    whole, between = payout_months(60 * 12, NOW, LAW.payout), payout_months(60 * 12 + 4, NOW, LAW.payout)

    assert (whole.confidence, whole.key) == ("certain", "whole_year[60]")
    assert (between.confidence, between.key, str(between.value)) == ("likely", "whole_year[60y4m]", "136.7")


@pytest.mark.parametrize(
    ("year", "months"), [(2029, 180), (2030, 186), (2031, 192), (2038, 234), (2039, 240), (2050, 240)]
)
def test_the_minimum_rises_by_six_months_a_year(year: int, months: int) -> None:
    assert LAW.minimum_months.on(date(year, 1, 1)).value == months


def test_special_work_of_men_follows_the_award_and_that_of_women_is_not_known() -> None:
    person = retire_from_special_work("male", Month(1970, 11), LAW)

    assert (str(person.statutory), person.age, str(person.payout_months.value)) == ("2026-02", "55y3m", "168.5")
    assert (person.flexible, person.earliest, person.latest) == (False, person.statutory, person.statutory)
    assert [use.key for use in person.parameters[:2]] == ["special_work.original_months", "special_work.delay.male"]
    with pytest.raises(PolicyParameterMissing) as caught:
        retire_from_special_work("female", Month(1980, 11), LAW)
    assert caught.value.metadata["key"] == "special_work.delay.female"


def test_every_failed_condition_of_a_choice_is_named() -> None:
    person = retire(Track.MALE_60, Month(1970, 6), LAW)

    choice = choose(person, person.earliest.previous, 100, LAW)

    assert choice.reasons == ("TOO_EARLY", "CONTRIBUTION_SHORT")
    assert choice.payout_months is None
    with pytest.raises(Refused) as caught:
        require(person, choice)
    assert caught.value.reason == "TOO_EARLY"
    assert caught.value.metadata["earliest"] == str(person.earliest)


def test_an_allowed_choice_is_not_refused() -> None:
    person = retire(Track.FEMALE_50, Month(1984, 12), LAW)

    for chosen in (person.earliest, person.statutory, person.latest):
        require(person, choose(person, chosen, 240, LAW))


@pytest.mark.parametrize(("paid", "months"), [(0, 12), (60, 12), (61, 15), (72, 15), (73, 18), (97, 24)])
def test_a_started_year_counts_for_the_disability_allowance(paid: int, months: int) -> None:
    assert disability_months(paid, LAW, NOW).value == months


@given(tracks, births)
def test_whoever_is_born_later_never_retires_earlier(track: Track, birth: Month) -> None:
    one, next_one = retire(track, birth, LAW), retire(track, birth.next, LAW)

    assert one.statutory < next_one.statutory
    assert one.delay_months <= next_one.delay_months


@given(tracks, births)
def test_the_window_holds_the_statutory_month(track: Track, birth: Month) -> None:
    person = retire(track, birth, LAW)

    assert person.original <= person.earliest <= person.statutory <= person.latest
    assert person.statutory.months_until(person.latest) in {0, 36}
    assert 0 <= person.delay_months <= (60 if track is Track.FEMALE_50 else 36)


@given(tracks, births, st.integers(-60, 60), st.integers(0, 480))
def test_a_choice_is_allowed_exactly_inside_the_window_with_enough_months(
    track: Track, birth: Month, shift: int, months: int
) -> None:
    person = retire(track, birth, LAW)
    chosen = person.statutory.plus(shift)

    choice = choose(person, chosen, months, LAW)

    inside = person.flexible and person.earliest <= chosen <= person.latest
    assert choice.allowed == (inside and months >= choice.required_months)


@given(st.integers(40 * 12, 75 * 12))
def test_an_older_person_never_gets_more_payout_months(age: int) -> None:
    assert payout_months(age, NOW, LAW.payout).value >= payout_months(age + 1, NOW, LAW.payout).value
