"""Skills-upgrade subsidy (技能提升补贴): who gets it for a certificate, and how much.

Sources: 人社部发〔2017〕40号, 人社部发〔2022〕23号, and the notice of 2025 that continues both.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from kernel.calendar import Month
from kernel.dated import Dated, DatedValue
from kernel.errors import InvalidInput
from kernel.money import Money
from kernel.statement import Line, Statement

LEVELS = (5, 4, 3, 2, 1)  # 初级 to 高级技师: the lower the number, the higher the skill


class PersonStatus(StrEnum):
    """What a claimant is on the day of the application."""

    EMPLOYED = "employed"  # 企业在职参保职工
    DRAWING = "drawing_unemployment_benefit"  # 领取失业保险金人员
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Skill:
    """What a certificate says: a level of an occupation, and when it was issued."""

    occupation: str
    level: int
    issue_date: date


@dataclass(frozen=True, slots=True)
class Grant:
    """A subsidy that the person was granted before, by the day of its application."""

    occupation: str
    level: int
    apply_date: date


@dataclass(frozen=True, slots=True)
class Facts:
    """What a claim is judged by.

    Args:
        skill: What the certificate says; ``None`` when no such certificate of the person is found.
        status: What the claimant is on the day of the application.
        apply_date: Day of the application.
        insured_months: Months of unemployment insurance paid up to the month of the certificate.
        grants: Subsidies granted before.
        is_subsidised_elsewhere: A training institution was subsidised for the same certificate.
        is_urgent: The occupation is on the list of urgent ones.
    """

    skill: Skill | None
    status: PersonStatus
    apply_date: date
    insured_months: int
    grants: tuple[Grant, ...] = ()
    is_subsidised_elsewhere: bool = False
    is_urgent: bool = False

    def __post_init__(self) -> None:
        if self.insured_months < 0:
            raise InvalidInput(
                "CONTRIBUTION_MONTHS_NEGATIVE", "insured months are not negative", field="insured_months"
            )


@dataclass(frozen=True, slots=True)
class SkillLaw:
    """What the check and the amount need of the law.

    ``rules`` are the sources of the rules that have no value, by the id of the rule.
    """

    amounts: Mapping[int, Dated[Money]]
    uplift: Dated[Decimal]
    uplift_max: Dated[Decimal]
    urgent_occupations: Dated[tuple[str, ...]]
    persons: Dated[tuple[str, ...]]
    window_months: Dated[int]
    insured_months: Dated[int]
    yearly_limit: Dated[int]
    yearly_limit_urgent: Dated[int]
    rules: Mapping[str, tuple[str, ...]]

    def is_urgent(self, occupation: str, day: date) -> bool:
        """Whether an occupation is on the list of urgent ones; without a list none is."""
        return self.urgent_occupations.covers(day) and occupation in self.urgent_occupations.on(day).value

    def limit(self, *, is_urgent: bool, day: date) -> DatedValue[int] | None:
        """How many subsidies a person may be granted in the year of a day; None in years without a limit."""
        if is_urgent and self.yearly_limit_urgent.covers(day):
            return self.yearly_limit_urgent.on(day)
        return self.yearly_limit.on(day) if self.yearly_limit.covers(day) else None


@dataclass(frozen=True, slots=True)
class Failure:
    """A condition that is not met, in words for people, with its sources."""

    reason: str
    text_zh: str
    text_en: str
    source: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assessment:
    """Every condition that is not met, in the order of the check; none means eligible."""

    failures: tuple[Failure, ...]

    @property
    def eligible(self) -> bool:
        """Whether all conditions are met."""
        return not self.failures

    @property
    def reasons(self) -> tuple[str, ...]:
        """The keys of the conditions that are not met."""
        return tuple(failure.reason for failure in self.failures)

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of all of them, each once."""
        return tuple(dict.fromkeys(source for failure in self.failures for source in failure.source))


def assess(facts: Facts, law: SkillLaw) -> Assessment:
    """Whether a claim may be granted, with every condition that it does not meet.

    CERTIFICATE_NOT_FOUND, PERSON_STATUS, WINDOW, NOT_ENOUGH_MONTHS, DUPLICATE_OCC_LEVEL, LOWER_LEVEL, CROSS_SUBSIDY,
    YEAR_LIMIT, in this order. What cannot be known without the certificate is not said when there is none.

    Raises:
        PolicyParameterMissing: The subsidy did not exist yet on the day of the application or of the certificate.
    """
    failures = list(_about_the_person(facts, law))
    if facts.skill is not None:
        in_window = _window(facts.skill, facts.apply_date, law)
        failures += in_window
        # A certificate from before the subsidy is only too old: there is no number of months to ask for.
        if not in_window or law.insured_months.covers(facts.skill.issue_date):
            failures += _months(facts.skill, facts.insured_months, law)
        failures += _repeated(facts.skill, facts, law)
    return Assessment((*failures, *_yearly(facts, law)))


def last_claim_day(issue_date: date, months: int) -> date:
    """The last day of the window: the same day so many months later, or the last one of a shorter month."""
    month = Month.of(issue_date).plus(months)
    return month.first_day.replace(day=min(issue_date.day, month.last_day.day))


def amount(skill: Skill, apply_date: date, law: SkillLaw, *, is_urgent: bool) -> Statement:
    """What is paid for a certificate: the amount of its level and, for urgent occupations, the uplift.

    Without a configured uplift the plain amount is paid; a configured one never adds more than the maximum.

    Raises:
        InvalidInput: LEVEL_INVALID, UPLIFT_NEGATIVE.
        PolicyParameterMissing: The level has no amount (技师, 高级技师 until the bureau enters it).
    """
    if skill.level not in law.amounts:
        raise InvalidInput("LEVEL_INVALID", "a level is 5 to 1", field="level")
    plain = law.amounts[skill.level].on(apply_date)
    lines = [
        Line(
            code="level",
            amount=plain.value,
            title_zh="技能等级补贴标准",
            title_en="Amount of the level",
            formula=f"level {skill.level} = {plain.value}",
            inputs=(("level", str(skill.level)), ("occupation", skill.occupation)),
            sources=plain.source,
            parameters=(plain.use(),),
            provisional=plain.provisional,
        )
    ]
    if is_urgent and law.uplift.covers(apply_date):
        lines.append(_uplift(plain.value, law.uplift.on(apply_date), law.uplift_max.on(apply_date)))
    return Statement(tuple(lines))


def _uplift(plain: Money, uplift: DatedValue[Decimal], most: DatedValue[Decimal]) -> Line:
    ratio = min(uplift.value, most.value)
    if ratio < 0:
        raise InvalidInput("UPLIFT_NEGATIVE", "an uplift is not negative", field="uplift")
    added = plain.times(ratio)
    return Line(
        code="uplift",
        amount=added,
        title_zh="紧缺急需职业上浮",
        title_en="Uplift for an urgent occupation",
        formula=f"{plain} × min({uplift.value}, {most.value}) = {added}",
        inputs=(("amount", str(plain)), ("ratio", str(ratio))),
        sources=tuple(dict.fromkeys((*uplift.source, *most.source))),
        parameters=(uplift.use(), most.use()),
        provisional=uplift.provisional or most.provisional,
    )


# Conditions -----------------------------------------------------------------------------------------------------------


def _about_the_person(facts: Facts, law: SkillLaw) -> Iterator[Failure]:
    if facts.skill is None:
        yield Failure(
            "CERTIFICATE_NOT_FOUND",
            "没有查到本人的这本证书",
            "no such certificate of this person is found",
            law.rules["skill.certificate"],
        )
    persons = law.persons.on(facts.apply_date)
    if facts.status.value not in persons.value:
        yield Failure(
            "PERSON_STATUS",
            "申请之日不是企业在职参保职工，也不在领取失业保险金",
            "on the day of the application neither employed with unemployment insurance nor drawing its benefit",
            persons.source,
        )


def _window(skill: Skill, apply_date: date, law: SkillLaw) -> tuple[Failure, ...]:
    months = law.window_months.on(apply_date)
    last = last_claim_day(skill.issue_date, months.value)
    if skill.issue_date <= apply_date <= last:
        return ()
    return (
        Failure(
            "WINDOW",
            f"申领期限为证书核发之日起 {months.value} 个月内，即 {skill.issue_date} 至 {last}",
            f"the claim may be made from {skill.issue_date} to {last}, {months.value} months from the issue",
            months.source,
        ),
    )


def _months(skill: Skill, insured_months: int, law: SkillLaw) -> Iterator[Failure]:
    least = law.insured_months.on(skill.issue_date)
    if insured_months < least.value:
        yield Failure(
            "NOT_ENOUGH_MONTHS",
            f"累计缴纳失业保险费 {insured_months} 个月，须满 {least.value} 个月",
            f"{insured_months} months of unemployment insurance were paid, {least.value} are needed",
            least.source,
        )


def _repeated(skill: Skill, facts: Facts, law: SkillLaw) -> Iterator[Failure]:
    same = [grant.level for grant in facts.grants if grant.occupation == skill.occupation]
    if skill.level in same:
        yield Failure(
            "DUPLICATE_OCC_LEVEL",
            "同一职业同一等级已经享受过补贴",
            "a subsidy of this occupation and level was granted before",
            law.rules["skill.once"],
        )
    if any(level < skill.level for level in same):
        yield Failure(
            "LOWER_LEVEL",
            "同一职业更高等级已经享受过补贴",
            "a subsidy of a higher level of this occupation was granted before",
            law.rules["skill.no_lower_level"],
        )
    if facts.is_subsidised_elsewhere:
        yield Failure(
            "CROSS_SUBSIDY",
            "同一证书已经享受过职业培训补贴",
            "a training institution was subsidised for the same certificate",
            law.rules["skill.one_payer"],
        )


def _yearly(facts: Facts, law: SkillLaw) -> Iterator[Failure]:
    limit = law.limit(is_urgent=facts.is_urgent, day=facts.apply_date)
    granted = sum(grant.apply_date.year == facts.apply_date.year for grant in facts.grants)
    if limit is not None and granted >= limit.value:
        yield Failure(
            "YEAR_LIMIT",
            f"{facts.apply_date.year} 年已经享受 {granted} 次，每年至多 {limit.value} 次",
            f"{granted} subsidies of {facts.apply_date.year} were granted, at most {limit.value} are",
            limit.source,
        )
