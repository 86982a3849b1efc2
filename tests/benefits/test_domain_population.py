"""Many people at once: equal to the one-person form on every fen, or refused."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.policy import open_policy, release_directory
from kernel.calendar import Month
from kernel.dated import given as a_given
from kernel.errors import InvalidInput, PolicyParameterMissing
from kernel.money import Money
from services.benefits.domain import population
from services.benefits.domain.adjustment import AdjustmentFacts, Amounts, TiltBand, YearBand, adjust
from services.benefits.domain.pension import PensionFacts, PensionRules, calculate
from services.benefits.domain.population import Pensioners, adjustments, pensions
from services.benefits.policy import BenefitsPolicy

LAW = BenefitsPolicy(open_policy(release_directory())).pension
DAY = date(2025, 6, 1)
PAYOUTS = [Decimal(text) for text in ("233", "195", "170", "169.5", "139", "138.4", "137.3", "101", "56")]
RETIREMENTS = [Month(2024, 3), Month(2025, 6), Month(2026, 7)]


def a_person(random: Random) -> PensionFacts:
    """Anybody: with and without years before 1996, an index of four decimals or an endless fraction, an old amount."""
    before_1996 = random.randrange(0, 300) if random.random() < 0.7 else 0
    index: Fraction | Decimal | None = random.choice(
        [
            None,
            Decimal(random.randrange(0, 40_000)).scaleb(-4),
            Fraction(random.randrange(1, 10**9), random.randrange(1, 10**9)),
        ]
    )
    if index is not None and index > 5:
        index = Fraction(index) / 10**9 + 1
    return PensionFacts(
        index=Decimal(random.randrange(0, 3_500_000)).scaleb(-6),
        months=random.randrange(0, 600),
        balance=Money(random.randrange(0, 10**8)),
        payout_months=a_given("payout_months", random.choice(PAYOUTS), DAY),
        transitional_index=index,
        pre1996_months=before_1996,
        old_transitional=Money(random.randrange(0, 300_000)) if random.random() < 0.5 else None,
    )


def differences(people: list[PensionFacts], rules: PensionRules) -> list[tuple[int, object, object]]:
    found = pensions(Pensioners.of(people), rules)
    columns = (found.basic, found.account, found.transitional_new, found.transitional_paid, found.total)
    wrong: list[tuple[int, object, object]] = []
    for row, (facts, *fen) in enumerate(zip(people, *(column.tolist() for column in columns), strict=True)):
        one = calculate(facts, rules)
        expected = [one.basic, one.account, one.transitional_new, one.transitional_paid, one.monthly_total]
        if [amount.fen for amount in expected] != fen:
            wrong.append((row, expected, fen))
    return wrong


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), retirement=st.sampled_from(RETIREMENTS))
def test_pensions_of_a_population_are_those_of_its_people(seed: int, retirement: Month) -> None:
    random = Random(seed)

    assert differences([a_person(random) for _ in range(200)], LAW.rules(retirement)) == []


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), minimum=st.none() | st.integers(0, 10_000).map(Money))
def test_adjustments_of_a_population_are_those_of_its_people(seed: int, minimum: Money | None) -> None:
    random = Random(seed)
    law = a_given(
        "amounts",
        Amounts(
            flat=Money(random.randrange(0, 5000)),
            per_year=(YearBand(15, Decimal(random.randrange(0, 3000)).scaleb(-3)), YearBand(None, Decimal("1.505"))),
            percent=Decimal(random.randrange(0, 500)).scaleb(-4),
            tilt=(TiltBand(70, 74, Money(1500)), TiltBand(75, 79, Money(2500)), TiltBand(80, None, Money(4000))),
            per_year_minimum=minimum,
            increase_minimum=None if minimum is None else minimum * 3,
        ),
        DAY,
    )
    people = [
        AdjustmentFacts(Money(random.randrange(0, 2 * 10**6)), random.randrange(0, 60), random.randrange(40, 110))
        for _ in range(200)
    ]

    found = adjustments(
        np.array([one.pension.fen for one in people]),
        np.array([one.full_years for one in people]),
        np.array([one.age for one in people]),
        law,
    )

    expected = [adjust(one, law) for one in people]
    assert found.new_pension.tolist() == [one.new_pension.fen for one in expected]
    assert found.increase.tolist() == [one.increase.fen for one in expected]
    for code, column in (("years", found.years), ("percent", found.percent), ("tilt", found.tilt)):
        assert column.tolist() == [one.item(code).fen for one in expected]


def test_an_index_that_eight_decimals_cannot_tell_is_redone_by_the_one_person_form() -> None:
    # 8917.00 × index × 1 ÷ 12 × 0.012 is half a fen above a whole one, but for the last part of an endless fraction.
    rules = replace(LAW.rules(Month(2026, 7)), base=a_given("base", Money.yuan("1000.00"), DAY))
    exactly_half = Fraction(1005, 1000)  # 1000.00 × 1.005 × 12 ÷ 12 × 0.012 = 12.06; × 1 month = 1.005
    person = PensionFacts(
        index=Decimal(1),
        months=12,
        balance=Money.ZERO,
        payout_months=a_given("payout_months", Decimal(139), DAY),
        transitional_index=exactly_half - Fraction(1, 3 * 10**9),
        pre1996_months=1,
    )
    above = replace(person, transitional_index=exactly_half + Fraction(1, 3 * 10**9))

    found = pensions(Pensioners.of([person, above, replace(person, transitional_index=exactly_half)]), rules)

    assert found.transitional_new.tolist() == [100, 101, 101]
    assert found.redone == 1


def test_nobody_at_all_is_a_population_too() -> None:
    assert pensions(Pensioners.of([]), LAW.rules(Month(2025, 6))).total.tolist() == []


def test_a_ratio_that_nobody_verified_is_asked_for_only_when_it_counts() -> None:
    people = [a_person(Random(seed)) for seed in range(50)]
    plain = [replace(one, old_transitional=None) for one in people]

    assert differences(plain, LAW.rules(Month(2023, 6))) == []
    with pytest.raises(PolicyParameterMissing):
        pensions(Pensioners.of(people), LAW.rules(Month(2023, 6)))


def test_amounts_that_would_leave_sixty_four_bits_are_refused() -> None:
    person = replace(a_person(Random(1)), balance=Money(2**60))

    with pytest.raises(InvalidInput) as caught:
        pensions(Pensioners.of([person]), LAW.rules(Month(2025, 6)))

    assert caught.value.reason == "COLUMNS_INVALID"


def test_columns_that_do_not_belong_together_are_refused() -> None:
    people = Pensioners.of([a_person(Random(seed)) for seed in range(3)])
    negative = np.array([1, -1, 1])

    for wrong in (
        {"months": np.array([1, 2])},
        {"months": np.array([True, True, True])},
        {"balance": negative},
        {"payout": np.array([0, 1, 1])},
        {"is_exact": np.array([False, False, False]), "facts": None},
    ):
        with pytest.raises(InvalidInput):
            replace(people, **wrong)
    with pytest.raises(InvalidInput):
        Pensioners.of([replace(a_person(Random(1)), payout_months=a_given("payout_months", Decimal("139.25"), DAY))])
    with pytest.raises(InvalidInput):
        adjustments(
            np.array([1]),
            np.array([151]),
            np.array([70]),
            a_given("amounts", Amounts(Money(1), (), Decimal(0), ()), DAY),
        )


def test_each_row_is_divided_as_whole_numbers_are() -> None:
    """Around every half, around the last double that is exact, and above it."""
    random = Random(7)
    rows = [(random.randrange(1, 4_000), random.randrange(0, 2**40)) for _ in range(1_000)]
    rows += [(divisor, 2**52 // divisor - step) for divisor in (1, 3, 1695, 2330) for step in range(3)]
    rows += [(divisor, 2**60 // divisor + step) for divisor in (1, 3, 1695) for step in range(3)]
    for large in (False, True):  # one row above the limit takes all of them the other way
        pairs = [
            (divisor, quotient * divisor + shift)
            for divisor, quotient in rows
            for shift in (-divisor // 2 - 1, -divisor // 2, -divisor // 2 + 1, -1, 0, 1, divisor // 2, divisor // 2 + 1)
            if quotient * divisor + shift >= 0 and ((quotient + 1) * divisor < 2**52 or large)
        ]
        divisors = np.array([divisor for divisor, _ in pairs], dtype=np.int64)
        found = population._half_up_each(np.array([number for _, number in pairs], dtype=np.int64), divisors)
        assert found.tolist() == [(2 * number + divisor) // (2 * divisor) for divisor, number in pairs]


def test_blocks_meet_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    """People in blocks as all at once, those who are redone in the last block too."""
    rules = replace(LAW.rules(Month(2026, 7)), base=a_given("base", Money.yuan("1000.00"), DAY))
    random = Random(11)
    people = [a_person(random) for _ in range(40)]
    edge = replace(people[0], transitional_index=Fraction(1005, 1000) - Fraction(1, 3 * 10**9), pre1996_months=1)
    columns = Pensioners.of([*people, replace(edge, old_transitional=None)])
    whole = pensions(columns, rules)

    monkeypatch.setattr(population, "_BLOCK", 8)
    blocks = pensions(columns, rules)

    for name in ("basic", "account", "transitional_new", "transitional_paid", "total"):
        assert np.array_equal(getattr(blocks, name), getattr(whole, name))
    assert blocks.redone == whole.redone == 1
