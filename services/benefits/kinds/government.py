"""Government pension (机关事业单位养老金) and occupational annuity (职业年金) from facts.

The annuity has a fund of its own and is paid by itself. Where new and old method are compared the new total holds it,
so what the annuity pays is taken off the compared total (assumed: decision 0190).
"""

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

from kernel.calendar import Month
from kernel.dated import DatedValue
from kernel.errors import InvalidInput
from kernel.money import Money
from kernel.statement import Line, ParameterUse, Statement
from services.benefits.domain import government, retirement
from services.benefits.domain.government import Annuity, DeemedService, Group, OldMethod
from services.benefits.domain.pension import PensionFacts
from services.benefits.domain.retirement import Track
from services.benefits.history import History
from services.benefits.kinds.contributed import years_of
from services.benefits.kinds.plain import Facts
from services.benefits.lifecycle import Kind
from services.benefits.policy import BenefitsPolicy


@dataclass(frozen=True, slots=True)
class OldAmounts(Facts):
    """What the archive says for the old method; factors as in :class:`OldMethod`."""

    salary: Money
    ratio: Decimal
    subsidy: Money
    increase: Money
    growth: tuple[Decimal, ...] = ()


@dataclass(frozen=True, slots=True)
class GovernmentFacts(Facts):
    """What goes into a government pension.

    Args:
        birth: Month of birth.
        track: Retirement track.
        retirement_date: Day of retirement.
        history: Paid months of the government pension up to the month of retirement.
        balance: Personal account at retirement.
        annuity_balance: Occupational annuity at retirement; it is paid by itself.
        joined: First day of work; absent: before the reform.
        deemed_months: Months of service before the reform.
        deemed_index: Index of post and level at 2014-09, from the provincial table.
        old: Monthly amount by the old method, from the archive.
        old_parts: What the old method is calculated from, instead.
        new_total: Total of the new method, annuity included, where it was calculated before the platform.
    """

    birth: Month
    track: Track
    retirement_date: date
    history: History
    balance: Money
    annuity_balance: Money = Money.ZERO
    joined: date | None = None
    deemed_months: int = 0
    deemed_index: Decimal | None = None
    old: Money | None = None
    old_parts: OldAmounts | None = None
    new_total: Money | None = None

    @property
    def month(self) -> Month:
        """Month of retirement."""
        return Month.of(self.retirement_date)

    def group(self, policy: BenefitsPolicy) -> Group:
        """老人, 中人 or 新人."""
        return policy.government.group(self.retirement_date, self.joined)

    def annuity(self, policy: BenefitsPolicy) -> Annuity:
        """The annuity with its payout months."""
        return Annuity(self.annuity_balance, payout_months(self.birth, self.month, policy))

    def statement(self, kind: Kind, month: Month, policy: BenefitsPolicy) -> Statement:
        """The monthly pension without the annuity; the month of payment changes nothing."""
        del kind, month
        group = self.group(policy)
        new = None if group is Group.OLD else self._new(group, policy)
        old = self._old()
        found = government.determine(
            policy.government,
            self.retirement_date,
            old=None if old is None else old.total,
            new=new,
            joined=self.joined,
        )
        lines = [old.line("old") if old is not None and one.code == "old" else one for one in found.statement.lines]
        kept = [one for one in lines if one.code != "annuity"]
        if group is Group.MIDDLE and self.annuity_balance > Money.ZERO:
            kept.append(self._apart(Money.total(one.amount for one in kept), policy))
        return Statement(tuple(kept))

    def _new(self, group: Group, policy: BenefitsPolicy) -> Statement:
        if self.new_total is not None:
            return government.given_total(self.new_total)
        law, day = policy.government, self.retirement_date
        rules = replace(policy.pension.rules(self.month), basic_rate=law.basic_rate.on(day))
        deemed = None
        if group is not Group.NEW:
            if self.deemed_index is None:
                raise InvalidInput(
                    "DEEMED_INDEX_MISSING", "years before the reform need their index", field="deemed_index"
                )
            deemed = DeemedService(self.deemed_index, self.deemed_months, law.coefficient.on(day))
        return government.new_method(
            self._pension_facts(policy),
            rules,
            deemed=deemed,
            annuity=self.annuity(policy) if self.annuity_balance > Money.ZERO else None,
        )

    def _pension_facts(self, policy: BenefitsPolicy) -> PensionFacts:
        """The index weighs deemed and paid years by their months (人社部发〔2015〕28号)."""
        paid = self.history.paid
        weighed = Fraction(self.deemed_index or 0) * self.deemed_months
        uses: tuple[ParameterUse, ...] = ()
        if paid:
            index = policy.pension.average_index(years_of(paid), self.month)
            weighed, uses = weighed + index.exact * len(paid), index.parameters
        months = len(paid) + self.deemed_months
        if not months:
            raise InvalidInput("NO_CONTRIBUTION_MONTHS", "an average needs at least one month")
        return PensionFacts(
            index=government.average_of(weighed, months),
            months=months,
            balance=self.balance,
            payout_months=payout_months(self.birth, self.month, policy),
            index_uses=uses,
        )

    def _old(self) -> Statement | None:
        if self.old_parts is not None:
            parts = self.old_parts
            return government.old_method(
                OldMethod(parts.salary, parts.ratio, parts.subsidy, parts.increase, parts.growth)
            )
        return None if self.old is None else government.given_old(self.old)

    def _apart(self, compared: Money, policy: BenefitsPolicy) -> Line:
        line = government.annuity_line(self.annuity(policy))
        amount = min(line.amount, compared)
        return replace(
            line,
            code="annuity_apart",
            amount=-amount,
            title_zh="职业年金另行发放",
            title_en="Occupational annuity, paid by itself",
            formula=f"{line.formula}; −{amount}",
        )


@dataclass(frozen=True, slots=True)
class AnnuityFacts(Facts):
    """What goes into an occupational annuity: it is paid until the balance is used up.

    Args:
        birth: Month of birth.
        retirement_month: Month of retirement.
        balance: Balance at retirement.
    """

    birth: Month
    retirement_month: Month
    balance: Money

    def annuity(self, policy: BenefitsPolicy) -> Annuity:
        """The annuity with its payout months."""
        return Annuity(self.balance, payout_months(self.birth, self.retirement_month, policy))

    def statement(self, kind: Kind, month: Month, policy: BenefitsPolicy) -> Statement:
        """What a month pays: the first is the one after retirement, the last pays what is left."""
        del kind
        number = self.retirement_month.months_until(month)
        return Statement((government.annuity_line(self.annuity(policy), number),))


def payout_months(birth: Month, month: Month, policy: BenefitsPolicy) -> DatedValue[Decimal]:
    """Months over which accounts are paid to one who retires in a month."""
    return retirement.payout_months(birth.months_until(month), month, policy.retirement.payout)
