"""Edges of the pension rules that a changed sign or a number one off would not be noticed at elsewhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from chassis.policy import open_policy, release_directory
from kernel.calendar import Month
from kernel.dated import given
from kernel.errors import DomainError, InvalidInput, PolicyParameterMissing
from kernel.money import Money
from services.benefits.domain import adjustment, certification, pension, retirement
from services.benefits.history import History, YearRecord
from services.benefits.kinds.contributed import years_of
from services.benefits.policy import BenefitsPolicy

POLICY = BenefitsPolicy(open_policy(release_directory()))
DAY = date(2025, 1, 1)
DEMO = adjustment.demo_amounts(POLICY.adjustment, 2025)
FLAT = adjustment.Amounts(Money.yuan("20"), (), Decimal(0), ())


def reason(error: pytest.ExceptionInfo[DomainError]) -> str:
    return error.value.reason


# Retirement ----------------------------------------------------------------------------------------------------------


def test_special_work_is_a_month_without_a_window() -> None:
    man = retirement.retire_from_special_work("male", Month(1970, 11), POLICY.retirement)

    assert (man.track, man.delay_months, man.flexible) == (retirement.Track.MALE_60, 3, False)
    assert {man.earliest, man.statutory, man.latest} == {Month(2026, 2)}
    with pytest.raises(PolicyParameterMissing):
        retirement.retire_from_special_work("female", Month(1980, 11), POLICY.retirement)


def test_a_refused_choice_names_its_first_reason_and_what_would_be_allowed() -> None:
    person = retirement.retire(retirement.Track.MALE_60, Month(1970, 6), POLICY.retirement)
    choice = retirement.choose(person, Month(2030, 5), 0, POLICY.retirement)

    assert choice.reasons == ("TOO_EARLY", "CONTRIBUTION_SHORT")
    with pytest.raises(DomainError) as caught:
        retirement.require(person, choice)
    assert reason(caught) == "TOO_EARLY"
    assert caught.value.metadata["earliest"] == "2030-06"


@pytest.mark.parametrize("months", [-1, -100])
def test_contribution_months_below_none_are_refused(months: int) -> None:
    person = retirement.retire(retirement.Track.MALE_60, Month(1970, 6), POLICY.retirement)
    with pytest.raises(InvalidInput):
        retirement.choose(person, person.statutory, months, POLICY.retirement)
    with pytest.raises(InvalidInput):
        retirement.disability_months(months, POLICY.retirement, Month(2026, 1))


# Employee pension ----------------------------------------------------------------------------------------------------


def pension_facts(**more: object) -> pension.PensionFacts:
    plain = pension.PensionFacts(
        index=Decimal(1), months=180, balance=Money.ZERO, payout_months=given("payout_months", Decimal(139), DAY)
    )
    return replace(plain, **more)  # type: ignore[arg-type]  # fields of PensionFacts


@pytest.mark.parametrize("retired", [Month(2024, 11), Month(2024, 12)])
def test_the_base_is_that_of_the_year_of_the_first_payment(retired: Month) -> None:
    base = POLICY.pension.rules(retired).base

    assert str(base.value) == {2024: "8785.00", 2025: "8917.00"}[retired.next.year]


def test_alike_by_both_methods_needs_no_ratio_and_says_so() -> None:
    rules = POLICY.pension.rules(Month(2023, 6))  # a ratio of that year is not known
    facts = pension_facts(transitional_index=Fraction(1), pre1996_months=100)
    new = pension.calculate(facts, rules).transitional_new

    alike = pension.calculate(replace(facts, old_transitional=new), rules)

    assert alike.transitional_paid == new
    assert alike.statement.line("transitional").formula.endswith(f"= {new} ≤ {new} → {new}")
    with pytest.raises(PolicyParameterMissing):
        pension.calculate(replace(facts, old_transitional=new - Money(1)), rules)


@pytest.mark.parametrize(("year", "shown"), [(2025, True), (2026, False)])
def test_a_blend_is_shown_where_it_takes_something_away(year: int, shown: bool) -> None:  # noqa: FBT001 - a column
    rules = POLICY.pension.rules(Month(year, 6))
    facts = pension_facts(transitional_index=Fraction(1), pre1996_months=12, old_transitional=Money.yuan("100.00"))

    line = pension.calculate(facts, rules).statement.line("transitional")

    added = "; 100.00 + 0.70 × (107.00 − 100.00) = 104.90" if shown else ""
    assert line.formula == f"8917.00 × 1.0000 × 12 ÷ 12 × 0.012 = 107.00{added}"
    assert dict(line.inputs) == {"index": "1.0000", "pre1996_months": "12", "new": "107.00", "old": "100.00"}
    assert "old" not in dict(
        pension.calculate(replace(facts, old_transitional=None), rules).statement.line("transitional").inputs
    )


def test_an_old_amount_alone_shows_an_index_of_nothing() -> None:
    line = pension.calculate(pension_facts(old_transitional=Money(1)), POLICY.pension.rules(Month(2025, 6)))

    assert "× 0.0000 × 0 ÷ 12" in line.statement.line("transitional").formula


def test_a_cap_holds_month_by_month() -> None:
    """Of the year's base 12,000: one month at five times of it, one at once; by the year both would fit under three."""
    row = given("index_base", Money.yuan("12000"), DAY)
    record = YearRecord((5000_00, 1000_00, *(0,) * 10), "PP..........")
    (bases,) = years_of(History.of_years({2025: record}))
    years = [pension.IndexYear(bases, row)]

    assert pension.average_index(years).exact == 3
    assert pension.average_index(years, cap=Decimal(3)).exact == 2
    assert pension.average_index(years, cap=Decimal(5)).exact == 3
    alike = [pension.IndexYear(pension.YearOfBases(2025, Money.yuan("8000"), 2), row)]
    assert pension.average_index(alike, cap=Decimal(3)).exact == 3
    assert pension.average_index(alike, cap=Decimal(3), deemed_months=1).exact == 2
    assert pension.average_index(alike, deemed_months=1, denominator="actual_months").exact == 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"months": -1},
        {"pre1996_months": -1},
        {"index": Decimal("-0.0001")},
        {"balance": Money(-1)},
        {"transitional_index": Fraction(-1, 10**6)},
        {"old_transitional": Money(-1)},
    ],
)
def test_facts_below_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as caught:
        pension_facts(**wrong)
    assert reason(caught) == "PENSION_FACTS_NEGATIVE"


@pytest.mark.parametrize(("payout", "allowed"), [("-1", False), ("0", False), ("0.1", True)])
def test_an_account_is_paid_over_more_than_no_month(payout: str, allowed: bool) -> None:  # noqa: FBT001 - a column
    row = given("payout_months", Decimal(payout), DAY)
    if allowed:
        assert pension_facts(payout_months=row).payout_months is row
    else:
        with pytest.raises(InvalidInput):
            pension_facts(payout_months=row)


def test_law_and_years_below_nothing_are_refused() -> None:
    rules = POLICY.pension.rules(Month(2025, 6))
    row = given("index_base", Money.yuan("12000"), DAY)
    year = pension.YearOfBases(2025, Money.yuan("1000"), 1)
    other = pension.IndexYear(pension.YearOfBases(2024, Money.yuan("1000"), 12), row)
    for wrong in (
        pension.IndexYear(year._replace(months=-1), row),
        pension.IndexYear(year._replace(base_total=Money(-1)), row),
        pension.IndexYear(year, given("index_base", Money.ZERO, DAY)),
    ):
        with pytest.raises(InvalidInput):
            pension.average_index([wrong, other])
    with pytest.raises(InvalidInput):
        pension.average_index([other], deemed_months=-1)
    with pytest.raises(InvalidInput):
        replace(rules, base=given("base", Money(-1), DAY))
    with pytest.raises(InvalidInput):
        pension.recompute(pension_facts(), rules, rules, paid_months=-1)


# Adjustment and certification ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({"percent": Decimal("0.15")}, ""),
        ({"percent": Decimal("0.1501")}, "ADJUSTMENT_PERCENT_ABSURD"),
        ({"flat": Money.yuan("1000")}, ""),
        ({"flat": Money.yuan("1000.01")}, "ADJUSTMENT_AMOUNT_ABSURD"),
        ({"per_year": (adjustment.YearBand(None, Decimal(100)),)}, ""),
        ({"per_year": (adjustment.YearBand(None, Decimal("100.01")),)}, "ADJUSTMENT_AMOUNT_ABSURD"),
        ({"tilt": (adjustment.TiltBand(0, None, Money.yuan("1000")),)}, ""),
        ({"tilt": (adjustment.TiltBand(0, None, Money.yuan("1000.01")),)}, "ADJUSTMENT_AMOUNT_ABSURD"),
        ({"per_year_minimum": Money.yuan("1000")}, ""),
        ({"per_year_minimum": Money.yuan("1000.01")}, "ADJUSTMENT_AMOUNT_ABSURD"),
        ({"increase_minimum": Money.yuan("1000")}, ""),
        ({"increase_minimum": Money.yuan("1000.01")}, "ADJUSTMENT_AMOUNT_ABSURD"),
        ({"flat": Money.ZERO}, "ADJUSTMENT_EMPTY"),
        ({"flat": Money.ZERO, "percent": Decimal("0.01")}, ""),
        ({"flat": Money.ZERO, "per_year": (adjustment.YearBand(None, Decimal("0.1")),)}, ""),
        ({"flat": Money.ZERO, "tilt": (adjustment.TiltBand(70, None, Money(1)),)}, ""),
        ({"flat": Money.ZERO, "increase_minimum": Money(1)}, ""),
    ],
)
def test_what_a_notice_may_say(changed: dict[str, object], refused: str) -> None:
    amounts = replace(FLAT, **changed)  # type: ignore[arg-type]  # fields of Amounts
    if not refused:
        adjustment.require_plausible(amounts)
        return
    with pytest.raises(InvalidInput) as caught:
        adjustment.require_plausible(amounts)
    assert reason(caught) == refused


def tilts(*ages: tuple[int, int | None]) -> tuple[adjustment.TiltBand, ...]:
    return tuple(adjustment.TiltBand(first, last, Money(100)) for first, last in ages)


def bands(*ends: int | None) -> tuple[adjustment.YearBand, ...]:
    return tuple(adjustment.YearBand(end, Decimal(1)) for end in ends)


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({"tilt": tilts((0, 0), (1, 1), (2, None))}, ""),
        ({"tilt": tilts((-1, None))}, "ADJUSTMENT_TILT_INVALID"),
        ({"tilt": tilts((70, 69))}, "ADJUSTMENT_TILT_INVALID"),
        ({"tilt": tilts((70, 75), (75, 79))}, "ADJUSTMENT_TILT_INVALID"),
        ({"tilt": tilts((70, None), (200, None))}, "ADJUSTMENT_TILT_INVALID"),
        ({"per_year": bands(1, 2, None)}, ""),
        ({"per_year": bands(0, None)}, "ADJUSTMENT_BANDS_INVALID"),
        ({"per_year": bands(15, 15)}, "ADJUSTMENT_BANDS_INVALID"),
        ({"per_year": bands(None, 15)}, "ADJUSTMENT_BANDS_INVALID"),
        ({"percent": Decimal("-0.0001")}, "ADJUSTMENT_AMOUNT_NEGATIVE"),
    ],
)
def test_bands_rise_without_overlap(changed: dict[str, object], refused: str) -> None:
    if not refused:
        assert replace(FLAT, **changed)  # type: ignore[arg-type]  # fields of Amounts
        return
    with pytest.raises(InvalidInput) as caught:
        replace(FLAT, **changed)  # type: ignore[arg-type]  # fields of Amounts
    assert reason(caught) == refused


def test_a_demonstration_says_so_in_its_items_and_nowhere_else() -> None:
    facts = adjustment.AdjustmentFacts(Money.yuan("3500.01"), 32, 76)

    titles = {line.code: line.title_en for line in adjustment.adjust(facts, DEMO).statement.lines}
    real = adjustment.adjust(facts, given("amounts", DEMO.value, DAY)).statement.lines

    assert {code for code, title in titles.items() if "demonstration" in title} == {"flat", "years", "percent", "tilt"}
    assert not any("demonstration" in line.title_en for line in real)


def test_a_cycle_may_be_a_month_and_neither_less_nor_a_negative_grace() -> None:
    terms = POLICY.certification.terms(DAY)

    def assess(cycle: int, grace: int) -> certification.Certification:
        changed = replace(terms, cycle_months=given("c", cycle, DAY), grace_months=given("g", grace, DAY))
        return certification.assess(date(2025, 1, 31), date(2025, 2, 28), changed)

    assert (assess(1, 0).due_by, str(assess(1, 0).suspended_from)) == (date(2025, 2, 28), "2025-03")
    assert (assess(1, 2).due_by, str(assess(1, 2).suspended_from)) == (date(2025, 2, 28), "2025-05")
    for cycle, grace in ((0, 0), (1, -1)):
        with pytest.raises(InvalidInput):
            assess(cycle, grace)


@pytest.mark.parametrize("grace", [0, 2])
def test_the_first_day_that_is_still_good_is_a_day_after_the_last_that_is_not(grace: int) -> None:
    today = date(2026, 3, 15)
    terms = replace(POLICY.certification.terms(today), grace_months=given("grace", grace, DAY))

    good = certification.good_from(today, terms)

    assert good == date(2025, 3 - grace, 1)
    assert certification.assess(good, today, terms).state == "valid"
    assert certification.assess(good - timedelta(days=1), today, terms).state == "suspended"
