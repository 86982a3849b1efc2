"""From facts to an amount, and the same way again: what was approved can be recomputed from what is stored.

A calculation keeps its inputs (facts, not results), the version of the policy files and the statement.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kernel.calendar import parse_date
from kernel.statement import Statement
from services.training.domain import skill_subsidy
from services.training.domain.skill_subsidy import Facts, Grant, PersonStatus, Skill
from services.training.policy import TrainingPolicy


@dataclass(frozen=True)
class Calculation:
    """A statement with what it was made from."""

    policy_version: str
    inputs: dict[str, Any]
    statement: Statement

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over the canonical JSON of all of it: what the second person approves."""
        content = {
            "policy_version": self.policy_version,
            "inputs": self.inputs,
            "statement": self.statement.to_plain(),
        }
        return hashlib.sha256(canonical(content).encode()).digest()


def canonical(content: Any) -> str:
    """One text for one value: keys sorted, no blanks."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def calculate(facts: Facts, policy: TrainingPolicy) -> Calculation:
    """What the facts of an eligible claim pay.

    Raises:
        PolicyParameterMissing: The level has no amount.
    """
    assert facts.skill is not None
    statement = skill_subsidy.amount(facts.skill, facts.apply_date, policy.skill, is_urgent=facts.is_urgent)
    return Calculation(policy.version, to_plain(facts), statement)


def recompute(inputs: Mapping[str, Any], policy: TrainingPolicy) -> Calculation:
    """The calculation that stored inputs give."""
    return calculate(from_plain(inputs), policy)


def to_plain(facts: Facts) -> dict[str, Any]:
    """Facts with a certificate as plain values."""
    assert facts.skill is not None
    return {
        "occupation": facts.skill.occupation,
        "level": facts.skill.level,
        "issue_date": facts.skill.issue_date.isoformat(),
        "status": facts.status.value,
        "apply_date": facts.apply_date.isoformat(),
        "insured_months": facts.insured_months,
        "grants": [
            {"occupation": grant.occupation, "level": grant.level, "apply_date": grant.apply_date.isoformat()}
            for grant in facts.grants
        ],
        "is_subsidised_elsewhere": facts.is_subsidised_elsewhere,
        "is_urgent": facts.is_urgent,
    }


def from_plain(plain: Mapping[str, Any]) -> Facts:
    """Read what `to_plain` wrote."""
    return Facts(
        skill=Skill(plain["occupation"], plain["level"], parse_date(plain["issue_date"])),
        status=PersonStatus(plain["status"]),
        apply_date=parse_date(plain["apply_date"]),
        insured_months=plain["insured_months"],
        grants=tuple(
            Grant(grant["occupation"], grant["level"], parse_date(grant["apply_date"])) for grant in plain["grants"]
        ),
        is_subsidised_elsewhere=plain["is_subsidised_elsewhere"],
        is_urgent=plain["is_urgent"],
    )
