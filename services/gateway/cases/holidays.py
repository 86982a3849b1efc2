"""Working days of China: the yearly notices of the State Council (国务院办公厅关于部分节假日安排的通知).

They are taken from the package `chinesecalendar`, whose locked version is the source.

Days off and the weekends that are worked for them are published each November for the following year. A year that
the package does not know is counted with weekends only, and everything counted through it is provisional.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from chinese_calendar import constants, is_workday

if TYPE_CHECKING:
    from datetime import date

SOURCE = f"chinesecalendar {version('chinesecalendar')}"
_WEEKEND = 5  # Saturday, as date.weekday counts
_YEARS = frozenset(day.year for day in constants.holidays)


class Holidays:
    """The published calendar."""

    def is_working(self, day: date) -> bool:
        """Whether this is a working day."""
        return _is_working(day)

    def knows(self, year: int) -> bool:
        """Whether the holidays of a year are published."""
        return year in _YEARS


@lru_cache(maxsize=4096)
def _is_working(day: date) -> bool:
    if day.year not in _YEARS:
        return day.weekday() < _WEEKEND
    return bool(is_workday(day))  # type: ignore[no-untyped-call] # the package has no annotations
