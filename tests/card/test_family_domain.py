"""Family accounts as rules: the literal table, the age, the limits, and what the policy does not say."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.policy import open_policy, release_directory
from kernel.errors import PolicyParameterMissing, Refused
from services.card.domain.family import (
    STEPS,
    Basis,
    DelegationEvent,
    DelegationState,
    Relation,
    Terms,
    follow,
    is_minor,
    may_show_for,
    of_age_on,
    require_room,
    standing,
)
from services.card.policy import ECARD, CardPolicy

PENDING, ACTIVE, SUSPENDED, ENDED = DelegationState
LIMITS = {Relation.ELDER: 4, Relation.CHILD: 3, Relation.SPOUSE: 1, Relation.OTHER: 2}
DAYS = st.dates(date(2000, 1, 1), date(2040, 12, 31))


def test_every_pair_that_is_not_in_the_table_is_refused() -> None:
    for state, event in product(DelegationState, DelegationEvent):
        if (state, event) in STEPS:
            assert follow(state, event) is STEPS[state, event]
        else:
            with pytest.raises(Refused) as caught:
                follow(state, event)
            assert caught.value.reason == "FAMILY_STEP_REFUSED"
    assert not [event for state, event in STEPS if state is ENDED]
    assert {state for state, event in STEPS if event is DelegationEvent.CONSENT} == {PENDING, SUSPENDED}


@given(birth=DAYS, offset=st.integers(-800, 800))
def test_a_guardians_word_is_good_until_the_birthday_and_not_a_day_longer(birth: date, offset: int) -> None:
    birthday = of_age_on(birth, 16)
    today = birthday + timedelta(days=offset)

    assert (birthday.year, birthday.month) == (birth.year + 16, birth.month)
    assert is_minor(birth, today, 16) == (offset < 0)
    assert standing(Terms(ACTIVE, birth, Basis.GUARDIAN, None), birth, today, 16, 30) is (
        ACTIVE if offset < 0 else SUSPENDED
    )
    for basis in (Basis.FACE, Basis.PIN, Basis.WINDOW):
        assert standing(Terms(ACTIVE, birth, basis, None), birth, today, 16, 30) is ACTIVE
    assert standing(Terms(PENDING, today, None, None), birth, today, 16, 30) is PENDING
    assert standing(Terms(ENDED, birth, Basis.GUARDIAN, None), birth, today, 16, 30) is ENDED
    last = standing(Terms(ACTIVE, birth, Basis.GUARDIAN, birthday), birth, today, 16, 30)
    assert last is (ENDED if offset > 0 else SUSPENDED if offset == 0 else ACTIVE)


@given(asked=st.lists(st.sampled_from(Relation), max_size=40))
def test_however_they_come_no_relation_and_no_delegate_has_more_than_the_limits(asked: list[Relation]) -> None:
    counts: dict[Relation, int] = {}
    for relation in asked:
        is_full = counts.get(relation, 0) == LIMITS[relation] or sum(counts.values()) == 8
        if is_full:
            with pytest.raises(Refused):
                require_room(counts, relation, LIMITS[relation], 8)
        else:
            require_room(counts, relation, LIMITS[relation], 8)
            counts[relation] = counts.get(relation, 0) + 1
    assert sum(counts.values()) <= 8
    assert all(counts.get(one, 0) <= LIMITS[one] for one in Relation)


def test_the_limits_are_those_of_the_policy_and_one_that_is_not_given_refuses_by_name(tmp_path: Path) -> None:
    day, policy = date(2026, 7, 20), CardPolicy(open_policy())
    assert {one: dated.on(day).value for one, dated in policy.family_limits.items()} == LIMITS
    assert (policy.family_members.on(day).value, policy.consent_age.on(day).value) == (10, 16)

    law = Path(shutil.copytree(release_directory(), tmp_path / "policy"))
    text = (law / ECARD).read_text("utf-8")
    (law / ECARD).write_text(text.replace("value: 4, confidence: likely", "value: null, confidence: assumed"), "utf-8")
    silent = CardPolicy(open_policy(law))
    with pytest.raises(PolicyParameterMissing) as caught:
        _ = silent.family_limits[Relation.ELDER].on(day).value
    assert "family.elders" in str(caught.value)


def test_what_moves_money_is_not_shown_by_a_family_member() -> None:
    assert may_show_for("medical", 1, {"payment"})
    assert not may_show_for("payment", 1, {"payment"})
    assert not may_show_for("anything", 2, set())
