"""The resident pension: its items, who draws it, and what refuses because nobody knows it."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.policy import open_policy, release_directory
from kernel.calendar import Month
from kernel.dated import given as a_given
from kernel.errors import InvalidInput, PolicyParameterMissing
from kernel.money import Money
from services.benefits.domain.resident import ResidentFacts, ResidentRules, assess, at_death, calculate
from services.benefits.policy import BenefitsPolicy

LAW = BenefitsPolicy(open_policy(release_directory())).resident
MAY_2020 = Month(2020, 5)


def rules(*, tilt: str | None = None, base: str = "253") -> ResidentRules:
    known = LAW.rules("city", MAY_2020, age_years=60)
    row = None if tilt is None else a_given("tilt", Money.yuan(tilt), MAY_2020.first_day)
    return replace(known, tilt=row, base=a_given("base", Money.yuan(base), MAY_2020.first_day))


def test_every_item_is_a_line_with_its_numbers() -> None:
    pension = calculate(ResidentFacts(Money.yuan("20850.00"), 18), rules(tilt="10"))

    assert [(line.code, str(line.amount), line.formula) for line in pension.statement.lines] == [
        ("base", "253.00", "253.00"),
        ("account", "150.00", "20850.00 ÷ 139 = 150.00"),
        ("supplement", "7.59", "253.00 × 0.01 × 3 = 7.59"),
        ("tilt", "10.00", "10.00"),
    ]
    assert str(pension.monthly_total) == "420.59"
    assert pension.statement.assumed  # the long-contribution part is a working assumption


def test_the_area_decides_the_base() -> None:
    facts = ResidentFacts(Money.ZERO, 15)

    totals = [
        str(calculate(facts, LAW.rules(area, MAY_2020, age_years=60)).monthly_total) for area in ("city", "county")
    ]

    assert totals == ["253.00", "170.00"]


def test_a_base_below_the_national_minimum_is_raised_to_it() -> None:
    pension = calculate(ResidentFacts(Money.ZERO, 16), rules(base="80"))

    assert [(line.code, str(line.amount)) for line in pension.statement.lines] == [
        ("base", "80.00"),
        ("minimum", "8.00"),
        ("account", "0.00"),
        ("supplement", "0.88"),
    ]


@pytest.mark.parametrize(
    ("area", "month", "age", "key"),
    [
        ("city", Month(2021, 1), 60, "base_pension.nantong.city"),
        ("county", Month(2026, 1), 60, "base_pension.nantong.county"),
        ("county_style", MAY_2020, 60, "base_pension.nantong.county_style"),
        ("city", MAY_2020, 65, "age_tilt.amount"),
    ],
)
def test_what_nobody_published_refuses_by_name(area: str, month: Month, age: int, key: str) -> None:
    with pytest.raises(PolicyParameterMissing) as caught:
        LAW.rules(area, month, age_years=age)

    assert caught.value.metadata == {"file": "pension-resident.yaml", "key": key, "on": str(month.first_day)}


@pytest.mark.parametrize(
    ("month", "years", "was_60", "failures"),
    [
        (Month(2020, 6), 15, False, ()),
        (Month(2020, 5), 15, False, ("AGE",)),  # turns 60 in this month
        (Month(2020, 6), 14, False, ("YEARS_SHORT",)),
        (Month(2020, 5), 14, False, ("AGE", "YEARS_SHORT")),
        (Month(2020, 6), 0, True, ()),
    ],
)
def test_the_pension_begins_the_month_after_sixty_with_fifteen_years(
    *, month: Month, years: int, was_60: bool, failures: tuple[str, ...]
) -> None:
    facts = ResidentFacts(Money.ZERO, years, was_60)

    found = assess(Month(1960, 5), month, facts, LAW.eligibility.on(month.first_day))

    assert found.failures == failures
    assert found.eligible == (not failures)
    assert found.first_month == Month(2020, 6)
    assert found.missing_years == (1 if "YEARS_SHORT" in failures else 0)


def test_a_death_passes_on_the_account_and_asks_for_an_aid_nobody_knows() -> None:
    with pytest.raises(PolicyParameterMissing):
        LAW.funeral_aid.on(date(2025, 1, 1))

    statement = at_death(Money.yuan("1234.56"), a_given("aid", Money.yuan("500"), date(2025, 1, 1)))

    assert [(line.code, str(line.amount)) for line in statement.lines] == [
        ("inherited", "1234.56"),
        ("funeral", "500.00"),
    ]


@pytest.mark.parametrize(("balance", "years"), [(Money(-1), 15), (Money(1), -1)])
def test_impossible_facts_are_refused(balance: Money, years: int) -> None:
    with pytest.raises(InvalidInput):
        ResidentFacts(balance, years)


@given(st.integers(0, 10**8), st.integers(0, 45), st.integers(0, 30), st.integers(0, 10**6))
def test_more_years_or_savings_never_pay_less_and_the_total_is_the_sum(
    balance: int, years: int, more: int, saved: int
) -> None:
    here = calculate(ResidentFacts(Money(balance), years), rules())

    assert here.monthly_total == Money.total(line.amount for line in here.statement.lines)
    assert calculate(ResidentFacts(Money(balance), years + more), rules()).monthly_total >= here.monthly_total
    assert calculate(ResidentFacts(Money(balance + saved), years), rules()).monthly_total >= here.monthly_total
