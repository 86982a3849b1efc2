"""What benefits were owed against what stands at their payees: one query for a set of benefits.

Owed is the amount in force of every month that stands in a payroll, up to the last month, without those that a
suspension takes away; of an unemployment benefit, whose amount may change every month, what the month's payment says.
What stands is what was or is being paid, what came back and is owed, and the differences that wait, less what is being
recovered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernel.calendar import Month
from kernel.money import Money
from services.benefits.keeping import FORFEITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction

_FORFEITS = ", ".join(f"'{one}'" for one in sorted(FORFEITS))


def forfeited(benefit_id: str, month: str) -> str:
    """The condition that a suspension takes a month of a benefit away; one that is open takes all from its first on."""
    return f"""
        EXISTS (SELECT FROM suspension WHERE suspension.benefit_id = {benefit_id} AND {month} BETWEEN from_month
                AND coalesce(forfeited_through, CASE WHEN closed_date IS NULL AND reason IN ({_FORFEITS})
                                                THEN 'infinity'::date END))
    """


def balances(among: Callable[[str], str]) -> str:
    """Of some benefits, `balance` is what is owed and does not stand (below zero: too much).

    Args:
        among: The condition that a column of ids names one of the benefits. Each table is read by it, and what was
            read is joined: some thousand benefits cost little more than the rows they have.
    """
    return f"""
        WITH one AS MATERIALIZED (SELECT * FROM benefit WHERE {among("benefit.benefit_id")}),
        month_paid AS MATERIALIZED (
            SELECT benefit_id, max(month) FILTER (WHERE item = 'MONTH' AND state <> 'WITHDRAWN') AS last_month,
                   sum(amount_fen) FILTER (WHERE state IN ('OPEN', 'CONFIRMED')) AS fen
            FROM payment WHERE {among("payment.benefit_id")} GROUP BY benefit_id
        ),
        in_force AS MATERIALIZED (  -- from its month on, until the first month of a later amount
            SELECT benefit_id, from_month, amount_fen, min(from_month) OVER (
                     PARTITION BY benefit_id ORDER BY number DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                   ) AS until
            FROM benefit_amount WHERE {among("benefit_amount.benefit_id")}
        ),
        due AS MATERIALIZED (
            SELECT one.benefit_id, one.kind, series.month::date AS month
            FROM one LEFT JOIN month_paid USING (benefit_id) CROSS JOIN LATERAL generate_series(
                one.first_month, least(one.last_month, greatest(one.next_month - interval '1 month',
                                                                month_paid.last_month)), interval '1 month'
            ) AS series (month)
            WHERE NOT {forfeited("one.benefit_id", "series.month")}
              AND (series.month < one.next_month OR EXISTS (  -- a month before it left its payroll
                   SELECT FROM payment WHERE payment.benefit_id = one.benefit_id AND item = 'MONTH'
                     AND payment.month = series.month::date AND payment.state <> 'WITHDRAWN'))
        ),
        owed AS (
            SELECT due.benefit_id, min(due.month) AS first_owed, max(due.month) AS last_owed,
                   sum(CASE WHEN due.kind = 'UNEMPLOYMENT' THEN (
                         SELECT amount_fen FROM payment WHERE payment.benefit_id = due.benefit_id
                           AND payment.month = due.month AND item = 'MONTH' AND payment.state <> 'WITHDRAWN'
                       ) ELSE in_force.amount_fen END) AS fen
            FROM due LEFT JOIN in_force ON in_force.benefit_id = due.benefit_id AND from_month <= due.month
                 AND (until IS NULL OR due.month < until) AND due.kind <> 'UNEMPLOYMENT'
            GROUP BY due.benefit_id
        ),
        back AS (
            SELECT came.benefit_id, sum(amount_fen) AS fen
            FROM returned_payment AS came JOIN payment USING (payment_id)
            WHERE {among("came.benefit_id")} AND came.state IN ('OWED', 'WAITING', 'PARKED') GROUP BY came.benefit_id
        ),
        waits AS (
            SELECT benefit_id, sum(amount_fen) AS fen FROM difference
            WHERE {among("difference.benefit_id")} AND payment_id IS NULL AND withdrawn_date IS NULL GROUP BY benefit_id
        ),
        taken AS (
            SELECT benefit_id, sum(amount_fen - cancelled_fen) AS fen FROM recovery
            WHERE {among("recovery.benefit_id")} GROUP BY benefit_id
        )
        SELECT one.benefit_id, one.person_id, one.kind, one.digest, one.first_month, one.last_month,
               coalesce(waits.fen, 0)::bigint AS waits, owed.first_owed, owed.last_owed,
               (coalesce(owed.fen, 0) - coalesce(month_paid.fen, 0) - coalesce(back.fen, 0) - coalesce(waits.fen, 0)
                 + coalesce(taken.fen, 0))::bigint AS balance
        FROM one LEFT JOIN owed USING (benefit_id) LEFT JOIN month_paid USING (benefit_id)
        LEFT JOIN back USING (benefit_id) LEFT JOIN waits USING (benefit_id) LEFT JOIN taken USING (benefit_id)
    """  # noqa: S608 - constants


_OF_SOME = balances("{} = ANY($1::uuid[])".format)


@dataclass(frozen=True, slots=True)
class Balance:
    """A benefit that has too little (above zero) or too much, with its months, and the differences that wait."""

    benefit_id: UUID
    digest: bytes
    first: Month
    last: Month
    balance: Money
    waits: Money


async def off_balance(tx: Transaction, benefit_ids: Iterable[UUID]) -> Sequence[Balance]:
    """Those of some locked benefits that have too much or too little, in the order of ids."""
    rows = await tx.fetch(
        f"SELECT * FROM ({_OF_SOME}) AS one WHERE balance <> 0 ORDER BY benefit_id",  # noqa: S608 - constant
        list(benefit_ids),
    )
    return [
        Balance(
            row["benefit_id"],
            row["digest"],
            Month.of(row["first_owed"] or row["first_month"]),
            Month.of(row["last_owed"] or row["first_month"]),
            Money(row["balance"]),
            Money(row["waits"]),
        )
        for row in rows
    ]


async def with_a_past(tx: Transaction, benefit_ids: Iterable[UUID]) -> set[UUID]:
    """Those of some benefits of which something was recovered, came back or was taken away."""
    rows = await tx.fetch(
        """
        SELECT benefit_id FROM unnest($1::uuid[]) AS one (benefit_id)
        WHERE EXISTS (SELECT FROM recovery WHERE recovery.benefit_id = one.benefit_id)
           OR EXISTS (SELECT FROM suspension WHERE suspension.benefit_id = one.benefit_id)
           OR EXISTS (SELECT FROM returned_payment WHERE returned_payment.benefit_id = one.benefit_id)
        """,
        list(benefit_ids),
    )
    return {row["benefit_id"] for row in rows}


async def with_differences(tx: Transaction, benefit_ids: Iterable[UUID]) -> set[UUID]:
    """Those of some benefits that have a difference or a recovery of one."""
    rows = await tx.fetch(
        """
        SELECT benefit_id FROM unnest($1::uuid[]) AS one (benefit_id)
        WHERE EXISTS (SELECT FROM difference WHERE difference.benefit_id = one.benefit_id AND withdrawn_date IS NULL)
           OR EXISTS (SELECT FROM recovery WHERE recovery.benefit_id = one.benefit_id)
        """,
        list(benefit_ids),
    )
    return {row["benefit_id"] for row in rows}


async def withdraw_differences(tx: Transaction, benefit_id: UUID) -> None:
    """What waits to be paid for months of before is not what is owed any more."""
    await tx.execute(
        """
        UPDATE difference SET withdrawn_date = $2
        WHERE benefit_id = $1 AND payment_id IS NULL AND withdrawn_date IS NULL
        """,
        benefit_id,
        tx.today,
    )


async def open_recoveries(tx: Transaction, benefit_id: UUID) -> Sequence[UUID]:
    """The recoveries of a benefit of which something is owed, newest first."""
    rows = await tx.fetch(
        """
        SELECT recovery_id FROM recovery
        WHERE benefit_id = $1 AND recovered_fen + written_off_fen + cancelled_fen < amount_fen
        ORDER BY recovery_id DESC
        """,
        benefit_id,
    )
    return [row["recovery_id"] for row in rows]


async def lapse_forfeited(tx: Transaction, benefit_id: UUID, from_month: date) -> Sequence[UUID]:
    """Payments from a month on that the bank sent back and that a suspension takes away: they lapse."""
    rows = await tx.fetch(
        """
        UPDATE returned_payment AS back SET state = 'LAPSED' FROM payment
        WHERE payment.payment_id = back.payment_id AND back.benefit_id = $1 AND month >= $2
          AND back.state IN ('OWED', 'WAITING', 'PARKED')
        RETURNING payment.payment_id
        """,
        benefit_id,
        from_month,
    )
    return [row["payment_id"] for row in rows]
