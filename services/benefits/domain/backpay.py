"""Months paid again after a suspension, months paid too much, and the plan by which those come back.

Suspended months are paid in one sum without interest (补发), from the first suspended month to the month of
certification, both included. Every payment for a month after the last month of entitlement is recoverable, without
interest (多发追回).
Sources: 社会保险经办条例 (国务院令第765号).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from kernel.calendar import Month
from kernel.errors import InvalidInput
from kernel.money import Money
from kernel.statement import Line, Statement

_SOURCES = ("SI-OPS-2023",)


class MonthlyAmount(NamedTuple):
    """What a month's benefit is, from a month on until the next amount."""

    from_month: Month
    amount: Money


@dataclass(frozen=True, slots=True)
class MonthsDue:
    """Whole months of a benefit as one sum: the calendar months, and a line for each amount that was in force."""

    months: int
    statement: Statement

    @property
    def total(self) -> Money:
        """The sum."""
        return self.statement.total


class Instalment(NamedTuple):
    """What is taken back in a month."""

    month: Month
    amount: Money


@dataclass(frozen=True, slots=True)
class RecoveryPlan:
    """How an overpayment comes back: what a due benefit of the survivors takes at once, and monthly instalments."""

    overpaid: Money
    offset: Money
    instalments: tuple[Instalment, ...]

    @property
    def left(self) -> Money:
        """What the plan does not cover; zero for every plan of :func:`plan_recovery`."""
        return self.overpaid - self.offset - Money.total(one.amount for one in self.instalments)


def resume(suspended_from: Month, certified_on: date, amounts: Sequence[MonthlyAmount]) -> MonthsDue:
    """What is paid when a suspended person is certified: all suspended months and the month of certification.

    Args:
        suspended_from: First month that was not paid.
        certified_on: Day of the success; before the suspension nothing is due.
        amounts: Monthly amounts in force, in order of their months.

    Raises:
        InvalidInput: MONTHLY_AMOUNTS_INVALID.
    """
    last = Month.of(certified_on)
    return _months_due("resumed", ("补发暂停期间待遇", "Suspended months paid"), suspended_from, last, amounts)


def overpaid(last_entitled: Month, paid_through: Month, amounts: Sequence[MonthlyAmount]) -> MonthsDue:
    """What was paid for months after the last month of entitlement: that of death, of a new job, of a second benefit.

    Args:
        last_entitled: Last month that was rightly paid; the month of death is.
        paid_through: Last month that was paid; not after the entitlement means nothing was paid too much.
        amounts: Monthly amounts as paid, in order of their months.

    Raises:
        InvalidInput: MONTHLY_AMOUNTS_INVALID.
    """
    titles = ("多发待遇", "Paid too much")
    return _months_due("overpaid", titles, last_entitled.next, paid_through, amounts)


def plan_recovery(total: Money, *, offset: Money, instalment: Money, first: Month) -> RecoveryPlan:
    """Plan how an overpayment comes back, without interest: offset first, then equal months and a last remainder.

    Args:
        total: What was paid too much.
        offset: Benefit of the survivors or of the person that it may be offset against (assumed); more than needed
            is left alone.
        instalment: What is taken back each month.
        first: Month of the first instalment.

    Raises:
        InvalidInput: RECOVERY_AMOUNT_NEGATIVE, INSTALMENT_INVALID (nothing would ever come back).
    """
    if min(total, offset) < Money.ZERO:
        raise InvalidInput("RECOVERY_AMOUNT_NEGATIVE", "neither debt nor offset is negative")
    taken = min(total, offset)
    left = total - taken
    if left > Money.ZERO and instalment <= Money.ZERO:
        raise InvalidInput("INSTALMENT_INVALID", "an instalment is more than nothing", field="instalment")
    instalments: list[Instalment] = []
    while left > Money.ZERO:
        amount = min(instalment, left)
        instalments.append(Instalment(first.plus(len(instalments)), amount))
        left -= amount
    return RecoveryPlan(total, taken, tuple(instalments))


def constant(amount: Money, month: Month) -> tuple[MonthlyAmount, ...]:
    """One amount for every month from a month on."""
    return (MonthlyAmount(month, amount),)


def from_payments(paid: Mapping[Month, Money]) -> tuple[MonthlyAmount, ...]:
    """Payments by month as amounts; a month without payment, and every one after the last, counts as nothing."""
    if not paid:
        return ()
    months = Month.range(min(paid), max(paid).next)
    return tuple(MonthlyAmount(month, paid.get(month, Money.ZERO)) for month in months)


def _months_due(
    code: str, titles: tuple[str, str], first: Month, last: Month, amounts: Sequence[MonthlyAmount]
) -> MonthsDue:
    """The months from first to last, one line for each amount in force; nothing when last comes before first."""
    count = max(0, first.months_until(last) + 1)
    starts = [one.from_month for one in amounts]
    if any(one.amount < Money.ZERO for one in amounts) or starts != sorted(set(starts)):
        raise InvalidInput("MONTHLY_AMOUNTS_INVALID", "monthly amounts rise by month and are not negative")
    if count and (not starts or starts[0] > first):
        raise InvalidInput("MONTHLY_AMOUNTS_INVALID", "the first month has no amount")
    lines = []
    for place, (start, amount) in enumerate(amounts):
        begin = max(start, first)
        end = last if place + 1 == len(amounts) else min(last, starts[place + 1].previous)
        months = begin.months_until(end) + 1
        if months <= 0 or amount == Money.ZERO:
            continue
        due = amount * months
        lines.append(
            Line(
                code=f"{code}.{begin}",
                amount=due,
                title_zh=f"{titles[0]} {begin}—{end}",
                title_en=f"{titles[1]} {begin} to {end}",
                formula=f"{amount} × {months} = {due}",
                inputs=(("monthly", str(amount)), ("from", str(begin)), ("to", str(end)), ("months", str(months))),
                sources=_SOURCES,
            )
        )
    return MonthsDue(count, Statement(tuple(lines)))
