"""Working lives by chance: the pension that the service gives is that of an arithmetic written apart, or its refusal.

From twelve letters and bases a year to the total: index with deemed months, window and minimum years, payout months by
age, base of the year of the first payment, years before accounts, blend by the year of retirement, the jiao.
"""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import pytest
import yaml

from chassis.policy import open_policy, release_directory
from kernel.calendar import Month
from kernel.errors import DomainError
from kernel.money import Money
from services.benefits.calculation import PensionInputs, pension_statement
from services.benefits.domain.retirement import Track
from services.benefits.history import History, YearRecord
from services.benefits.policy import BenefitsPolicy
from tests.plugins.marks import slow
from tests.policy import second_pensions
from tests.policy.second_program import fen, jiao

POLICY = BenefitsPolicy(open_policy(release_directory()))
BLEND = {2024: Fraction(2, 5), 2025: Fraction(7, 10)}  # in full from 2026 on


def by_year(file: str, key: str) -> dict[int, Fraction]:
    """What a file of law says for each year, read as plain data."""
    content = yaml.safe_load((release_directory() / file).read_text(encoding="utf-8"))
    (rows,) = (one["years"] for one in content["parameters"] if one["key"] == key)
    known = {row["year"]: row["value"] for row in rows} if isinstance(rows, list) else rows
    return {int(year): Fraction(value) for year, value in known.items() if value is not None}


INDEX_BASES = by_year("contribution.yaml", "index_base")
BASES = by_year("pension-employee.yaml", "calculation_base")


class Life:
    """A working life by chance: when somebody retires, and what each month was (deemed before 1996, then paid)."""

    def __init__(self, chance: random.Random) -> None:
        self.track = chance.choice(list(second_pensions.TRACKS))
        years = second_pensions.TRACKS[self.track][0]
        self.birth = second_pensions.named((chance.randrange(2023, 2055) - years) * 12 + chance.randrange(12))
        _, original, statutory = second_pensions.ages({"track": self.track, "birth": self.birth})
        self.retires = chance.choice([statutory, original, statutory + chance.randrange(-40, 41)])
        worked = chance.choice([chance.randrange(170, 260), chance.randrange(260, 540)])
        self.months: dict[int, tuple[str, int]] = {}
        for month in range(self.retires - worked + 1, self.retires + 1):
            letter = "D" if month < 1996 * 12 else chance.choices("PUD.", (90, 3, 1, 6))[0]
            if letter != ".":
                self.months[month] = (letter, chance.randrange(3000_00, 25000_00) if letter in "PU" else 0)
        self.balance = chance.randrange(400_000_00)
        self.old = chance.choice([None, None, chance.randrange(2000_00)])

    def to_inputs(self) -> PensionInputs:
        """As the service keeps it."""
        years = {}
        for year in sorted({month // 12 for month in self.months}):
            whole = [self.months.get(year * 12 + place, (".", 0)) for place in range(12)]
            years[year] = YearRecord(tuple(base for _, base in whole), "".join(letter for letter, _ in whole))
        return PensionInputs(
            birth=Month.parse(self.birth),
            track=Track(self.track),
            retirement_month=Month.parse(second_pensions.named(self.retires)),
            history=History.of_years(years),
            balance=Money(self.balance),
            old_transitional=None if self.old is None else Money(self.old),
        )

    def apart(self) -> dict[str, Any]:
        """The pension by the other arithmetic: lines and total in fen, or the reason of a refusal."""
        person = {"track": self.track, "birth": self.birth}
        birth, original, statutory = second_pensions.ages(person)
        counted = {month: base for month, (letter, base) in self.months.items() if letter in "PD"}
        choice = second_pensions.flexible(
            {**person, "chosen": second_pensions.named(self.retires), "contribution_months": len(counted)}
        )
        if original < second_pensions.REFORM and self.retires == statutory:
            if len(counted) < second_pensions.least(statutory):
                return {"refused": "CONTRIBUTION_SHORT"}
        elif not choice["allowed"]:
            return {"refused": choice["reason"]}
        paid = {month: base for month, base in counted.items() if self.months[month][0] == "P"}
        latest = max(INDEX_BASES)
        beside = [Fraction(base * 12, 100) / INDEX_BASES[min(month // 12, latest)] for month, base in paid.items()]
        index = sum(beside, Fraction(0)) / len(counted)
        index4 = Fraction((2 * index * 10_000 + 1) // 2, 10_000)
        base = BASES[min((self.retires + 1) // 12, max(BASES))]
        lines = {
            "basic": fen(base * (1 + index4) * len(counted) / 2400),
            "account": fen(Fraction(self.balance, 100) / Fraction(second_pensions.payout(self.retires - birth))),
        }
        deemed = len(counted) - len(paid)
        if deemed or self.old is not None:
            lines["transitional"] = new = fen(base * index * deemed / 1000)
            if self.old is not None:
                lines["transitional"] = self.old
                if new > self.old:
                    year = self.retires // 12
                    if year < min(BLEND):
                        return {"refused": "POLICY_PARAMETER_MISSING"}
                    lines["transitional"] += fen(Fraction(new - self.old, 100) * BLEND.get(year, Fraction(1)))
        return {**lines, "total": jiao(sum(lines.values()))}


def determined(inputs: PensionInputs) -> dict[str, Any]:
    """What the service says."""
    try:
        statement = pension_statement(inputs, POLICY)
    except DomainError as error:
        return {"refused": error.reason}
    lines = {line.code: line.amount.fen for line in statement.lines if line.code != "rounding"}
    return {**lines, "total": statement.total.fen}


@pytest.mark.parametrize(("lives", "seed"), [(80, 9), slow(2000, 6)])
def test_a_working_life_gives_the_pension_of_the_law(lives: int, seed: int) -> None:
    chance = random.Random(seed)
    seen = set()
    for _ in range(lives):
        life = Life(chance)
        expected = life.apart()
        assert determined(life.to_inputs()) == expected, vars(life)
        seen.add(expected.get("refused", "transitional" if "transitional" in expected else "plain"))

    assert seen >= {"plain", "transitional", "CONTRIBUTION_SHORT", "TOO_EARLY", "TOO_LATE", "NOT_APPLICABLE"}
