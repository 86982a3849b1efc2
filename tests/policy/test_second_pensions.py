"""Two programs, one law: pensions, accounts, contributions and numbers come out alike from one written apart."""

import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from chassis.policy import open_policy, release_directory
from ops.policy_calculations import Calculator, Inputs
from ops.policy_examples import same
from tests.plugins.marks import slow
from tests.policy import second_accounts, second_pensions
from tests.policy.invented import Inventor
from tests.policy.second_pensions import Plain

CALCULATOR = Calculator(open_policy(release_directory()))
TABLES = Path(__file__).parents[1] / "benefits"
KINDS = [name for name in vars(Inventor) if not name.startswith("_") and name != "of"]


def apart(kind: str, inputs: Plain) -> Plain:
    """What the other program says."""
    room = second_pensions if hasattr(second_pensions, kind) else second_accounts
    outcome: Plain = getattr(room, kind)(inputs)
    return outcome


@pytest.mark.parametrize(("rounds", "seed"), [(60, 2025), slow(3000, 2026)])
def test_both_programs_agree(rounds: int, seed: int) -> None:
    inventor = Inventor(random.Random(seed))
    differences = []
    for kind in KINDS:
        for _ in range(rounds):
            inputs = inventor.of(kind)
            expected = apart(kind, inputs)
            got: Any = CALCULATOR.calculate(kind, Inputs(inputs))
            if not same(got, expected):
                differences.append((kind, inputs, got, expected))

    assert len(KINDS) == 17
    assert differences == []


def test_the_other_program_knows_every_published_birth_and_month() -> None:
    """So that both together are held to what was printed, and the formula to births beside the table."""
    ages = yaml.safe_load((TABLES / "retirement-age-table.yaml").read_text(encoding="utf-8"))
    for track in second_pensions.TRACKS:
        for birth, delay, statutory, years, months, payout in ages[track]:
            said = second_pensions.retirement({"track": track, "birth": birth})
            told = (said["delay_months"], said["statutory"], said["age"], said["payout_months"])
            assert told == (delay, statutory, f"{years}y{months}m", payout), birth
