"""What a death from work, or a person missing from work, brings (工亡待遇) from facts."""

from dataclasses import dataclass, replace
from datetime import date

from kernel.calendar import Month
from kernel.money import Money
from kernel.statement import Line, Statement
from services.benefits.domain import injury, injury_death
from services.benefits.domain.injury_death import DeathBenefit, DeathRules, Dependant
from services.benefits.history import History
from services.benefits.kinds.injury import average_of
from services.benefits.kinds.plain import Facts
from services.benefits.lifecycle import Kind
from services.benefits.policy import BenefitsPolicy


@dataclass(frozen=True, slots=True)
class DependantFacts(Facts):
    """A dependant (供养亲属): spouse or other relative; `alone` marks an orphan or a lonely old person."""

    is_spouse: bool
    alone: bool = False


@dataclass(frozen=True, slots=True)
class WorkDeathFacts(Facts):
    """What goes into the benefits of a death from work.

    Args:
        event_date: Day of the death, or of the accident after which the person is missing.
        history: Paid months of the work-injury insurance in the 12 months before.
        stated_average: Average base of these months from a document, where the register has none.
        dependants: All of them, in the order of their numbers.
        number: The dependant whose pension this is, from 1; 0 for what is paid once.
        after_paid_leave: Grade 1 to 4 and died after paid leave: no one-off grant.
        missing: Missing, not dead: half of the one-off grant is prepaid in hardship.
        prepaid: What was prepaid while the person was missing.
        injury_date: Day of the accident before which the 12 months count; absent: the day of the event.
    """

    event_date: date
    history: History
    stated_average: Money | None = None
    dependants: tuple[DependantFacts, ...] = ()
    number: int = 0
    after_paid_leave: bool = False
    missing: bool = False
    prepaid: Money = Money.ZERO
    injury_date: date | None = None

    @property
    def injured(self) -> date:
        """The day before which the 12 months count."""
        return self.injury_date or self.event_date

    def assess(self, policy: BenefitsPolicy) -> DeathBenefit:
        """All that the death brings.

        Raises:
            InvalidInput: NO_CONTRIBUTION_MONTHS, TWO_SPOUSES.
            PolicyParameterMissing: The area's average wage or the national income of the year before.
        """
        rules = self._rules(policy)
        average = average_of(self.history, self.stated_average)
        wage = injury.own_wage(average, policy.injury.limits.on(self.event_date), rules.area_average).amount
        dependants = [Dependant(one.is_spouse, one.alone) for one in self.dependants]
        return injury_death.assess(wage, dependants, rules, after_paid_leave=self.after_paid_leave)

    def _rules(self, policy: BenefitsPolicy) -> DeathRules:
        return policy.injury_death.rules(self.event_date)

    def statement(self, kind: Kind, month: Month, policy: BenefitsPolicy) -> Statement:
        """What is paid of one kind."""
        del month
        made = self.assess(policy)
        match kind:
            case Kind.INJURY_FUNERAL:
                return Statement((made.once.line("funeral"),))
            case Kind.INJURY_DEPENDANT:
                return Statement((made.monthly.line(f"dependant.{self.number}"),))
            case _:
                return self._grant(made, policy)

    def _grant(self, made: DeathBenefit, policy: BenefitsPolicy) -> Statement:
        if self.missing:
            terms = policy.injury_death.missing.on(self.event_date)
            return injury_death.prepaid_for_missing(self._rules(policy), terms)
        lines = [one for one in made.once.lines if one.code == "one_off"]
        if lines and self.prepaid > Money.ZERO:
            taken = min(self.prepaid, lines[0].amount)
            titles = ("减：已预支部分", "Less what was prepaid")
            lines.append(Line("prepaid", -taken, *titles, f"−{taken}", sources=("WII",)))
        return Statement(tuple(lines))


def of_dependant(facts: WorkDeathFacts, number: int) -> WorkDeathFacts:
    """The facts of one dependant's pension."""
    return replace(facts, number=number)
