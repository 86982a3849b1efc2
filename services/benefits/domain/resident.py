"""The resident pension (城乡居民基本养老金): base pension, account, long-contribution part, tilt by age.

Each item is rounded half-up to the fen, the sum stays exact to the fen (assumed). Who is 60 and has 15 years draws it,
untouched by the delay of retirement. Sources: 国发〔2014〕8号; 南通 standards 通政办发〔2021〕71号.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kernel.calendar import Month
from kernel.dated import Dated, DatedValue
from kernel.errors import InvalidInput, PolicyParameterMissing
from kernel.money import Money
from kernel.statement import Line, Statement

_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Eligibility:
    """Age in months and full contribution years from which the pension is drawn."""

    age_months: int
    min_years: int


@dataclass(frozen=True, slots=True)
class ResidentLaw:
    """What the calculation needs of the law; amounts that nobody published refuse."""

    eligibility: Dated[Eligibility]
    national_minimum: Dated[Money]
    base_pension: Mapping[str, Dated[Money]]  # by area: city, county
    divisor: Dated[Decimal]
    long_rate: Dated[Decimal]
    tilt_age: Dated[int]
    tilt_amount: Dated[Money]
    funeral_aid: Dated[Money]

    def rules(self, area: str, month: Month, *, age_years: int) -> "ResidentRules":
        """The rows for an area, a month of payment and an age; the tilt is asked for only from its age on.

        Raises:
            PolicyParameterMissing: The area's base pension or the tilt is not known for the month. An area of neither
                standard (``county_style``) is not known either.
        """
        day = month.first_day
        if area not in self.base_pension:
            known = next(iter(self.base_pension.values()))
            raise PolicyParameterMissing(known.file, f"{known.key.rpartition('.')[0]}.{area}", day)
        is_tilted = age_years >= self.tilt_age.on(day).value
        return ResidentRules(
            base=self.base_pension[area].on(day),
            divisor=self.divisor.on(day),
            long_rate=self.long_rate.on(day),
            eligibility=self.eligibility.on(day),
            tilt=self.tilt_amount.on(day) if is_tilted else None,
            minimum=self.national_minimum.on(day) if self.national_minimum.covers(day) else None,
        )


@dataclass(frozen=True, slots=True)
class ResidentRules:
    """The rows of law for one pension; ``tilt`` is ``None`` below its age, ``minimum`` where it is not compared."""

    base: DatedValue[Money]
    divisor: DatedValue[Decimal]
    long_rate: DatedValue[Decimal]
    eligibility: DatedValue[Eligibility]
    tilt: DatedValue[Money] | None = None
    minimum: DatedValue[Money] | None = None


@dataclass(frozen=True, slots=True)
class ResidentFacts:
    """Balance of the account at the start, full contribution years, and whether the age of the start had come already.

    ``was_60_at_start`` marks who was 60 when the scheme began: they draw the base pension without having paid.
    """

    balance: Money
    full_years: int
    was_60_at_start: bool = False

    def __post_init__(self) -> None:
        if self.balance < Money.ZERO or self.full_years < 0:
            raise InvalidInput("RESIDENT_FACTS_NEGATIVE", "balance and years are not negative")


@dataclass(frozen=True, slots=True)
class ResidentPension:
    """A monthly pension; the statement's lines are base, minimum, account, supplement and tilt, those that pay."""

    statement: Statement

    @property
    def account(self) -> Money:
        """Account item (个人账户养老金)."""
        return self.statement.amount("account")

    @property
    def supplement(self) -> Money:
        """Long-contribution part (长缴多得)."""
        return self.statement.amount("supplement")

    @property
    def tilt(self) -> Money:
        """Tilt by age (高龄倾斜)."""
        return self.statement.amount("tilt")

    @property
    def monthly_total(self) -> Money:
        """What is paid each month."""
        return self.statement.total


@dataclass(frozen=True, slots=True)
class ResidentAssessment:
    """Conditions that are not met, in order AGE, YEARS_SHORT; ``first_month`` is the month after the person is 60."""

    failures: tuple[str, ...]
    first_month: Month
    missing_years: int

    @property
    def eligible(self) -> bool:
        """Whether all conditions are met."""
        return not self.failures


def assess(
    birth: Month, month: Month, facts: ResidentFacts, eligibility: DatedValue[Eligibility]
) -> ResidentAssessment:
    """Whether a person draws the pension in a month: 60 years old in the month before, and 15 years paid.

    Args:
        birth: Month of birth.
        month: Month of payment.
        facts: What the person brings.
        eligibility: Row of law.
    """
    terms = eligibility.value
    first = birth.plus(terms.age_months).next
    missing = 0 if facts.was_60_at_start else max(0, terms.min_years - facts.full_years)
    failures = [reason for failed, reason in ((month < first, "AGE"), (missing > 0, "YEARS_SHORT")) if failed]
    return ResidentAssessment(tuple(failures), first, missing)


def calculate(facts: ResidentFacts, rules: ResidentRules) -> ResidentPension:
    """The monthly pension with every line explained.

    base (raised to the national minimum where the area's is lower) + balance ÷ 139 + base × 1 % × full years over 15 +
    tilt from 65 on.
    """
    base, minimum = rules.base, rules.minimum
    lines = [_line("base", base.value, str(base.value), base)]
    paid_base = base.value
    if minimum is not None and base.value < minimum.value:
        paid_base = minimum.value
        lines.append(_line("minimum", paid_base - base.value, f"{base.value} → {paid_base}", minimum))
    months = rules.divisor
    account = facts.balance.divided(months.value)
    inputs = (("balance", str(facts.balance)), ("payout_months", str(months.value)))
    lines.append(_line("account", account, f"{facts.balance} ÷ {months.value} = {account}", months, inputs))
    over, rate = facts.full_years - rules.eligibility.value.min_years, rules.long_rate
    if over > 0:
        supplement = paid_base.times(rate.value * over)
        shown = f"{paid_base} × {rate.value} × {over} = {supplement}"
        lines.append(_line("supplement", supplement, shown, rate, (("full_years", str(facts.full_years)),)))
    if rules.tilt is not None:
        lines.append(_line("tilt", rules.tilt.value, str(rules.tilt.value), rules.tilt))
    return ResidentPension(Statement(tuple(lines)))


def at_death(balance: Money, funeral_aid: DatedValue[Money]) -> Statement:
    """What a death brings: the balance left in the account is inherited, and the funeral aid of the place.

    Args:
        balance: What is left of the account.
        funeral_aid: Row of law; :attr:`ResidentLaw.funeral_aid` refuses while nobody knows it.
    """
    titles = ("个人账户余额继承", "Account inherited")
    inherited = Line("inherited", balance, *titles, str(balance), sources=("GF-2014-8",))
    return Statement((inherited, _line("funeral", funeral_aid.value, str(funeral_aid.value), funeral_aid)))


_TITLES = {
    "base": ("基础养老金", "Base pension"),
    "minimum": ("补足国家最低标准", "Raised to the national minimum"),
    "account": ("个人账户养老金", "Personal account pension"),
    "supplement": ("长缴多得", "Long-contribution part"),
    "tilt": ("高龄倾斜", "Tilt by age"),
    "funeral": ("丧葬补助金", "Funeral aid"),
}


def _line(
    code: str, amount: Money, formula: str, row: DatedValue[Any], inputs: tuple[tuple[str, str], ...] = ()
) -> Line:
    return Line(code, amount, *_TITLES[code], formula, inputs, row.source, (row.use(),), row.provisional)
