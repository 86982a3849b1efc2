"""Amounts of benefits in time, and what runs write: whole chunks, one statement for each table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from services.benefits.lifecycle import AmountCause

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.benefits.store.adjusting import Run


ADD_CALCULATIONS = """
    INSERT INTO calculation (digest, kind, policy_version, inputs, terms_id, total_fen, provisional)
    SELECT digest, kind, $1, inputs::jsonb, terms_id, total, provisional
    FROM unnest($2::bytea[], $3::text[], $4::text[], $5::uuid[], $6::bigint[], $7::boolean[])
      AS one (digest, kind, inputs, terms_id, total, provisional)
    ON CONFLICT (digest) DO NOTHING
"""


ADD_AMOUNTS = """
    INSERT INTO benefit_amount (benefit_id, number, from_month, amount_fen, digest, cause, cause_id, business_date)
    SELECT benefit_id, number, from_month, amount, digest, $1, $2, $3
    FROM unnest($4::uuid[], $5::integer[], $6::date[], $7::bigint[], $8::bytea[])
      AS one (benefit_id, number, from_month, amount, digest)
"""


ADD_DIFFERENCES = """
    INSERT INTO difference (difference_id, benefit_id, person_id, cause, cause_id, first_month, last_month, amount_fen,
                            digest, business_date)
    SELECT difference_id, benefit_id, person_id, $1, $2, first_month, last_month, amount, digest, $3
    FROM unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::date[], $8::date[], $9::bigint[], $10::bytea[])
      AS one (difference_id, benefit_id, person_id, first_month, last_month, amount, digest)
"""


ADD_OVERPAID = """
    INSERT INTO adjustment_overpaid (adjustment_id, benefit_id, person_id, first_month, last_month, amount_fen,
                                     found_date)
    SELECT $1, benefit_id, person_id, first_month, last_month, amount, $2
    FROM unnest($3::uuid[], $4::uuid[], $5::date[], $6::date[], $7::bigint[])
      AS one (benefit_id, person_id, first_month, last_month, amount)
"""


MOVE = """
    UPDATE benefit SET monthly_fen = one.amount, digest = one.digest, provisional = one.provisional
    FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::boolean[]) AS one (benefit_id, amount, digest, provisional)
    WHERE benefit.benefit_id = one.benefit_id
"""


@dataclass(frozen=True, slots=True)
class NewAmount:
    """A new amount of a benefit."""

    benefit_id: UUID
    number: int
    from_month: date
    fen: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class NewDifference:
    """What is owed to, or was overpaid by, months before."""

    benefit_id: UUID
    person_id: UUID
    first_month: date
    last_month: date
    fen: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class NewCalculation:
    """A calculation that will be made again from the terms of a run."""

    digest: bytes
    kind: str
    inputs: str
    terms_id: UUID
    total_fen: int
    provisional: bool


async def contribution_months(tx: Transaction, digest: bytes) -> int | None:
    """The contribution months that a calculation names."""
    row = await tx.fetchrow("SELECT contribution_months FROM calculation WHERE digest = $1", digest)
    return None if row is None else row["contribution_months"]


async def last_number(tx: Transaction, benefit_id: UUID) -> int:
    """The number of the newest amount of a benefit."""
    row = await tx.fetchrow("SELECT max(number) AS number FROM benefit_amount WHERE benefit_id = $1", benefit_id)
    assert row is not None
    return int(row["number"])


async def write(
    tx: Transaction,
    run: Run,
    cause: AmountCause,
    *,
    calculations: Sequence[NewCalculation],
    amounts: Sequence[NewAmount],
    differences: Sequence[NewDifference],
    now: Sequence[tuple[UUID, int, bytes, bool]],
) -> None:
    """Write what a chunk changes: calculations, amounts, differences or overpayments, and the benefits themselves.

    Args:
        tx: The transaction of the chunk.
        run: The run.
        cause: Why.
        calculations: Made again later from the run's terms; empty where others keep them.
        amounts: New rows.
        differences: Owed above zero, paid too much below; each benefit once.
        now: Benefit, amount, digest and whether it is provisional from now on.
    """
    if calculations:
        await tx.execute(
            ADD_CALCULATIONS,
            run.policy_version,
            [one.digest for one in calculations],
            [one.kind for one in calculations],
            [one.inputs for one in calculations],
            [one.terms_id for one in calculations],
            [one.total_fen for one in calculations],
            [one.provisional for one in calculations],
        )
    await tx.execute(
        ADD_AMOUNTS,
        cause.value,
        run.adjustment_id,
        tx.today,
        [one.benefit_id for one in amounts],
        [one.number for one in amounts],
        [one.from_month for one in amounts],
        [one.fen for one in amounts],
        [one.digest for one in amounts],
    )
    due = [one for one in differences if one.fen > 0]
    if due:
        await tx.execute(
            ADD_DIFFERENCES,
            cause.value,
            run.adjustment_id,
            tx.today,
            [ids.new_id() for _ in due],
            [one.benefit_id for one in due],
            [one.person_id for one in due],
            [one.first_month for one in due],
            [one.last_month for one in due],
            [one.fen for one in due],
            [one.digest for one in due],
        )
    await note_overpaid(
        tx,
        run,
        [
            (one.benefit_id, one.person_id, one.first_month, one.last_month, -one.fen)
            for one in differences
            if one.fen < 0
        ],
    )
    await tx.execute(
        MOVE,
        [benefit_id for benefit_id, *_ in now],
        [fen for _, fen, *_ in now],
        [digest for _, _, digest, _ in now],
        [provisional for *_, provisional in now],
    )


async def note_overpaid(tx: Transaction, run: Run, over: Sequence[tuple[UUID, UUID, date, date, int]]) -> None:
    """List what a run leaves paid too much: benefit, person, first and last month, fen."""
    if over:
        await tx.execute(ADD_OVERPAID, run.adjustment_id, tx.today, *map(list, zip(*over, strict=True)))


@dataclass(frozen=True, slots=True)
class StoredAmount:
    """An amount of a benefit from a month on, as it is stored."""

    number: int
    from_month: Month
    amount: Money
    digest: bytes
    cause: AmountCause
    cause_id: UUID | None
    business_date: date


async def amounts(tx: Transaction, benefit_id: UUID) -> list[StoredAmount]:
    """Every amount that a benefit had, oldest first."""
    rows = await tx.fetch(
        """
        SELECT number, from_month, amount_fen, digest, cause, cause_id, business_date FROM benefit_amount
        WHERE benefit_id = $1 ORDER BY number
        """,
        benefit_id,
    )
    return [
        StoredAmount(
            row["number"],
            Month.of(row["from_month"]),
            Money(row["amount_fen"]),
            row["digest"],
            AmountCause(row["cause"]),
            row["cause_id"],
            row["business_date"],
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Overpaid:
    """What a benefit was paid too much by a run that was reversed or recomputed to less."""

    benefit_id: UUID
    person_id: UUID
    first_month: Month
    last_month: Month
    amount: Money


async def overpaid(tx: Transaction, run_id: UUID, *, after: UUID | None, limit: int) -> list[Overpaid]:
    """What a run leaves to be given back, by benefit."""
    rows = await tx.fetch(
        """
        SELECT benefit_id, person_id, first_month, last_month, amount_fen FROM adjustment_overpaid
        WHERE adjustment_id = $1 AND ($2::uuid IS NULL OR benefit_id > $2) ORDER BY benefit_id LIMIT $3
        """,
        run_id,
        after,
        limit,
    )
    return [
        Overpaid(
            row["benefit_id"],
            row["person_id"],
            Month.of(row["first_month"]),
            Month.of(row["last_month"]),
            Money(row["amount_fen"]),
        )
        for row in rows
    ]
