"""Edges of the pensions of government employees and residents and of the disability allowance."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

from chassis.policy import open_policy, release_directory
from kernel.calendar import Month
from kernel.dated import given
from kernel.errors import InvalidInput
from kernel.money import Money
from services.benefits.domain import disability, government, resident, retirement
from services.benefits.policy import BenefitsPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

POLICY = BenefitsPolicy(open_policy(release_directory()))
DAY = date(2025, 1, 1)


def test_lines_of_the_resident_pension_stand_only_where_they_pay() -> None:
    rules = replace(
        POLICY.resident.rules("city", Month(2020, 8), age_years=60), minimum=given("least", Money.yuan("253"), DAY)
    )

    def codes(years: int, least: str = "253") -> list[str]:
        terms = replace(rules, minimum=given("least", Money.yuan(least), DAY))
        lines = resident.calculate(resident.ResidentFacts(Money(1), years), terms).statement.lines
        return [line.code for line in lines]

    assert codes(15) == ["base", "account"]
    assert codes(16) == ["base", "account", "supplement"]
    assert codes(15, "253.01") == ["base", "minimum", "account"]
    assert not resident.ResidentFacts(Money.ZERO, 0).was_60_at_start


def test_an_annuity_lasts_so_many_months() -> None:
    def annuity(balance: str) -> government.Annuity:
        return government.Annuity(Money.yuan(balance), given("payout_months", Decimal(139), DAY))

    assert (annuity("13900.00").month_count, annuity("13900.00").payment(139)) == (139, Money.yuan("100.00"))
    more = annuity("13900.60")  # 100.00 a month, sixty fen are left for the month after
    assert (more.month_count, more.payment(140), more.payment(141)) == (140, Money(60), Money.ZERO)
    assert annuity("0.60").month_count == 0  # less than half a fen a month
    assert (more.left_after(139), more.left_after(200)) == (Money(60), Money.ZERO)


def test_a_civil_servant_retires_early_by_service_or_by_less_of_it_close_to_the_age() -> None:
    terms = government.EarlyService(service_months=360, near_months=60, near_service_months=240)

    for service, left, allowed in (
        (360, 100, True),
        (359, 100, False),
        (240, 60, True),
        (239, 60, False),
        (240, 61, False),
        (360, 60, True),
    ):
        assert terms.allows(service, left) is allowed, (service, left)


def test_who_joins_and_retires_on_one_day_is_of_a_group_and_nobody_retires_before_joining() -> None:
    day = date(2014, 10, 1)

    assert POLICY.government.group(day, day) is government.Group.NEW
    assert POLICY.government.group(day, date(2014, 9, 30)) is government.Group.MIDDLE
    with pytest.raises(InvalidInput):
        POLICY.government.group(day, date(2014, 10, 2))


ROW = given("coefficient", Decimal("0.013"), DAY)
MONTHS = given("payout_months", Decimal(139), DAY)


def old(salary: int = 0, ratio: str = "0", subsidy: int = 0, increase: int = 0, growth: str = "0") -> Any:
    return government.OldMethod(Money(salary), Decimal(ratio), Money(subsidy), Money(increase), (Decimal(growth),))


@pytest.mark.parametrize(
    "make",
    [
        lambda least: government.DeemedService(Decimal(least), 0, ROW),
        lambda least: government.DeemedService(Decimal(0), least, ROW),
        lambda least: government.Annuity(Money(least), MONTHS),
        lambda least: old(salary=least),
        lambda least: old(ratio=str(least)),
        lambda least: old(subsidy=least),
        lambda least: old(increase=least),
    ],
)
def test_nothing_is_accepted_and_less_is_not(make: Callable[[int], Any]) -> None:
    assert make(0)
    with pytest.raises(InvalidInput):
        make(-1)


@pytest.mark.parametrize(("growth", "allowed"), [("-0.99", True), ("-1", False)])
def test_a_year_may_take_something_away_and_not_everything(growth: str, allowed: bool) -> None:  # noqa: FBT001 - a column
    if allowed:
        assert government.old_method(old(100_00, "1", growth=growth)).total == Money(100)
    else:
        with pytest.raises(InvalidInput):
            old(100_00, "1", growth=growth)


def test_an_average_over_all_months_has_four_decimals() -> None:
    assert str(government.average_of(Fraction(10_005, 10), 10_000)) == "0.1001"
    assert str(government.average_of(Fraction(36), 24)) == "1.5000"


@pytest.mark.parametrize(
    ("paid", "claim", "branch", "failures"),
    [
        (179, Month(2028, 1), "short", ()),
        (180, Month(2028, 1), "near", ()),
        (180, Month(2027, 3), "near", ()),  # 60 months before 2032-03
        (180, Month(2027, 2), "far", ()),
        (185, Month(2030, 1), "short", ()),  # from 2030 on the minimum is 186
        (186, Month(2030, 1), "near", ()),
        (197, Month(2032, 2), "short", ()),
        (198, Month(2032, 2), "near", ()),  # a month before the statutory one
        (198, Month(2032, 3), "near", ("STATUTORY_AGE_REACHED",)),
    ],
)
def test_the_branch_of_a_disability_allowance(paid: int, claim: Month, branch: str, failures: tuple[str, ...]) -> None:
    person = retirement.retire(retirement.Track.MALE_60, Month(1970, 9), POLICY.retirement)
    assert person.statutory == Month(2032, 3)

    terms = disability.assess(
        person, disability.DisabilityClaim(claim, paid, capacity_lost=True), POLICY.retirement, POLICY.disability
    )

    assert (terms.branch, terms.failures) == (branch, failures)
    assert (terms.pay_months is not None) == (branch == "short")
    assert terms.recompute_in == (Month(2027, 3) if branch == "far" else None)
