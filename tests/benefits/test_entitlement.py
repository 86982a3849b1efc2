"""Who may draw what, and until when: both sides of each border."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from kernel.calendar import Month
from kernel.errors import Conflict, InvalidInput, Refused
from kernel.money import Money
from services.benefits.domain.retirement import Track
from services.benefits.entitlement import (
    LostEmployment,
    Spell,
    last_month_before_work,
    lost_employment,
    require_carried,
    require_registration,
    track_of,
)
from services.benefits.history import Scheme
from services.benefits.lifecycle import (
    DETERMINATION_STEPS,
    PAYMENT_STEPS,
    Answer,
    Decision,
    DeterminationState,
    PaymentState,
)
from services.benefits.projection import OpenAccount, booking_month, project
from tests.benefits.builders import month, refused

if TYPE_CHECKING:
    from services.benefits.policy import BenefitsPolicy


def a_spell(
    start: str = "2020-01",
    end: str | None = "2025-06",
    *,
    scheme: Scheme = Scheme.UNEMPLOYMENT,
    reason: str = "DISMISSED",
) -> Spell:
    ended = month(end) if end else None
    return Spell(scheme, month(start), ended, reason if end else None, Track.FEMALE_50, "320613")


def test_the_latest_employment_is_the_one_that_was_lost() -> None:
    spells = [a_spell("2010-01", "2025-06"), a_spell("2012-01", "2025-07", reason="RESIGNED")]

    lost = lost_employment(spells)

    assert (lost.last_month, lost.involuntary) == (month("2025-07"), False)


@pytest.mark.parametrize(
    "spells",
    [[], [a_spell(scheme=Scheme.EMPLOYEE_PENSION)], [a_spell(end=None)], [a_spell(), a_spell("2025-07", None)]],
)
def test_who_still_works_or_never_did_has_lost_nothing_yet(spells: list[Spell]) -> None:
    with refused(Conflict, "EMPLOYMENT_NOT_ENDED"):
        lost_employment(spells)


@pytest.mark.parametrize(
    ("start", "last"),
    [
        ("2025-05", None),  # before the loss
        ("2025-06", None),  # the month of the loss
        ("2025-07", "2025-07"),  # between loss and first month: nothing is ever paid
        ("2025-08", "2025-07"),  # the first month itself
        ("2025-09", "2025-08"),  # one month was due
        ("2026-03", "2026-02"),
    ],
)
def test_the_last_month_when_work_begins(start: str, last: str | None) -> None:
    found = last_month_before_work(month("2025-08"), month("2025-06"), month(start))

    assert found == (month(last) if last else None)


@pytest.mark.parametrize(
    ("registered", "is_taken"),
    [("2025-05-31", False), ("2025-06-01", True), ("2025-11-23", True), ("2025-11-24", False)],
)
def test_a_registration_lies_between_work_and_today(registered: str, *, is_taken: bool) -> None:
    lost = LostEmployment(month("2025-06"), "DISMISSED", "320613")
    day = date.fromisoformat(registered)

    if is_taken:
        require_registration(day, lost, date(2025, 11, 23))
    else:
        with refused(Refused, "REGISTRATION_DATE_INVALID"):
            require_registration(day, lost, date(2025, 11, 23))


@pytest.mark.parametrize(
    ("carried", "unused", "is_taken"),
    [(0, None, True), (24, None, True), (25, None, False), (-1, None, False), (3, 3, True), (4, 3, False)],
)
def test_carried_months_are_what_the_spell_before_left(carried: int, unused: int | None, *, is_taken: bool) -> None:
    if is_taken:
        require_carried(carried, unused, 24)
    else:
        with refused(InvalidInput, "CARRIED_MONTHS_INVALID"):
            require_carried(carried, unused, 24)


def test_a_track_is_asked_for_or_known() -> None:
    pension = [a_spell(scheme=Scheme.EMPLOYEE_PENSION)]

    assert track_of("MALE", [], None) is Track.MALE_60
    assert track_of("FEMALE", pension, None) is Track.FEMALE_50
    assert track_of("FEMALE", pension, Track.FEMALE_55) is Track.FEMALE_55
    with refused(Refused, "TRACK_UNKNOWN"):
        track_of("FEMALE", [a_spell()], None)
    for sex, track in (("MALE", Track.FEMALE_55), ("FEMALE", Track.MALE_60)):
        with refused(InvalidInput, "TRACK_INVALID"):
            track_of(sex, pension, track)


def test_only_what_is_open_moves() -> None:
    for state in DeterminationState:
        for decision in Decision:
            assert ((state, decision) in DETERMINATION_STEPS) == (state is DeterminationState.PREPARED)
    for payment in PaymentState:
        for answer in Answer:
            assert ((payment, answer) in PAYMENT_STEPS) == (payment is PaymentState.OPEN)


# Projection ---------------------------------------------------------------------------------------------------------


def test_a_year_earns_by_the_monthly_product(policy: BenefitsPolicy) -> None:
    booked = dict.fromkeys(Month.range(month("2024-01"), month("2024-12")), Money.yuan("396.16"))
    account = OpenAccount(2024, Money.yuan("100000"), booked)

    made = project(account, {}, month("2024-12"), policy.projection)

    # 100000 × 0.0262 + 12 × 396.16 + 396.16 × 78 × 0.0262 ÷ 12, as in the worked example of 2024.
    assert made.balance == Money.yuan("107441.39")
    assert not made.provisional


def test_the_year_of_retirement_earns_by_the_month_and_is_provisional(policy: BenefitsPolicy) -> None:
    account = OpenAccount(2026, Money.yuan("100000"), {})

    made = project(account, {month("2026-06"): Money.yuan("6000")}, month("2026-07"), policy.projection)

    # 100000 × 0.015 × 7 ÷ 12 = 875.00; 6000 × 0.08 = 480; 480 × 2 × 0.015 ÷ 12 = 1.20.
    assert made.balance == Money.yuan("101356.20")
    assert made.provisional


def test_a_retirement_before_the_open_year_leaves_the_balance(policy: BenefitsPolicy) -> None:
    account = OpenAccount(2026, Money.yuan("100000"), {})

    assert project(account, {}, month("2025-12"), policy.projection).balance == Money.yuan("100000")


def test_a_credit_earns_inside_its_year() -> None:
    assert booking_month(2026, month("2026-03")) == month("2026-03")
    assert booking_month(2025, month("2026-03")) == month("2025-12")
    assert booking_month(2027, month("2026-03")) == month("2027-01")
