"""The employee pension: lines that explain themselves, the blend, the index, the recomputation."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.policy import open_policy, release_directory
from kernel.calendar import Month
from kernel.dated import given as a_given
from kernel.errors import InvalidInput, PolicyParameterMissing
from kernel.money import Money
from services.benefits.domain.pension import (
    PensionFacts,
    YearOfBases,
    calculate,
    recompute,
)
from services.benefits.policy import BenefitsPolicy

LAW = BenefitsPolicy(open_policy(release_directory())).pension
JULY_2026 = Month(2026, 7)


def facts(
    *,
    index: str = "1.0000",
    months: int = 360,
    balance: str = "100000.00",
    payout: str = "139",
    pre1996: int = 0,
    old: str | None = None,
) -> PensionFacts:
    return PensionFacts(
        index=Decimal(index),
        months=months,
        balance=Money.yuan(balance),
        payout_months=a_given("payout_months", Decimal(payout), date(2026, 1, 1)),
        transitional_index=Fraction(index) if pre1996 else None,
        pre1996_months=pre1996,
        old_transitional=None if old is None else Money.yuan(old),
    )


def test_a_pension_of_2026_rests_on_the_base_of_2025_and_says_so() -> None:
    pension = calculate(facts(pre1996=12), LAW.rules(JULY_2026))

    assert [(line.code, str(line.amount), line.formula) for line in pension.statement.lines] == [
        ("basic", "2675.10", "8917.00 × (1 + 1.0000) ÷ 2 × 360 ÷ 12 × 0.01 = 2675.10"),
        ("account", "719.42", "100000.00 ÷ 139 = 719.42"),
        ("transitional", "107.00", "8917.00 × 1.0000 × 12 ÷ 12 × 0.012 = 107.00"),
        ("rounding", "0.08", "3501.52 → 3501.60"),
    ]
    assert pension.statement.provisional
    base = pension.statement.line("basic").parameters[0]
    assert (base.key, base.value, base.confidence, base.provisional) == ("calculation_base", "8917.00", "certain", True)


def test_a_pension_of_2025_is_final() -> None:
    assert not calculate(facts(), LAW.rules(Month(2025, 6))).statement.provisional


def test_an_exact_jiao_needs_no_rounding_line() -> None:
    pension = calculate(facts(balance="120000.00", payout="138.4", months=180), LAW.rules(Month(2025, 6)))

    assert [line.code for line in pension.statement.lines] == ["basic", "account"]
    assert str(pension.monthly_total) == "2204.60"


@pytest.mark.parametrize(
    ("retirement", "paid"), [(Month(2024, 6), "93.17"), (Month(2025, 6), "104.90"), (Month(2026, 6), "107.00")]
)
def test_the_gain_of_the_new_method_comes_by_the_year_of_retirement(retirement: Month, paid: str) -> None:
    rules = replace(LAW.rules(retirement), base=a_given("base", Money.yuan("8917"), date(2026, 1, 1)))

    pension = calculate(facts(pre1996=12, old="83.95" if retirement.year == 2024 else "100.00"), rules)

    assert str(pension.transitional_new) == "107.00"
    assert str(pension.transitional_paid) == paid


def test_a_ratio_that_nobody_verified_is_asked_for_only_when_it_counts() -> None:
    rules = LAW.rules(Month(2023, 6))

    with pytest.raises(PolicyParameterMissing) as caught:
        calculate(facts(pre1996=120, old="10.00"), rules)

    assert caught.value.metadata["key"] == "transition_blend"
    assert str(calculate(facts(pre1996=120, old="9000.00"), rules).transitional_paid) == "9000.00"


def test_the_average_index_counts_deemed_months_in_the_denominator_only() -> None:
    history = [YearOfBases(2024, Money.yuan("97584"), 12), YearOfBases(1997, Money.ZERO, 0, deemed_months=12)]

    average = LAW.average_index(history, JULY_2026)

    assert (average.months, str(average.index4), average.provisional) == (24, "0.5000", False)


def test_an_index_base_that_is_not_published_makes_the_index_provisional() -> None:
    average = LAW.average_index([YearOfBases(2026, Money.yuan("8254") * 6, 6)], JULY_2026)

    assert (str(average.index4), average.provisional) == ("1.0000", True)
    pension = calculate(replace(facts(), index_uses=average.parameters), LAW.rules(Month(2025, 6)))
    assert pension.statement.line("basic").provisional


def test_an_index_needs_a_month() -> None:
    with pytest.raises(InvalidInput) as caught:
        LAW.average_index([], JULY_2026)

    assert caught.value.reason == "NO_CONTRIBUTION_MONTHS"


@pytest.mark.parametrize("wrong", [{"months": -1}, {"balance": "-0.01"}, {"payout": "0"}])
def test_impossible_facts_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        facts(**wrong)  # type: ignore[arg-type]  # one of the arguments, whichever


def test_a_recomputation_pays_the_difference_for_the_months_already_paid() -> None:
    provisional = LAW.rules(Month(2024, 3))
    final = replace(provisional, base=a_given("base", Money.yuan("8785"), date(2024, 1, 1)))
    before = replace(provisional, base=a_given("base", Money.yuan("8613"), date(2024, 1, 1)))

    found = recompute(
        facts(index="0.8566", months=328, balance="156346.02", payout="195"), before, final, paid_months=9
    )

    assert (str(found.difference), str(found.backpay)) == ("43.70", "393.30")


@given(
    st.integers(6000, 60000).map(lambda value: Decimal(value).scaleb(-4)),
    st.integers(0, 600),
    st.integers(0, 10**8).map(Money),
    st.integers(0, 300),
)
def test_the_total_is_the_sum_of_the_lines_and_whole_jiao(
    index: Decimal, months: int, balance: Money, pre1996: int
) -> None:
    pension = calculate(
        replace(facts(), index=index, months=months, balance=balance, transitional_index=index, pre1996_months=pre1996),
        LAW.rules(JULY_2026),
    )

    assert pension.monthly_total == Money.total(line.amount for line in pension.statement.lines)
    assert pension.monthly_total.fen % 10 == 0
    assert Money.ZERO <= pension.monthly_total - pension.sum < Money(10)


@given(st.integers(0, 600), st.integers(0, 120), st.integers(0, 10**7), st.integers(0, 10**6))
def test_more_years_or_more_savings_never_pay_less(months: int, more: int, balance: int, saved: int) -> None:
    rules = LAW.rules(JULY_2026)
    here = replace(facts(), months=months, balance=Money(balance))

    assert calculate(replace(here, months=months + more), rules).monthly_total >= calculate(here, rules).monthly_total
    richer = replace(here, balance=Money(balance + saved))
    assert calculate(richer, rules).monthly_total >= calculate(here, rules).monthly_total


@given(st.integers(1, 400), st.integers(0, 10**6).map(Money))
def test_the_blend_never_pays_below_the_old_amount(pre1996: int, old: Money) -> None:
    pension = calculate(replace(facts(pre1996=pre1996), old_transitional=old), LAW.rules(Month(2025, 6)))

    assert pension.transitional_paid >= old
    assert pension.transitional_paid <= max(old, pension.transitional_new)
