"""Unemployment benefit: who, how much, how long."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.policy import open_policy, release_directory
from kernel.calendar import Month
from kernel.dated import Confidence, Dated, DatedValue
from kernel.dated import given as a_given
from kernel.errors import InvalidInput, PolicyParameterMissing
from kernel.money import Money
from services.benefits.domain.unemployment import (
    assess,
    average_base,
    duration_uses,
    entitlement_months,
    monthly_benefit,
)
from services.benefits.policy import BenefitsPolicy

FOLDER = release_directory()
SHIPPED = BenefitsPolicy(open_policy(FOLDER)).unemployment
LAW = BenefitsPolicy(open_policy(FOLDER, FOLDER / "local" / "demo.yaml")).unemployment
DAY = date(2025, 6, 1)
JUNE = Month(2025, 6)


@pytest.mark.parametrize(
    ("months", "involuntary", "registered", "reasons"),
    [
        (12, True, True, []),
        (11, True, True, ["LESS_THAN_12_MONTHS"]),
        (12, False, True, ["VOLUNTARY_END"]),
        (12, True, False, ["NOT_REGISTERED"]),
        (0, False, False, ["LESS_THAN_12_MONTHS", "VOLUNTARY_END", "NOT_REGISTERED"]),
    ],
)
def test_every_condition_that_is_not_met_is_named_with_its_source(
    *, months: int, involuntary: bool, registered: bool, reasons: list[str]
) -> None:
    found = assess(months, involuntary=involuntary, registered=registered, minimum_months=LAW.minimum_months.on(DAY))

    assert [failure.reason for failure in found.failures] == reasons
    assert found.eligible == (not reasons)
    assert all(failure.source == ("SIL", "UIR") for failure in found.failures)


@pytest.mark.parametrize(("months", "rate"), [(12, "0.45"), (119, "0.45"), (120, "0.50"), (239, "0.50"), (240, "0.55")])
def test_the_rate_steps_up_with_the_months(months: int, rate: str) -> None:
    assert str(LAW.rate(months, DAY).value) == rate


def test_too_few_months_have_no_rate() -> None:
    with pytest.raises(InvalidInput):
        LAW.rate(11, DAY)


@pytest.mark.parametrize(
    ("division", "month", "cap"),
    [
        ("320613", Month(2025, 12), "2490.00"),
        ("320613", Month(2026, 1), "2660.00"),
        ("320623", Month(2025, 12), "2260.00"),
        ("320613", Month(2021, 7), "2020.00"),
        ("320613", Month(2021, 8), "2280.00"),
    ],
)
def test_the_cap_is_the_minimum_wage_of_place_and_month(division: str, month: Month, cap: str) -> None:
    assert str(LAW.cap(division, month).value) == cap


def test_a_place_without_a_class_is_refused() -> None:
    with pytest.raises(PolicyParameterMissing) as caught:
        LAW.cap("110105", JUNE)

    assert caught.value.metadata["key"] == "minimum_wage_class[110105]"


def test_a_capped_benefit_shows_what_the_cap_takes() -> None:
    benefit = monthly_benefit(Money.yuan("6000"), LAW.rate(30, DAY), LAW.cap("320613", JUNE), LAW.floor(JUNE))

    assert [(line.code, str(line.amount)) for line in benefit.statement.lines] == [
        ("rate", "2700.00"),
        ("cap", "-210.00"),
    ]
    assert (str(benefit.monthly), benefit.limited_by) == ("2490.00", "cap")
    assert benefit.statement.line("cap").parameters[0].key == "minimum_wage.class_1"


def test_there_is_a_floor_only_where_the_subsistence_standard_is_configured() -> None:
    standard: DatedValue[Money | None] = DatedValue(
        Money.yuan("800"), date(2011, 9, 1), None, Confidence.LIKELY, ("LOCAL:X",), "subsistence", "unemployment.yaml"
    )
    configured = replace(LAW, subsistence=Dated("unemployment.yaml", "subsistence", (standard,)))

    floor = configured.floor(JUNE)

    assert LAW.floor(JUNE) is None
    assert floor is not None
    assert str(floor.value) == "1200.00"
    benefit = monthly_benefit(Money.yuan("2000"), LAW.rate(30, DAY), LAW.cap("320613", JUNE), floor)
    assert (str(benefit.monthly), benefit.limited_by) == ("1200.00", "floor")


@pytest.mark.parametrize(
    ("months", "carried", "total"),
    [
        (11, 0, 0),
        (12, 0, 12),
        (59, 0, 12),
        (60, 0, 18),
        (119, 0, 18),
        (120, 0, 24),
        (60, 3, 21),
        (60, 9, 24),
        (12, 24, 24),
    ],
)
def test_the_months_end_at_two_years(months: int, carried: int, total: int) -> None:
    found = entitlement_months(months, LAW.steps.on(DAY), carried=carried, total_max=LAW.total_max.on(DAY))

    assert found == total


def test_the_steps_of_the_province_are_never_assumed() -> None:
    with pytest.raises(PolicyParameterMissing):
        SHIPPED.steps.on(DAY)

    steps, total = duration_uses(LAW.steps.on(DAY), LAW.total_max.on(DAY))
    assert (steps.value, steps.sources) == ("12..59: 12, 60..119: 18, 120..: 24", ("LOCAL:DEMO-UNEMPLOYMENT-STEPS",))
    assert total.value == "24"


def test_carried_months_are_not_negative() -> None:
    with pytest.raises(InvalidInput):
        entitlement_months(12, LAW.statutory.on(DAY), carried=-1, total_max=LAW.total_max.on(DAY))


def test_the_average_base_is_rounded_to_the_fen() -> None:
    assert str(average_base([Money.yuan("5000"), Money.yuan("5000"), Money.yuan("5000.01")])) == "5000.00"
    with pytest.raises(InvalidInput):
        average_base([])


@given(
    st.integers(0, 10**7).map(Money),
    st.integers(12, 480),
    st.integers(0, 480),
    st.integers(1, 10**6).map(Money),
)
def test_more_months_never_pay_less_and_never_above_the_cap(
    average: Money, months: int, more: int, limit: Money
) -> None:
    cap = a_given("cap", limit, DAY)
    one = monthly_benefit(average, LAW.rate(months, DAY), cap)
    longer = monthly_benefit(average, LAW.rate(months + more, DAY), cap)

    assert one.monthly <= longer.monthly <= limit
    assert one.statement.total == Money.total(line.amount for line in one.statement.lines)
    total_max, bands = LAW.total_max.on(DAY), LAW.statutory.on(DAY)
    assert entitlement_months(months, bands, carried=0, total_max=total_max) <= entitlement_months(
        months + more, bands, carried=0, total_max=total_max
    )
