"""The rules of the card, as tables and properties."""

from __future__ import annotations

import secrets
from datetime import date
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import Refused
from services.card.domain import number
from services.card.domain.lifecycle import (
    FINAL,
    OPEN,
    PENDING,
    STEPS,
    SUSPENDED,
    Actor,
    CardEvent,
    CardState,
    Physical,
    actions,
    answer_to,
    follow,
)
from services.card.domain.password import weakness
from services.card.domain.usability import obstacle
from services.card.domain.verification import GROUPS, Detail, Group, mask_name, standing, when

STATES = [None, *CardState]
ID_NO = "320612196501010013"


@given(st.integers(0, 10**13 - 1))
def test_a_number_has_twenty_digits_that_are_one_modulo_97(random: int) -> None:
    made = number.make(random)

    assert (len(made), made[:5], int(made) % 97) == (20, "32061", 1)
    assert made[5:18] == f"{random:013d}"


@pytest.mark.parametrize(("body", "digits"), [("794", "44"), ("0", "98"), ("96", "04")])
def test_check_digits_are_those_of_the_standard(body: str, digits: str) -> None:
    assert number.check_digits(body) == digits  # 794 → 79444 is the example of ISO/IEC 7064


@given(st.integers(0, 10**13 - 1), st.integers(0, 19), st.integers(1, 9))
def test_one_wrong_digit_is_seen(random: int, place: int, shift: int) -> None:
    made = number.make(random)
    wrong = made[:place] + str((int(made[place]) + shift) % 10) + made[place + 1 :]

    assert int(wrong) % 97 != 1


def test_every_step_is_in_the_table_or_refused() -> None:
    for state, event, actor in product(STATES, CardEvent, Actor):
        step = STEPS.get((state, event))
        if step is not None and actor in step.actors:
            assert follow(state, event, actor, CardState.ACTIVE) in CardState
            continue
        with pytest.raises(Refused) as caught:
            follow(state, event, actor, CardState.ACTIVE)
        assert caught.value.reason == "CARD_STEP_REFUSED"
        assert caught.value.metadata == {"state": state or "", "event": event.value}


def test_what_is_over_stays_over_and_everything_else_goes_on() -> None:
    assert {state for state in CardState if not actions(state)} == FINAL
    assert set(CardState) == FINAL | PENDING | OPEN | SUSPENDED


# The table as it was agreed upon, written down once more: from, event, to, who (ecard life cycle).
OPEN_STATES = ("ISSUED", "ACTIVE", "LOCKED")
AGREED = {
    ("", "REQUEST", "REQUESTED", "HOLDER COUNTER PHYSICAL BATCH"),
    ("REQUESTED", "START_PROOF", "VERIFYING", "SYSTEM"),
    ("VERIFYING", "PASS_PROOF", "QUEUED", "SYSTEM"),
    ("VERIFYING", "FAIL_PROOF", "REJECTED", "SYSTEM"),
    ("QUEUED", "ISSUE", "ISSUED", "SYSTEM"),
    ("QUEUED", "DECLINE", "REJECTED", "SYSTEM"),
    ("ISSUED", "ACTIVATE", "ACTIVE", "HOLDER COUNTER"),
    ("ACTIVE", "LOCK", "LOCKED", "SYSTEM RISK"),
    ("LOCKED", "RESET_PIN", "ACTIVE", "HOLDER COUNTER"),
    ("LOCKED", "UNLOCK", "ACTIVE", "RISK"),
    *((state, "SUSPEND", "SUSPENDED_TEMP", "HOLDER HOTLINE COUNTER PHYSICAL") for state in OPEN_STATES),
    ("SUSPENDED_TEMP", "RESUME", "before", "HOLDER COUNTER PHYSICAL"),
    ("SUSPENDED_TEMP", "LAPSE", "before", "SYSTEM"),
    *(
        (state, "SUSPEND_FORMALLY", "SUSPENDED_FORMAL", "COUNTER PHYSICAL")
        for state in (*OPEN_STATES, "SUSPENDED_TEMP")
    ),
    ("SUSPENDED_FORMAL", "REPLACE", "REPLACED", "COUNTER PHYSICAL"),
    *(
        (state, event, to, who)
        for state in (*OPEN_STATES, "SUSPENDED_TEMP", "SUSPENDED_FORMAL")
        for event, to, who in (
            ("CANCEL", "CANCELLED", "HOLDER PHYSICAL SECOND"),
            ("DIE", "CANCELLED", "SYSTEM"),
            ("EXPIRE", "EXPIRED", "SYSTEM"),
        )
    ),
}


def test_the_table_is_the_one_that_was_agreed_upon() -> None:
    said = {(state or "", event.value, step.to or "before", step.actors) for (state, event), step in STEPS.items()}

    assert said == {(state, event, to, frozenset(map(Actor, who.split()))) for state, event, to, who in AGREED}


@pytest.mark.parametrize("before", sorted(OPEN))
def test_lifting_goes_back_to_where_the_card_stood(before: CardState) -> None:
    assert follow(CardState.SUSPENDED_TEMP, CardEvent.RESUME, Actor.HOLDER, before) is before
    with pytest.raises(Refused) as hotline:
        follow(CardState.SUSPENDED_TEMP, CardEvent.RESUME, Actor.HOTLINE, before)
    assert (hotline.value.metadata["state"], hotline.value.metadata["event"]) == ("SUSPENDED_TEMP", "RESUME")


@pytest.mark.parametrize("state", STATES)
def test_whatever_the_physical_card_does_the_table_has_a_step_for_it(state: CardState | None) -> None:
    """Also that a physical card that cannot be used leaves no card open, and the holder's own report stays."""
    if state in FINAL:
        return  # is asked no more
    by_whom = [None] if state not in SUSPENDED else [Actor.HOLDER, Actor.HOTLINE, Actor.COUNTER, Actor.PHYSICAL]
    for physical, by, is_another in product(Physical, by_whom, (False, True)):
        event = answer_to(state, physical, by, is_another=is_another)
        actor = Actor.SYSTEM if event in (CardEvent.START_PROOF, CardEvent.PASS_PROOF) else Actor.PHYSICAL
        to = follow(state, event, actor, CardState.ACTIVE) if event is not None else state
        if physical is not Physical.NORMAL:
            assert to not in OPEN
        if by is not None and by is not Actor.PHYSICAL and physical is Physical.NORMAL:
            assert to in (state, CardState.REPLACED)


@given(st.text(alphabet="0123456789", min_size=6, max_size=6))
def test_a_pin_is_weak_exactly_when_the_rule_says_so(pin: str) -> None:
    reason = weakness(pin, ID_NO, 6)

    expected = ""
    if len(set(pin)) == 1:
        expected = "REPEATED"
    elif pin in "0123456789" or pin in "9876543210":
        expected = "CONSECUTIVE"
    elif pin in ID_NO:
        expected = "FROM_ID"
    assert reason == expected


@pytest.mark.parametrize("pin", ["", "12345", "1234567", "12a456", "１２３４５６", "25803 ", "-25803", "²58036"])
def test_what_is_not_six_digits_has_the_wrong_form(pin: str) -> None:
    assert weakness(pin, ID_NO, 6) == "FORMAT"


@pytest.mark.parametrize(
    ("physical", "level", "operation", "reason"),
    [
        ("normal", 1, "show", ""),
        ("normal", 1, "pay", "NEEDS_LEVEL_2"),
        ("normal", 2, "pay", ""),
        ("lost", 1, "pay", "PHYSICAL_LOST"),
        ("locked", 2, "show", "PHYSICAL_LOCKED"),
        ("cancelled", 2, "show", "PHYSICAL_CANCELLED"),
    ],
)
def test_the_physical_card_comes_before_the_level(physical: str, level: int, operation: str, reason: str) -> None:
    assert obstacle(physical, level, operation, {"pay"}) == reason


@pytest.mark.parametrize(
    ("iat", "now", "detail"),
    [
        (1000, 1000, Detail.OK),
        (1000, 1090, Detail.OK),
        (1000, 1091, Detail.STALE),
        (1000, 970, Detail.OK),
        (1000, 969, Detail.CLOCK_WRONG),
    ],
)
def test_a_code_is_good_for_its_time_and_the_leeway(iat: int, now: int, detail: Detail) -> None:
    assert when(iat, 60, now, 30) is detail


def test_only_an_active_card_in_its_time_is_accepted() -> None:
    day = date(2026, 7, 20)

    accepted = [state for state in STATES if standing(state, day, day) is Detail.OK]

    assert accepted == [CardState.ACTIVE]
    assert standing(CardState.ACTIVE, date(2026, 7, 19), day) is Detail.CARD_EXPIRED
    assert standing(None, None, day) is standing(CardState.CANCELLED, day, day)


def test_every_detail_has_its_group_and_one_alone_is_ok() -> None:
    assert GROUPS.keys() == set(Detail)
    assert [detail for detail, group in GROUPS.items() if group is Group.OK] == [Detail.OK]


@pytest.mark.parametrize(("name", "shown"), [("赵", "*"), ("赵一", "赵*"), ("赵示例", "赵*例"), ("阿·买提", "阿**提")])
def test_a_name_is_masked(name: str, shown: str) -> None:
    assert mask_name(name) == shown


def test_the_random_part_is_bounded() -> None:
    with pytest.raises(ValueError, match="13 digits"):
        number.make(10**13)
    assert number.make(secrets.randbelow(10**13)).isdigit()
