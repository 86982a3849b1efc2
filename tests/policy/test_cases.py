"""Every example under tests/cases runs through the code that decides in production."""

from pathlib import Path

import pytest

from chassis.policy import open_policy, release_directory
from ops.policy_calculations import Calculator
from ops.policy_check import run
from ops.policy_examples import Example, read_examples

CASES = Path(__file__).parents[1] / "cases"
CALCULATOR = Calculator(open_policy(release_directory()))
EXAMPLES = [example for path in sorted(CASES.glob("*.yaml")) for example in read_examples(path)]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example.id))
def test_the_example_comes_out_as_the_law_says(example: Example) -> None:
    outcome = run(example, CALCULATOR)

    assert (outcome.status, outcome.got) == ("pass", outcome.got)
    assert outcome.unused == ()


def test_an_example_has_one_id() -> None:
    ids = [example.id for example in EXAMPLES]

    assert len(ids) == len(set(ids))
