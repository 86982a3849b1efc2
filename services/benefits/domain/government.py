"""The pension of government and public institutions (机关事业单位养老金): new method, comparison with the old, annuity.

Who retired before 2014-10-01 keeps the original benefit (老人). Who joined before and retires after it (中人) is
compared in the window to 2024-09-30: old method, plus a share of what the new one pays more. After the window, and for
whoever joined after the reform (新人), the new method counts alone. Items are rounded half-up to the fen; the total is
not raised to the jiao (assumed). Sources: 国发〔2015〕2号, 人社部发〔2015〕28号, 国办发〔2015〕18号.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from kernel.calendar import Month
from kernel.dated import Dated, DatedValue
from kernel.errors import InvalidInput
from kernel.money import Money, Rounding, round_decimal, round_ratio
from kernel.statement import Line, Statement
from services.benefits.domain.pension import PensionFacts, PensionRules, account_line, basic_line

_MONTHS = 12
_INDEX_PLACES = 4
_METHOD = ("GF-2015-2", "MOHRSS-2015-28")
_ANNUITY = ("GBF-2015-18",)


class Group(StrEnum):
    """Group by joining and retiring before or after the reform (老人、中人、新人)."""

    OLD = "old"
    MIDDLE = "middle"
    MIDDLE_AFTER_WINDOW = "middle_after_window"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class EarlyService:
    """Service from which a civil servant may retire early: by itself, or less of it close to the age."""

    service_months: int
    near_months: int
    near_service_months: int

    def allows(self, service_months: int, months_left: int) -> bool:
        """Whether so much service is enough so many months before the statutory age."""
        is_near = months_left <= self.near_months and service_months >= self.near_service_months
        return service_months >= self.service_months or is_near


@dataclass(frozen=True, slots=True)
class GovernmentLaw:
    """What the calculation needs of the law."""

    reform_month: Dated[Month]
    window_last_month: Dated[Month]
    ratio: Dated[Decimal]
    basic_rate: Dated[Decimal]
    coefficient: Dated[Decimal]
    early_service: Dated[EarlyService]

    def group(self, retirement: date, joined: date | None = None) -> Group:
        """The group of a person.

        Args:
            retirement: Day of retirement.
            joined: First day of work; ``None`` means before the reform.

        Raises:
            InvalidInput: RETIRED_BEFORE_JOINING.
        """
        if joined is not None and retirement < joined:
            raise InvalidInput("RETIRED_BEFORE_JOINING", "the day of retirement lies before the first day of work")
        reform = self.reform_month.on(retirement).value
        if Month.of(retirement) < reform:
            return Group.OLD
        if joined is not None and Month.of(joined) >= reform:
            return Group.NEW
        is_inside = Month.of(retirement) <= self.window_last_month.on(retirement).value
        return Group.MIDDLE if is_inside else Group.MIDDLE_AFTER_WINDOW


@dataclass(frozen=True, slots=True)
class DeemedService:
    """Years before the reform: index by post and level at 2014-09 (provincial table), months, coefficient.

    The coefficient of Jiangsu is not known; asking the law for it refuses.
    """

    index: Decimal | Fraction
    months: int
    coefficient: DatedValue[Decimal]

    def __post_init__(self) -> None:
        if self.index < 0 or self.months < 0:
            raise InvalidInput("DEEMED_SERVICE_NEGATIVE", "index and months are not negative")


@dataclass(frozen=True, slots=True)
class OldMethod:
    """What the archive says for the old method (老办法).

    Args:
        salary: A, standard of post or rank and grade salary at 2014-09 (职务职级与薪级工资标准).
        ratio: M, share of it that the old method pays (退休费计发比例).
        subsidy: B, retirement subsidy (退休补贴标准).
        increase: C, increase of 国办发〔2015〕3号 (增加的退休费).
        growth: G of each year from 2015 to the year of retirement, G of the year before for each factor.
    """

    salary: Money
    ratio: Decimal
    subsidy: Money
    increase: Money
    growth: tuple[Decimal, ...] = ()

    def __post_init__(self) -> None:
        amounts = (self.salary, self.subsidy, self.increase)
        if min(amounts) < Money.ZERO or self.ratio < 0 or any(rate <= -1 for rate in self.growth):
            raise InvalidInput(
                "PENSION_AMOUNT_NEGATIVE", "no amount, share or year's factor of the old method is negative"
            )


@dataclass(frozen=True, slots=True)
class Annuity:
    """Occupational annuity (职业年金): balance at retirement, paid over the payout months until it is used up."""

    balance: Money
    payout_months: DatedValue[Decimal]

    def __post_init__(self) -> None:
        if self.balance < Money.ZERO or self.payout_months.value <= 0:
            raise InvalidInput("ANNUITY_INVALID", "the balance is not negative, the payout months are positive")

    @property
    def monthly(self) -> Money:
        """What is paid in a month while the balance lasts."""
        return self.balance.divided(self.payout_months.value)

    def left_after(self, paid_months: int) -> Money:
        """What is left, and inherited, after some months of payment; never below zero."""
        return max(Money.ZERO, self.balance - self.monthly * paid_months)

    @property
    def month_count(self) -> int:
        """For how many months the balance lasts; nothing lasts where a month would pay less than half a fen."""
        return -(-self.balance.fen // self.monthly.fen) if self.monthly.fen else 0

    def payment(self, month_number: int) -> Money:
        """What the month with a number (from 1) pays: the last one pays what is left, the ones after it nothing."""
        return min(self.monthly, self.left_after(month_number - 1))


@dataclass(frozen=True, slots=True)
class GovernmentPension:
    """What is paid each month, by group; ``ratio`` is given where new and old were compared."""

    statement: Statement
    group: Group
    ratio: DatedValue[Decimal] | None

    @property
    def monthly(self) -> Money:
        """What is paid each month, occupational annuity included."""
        return self.statement.total


def new_method(
    facts: PensionFacts, rules: PensionRules, *, deemed: DeemedService | None = None, annuity: Annuity | None = None
) -> Statement:
    """The pension by the new method: lines basic, account, transitional (deemed years) and annuity.

    Args:
        facts: Index, months, balance and payout months, as in the employee pension.
        rules: Calculation base and basic rate; its blend and coefficient are those of the employee scheme and not read.
        deemed: Years before the reform; ``None`` for whoever joined after it.
        annuity: Occupational annuity, where there is one.
    """
    lines = [basic_line(facts, rules), account_line(facts)]
    if deemed is not None:
        lines.append(_transitional(deemed, rules))
    if annuity is not None:
        lines.append(annuity_line(annuity))
    return Statement(tuple(lines))


def determine(
    law: GovernmentLaw, retirement: date, *, old: Money | None, new: Statement | None, joined: date | None = None
) -> GovernmentPension:
    """What is paid each month.

    老人: the old amount. 中人 inside the window: the old amount where new is not higher, otherwise old + ratio × (new −
    old), lines ``old`` and ``gain``. After the window and 新人: the new method, also where it is lower.

    Args:
        law: Parameters.
        retirement: Day of retirement.
        old: Monthly amount by the old method, from the archive.
        new: Statement of the new method, annuity included; its total is compared.
        joined: First day of work; ``None`` means before the reform.

    Raises:
        InvalidInput: OLD_AMOUNT_MISSING, NEW_AMOUNT_MISSING (the group needs it), PENSION_AMOUNT_NEGATIVE,
            RETIRED_BEFORE_JOINING.
    """
    group = law.group(retirement, joined)
    if min(old or Money.ZERO, new.total if new is not None else Money.ZERO) < Money.ZERO:
        raise InvalidInput("PENSION_AMOUNT_NEGATIVE", "an amount of either method is not negative")
    if group is Group.OLD:
        return GovernmentPension(Statement((_old(_need_old(old)),)), group, None)
    if new is None:
        raise InvalidInput(
            "NEW_AMOUNT_MISSING", "the group is paid by the new method, or compared with it", field="new"
        )
    if group is not Group.MIDDLE:
        return GovernmentPension(new, group, None)
    old = _need_old(old)
    ratio = law.ratio.on(retirement)
    lines = [_old(old)]
    if new.total > old:
        lines.append(_gain(old, new, ratio))
    return GovernmentPension(Statement(tuple(lines)), group, ratio)


def old_method(service: OldMethod) -> Statement:
    """The pension by the old method: (A × M + B + C) × the growth of every year since 2015, rounded once.

    A single line ``old``; what the factors are is said in :class:`OldMethod`. Source: 人社部发〔2015〕28号.
    """
    exact = Fraction(service.salary.fen) * Fraction(service.ratio) + service.subsidy.fen + service.increase.fen
    shown = f"({service.salary} × {service.ratio} + {service.subsidy} + {service.increase})"
    for rate in service.growth:
        exact *= 1 + Fraction(rate)
        shown += f" × (1 + {rate})"
    amount = Money(round_ratio(exact.numerator, exact.denominator, Rounding.HALF_UP))
    inputs = (
        ("salary", str(service.salary)),
        ("ratio", str(service.ratio)),
        ("subsidy", str(service.subsidy)),
        ("increase", str(service.increase)),
    )
    return Statement((Line("old", amount, "老办法养老金", "Old method", f"{shown} = {amount}", inputs, _METHOD),))


def given_total(new: Money) -> Statement:
    """A total of the new method that was calculated elsewhere, as a statement of one line."""
    return Statement((Line("new", new, "新办法养老金", "New method", str(new), sources=_METHOD),))


def given_old(old: Money) -> Statement:
    """An amount of the old method that the archive gives, as a statement of one line."""
    return Statement((_old(old),))


def average_of(weighed: Fraction, months: int) -> Decimal:
    """The average index over deemed and paid months with 4 decimals, from the sum of index × months."""
    return round_decimal(weighed / months, _INDEX_PLACES)


def _need_old(old: Money | None) -> Money:
    if old is None:
        raise InvalidInput(
            "OLD_AMOUNT_MISSING", "the group is paid by the old method, or compared with it", field="old"
        )
    return old


def _old(amount: Money) -> Line:
    return Line("old", amount, "老办法养老金", "Old method", str(amount), sources=_METHOD)


def _gain(old: Money, new: Statement, ratio: DatedValue[Decimal]) -> Line:
    gain = (new.total - old).times(ratio.value)
    parts = tuple((line.code, str(line.amount)) for line in new.lines)
    uses = tuple(use for line in new.lines for use in line.parameters)
    return Line(
        code="gain",
        amount=gain,
        title_zh="新办法高出部分按比例发放",
        title_en="Share of what the new method pays more",
        formula=f"{ratio.value} × ({new.total} − {old}) = {gain}",
        inputs=(("old", str(old)), ("new_total", str(new.total)), *parts),
        sources=ratio.source,
        parameters=(ratio.use(), *uses),
        provisional=new.provisional,
    )


def _transitional(deemed: DeemedService, rules: PensionRules) -> Line:
    base, coefficient = rules.base, deemed.coefficient
    exact = Fraction(deemed.index) * Fraction(deemed.months, _MONTHS) * Fraction(coefficient.value)
    amount = base.value.times(exact)
    return Line(
        code="transitional",
        amount=amount,
        title_zh="过渡性养老金",
        title_en="Transitional pension",
        formula=f"{base.value} × {deemed.index} × {deemed.months} ÷ 12 × {coefficient.value} = {amount}",
        inputs=(("index", str(deemed.index)), ("deemed_months", str(deemed.months))),
        sources=coefficient.source or _METHOD,
        parameters=(base.use(), coefficient.use()),
        provisional=base.provisional,
    )


def annuity_line(annuity: Annuity, month_number: int = 1) -> Line:
    """What the annuity pays in the month with a number (from 1); the last one pays what is left."""
    months, amount = annuity.payout_months, annuity.payment(month_number)
    formula = f"{annuity.balance} ÷ {months.value} = {annuity.monthly}"
    if amount != annuity.monthly:
        formula += f"; {annuity.balance} − {annuity.monthly} × {month_number - 1} = {amount}"
    return Line(
        code="annuity",
        amount=amount,
        title_zh="职业年金",
        title_en="Occupational annuity",
        formula=formula,
        inputs=(("annuity_balance", str(annuity.balance)), ("payout_months", str(months.value))),
        sources=_ANNUITY,
        parameters=(months.use(),),
    )
