"""A hundred thousand random people and more in each run: many at once are equal to one by one, on every fen."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise
from random import Random
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.calendar import Month
from kernel.dated import given as a_given
from kernel.money import Money
from services.benefits.adjusting import Terms, again, digest_of, notice
from services.benefits.domain.adjustment import (
    AdjustmentFacts,
    Amounts,
    TiltBand,
    YearBand,
    adjust,
    age_for,
    full_years,
)
from services.benefits.domain.impact import Impact, People, impact
from services.benefits.lifecycle import Kind
from services.benefits.operations.adjusting_annual import changes, impact_of
from services.benefits.store.adjusting_annual import People as Chunk
from tests.benefits.test_domain_population import LAW, RETIREMENTS, a_person, differences

PEOPLE = 1_000
EXAMPLES = 101
MANY = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


def some_terms(random: Random, year: int = 2026) -> Terms:
    amounts = Amounts(
        flat=Money(random.randrange(0, 5000)),
        per_year=(
            YearBand(random.randrange(1, 20), Decimal(random.randrange(0, 3000)).scaleb(-3)),
            YearBand(None, Decimal(random.randrange(0, 3000)).scaleb(-3)),
        ),
        percent=Decimal(random.randrange(0, 1500)).scaleb(-4),
        tilt=(TiltBand(70, 74, Money(1500)), TiltBand(80, None, Money(random.randrange(0, 9000)))),
        per_year_minimum=random.choice([None, Money(random.randrange(0, 4000))]),
        increase_minimum=random.choice([None, Money(random.randrange(0, 20_000))]),
    )
    return Terms(year, notice(amounts, year, "苏人社发(2026)1号"))


def a_chunk(random: Random, count: int, known: float = 1.0) -> Chunk:
    """Benefits as the job reads them; of some the date of birth or the months are not known."""
    months = [random.randrange(0, 600) if random.random() <= known else -1 for _ in range(count)]
    return Chunk(
        benefit_ids=[UUID(int=random.getrandbits(128)) for _ in range(count)],
        person_ids=[UUID(int=random.getrandbits(128)) for _ in range(count)],
        kinds=[random.choice([Kind.EMPLOYEE_PENSION, Kind.GOVERNMENT_PENSION]).value for _ in range(count)],
        provisional=[False] * count,
        numbers=[1] * count,
        monthly=np.array([random.randrange(0, 2 * 10**6) for _ in range(count)], dtype=np.int64),
        months=np.array(months, dtype=np.int64),
        birth=np.array([random.randrange(1915 * 12, 1980 * 12) for _ in range(count)], dtype=np.int64),
        first=np.array([random.randrange(2010 * 12, 2026 * 12 + 1) for _ in range(count)], dtype=np.int64),
        until=np.array([2026 * 12 + random.randrange(0, 13) for _ in range(count)], dtype=np.int64),
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
@MANY
@given(seed=st.integers(0, 2**32), retirement=st.sampled_from(RETIREMENTS))
def test_a_hundred_thousand_pensions_are_those_of_their_people(seed: int, retirement: Month) -> None:
    random = Random(seed)

    assert differences([a_person(random) for _ in range(PEOPLE)], LAW.rules(retirement)) == []


def prove(seed: int, count: int) -> None:
    """The columns of the job, the statement made again from what it stores, and the one-person form say the same."""
    random = Random(seed)
    terms, chunk = some_terms(random), a_chunk(random, count)

    made = changes(chunk, terms)
    stored = Terms.from_plain(terms.to_plain())

    assert made.rows == list(range(count))
    columns = zip(made.rows, made.after.tolist(), made.owed_months.tolist(), strict=True)
    for place, (row, after, owed) in enumerate(columns):
        facts = made.fact(place)
        birth = Month(int(chunk.birth[row]) // 12, int(chunk.birth[row]) % 12 + 1)
        age = age_for(birth, terms.year)
        one = adjust(
            AdjustmentFacts(Money(int(chunk.monthly[row])), full_years(int(chunk.months[row])), age), terms.law
        )
        assert one.new_pension.fen == after
        january = 2026 * 12
        if row % 10 == 0:
            digest = digest_of(stored.digest, chunk.benefit_ids[row], *facts.to_plain().values())
            kept = again(Kind.EMPLOYEE_PENSION, "v", facts.to_plain(), stored, UUID(int=1), digest=digest)
            assert kept.statement == one.statement
        assert owed == max(0, int(chunk.until[row]) - max(january, int(chunk.first[row])))


@pytest.mark.slow
@pytest.mark.timeout(600)
@MANY
@given(seed=st.integers(0, 2**32))
def test_a_hundred_thousand_adjustments_are_those_of_their_people(seed: int) -> None:
    prove(seed, PEOPLE)


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_some_adjustments_are_those_of_their_people(seed: int) -> None:
    prove(seed, 100)


def _part(chunk: Chunk, first: int, last: int) -> Chunk:
    return Chunk(**{name: getattr(chunk, name)[first:last] for name in Chunk.__dataclass_fields__})


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(1, 59), max_size=5))
def test_impacts_of_parts_add_up_however_they_are_cut(seed: int, cuts: list[int]) -> None:
    random = Random(seed)
    terms, chunk = some_terms(random), a_chunk(random, 60, known=0.9)
    whole = impact_of(chunk, changes(chunk, terms))
    ends = sorted({0, *cuts, 60})

    parts = [_part(chunk, first, last) for first, last in pairwise(ends)]
    random.shuffle(parts)
    total = sum((impact_of(one, changes(one, terms)) for one in parts), Impact())

    assert total == whole
    assert total.digest == whole.digest
    assert Impact.from_plain(whole.to_plain()) == whole
    changed = replace(chunk, monthly=chunk.monthly + np.eye(1, 60, 7, dtype=np.int64)[0] * 10)
    if 7 in changes(chunk, terms).rows:
        assert impact_of(changed, changes(changed, terms)).digest != whole.digest


def test_a_band_says_from_where_to_where() -> None:
    column = np.array([59, 60, 64, 70, 80, 99], dtype=np.int64)
    fen = np.array([99_999, 100_000, 199_999, 200_000, 600_000, 10**7], dtype=np.int64)
    people = People([bytes([row]) for row in range(6)], ["A"] * 6, column, fen, fen + 10, np.array([5, -5, 0, 0, 0, 0]))

    found = impact(people, BIRTH_UNKNOWN=2, NOTHING=0)

    assert {band: one.persons for band, one in found.by["age"].items()} == {
        "0-59": 1, "60-64": 2, "70-74": 1, "80+": 2,
    }  # fmt: skip
    assert sorted(found.by["amount"]) == ["0-999", "1000-1999", "2000-2999", "6000+"]
    assert (found.total.back_fen, found.total.over_fen, found.refused) == (5, 5, {"BIRTH_UNKNOWN": 2})


def test_terms_from_the_law_of_the_demonstration_come_back_as_they_were() -> None:
    amounts = Amounts(Money(2000), (YearBand(None, Decimal("1.0")),), Decimal("0.009"), ())
    law = a_given("annual_adjustment.demo_amounts", amounts, date(2026, 1, 1))

    assert Terms.from_plain(Terms(2026, law).to_plain()) == Terms(2026, law)
