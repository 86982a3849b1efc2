"""The delayed statutory age (渐进式延迟法定退休年龄) as arithmetic of months; its numbers come from the policy files.

Everything counts in calendar months: the day of birth never matters.
Source: 全国人大常委会关于实施渐进式延迟法定退休年龄的决定.
"""

from dataclasses import dataclass

from kernel.calendar import Month


@dataclass(frozen=True, slots=True)
class TrackRule:
    """A track: original age in months; each ``step`` months delay one more month, at most ``max_delay``."""

    original_months: int
    step: int
    max_delay: int


@dataclass(frozen=True, slots=True)
class StatutoryAge:
    """When a person reaches the age.

    Args:
        original: Month of the age that held before the delay.
        delay_months: Months of delay.
        is_delayed: Whether the original month lies in the time of the delay at all.
    """

    original: Month
    delay_months: int
    is_delayed: bool

    @property
    def month(self) -> Month:
        """The statutory month of retirement (法定退休月)."""
        return self.original.plus(self.delay_months)


def statutory_age(birth: Month, rule: TrackRule, delay_start: Month) -> StatutoryAge:
    """When a person born in a month reaches the statutory age.

    The original month is birth + the original age. When it lies n months after the first month of the delay, n not
    negative, the delay is min(cap, floor(n ÷ step) + 1) months.
    """
    original = birth.plus(rule.original_months)
    waited = delay_start.months_until(original)
    delay = 0 if waited < 0 else min(rule.max_delay, waited // rule.step + 1)
    return StatutoryAge(original, delay, is_delayed=waited >= 0)
