"""Records that look like one person: found by birth and sex, decided by an office."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from chassis.transaction import Transaction
from services.enrollment.persons import (
    DuplicateReason,
    Facts,
)
from services.enrollment.register import Person
from services.enrollment.store import people
from services.enrollment.store.persons import facts_of


async def save_duplicates(tx: Transaction, pairs: Sequence[tuple[UUID, UUID, DuplicateReason]]) -> int:
    """Write pairs that look like one person; those that were seen before stay as they were decided."""
    ordered = [(min(one, other), max(one, other), reason) for one, other, reason in pairs]
    return await tx.execute(
        """
        INSERT INTO duplicate (one_id, other_id, reason, state, found)
        SELECT one, other, reason, 'OPEN', $4
        FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS pair (one, other, reason)
        ON CONFLICT DO NOTHING
        """,
        [one for one, _, _ in ordered],
        [other for _, other, _ in ordered],
        [reason for _, _, reason in ordered],
        tx.now,
    )


async def births(tx: Transaction) -> tuple[int, int] | None:
    """First and last year of birth in the register."""
    row = await tx.fetchrow(
        "SELECT extract(year FROM min(birth_date))::int AS a, extract(year FROM max(birth_date))::int AS b FROM person"
    )
    return (row["a"], row["b"]) if row and row["a"] is not None else None


async def alike(tx: Transaction, first: date, until: date) -> Sequence[tuple[UUID, Facts]]:
    """Records that are born on one day and have the same sex as another one, opened, by birth."""
    rows = await tx.fetch(
        """
        SELECT person_id, name_sealed, id_no_sealed, phone_sealed, sex, birth_date, division FROM (
            SELECT *, count(*) OVER (PARTITION BY birth_date, sex) AS same FROM person
            WHERE birth_date >= $1 AND birth_date < $2 AND merged_into IS NULL
        ) AS counted WHERE same > 1 ORDER BY birth_date, sex, person_id
        """,
        first,
        until,
    )
    return [(row["person_id"], facts_of(tx, people.TABLE, row["person_id"], row)) for row in rows]


async def open_duplicates(
    tx: Transaction, after: tuple[UUID, UUID] | None, limit: int
) -> Sequence[tuple[Person, Person, DuplicateReason]]:
    """Pairs that nobody decided yet."""
    one, other = after or (None, None)
    rows = await tx.fetch(
        """
        SELECT one_id, other_id, reason FROM duplicate
        WHERE state = 'OPEN' AND ($1::uuid IS NULL OR (one_id, other_id) > ($1, $2)) ORDER BY one_id, other_id LIMIT $3
        """,
        one,
        other,
        limit,
    )
    pairs = []
    for row in rows:
        pair = [await people.person(tx, row["one_id"]), await people.person(tx, row["other_id"])]
        assert pair[0] is not None
        assert pair[1] is not None
        pairs.append((pair[0], pair[1], DuplicateReason(row["reason"])))
    return pairs


async def decide_duplicate(tx: Transaction, one: UUID, other: UUID, state: str, evidence: str) -> bool:
    """Note what became of a pair; False when there is none."""
    done = await tx.execute(
        "UPDATE duplicate SET state = $3, evidence = $4 WHERE one_id = $1 AND other_id = $2",
        min(one, other),
        max(one, other),
        state,
        evidence,
    )
    return done > 0
