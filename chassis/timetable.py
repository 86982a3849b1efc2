"""The timetable (定时任务): what recurring work a service has, and which starts are owed on a day. Pure.

A service declares entries; `chassis.timekeeper` starts each of them once for every business date, on whichever replica
is first. An entry starts a job and nothing else: what two persons must decide is prepared by it, in the name of
somebody whom the office named, and never approved.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from kernel.calendar import SHANGHAI, Month

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from uuid import UUID

    from chassis.transaction import Transaction

NAME = re.compile(r"[a-z][a-z0-9_]{0,40}", re.ASCII)
LAST = 31  # the last day of a month, however long it is
MONTHS = 12


class Missed(StrEnum):
    """What is done about starts that were missed while nothing ran."""

    LATEST = "LATEST"  # one run finds everything: only the latest is made up for, on the day that it is now
    EACH = "EACH"  # each has its own figures: made up for in order, each with its own business date


class Preset(StrEnum):
    """Whether an entry starts when the office said nothing."""

    ON = "ON"
    OFF = "OFF"  # the office must name it in HRSS_TIMETABLE_ENTRIES


@dataclass(frozen=True, slots=True)
class When:
    """Daily, monthly on a day, or yearly on a day of a month; a time in Asia/Shanghai.

    Args:
        at: Time of the day.
        day: Day of the month; 31 is the last one, however long the month is. 0: every day.
        month: Month of the year; 0: every month.
        reach_days: A start that was missed longer ago is not made up for.
    """

    at: time
    day: int = 0
    month: int = 0
    reach_days: int = 35

    def __post_init__(self) -> None:
        """Refuse a day that does not come."""
        if not (0 <= self.day <= LAST and 0 <= self.month <= MONTHS and self.reach_days > 0) or (
            self.month and not self.day
        ):
            raise ValueError("no such day")

    def falls_on(self, day: date) -> bool:
        """Whether there is a start on a day."""
        wanted = min(self.day, Month.of(day).last_day.day)
        return (not self.day or day.day == wanted) and (not self.month or day.month == self.month)

    def after(self, day: date) -> date:
        """The first start after a day."""
        found = day + timedelta(days=1)
        while not self.falls_on(found):
            found += timedelta(days=1)
        return found

    @property
    def zh(self) -> str:
        """In Chinese."""
        day = "最后一天" if self.day == LAST else f"{self.day} 日"
        what = f"每年 {self.month} 月 {day}" if self.month else f"每月 {day}" if self.day else "每天"
        return f"{what} {self.at:%H:%M}"

    @property
    def en(self) -> str:
        """In English."""
        day = "the last day" if self.day == LAST else f"day {self.day}"
        what = f"yearly, {day} of month {self.month}" if self.month else f"monthly, {day}" if self.day else "daily"
        return f"{what}, {self.at:%H:%M}"


def daily(at: str) -> When:
    """Every day at "HH:MM"; up to 35 days are made up for."""
    return When(time.fromisoformat(at))


def monthly(day: int, at: str) -> When:
    """Every month on a day (31: its last) at "HH:MM"; up to 100 days are made up for."""
    return When(time.fromisoformat(at), day, reach_days=100)


def yearly(month: int, day: int, at: str) -> When:
    """Every year on a day at "HH:MM"; up to 400 days are made up for."""
    return When(time.fromisoformat(at), day, month, reach_days=400)


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of recurring work.

    Args:
        name: Unique in the platform, for example "certification_sweep".
        zh: What it does, for people.
        en: The same in English.
        when: When it starts.
        start: Starts the job, in the transaction that books the start; `tx.today` is the business day. Returns the
            job. A refusal (a `DomainError`) is shown and tried again later; `AlreadyExists` means that somebody did
            the work by hand, and is no failure.
        missed: What is done about starts that were missed.
        preset: Whether it starts unless the office says otherwise.
        prepares: It prepares what a second person decides. It runs in the name of the person in
            HRSS_TIMETABLE_MAKER and rests while nobody is named there.
    """

    name: str
    zh: str
    en: str
    when: When
    start: Callable[[Transaction], Awaitable[UUID]]
    missed: Missed = Missed.LATEST
    preset: Preset = Preset.ON
    prepares: bool = False

    def __post_init__(self) -> None:
        """Refuse a name that could not stand in a setting."""
        if not NAME.fullmatch(self.name):
            raise ValueError(f"not a name: {self.name}")

    def off(self, named: str, maker: str) -> str:
        """Why it does not start by itself, as a reason for people; empty: it does.

        Args:
            named: HRSS_TIMETABLE_ENTRIES: names that are switched on, and "-name" for those that are switched off.
            maker: HRSS_TIMETABLE_MAKER.
        """
        said = {one.strip() for one in named.split(",")}
        if f"-{self.name}" in said or (self.preset is Preset.OFF and self.name not in said):
            return "NOT_SWITCHED_ON"
        return "NO_MAKER" if self.prepares and not maker else ""


@dataclass(frozen=True, slots=True)
class Owed:
    """The next start that is owed, and how many older ones it leaves out."""

    business_date: date
    left_out: int


def owed(entry: Entry, since: date, day: date, clock: time, done: Iterable[date]) -> Owed | None:
    """The start to make now; None: nothing is owed.

    Args:
        entry: Whose.
        since: No earlier start is owed.
        day: The business day.
        clock: Time of that day; `time.max` when the day was moved by hand, since then it has no time.
        done: Business dates that had their start.
    """
    had = set(done)
    begun = max((one for one in had if one <= day), default=None)
    # What lies before a start that was made is over: a start that was too old then is not dug out now.
    first = since if begun is None else max(since, begun + timedelta(days=1))
    last = day if clock >= entry.when.at else day - timedelta(days=1)
    dates = []
    start = first - timedelta(days=1)
    while (start := entry.when.after(start)) <= last:
        dates.append(start)
    dates = [one for one in dates if one not in had]
    near = [one for one in dates if one >= day - timedelta(days=entry.when.reach_days)]
    if not near:
        return None
    if entry.missed is Missed.LATEST:
        return Owed(near[-1], len(dates) - 1)
    return Owed(near[0], len(dates) - len(near))


def following(entry: Entry, day: date, clock: time, done: Iterable[date]) -> datetime:
    """When it starts next after now, as an instant; `clock` as in `owed`."""
    is_today = entry.when.falls_on(day) and clock < entry.when.at and day not in set(done)
    return datetime.combine(day if is_today else entry.when.after(day), entry.when.at, SHANGHAI)
