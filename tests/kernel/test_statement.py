"""A statement's total is the sum of its lines, and it survives storage unchanged."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.money import Money
from kernel.statement import Line, ParameterUse, Statement


def a_line(code: str, fen: int, *, provisional: bool = False, confidence: str = "certain") -> Line:
    use = ParameterUse("law.yaml", "rate", "0.08", "2006-01-01..", confidence, ("SOME-LAW",), provisional)
    return Line(code, Money(fen), "项目", "Item", "1 × 0.08", (("base", "1.00"),), ("SOME-LAW",), (use,), provisional)


@given(st.lists(st.integers(-(10**9), 10**9), max_size=8))
def test_the_total_is_the_sum_of_the_lines(amounts: list[int]) -> None:
    statement = Statement(tuple(a_line(f"item{place}", fen) for place, fen in enumerate(amounts)))

    assert statement.total == Money(sum(amounts))


def test_storage_gives_the_same_statement_back() -> None:
    statement = Statement((a_line("basic", 248329), a_line("rounding", 7, provisional=True)))

    stored = json.loads(json.dumps(statement.to_plain()))

    assert Statement.from_plain(stored) == statement
    assert Statement.from_plain(stored).canonical() == statement.canonical()


def test_a_statement_says_whether_it_is_provisional_or_rests_on_an_assumption() -> None:
    sure = Statement((a_line("basic", 1),))
    unsure = Statement((a_line("basic", 1, provisional=True, confidence="assumed"),))

    assert (sure.provisional, sure.assumed) == (False, False)
    assert (unsure.provisional, unsure.assumed) == (True, True)


def test_a_code_stands_for_one_line() -> None:
    with pytest.raises(ValueError, match="once"):
        Statement((a_line("basic", 1), a_line("basic", 2)))


def test_a_line_is_found_by_its_code_and_a_missing_one_is_worth_nothing() -> None:
    statement = Statement((a_line("basic", 5),))

    assert statement.line("basic").amount == Money(5)
    assert statement.amount("transitional") == Money.ZERO
    with pytest.raises(KeyError):
        statement.line("transitional")
