"""Days and months of the law.

A day of the law is a day in Asia/Shanghai, taken once at the edge; contributions and benefits count in months. This is
the only parser of dates and months: it accepts exactly ``2025-11-23`` and ``2025-11`` in ASCII digits.
"""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

from kernel.errors import InvalidInput

# A fixed offset, not a zone file: the law reads today's instants, China has had no summer time since 1991, and slim
# containers carry no zone files.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}", re.ASCII)
_MONTHS_PER_YEAR = 12
_LAST_YEAR = 9999


def parse_date(text: str) -> date:
    """Read a day like ``2025-11-23``.

    Raises:
        InvalidInput: DATE_MALFORMED (not that form), DATE_IMPOSSIBLE (no such day in the calendar).
    """
    if not _DATE.fullmatch(text):
        raise InvalidInput("DATE_MALFORMED", "a date looks like 2025-11-23")
    try:
        return date(int(text[:4]), int(text[5:7]), int(text[8:]))
    except ValueError:
        raise InvalidInput("DATE_IMPOSSIBLE", "the calendar has no such day") from None


def shanghai_day(instant: datetime) -> date:
    """The day of the law on which an instant falls; the instant must carry its zone."""
    if instant.tzinfo is None:
        raise ValueError("an instant without a zone has no day")
    return instant.astimezone(SHANGHAI).date()


def add_months(day: date, count: int) -> date:
    """The same day ``count`` months later, moved back to the end of the month where that month is shorter."""
    month = Month.of(day).plus(count)
    return date(month.year, month.month, min(day.day, month.last_day.day))


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month."""

    year: int
    month: int

    def __post_init__(self) -> None:
        if not (1 <= self.year <= _LAST_YEAR and 1 <= self.month <= _MONTHS_PER_YEAR):
            raise InvalidInput("MONTH_IMPOSSIBLE", "the calendar has no such month")

    @classmethod
    def parse(cls, text: str) -> "Month":
        """Read a month like ``2025-11``.

        Raises:
            InvalidInput: MONTH_MALFORMED (not that form), MONTH_IMPOSSIBLE (no such month).
        """
        if not _MONTH.fullmatch(text):
            raise InvalidInput("MONTH_MALFORMED", "a month looks like 2025-11")
        return cls(int(text[:4]), int(text[5:]))

    @classmethod
    def of(cls, day: date) -> "Month":
        """The month a day lies in."""
        return cls(day.year, day.month)

    @classmethod
    def range(cls, first: "Month", last: "Month") -> Iterator["Month"]:
        """All months from ``first`` to ``last``, both included; none when ``last`` comes before ``first``."""
        return (first.plus(count) for count in range(first.months_until(last) + 1))

    def plus(self, count: int) -> "Month":
        """The month ``count`` months later (earlier when negative)."""
        year, month = divmod(self.year * _MONTHS_PER_YEAR + self.month - 1 + count, _MONTHS_PER_YEAR)
        return Month(year, month + 1)

    def months_until(self, other: "Month") -> int:
        """How many months ``other`` lies after this one; negative when it lies before."""
        return (other.year - self.year) * _MONTHS_PER_YEAR + other.month - self.month

    @property
    def next(self) -> "Month":
        """The month after."""
        return self.plus(1)

    @property
    def previous(self) -> "Month":
        """The month before."""
        return self.plus(-1)

    @property
    def first_day(self) -> date:
        """The first day of the month."""
        return date(self.year, self.month, 1)

    @property
    def last_day(self) -> date:
        """The last day of the month."""
        return date(self.year, self.month, calendar.monthrange(self.year, self.month)[1])

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"
