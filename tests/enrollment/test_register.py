"""The rules of the register and of the accounts as pure decisions: every pair, both sides of every border."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.policy import open_policy, release_directory
from kernel.calendar import Month
from kernel.errors import AlreadyExists, InvalidInput, Refused
from kernel.money import Money
from services.enrollment import accounting, billing, register
from services.enrollment.accounting import Account
from services.enrollment.domain.account import year_terms
from services.enrollment.policy import EnrollmentPolicy
from services.enrollment.register import Action, Enrollment, State, Stretch, Track

LAW = EnrollmentPolicy(open_policy(release_directory())).account
SOMEBODY = UUID(int=1)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("action", Action)
def test_every_pair_of_state_and_action_is_decided(state: State, action: Action) -> None:
    allowed = {
        (State.ACTIVE, Action.SUSPEND): State.SUSPENDED,
        (State.ACTIVE, Action.END): State.ENDED,
        (State.SUSPENDED, Action.RESUME): State.ACTIVE,
        (State.SUSPENDED, Action.END): State.ENDED,
    }

    if (state, action) in allowed:
        assert register.transition(state, action) is allowed[state, action]
    else:
        with pytest.raises(Refused, match="PARTICIPATION_STATE_FORBIDS"):
            register.transition(state, action)


@pytest.mark.parametrize(
    ("start", "last", "is_free"),
    [
        (Month(2025, 3), None, True),
        (Month(2025, 3), Stretch(Month(2024, 1), Month(2025, 2)), True),
        (Month(2025, 3), Stretch(Month(2024, 1), Month(2025, 3)), False),
        (Month(2025, 3), Stretch(Month(2024, 1), None), False),
        (Month(2025, 3), Stretch(Month(2025, 4), None), False),
    ],
)
def test_a_new_employment_begins_after_the_last_one(start: Month, last: Stretch | None, *, is_free: bool) -> None:
    if is_free:
        register.check_free(start, last)
    else:
        with pytest.raises(AlreadyExists, match="ALREADY_ENROLLED"):
            register.check_free(start, last)


@pytest.mark.parametrize(
    ("end", "billed", "is_allowed"),
    [
        (Month(2024, 12), None, False),
        (Month(2025, 1), None, True),
        (Month(2025, 3), None, True),
        (Month(2025, 4), None, False),
        (Month(2025, 1), Month(2025, 2), False),
        (Month(2025, 2), Month(2025, 2), True),
    ],
)
def test_an_end_lies_between_the_start_the_bill_and_today(
    end: Month, billed: Month | None, *, is_allowed: bool
) -> None:
    enrollment = Enrollment(SOMEBODY, SOMEBODY, SOMEBODY, None, Track.MALE_60, Month(2025, 1))

    if is_allowed:
        register.check_end_month(enrollment, end, today=date(2025, 3, 31), last_billed=billed)
    else:
        with pytest.raises(InvalidInput, match="END_MONTH_INVALID"):
            register.check_end_month(enrollment, end, today=date(2025, 3, 31), last_billed=billed)


@pytest.mark.parametrize(
    ("paid", "closed_through", "booked"),
    [
        (date(2025, 12, 31), None, Month(2025, 12)),
        (date(2025, 12, 31), 2024, Month(2025, 12)),
        (date(2025, 12, 31), 2025, Month(2026, 1)),
        (date(2024, 5, 5), 2025, Month(2026, 1)),
        (date(2026, 1, 1), 2025, Month(2026, 1)),
    ],
)
def test_money_is_booked_in_its_month_or_the_first_open_january(
    paid: date, closed_through: int | None, booked: Month
) -> None:
    assert accounting.booking_month(paid, closed_through) == booked


def test_open_years_chain_without_interest() -> None:
    account = Account(
        SOMEBODY, Money(350), 2023, 2023, None, closing=Money(100),
        booked={2024: {3: Money(50)}, 2026: {1: Money(200)}},
    )  # fmt: skip

    years = accounting.open_years(account)

    assert [(one.year, one.opening.fen, one.contribution.fen, one.closing.fen) for one in years] == [
        (2024, 100, 50, 150),
        (2025, 150, 0, 150),
        (2026, 150, 200, 350),
    ]
    assert years[-1].closing == account.balance


@given(
    opening=st.integers(0, 10**9),
    booked=st.dictionaries(st.integers(1, 12), st.integers(1, 10**6), max_size=12),
)
def test_a_settlement_in_december_is_the_closed_year(opening: int, booked: dict[int, int]) -> None:
    """Both formulas of the law must agree at the end of a year."""
    amounts = {month: Money(fen) for month, fen in booked.items()}

    closed = year_terms(2025, LAW).close(Money(opening), amounts)
    settled = accounting.settle(
        Money(opening), {Month(2025, month): amount for month, amount in amounts.items()}, Month(2025, 12), LAW
    )

    assert settled.total == closed.closing


@given(st.integers(1, 12), st.integers(1, 10**6))
def test_money_after_the_retirement_month_is_added_as_it_is(k: int, fen: int) -> None:
    late = Month(2025, k).plus(1)

    settled = accounting.settle(Money(10**6), {late: Money(fen)}, Month(2025, k), LAW)
    without = accounting.settle(Money(10**6), {}, Month(2025, k), LAW)

    assert settled.total - without.total == Money(fen)


def test_a_settlement_takes_back_no_more_than_the_interest_that_was_booked() -> None:
    back = accounting.interest_of_settlement(Money(110), Money(90), withheld=Money(12), booked=Money(8))

    assert back == Money(-8)
    with pytest.raises(RuntimeError):
        accounting.interest_of_settlement(Money(110), Money(90), withheld=Money(12), booked=Money(7))


@pytest.mark.parametrize(("paid", "state"), [(0, "ISSUED"), (1, "PART_PAID"), (99, "PART_PAID"), (100, "PAID")])
def test_the_state_of_a_bill_follows_from_what_was_paid(paid: int, state: str) -> None:
    assert billing.state_after(Money(100), Money(paid)) == state


def test_persons_and_commands_show_nothing_of_an_identity() -> None:
    person = register.Person(SOMEBODY, "欧阳静怡", "990000199001010017", date(1990, 1, 1), "male", "990000")

    assert "欧阳" not in repr(person)
    assert "9900001990" not in repr(person)
