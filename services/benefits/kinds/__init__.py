"""The facts of each kind of benefit beside the employee pension and the unemployment benefit, and their statements.

Each kind has one class of facts: what the register and the clerk's documents said when it was determined. From them and
the law alone the statement is made, and made again the same years later.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol, Self

from kernel.calendar import Month
from kernel.statement import Statement
from services.benefits.kinds.disability import DisabilityFacts
from services.benefits.kinds.government import AnnuityFacts, GovernmentFacts
from services.benefits.kinds.injury import InjuryFacts, TerminationFacts
from services.benefits.kinds.resident import ResidentFacts, ResidentFuneralFacts
from services.benefits.kinds.survivors import SurvivorFacts
from services.benefits.kinds.unemployment import LumpSumFacts
from services.benefits.kinds.work_death import WorkDeathFacts
from services.benefits.lifecycle import Kind
from services.benefits.policy import BenefitsPolicy


class KindFacts(Protocol):
    """What every class of facts can do."""

    def to_plain(self) -> dict[str, Any]:
        """The facts as plain values."""

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Self:
        """Read what `to_plain` wrote."""

    def statement(self, kind: Kind, month: Month, policy: BenefitsPolicy) -> Statement:
        """What the facts give of a kind in a month."""


FACTS: Mapping[Kind, type[KindFacts]] = MappingProxyType(
    {
        Kind.GOVERNMENT_PENSION: GovernmentFacts,
        Kind.OCCUPATIONAL_ANNUITY: AnnuityFacts,
        Kind.RESIDENT_PENSION: ResidentFacts,
        Kind.DISABILITY_ALLOWANCE: DisabilityFacts,
        Kind.INJURY_GRANT: InjuryFacts,
        Kind.INJURY_ALLOWANCE: InjuryFacts,
        Kind.INJURY_NURSING: InjuryFacts,
        Kind.INJURY_MEDICAL_GRANT: TerminationFacts,
        Kind.INJURY_FUNERAL: WorkDeathFacts,
        Kind.INJURY_DEATH_GRANT: WorkDeathFacts,
        Kind.INJURY_DEPENDANT: WorkDeathFacts,
        Kind.SURVIVOR_FUNERAL: SurvivorFacts,
        Kind.SURVIVOR_GRANT: SurvivorFacts,
        Kind.RESIDENT_FUNERAL: ResidentFuneralFacts,
        Kind.UNEMPLOYMENT_LUMP_SUM: LumpSumFacts,
        Kind.UNEMPLOYMENT_FUNERAL: SurvivorFacts,
        Kind.UNEMPLOYMENT_GRANT: SurvivorFacts,
    }
)


def statement_of(kind: Kind, plain: dict[str, Any], month: Month, policy: BenefitsPolicy) -> Statement:
    """The statement of a month from stored facts."""
    return FACTS[kind].from_plain(plain).statement(kind, month, policy)
