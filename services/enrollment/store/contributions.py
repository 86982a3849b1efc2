"""Contribution months of a person: those that count, and those that are billed and not paid."""

from collections.abc import Sequence
from uuid import UUID

from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from services.enrollment.accounting import ContributionMonth, ContributionState
from services.enrollment.register import SCHEME_CODES, SCHEMES
from services.enrollment.store.columns import month_of

# Newest month first, then the scheme; the pair of the last row is where the next page goes on. The months that count
# are read backwards from there, a page of each half of `contribution_month` and not a whole life (months are compared
# one by one, so that the planner sees that; `+ 0` keeps the lower bound out of the index, where it would hide it). A
# month whose limits became final is shown with the differences that took effect; its row stays as it was billed.
# The id of a record that went up in another shows the survivor; somebody who is known has one row at least.
LIST = """
    WITH stands AS (SELECT coalesce(merged_into, person_id) AS id FROM person WHERE person_id = $1), changed AS (
        SELECT line.month, (array_agg(line.base_fen ORDER BY number DESC))[1] AS base_fen,
               sum(line.pension_employer_fen)::bigint AS employer_110,
               sum(line.pension_employee_fen)::bigint AS employee_110,
               sum(line.unemployment_employer_fen)::bigint AS employer_210,
               sum(line.unemployment_employee_fen)::bigint AS employee_210,
               sum(line.injury_employer_fen)::bigint AS employer_410
        FROM difference_line AS line JOIN difference USING (difference_id)
        WHERE line.person_id = (SELECT id FROM stands) AND difference.state = 'SETTLED' GROUP BY line.month
    ), own AS (
        SELECT month, scheme, state, base_fen, employer_fen, employee_fen, bill_id, import_source
        FROM contribution_own
        WHERE person_id = (SELECT id FROM stands) AND month <= least($3::date, $4::date) AND month + 0 >= $2
          AND (month < $4 OR scheme > $5)
        ORDER BY month DESC, scheme LIMIT $6
    ), brought AS (
        SELECT month, scheme, state, base_fen, employer_fen, employee_fen, bill_id, import_source
        FROM contribution_brought
        WHERE person_id = (SELECT id FROM stands) AND month BETWEEN $2 AND least($3::date, $4::date)
          AND (month < $4 OR scheme > $5)
        ORDER BY month DESC, scheme LIMIT $6
    ), unpaid AS (
        SELECT line.month, part.scheme, 'UNPAID', base_fen, part.employer_fen, part.employee_fen, line.bill_id,
               NULL::text
        FROM bill_line AS line JOIN bill ON bill.bill_id = line.bill_id AND bill.state <> 'PAID'
        CROSS JOIN LATERAL (VALUES
            (CASE bill.kind WHEN 'GOVERNMENT' THEN 120 ELSE 110 END::smallint,
                line.pension_employer_fen, line.pension_employee_fen, true),
            (210::smallint, line.unemployment_employer_fen, line.unemployment_employee_fen,
                CASE bill.kind WHEN 'GOVERNMENT' THEN line.unemployment_employer_fen > 0
                               ELSE bill.kind <> 'FLEXIBLE' END),
            (410::smallint, line.injury_employer_fen, 0,
                CASE bill.kind WHEN 'GOVERNMENT' THEN line.injury_employer_fen > 0 ELSE bill.kind <> 'FLEXIBLE' END),
            (9012::smallint, line.annuity_employer_fen, line.annuity_employee_fen, bill.kind = 'GOVERNMENT')
        ) AS part (scheme, employer_fen, employee_fen, stands)
        WHERE line.person_id = (SELECT id FROM stands) AND line.month BETWEEN $2 AND least($3::date, $4::date)
          AND part.stands AND line.refund_id IS NULL AND (line.month < $4 OR part.scheme > $5)
    ), page AS (
        SELECT month, scheme, state, coalesce(changed.base_fen, paid.base_fen) AS base_fen,
               employer_fen + coalesce(
                   CASE scheme WHEN 110 THEN employer_110 WHEN 210 THEN employer_210 WHEN 410 THEN employer_410 END, 0
               ) AS employer_fen,
               employee_fen + coalesce(
                   CASE scheme WHEN 110 THEN employee_110 WHEN 210 THEN employee_210 END, 0
               ) AS employee_fen,
               bill_id, import_source
        FROM (SELECT * FROM own UNION ALL SELECT * FROM brought) AS paid LEFT JOIN changed USING (month)
        UNION ALL SELECT * FROM unpaid
    )
    SELECT page.* FROM stands LEFT JOIN page ON true ORDER BY month DESC, scheme LIMIT $6
"""
START = (Month(9999, 12), 0)  # before the first page: no month comes later
_STATES = {state.value: state for state in ContributionState}


async def months(
    tx: Transaction, person_id: UUID, *, first: Month, last: Month, after: tuple[Month, int], limit: int
) -> Sequence[ContributionMonth] | None:
    """A page of the contribution months of a person, newest first; None when nobody is known.

    Args:
        tx: Where.
        person_id: Whose.
        first: Oldest month wanted.
        last: Newest month wanted.
        after: Month and scheme code of the last row of the page before, or `START`.
        limit: Rows at most.
    """
    rows = await tx.fetch(LIST, person_id, first.first_day, last.first_day, after[0].first_day, after[1], limit)
    if not rows:
        return None
    return [
        ContributionMonth(
            month=month_of(month),
            scheme=SCHEMES[scheme],
            base=Money(base),
            employer=Money(employer),
            employee=Money(employee),
            state=_STATES[state],
            source=source or f"bill:{ids.to_text('bil', bill_id)}",
        )
        for month, scheme, state, base, employer, employee, bill_id, source in rows
        if month is not None
    ]


def cursor(month: ContributionMonth) -> str:
    """What the next page needs of the last row of this one."""
    return f"{month.month} {SCHEME_CODES[month.scheme]}"
