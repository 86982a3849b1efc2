"""When people retire: the delayed retirement age in three tracks, and the window of flexible retirement.

Everything counts in calendar months; the day of birth never matters. Ages are calculated, never looked up in the
published table, which does not hold all births. Sources: 全国人大常委会关于实施渐进式延迟法定退休年龄的决定;
弹性退休 人社部发〔2024〕94号; 计发月数 国发〔2005〕38号.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Literal

from kernel.calendar import Month
from kernel.dated import Dated, DatedValue
from kernel.errors import InvalidInput, PolicyParameterMissing, Refused
from kernel.identity import Sex
from kernel.money import round_decimal
from kernel.retirement import TrackRule, statutory_age
from kernel.statement import ParameterUse

_MONTHS = 12

Interpolation = Literal["whole_years", "by_month"]


class Track(StrEnum):
    """Retirement track (退休轨道): the original statutory age by sex and, for women, by post."""

    MALE_60 = "male_60"
    FEMALE_55 = "female_55"
    FEMALE_50 = "female_50"


@dataclass(frozen=True, slots=True)
class PayoutLaw:
    """Months over which the account is paid (计发月数) by whole age, and how ages between them are read."""

    whole_year: Dated[Mapping[int, Decimal]]
    interpolation: Dated[Interpolation]


@dataclass(frozen=True, slots=True)
class DisabilityTerms:
    """Disability allowance (病残津贴) for too few years: months paid for a first stretch, then per started year."""

    first_contribution_months: int
    first_pay_months: int
    further_per_year: int


@dataclass(frozen=True, slots=True)
class SpecialDelay:
    """Delay of early retirement from special work: each ``step`` months one more, at most ``max_delay``."""

    step: int
    max_delay: int


@dataclass(frozen=True, slots=True)
class RetirementLaw:
    """What the calculation needs of the law."""

    tracks: Dated[Mapping[Track, TrackRule]]
    delay_start: Dated[Month]
    minimum_months: Dated[int]
    early_max_months: Dated[int]
    late_max_months: Dated[int]
    payout: PayoutLaw
    disability: Dated[DisabilityTerms]
    special_months: Dated[Mapping[Sex, int]]
    special_delay: Mapping[Sex, Dated[SpecialDelay]]


@dataclass(frozen=True, slots=True)
class Retirement:
    """When a person retires by law and may retire by choice.

    ``age_months`` is the age at the statutory month; ``flexible`` says whether there is a window at all: people whose
    original month comes before the delay have none, and ``earliest`` and ``latest`` are their statutory month.
    """

    track: Track
    birth: Month
    original: Month
    delay_months: int
    statutory: Month
    age_months: int
    earliest: Month
    latest: Month
    flexible: bool
    payout_months: DatedValue[Decimal]
    minimum_months: int
    parameters: tuple[ParameterUse, ...]

    @property
    def age(self) -> str:
        """The statutory age as ``60y4m``."""
        return f"{self.age_months // _MONTHS}y{self.age_months % _MONTHS}m"


@dataclass(frozen=True, slots=True)
class Choice:
    """Whether a person may retire in a chosen month.

    ``reasons`` holds every failed condition in the order NOT_APPLICABLE, TOO_EARLY, TOO_LATE, CONTRIBUTION_SHORT; none
    means allowed. ``required_months`` are the contribution months needed for the chosen month; ``payout_months`` are
    there when the choice is allowed.
    """

    kind: Literal["early", "statutory", "late"]
    reasons: tuple[str, ...]
    required_months: int
    payout_months: DatedValue[Decimal] | None
    parameters: tuple[ParameterUse, ...]

    @property
    def allowed(self) -> bool:
        """Whether every condition is met."""
        return not self.reasons


def retire(track: Track, birth: Month, law: RetirementLaw) -> Retirement:
    """When a person born in a month retires.

    Original month = birth + 60, 55 or 50 years. When it lies n months after 2025-01 (n not negative) the delay is
    min(cap, floor(n ÷ step) + 1) months.

    Raises:
        PolicyParameterMissing: The age has no payout months.
    """
    rules = law.tracks.on(birth.first_day)
    rule = rules.value[track]
    shown = f"{track}: {rule.original_months} months, one per {rule.step}, at most {rule.max_delay}"
    return _retire(track, birth, rule, (rules.use(shown),), law)


def retire_from_special_work(sex: Sex, birth: Month, law: RetirementLaw) -> Retirement:
    """When a person with the years of special work (特殊工种) may retire early.

    Men at 55 with the delay of one month in four from 2025-01, as an award shows; the delay of women is not known.
    There is no flexible window around it (assumed): earliest and latest are the month itself.

    Args:
        sex: Of the person.
        birth: Month of birth.
        law: Parameters.

    Raises:
        PolicyParameterMissing: The delay of women, or the age has no payout months.
    """
    day = law.delay_start.on(birth.first_day).value.first_day
    ages, delay = law.special_months.on(day), law.special_delay[sex].on(day)
    rule = TrackRule(ages.value[sex], delay.value.step, delay.value.max_delay)
    uses = (ages.use(f"{sex}: {rule.original_months}"), delay.use(f"one per {rule.step}, at most {rule.max_delay}"))
    track = Track.MALE_60 if sex == "male" else Track.FEMALE_50
    person = _retire(track, birth, rule, uses, law)
    return replace(person, earliest=person.statutory, latest=person.statutory, flexible=False)


def _retire(
    track: Track, birth: Month, rule: TrackRule, rule_uses: tuple[ParameterUse, ...], law: RetirementLaw
) -> Retirement:
    delay_start = law.delay_start.on(birth.first_day)
    reached = statutory_age(birth, rule, delay_start.value)
    statutory = reached.month
    minimum = law.minimum_months.on(statutory.first_day)
    flexible = reached.is_delayed
    earliest = latest = statutory
    uses = [
        *rule_uses,
        delay_start.use(),
        minimum.use(),
    ]
    if flexible:
        early = law.early_max_months.on(statutory.first_day)
        late = law.late_max_months.on(statutory.first_day)
        earliest = max(reached.original, statutory.plus(-early.value))
        latest = statutory.plus(late.value)
        uses += [early.use(), late.use()]
    age = birth.months_until(statutory)
    return Retirement(
        track=track,
        birth=birth,
        original=reached.original,
        delay_months=reached.delay_months,
        statutory=statutory,
        age_months=age,
        earliest=earliest,
        latest=latest,
        flexible=flexible,
        payout_months=payout_months(age, statutory, law.payout),
        minimum_months=minimum.value,
        parameters=tuple(uses),
    )


def choose(person: Retirement, chosen: Month, contribution_months: int, law: RetirementLaw) -> Choice:
    """Assess a chosen month of retirement (弹性退休); every failed condition is named.

    Early retirement asks for the contribution months of the chosen year, late retirement for those of the statutory
    year (人社部发〔2024〕94号 art. 7).

    Args:
        person: What :func:`retire` says of the person.
        chosen: Month in which the person wants to retire.
        contribution_months: Months known up to then, deemed ones included.
        law: Parameters.

    Raises:
        InvalidInput: CONTRIBUTION_MONTHS_NEGATIVE.
    """
    _require_months(contribution_months)
    kind: Literal["early", "statutory", "late"] = (
        "early" if chosen < person.statutory else "late" if chosen > person.statutory else "statutory"
    )
    required = law.minimum_months.on(min(chosen, person.statutory).first_day)
    reasons = []
    if not person.flexible:
        reasons.append("NOT_APPLICABLE")
    elif chosen < person.earliest:
        reasons.append("TOO_EARLY")
    elif chosen > person.latest:
        reasons.append("TOO_LATE")
    if contribution_months < required.value:
        reasons.append("CONTRIBUTION_SHORT")
    payout = None
    if not reasons:
        is_statutory = chosen == person.statutory
        age = person.birth.months_until(chosen)
        payout = person.payout_months if is_statutory else payout_months(age, chosen, law.payout)
    return Choice(kind, tuple(reasons), required.value, payout, (required.use(),))


_MESSAGES = {
    "NOT_APPLICABLE": "people whose original month lies before 2025-01 have no flexible window",
    "TOO_EARLY": "the chosen month lies before the earliest month of flexible retirement",
    "TOO_LATE": "the chosen month lies after the latest month of flexible retirement",
    "CONTRIBUTION_SHORT": "the contribution months are fewer than the minimum of the year that counts",
}


def require(person: Retirement, choice: Choice) -> None:
    """Refuse a choice that is not allowed, with its first reason and the months that would be allowed.

    Raises:
        Refused: NOT_APPLICABLE, TOO_EARLY, TOO_LATE, CONTRIBUTION_SHORT.
    """
    if choice.reasons:
        raise Refused(
            choice.reasons[0],
            _MESSAGES[choice.reasons[0]],
            source=("MOHRSS-2024-94", "NPC-2024-DELAY"),
            earliest=str(person.earliest),
            statutory=str(person.statutory),
            latest=str(person.latest),
            required_months=str(choice.required_months),
        )


def payout_months(age_months: int, retirement: Month, law: PayoutLaw) -> DatedValue[Decimal]:
    """Months over which the account is paid (计发月数) for an age at retirement.

    Since 2025 ages between whole years are interpolated and rounded half-up to one decimal; before, the whole age
    counted. A whole age has no decimal. From the last age of the table on its value stays.

    Raises:
        PolicyParameterMissing: The age lies before the first of the table.
    """
    day = retirement.first_day
    table, reading = law.whole_year.on(day), law.interpolation.on(day)
    years, months = divmod(age_months, _MONTHS)
    years = min(years, max(table.value))
    if years not in table.value:
        raise PolicyParameterMissing(table.file, f"{table.key}[{years}]", day)
    of_age = table.map(lambda rows: rows[years])
    if months == 0 or years == max(table.value) or reading.value == "whole_years":
        return replace(of_age, key=f"{table.key}[{years}]")
    here, there = Fraction(table.value[years]), Fraction(table.value[years + 1])
    return replace(
        of_age,
        value=round_decimal(here + (there - here) * months / _MONTHS, 1),
        key=f"{table.key}[{years}y{months}m]",
        confidence=reading.confidence,
        source=(*table.source, *reading.source),
    )


def disability_months(contribution_months: int, law: RetirementLaw, claim: Month) -> DatedValue[int]:
    """For how many months a disability allowance is paid when the contribution years are too few.

    12 months for at most 60 contribution months, then 3 more for each further year, a started one counting as whole.
    Source: 人社部发〔2024〕72号.

    Raises:
        InvalidInput: CONTRIBUTION_MONTHS_NEGATIVE.
    """
    _require_months(contribution_months)
    terms = law.disability.on(claim.first_day)
    further = max(0, contribution_months - terms.value.first_contribution_months)
    years = -(-further // _MONTHS)
    return terms.map(lambda value: value.first_pay_months + value.further_per_year * years)


def _require_months(contribution_months: int) -> None:
    if contribution_months < 0:
        raise InvalidInput("CONTRIBUTION_MONTHS_NEGATIVE", "contribution months are not negative")
