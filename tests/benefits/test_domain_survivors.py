"""Survivors' benefits: base, months, the limit of few years, and one funeral grant only."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.policy import open_policy, release_directory
from kernel.dated import given as a_given
from kernel.errors import InvalidInput, PolicyParameterMissing
from kernel.money import Money
from services.benefits.domain.survivors import (
    SurvivorFacts,
    assess,
    base_of,
    choose_funeral,
    pension_months,
)
from services.benefits.policy import BenefitsPolicy

LAW = BenefitsPolicy(open_policy(release_directory())).survivors
DAY = date(2025, 6, 1)
RULES = LAW.rules(DAY)
TABLE = RULES.pension_months.value

contributions = st.integers(0, 600)
drawn = st.none() | st.integers(0, 480)


def test_both_items_explain_themselves() -> None:
    found = assess(SurvivorFacts(181, drawn_months=0), RULES)

    assert [(line.code, str(line.amount), line.formula) for line in found.statement.lines] == [
        ("funeral", "11028.00", "5514.00 × 2 = 11028.00"),
        ("pension", "50085.50", "5514.00 × 109/12 = 50085.50"),
    ]
    assert found.months4 == Decimal("9.0833")
    assert {use.key for use in found.statement.line("pension").parameters} == {
        "annual_income.jiangsu",
        "pension_months",
    }


@pytest.mark.parametrize(
    ("year", "base"), [(2021, 4425), (2022, 4812), (2023, 5015), (2024, 5268), (2025, 5514), (2026, 5746)]
)
def test_the_base_of_a_death_is_the_published_one_of_the_year_before(year: int, base: int) -> None:
    assert LAW.rules(date(year, 9, 1)).base.value == Money.yuan(str(base))


def test_an_income_that_is_not_published_refuses_by_name() -> None:
    with pytest.raises(PolicyParameterMissing) as caught:
        LAW.rules(date(2027, 1, 1))

    assert caught.value.metadata == {"file": "survivor.yaml", "key": "annual_income.jiangsu", "on": "2026-01-01"}


@pytest.mark.parametrize(("annual", "base"), [("66173", "5514.00"), ("66174", "5515.00"), ("5.99", "0.00")])
def test_the_base_is_whole_yuan_half_up(annual: str, base: str) -> None:
    assert str(base_of(a_given("income", Money.yuan(annual), DAY)).value) == base


@pytest.mark.parametrize(
    ("paid", "months"),
    [(0, 3), (59, 3), (60, 6), (119, 6), (120, 9), (180, 9), (192, 10), (360, 24), (361, 24), (600, 24)],
)
def test_months_in_service_step_by_years(paid: int, months: int) -> None:
    assert pension_months(paid, None, TABLE) == months


@pytest.mark.parametrize(
    ("paid", "taken", "months"),
    [
        (384, 0, Fraction(24)),
        (384, 7, Fraction(281, 12)),
        (384, 180, Fraction(9)),
        (60, 0, Fraction(9)),
        (180, 240, Fraction(9)),
    ],
)
def test_a_drawn_pension_takes_a_month_a_year_down_to_nine(paid: int, taken: int, months: Fraction) -> None:
    assert pension_months(paid, taken, TABLE) == months


def test_few_years_are_limited_to_own_contributions_on_a_line_of_its_own() -> None:
    found = assess(SurvivorFacts(59, own_contributions=Money.yuan("20000")), RULES)

    assert found.capped
    assert (str(found.funeral), str(found.pension), str(found.total)) == ("11028.00", "16542.00", "20000.00")
    assert found.statement.line("cap").formula == "27570.00 → 20000.00"


@pytest.mark.parametrize("paid", [60, 100])
def test_five_years_are_not_limited(paid: int) -> None:
    assert not assess(SurvivorFacts(paid, own_contributions=Money.ZERO), RULES).capped


def test_an_estimate_that_leaves_the_limit_open_says_so() -> None:
    assert assess(SurvivorFacts(59), RULES).limit_open
    assert not assess(SurvivorFacts(60), RULES).limit_open


@pytest.mark.parametrize("wrong", [{"contribution_months": -1}, {"contribution_months": 1, "drawn_months": -1}])
def test_impossible_facts_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        SurvivorFacts(**wrong)  # type: ignore[arg-type]  # months only


def test_of_several_funeral_grants_the_largest_is_proposed() -> None:
    choice = choose_funeral({"work_injury": Money(3), "pension": Money(3), "unemployment": Money(2)})

    assert (choice.eligible, choice.best, choice.amount) == (
        ("pension", "unemployment", "work_injury"),
        "pension",
        Money(3),
    )


@pytest.mark.parametrize("wrong", [{}, {"pension": Money(-1)}])
def test_nothing_to_choose_from_is_refused(wrong: dict[str, Money]) -> None:
    with pytest.raises(InvalidInput):
        choose_funeral(wrong)


@given(contributions, st.integers(0, 120), drawn)
def test_more_years_never_pay_less(paid: int, more: int, taken: int | None) -> None:
    here, further = assess(SurvivorFacts(paid, taken), RULES), assess(SurvivorFacts(paid + more, taken), RULES)

    assert further.total >= here.total
    assert here.total == Money.total(line.amount for line in here.statement.lines)


@given(contributions, drawn, st.integers(0, 10**7).map(Money))
def test_the_limit_only_lowers_and_only_below_five_years(paid: int, taken: int | None, own: Money) -> None:
    limited = assess(SurvivorFacts(paid, taken, own), RULES)
    free = assess(SurvivorFacts(paid, taken), RULES)

    assert limited.total <= free.total
    assert limited.total == (min(own, free.total) if paid < 60 else free.total)
    assert limited.total >= Money.ZERO
