"""The table of rules says of every rule where it lives, and what it says is there."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "benefits-rules.md"
FILES = (
    "certification",
    "payout-months",
    "pension-employee",
    "pension-government",
    "pension-resident",
    "retirement",
    "survivor",
    "unemployment",
    "work-injury",
)
LEAST_REASON = 30  # characters that say why there is nothing to calculate
ROW = re.compile(r"\| ([a-z_]+\.[A-Za-z0-9_.]+) \| (.+) \| (?:`(test_\w+)`)? ?\|")
PLACE = re.compile(r"`([\w/.]+\.py)` `(\w+)`")
REFUSED = re.compile(r"refused: `([A-Z_]+)`; ")


def test_every_rule_has_its_place_and_its_test() -> None:
    rows = [ROW.fullmatch(line) for line in TABLE.read_text().splitlines() if re.match(r"\| [a-z]+\w*\.", line)]
    assert all(rows)
    told = {row[1]: (row[2], row[3]) for row in rows if row}
    laws = [yaml.safe_load((ROOT / "policy" / f"{name}.yaml").read_text()) for name in FILES]
    rules = [rule["id"] for law in laws for rule in law["rules"]]
    assert sorted(told) == sorted(rules)
    assert len(told) == len(rows)

    tests = "\n".join(path.read_text() for path in (ROOT / "tests" / "benefits").glob("test_*.py"))
    problems = (ROOT / "services" / "gateway" / "i18n" / "problems.yaml").read_text()
    for rule, (where, test) in told.items():
        if place := PLACE.fullmatch(where):
            source = (ROOT / place[1]).read_text()
            assert re.search(rf"^(async def|def|class) {place[2]}\b|^{place[2]}\b.* = ", source, re.MULTILINE), rule
        elif refusal := REFUSED.match(where):
            assert f"\n{refusal[1]}:" in problems, rule
        else:
            assert len(where) >= LEAST_REASON, rule
            assert test is None, rule
            continue
        assert re.search(rf"def {test}\(", tests), (rule, test)
