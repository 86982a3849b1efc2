"""The file of law that training reads, as the domain wants it."""

from types import MappingProxyType

from chassis.policy import PolicyStore
from services.training.domain.skill_subsidy import LEVELS, SkillLaw

TRAINING = "training.yaml"


class TrainingPolicy:
    """Typed law of training subsidies; everything in it answers by day."""

    def __init__(self, store: PolicyStore) -> None:
        self.version = store.version
        self.skill = SkillLaw(
            amounts=MappingProxyType({level: store.money(TRAINING, f"skill.amount.level_{level}") for level in LEVELS}),
            uplift=store.rate(TRAINING, "skill.urgent_uplift.ratio"),
            uplift_max=store.rate(TRAINING, "skill.urgent_uplift.max_ratio"),
            urgent_occupations=store.table(TRAINING, "skill.urgent_occupations", tuple),
            persons=store.table(TRAINING, "skill.persons", tuple),
            window_months=store.integer(TRAINING, "skill.window_months"),
            insured_months=store.integer(TRAINING, "skill.insured_months"),
            yearly_limit=store.integer(TRAINING, "skill.yearly_limit"),
            yearly_limit_urgent=store.integer(TRAINING, "skill.yearly_limit_urgent"),
            rules=MappingProxyType({rule.id: rule.source for rule in store.rules if rule.file == TRAINING}),
        )
