"""Amounts, days and numbers as people read them; the contract's strings go in, texts come out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.gateway.portal.texts import Texts

BEIJING = timezone(timedelta(hours=8))  # the mainland has one time and no summer time


@dataclass(frozen=True, slots=True)
class Words:
    """The filters of templates in one language. Empty values stay empty."""

    t: Texts

    def money(self, amount: str | None) -> str:
        """A contract amount ("1234.50") with thousands and sign."""
        if not amount:
            return ""
        whole, _, rest = amount.removeprefix("-").partition(".")
        sign = "\N{MINUS SIGN}" if amount.startswith("-") else ""
        return f"{sign}¥\N{NARROW NO-BREAK SPACE}{int(whole):,}.{rest or '00'}"

    def month(self, month: str | None) -> str:
        """A contract month ("2025-11")."""
        if not month:
            return ""
        year, number = month.split("-")
        return self.t("format.month", year=year, month=self.t(f"format.month_{int(number)}"))

    def day(self, day: str | date | None) -> str:
        """A contract day ("2025-11-23")."""
        if not day:
            return ""
        found = day if isinstance(day, date) else date.fromisoformat(day)
        return self.t("format.day", year=found.year, month=self.t(f"format.month_{found.month}"), day=found.day)

    def instant(self, instant: str | None) -> str:
        """A contract instant, in Beijing time to the minute."""
        if not instant:
            return ""
        found = datetime.fromisoformat(instant).astimezone(BEIJING)
        return f"{self.day(found.date())} {found:%H:%M}"

    def case_number(self, number: str | None) -> str:
        """A case number with its groups: 320602-20251123-1-000017-4."""
        digits = (number or "").replace("-", "")
        if len(digits) != 22:  # noqa: PLR2004 - 6 place, 8 day, 1 channel, 6 serial, 1 check
            return number or ""
        return f"{digits[:6]}-{digits[6:14]}-{digits[14]}-{digits[15:21]}-{digits[21]}"
