"""Contribution months of a person: those that count, and those that are billed and not paid."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from services.enrollment.accounting import ContributionMonth, ContributionState
from services.enrollment.domain.contributions import Scheme
from services.enrollment.register import SCHEME_CODES, SCHEMES

# Newest month first, then the scheme; the pair of the last row is where the next page goes on. The months that count
# are read backwards from there, a page of them and not a whole life. A month whose limits became final is shown with
# the differences that took effect; its row stays as it was billed.
LIST = """
    WITH changed AS (
        SELECT line.month, (array_agg(line.base_fen ORDER BY number DESC))[1] AS base_fen,
               sum(line.pension_employer_fen)::bigint AS employer_110,
               sum(line.pension_employee_fen)::bigint AS employee_110,
               sum(line.unemployment_employer_fen)::bigint AS employer_210,
               sum(line.unemployment_employee_fen)::bigint AS employee_210,
               sum(line.injury_employer_fen)::bigint AS employer_410
        FROM difference_line AS line JOIN difference USING (difference_id)
        WHERE line.person_id = $1 AND difference.state = 'SETTLED' GROUP BY line.month
    )
    SELECT month, scheme, state, coalesce(changed.base_fen, paid.base_fen) AS base_fen,
           employer_fen + coalesce(
               CASE scheme WHEN 110 THEN employer_110 WHEN 210 THEN employer_210 WHEN 410 THEN employer_410 END, 0
           ) AS employer_fen,
           employee_fen + coalesce(
               CASE scheme WHEN 110 THEN employee_110 WHEN 210 THEN employee_210 END, 0
           ) AS employee_fen,
           bill_id, import_source
    FROM (
        SELECT month, scheme, state, base_fen, employer_fen, employee_fen, bill_id, import_source
        FROM contribution_month
        WHERE person_id = $1 AND month BETWEEN $2 AND least($3::date, $4::date) AND (month < $4 OR scheme > $5)
        ORDER BY month DESC, scheme LIMIT $6
    ) AS paid LEFT JOIN changed USING (month)
    UNION ALL
    SELECT line.month, part.scheme, 'UNPAID', base_fen, part.employer_fen, part.employee_fen, line.bill_id, NULL
    FROM bill_line AS line JOIN bill ON bill.bill_id = line.bill_id AND bill.state <> 'PAID'
    CROSS JOIN LATERAL (VALUES
        (CASE bill.kind WHEN 'GOVERNMENT' THEN 120 ELSE 110 END::smallint,
            line.pension_employer_fen, line.pension_employee_fen, true),
        (210::smallint, line.unemployment_employer_fen, line.unemployment_employee_fen,
            CASE bill.kind WHEN 'GOVERNMENT' THEN line.unemployment_employer_fen > 0 ELSE bill.kind <> 'FLEXIBLE' END),
        (410::smallint, line.injury_employer_fen, 0,
            CASE bill.kind WHEN 'GOVERNMENT' THEN line.injury_employer_fen > 0 ELSE bill.kind <> 'FLEXIBLE' END),
        (9012::smallint, line.annuity_employer_fen, line.annuity_employee_fen, bill.kind = 'GOVERNMENT')
    ) AS part (scheme, employer_fen, employee_fen, stands)
    WHERE line.person_id = $1 AND line.month BETWEEN $2 AND least($3::date, $4::date) AND part.stands
      AND line.refund_id IS NULL AND (line.month < $4 OR part.scheme > $5)
    ORDER BY month DESC, scheme LIMIT $6
"""
START = (Month(9999, 12), 0)  # before the first page: no month comes later


async def months(
    tx: Transaction, person_id: UUID, *, first: Month, last: Month, after: tuple[Month, int], limit: int
) -> Sequence[ContributionMonth]:
    """A page of the contribution months of a person, newest first.

    Args:
        tx: Where.
        person_id: Whose.
        first: Oldest month wanted.
        last: Newest month wanted.
        after: Month and scheme code of the last row of the page before, or `START`.
        limit: Rows at most.
    """
    rows = await tx.fetch(LIST, person_id, first.first_day, last.first_day, after[0].first_day, after[1], limit)
    return [
        ContributionMonth(
            month=Month.of(row["month"]),
            scheme=SCHEMES[row["scheme"]],
            base=Money(row["base_fen"]),
            employer=Money(row["employer_fen"]),
            employee=Money(row["employee_fen"]),
            state=ContributionState(row["state"]),
            source=row["import_source"] or f"bill:{ids.to_text('bil', row['bill_id'])}",
        )
        for row in rows
    ]


async def counts(tx: Transaction, person_id: UUID) -> Mapping[Scheme, tuple[int, int]]:
    """Paid and deemed months of a person by scheme."""
    rows = await tx.fetch(
        """
        SELECT scheme, count(*) FILTER (WHERE state = 'PAID') AS paid,
               count(*) FILTER (WHERE state = 'DEEMED') AS deemed
        FROM contribution_month WHERE person_id = $1 GROUP BY scheme ORDER BY scheme
        """,
        person_id,
    )
    return {SCHEMES[row["scheme"]]: (row["paid"], row["deemed"]) for row in rows}


def cursor(month: ContributionMonth) -> str:
    """What the next page needs of the last row of this one."""
    return f"{month.month} {SCHEME_CODES[month.scheme]}"
