"""Certification, what is paid again, what comes back."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.policy import open_policy, release_directory
from kernel.calendar import Month
from kernel.dated import given as a_given
from kernel.errors import InvalidInput
from kernel.money import Money
from services.benefits.domain.backpay import (
    MonthlyAmount,
    constant,
    from_payments,
    overpaid,
    plan_recovery,
    resume,
)
from services.benefits.domain.certification import assess
from services.benefits.policy import BenefitsPolicy
from services.benefits.store.keeping_overdue import window

LAW = BenefitsPolicy(open_policy(release_directory())).certification
TERMS = LAW.terms(date(2026, 1, 1))
APRIL = Month(2026, 4)

days = st.dates(date(2000, 1, 1), date(2060, 12, 31))
months = st.builds(Month, st.integers(2000, 2060), st.integers(1, 12))
fen = st.integers(0, 10**6).map(Money)


def test_the_benefits_that_need_it_are_those_of_the_law() -> None:
    assert LAW.schemes.on(date(2026, 1, 1)).value == (
        "employee_pension",
        "government_pension",
        "resident_pension",
        "survivor_dependants",
        "work_injury_periodic",
    )


def test_the_reminder_comes_thirty_days_before_and_decides_nothing() -> None:
    last = date(2025, 3, 15)

    assert not assess(last, date(2026, 2, 28), TERMS).is_due
    due = assess(last, date(2026, 3, 1), TERMS)
    assert (due.is_due, due.state, due.reminded_from) == (True, "valid", date(2026, 3, 1))
    assert [use.key for use in due.parameters] == ["cycle_months", "reminder_days", "grace_months"]


def test_a_grace_keeps_paying_and_does_not_move_the_due_day() -> None:
    terms = replace(TERMS, grace_months=a_given("grace_months", 2, date(2026, 1, 1)))

    found = assess(date(2025, 3, 15), date(2026, 5, 31), terms)

    assert (found.due_by, found.suspended_from, found.state) == (date(2026, 3, 31), Month(2026, 6), "valid")
    assert assess(date(2025, 3, 15), date(2026, 6, 1), terms).state == "suspended"


@pytest.mark.parametrize("changed", [{"cycle_months": 0}, {"grace_months": -1}])
def test_terms_that_make_no_sense_are_refused(changed: dict[str, int]) -> None:
    rows = {name: a_given(name, value, date(2026, 1, 1)) for name, value in changed.items()}

    with pytest.raises(InvalidInput) as caught:
        assess(date(2025, 3, 15), date(2026, 1, 1), replace(TERMS, **rows))

    assert caught.value.reason == "CERTIFICATION_TERMS_INVALID"


@given(days, st.integers(0, 800))
def test_payment_stops_the_month_after_the_due_day_and_not_before(last: date, later: int) -> None:
    as_of = last + timedelta(days=later)

    found = assess(last, as_of, TERMS)

    assert (found.state == "suspended") == (as_of > found.due_by)
    assert found.suspended_from == Month.of(found.due_by).next
    assert found.due_by == Month.of(last).plus(12).last_day


def test_suspended_months_are_paid_by_the_amounts_that_were_in_force() -> None:
    amounts = (MonthlyAmount(Month(2024, 1), Money.yuan("2000")), MonthlyAmount(Month(2026, 1), Money.yuan("2100.10")))

    due = resume(Month(2025, 11), date(2026, 3, 20), amounts)

    assert due.months == 5
    assert [(line.code, line.formula) for line in due.statement.lines] == [
        ("resumed.2025-11", "2000.00 × 2 = 4000.00"),
        ("resumed.2026-01", "2100.10 × 3 = 6300.30"),
    ]
    assert str(due.total) == "10300.30"


def test_every_payment_after_the_month_of_death_is_too_much() -> None:
    paid = {Month(2025, 5): Money(100), Month(2025, 6): Money(100), Month(2025, 8): Money(110)}

    found = overpaid(Month(2025, 5), Month(2025, 8), from_payments(paid))

    assert (found.months, found.total) == (3, Money(210))
    assert [line.code for line in found.statement.lines] == ["overpaid.2025-06", "overpaid.2025-08"]
    assert overpaid(Month(2025, 8), Month(2025, 8), from_payments(paid)).statement.lines == ()
    assert overpaid(Month(2025, 5), Month(2026, 8), from_payments(paid)).total == Money(210)
    assert from_payments({}) == ()


@pytest.mark.parametrize(
    "amounts",
    [
        (),
        (MonthlyAmount(APRIL.next, Money(1)),),
        (MonthlyAmount(APRIL, Money(-1)),),
        (MonthlyAmount(APRIL, Money(1)), MonthlyAmount(APRIL, Money(2))),
        (MonthlyAmount(APRIL, Money(1)), MonthlyAmount(APRIL.previous, Money(2))),
    ],
)
def test_amounts_that_do_not_say_what_a_month_was_are_refused(amounts: tuple[MonthlyAmount, ...]) -> None:
    with pytest.raises(InvalidInput) as caught:
        resume(APRIL, date(2026, 6, 1), amounts)

    assert caught.value.reason == "MONTHLY_AMOUNTS_INVALID"


@given(months, st.integers(-5, 60), st.lists(fen, min_size=1, max_size=20))
def test_amounts_by_step_pay_the_same_as_month_by_month(first: Month, count: int, paid: list[Money]) -> None:
    by_month = {first.plus(place): amount for place, amount in enumerate(paid)}
    last = first.plus(count)

    found = resume(first, last.first_day, from_payments(by_month))

    expected = Money.total(by_month.get(month, Money.ZERO) for month in Month.range(first, last))
    assert found.total == expected
    assert found.months == max(0, count + 1)


def test_a_plan_offsets_first_and_ends_with_the_rest() -> None:
    plan = plan_recovery(Money.yuan("1000"), offset=Money.yuan("250"), instalment=Money.yuan("300"), first=APRIL)

    assert [(str(one.month), str(one.amount)) for one in plan.instalments] == [
        ("2026-04", "300.00"),
        ("2026-05", "300.00"),
        ("2026-06", "150.00"),
    ]
    assert (str(plan.offset), plan.left) == ("250.00", Money.ZERO)


def test_an_offset_that_covers_all_needs_no_instalment() -> None:
    plan = plan_recovery(Money.yuan("100"), offset=Money.yuan("250"), instalment=Money.ZERO, first=APRIL)

    assert (plan.offset, plan.instalments) == (Money.yuan("100"), ())


@pytest.mark.parametrize(
    ("total", "offset", "instalment", "reason"),
    [(-1, 0, 1, "RECOVERY_AMOUNT_NEGATIVE"), (1, -1, 1, "RECOVERY_AMOUNT_NEGATIVE"), (1, 0, 0, "INSTALMENT_INVALID")],
)
def test_a_plan_that_never_ends_is_refused(total: int, offset: int, instalment: int, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        plan_recovery(Money(total), offset=Money(offset), instalment=Money(instalment), first=APRIL)

    assert caught.value.reason == reason


@given(fen, fen, st.integers(10**4, 10**6).map(Money), months)
def test_a_plan_brings_back_exactly_what_was_paid_too_much(
    total: Money, offset: Money, instalment: Money, first: Month
) -> None:
    plan = plan_recovery(total, offset=offset, instalment=instalment, first=first)

    assert plan.left == Money.ZERO
    assert all(Money.ZERO < one.amount <= instalment for one in plan.instalments)
    assert [one.month for one in plan.instalments] == [first.plus(count) for count in range(len(plan.instalments))]


def test_one_amount_for_every_month() -> None:
    assert constant(Money(5), APRIL) == (MonthlyAmount(APRIL, Money(5)),)


@pytest.mark.parametrize(
    "today", [date(2026, 2, 28), date(2026, 3, 1), date(2026, 5, 31), date(2024, 2, 29), date(2025, 12, 2)]
)
@pytest.mark.parametrize("reminder_days", [0, 1, 30, 45])
def test_two_days_say_who_is_reminded_and_who_is_overdue(today: date, reminder_days: int) -> None:
    terms = replace(TERMS, reminder_days=a_given("reminder_days", reminder_days, date(2026, 1, 1)))

    due_from, reminded_until = window(terms, today)

    for last in (today - timedelta(days=days) for days in range(600)):
        found = assess(last, today, terms)
        assert (last < due_from) == (found.due_by < today)
        assert (due_from <= last < reminded_until) == (found.is_due and found.due_by >= today)
