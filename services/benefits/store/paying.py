"""The set form of a payroll: whole chunks of benefits become payments in one statement, with one digest a chunk.

The amount of a month is that of `decisions.amount_of`: the newest of those that begin in it or before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from kernel.calendar import Month
from kernel.money import Money
from services.benefits.lifecycle import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chassis.transaction import Transaction
    from services.benefits.store.paying_gates import Chunk

NOBODY = UUID(int=0)
# Benefits that have an unpaid month up to $1.
HAS_MONTH = "next_month <= $1::date AND (last_month IS NULL OR next_month <= last_month)"
WAITING = "payment_id IS NULL AND withdrawn_date IS NULL"  # of a difference
# A difference is for months up to the end; a benefit that ended before it began may still give back what it took.
INSIDE = "(benefit.last_month IS NULL OR one.last_month <= greatest(benefit.last_month, benefit.first_month))"
# What the bank sent back and goes out again: somebody asked for it, or the benefit has another payee now.
TO_SEND = "(back.state = 'WAITING' OR (back.state IN ('OWED', 'PARKED') AND benefit.payee_id <> sent.payee_id))"
_BACK = f"""
    SELECT back.benefit_id, sent.payment_id FROM returned_payment AS back JOIN payment AS sent USING (payment_id)
    JOIN benefit ON benefit.benefit_id = back.benefit_id
    WHERE back.state IN ('OWED', 'WAITING', 'PARKED') AND {TO_SEND}
"""  # noqa: S608 - constant
_FREE = """
    NOT EXISTS (SELECT FROM payroll_finding AS finding
                WHERE finding.payroll_id = $1 AND finding.benefit_id = one.benefit_id AND effect = 'BLOCK')
"""
_CANDIDATES = f"""
    SELECT benefit_id FROM benefit WHERE {HAS_MONTH}
    UNION ALL SELECT benefit_id FROM difference WHERE {WAITING}
    UNION ALL SELECT benefit_id FROM ({_BACK}) AS back
"""  # noqa: S608 - constant


@dataclass(frozen=True, slots=True)
class Totals:
    """What a payroll adds up to; the digest covers every payment and finding, by the digests of its chunks."""

    count: int
    total: Money
    digest: bytes


async def boundaries(tx: Transaction, month: Month, size: int) -> list[UUID]:
    """Ids that end runs of about `size` benefits with something to pay, ascending; the last one ends the rest."""
    rows = await tx.fetch(
        f"""
        SELECT DISTINCT benefit_id FROM (
            SELECT benefit_id, row_number() OVER (ORDER BY benefit_id) AS place,
                   lead(benefit_id) OVER (ORDER BY benefit_id) IS NULL AS is_last
            FROM ({_CANDIDATES}) AS one
        ) AS numbered
        WHERE place % $2 = 0 OR is_last ORDER BY benefit_id
        """,  # noqa: S608 - constant
        month.first_day,
        size,
    )
    return [row["benefit_id"] for row in rows]


async def lock_run(tx: Transaction, month: Month, after: UUID | None, last: UUID) -> Sequence[UUID]:
    """The benefits of a run that have something to pay, locked in the order of their ids; suspended ones too."""
    rows = await tx.fetch(
        f"""
        SELECT benefit_id FROM benefit
        WHERE benefit_id > $2 AND benefit_id <= $3
          AND (({HAS_MONTH})
               OR EXISTS (SELECT FROM difference WHERE difference.benefit_id = benefit.benefit_id AND {WAITING})
               OR EXISTS (SELECT FROM returned_payment AS back JOIN payment AS sent USING (payment_id)
                          WHERE back.benefit_id = benefit.benefit_id AND {TO_SEND}))
        ORDER BY benefit_id FOR NO KEY UPDATE
        """,  # noqa: S608 - constant
        month.first_day,
        after or NOBODY,
        last,
    )
    return [row["benefit_id"] for row in rows]


async def pay_months(tx: Transaction, chunk: Chunk) -> tuple[int, int]:
    """Pay every due month of the benefits with amounts; how many were written, and how many were due.

    A month that was paid before is left as it is. A month without an amount stops the chunk.
    """
    row = await tx.fetchrow(
        f"""
        WITH mine AS MATERIALIZED (
            SELECT one.*, until FROM unnest($3::uuid[]) AS picked (benefit_id)
            JOIN benefit AS one USING (benefit_id)
            CROSS JOIN LATERAL (SELECT least($2::date, last_month) AS until) AS term
            WHERE kind <> 'UNEMPLOYMENT' AND next_month <= until AND {_FREE}
        ),
        due AS MATERIALIZED (
            SELECT mine.*, month::date AS month
            FROM mine, generate_series(next_month, until, interval '1 month') AS month
            WHERE NOT EXISTS (SELECT FROM suspension WHERE suspension.benefit_id = mine.benefit_id
                              AND month BETWEEN from_month AND forfeited_through)
        ),
        written AS (
            INSERT INTO payment (payment_id, payroll_id, chunk, benefit_id, person_id, kind, month, amount_fen, digest,
                                 payee_id, share, state)
            SELECT uuidv7(), $1, $4, due.benefit_id, person_id, kind, month, worth.amount_fen, worth.digest, payee_id,
                   share, 'OPEN'
            FROM due LEFT JOIN LATERAL (
                SELECT amount.amount_fen, amount.digest FROM benefit_amount AS amount
                WHERE amount.benefit_id = due.benefit_id AND from_month <= due.month ORDER BY number DESC LIMIT 1
            ) AS worth ON true
            ON CONFLICT DO NOTHING RETURNING 1
        ),
        moved AS (
            UPDATE benefit SET next_month = (until + interval '1 month')::date FROM mine
            WHERE benefit.benefit_id = mine.benefit_id
        )
        SELECT (SELECT count(*) FROM written) AS written, (SELECT count(*) FROM due) AS due
        """,  # noqa: S608 - constant
        chunk.payroll_id,
        chunk.month.first_day,
        list(chunk.benefit_ids),
        chunk.number,
    )
    assert row is not None
    return row["written"], row["due"]


async def lost_months(tx: Transaction, benefit_ids: Sequence[UUID]) -> Mapping[UUID, set[Month]]:
    """Months of some benefits that a suspension took away for good."""
    found: dict[UUID, set[Month]] = {}
    for row in await tx.fetch(
        """
        SELECT benefit_id, from_month, forfeited_through FROM suspension
        WHERE benefit_id = ANY ($1::uuid[]) AND forfeited_through IS NOT NULL
        """,
        list(benefit_ids),
    ):
        lost = Month.range(Month.of(row["from_month"]), Month.of(row["forfeited_through"]))
        found.setdefault(row["benefit_id"], set()).update(lost)
    return found


async def pay_differences(tx: Transaction, chunk: Chunk) -> int:
    """Pay what is still owed for months that were paid with less; how many. The month is the last one it is for."""
    return await tx.execute(
        f"""
        WITH mine AS MATERIALIZED (
            SELECT uuidv7() AS new_id, one.*, benefit.kind, benefit.share, benefit.payee_id
            FROM difference AS one JOIN benefit USING (benefit_id)
            WHERE one.benefit_id = ANY ($2::uuid[]) AND {WAITING} AND {INSIDE} AND {_FREE} FOR UPDATE OF one
        ),
        written AS (
            INSERT INTO payment (payment_id, payroll_id, chunk, benefit_id, person_id, kind, month, amount_fen, digest,
                                 payee_id, share, state, item)
            SELECT new_id, $1, $3, benefit_id, person_id, kind, last_month, amount_fen, digest, payee_id, share, 'OPEN',
                   'DIFFERENCE'
            FROM mine
        )
        UPDATE difference SET payment_id = new_id FROM mine WHERE difference.difference_id = mine.difference_id
        """,  # noqa: S608 - constant
        chunk.payroll_id,
        list(chunk.benefit_ids),
        chunk.number,
    )


async def pay_again(tx: Transaction, chunk: Chunk) -> int:
    """Send what the bank sent back to the payee of now; how many."""
    return await tx.execute(
        f"""
        WITH mine AS MATERIALIZED (
            SELECT uuidv7() AS new_id, sent.*, benefit.payee_id AS to_id
            FROM returned_payment AS back JOIN payment AS sent USING (payment_id)
            JOIN benefit ON benefit.benefit_id = back.benefit_id
            CROSS JOIN LATERAL (SELECT back.benefit_id) AS one
            WHERE back.benefit_id = ANY ($2::uuid[]) AND {TO_SEND} AND {_FREE} FOR UPDATE OF back
        ),
        written AS (
            INSERT INTO payment (payment_id, payroll_id, chunk, benefit_id, person_id, kind, month, amount_fen, digest,
                                 payee_id, share, state, item, again_of)
            SELECT new_id, $1, $3, benefit_id, person_id, kind, month, amount_fen, digest, to_id, share, 'OPEN',
                   'AGAIN', payment_id
            FROM mine
        )
        UPDATE returned_payment SET state = 'SENT' FROM mine WHERE returned_payment.payment_id = mine.payment_id
        """,  # noqa: S608 - constant
        chunk.payroll_id,
        list(chunk.benefit_ids),
        chunk.number,
    )


async def blocked(tx: Transaction, payroll_id: UUID, benefit_ids: Sequence[UUID]) -> set[UUID]:
    """Which of some benefits a payroll holds back."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT benefit_id FROM payroll_finding
        WHERE payroll_id = $1 AND benefit_id = ANY ($2::uuid[]) AND effect = 'BLOCK'
        """,
        payroll_id,
        list(benefit_ids),
    )
    return {row["benefit_id"] for row in rows}


# Digests ------------------------------------------------------------------------------------------------------------


# Of a chunk: SHA-256 over three digests, of its payments ("id|fen|" and account index, each hashed), of its findings
# ("benefit|gate|effect|detail") and of its gates ("gate|checked|blocked|warned|released|terms"), in the order of ids.
def _chunks(which: str, chunks: str) -> str:
    """What chunks add up to; `which` chooses among rows with payroll_id and chunk, `chunks` lists them.

    Each sum is made once: joined directly they would be made again for every chunk, whenever statistics do not know the
    payroll yet.
    """
    return f"""
        WITH paid AS MATERIALIZED (
            SELECT payroll_id, chunk, count(*) AS payments, sum(amount_fen)::bigint AS fen,
                   sha256(string_agg(
                       sha256(convert_to(payment_id || '|' || amount_fen || '|', 'UTF8') || account_index),
                       ''::bytea ORDER BY payment_id)) AS digest
            FROM payment JOIN payee USING (payee_id)
            WHERE {which} AND payment.state <> 'WITHDRAWN' GROUP BY payroll_id, chunk
        ),
        found AS MATERIALIZED (
            SELECT payroll_id, chunk, count(*) AS findings,
                   sha256(string_agg(
                       convert_to(benefit_id || '|' || gate || '|' || effect || '|' || detail || chr(10), 'UTF8'),
                       ''::bytea ORDER BY benefit_id, gate)) AS digest
            FROM payroll_finding WHERE {which} GROUP BY payroll_id, chunk
        ),
        gated AS MATERIALIZED (
            SELECT payroll_id, chunk,
                   sha256(string_agg(convert_to(concat_ws('|', gate, checked_count, blocked_count, warned_count,
                                                          released_count, terms) || chr(10), 'UTF8'),
                                     ''::bytea ORDER BY gate)) AS digest
            FROM payroll_gate WHERE {which} GROUP BY payroll_id, chunk
        )
        SELECT payroll_id, chunk, coalesce(payments, 0) AS payments, coalesce(fen, 0) AS fen,
               coalesce(findings, 0) AS findings,
               sha256(coalesce(paid.digest, ''::bytea) || coalesce(found.digest, ''::bytea)
                      || coalesce(gated.digest, ''::bytea)) AS digest
        FROM ({chunks}) AS one
        LEFT JOIN paid USING (payroll_id, chunk) LEFT JOIN found USING (payroll_id, chunk)
        LEFT JOIN gated USING (payroll_id, chunk)
    """  # noqa: S608 - constant


_CHUNKS = _chunks(
    "payroll_id = $1 AND chunk = ANY ($2::integer[])",
    "SELECT $1::uuid AS payroll_id, chunk FROM unnest($2::integer[]) AS listed (chunk)",
)


# Of a chunk, what stands by kind and item; `{}` chooses among payments.
_KINDS = """
    SELECT payroll_id, chunk, jsonb_object_agg(kind || '|' || item, jsonb_build_array(payments, fen)) AS kinds FROM (
        SELECT payroll_id, chunk, kind, item, count(*) AS payments, sum(amount_fen)::bigint AS fen FROM payment
        WHERE {} AND state <> 'WITHDRAWN' GROUP BY payroll_id, chunk, kind, item
    ) AS summed GROUP BY payroll_id, chunk
"""


def kinds_where(which: str) -> str:
    """What the chunks of the payrolls pay by kind and item that a condition on `payroll_id` chooses."""
    return _KINDS.format(which)


def chunks_where(which: str) -> str:
    """What the chunks of the payrolls add up to that a condition on `payroll_id` chooses."""
    return _chunks(which, f"SELECT payroll_id, chunk FROM payroll_chunk WHERE {which}")  # noqa: S608 - constant


_KINDS_OF = _KINDS.format("payroll_id = $1 AND chunk = ANY ($2::integer[])")


async def close_chunk(tx: Transaction, payroll_id: UUID, chunk: int) -> None:
    """Add a written chunk up."""
    await tx.execute(
        f"""
        INSERT INTO payroll_chunk (payroll_id, chunk, payment_count, total_fen, finding_count, digest, kinds)
        SELECT $1, chunk, payments, fen, findings, digest, coalesce(kinds, '{{}}')
        FROM ({_CHUNKS}) AS made LEFT JOIN ({_KINDS_OF}) AS by_kind USING (payroll_id, chunk)
        """,  # noqa: S608 - constant
        payroll_id,
        [chunk],
    )


async def reopen_chunks(tx: Transaction, payroll_id: UUID, chunks: Sequence[int]) -> None:
    """Add chunks up again that lost a payment."""
    await tx.execute(
        f"""
        UPDATE payroll_chunk SET payment_count = payments, total_fen = fen, digest = made.digest,
            kinds = coalesce(by_kind.kinds, '{{}}')
        FROM ({_CHUNKS}) AS made LEFT JOIN ({_KINDS_OF}) AS by_kind USING (payroll_id, chunk)
        WHERE payroll_chunk.payroll_id = $1 AND payroll_chunk.chunk = made.chunk
        """,  # noqa: S608 - constant
        payroll_id,
        list(chunks),
    )


async def changed_chunks(tx: Transaction, payroll_id: UUID, chunks: Sequence[int] | None = None) -> Sequence[int]:
    """Chunks whose payments or findings are not those of their digests; all of the payroll's by default."""
    rows = await tx.fetch(
        f"""
        SELECT payroll_chunk.chunk FROM payroll_chunk JOIN ({_CHUNKS}) AS made USING (payroll_id, chunk)
        WHERE payroll_id = $1
          AND (payment_count, total_fen, finding_count, payroll_chunk.digest)
              IS DISTINCT FROM (payments::integer, fen, findings::integer, made.digest)
        ORDER BY 1
        """,  # noqa: S608 - constant
        payroll_id,
        list(chunks) if chunks is not None else await chunks_of(tx, payroll_id),
    )
    return [row["chunk"] for row in rows]


async def chunks_of(tx: Transaction, payroll_id: UUID) -> list[int]:
    """The numbers of a payroll's chunks."""
    rows = await tx.fetch("SELECT chunk FROM payroll_chunk WHERE payroll_id = $1 ORDER BY chunk", payroll_id)
    return [row["chunk"] for row in rows]


# What a payroll holds back of payments, as its digest takes it; nothing where nothing is held back.
DEDUCED = """
    SELECT payroll_id, payment_id,
           convert_to(concat_ws('|', payment_id, recovery_id, deduction.amount_fen) || chr(10), 'UTF8') AS part
    FROM deduction JOIN payment USING (payment_id) WHERE payment.state <> 'WITHDRAWN'
"""


async def totals(tx: Transaction, payroll_id: UUID) -> Totals:
    """What the chunks of a payroll add up to."""
    row = await tx.fetchrow(
        f"""
        SELECT coalesce(sum(payment_count), 0)::bigint AS count, coalesce(sum(total_fen), 0)::bigint AS total,
               sha256(coalesce(string_agg(digest, ''::bytea ORDER BY chunk), ''::bytea) || (
                   SELECT coalesce(sha256(string_agg(part, ''::bytea ORDER BY payment_id)), ''::bytea)
                   FROM ({DEDUCED}) AS deduced WHERE payroll_id = $1
               )) AS digest
        FROM payroll_chunk WHERE payroll_id = $1
        """,  # noqa: S608 - constant
        payroll_id,
    )
    assert row is not None
    return Totals(row["count"], Money(row["total"]), row["digest"])


async def totals_by_kind(tx: Transaction, payroll_id: UUID) -> Mapping[tuple[Kind, bool], Money]:
    """What a payroll pays for each kind of benefit; apart from it what is sent again, which left its fund before."""
    rows = await tx.fetch(
        """
        SELECT kind, item = 'AGAIN' AS is_again, sum(amount_fen)::bigint AS total FROM payment
        WHERE payroll_id = $1 AND state <> 'WITHDRAWN' GROUP BY 1, 2 ORDER BY 1, 2
        """,
        payroll_id,
    )
    return {(Kind(row["kind"]), row["is_again"]): Money(row["total"]) for row in rows}


# What waits ---------------------------------------------------------------------------------------------------------


async def digest_waiting(tx: Transaction, month: Month) -> str:
    """What stands in no payroll yet and could: the same text, the same; empty when nothing waits.

    Suspended benefits wait for something else. What two persons let pass is part of it, so that a release makes a
    supplement worth while.
    """
    row = await tx.fetchrow(
        f"""
        SELECT encode(sha256(convert_to(string_agg(one, ',' ORDER BY one), 'UTF8')), 'hex') AS digest FROM (
            SELECT benefit_id || '|' || next_month || coalesce('|' || (
                SELECT max(release_id::text) FROM payroll_release AS given
                WHERE given.benefit_id = benefit.benefit_id AND given.state = 'APPROVED' AND through_month >= $1), '')
            FROM benefit WHERE state <> 'SUSPENDED' AND {HAS_MONTH}
            UNION ALL SELECT difference_id::text FROM difference JOIN benefit USING (benefit_id)
            WHERE {WAITING} AND benefit.state <> 'SUSPENDED' AND {INSIDE.replace("one.", "difference.")}
            UNION ALL SELECT payment_id::text FROM ({_BACK}) AS back
        ) AS waiting (one)
        """,  # noqa: S608 - constant
        month.first_day,
    )
    return str(row["digest"]) if row and row["digest"] else ""
