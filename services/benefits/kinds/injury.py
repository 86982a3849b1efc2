"""Work-injury benefits of the living (工伤伤残待遇) from facts.

What the employer pays (allowance of grades 5 and 6, employment grant) stands in the statement as a line of nothing: its
amount is said in words, and is not paid by the fund.
"""

from dataclasses import dataclass, replace
from datetime import date

from kernel.calendar import Month
from kernel.money import Money
from kernel.statement import Line, Statement
from services.benefits.domain import injury, injury_end, retirement
from services.benefits.domain.injury import InjuryBenefit, InjuryRules, Nursing
from services.benefits.domain.retirement import Track
from services.benefits.history import History
from services.benefits.kinds.plain import Facts
from services.benefits.lifecycle import Kind
from services.benefits.policy import BenefitsPolicy


def average_of(history: History, stated: Money | None) -> Money:
    """The average base of the 12 months before an event: as a document states it, or of the months known here."""
    return injury.average_base([one.base for one in history.months]) if stated is None else stated


@dataclass(frozen=True, slots=True)
class InjuryFacts(Facts):
    """What goes into the benefits of a grade.

    Args:
        event_date: Day of the accident or the diagnosis; the law of that day counts.
        grade: 1 (worst) to 10, from the appraisal.
        history: Paid months of the work-injury insurance in the 12 months before.
        stated_average: Average base of these months from a document, where the register has none.
        nursing: Recognised need of nursing.
        suitable_work: The employer gives suitable work (grades 5 and 6).
        division: Division of the employer, which decides the minimum wage.
        first_month: First month of what is paid monthly; its minimum wage is the least allowance.
        pension: Monthly pension, once the person has retired: the allowance pays only what that is lower.
        allowance: The allowance as adjusted since, where the pension ended one.
    """

    event_date: date
    grade: int
    history: History
    stated_average: Money | None = None
    nursing: Nursing | None = None
    suitable_work: bool = False
    division: str = ""
    first_month: Month | None = None
    pension: Money | None = None
    allowance: Money | None = None

    def assess(self, policy: BenefitsPolicy) -> InjuryBenefit:
        """All that the grade brings.

        Raises:
            InvalidInput: INJURY_GRADE_INVALID, NO_CONTRIBUTION_MONTHS.
            PolicyParameterMissing: The area's average wage, or the minimum wage of the place, is not known.
        """
        law, day = policy.injury, self.event_date
        terms = law.grades.on(day)
        has_allowance = self.grade in terms.value and terms.value[self.grade].allowance_ratio is not None
        least = None
        if has_allowance and self.first_month is not None:
            least = policy.unemployment.cap(self.division, self.first_month)
        rules = InjuryRules(law.limits.on(day), law.area_average.on(day), terms, law.nursing.on(day), least)
        average = average_of(self.history, self.stated_average)
        return injury.assess(self.grade, average, rules, nursing=self.nursing, suitable_work=self.suitable_work)

    def statement(self, kind: Kind, month: Month, policy: BenefitsPolicy) -> Statement:
        """What the fund pays of one kind; the grant also says what the employer pays each month."""
        del month
        made = self.assess(policy)
        allowance = tuple(one for one in made.monthly.lines if one.code != "nursing")
        if self.allowance is not None:
            allowance = (
                replace(allowance[0], amount=self.allowance, formula=f"{allowance[0].formula} → {self.allowance}"),
            )
        match kind:
            case Kind.INJURY_NURSING:
                return Statement(tuple(one for one in made.monthly.lines if one.code == "nursing"))
            case Kind.INJURY_GRANT:
                employer = allowance if made.payer == "employer" else ()
                return Statement((*made.once.lines, *(by_employer(one) for one in employer)))
            case _:
                if made.payer != "fund":
                    return Statement(())
                return Statement(allowance if self.pension is None else _above(allowance, self.pension))


def _above(allowance: tuple[Line, ...], pension: Money) -> tuple[Line, ...]:
    """The allowance less the pension: what the fund adds after retirement, never less than nothing."""
    whole = Money.total(one.amount for one in allowance)
    top_up = injury.retirement_top_up(whole, pension)
    taken = min(whole, pension)
    line = replace(
        top_up.line("pension"),
        amount=-taken,
        title_zh="减：基本养老金",
        title_en="Less the pension",
        formula=f"{whole} − {pension} → {whole - taken}",
    )
    return (*allowance, line)


def by_employer(line: Line) -> Line:
    """A line that says what the employer pays; the fund pays nothing of it."""
    return replace(
        line,
        code=f"employer.{line.code}",
        amount=Money.ZERO,
        title_zh=f"{line.title_zh}（由用人单位支付，不计入本单）",
        title_en=f"{line.title_en} (paid by the employer, not in this total)",
        inputs=(*line.inputs, ("employer_pays", str(line.amount))),
    )


@dataclass(frozen=True, slots=True)
class TerminationFacts(Facts):
    """What goes into the grants at the end of an injured worker's employment.

    Args:
        birth: Month of birth.
        track: Retirement track.
        end_date: Day on which the employment ends; the law of that day counts.
        grade: 5 to 10.
        own_request: The worker asks to leave.
        employer_fault: For the employer's fault (劳动合同法 art. 38).
        occupational_disease: An occupational disease raises the medical grant.
        retired: A pension was determined.
    """

    birth: Month
    track: Track
    end_date: date
    grade: int
    own_request: bool = True
    employer_fault: bool = False
    occupational_disease: bool = False
    retired: bool = False

    def statement(self, kind: Kind, month: Month, policy: BenefitsPolicy) -> Statement:
        """The medical grant of the fund, and what the employer pays beside it."""
        del kind, month
        law, day = policy.injury_end, self.end_date
        person = retirement.retire(self.track, self.birth, policy.retirement)
        facts = injury_end.TerminationFacts(
            grade=self.grade,
            months_left=Month.of(day).months_until(person.statutory),
            own_request=self.own_request,
            employer_fault=self.employer_fault,
            occupational_disease=self.occupational_disease,
            retired=self.retired,
        )
        rules = injury_end.TerminationRules(
            medical=law.medical.on(day),
            employment=law.employment.on(day),
            city_factor=law.city_factor.on(day),
            disease_factor=law.disease_factor.on(day),
            medical_reductions=law.medical_reductions.on(day),
            employment_reductions=law.employment_reductions.on(day),
        )
        made = injury_end.assess(facts, rules).statement
        return Statement((made.line("medical"), by_employer(made.line("employment"))))
