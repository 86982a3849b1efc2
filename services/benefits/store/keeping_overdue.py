"""Who is due or overdue for certification: lists, runs of the sweep, figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from kernel.calendar import Month
from services.benefits.keeping import needing
from services.benefits.lifecycle import Kind
from services.benefits.store.keeping_held import lock_benefits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from uuid import UUID

    from asyncpg import Record

    from chassis.transaction import Transaction
    from services.benefits.domain.certification import CertificationTerms


# First months as days: $1 the first month that is held back without a later success, as months after the last success.
_OVERDUE = (
    "state = 'ACTIVE' AND kind = ANY($1::text[]) AND last_date < $2::date AND (last_month IS NULL OR $3 <= last_month)"
)


_DUE_BY = "(date_trunc('month', last_date) + make_interval(months => $2 + 1))::date - 1"


@dataclass(frozen=True, slots=True)
class Due:
    """A beneficiary whose certification is asked for, or overdue, without a word about who it is."""

    benefit_id: UUID
    person_id: UUID
    kind: Kind
    last_date: date
    due_by: date
    suspended_from: Month | None
    is_certified: bool


async def suspended_overdue(tx: Transaction, person_ids: Iterable[UUID], before: date) -> Sequence[UUID]:
    """Benefits of some persons held back for want of a certification that is there by now, in the order of ids.

    Args:
        tx: The transaction.
        person_ids: Whose.
        before: A last success from this day on is good today.
    """
    rows = await tx.fetch(
        """
        SELECT benefit_id FROM certified
        WHERE person_id = ANY($1::uuid[]) AND state = 'SUSPENDED' AND suspend_reason = 'CERTIFICATION_OVERDUE'
          AND last_date >= $2 ORDER BY benefit_id
        """,
        list(person_ids),
        before,
    )
    return [row["benefit_id"] for row in rows]


async def overdue_boundaries(
    tx: Transaction, schemes: tuple[str, ...], before: date, month: Month, size: int
) -> list[tuple[UUID, int]]:
    """Ids that end runs of `size` overdue benefits, ascending, with how many each run has."""
    rows = await tx.fetch(
        f"""
        SELECT benefit_id, place - coalesce(lag(place) OVER (ORDER BY place), 0) AS count FROM (
          SELECT benefit_id, row_number() OVER (ORDER BY benefit_id) AS place, count(*) OVER () AS total
          FROM certified WHERE {_OVERDUE}
        ) AS numbered WHERE place % $4 = 0 OR place = total ORDER BY benefit_id
        """,  # noqa: S608 - a constant condition
        needing(schemes),
        before,
        month.first_day,
        size,
    )
    return [(row["benefit_id"], row["count"]) for row in rows]


async def lock_overdue(
    tx: Transaction, schemes: tuple[str, ...], before: date, month: Month, *, after: UUID | None, last: UUID
) -> Sequence[Record]:
    """The overdue benefits of a run with their last success, locked.

    Two statements: the first waits for whoever certifies one of them, the second sees what they wrote. A certification
    that comes just before therefore wins, and one that comes just after finds the benefit held back.
    """
    kinds = needing(schemes)
    found = await tx.fetch(
        f"""
        SELECT benefit_id FROM certified
        WHERE {_OVERDUE} AND benefit_id <= $4 AND ($5::uuid IS NULL OR benefit_id > $5)
        """,  # noqa: S608 - a constant condition
        kinds,
        before,
        month.first_day,
        last,
        after,
    )
    keys = [row["benefit_id"] for row in found]
    await lock_benefits(tx, keys)
    return await tx.fetch(
        f"""
        SELECT benefit_id, last_date FROM certified
        WHERE {_OVERDUE} AND benefit_id = ANY($4::uuid[]) ORDER BY benefit_id
        """,  # noqa: S608 - a constant condition
        kinds,
        before,
        month.first_day,
        keys,
    )


async def due_page(
    tx: Transaction,
    schemes: tuple[str, ...],
    terms: CertificationTerms,
    today: date,
    standing_: str,
    *,
    after: UUID | None,
    limit: int,
) -> Sequence[Due]:
    """Who is being reminded (REMINDED), past the due day and still paid (OVERDUE), or held back for it (SUSPENDED).

    The next benefits often fill a page. Where they do not, all are read at once, in the order in which the tables
    stand: one after the other by their keys they would cost six times as much.
    """
    due_from, reminded_until = window(terms, today)
    where, running = "state = 'SUSPENDED' AND suspend_reason = 'CERTIFICATION_OVERDUE'", ""
    if standing_ != "SUSPENDED":
        where = "state = 'ACTIVE' AND last_date < $4::date AND ($3::date IS NULL OR last_date >= $3)"
        running = "state <> 'ENDED'"
    next_ones = f"""AND benefit_id = ANY (ARRAY(
        SELECT benefit_id FROM benefit AS one WHERE {running or where} AND ($5::uuid IS NULL OR one.benefit_id > $5)
        ORDER BY benefit_id LIMIT 1000))"""  # noqa: S608 - constants
    days = {"SUSPENDED": (None, None), "OVERDUE": (None, due_from)}.get(standing_, (due_from, reminded_until))
    rows: Sequence[Record] = []
    for some in (next_ones, ""):
        rows = await tx.fetch(
            f"""
            SELECT *, {_DUE_BY} AS due_by FROM (
              SELECT * FROM certified
              WHERE kind = ANY($1::text[]) AND {where} AND ($5::uuid IS NULL OR benefit_id > $5) {some} OFFSET 0
            ) AS known
            WHERE $3::date IS NULL OR $4::date IS NOT NULL  -- the two days stand in every form of the question
            ORDER BY benefit_id LIMIT $6
            """,  # noqa: S608 - constant expressions
            needing(schemes),
            terms.cycle_months.value,
            *days,
            after,
            limit,
        )
        if len(rows) >= limit:
            break
    return [
        Due(
            row["benefit_id"],
            row["person_id"],
            Kind(row["kind"]),
            row["last_date"],
            row["due_by"],
            Month.of(row["suspended_from"]) if row["suspended_from"] else None,
            row["is_certified"],
        )
        for row in rows
    ]


def window(terms: CertificationTerms, today: date) -> tuple[date, date]:
    """Last successes from the first of these days on are not overdue; before the second one they are reminded of.

    The due day is the last one of a month, `cycle` months after that of the success: it lies before today when that
    month does, and not after the last day that is reminded of when the day after it lies in a later month.
    """
    cycle = -terms.cycle_months.value
    reminded = today + timedelta(days=terms.reminder_days.value + 1)
    return Month.of(today).plus(cycle).first_day, Month.of(reminded).plus(cycle).first_day


async def figures(
    tx: Transaction, schemes: tuple[str, ...], terms: CertificationTerms, today: date
) -> Sequence[Record]:
    """For each kind that needs a certification: how many, certified, reminded, overdue, held back."""
    return await tx.fetch(
        """
        SELECT kind, count(*) AS beneficiaries, count(*) FILTER (WHERE is_certified) AS certified,
               count(*) FILTER (WHERE state = 'ACTIVE' AND last_date >= $2 AND last_date < $3) AS reminded,
               count(*) FILTER (WHERE state = 'ACTIVE' AND last_date < $2) AS overdue,
               count(*) FILTER (WHERE state = 'SUSPENDED' AND suspend_reason = 'CERTIFICATION_OVERDUE') AS suspended,
               count(*) FILTER (WHERE state = 'SUSPENDED' AND suspend_reason <> 'CERTIFICATION_OVERDUE') AS held
        FROM certified WHERE kind = ANY($1::text[]) GROUP BY kind ORDER BY kind
        """,
        needing(schemes),
        *window(terms, today),
    )


async def figures_by_source(tx: Transaction, first: date, last: date) -> Sequence[Record]:
    """How many certifications each source brought between two days, and how many of them were simulated."""
    return await tx.fetch(
        """
        SELECT source, count(*) AS count, count(*) FILTER (WHERE simulated) AS simulated FROM certification
        WHERE business_date BETWEEN $1 AND $2 GROUP BY source ORDER BY source
        """,
        first,
        last,
    )
