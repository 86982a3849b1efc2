"""Disability allowance: who draws it, by which branch, and how much."""

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
from services.benefits.domain.disability import DisabilityClaim, assess, by_average, by_pension
from services.benefits.domain.pension import PensionFacts, calculate
from services.benefits.domain.retirement import Track, retire
from services.benefits.policy import BenefitsPolicy

POLICY = BenefitsPolicy(open_policy(release_directory()))
LAW, MORE = POLICY.retirement, POLICY.disability
PERSON = retire(Track.MALE_60, Month(1970, 6), LAW)  # statutory month 2031-11
RULES = POLICY.pension.rules(Month(2025, 6))
FACTS = PensionFacts(
    index=Decimal("0.8566"),
    months=328,
    balance=Money.yuan("156346.02"),
    payout_months=a_given("payout_months", Decimal(170), date(2025, 6, 1)),
    transitional_index=Fraction("0.8566"),
    pre1996_months=24,
)


def a_claim(month: Month, *, paid: int = 240, lost: bool = True, insured: bool = True) -> DisabilityClaim:
    return DisabilityClaim(month, paid, lost, insured)


def test_five_years_before_the_statutory_age_the_branch_changes() -> None:
    near = PERSON.statutory.plus(-60)

    assert assess(PERSON, a_claim(near), LAW, MORE).branch == "near"
    far = assess(PERSON, a_claim(near.previous), LAW, MORE)
    assert (far.branch, far.recompute_in, far.months_to_statutory) == ("far", near, 61)


def test_too_few_months_are_paid_for_a_while() -> None:
    found = assess(PERSON, a_claim(Month(2026, 1), paid=97), LAW, MORE)

    assert found.branch == "short"
    assert found.pay_months is not None
    assert found.pay_months.value == 24


@pytest.mark.parametrize(
    ("month", "lost", "insured", "failures"),
    [
        (Month(2026, 1), True, True, ()),
        (Month(2026, 1), False, False, ("CAPACITY_NOT_LOST", "NOT_INSURED")),
        (PERSON.statutory, True, True, ("STATUTORY_AGE_REACHED",)),
    ],
)
def test_every_condition_that_is_not_met_is_named(
    month: Month, *, lost: bool, insured: bool, failures: tuple[str, ...]
) -> None:
    found = assess(PERSON, a_claim(month, lost=lost, insured=insured), LAW, MORE)

    assert found.failures == failures
    assert found.eligible == (not failures)


def test_near_is_the_pension_and_far_is_the_pension_without_its_account() -> None:
    near, far = by_pension("near", FACTS, RULES), by_pension("far", FACTS, RULES)

    assert near == calculate(FACTS, RULES).statement
    assert [line.code for line in far.lines] == ["basic", "transitional", "rounding"]
    assert far.total.fen % 10 == 0
    assert far.amount("basic") == near.amount("basic")


def test_few_years_are_paid_the_average_resident_pension_which_nobody_knows() -> None:
    with pytest.raises(PolicyParameterMissing) as caught:
        MORE.resident_average.on(date(2026, 1, 1))
    assert caught.value.metadata["key"] == "disability.resident_average"

    months = a_given("months", 24, date(2026, 1, 1))
    statement = by_average(a_given("average", Money.yuan("300.55"), date(2026, 1, 1)), months)

    assert (str(statement.total), dict(statement.lines[0].inputs)) == ("300.55", {"pay_months": "24"})


def test_the_pension_does_not_pay_too_few_years() -> None:
    with pytest.raises(InvalidInput) as caught:
        by_pension("short", FACTS, RULES)

    assert caught.value.reason == "DISABILITY_BRANCH_INVALID"


def test_negative_months_are_refused() -> None:
    with pytest.raises(InvalidInput):
        a_claim(Month(2026, 1), paid=-1)


@given(st.integers(2025, 2031), st.integers(1, 12), st.integers(0, 480))
def test_every_claim_has_one_branch_and_the_far_one_ends_in_the_near_one(year: int, month: int, paid: int) -> None:
    claim = a_claim(Month(year, month), paid=paid)

    found = assess(PERSON, claim, LAW, MORE)

    assert (found.branch == "short") == (paid < LAW.minimum_months.on(claim.month.first_day).value)
    assert (found.pay_months is None) == (found.branch != "short")
    if found.recompute_in is not None:
        assert assess(PERSON, a_claim(found.recompute_in, paid=480), LAW, MORE).branch == "near"
