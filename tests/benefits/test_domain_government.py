"""The government pension: groups, the window of comparison, the new method and the occupational annuity."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.policy import open_policy, release_directory
from kernel.calendar import Month
from kernel.dated import given as a_given
from kernel.errors import InvalidInput, PolicyParameterMissing
from kernel.money import Money
from services.benefits.domain.government import (
    Annuity,
    DeemedService,
    Group,
    OldMethod,
    determine,
    given_total,
    new_method,
    old_method,
)
from services.benefits.domain.pension import PensionFacts
from services.benefits.policy import BenefitsPolicy

POLICY = BenefitsPolicy(open_policy(release_directory()))
LAW = POLICY.government
RULES = replace(POLICY.pension.rules(Month(2022, 6)), basic_rate=LAW.basic_rate.on(date(2022, 6, 1)))
PAYOUT = a_given("payout_months", Decimal(139), date(2022, 6, 1))
FACTS = PensionFacts(Decimal("1.5000"), 360, Money.yuan("83400.00"), PAYOUT)
ANNUITY = Annuity(Money.yuan("13900.50"), PAYOUT)
DEEMED = DeemedService(Decimal("1.2"), 240, a_given("coefficient", Decimal("0.013"), date(2022, 6, 1)))

amounts = st.integers(0, 2 * 10**6).map(Money)
window_days = st.dates(date(2014, 10, 1), date(2024, 9, 30))


@pytest.mark.parametrize(
    ("day", "joined", "group"),
    [
        (date(2014, 9, 30), None, Group.OLD),
        (date(2014, 10, 1), None, Group.MIDDLE),
        (date(2024, 9, 30), date(2014, 9, 30), Group.MIDDLE),
        (date(2024, 10, 1), None, Group.MIDDLE_AFTER_WINDOW),
        (date(2019, 5, 1), date(2014, 10, 1), Group.NEW),
        (date(2045, 5, 1), date(2014, 10, 1), Group.NEW),
    ],
)
def test_the_group_follows_from_two_days(day: date, joined: date | None, group: Group) -> None:
    assert LAW.group(day, joined) is group


def test_the_new_method_explains_each_item() -> None:
    statement = new_method(FACTS, RULES, deemed=DEEMED, annuity=ANNUITY)

    assert [(line.code, str(line.amount), line.formula) for line in statement.lines] == [
        ("basic", "3115.88", "8309.00 × (1 + 1.5000) ÷ 2 × 360 ÷ 12 × 0.01 = 3115.88"),
        ("account", "600.00", "83400.00 ÷ 139 = 600.00"),
        ("transitional", "2592.41", "8309.00 × 1.2 × 240 ÷ 12 × 0.013 = 2592.41"),
        ("annuity", "100.00", "13900.50 ÷ 139 = 100.00"),
    ]
    assert statement.line("basic").sources == ("GF-2015-2", "MOHRSS-2015-28")


def test_the_old_method_grows_with_every_year_and_is_rounded_once() -> None:
    service = OldMethod(
        salary=Money.yuan("3000"),
        ratio=Decimal("0.9"),
        subsidy=Money.yuan("1500.50"),
        increase=Money.yuan("300"),
        growth=(Decimal("0.055"), Decimal("0.05")),
    )

    line = old_method(service).line("old")

    assert line.formula == "(3000.00 × 0.9 + 1500.50 + 300.00) × (1 + 0.055) × (1 + 0.05) = 4985.43"
    with pytest.raises(InvalidInput):
        replace(service, growth=(Decimal(-1),))


def test_who_joined_after_the_reform_has_neither_deemed_years_nor_a_comparison() -> None:
    paid = determine(LAW, date(2022, 6, 30), old=None, new=new_method(FACTS, RULES), joined=date(2015, 1, 1))

    assert (paid.group, paid.ratio, str(paid.monthly)) == (Group.NEW, None, "3715.88")


def test_in_the_window_the_gain_is_a_line_that_shows_both_methods() -> None:
    new = new_method(FACTS, RULES, deemed=DEEMED, annuity=ANNUITY)

    paid = determine(LAW, date(2022, 6, 30), old=Money.yuan("6000.00"), new=new)

    gain = paid.statement.line("gain")
    assert (str(gain.amount), gain.formula) == ("326.63", "0.80 × (6408.29 − 6000.00) = 326.63")
    assert dict(gain.inputs)["annuity"] == "100.00"
    assert {use.key for use in gain.parameters} >= {"transition.ratio", "calculation_base"}
    assert str(paid.monthly) == "6326.63"


def test_a_new_amount_that_is_not_higher_leaves_the_old_one_with_its_ratio() -> None:
    paid = determine(LAW, date(2022, 6, 30), old=Money.yuan("6500"), new=given_total(Money.yuan("6500")))

    assert [line.code for line in paid.statement.lines] == ["old"]
    assert paid.ratio is not None
    assert paid.ratio.value == Decimal("0.80")


def test_the_coefficient_of_the_province_is_not_known() -> None:
    with pytest.raises(PolicyParameterMissing) as caught:
        LAW.coefficient.on(date(2022, 6, 30))

    assert caught.value.metadata["key"] == "transitional_coefficient"


@pytest.mark.parametrize(
    ("day", "old", "new", "joined", "reason"),
    [
        (date(2014, 1, 1), None, None, None, "OLD_AMOUNT_MISSING"),
        (date(2019, 1, 1), None, "1", None, "OLD_AMOUNT_MISSING"),
        (date(2019, 1, 1), "1", None, None, "NEW_AMOUNT_MISSING"),
        (date(2025, 1, 1), "1", None, None, "NEW_AMOUNT_MISSING"),
        (date(2019, 1, 1), "-1", "1", None, "PENSION_AMOUNT_NEGATIVE"),
        (date(2019, 1, 1), "1", "1", date(2020, 1, 1), "RETIRED_BEFORE_JOINING"),
    ],
)
def test_what_a_group_needs_is_asked_for(
    day: date, old: str | None, new: str | None, joined: date | None, reason: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        determine(
            LAW,
            day,
            old=None if old is None else Money.yuan(old),
            new=None if new is None else given_total(Money.yuan(new)),
            joined=joined,
        )

    assert caught.value.reason == reason


def test_an_annuity_is_paid_until_it_is_used_up_and_the_rest_is_inherited() -> None:
    paid = [ANNUITY.payment(number) for number in range(1, 142)]

    assert {str(amount) for amount in paid[:139]} == {"100.00"}
    assert [str(amount) for amount in paid[139:]] == ["0.50", "0.00"]
    assert Money.total(paid) == ANNUITY.balance
    assert str(ANNUITY.left_after(39)) == "10000.50"


@pytest.mark.parametrize(("balance", "months"), [(Money(-1), 139), (Money(1), 0)])
def test_an_impossible_annuity_is_refused(balance: Money, months: int) -> None:
    with pytest.raises(InvalidInput):
        Annuity(balance, a_given("payout_months", Decimal(months), date(2022, 6, 1)))


def test_negative_deemed_service_is_refused() -> None:
    with pytest.raises(InvalidInput):
        replace(DEEMED, months=-1)


@given(window_days, amounts, amounts)
def test_in_the_window_nobody_gets_less_than_the_old_amount_or_more_than_both(
    day: date, old: Money, new: Money
) -> None:
    paid = determine(LAW, day, old=old, new=given_total(new))

    assert old <= paid.monthly <= max(old, new)
    assert paid.monthly == Money.total(line.amount for line in paid.statement.lines)


@given(amounts, amounts, st.integers(2014, 2023))
def test_a_later_retirement_in_the_window_never_pays_a_smaller_share(old: Money, new: Money, year: int) -> None:
    here = determine(LAW, date(year, 12, 31), old=old, new=given_total(new))
    later = determine(LAW, date(year + 1, 9, 30), old=old, new=given_total(new))

    assert later.monthly >= here.monthly
