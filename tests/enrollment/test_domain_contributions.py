"""What a month of contributions costs, by the law of the month."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.policy import open_policy, release_directory
from kernel.calendar import Month
from kernel.errors import InvalidInput, PolicyParameterMissing
from kernel.money import Money
from services.enrollment.domain.contributions import (
    ContributionBase,
    EmployerTerms,
    Enterprise,
    Scheme,
    Side,
    contribute,
    contribute_flexible,
    contribution_rates,
    credit_account,
    determine_base,
)
from services.enrollment.policy import EnrollmentPolicy

FOLDER = release_directory()
SHIPPED = EnrollmentPolicy(open_policy(FOLDER)).contributions
LAW = EnrollmentPolicy(open_policy(FOLDER, FOLDER / "local" / "demo.yaml")).contributions
THREE = (Scheme.EMPLOYEE_PENSION, Scheme.UNEMPLOYMENT, Scheme.WORK_INJURY)

wages = st.integers(0, 10**7).map(Money)
months = st.builds(Month, st.integers(2021, 2026), st.integers(1, 12))


def a_base(wage: str, month: Month) -> ContributionBase:
    return determine_base(Money.yuan(wage), month, LAW)


@pytest.mark.parametrize(
    ("wage", "month", "base", "bound"),
    [
        ("3000", Month(2025, 6), "4952.00", "floor"),
        ("4952", Month(2025, 6), "4952.00", ""),
        ("24762", Month(2025, 6), "24762.00", ""),
        ("24762.01", Month(2025, 6), "24762.00", "ceiling"),
        ("3000", Month(2024, 12), "4879.00", "floor"),
        ("3000", Month(2025, 1), "4952.00", "floor"),
    ],
)
def test_the_base_lies_between_the_limits_of_its_month(wage: str, month: Month, base: str, bound: str) -> None:
    found = a_base(wage, month)

    assert (str(found.base), found.bound) == (base, bound)


def test_an_employee_of_class_6_costs_what_the_example_says() -> None:
    statement = contribute(a_base("3000", Month(2025, 6)), THREE, LAW, EmployerTerms(6))

    assert {line.code: str(line.amount) for line in statement.lines} == {
        "employee_pension.employer": "792.32",
        "employee_pension.employee": "396.16",
        "unemployment.employer": "24.76",
        "unemployment.employee": "24.76",
        "work_injury.employer": "64.38",
    }


def test_each_line_shows_its_numbers_and_its_law() -> None:
    line = contribute(a_base("3000", Month(2026, 3)), THREE, LAW, EmployerTerms(6, Decimal("0.50"))).line(
        "work_injury.employer"
    )

    assert line.formula == "4952.00 × 0.013 × 0.50 × 1.0 = 32.19"
    assert line.provisional  # the limits of 2026 are those of 2025 until the final ones appear
    assert [use.key for use in line.parameters] == [
        "base_limits",
        "work_injury.industry_rates",
        "work_injury.phase_reduction_factor",
    ]
    assert "LOCAL:DEMO-INJURY-PHASE" in line.sources


def test_an_unknown_phase_factor_is_never_taken_for_one() -> None:
    base = a_base("6000", Month(2025, 6))

    with pytest.raises(PolicyParameterMissing) as caught:
        contribute(base, (Scheme.WORK_INJURY,), SHIPPED, EmployerTerms(1))

    assert caught.value.metadata["key"] == "work_injury.phase_reduction_factor"
    assert len(contribute(base, (Scheme.EMPLOYEE_PENSION,), SHIPPED, EmployerTerms(1)).lines) == 2


@pytest.mark.parametrize(
    ("month", "rate"),
    [(Month(2016, 4), "0.20"), (Month(2016, 5), "0.19"), (Month(2019, 4), "0.19"), (Month(2019, 5), "0.16")],
)
def test_the_rate_changes_with_the_month(month: Month, rate: str) -> None:
    row = LAW.rates[Scheme.EMPLOYEE_PENSION, Side.EMPLOYER].on(month.first_day)

    assert row.value == Decimal(rate)


@pytest.mark.parametrize(
    ("enterprise", "month", "employer", "employee"),
    [
        (Enterprise.MICRO_SMALL_MEDIUM, Month(2020, 1), "538.88", "269.44"),
        (Enterprise.MICRO_SMALL_MEDIUM, Month(2020, 2), "0.00", "269.44"),
        (Enterprise.MICRO_SMALL_MEDIUM, Month(2020, 12), "0.00", "269.44"),
        (Enterprise.LARGE, Month(2020, 6), "269.44", "269.44"),
        (Enterprise.LARGE, Month(2020, 7), "538.88", "269.44"),
        (None, Month(2020, 3), "538.88", "269.44"),
    ],
)
def test_the_relief_of_2020_takes_from_the_employer_only(
    enterprise: Enterprise | None, month: Month, employer: str, employee: str
) -> None:
    terms = EmployerTerms(1, enterprise=enterprise)

    statement = contribute(a_base("3000", month), (Scheme.EMPLOYEE_PENSION,), LAW, terms)

    assert str(statement.amount("employee_pension.employer")) == employer
    assert str(statement.amount("employee_pension.employee")) == employee


def test_a_civil_servant_pays_into_pension_and_annuity() -> None:
    schemes = (Scheme.GOVERNMENT_PENSION, Scheme.OCCUPATIONAL_ANNUITY)

    statement = contribute(a_base("9500.50", Month(2025, 6)), schemes, LAW, EmployerTerms(1))

    assert [str(line.amount) for line in statement.lines] == ["1520.08", "760.04", "760.04", "380.02"]


def test_a_flexible_worker_pays_a_fifth_and_keeps_eight_percent_in_the_account() -> None:
    base = a_base("4952", Month(2025, 6))

    assert str(contribute_flexible(base, LAW).total) == "990.40"
    assert str(credit_account(base, LAW).amount) == "396.16"


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        (EmployerTerms(0), "INDUSTRY_CLASS_UNKNOWN"),
        (EmployerTerms(9), "INDUSTRY_CLASS_UNKNOWN"),
        (EmployerTerms(1, Decimal("0.50")), "FLOAT_STEP_UNKNOWN"),
        (EmployerTerms(2, Decimal("0.60")), "FLOAT_STEP_UNKNOWN"),
    ],
)
def test_a_rate_that_the_table_does_not_have_is_refused(terms: EmployerTerms, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        contribute(a_base("6000", Month(2025, 6)), (Scheme.WORK_INJURY,), LAW, terms)

    assert caught.value.reason == reason


def test_a_negative_wage_is_refused_and_a_month_without_limits_too() -> None:
    with pytest.raises(InvalidInput):
        determine_base(Money(-1), Month(2025, 6), LAW)
    with pytest.raises(PolicyParameterMissing):
        determine_base(Money(1), Month(2027, 1), LAW)


def test_former_divisions_are_known_as_such() -> None:
    divisions = EnrollmentPolicy(open_policy(FOLDER)).divisions(date(2026, 1, 1))

    assert divisions.warning("320613") == ""
    assert divisions.warning("320621") == "DIVISION_FORMER"


@given(wages, months)
def test_the_base_never_leaves_the_limits(wage: Money, month: Month) -> None:
    found = determine_base(wage, month, LAW)

    assert found.limits.value.floor <= found.base <= found.limits.value.ceiling
    assert (found.base == wage) == (found.bound == "")


@given(wages, wages, months, st.integers(1, 8))
def test_a_higher_wage_never_pays_less_and_the_total_is_the_sum(
    one: Money, other: Money, month: Month, industry: int
) -> None:
    low, high = (
        contribute(determine_base(wage, month, LAW), THREE, LAW, EmployerTerms(industry))
        for wage in sorted((one, other))
    )

    assert low.total <= high.total
    assert high.total == Money.total(line.amount for line in high.lines)


@given(wages, months, st.integers(1, 8))
def test_the_rates_alone_give_the_same_fen(wage: Money, month: Month, industry: int) -> None:
    base = determine_base(wage, month, LAW)
    terms = EmployerTerms(industry)

    rates = contribution_rates(month, THREE, LAW, terms)

    assert {f"{scheme}.{side}": base.base.times(rate) for (scheme, side), rate in rates.items()} == {
        line.code: line.amount for line in contribute(base, THREE, LAW, terms).lines
    }
