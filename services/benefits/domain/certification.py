"""Certification of entitlement (待遇领取资格认证): when it is due, and when payment is suspended for want of it.

One success every twelve months, counted from the last one; due at the end of the twelfth month after it. Not certified
by then, payment stops from the next month on, and the entitlement is kept. What is paid again on success is in
:mod:`services.benefits.domain.backpay`. Source: 社会保险经办条例 (国务院令第765号).
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from kernel.calendar import Month
from kernel.dated import Dated, DatedValue
from kernel.errors import InvalidInput
from kernel.statement import ParameterUse

State = Literal["valid", "suspended"]


@dataclass(frozen=True, slots=True)
class CertificationLaw:
    """What the calculation needs of the law."""

    cycle_months: Dated[int]
    reminder_days: Dated[int]
    grace_months: Dated[int]
    schemes: Dated[tuple[str, ...]]

    def terms(self, day: date) -> "CertificationTerms":
        """The rows of law in force on a day."""
        return CertificationTerms(self.cycle_months.on(day), self.reminder_days.on(day), self.grace_months.on(day))


@dataclass(frozen=True, slots=True)
class CertificationTerms:
    """The rows of law for one question: cycle and grace in months, reminder in days before the due day."""

    cycle_months: DatedValue[int]
    reminder_days: DatedValue[int]
    grace_months: DatedValue[int]


@dataclass(frozen=True, slots=True)
class Certification:
    """Where a person stands.

    Args:
        due_by: Last day on which the last success holds.
        suspended_from: First month that is not paid without a new success.
        reminded_from: Day from which the person is reminded.
        state: ``valid`` while payment runs on, ``suspended`` after it.
        is_due: Whether the person is being reminded; says something to people, decides nothing.
        parameters: Rows of law used.
    """

    due_by: date
    suspended_from: Month
    reminded_from: date
    state: State
    is_due: bool
    parameters: tuple[ParameterUse, ...]


def assess(last: date, as_of: date, terms: CertificationTerms) -> Certification:
    """Where a person stands on a day after a last success on another.

    Args:
        last: Day of the last success: face check, counter, data match, or the start of payment.
        as_of: The day asked for.
        terms: Rows of law.

    Raises:
        InvalidInput: CERTIFIED_IN_FUTURE, CERTIFICATION_TERMS_INVALID.
    """
    if as_of < last:
        raise InvalidInput("CERTIFIED_IN_FUTURE", "the last certification lies after the day asked for", field="last")
    cycle, grace = terms.cycle_months.value, terms.grace_months.value
    if cycle <= 0 or grace < 0:
        raise InvalidInput("CERTIFICATION_TERMS_INVALID", "the cycle is at least a month and the grace not negative")
    due_month = Month.of(last).plus(cycle)
    due_by = due_month.last_day
    # A grace keeps the money coming, it does not move the due day.
    suspended_from = due_month.plus(1 + grace)
    reminded_from = due_by - timedelta(days=terms.reminder_days.value)
    return Certification(
        due_by=due_by,
        suspended_from=suspended_from,
        reminded_from=reminded_from,
        state="suspended" if Month.of(as_of) >= suspended_from else "valid",
        is_due=reminded_from <= as_of,
        parameters=(terms.cycle_months.use(), terms.reminder_days.use(), terms.grace_months.use()),
    )


def good_from(today: date, terms: CertificationTerms) -> date:
    """The first day on which a last success is still good today: one before it is overdue."""
    return Month.of(today).plus(-(terms.cycle_months.value + terms.grace_months.value)).first_day
