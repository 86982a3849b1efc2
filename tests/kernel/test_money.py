"""Money is whole fen and rounds once, where a call says so."""

from decimal import Decimal
from fractions import Fraction
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import InvalidInput
from kernel.money import Money, Rounding, round_decimal

amounts = st.integers(-(10**14), 10**14).map(Money)
rates = st.fractions(min_value=0, max_value=5, max_denominator=10**6)


@pytest.mark.parametrize(
    ("text", "fen"), [("0", 0), ("12.34", 1234), ("12.3", 1230), ("-0.05", -5), ("9999999999999.99", 999999999999999)]
)
def test_yuan_are_read_exactly(text: str, fen: int) -> None:
    assert Money.yuan(text) == Money(fen)


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "1\n", "+1", "01", "1.", ".5", "1.234", "1e3", "1_000", "１２", "١٢", "0x10", "NaN", "Infinity",
     "--1", "9" * 14, "9" * 5000],
)  # fmt: skip
def test_anything_but_plain_digits_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Money.yuan(text)

    assert caught.value.reason == "MONEY_MALFORMED"


def test_a_decimal_with_an_exponent_is_read_by_value() -> None:
    assert Money.yuan(Decimal("1E+2")) == Money(10000)


@pytest.mark.parametrize("wrong", [1.0, True, "1", Decimal(1)])
def test_only_whole_fen_make_money(wrong: object) -> None:
    with pytest.raises(TypeError):
        Money(cast("Any", wrong))


@pytest.mark.parametrize(
    ("fen", "rounding", "expected"),
    [
        (1, Rounding.HALF_UP, 1),
        (-1, Rounding.HALF_UP, -1),
        (1, Rounding.CEILING, 1),
        (-1, Rounding.CEILING, 0),
        (1, Rounding.FLOOR, 0),
        (-1, Rounding.FLOOR, -1),
    ],
)
def test_half_a_fen_goes_where_the_mode_says(fen: int, rounding: Rounding, expected: int) -> None:
    assert Money(fen).times(Decimal("0.5"), rounding) == Money(expected)
    assert Money(fen).divided(2, rounding) == Money(expected)


@pytest.mark.parametrize(
    ("before", "after"),
    [("3462.33", "3462.40"), ("2309.04", "2309.10"), ("5373.02", "5373.10"), ("2204.60", "2204.60")],
)
def test_a_pension_is_raised_to_the_next_jiao(before: str, after: str) -> None:
    assert str(Money.yuan(before).raise_to_jiao()) == after


def test_a_fraction_becomes_a_decimal_with_its_places() -> None:
    assert str(round_decimal(Fraction(54901, 400), 1)) == "137.3"
    assert str(round_decimal(Fraction(4, 5), 4)) == "0.8000"
    assert str(round_decimal(Fraction(-1, 8), 2)) == "-0.13"
    assert str(Money.rounded(Fraction(2, 3))) == "0.67"


@given(amounts)
def test_text_and_back_is_the_same_amount(amount: Money) -> None:
    assert Money.yuan(str(amount)) == amount
    assert Money.yuan(amount.to_yuan()) == amount


@given(amounts, rates)
def test_rounding_moves_by_less_than_a_fen(amount: Money, rate: Fraction) -> None:
    exact = amount.fen * rate

    assert amount.times(rate, Rounding.FLOOR).fen <= exact <= amount.times(rate, Rounding.CEILING).fen
    assert abs(amount.times(rate).fen - exact) <= Fraction(1, 2)


@given(st.lists(amounts))
def test_a_total_is_the_sum(parts: list[Money]) -> None:
    assert Money.total(parts).fen == sum(part.fen for part in parts)
    assert Money.total([*parts, *(-part for part in parts)]) == Money.ZERO


@given(amounts, st.integers(-1000, 1000))
def test_counting_is_adding(amount: Money, count: int) -> None:
    assert amount * count == count * amount
    assert amount * count - amount == amount * (count - 1)
