"""Survivors' benefits of the employee scheme (企业职工遗属待遇) from facts: funeral grant and one-off grant.

Who dies while drawing unemployment benefit leaves the same, paid by the fund of unemployment (失业保险, U03).

Both are determined apart, so that another fund may pay the funeral. Below five years own contributions limit the two
together: the funeral grant comes first, the other grant gets what is left (assumed: decision 0193).
"""

from dataclasses import dataclass
from datetime import date

from kernel.calendar import Month
from kernel.money import Money
from kernel.statement import Line, Statement
from services.benefits.domain import survivors
from services.benefits.domain.survivors import SurvivorBenefit
from services.benefits.kinds.plain import Facts
from services.benefits.lifecycle import FUNERALS, Kind
from services.benefits.policy import BenefitsPolicy


@dataclass(frozen=True, slots=True)
class SurvivorFacts(Facts):
    """What goes into survivors' benefits.

    Args:
        death_date: Day of death.
        contribution_months: Counted months of the employee pension.
        drawn_months: Months for which a pension was drawn; absent: died in service.
        own_contributions: Sum of the own contributions; needed below five years.
        funeral_elsewhere: Another fund pays the funeral grant.
    """

    death_date: date
    contribution_months: int
    drawn_months: int | None = None
    own_contributions: Money | None = None
    funeral_elsewhere: bool = False

    def assess(self, policy: BenefitsPolicy) -> SurvivorBenefit:
        """Both grants together.

        Raises:
            PolicyParameterMissing: The income of the year before the death, or the death lies before 2021-09.
        """
        facts = survivors.SurvivorFacts(self.contribution_months, self.drawn_months, self.own_contributions)
        return survivors.assess(facts, policy.survivors.rules(self.death_date))

    def statement(self, kind: Kind, month: Month, policy: BenefitsPolicy) -> Statement:
        """One of the two, within the limit of few years."""
        del month
        made = self.assess(policy)
        limit = self.own_contributions if self.contribution_months < survivors.FEW_YEARS_MONTHS else None
        if kind in FUNERALS:
            return _within(made.statement.line("funeral"), limit)
        taken = Money.ZERO if self.funeral_elsewhere else made.funeral
        left = None if limit is None else max(Money.ZERO, limit - taken)
        return _within(made.statement.line("pension"), left)


def _within(line: Line, limit: Money | None) -> Statement:
    if limit is None or line.amount <= limit:
        return Statement((line,))
    cap = Line(
        code="cap",
        amount=limit - line.amount,
        title_zh="缴费不满五年以个人缴费为限",
        title_en="Limited to own contributions below five years",
        formula=f"{line.amount} → {limit}",
        inputs=(("own_contributions", str(limit)),),
        sources=line.sources,
        provisional=line.provisional,
    )
    return Statement((line, cap))
