"""The check and the amount as pure calculation; figures and borders stand in tests/cases/training.yaml."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.policy import open_policy
from kernel.errors import InvalidInput, PolicyParameterMissing
from kernel.money import Money
from services.training.calculation import calculate, from_plain, recompute, to_plain
from services.training.domain.skill_subsidy import Facts, Grant, PersonStatus, Skill, amount, assess, last_claim_day
from services.training.lifecycle import CLAIM_STEPS, ORDER_STEPS, Answer, ClaimState, OrderState, Step
from services.training.policy import TrainingPolicy

if TYPE_CHECKING:
    from pathlib import Path

    from services.training.domain.skill_subsidy import SkillLaw

SKILL = Skill("6-18-01-01", 4, date(2026, 2, 10))
GOOD = Facts(SKILL, PersonStatus.EMPLOYED, date(2026, 8, 10), 26)
ORDER = (
    "CERTIFICATE_NOT_FOUND",
    "PERSON_STATUS",
    "WINDOW",
    "NOT_ENOUGH_MONTHS",
    "DUPLICATE_OCC_LEVEL",
    "LOWER_LEVEL",
    "CROSS_SUBSIDY",
    "YEAR_LIMIT",
)


@pytest.fixture(scope="module")
def law() -> SkillLaw:
    """The law as it is published."""
    return TrainingPolicy(open_policy()).skill


def test_every_failed_condition_is_named_in_order_with_its_source(law: SkillLaw) -> None:
    grants = (Grant(SKILL.occupation, 4, date(2027, 3, 1)), Grant(SKILL.occupation, 3, date(2027, 4, 1)))
    facts = Facts(SKILL, PersonStatus.OTHER, date(2027, 8, 1), 3, grants, is_subsidised_elsewhere=True)

    found = assess(facts, law)

    assert found.reasons == ORDER[1:]
    assert all(failure.source and failure.text_zh and failure.text_en for failure in found.failures)
    assert not found.eligible


def test_without_a_certificate_only_what_can_be_known_is_said(law: SkillLaw) -> None:
    facts = replace(GOOD, skill=None, status=PersonStatus.OTHER, insured_months=0)

    assert assess(facts, law).reasons == ("CERTIFICATE_NOT_FOUND", "PERSON_STATUS")


def test_an_eligible_claim_pays_the_amount_of_its_level(law: SkillLaw) -> None:
    statement = amount(SKILL, GOOD.apply_date, law, is_urgent=False)

    assert assess(GOOD, law).eligible
    assert statement.total == Money.yuan("1500")
    assert statement.line("level").sources == ("MOHRSS-2017-40", "MOHRSS-2025-UI")


def test_an_urgent_claim_without_a_configured_uplift_pays_the_plain_amount(law: SkillLaw) -> None:
    assert amount(SKILL, GOOD.apply_date, law, is_urgent=True).total == Money.yuan("1500")


def test_no_occupation_is_urgent_while_the_list_is_not_known(law: SkillLaw) -> None:
    assert not law.is_urgent(SKILL.occupation, GOOD.apply_date)


LOCAL = """
schema: hrss-policy-local/1
entries:
  - {id: LIST, file: training.yaml, key: skill.urgent_occupations, from: 2025-01-01, to: null, value: [6-18-01-01],
     confidence: certain, reason: list, reviewers: [one, two], decided: 2026-01-01}
  - {id: UPLIFT, file: training.yaml, key: skill.urgent_uplift.ratio, from: 2025-01-01, to: null, value: "0.20",
     confidence: certain, reason: notice, reviewers: [one, two], decided: 2026-01-01}
"""


def test_the_bureau_supplies_the_list_of_urgent_occupations_and_their_uplift(tmp_path: Path) -> None:
    (tmp_path / "local.yaml").write_text(LOCAL)
    law = TrainingPolicy(open_policy(None, tmp_path / "local.yaml")).skill

    statement = amount(SKILL, GOOD.apply_date, law, is_urgent=law.is_urgent(SKILL.occupation, GOOD.apply_date))

    assert not law.is_urgent(SKILL.occupation, date(2024, 12, 31))
    assert statement.total == Money.yuan("1800")
    assert "LOCAL:UPLIFT" in statement.line("uplift").sources


@pytest.mark.parametrize("level", [1, 2])
def test_a_level_without_an_amount_is_refused_by_name(law: SkillLaw, level: int) -> None:
    with pytest.raises(PolicyParameterMissing) as caught:
        amount(replace(SKILL, level=level), GOOD.apply_date, law, is_urgent=False)

    assert caught.value.metadata["key"] == f"skill.amount.level_{level}"


def test_there_are_five_levels(law: SkillLaw) -> None:
    with pytest.raises(InvalidInput):
        amount(replace(SKILL, level=6), GOOD.apply_date, law, is_urgent=False)


def test_before_the_subsidy_existed_the_law_says_nothing(law: SkillLaw) -> None:
    with pytest.raises(PolicyParameterMissing):
        assess(replace(GOOD, apply_date=date(2016, 5, 1)), law)
    with pytest.raises(PolicyParameterMissing):
        assess(replace(GOOD, skill=replace(SKILL, issue_date=date(2016, 12, 31)), apply_date=date(2017, 5, 1)), law)


@given(st.dates(date(2017, 1, 1), date(2090, 1, 1)))
def test_the_window_ends_in_the_same_month_a_year_later(issued: date) -> None:
    last = last_claim_day(issued, 12)

    assert (last.year, last.month) == (issued.year + 1, issued.month)
    assert last.day == (28 if (issued.month, issued.day) == (2, 29) else issued.day)


@given(
    status=st.sampled_from(PersonStatus),
    months=st.integers(0, 60),
    days=st.integers(-30, 500),
    levels=st.lists(st.integers(1, 5), max_size=4),
    elsewhere=st.booleans(),
    urgent=st.booleans(),
)
def test_reasons_come_once_and_in_the_order_of_the_check(
    law: SkillLaw, status: PersonStatus, months: int, days: int, levels: list[int], *, elsewhere: bool, urgent: bool
) -> None:
    applied = date.fromordinal(SKILL.issue_date.toordinal() + days)
    grants = tuple(Grant(SKILL.occupation, level, applied) for level in levels)
    facts = Facts(SKILL, status, applied, months, grants, elsewhere, urgent)

    reasons = assess(facts, law).reasons

    assert list(reasons) == [reason for reason in ORDER if reason in reasons]
    assert from_plain(to_plain(facts)) == facts


def test_a_calculation_is_recomputed_the_same() -> None:
    policy = TrainingPolicy(open_policy())
    made = calculate(GOOD, policy)

    assert recompute(made.inputs, policy).digest == made.digest


def test_what_is_decided_is_decided() -> None:
    closed = {ClaimState.APPROVED, ClaimState.REJECTED}
    allowed = {(state, step) for state, step in product(ClaimState, Step) if state not in closed}
    answers = set(product([OrderState.RELEASED], Answer))

    assert set(CLAIM_STEPS) == allowed - {(ClaimState.SUBMITTED, Step.APPROVE)}
    assert set(ORDER_STEPS) == answers
