"""Lists for the rooms of the office and what was done with a payroll; reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from asyncpg import Record

    from chassis.transaction import Transaction


async def determinations(tx: Transaction, state: str, *, after: UUID | None, limit: int) -> Sequence[Record]:
    """Determinations in a state with what they are worth, oldest first."""
    return await tx.fetch(
        """
        SELECT one.*, calculation.total_fen, calculation.provisional
        FROM determination AS one JOIN calculation USING (digest)
        WHERE state = $1 AND ($2::uuid IS NULL OR determination_id > $2) ORDER BY determination_id LIMIT $3
        """,
        state,
        after,
        limit,
    )


async def releases(tx: Transaction, *, after: UUID | None, limit: int) -> Sequence[Record]:
    """Releases that wait, oldest first."""
    return await tx.fetch(
        """
        SELECT * FROM payroll_release
        WHERE state = 'PREPARED' AND ($1::uuid IS NULL OR release_id > $1) ORDER BY release_id LIMIT $2
        """,
        after,
        limit,
    )


async def suspended(tx: Transaction, reason: str, *, after: UUID | None, limit: int) -> Sequence[Record]:
    """Benefits that are held back, all or for one reason."""
    return await tx.fetch(
        """
        SELECT benefit_id, person_id, kind, monthly_fen, suspend_reason, suspended_from FROM benefit
        WHERE state = 'SUSPENDED' AND ($1 = '' OR suspend_reason = $1) AND ($2::uuid IS NULL OR benefit_id > $2)
        ORDER BY benefit_id LIMIT $3
        """,
        reason,
        after,
        limit,
    )


async def kinds_of(tx: Transaction, payroll_id: UUID) -> Sequence[Record]:
    """What a payroll pays, by kind and item: the sums of its chunks; of one from before there were any, added up."""
    is_kept = await tx.fetchrow(
        "SELECT bool_and(kinds IS NOT NULL) AS is_kept FROM payroll_chunk WHERE payroll_id = $1", payroll_id
    )
    if is_kept is None or not is_kept["is_kept"]:
        return await tx.fetch(
            """
            SELECT kind, item, count(*) AS payment_count, sum(amount_fen)::bigint AS total_fen FROM payment
            WHERE payroll_id = $1 AND state <> 'WITHDRAWN' GROUP BY 1, 2 ORDER BY total_fen DESC, 1, 2
            """,
            payroll_id,
        )
    return await tx.fetch(
        """
        SELECT split_part(key, '|', 1) AS kind, split_part(key, '|', 2) AS item,
               sum((value ->> 0)::bigint)::bigint AS payment_count, sum((value ->> 1)::bigint)::bigint AS total_fen
        FROM payroll_chunk CROSS JOIN LATERAL jsonb_each(kinds)
        WHERE payroll_id = $1 GROUP BY 1, 2 ORDER BY total_fen DESC, 1, 2
        """,
        payroll_id,
    )


async def returns_of(tx: Transaction, payroll_id: UUID, *, limit: int) -> Sequence[Record]:
    """The bank's answers to a payroll, newest first."""
    return await tx.fetch(
        "SELECT * FROM return_file WHERE payroll_id = $1 ORDER BY return_id DESC LIMIT $2", payroll_id, limit
    )
