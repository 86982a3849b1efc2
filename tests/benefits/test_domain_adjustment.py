"""The annual adjustment: its items, its bands, and that it never lowers a pension."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.policy import open_policy, release_directory
from kernel.calendar import Month
from kernel.dated import DatedValue
from kernel.dated import given as a_given
from kernel.errors import InvalidInput, PolicyParameterMissing, Refused
from kernel.money import Money
from services.benefits.domain.adjustment import (
    AdjustmentFacts,
    Amounts,
    TiltBand,
    YearBand,
    adjust,
    age_for,
    demo_amounts,
    full_years,
    require_retired,
    years_amount,
)
from services.benefits.policy import BenefitsPolicy

LAW = BenefitsPolicy(open_policy(release_directory())).adjustment
DEMO = demo_amounts(LAW, 2025)

pensions = st.integers(0, 10**7).map(Money)
years = st.integers(0, 60)
ages = st.integers(40, 110)


def facts(*, pension: str = "3500.00", years: int = 32, age: int = 76) -> AdjustmentFacts:
    return AdjustmentFacts(Money.yuan(pension), years, age)


def amounts(**changed: object) -> DatedValue[Amounts]:
    return a_given("amounts", replace(DEMO.value, **changed), date(2025, 1, 1))  # type: ignore[arg-type]  # fields of Amounts


def test_every_item_is_a_line_with_its_numbers_and_its_row_of_law() -> None:
    adjusted = adjust(facts(pension="3500.01"), DEMO)

    assert [(line.code, str(line.amount), line.formula) for line in adjusted.statement.lines] == [
        ("pension", "3500.01", "3500.01"),
        ("flat", "20.00", "20.00"),
        ("years", "40.50", "15 × 1.0 + 17 × 1.5 = 40.50"),
        ("percent", "31.50", "3500.01 × 0.009 = 31.50"),
        ("tilt", "25.00", "75–79: 25.00"),
        ("rounding", "0.09", "3617.01 → 3617.10"),
    ]
    assert (str(adjusted.increase), str(adjusted.new_pension)) == ("117.00", "3617.10")
    uses = {line.code: [use.value for use in line.parameters] for line in adjusted.statement.lines}
    assert uses["years"] == ["≤15: 1.0, ≤∞: 1.5"]
    assert uses["tilt"] == ["70–74: 15.00, 75–79: 25.00, 80+: 40.00"]
    assert adjusted.statement.assumed


def test_a_year_whose_amounts_nobody_knows_is_refused_by_name() -> None:
    for year in (2020, 2025):
        with pytest.raises(PolicyParameterMissing) as caught:
            LAW.of_year(year)

        assert caught.value.metadata == {
            "file": "pension-employee.yaml",
            "key": "annual_adjustment.jiangsu_amounts",
            "on": f"{year}-01-01",
        }


@pytest.mark.parametrize(("count", "brings"), [(0, "0.00"), (1, "1.00"), (15, "15.00"), (16, "16.50"), (40, "52.50")])
def test_bands_of_years_are_marginal(count: int, brings: str) -> None:
    assert str(years_amount(count, DEMO.value.per_year)) == brings


def test_years_beyond_the_last_closed_band_bring_nothing_more() -> None:
    bands = (YearBand(10, Decimal("1.005")), YearBand(20, Decimal(2)))

    assert str(years_amount(33, bands)) == "30.05"
    assert str(years_amount(1, bands)) == "1.01"  # rounded once, half-up


@pytest.mark.parametrize(("age", "extra"), [(69, "0.00"), (70, "15.00"), (74, "15.00"), (75, "25.00"), (80, "40.00")])
def test_the_limits_of_age_are_included(age: int, extra: str) -> None:
    assert str(adjust(facts(age=age), DEMO).item("tilt")) == extra


def test_least_amounts_of_the_years_and_of_the_whole() -> None:
    law = amounts(per_year_minimum=Money.yuan("15"), increase_minimum=Money.yuan("80"))

    adjusted = adjust(facts(pension="1000.00", years=8, age=61), law)

    assert [(line.code, str(line.amount)) for line in adjusted.statement.lines] == [
        ("pension", "1000.00"),
        ("flat", "20.00"),
        ("years", "15.00"),
        ("percent", "9.00"),
        ("floor", "36.00"),
    ]
    assert str(adjusted.increase) == "80.00"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"flat": Money(-1)}, "ADJUSTMENT_AMOUNT_NEGATIVE"),
        ({"percent": Decimal("-0.01")}, "ADJUSTMENT_AMOUNT_NEGATIVE"),
        ({"per_year": (YearBand(None, Decimal(1)), YearBand(15, Decimal(1)))}, "ADJUSTMENT_BANDS_INVALID"),
        ({"per_year": (YearBand(15, Decimal(1)), YearBand(15, Decimal(2)))}, "ADJUSTMENT_BANDS_INVALID"),
        ({"tilt": (TiltBand(70, 80, Money(1)), TiltBand(80, None, Money(2)))}, "ADJUSTMENT_TILT_INVALID"),
        ({"tilt": (TiltBand(70, None, Money(1)), TiltBand(80, None, Money(2)))}, "ADJUSTMENT_TILT_INVALID"),
        ({"tilt": (TiltBand(70, 69, Money(1)),)}, "ADJUSTMENT_TILT_INVALID"),
    ],
)
def test_amounts_that_make_no_sense_are_refused(changed: dict[str, object], reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        amounts(**changed)

    assert caught.value.reason == reason


@pytest.mark.parametrize("wrong", [{"pension": "-0.01"}, {"years": -1}, {"age": -1}])
def test_impossible_facts_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        facts(**wrong)  # type: ignore[arg-type]  # one of the arguments, whichever


def test_the_age_is_that_of_the_last_day_of_the_year_before() -> None:
    assert age_for(Month(1955, 12), 2026) == 70
    assert age_for(Month(1956, 1), 2026) == 69
    assert full_years(191) == 15


def test_who_retired_in_the_year_itself_is_not_adjusted() -> None:
    require_retired(Month(2025, 12), 2026)
    with pytest.raises(Refused) as caught:
        require_retired(Month(2026, 1), 2026)

    assert caught.value.metadata == {"retirement": "2026-01", "year": "2026"}


@given(pensions, years, ages)
def test_the_total_is_the_sum_of_the_lines_and_never_below_the_pension_before(
    pension: Money, count: int, age: int
) -> None:
    adjusted = adjust(AdjustmentFacts(pension, count, age), DEMO)

    assert adjusted.new_pension == Money.total(line.amount for line in adjusted.statement.lines)
    assert adjusted.new_pension >= pension + adjusted.increase
    assert adjusted.increase >= Money.yuan("20")
    assert adjusted.new_pension.fen % 10 == 0


@given(pensions, years, ages, st.integers(0, 30), st.integers(0, 10**6))
def test_more_years_or_a_higher_pension_never_gain_less(
    pension: Money, count: int, age: int, more: int, higher: int
) -> None:
    here = adjust(AdjustmentFacts(pension, count, age), DEMO)

    assert adjust(AdjustmentFacts(pension, count + more, age), DEMO).increase >= here.increase
    assert adjust(AdjustmentFacts(pension + Money(higher), count, age), DEMO).increase >= here.increase
