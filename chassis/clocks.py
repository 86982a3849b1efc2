"""The two clocks: the real one, which nobody moves, and the business day, which comes in from the edge.

Tokens, leases and audit use the real clock. A business day is given to whoever needs it as `tx.today`; only where work
starts by itself (a job at night) is it taken from here.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from kernel.calendar import shanghai_day


def now() -> datetime:
    """The real instant, in UTC."""
    return datetime.now(UTC)


def business_day() -> date:
    """The day of the law that it really is, in Asia/Shanghai."""
    return shanghai_day(now())
