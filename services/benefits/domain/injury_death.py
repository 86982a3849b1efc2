"""What a death at work brings (工亡待遇): funeral grant, one-off grant, dependants' allowances; and a missing person.

The dependants' allowances together are not above the own wage of the deceased: where the shares say more they are
scaled down in proportion, each is rounded half-up to the fen, and the fen that remain are not redistributed (assumed),
so the sum differs from the wage by at most half a fen for each dependant. Sources: 工伤保险条例 art. 39 to 41.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from kernel.dated import Dated, DatedValue
from kernel.errors import InvalidInput
from kernel.money import Money
from kernel.statement import Line, Statement


@dataclass(frozen=True, slots=True)
class DependantShares:
    """Shares of the own wage a month: spouse, any other relative, and more for orphans and lonely old people."""

    spouse: Decimal
    other: Decimal
    extra: Decimal


@dataclass(frozen=True, slots=True)
class MissingTerms:
    """Months that the employer goes on paying, and the part of the one-off grant prepaid in hardship."""

    employer_months: int
    prepaid_ratio: Decimal


@dataclass(frozen=True, slots=True)
class DeathLaw:
    """What the calculation needs of the law; the national income is yearly, by the year it was earned in."""

    area_average: Dated[Money]
    national_income: Dated[Money]
    funeral_months: Dated[int]
    one_off_multiple: Dated[int]
    shares: Dated[DependantShares]
    missing: Dated[MissingTerms]

    def rules(self, event: date) -> "DeathRules":
        """The rows for a day of death; the national income is that of the year before.

        Raises:
            PolicyParameterMissing: The area's average wage or the income of the year before is not known.
        """
        return DeathRules(
            area_average=self.area_average.on(event),
            national_income=self.national_income.on(date(event.year - 1, 1, 1)),
            funeral_months=self.funeral_months.on(event),
            one_off_multiple=self.one_off_multiple.on(event),
            shares=self.shares.on(event),
        )


@dataclass(frozen=True, slots=True)
class DeathRules:
    """The rows of law of one death; ``national_income`` is ``None`` where no one-off grant is paid."""

    area_average: DatedValue[Money]
    national_income: DatedValue[Money] | None
    funeral_months: DatedValue[int]
    one_off_multiple: DatedValue[int]
    shares: DatedValue[DependantShares]


@dataclass(frozen=True, slots=True)
class Dependant:
    """A dependant (供养亲属): spouse or other relative; ``alone`` marks an orphan or a lonely old person (孤寡)."""

    is_spouse: bool
    alone: bool = False

    def share(self, shares: DependantShares) -> Decimal:
        """Share of the own wage before scaling."""
        return (shares.spouse if self.is_spouse else shares.other) + (shares.extra if self.alone else Decimal(0))


@dataclass(frozen=True, slots=True)
class DeathBenefit:
    """``once``: lines funeral and one_off; ``monthly``: a line dependant.1, dependant.2 … in the order given."""

    once: Statement
    monthly: Statement
    scaled: bool

    @property
    def funeral(self) -> Money:
        """Funeral grant (丧葬补助金)."""
        return self.once.amount("funeral")

    @property
    def one_off(self) -> Money | None:
        """One-off grant (一次性工亡补助金); ``None`` where none is paid."""
        return next((line.amount for line in self.once.lines if line.code == "one_off"), None)

    @property
    def dependants(self) -> tuple[Money, ...]:
        """Monthly allowance of each dependant (供养亲属抚恤金)."""
        return tuple(line.amount for line in self.monthly.lines)


def assess(
    own_wage: Money, dependants: Sequence[Dependant], rules: DeathRules, *, after_paid_leave: bool = False
) -> DeathBenefit:
    """What a death at work brings, every line explained.

    Args:
        own_wage: Own wage of the deceased, between its limits: :func:`services.benefits.domain.injury.own_wage`.
        dependants: In the order in which they are answered.
        rules: Rows of law of the death.
        after_paid_leave: The deceased was of grade 1 to 4 and died after paid leave: no one-off grant.

    Raises:
        InvalidInput: INJURY_WAGE_NEGATIVE, TWO_SPOUSES, NATIONAL_INCOME_MISSING.
    """
    if own_wage < Money.ZERO or rules.area_average.value < Money.ZERO:
        raise InvalidInput("INJURY_WAGE_NEGATIVE", "a wage is not negative")
    if sum(one.is_spouse for one in dependants) > 1:
        raise InvalidInput("TWO_SPOUSES", "there is one spouse", field="dependants")
    once = [_funeral(rules)]
    if not after_paid_leave:
        once.append(_one_off(rules))
    monthly, scaled = dependants_lines(own_wage, dependants, rules.shares)
    return DeathBenefit(Statement(tuple(once)), Statement(monthly), scaled)


def dependants_lines(
    own_wage: Money, dependants: Sequence[Dependant], shares: DatedValue[DependantShares]
) -> tuple[tuple[Line, ...], bool]:
    """Monthly allowances of dependants, and whether they were scaled down to the own wage together."""
    wanted = [Fraction(one.share(shares.value)) for one in dependants]
    together = sum(wanted, Fraction(0))
    scaled = together > 1
    lines = []
    for number, (one, share) in enumerate(zip(dependants, wanted, strict=True), start=1):
        amount = own_wage.times(share / together if scaled else share)
        shown = one.share(shares.value)
        by = f" ÷ {_decimal(together)}" if scaled else ""
        lines.append(
            Line(
                code=f"dependant.{number}",
                amount=amount,
                title_zh="供养亲属抚恤金（配偶）" if one.is_spouse else "供养亲属抚恤金（其他亲属）",
                title_en="Dependant's allowance (spouse)"
                if one.is_spouse
                else "Dependant's allowance (other relative)",
                formula=f"{own_wage} × {shown}{by} = {amount}",
                inputs=(("own_wage", str(own_wage)), ("share", str(shown)), ("shares_together", _decimal(together))),
                sources=shares.source,
                parameters=(shares.use(f"{shares.value.spouse} / {shares.value.other} / +{shares.value.extra}"),),
            )
        )
    return tuple(lines), scaled


def prepaid_for_missing(rules: DeathRules, terms: DatedValue[MissingTerms]) -> Statement:
    """Half of the one-off grant, prepaid to the family of a missing person in hardship (工伤保险条例 art. 41)."""
    whole = _one_off(rules)
    amount = whole.amount.times(terms.value.prepaid_ratio)
    return Statement(
        (
            Line(
                code="prepaid",
                amount=amount,
                title_zh="预支一次性工亡补助金",
                title_en="Prepaid part of the one-off grant",
                formula=f"{whole.amount} × {terms.value.prepaid_ratio} = {amount}",
                inputs=whole.inputs,
                sources=terms.source,
                parameters=(terms.use(str(terms.value.prepaid_ratio)), *whole.parameters),
                provisional=whole.provisional,
            ),
        )
    )


def _decimal(value: Fraction) -> str:
    return str(Decimal(value.numerator) / value.denominator)


def _funeral(rules: DeathRules) -> Line:
    average, months = rules.area_average, rules.funeral_months
    amount = average.value * months.value
    return Line(
        code="funeral",
        amount=amount,
        title_zh="丧葬补助金",
        title_en="Funeral grant",
        formula=f"{average.value} × {months.value} = {amount}",
        inputs=(("area_average", str(average.value)),),
        sources=months.source,
        parameters=(average.use(), months.use()),
        provisional=average.provisional,
    )


def _one_off(rules: DeathRules) -> Line:
    income, multiple = rules.national_income, rules.one_off_multiple
    if income is None:
        raise InvalidInput("NATIONAL_INCOME_MISSING", "the one-off grant needs the national income of the year before")
    amount = income.value * multiple.value
    return Line(
        code="one_off",
        amount=amount,
        title_zh="一次性工亡补助金",
        title_en="One-off grant for a death at work",
        formula=f"{income.value} × {multiple.value} = {amount}",
        inputs=(("national_income", str(income.value)),),
        sources=multiple.source,
        parameters=(income.use(), multiple.use()),
        provisional=income.provisional,
    )
