"""The skills subsidy, by the law of training."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chassis.policy import PolicyStore
from kernel.money import Money
from ops.policy_calculations.inputs import Calculation, Inputs, always, exact
from services.training.domain import skill_subsidy
from services.training.policy import TrainingPolicy

# How examples begin to name who may claim a skills subsidy; any other word is a person who may not.
EMPLOYED = (
    "employ", "enterprise", "insured", "active", "in_service", "in-service", "on_", "working", "true", "1",
    "在职", "企业在职",
)  # fmt: skip
DRAWING = ("drawing", "claim", "receiving", "unemployment", "unemployed_claim", "领取", "领金")
# How they say that another subsidy was paid.
ELSEWHERE = (
    "cross",
    "elsewhere",
    "institution",
    "same_cert",
    "other_subsid",
    "training_subsid",
)  # how they say that another subsidy was paid


class TrainingCalculations:
    """The skills subsidy, by the law of training."""

    def __init__(self, store: PolicyStore) -> None:
        self._law = TrainingPolicy(store)

    @property
    def calculations(self) -> Mapping[str, Calculation]:
        """What examples may ask for, by kind."""
        return {
            "skill_subsidy": self._skill_subsidy,
        }

    def _skill_subsidy(self, inputs: Inputs) -> dict[str, Any]:
        law = self._skill_law(inputs)
        elsewhere = [name for name in inputs.names if any(word in name for word in ELSEWHERE)]
        facts = skill_subsidy.Facts(
            skill=_skill(inputs),
            status=_status(inputs),
            apply_date=inputs.day("apply_date"),
            insured_months=inputs.whole("insured_months", 0),
            grants=tuple(_grant(prior) for prior in inputs.items("prior")) if inputs.has("prior") else (),
            is_subsidised_elsewhere=any(inputs.flag(name, default=False) for name in elsewhere),
            is_urgent=inputs.flag("urgent", default=False),
        )
        assessment = skill_subsidy.assess(facts, law)
        if "NOT_ENOUGH_MONTHS" in assessment.reasons[:1]:
            inputs.raw("insured_months")  # months that nobody stated are not months that were not paid
        if facts.skill is None or not assessment.eligible:
            return {"grant": False, "reason": assessment.failures[0].reason}
        paid = skill_subsidy.amount(facts.skill, facts.apply_date, law, is_urgent=facts.is_urgent)
        return {"grant": True, "amount": str(paid.total)}

    def _skill_law(self, inputs: Inputs) -> skill_subsidy.SkillLaw:
        """The law of the subsidy with the uplift and the amount that the example states instead."""
        law = self._law.skill
        if inputs.has("uplift"):
            law = replace(law, uplift=always("uplift", inputs.number("uplift")))
        for name in ("standard", "level_amount", "configured_amount", "technician_amount", "amount"):
            if inputs.has(name):
                law = _with_amount(law, inputs.whole("level"), inputs.money(name))
        for name in ("amounts", "configured", "configured_amounts"):
            for level, amount in inputs.mapping(name).items() if inputs.has(name) else ():
                law = _with_amount(law, int(level), Money.rounded(exact(amount, name)))
        return law


def _with_amount(law: skill_subsidy.SkillLaw, level: int, amount: Money) -> skill_subsidy.SkillLaw:
    """The law with the amount of a level that the bureau would have entered."""
    return replace(law, amounts={**law.amounts, level: always(f"amount of level {level}", amount)})


def _skill(inputs: Inputs) -> skill_subsidy.Skill | None:
    """What the certificate of an example says, when it is found."""
    marks = ("certificate_found", inputs.named("found"), "certificate_valid", "certificate")
    is_found = all(inputs.flag(mark, default=True) for mark in marks if mark is not None)
    if not is_found and not all(inputs.has(name) for name in ("occupation", "level", "issue_date")):
        return None
    skill = skill_subsidy.Skill(inputs.text("occupation"), inputs.whole("level"), inputs.day("issue_date"))
    return skill if is_found else None


def _status(inputs: Inputs) -> skill_subsidy.PersonStatus:
    """What the claimant of an example is; employed when it does not say."""
    for name in ("person_status", inputs.named("person"), "status"):
        if name is not None and inputs.has(name):
            word = inputs.text(name).strip().lower()
            if word.startswith(DRAWING):
                return skill_subsidy.PersonStatus.DRAWING
            is_employed = word.startswith(EMPLOYED)
            return skill_subsidy.PersonStatus.EMPLOYED if is_employed else skill_subsidy.PersonStatus.OTHER
    return skill_subsidy.PersonStatus.EMPLOYED


def _grant(prior: Inputs) -> skill_subsidy.Grant:
    """A subsidy that an example says was granted before."""
    return skill_subsidy.Grant(prior.text("occupation"), prior.whole("level"), prior.day("apply_date"))
