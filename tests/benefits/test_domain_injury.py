"""Work injury by grade, at the end of employment, and after a death."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.policy import open_policy, release_directory
from kernel.dated import given as a_given
from kernel.errors import InvalidInput, PolicyParameterMissing
from kernel.money import Money
from services.benefits.domain import injury, injury_death, injury_end
from services.benefits.domain.injury_death import Dependant
from services.benefits.policy import BenefitsPolicy

POLICY = BenefitsPolicy(open_policy(release_directory()))
DAY = date(2025, 6, 1)
MINIMUM = a_given("minimum_wage", Money.yuan("2490"), DAY)
RULES = injury.InjuryRules(
    limits=POLICY.injury.limits.on(DAY),
    area_average=POLICY.injury.area_average.on(DAY),
    grades=POLICY.injury.grades.on(DAY),
    nursing=POLICY.injury.nursing.on(DAY),
    minimum_wage=MINIMUM,
)
END = POLICY.injury_end
END_RULES = injury_end.TerminationRules(
    medical=END.medical.on(DAY),
    employment=END.employment.on(DAY),
    city_factor=END.city_factor.on(DAY),
    disease_factor=END.disease_factor.on(DAY),
    medical_reductions=END.medical_reductions.on(DAY),
    employment_reductions=END.employment_reductions.on(DAY),
)
DEATH_RULES = POLICY.injury_death.rules(DAY)

wages = st.integers(0, 10**7).map(Money)
relatives = st.builds(Dependant, is_spouse=st.just(value=False), alone=st.booleans())
dependants = st.lists(relatives, max_size=9).flatmap(
    lambda others: st.sampled_from([others, [Dependant(is_spouse=True), *others]])
)


@pytest.mark.parametrize(
    ("grade", "months", "allowance", "payer"),
    [
        (1, 27, "5400.00", "fund"),
        (2, 25, "5100.00", "fund"),
        (3, 23, "4800.00", "fund"),
        (4, 21, "4500.00", "fund"),
        (5, 18, "4200.00", "employer"),
        (6, 16, "3600.00", "employer"),
        (7, 13, None, "none"),
        (8, 11, None, "none"),
        (9, 9, None, "none"),
        (10, 7, None, "none"),
    ],
)
def test_the_table_of_grades(grade: int, months: int, allowance: str | None, payer: str) -> None:
    found = injury.assess(grade, Money.yuan("6000"), RULES)

    assert found.one_off == Money.yuan("6000") * months
    assert (None if found.allowance is None else str(found.allowance)) == allowance
    assert found.payer == payer


def test_each_item_explains_itself() -> None:
    found = injury.assess(4, Money.yuan("30000"), RULES, nursing=injury.Nursing.MOST)

    assert found.once.line("one_off").formula == "30000.00 > 3.0 × 8254.00 → 24762.00; 24762.00 × 21 = 520002.00"
    assert [(line.code, line.formula) for line in found.monthly.lines] == [
        ("allowance", "24762.00 × 0.75 = 18571.50"),
        ("nursing", "8254.00 × 0.40 = 3301.60"),
    ]
    assert {use.key for use in found.once.line("one_off").parameters} == {
        "grades",
        "own_wage.limits",
        "area_average_wage",
    }


@pytest.mark.parametrize(
    ("average", "own"), [("4952.39", "4952.40"), ("4952.40", "4952.40"), ("24762.01", "24762.00"), ("0", "4952.40")]
)
def test_the_own_wage_lies_between_its_limits(average: str, own: str) -> None:
    assert str(injury.own_wage(Money.yuan(average), RULES.limits, RULES.area_average).amount) == own


def test_an_allowance_below_the_minimum_wage_is_topped_up_on_a_line_of_its_own() -> None:
    rules = replace(RULES, minimum_wage=a_given("minimum_wage", Money.yuan("3000"), DAY))

    found = injury.assess(6, Money.yuan("4000"), rules)

    assert found.topped_up
    assert str(found.allowance) == "3000.00"
    assert found.monthly.line("top_up").formula == "2971.44 → 3000.00"


def test_suitable_work_ends_the_allowance_of_grades_five_and_six_only() -> None:
    wage = Money.yuan("6000")

    assert injury.assess(5, wage, RULES, suitable_work=True).allowance is None
    assert injury.assess(4, wage, RULES, suitable_work=True).allowance is not None


@pytest.mark.parametrize("grade", [0, 11, -1])
def test_a_grade_that_does_not_exist_is_refused(grade: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        injury.assess(grade, Money.yuan("6000"), RULES)

    assert (caught.value.reason, caught.value.field) == ("INJURY_GRADE_INVALID", "grade")


def test_a_negative_wage_is_refused() -> None:
    with pytest.raises(InvalidInput):
        injury.assess(4, Money(-1), RULES)


def test_fewer_than_twelve_months_are_averaged_as_they_are() -> None:
    assert str(injury.average_base([Money.yuan("5000"), Money.yuan("5000.01")])) == "5000.01"
    for wrong in ([], [Money(1)] * 13):
        with pytest.raises(InvalidInput):
            injury.average_base(wrong)


def test_the_average_wage_of_an_unpublished_year_refuses_by_name() -> None:
    with pytest.raises(PolicyParameterMissing) as caught:
        POLICY.injury_death.rules(date(2026, 3, 1))

    assert caught.value.metadata["key"] == "area_average_wage"


@pytest.mark.parametrize(("pension", "added"), [("3000.00", "1500.00"), ("4500.00", None), ("5000.00", None)])
def test_at_retirement_the_fund_pays_what_the_pension_is_lower(pension: str, added: str | None) -> None:
    statement = injury.retirement_top_up(Money.yuan("4500"), Money.yuan(pension))

    assert statement.total == max(Money.yuan("4500"), Money.yuan(pension))
    assert [str(line.amount) for line in statement.lines if line.code == "top_up"] == ([added] if added else [])


@given(st.integers(1, 10), wages, st.integers(0, 10**6), st.sampled_from([None, *injury.Nursing]))
def test_a_higher_wage_or_a_worse_grade_never_brings_less(
    grade: int, wage: Money, more: int, nursing: injury.Nursing | None
) -> None:
    here = injury.assess(grade, wage, RULES, nursing=nursing)
    richer = injury.assess(grade, wage + Money(more), RULES, nursing=nursing)

    assert richer.one_off >= here.one_off
    assert richer.monthly.total >= here.monthly.total
    assert here.allowance is None or here.allowance >= MINIMUM.value
    if grade > 1:
        worse = injury.assess(grade - 1, wage, RULES, nursing=nursing)
        assert worse.one_off > here.one_off
        assert worse.monthly.total >= here.monthly.total


# The end of employment ------------------------------------------------------------------------------------------------


def test_a_grant_shows_its_factors_and_only_the_rows_it_used() -> None:
    facts = injury_end.TerminationFacts(grade=5, months_left=20, occupational_disease=True)

    grants = injury_end.assess(facts, END_RULES)

    medical, employment = grants.statement.lines
    assert medical.formula == "200000.00 × 1.40 × 0.20 = 56000.00"
    assert employment.formula == "95000.00 × 0.20 = 19000.00"
    assert [use.key for use in medical.parameters] == [
        "termination.medical",
        "termination.city_factor",
        "termination.occupational_disease_factor",
        "termination.near_retirement.medical",
    ]
    assert grants.statement.total == grants.medical + grants.employment


@pytest.mark.parametrize("freed", [{"employer_fault": True}, {"own_request": False}])
@pytest.mark.parametrize(("months", "ratio"), [(1, "1"), (59, "1"), (0, "0"), (-5, "0")])
def test_only_the_workers_own_wish_reduces_and_the_statutory_age_ends_it(
    freed: dict[str, bool], months: int, ratio: str
) -> None:
    facts = injury_end.TerminationFacts(grade=8, months_left=months, **freed)

    assert injury_end.assess(facts, END_RULES).ratio == Decimal(ratio)


def test_who_retired_gets_nothing() -> None:
    facts = injury_end.TerminationFacts(grade=8, months_left=100, retired=True)

    assert injury_end.assess(facts, END_RULES).statement.total == Money.ZERO


@pytest.mark.parametrize("grade", [0, 1, 4, 11])
def test_grades_without_grants_are_refused(grade: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        injury_end.assess(injury_end.TerminationFacts(grade, 100), END_RULES)

    assert caught.value.reason == "TERMINATION_GRADE_INVALID"


@given(grade=st.integers(5, 10), months=st.integers(-12, 240), more=st.integers(0, 60), disease=st.booleans())
def test_more_months_left_never_pay_less(*, grade: int, months: int, more: int, disease: bool) -> None:
    facts = injury_end.TerminationFacts(grade, months, occupational_disease=disease)

    here = injury_end.assess(facts, END_RULES)
    further = injury_end.assess(replace(facts, months_left=months + more), END_RULES)

    assert further.medical >= here.medical
    assert further.employment >= here.employment


# Death ----------------------------------------------------------------------------------------------------------------


def test_the_one_off_grant_is_the_published_one_of_each_year() -> None:
    published = {2022: "948240.00", 2023: "985660.00", 2024: "1036420.00", 2025: "1083760.00"}

    for year, amount in published.items():
        found = injury_death.assess(Money.yuan("6000"), [], POLICY.injury_death.rules(date(year, 5, 1)))
        assert str(found.one_off) == amount


def test_a_scaled_allowance_shows_what_it_was_divided_by() -> None:
    family = [Dependant(is_spouse=True), *[Dependant(is_spouse=False)] * 3]

    found = injury_death.assess(Money.yuan("6000"), family, DEATH_RULES)

    assert [line.formula for line in found.monthly.lines][:2] == [
        "6000.00 × 0.40 ÷ 1.3 = 1846.15",
        "6000.00 × 0.30 ÷ 1.3 = 1384.62",
    ]
    assert found.scaled


def test_grades_one_to_four_after_paid_leave_have_no_one_off_grant() -> None:
    found = injury_death.assess(
        Money.yuan("6000"), [], replace(DEATH_RULES, national_income=None), after_paid_leave=True
    )

    assert found.one_off is None
    assert found.once.total == found.funeral
    with pytest.raises(InvalidInput):
        injury_death.assess(Money.yuan("6000"), [], replace(DEATH_RULES, national_income=None))


def test_half_of_the_grant_is_prepaid_for_a_missing_person() -> None:
    statement = injury_death.prepaid_for_missing(DEATH_RULES, POLICY.injury_death.missing.on(DAY))

    assert statement.line("prepaid").formula == "1083760.00 × 0.50 = 541880.00"


def test_there_is_one_spouse() -> None:
    with pytest.raises(InvalidInput) as caught:
        injury_death.assess(Money.yuan("6000"), [Dependant(is_spouse=True)] * 2, DEATH_RULES)

    assert caught.value.reason == "TWO_SPOUSES"


@given(wages, dependants)
def test_dependants_together_are_not_above_the_wage_but_for_their_half_fen(
    wage: Money, family: list[Dependant]
) -> None:
    found = injury_death.assess(wage, family, DEATH_RULES)

    together = Money.total(found.dependants)
    assert together == found.monthly.total
    assert 2 * (together.fen - wage.fen) <= len(family)
    shares = sum((one.share(DEATH_RULES.shares.value) for one in family), Decimal(0))
    assert found.scaled == (shares > 1)
    if found.scaled:
        assert 2 * abs(together.fen - wage.fen) <= len(family)


@given(wage=wages, family=dependants, alone=st.booleans())
def test_one_more_dependant_never_lowers_the_sum_by_more_than_rounding(
    *, wage: Money, family: list[Dependant], alone: bool
) -> None:
    here = injury_death.assess(wage, family, DEATH_RULES).monthly.total
    more = injury_death.assess(wage, [*family, Dependant(is_spouse=False, alone=alone)], DEATH_RULES).monthly.total

    assert more.fen >= here.fen - len(family) - 1
