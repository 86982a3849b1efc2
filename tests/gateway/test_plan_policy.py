"""The file of the plan is read strictly: seventeen rows, each counted or missing, and nothing else."""

from __future__ import annotations

import shutil
from datetime import date
from typing import TYPE_CHECKING

import pytest

from chassis.policy import PolicyInvalid, PolicyStore, release_directory
from services.gateway.platform.policy import FILE, PlanPolicy

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2026, 8, 1)


def changed(folder: Path, before: str, after: str) -> PolicyStore:
    """The files of the release with one passage changed."""
    target = folder / "policy"
    shutil.copytree(release_directory(), target)
    text = (target / FILE).read_text("utf-8")
    assert before in text
    (target / FILE).write_text(text.replace(before, after, 1), "utf-8")
    return PolicyStore(target)


def test_the_plan_of_the_release_can_be_read() -> None:
    plan = PlanPolicy(PolicyStore(release_directory()), TODAY)

    assert len(plan.indicators) == 17
    assert (plan.period.first, plan.period.last) == (date(2021, 1, 1), date(2025, 12, 31))
    assert set(plan.services) == {"enrollment", "training", "card"}
    assert [one.number for one in plan.indicators if one.counted_by] == [5, 6, 8, 9, 13, 17]
    assert [one.number for one in plan.indicators if one.is_partial] == [5, 13]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("{number: 2, ", "{number: 3, ", "numbers are 1 to 17"),
        ("key: startups_supported, zh: 扶", "key: urban_new_jobs, zh: 扶", "a key is given twice"),
        ("comparison: about", "comparison: near", "near is none of"),
        ("unit: 万人次, comparison", "unit: 千人, comparison", "千人 is none of"),
        ("{key: work_injury_insured, service", "{key: work_injuries, service", "work_injuries is no indicator"),
        ("{key: unemployment_insured, service", "{key: work_injury_insured, service", "is given twice"),
        ("extent: part, zh: 只计规划期内", "extent: whole, zh: 只计规划期内", "says what is missing"),
        ("extent: part, zh: 只计规划期内", "extent: most, zh: 只计规划期内", "most is none of"),
        ("{key: surveyed_unemployment, zh: 来自", "{key: ecard_holders, zh: 来自", "says what is missing"),
        ("{key: unemployment_insured, service", "{key: dispute_arbitration_closed, service", "is a rate"),
    ],
)
def test_a_mistake_stops_the_start_and_is_named(tmp_path: Path, before: str, after: str, said: str) -> None:
    store = changed(tmp_path, before, after)

    with pytest.raises(PolicyInvalid, match=said):
        PlanPolicy(store, TODAY)
