"""What every benefit owes by the text of the law: a model of a few lines that shares nothing with the code it judges.

A benefit owes its amount for each month from the first to the last one, without the months that prison takes away
(docs/decisions/0196). An amount is that of the determination, raised by every annual adjustment that stands for those
retired by December 31 of the year before. Whatever was paid, is prepared, waits or came back, less what is taken back,
has to be exactly that, after every step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from kernel.calendar import Month
from tests.plugins.databases import owner_fetch

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from chassis.database import Database

ADJUSTED = {"EMPLOYEE_PENSION", "GOVERNMENT_PENSION"}
YEAR = 12


def half_up(value: Decimal) -> int:
    """Yuan to fen, rounded half-up."""
    return int((value * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def raised(fen: int) -> int:
    """见分进角: the next jiao."""
    return -(-fen // 10) * 10


def adjusted(fen: int, years: int, age: int) -> int:
    """The demonstration's adjustment as `policy/pension-employee.yaml` words it."""
    flat = 20_00
    by_years = half_up(Decimal(min(years, 15)) * 1 + Decimal(max(0, years - 15)) * Decimal("1.5"))
    percent = half_up(Decimal(fen) / 100 * Decimal("0.009"))
    return raised(fen + flat + by_years + percent + tilt(age))


def tilt(age: int) -> int:
    """高龄倾斜 of the demonstration."""
    return next((fen for least, fen in ((80, 40_00), (75, 25_00), (70, 15_00)) if age >= least), 0)


@dataclass
class Right:
    """What one benefit owes."""

    kind: str
    person_id: UUID
    first: Month
    event: Month
    determined_last: Month | None
    base: Callable[[Month], int]
    years: int = 0
    birth: Month = field(default_factory=lambda: Month(1966, 3))
    lost: set[Month] = field(default_factory=set)
    prison_from: Month | None = None
    revoked: bool = False
    ends: list[Month] = field(default_factory=list)  # what ended it, but a death
    died: Month | None = None

    @property
    def last(self) -> Month | None:
        """The last month that is owed; the one before the first when none is."""
        known = [one for one in (self.determined_last, self.died, *self.ends) if one is not None]
        return max(min(known), self.first.previous) if known else None

    def amount(self, month: Month, years: set[int]) -> int:
        """The amount of a month in fen, after the adjustments of these years."""
        fen = self.base(month)
        for year in sorted(years) if self.kind in ADJUSTED else ():
            january = Month(year, 1)
            if self.event < january <= month and (self.last is None or self.last >= january):
                fen = adjusted(fen, self.years, self.birth.months_until(Month(year - 1, YEAR)) // YEAR)
        return fen

    def months(self, until: Month) -> list[Month]:
        """The months that are owed up to one."""
        last = until if self.last is None else min(until, self.last)
        return [
            one
            for one in Month.range(self.first, last)
            if one not in self.lost and (self.prison_from is None or one < self.prison_from)
        ]

    def owed(self, until: Month, years: set[int]) -> int:
        """All of it up to a month."""
        return sum(self.amount(one, years) for one in self.months(until))


# What stands at the payee or is on its way, what came back and is owed, what waits, less what is taken back.
STANDS = """
    SELECT benefit_id, kind, state, next_month, last_month,
           coalesce(paid.fen, 0) AS paid, coalesce(back.fen, 0) AS back, coalesce(waits.fen, 0) AS waits,
           coalesce(taken.fen, 0) AS taken, coalesce(due.fen, 0) AS due, coalesce(due.months, '{}') AS due_months
    FROM benefit
    LEFT JOIN LATERAL (SELECT sum(amount_fen)::bigint AS fen FROM payment
                       WHERE payment.benefit_id = benefit.benefit_id AND state IN ('OPEN', 'CONFIRMED')) AS paid ON true
    LEFT JOIN LATERAL (SELECT sum(amount_fen)::bigint AS fen
                       FROM returned_payment AS one JOIN payment USING (payment_id)
                       WHERE one.benefit_id = benefit.benefit_id AND one.state IN ('OWED', 'WAITING', 'PARKED')
                      ) AS back ON true
    LEFT JOIN LATERAL (SELECT sum(amount_fen)::bigint AS fen FROM difference
                       WHERE difference.benefit_id = benefit.benefit_id AND payment_id IS NULL
                         AND withdrawn_date IS NULL) AS waits ON true
    LEFT JOIN LATERAL (SELECT sum(amount_fen - cancelled_fen)::bigint AS fen FROM recovery
                       WHERE recovery.benefit_id = benefit.benefit_id) AS taken ON true
    LEFT JOIN LATERAL (
        SELECT sum(worth.amount_fen)::bigint AS fen, array_agg(month::date) AS months
        FROM generate_series(next_month, least($1::date, last_month), interval '1 month') AS series (month)
        LEFT JOIN LATERAL (SELECT amount_fen FROM benefit_amount AS amount
                           WHERE amount.benefit_id = benefit.benefit_id AND from_month <= month
                           ORDER BY number DESC LIMIT 1) AS worth ON true
        WHERE NOT (state = 'SUSPENDED' AND suspend_reason = 'IMPRISONED' AND month >= suspended_from)
          AND NOT EXISTS (SELECT FROM suspension AS gone WHERE gone.benefit_id = benefit.benefit_id
                          AND month BETWEEN from_month AND forfeited_through)
          AND NOT EXISTS (SELECT FROM payment AS stands WHERE stands.benefit_id = benefit.benefit_id
                          AND item = 'MONTH' AND stands.month = series.month::date AND stands.state <> 'WITHDRAWN')
    ) AS due ON true
    ORDER BY benefit_id
"""
TWICE = """
    SELECT coalesce(survivor_id, payment.person_id) AS person_id, kind, month, count(*) AS times
    FROM payment LEFT JOIN forward USING (person_id)
    WHERE item = 'MONTH' AND state IN ('OPEN', 'CONFIRMED') AND NOT EXISTS (
      SELECT FROM overpayment WHERE overpayment.payment_id = payment.payment_id AND cancelled_date IS NULL)
    GROUP BY 1, 2, split_part(share, '~', 1), 3 HAVING count(*) > 1
"""


async def faults(database: Database, rights: dict[UUID, Right], until: Month, years: set[int]) -> list[str]:
    """Every benefit that stands otherwise than it owes, and every month that is paid twice."""
    rows = await owner_fetch(database, STANDS, until.first_day)
    found = [f"{row['benefit_id']} is not known to the model" for row in rows if row["benefit_id"] not in rights]
    for row in rows:
        right = rights[row["benefit_id"]]
        due = row["due"] if right.kind != "UNEMPLOYMENT" else _computed(right, row["due_months"], years)
        stands = row["paid"] + row["back"] + row["waits"] + due - row["taken"]
        owed = right.owed(until, years)
        if stands != owed:
            found.append(
                f"{right.kind} {row['benefit_id']} {row['state']} to {until}: owed {owed}, stands {stands}"
                f" (paid {row['paid']}, back {row['back']}, waits {row['waits']}, due {due}, taken {row['taken']})"
            )
    twice = await owner_fetch(database, TWICE)
    return found + [f"paid twice: {dict(row)}" for row in twice]


def _computed(right: Right, days: list[Any], years: set[int]) -> int:
    return sum(right.amount(Month.of(day), years) for day in days)
