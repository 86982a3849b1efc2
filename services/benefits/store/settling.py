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
    from collections.abc import Iterable, Sequence
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


def balances(which: str) -> str:
    """Of the benefits that `which` chooses: `balance` is what is owed and does not stand (below zero: too much)."""
    return f"""
        SELECT one.benefit_id, one.person_id, one.kind, one.digest, one.first_month, one.last_month,
               coalesce(waits.fen, 0) AS waits, owed.first_owed, owed.last_owed,
               coalesce(owed.fen, 0) - coalesce(paid.fen, 0) - coalesce(back.fen, 0) - coalesce(waits.fen, 0)
                 + coalesce(taken.fen, 0) AS balance
        FROM (SELECT * FROM benefit WHERE {which}) AS one
        LEFT JOIN LATERAL (
            SELECT sum(coalesce(CASE WHEN one.kind = 'UNEMPLOYMENT' THEN (
                     SELECT amount_fen FROM payment WHERE payment.benefit_id = one.benefit_id
                       AND payment.month = series.month::date AND item = 'MONTH' AND payment.state <> 'WITHDRAWN'
                   ) ELSE (
                     SELECT amount_fen FROM benefit_amount AS amount WHERE amount.benefit_id = one.benefit_id
                       AND from_month <= series.month ORDER BY number DESC LIMIT 1
                   ) END, 0))::bigint AS fen,
                   min(series.month)::date AS first_owed, max(series.month)::date AS last_owed
            FROM generate_series(one.first_month, least(one.last_month, greatest(
                     one.next_month - interval '1 month',
                     (SELECT max(month) FROM payment WHERE payment.benefit_id = one.benefit_id AND item = 'MONTH'
                        AND payment.state <> 'WITHDRAWN'))), interval '1 month') AS series (month)
            WHERE NOT {forfeited("one.benefit_id", "series.month")}
              AND (series.month < one.next_month OR EXISTS (  -- a month before it left its payroll
                   SELECT FROM payment WHERE payment.benefit_id = one.benefit_id AND item = 'MONTH'
                     AND payment.month = series.month::date AND payment.state <> 'WITHDRAWN'))
        ) AS owed ON true
        LEFT JOIN LATERAL (
            SELECT sum(amount_fen)::bigint AS fen FROM payment
            WHERE payment.benefit_id = one.benefit_id AND payment.state IN ('OPEN', 'CONFIRMED')
        ) AS paid ON true
        LEFT JOIN LATERAL (
            SELECT sum(amount_fen)::bigint AS fen FROM returned_payment AS came JOIN payment USING (payment_id)
            WHERE came.benefit_id = one.benefit_id AND came.state IN ('OWED', 'WAITING', 'PARKED')
        ) AS back ON true
        LEFT JOIN LATERAL (
            SELECT sum(amount_fen)::bigint AS fen FROM difference
            WHERE difference.benefit_id = one.benefit_id AND payment_id IS NULL AND withdrawn_date IS NULL
        ) AS waits ON true
        LEFT JOIN LATERAL (
            SELECT sum(amount_fen - cancelled_fen)::bigint AS fen FROM recovery
            WHERE recovery.benefit_id = one.benefit_id
        ) AS taken ON true
    """  # noqa: S608 - constants


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
        f"SELECT * FROM ({balances('benefit_id = ANY($1::uuid[])')}) AS one WHERE balance <> 0 ORDER BY benefit_id",  # noqa: S608 - constant
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
