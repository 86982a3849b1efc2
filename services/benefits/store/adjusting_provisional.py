"""Benefits that are computed again, as a recomputation or a question reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kernel.calendar import Month
from services.benefits.lifecycle import Kind
from services.benefits.store.ranges import BOUNDARIES, ranges

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from chassis.transaction import Transaction


ORDINAL = "(date_part('year', {0}) * 12 + date_part('month', {0}) - 1)::integer"  # months since the year 0


@dataclass(frozen=True, slots=True)
class Recomputable:
    """A benefit as a recomputation reads it; `birth` counts months from the year 0, -1 where nobody is known."""

    benefit_id: UUID
    person_id: UUID
    kind: Kind
    number: int
    birth: int
    first_month: Month
    last_paid: Month  # last month that stands in a payroll; before the first where none does
    settled_month: Month | None
    settled_fen: int | None  # of an account whose interest is final


PROVISIONAL = """
    mine.provisional AND mine.kind <> 'UNEMPLOYMENT' AND ($1::uuid IS NULL OR mine.benefit_id = $1)
"""


RECOMPUTABLE = f"""
    SELECT mine.benefit_id, mine.person_id, mine.kind, mine.first_month,
           (least(next_month, mine.last_month + interval '1 month') - interval '1 month')::date AS last_paid,
           coalesce({ORDINAL.format("birth_date")}, -1) AS birth, settled_month,
           CASE WHEN NOT settled_provisional THEN settled_balance_fen END AS settled_fen,
           (SELECT max(number) FROM benefit_amount AS one WHERE one.benefit_id = mine.benefit_id) AS number
    FROM benefit AS mine LEFT JOIN person ON person.person_id = mine.person_id
    LEFT JOIN account ON account.person_id = mine.person_id
    WHERE {{0}} ORDER BY mine.benefit_id
"""  # noqa: S608 - constant


async def provisional_ranges(tx: Transaction, one: UUID | None, size: int) -> list[dict[str, Any]]:
    """Runs of so many provisional benefits, or the one."""
    where = PROVISIONAL.replace("mine.", "")
    return ranges(await tx.fetch(BOUNDARIES.format(f"benefit WHERE {where}", "$2"), one, size))


async def lock_provisional(
    tx: Transaction, one: UUID | None, after: UUID, last: UUID, *, lock: bool
) -> list[Recomputable]:
    """The provisional benefits of a chunk; locked when amounts are going to change."""
    statement = RECOMPUTABLE.format(f"{PROVISIONAL} AND mine.benefit_id > $2 AND mine.benefit_id <= $3")
    return _recomputable(
        await tx.fetch(f"{statement} FOR NO KEY UPDATE OF mine" if lock else statement, one, after, last)
    )


async def running_ranges(tx: Transaction, sample: int, size: int) -> list[dict[str, Any]]:
    """Runs of so many benefits that are drawn; of a sample their ids, drawn by hash: the same ones every time."""
    if not sample:
        return ranges(await tx.fetch(BOUNDARIES.format("benefit WHERE state <> 'ENDED'", "$1"), size))
    rows = await tx.fetch(
        """
        SELECT benefit_id FROM benefit WHERE state <> 'ENDED'
        ORDER BY sha256(convert_to(benefit_id::text, 'UTF8')) LIMIT $1
        """,
        sample,
    )
    drawn = [str(row["benefit_id"]) for row in rows]
    return [
        {"ids": drawn[start : start + size], "size": len(drawn[start : start + size])}
        for start in range(0, len(drawn), size)
    ]


async def running_of(tx: Transaction, person_ids: Iterable[UUID]) -> list[dict[str, Any]]:
    """What one person draws under every id that was merged, as a single range."""
    rows = await tx.fetch(
        "SELECT benefit_id FROM benefit WHERE person_id = ANY ($1::uuid[]) AND state <> 'ENDED' ORDER BY benefit_id",
        list(person_ids),
    )
    return [{"ids": [str(row["benefit_id"]) for row in rows], "size": len(rows)}]


async def running(tx: Transaction, benefit_ids: Sequence[UUID]) -> list[Recomputable]:
    """Some benefits."""
    return _recomputable(await tx.fetch(RECOMPUTABLE.format("mine.benefit_id = ANY($1::uuid[])"), list(benefit_ids)))


async def running_between(tx: Transaction, after: UUID, last: UUID) -> list[Recomputable]:
    """The benefits of a chunk that are drawn."""
    where = "mine.state <> 'ENDED' AND mine.benefit_id > $1 AND mine.benefit_id <= $2"
    return _recomputable(await tx.fetch(RECOMPUTABLE.format(where), after, last))


def _recomputable(rows: Sequence[Any]) -> list[Recomputable]:
    return [
        Recomputable(
            row["benefit_id"],
            row["person_id"],
            Kind(row["kind"]),
            row["number"],
            row["birth"],
            Month.of(row["first_month"]),
            Month.of(row["last_paid"]),
            Month.of(row["settled_month"]) if row["settled_month"] else None,
            row["settled_fen"],
        )
        for row in rows
    ]
