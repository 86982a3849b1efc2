"""The working-day clock of a case (承诺时限): what the law allows, what was promised, what has been used.

The day on which a period begins does not count, and a period ends with its last working day (民法典第二百零一条、
第二百零三条). While the applicant has to correct something the clock stands still.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Protocol

DAY = timedelta(days=1)


class Calendar(Protocol):
    """Which days are worked."""

    def is_working(self, day: date) -> bool:
        """Whether this is a working day."""
        ...

    def knows(self, year: int) -> bool:
        """Whether the holidays of a year are published; otherwise only weekends are free."""
        ...


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock that has not started, runs, or stands.

    Args:
        start: Day on which it started for the first time.
        used: Working days used until it was last started or stopped.
        since: Day since which it runs; None while it stands.
    """

    start: date | None = None
    used: int = 0
    since: date | None = None

    @property
    def is_running(self) -> bool:
        """Whether days are being used."""
        return self.since is not None


def working_days(calendar: Calendar, after: date, until: date) -> int:
    """Working days after a day up to and including another; 0 when the second lies before."""
    return sum(calendar.is_working(after + DAY * step) for step in range(1, (until - after).days + 1))


def plus(calendar: Calendar, day: date, count: int) -> date:
    """The day that lies so many working days after (or, below zero, before) a day; the day itself for 0."""
    step = DAY if count >= 0 else -DAY
    left = abs(count)
    while left:
        day += step
        left -= calendar.is_working(day)
    return day


def started(clock: Clock, today: date) -> Clock:
    """The clock running from today; one that runs goes on."""
    if clock.since is not None:
        return clock
    return replace(clock, start=clock.start or today, since=today)


def stopped(clock: Clock, today: date, calendar: Calendar) -> Clock:
    """The clock standing still."""
    return replace(clock, used=used(clock, today, calendar), since=None)


def used(clock: Clock, today: date, calendar: Calendar) -> int:
    """Working days used up to and including today."""
    return clock.used + (working_days(calendar, clock.since, today) if clock.since is not None else 0)


def due(clock: Clock, days: int, today: date, calendar: Calendar) -> date | None:
    """The last day of a limit; moves with today while the clock stands. None for a clock that has not started."""
    if clock.start is None:
        return None
    return plus(calendar, clock.since or today, days - clock.used)


def is_provisional(calendar: Calendar, start: date, until: date) -> bool:
    """Whether a year between two days was counted without its holidays."""
    return any(not calendar.knows(year) for year in range(start.year, until.year + 1))
