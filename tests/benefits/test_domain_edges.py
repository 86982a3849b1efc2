"""Both sides of the edges of benefits that are no pensions, where a changed comparison or number would go unnoticed.

The places were found by ``tools.mutants``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from chassis.policy import open_policy, release_directory
from kernel.calendar import Month
from kernel.dated import given
from kernel.errors import InvalidInput
from kernel.money import Money
from services.benefits.domain import backpay, certification, injury, injury_death, injury_end, survivors, unemployment
from services.benefits.domain.injury_death import Dependant
from services.benefits.policy import BenefitsPolicy
from tests.benefits.test_domain_injury import DEATH_RULES, END_RULES, MINIMUM, RULES

POLICY = BenefitsPolicy(open_policy(release_directory()))
LAW = POLICY.unemployment
DAY = date(2025, 6, 1)
JUNE = Month(2025, 6)


def test_the_premium_of_older_claimants_is_paid_within_a_year_of_the_age_from_2025_on() -> None:
    # The month of the age counts and a month twelve months before does; source: 人社部发〔2024〕76号 (U06).
    paid = {left: LAW.is_premium_paid(JUNE, JUNE.plus(left)) for left in (-1, 0, 1, 12, 13)}

    assert paid == {-1: False, 0: True, 1: True, 12: True, 13: False}
    assert LAW.is_premium_paid(Month(2025, 1), Month(2025, 6))
    assert not LAW.is_premium_paid(Month(2024, 12), Month(2025, 6))
    assert LAW.first_premium_month(Month(2025, 1), Month(2025, 12), Month(2026, 3)) == Month(2025, 3)
    assert LAW.first_premium_month(Month(2025, 1), Month(2025, 2), Month(2026, 3)) is None
    assert LAW.apart(JUNE) == unemployment.Apart()
    assert LAW.apart(JUNE, JUNE.plus(13)) == unemployment.Apart()


def test_a_claim_goes_on_when_less_than_a_year_is_left() -> None:
    goes_on = {left: LAW.extends(JUNE, JUNE.plus(left)) for left in (-1, 0, 1, 11, 12)}

    assert goes_on == {-1: False, 0: False, 1: True, 11: True, 12: False}


def test_what_stands_beside_the_benefit_is_money_of_the_claimant_or_not() -> None:
    rate, cap = LAW.rate(12, DAY), given("cap", Money.yuan("2490"), DAY)
    apart = unemployment.Apart(
        given("medical", Money.yuan("480.16"), DAY),
        given("price", Money.yuan("33.00"), DAY),
        given("premium", Money.yuan("990.40"), DAY),
    )

    made = unemployment.monthly_benefit(Money.yuan("4000"), rate, cap, apart=apart)

    lines = [(line.code, str(line.amount), line.inputs) for line in made.statement.lines]
    assert lines == [
        ("rate", "1800.00", (("average_base", "4000.00"),)),
        ("price_allowance", "33.00", ()),
        ("medical", "0.00", (("fund_pays", "480.16"),)),
        ("premium", "0.00", (("fund_pays", "990.40"),)),
    ]
    assert unemployment.lump_sum(made, 7).total == Money.yuan("12831.00")


def test_a_benefit_that_meets_its_floor_is_not_raised_by_it() -> None:
    floor = given("floor", Money.yuan("1800"), DAY)

    made = unemployment.monthly_benefit(Money.yuan("4000"), LAW.rate(12, DAY), None, floor)

    assert (made.limited_by, [line.code for line in made.statement.lines]) == ("rate", ["rate"])
    nothing = unemployment.monthly_benefit(Money.ZERO, LAW.rate(12, DAY), None, given("floor", Money.ZERO, DAY))
    assert nothing.monthly == Money.ZERO


@pytest.mark.parametrize("wrong", [("-0.01", "1", "1"), ("1", "-0.01", "1"), ("1", "1", "-0.01")])
def test_negative_figures_of_unemployment_are_refused(wrong: tuple[str, str, str]) -> None:
    average, cap, floor = map(Money.yuan, wrong)

    with pytest.raises(InvalidInput, match="UNEMPLOYMENT_AMOUNT_NEGATIVE"):
        unemployment.monthly_benefit(average, LAW.rate(12, DAY), given("cap", cap, DAY), given("floor", floor, DAY))


def test_an_own_wage_says_which_limit_it_met() -> None:
    limits, area = RULES.limits, given("area", Money.yuan("8254"), DAY)
    said = {
        text: injury.own_wage(Money.yuan(text), limits, area).formula
        for text in ("4952.39", "4952.40", "24762.00", "24762.01")
    }

    assert said["4952.39"] == "4952.39 < 0.6 × 8254.00 → 4952.40"
    assert (said["4952.40"], said["24762.00"]) == ("4952.40", "24762.00")
    assert said["24762.01"] == "24762.01 > 3.0 × 8254.00 → 24762.00"
    assert injury.own_wage(Money.ZERO, limits, given("area", Money.ZERO, DAY)).amount == Money.ZERO
    provisional = replace(area, provisional=True)
    assert injury.own_wage(Money.yuan("1"), limits, provisional).provisional


def test_twelve_months_are_averaged_and_thirteen_are_not() -> None:
    assert injury.average_base([Money.yuan("6000")] * 12) == Money.yuan("6000")
    with pytest.raises(InvalidInput, match="MORE_THAN_12_MONTHS"):
        injury.average_base([Money.yuan("6000")] * 13)


def test_an_allowance_of_the_minimum_wage_is_not_topped_up() -> None:
    wage = MINIMUM.value.divided(7) * 10  # 70 % of it is 2490.00 and a few fen less or more
    exact = replace(RULES, minimum_wage=given("min", wage.times(Decimal("0.70")), DAY), area_average=AREA_LOW)

    made = injury.assess(5, wage, exact)

    assert (made.topped_up, [line.code for line in made.monthly.lines]) == (False, ["allowance"])


AREA_LOW = given("area", Money.yuan("3000"), DAY)


@pytest.mark.parametrize(("allowance", "pension"), [("-0.01", "1"), ("1", "-0.01")])
def test_a_pension_below_nothing_is_not_topped_up(allowance: str, pension: str) -> None:
    with pytest.raises(InvalidInput, match="INJURY_WAGE_NEGATIVE"):
        injury.retirement_top_up(Money.yuan(allowance), Money.yuan(pension))
    assert injury.retirement_top_up(Money.ZERO, Money.ZERO).total == Money.ZERO


@pytest.mark.parametrize(("factor", "is_allowed"), [("0.79", False), ("0.80", True), ("1.20", True), ("1.21", False)])
def test_a_city_floats_within_a_fifth(*, factor: str, is_allowed: bool) -> None:
    facts = injury_end.TerminationFacts(grade=10, months_left=200)
    rules = replace(END_RULES, city_factor=given("city", Decimal(factor), DAY))

    if not is_allowed:
        with pytest.raises(InvalidInput, match="CITY_FACTOR_INVALID"):
            injury_end.assess(facts, rules)
        return
    made = injury_end.assess(facts, rules)
    assert made.medical == Money.yuan("30000").times(Decimal(factor))
    assert made.statement.lines[0].formula == f"30000.00 × {factor} = {made.medical}"


def test_a_grade_needs_both_grants() -> None:
    rules = replace(END_RULES, employment=given("employment", {}, DAY))

    with pytest.raises(InvalidInput, match="TERMINATION_GRADE_INVALID"):
        injury_end.assess(injury_end.TerminationFacts(grade=10, months_left=1), rules)


def test_a_worker_asks_to_leave_unless_something_else_is_said() -> None:
    plain = injury_end.TerminationFacts(grade=10, months_left=14)

    made = injury_end.assess(plain, END_RULES)

    assert (str(made.ratio), str(made.medical), str(made.employment)) == ("0.20", "6000.00", "3000.00")
    assert made.statement.lines[0].formula == "30000.00 × 0.20 = 6000.00"


def test_a_death_takes_the_income_of_the_year_before() -> None:
    rules = POLICY.injury_death.rules(date(2025, 1, 1))

    assert rules.national_income is not None
    assert (rules.national_income.value, rules.area_average.value) == (Money.yuan("54188"), Money.yuan("8254"))


def test_dependants_are_numbered_from_one_and_not_alone_unless_said() -> None:
    made = injury_death.assess(Money.yuan("6000"), [Dependant(is_spouse=True), Dependant(is_spouse=False)], DEATH_RULES)

    assert [(line.code, str(line.amount)) for line in made.monthly.lines] == [
        ("dependant.1", "2400.00"), ("dependant.2", "1800.00"),
    ]  # fmt: skip
    assert made.one_off == Money.yuan("1083760.00")
    for wage, area in ((Money.yuan("-0.01"), "8254"), (Money.ZERO, "-0.01")):
        with pytest.raises(InvalidInput, match="INJURY_WAGE_NEGATIVE"):
            injury_death.assess(wage, [], replace(DEATH_RULES, area_average=given("area", Money.yuan(area), DAY)))
    free = replace(DEATH_RULES, area_average=given("area", Money.ZERO, DAY))
    assert injury_death.assess(Money.ZERO, [], free).funeral == Money.ZERO


def test_shares_together_are_shown_as_they_are() -> None:
    family = [Dependant(is_spouse=True), *[Dependant(is_spouse=False)] * 3]

    lines, is_scaled = injury_death.dependants_lines(Money.yuan("6000"), family, DEATH_RULES.shares)

    assert is_scaled
    assert ("shares_together", "1.3") in lines[0].inputs


def test_survivors_of_few_years_leave_the_limit_open_only_without_contributions() -> None:
    rules = POLICY.survivors.rules(date(2025, 3, 1))
    for months, own, is_open in ((59, None, True), (59, Money.yuan("1"), False), (60, None, False)):
        facts = survivors.SurvivorFacts(months, own_contributions=own)
        assert survivors.assess(facts, rules).limit_open is is_open
    exact = survivors.SurvivorFacts(59, own_contributions=Money.yuan("27570"))
    assert [line.code for line in survivors.assess(exact, rules).statement.lines] == ["funeral", "pension"]


def test_survivors_months_are_shown_whole_or_as_their_fraction() -> None:
    rules = POLICY.survivors.rules(date(2025, 3, 1))
    shown = {}
    for facts in (survivors.SurvivorFacts(240), survivors.SurvivorFacts(245, drawn_months=7)):
        (line,) = (one for one in survivors.assess(facts, rules).statement.lines if one.code == "pension")
        shown[facts.contribution_months] = dict(line.inputs)

    assert shown[240] == {"base": "5514.00", "contribution_months": "240", "months": "14"}
    assert shown[245] == {"base": "5514.00", "contribution_months": "245", "drawn_months": "7", "months": "83/6"}


def test_no_income_pays_nothing_and_less_is_refused() -> None:
    none = survivors.base_of(given("income", Money.ZERO, DAY))
    rules = replace(POLICY.survivors.rules(date(2025, 3, 1)), base=none)

    assert survivors.assess(survivors.SurvivorFacts(1), rules).total == Money.ZERO
    with pytest.raises(InvalidInput, match="SURVIVOR_FACTS_NEGATIVE"):
        survivors.base_of(given("income", Money(-1), DAY))
    with pytest.raises(InvalidInput, match="SURVIVOR_FACTS_NEGATIVE"):
        survivors.assess(survivors.SurvivorFacts(1), replace(rules, base=given("base", Money(-1), DAY)))
    with pytest.raises(InvalidInput, match="FUNERAL_GRANT_NEGATIVE"):
        survivors.choose_funeral({"pension": Money(1), "work_injury": Money(-1)})


def test_a_reminder_begins_on_its_day_and_a_success_is_good_for_cycle_and_grace() -> None:
    terms = POLICY.certification.terms(DAY)
    begins = date(2026, 3, 31) - timedelta(days=30)

    asked = [certification.assess(date(2025, 3, 15), begins + timedelta(days=days), terms).is_due for days in (-1, 0)]

    assert asked == [False, True]
    kind = replace(terms, cycle_months=given("cycle", 12, DAY), grace_months=given("grace", 2, DAY))
    assert certification.good_from(date(2026, 6, 15), kind) == date(2025, 4, 1)
    for cycle, grace, is_good in ((1, 0, True), (0, 0, False), (1, -1, False), (0, -1, False)):
        odd = replace(terms, cycle_months=given("cycle", cycle, DAY), grace_months=given("grace", grace, DAY))
        if is_good:
            assert certification.assess(DAY, DAY, odd).due_by == date(2025, 7, 31)
            continue
        with pytest.raises(InvalidInput, match="CERTIFICATION_TERMS_INVALID"):
            certification.assess(DAY, DAY, odd)


def test_a_plan_says_what_it_leaves_and_ends_with_the_rest() -> None:
    def plan(total: int, offset: int, instalment: int) -> backpay.RecoveryPlan:
        return backpay.plan_recovery(Money(total), offset=Money(offset), instalment=Money(instalment), first=JUNE)

    made = plan(1000, 300, 300)
    assert [(str(one.month), one.amount.fen) for one in made.instalments] == [
        ("2025-06", 300), ("2025-07", 300), ("2025-08", 100),
    ]  # fmt: skip
    assert (made.offset, made.left) == (Money(300), Money.ZERO)
    assert backpay.RecoveryPlan(Money(1000), Money(300), made.instalments[:1]).left == Money(400)
    assert (plan(300, 900, 0).offset, plan(0, 0, 0).instalments) == (Money(300), ())
    for wrong in ((-1, 5, 5), (5, -1, 5)):
        with pytest.raises(InvalidInput, match="RECOVERY_AMOUNT_NEGATIVE"):
            plan(*wrong)
    with pytest.raises(InvalidInput, match="INSTALMENT_INVALID"):
        plan(5, 0, 0)


def test_months_are_paid_by_the_amounts_of_their_time() -> None:
    amounts = [backpay.MonthlyAmount(JUNE, Money(100)), backpay.MonthlyAmount(JUNE.plus(2), Money(300))]

    made = backpay.resume(JUNE.plus(1), JUNE.plus(3).first_day, amounts)

    assert [(line.code, line.amount.fen) for line in made.statement.lines] == [
        ("resumed.2025-07", 100), ("resumed.2025-08", 600),
    ]  # fmt: skip
    assert backpay.resume(JUNE.plus(2), JUNE.plus(2).first_day, amounts).total == Money(300)
    paid = backpay.from_payments({JUNE: Money(5), JUNE.plus(2): Money(7)})
    assert [(str(one.from_month), one.amount.fen) for one in paid] == [
        ("2025-06", 5), ("2025-07", 0), ("2025-08", 7), ("2025-09", 0),
    ]  # fmt: skip
    assert backpay.from_payments({}) == ()
    late, again = backpay.MonthlyAmount(JUNE.plus(1), Money(1)), backpay.MonthlyAmount(JUNE, Money(1))
    less = [backpay.MonthlyAmount(JUNE, Money(1)), backpay.MonthlyAmount(JUNE.next, Money(-1))]
    for wrong in ([late], [], [*amounts, again], less):
        with pytest.raises(InvalidInput, match="MONTHLY_AMOUNTS_INVALID"):
            backpay.resume(JUNE, JUNE.next.first_day, wrong)
