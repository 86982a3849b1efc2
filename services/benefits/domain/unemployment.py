"""Unemployment benefit (失业保险金): who gets it, how much a month, for how many months.

Sources: 社会保险法 art. 45–51, 失业保险条例, 江苏省失业保险规定.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from kernel.calendar import Month
from kernel.dated import Dated, DatedValue
from kernel.errors import InvalidInput, PolicyParameterMissing
from kernel.money import Money
from kernel.statement import Line, ParameterUse, Statement


@dataclass(frozen=True, slots=True)
class Band:
    """Contribution months from ``first`` to ``last``, both included; ``last=None`` is open."""

    first: int
    last: int | None

    def holds(self, contribution_months: int) -> bool:
        """Whether a number of contribution months lies in the band."""
        return self.first <= contribution_months and (self.last is None or contribution_months <= self.last)


@dataclass(frozen=True, slots=True)
class RateBand(Band):
    """Share of the average base by contribution months."""

    rate: Decimal


@dataclass(frozen=True, slots=True)
class DurationBand(Band):
    """Months of benefit by contribution months."""

    months: int


@dataclass(frozen=True, slots=True)
class UnemploymentLaw:
    """What the calculation needs of the law.

    ``statutory`` are the longest durations of the law; ``steps`` what the province pays within them, a value that only
    the bureau knows. ``wage_class`` tells the class of the minimum wage by division.
    """

    minimum_months: Dated[int]
    rates: Dated[tuple[RateBand, ...]]
    statutory: Dated[tuple[DurationBand, ...]]
    steps: Dated[tuple[DurationBand, ...]]
    total_max: Dated[int]
    floor_multiplier: Dated[Decimal]
    subsistence: Dated[Money]
    minimum_wage: Dated[Mapping[str, Money]]
    wage_class: Dated[Mapping[str, str]]
    medical: Dated[Money]
    price_allowance: Dated[Money]
    premium: Dated[Money]
    premium_months: Dated[int]
    extension_months: Dated[int]

    def cap(self, division: str, month: Month) -> DatedValue[Money]:
        """The minimum wage of a division in a month, the highest benefit.

        Raises:
            PolicyParameterMissing: The division has no class, or the month no minimum wage.
        """
        day = month.first_day
        classes = self.wage_class.on(day)
        wage_class = classes.value.get(division)
        if wage_class is None:
            raise PolicyParameterMissing(classes.file, f"{classes.key}[{division}]", day)
        wages = self.minimum_wage.on(day)
        return DatedValue(
            value=wages.value[wage_class],
            from_=wages.from_,
            to=wages.to,
            confidence=wages.confidence,
            source=wages.source,
            key=f"{wages.key}.{wage_class}",
            file=wages.file,
            provisional=wages.provisional,
        )

    def floor(self, month: Month) -> DatedValue[Money] | None:
        """The lowest benefit: a multiple of the subsistence standard (低保), and only where that is configured."""
        day = month.first_day
        if not self.subsistence.covers(day):
            return None
        multiplier = self.floor_multiplier.on(day).value
        return self.subsistence.on(day).map(lambda standard: standard.times(multiplier))

    def apart(self, month: Month, statutory: Month | None = None) -> "Apart":
        """What stands beside the benefit of a month, only where it is configured.

        Args:
            month: The month that is paid.
            statutory: Month of the statutory age of a claimant who filed for the pension premium (U06).
        """
        day = month.first_day
        is_near = statutory is not None and self.is_premium_paid(month, statutory)
        return Apart(
            self.medical.on(day) if self.medical.covers(day) else None,
            self.price_allowance.on(day) if self.price_allowance.covers(day) else None,
            self.premium.on(day) if is_near else None,
        )

    def is_premium_paid(self, month: Month, statutory: Month) -> bool:
        """Whether the fund pays the pension premium of a month: within a year of the statutory age, from 2025 on."""
        day = month.first_day
        if not self.premium_months.covers(day):
            return False
        return 0 <= month.months_until(statutory) <= self.premium_months.on(day).value

    def first_premium_month(self, first: Month, last: Month, statutory: Month) -> Month | None:
        """The first month of a claim in which the fund may pay the premium, if any."""
        return next((month for month in Month.range(first, last) if self.is_premium_paid(month, statutory)), None)

    def extends(self, last: Month, statutory: Month) -> bool:
        """Whether a claim that ended with a month goes on to the statutory age (U08): less than a year is left."""
        return 0 < last.months_until(statutory) < self.extension_months.on(last.first_day).value

    def rate(self, contribution_months: int, day: date) -> DatedValue[Decimal]:
        """The share of the average base for a number of contribution months.

        Raises:
            InvalidInput: CONTRIBUTION_MONTHS_SHORT.
        """
        bands = self.rates.on(day)
        fitting = [band.rate for band in bands.value if band.holds(contribution_months)]
        if not fitting:
            raise InvalidInput("CONTRIBUTION_MONTHS_SHORT", "no rate for so few contribution months")
        return bands.map(lambda _: fitting[0])


@dataclass(frozen=True, slots=True)
class Apart:
    """Beside the benefit: the medical contribution that the fund pays, and the price allowance of the month."""

    medical: DatedValue[Money] | None = None  # 代缴职工医保费: no money of the claimant
    price_allowance: DatedValue[Money] | None = None  # 价格临时补贴: on top of the capped benefit
    premium: DatedValue[Money] | None = None  # 代缴养老保险费: no money of the claimant


@dataclass(frozen=True, slots=True)
class Failure:
    """A condition that is not met, with its sources."""

    reason: str
    message: str
    source: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assessment:
    """Every condition of eligibility that is not met; none means eligible."""

    failures: tuple[Failure, ...]

    @property
    def eligible(self) -> bool:
        """Whether all conditions are met."""
        return not self.failures


@dataclass(frozen=True, slots=True)
class MonthlyBenefit:
    """A month's amount; ``limited_by`` is the last rule that changed it: rate, cap or floor."""

    statement: Statement
    rate: Decimal
    limited_by: Literal["rate", "cap", "floor"]

    @property
    def monthly(self) -> Money:
        """What is paid for the month."""
        return self.statement.total


def assess(
    contribution_months: int, *, involuntary: bool, registered: bool, minimum_months: DatedValue[int]
) -> Assessment:
    """Whether a person may draw the benefit: 12 months paid, out of work against their will, registered.

    Reasons LESS_THAN_12_MONTHS, VOLUNTARY_END, NOT_REGISTERED, in this order. Source: 社会保险法 art. 45.

    Args:
        contribution_months: Months paid since the last spell of unemployment.
        involuntary: The employment did not end by the person's own wish.
        registered: The person is registered as unemployed and looks for work.
        minimum_months: Months that the law asks for.

    Raises:
        InvalidInput: CONTRIBUTION_MONTHS_NEGATIVE.
    """
    if contribution_months < 0:
        raise InvalidInput("CONTRIBUTION_MONTHS_NEGATIVE", "contribution months are not negative", field="months")
    source = minimum_months.source
    conditions = (
        (contribution_months >= minimum_months.value, "LESS_THAN_12_MONTHS", "fewer than 12 months were paid"),
        (involuntary, "VOLUNTARY_END", "the employment ended by the person's own wish"),
        (registered, "NOT_REGISTERED", "the person is not registered as unemployed"),
    )
    return Assessment(tuple(Failure(reason, message, source) for met, reason, message in conditions if not met))


def average_base(bases: Sequence[Money]) -> Money:
    """The average contribution base of the last 12 paid months before unemployment, rounded half-up to the fen.

    Raises:
        InvalidInput: NO_CONTRIBUTION_MONTHS.
    """
    if not bases:
        raise InvalidInput("NO_CONTRIBUTION_MONTHS", "an average needs at least one month")
    return Money.total(bases).divided(len(bases))


def monthly_benefit(
    average: Money,
    rate: DatedValue[Decimal],
    cap: DatedValue[Money] | None,
    floor: DatedValue[Money] | None = None,
    apart: Apart | None = None,
) -> MonthlyBenefit:
    """What a month of benefit is: rate × average base, then at most the minimum wage, then at least the floor.

    Lines ``rate``, ``cap`` (what the cap takes away), ``floor`` (what the floor adds), ``price_allowance`` on top and
    ``medical``, which is nothing to the claimant and says what the fund pays. Ask again for each month: when the
    minimum wage changes, the cap applies from the change month.

    Args:
        average: Average base of the 12 months before unemployment.
        rate: Share by contribution months.
        cap: Minimum wage of the place in the month; ``None`` for no cap.
        floor: Lowest benefit, where configured.
        apart: What stands beside it, where configured.

    Raises:
        InvalidInput: UNEMPLOYMENT_AMOUNT_NEGATIVE.
    """
    if min(average, *(limit.value for limit in (cap, floor) if limit is not None), Money.ZERO) < Money.ZERO:
        raise InvalidInput("UNEMPLOYMENT_AMOUNT_NEGATIVE", "neither average nor limits of a benefit are negative")
    amount = average.times(rate.value)
    limited_by: Literal["rate", "cap", "floor"] = "rate"
    lines = [
        Line(
            code="rate",
            amount=amount,
            title_zh="按缴费基数计算",
            title_en="Share of the average base",
            formula=f"{average} × {rate.value} = {amount}",
            inputs=(("average_base", str(average)),),
            sources=rate.source,
            parameters=(rate.use(),),
            provisional=rate.provisional,
        )
    ]
    if cap is not None and amount > cap.value:
        lines.append(_limit("cap", "最低工资封顶", "Capped at the minimum wage", amount, cap))
        amount, limited_by = cap.value, "cap"
    if floor is not None and amount < floor.value:
        lines.append(_limit("floor", "最低标准补足", "Raised to the floor", amount, floor))
        amount, limited_by = floor.value, "floor"
    return MonthlyBenefit(Statement((*lines, *_apart(apart or Apart()))), rate.value, limited_by)


def lump_sum(benefit: MonthlyBenefit, months: int) -> Statement:
    """The months that are left, in one sum for who starts a business (U07): each at the benefit of today (assumed)."""
    amount = benefit.monthly * months
    return Statement(
        (
            Line(
                code="lump_sum",
                amount=amount,
                title_zh="一次性领取剩余月份",
                title_en="The months that are left in one sum",
                formula=f"{benefit.monthly} × {months} = {amount}",
                inputs=(("monthly", str(benefit.monthly)), ("months", str(months))),
                sources=tuple(dict.fromkeys(source for one in benefit.statement.lines for source in one.sources)),
                parameters=tuple(dict.fromkeys(use for one in benefit.statement.lines for use in one.parameters)),
                provisional=benefit.statement.provisional,
            ),
        )
    )


def entitlement_months(
    contribution_months: int, bands: DatedValue[tuple[DurationBand, ...]], *, carried: int, total_max: DatedValue[int]
) -> int:
    """For how many months the benefit is paid: by contribution months, plus months carried over, at most the total.

    Args:
        contribution_months: Months paid since the last spell.
        bands: Steps of the province, or the statutory maximum.
        carried: Months of the previous spell that were not drawn.
        total_max: 24 months.
    """
    if carried < 0:
        raise InvalidInput("CARRIED_MONTHS_NEGATIVE", "carried months are not negative", field="carried_months")
    fitting = (band.months for band in bands.value if band.holds(contribution_months))
    return min(total_max.value, next(fitting, 0) + carried)


def duration_uses(bands: DatedValue[tuple[DurationBand, ...]], total_max: DatedValue[int]) -> tuple[ParameterUse, ...]:
    """The rows of law behind an entitlement, for its statement or its note."""
    steps = ", ".join(f"{band.first}..{'' if band.last is None else band.last}: {band.months}" for band in bands.value)
    return bands.use(steps), total_max.use()


def _apart(apart: Apart) -> list[Line]:
    lines = []
    for code, row, titles in (
        ("price_allowance", apart.price_allowance, ("价格临时补贴", "Price allowance")),
        (
            "medical",
            apart.medical,
            ("基金代缴职工医保费（不发给本人）", "Medical contribution paid by the fund, not in cash"),
        ),
        (
            "premium",
            apart.premium,
            ("基金代缴养老保险费（不发给本人）", "Pension premium paid by the fund, not in cash"),
        ),
    ):
        if row is not None:
            is_cash = code == "price_allowance"
            amount = row.value if is_cash else Money.ZERO
            inputs = () if is_cash else (("fund_pays", str(row.value)),)
            lines.append(Line(code, amount, *titles, str(row.value), inputs, row.source, (row.use(),), row.provisional))
    return lines


def _limit(code: str, title_zh: str, title_en: str, before: Money, limit: DatedValue[Money]) -> Line:
    return Line(
        code=code,
        amount=limit.value - before,
        title_zh=title_zh,
        title_en=title_en,
        formula=f"{before} → {limit.value}",
        inputs=((code, str(limit.value)),),
        sources=limit.source,
        parameters=(limit.use(),),
        provisional=limit.provisional,
    )
