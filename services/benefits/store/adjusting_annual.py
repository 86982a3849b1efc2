"""The chunks of an annual adjustment and of its reversal: read as columns and written by one statement.

What a chunk writes goes to the database as columns too, once for all tables: calculation, amount, difference and the
benefit itself take what they need of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kernel import ids
from services.benefits.lifecycle import AmountCause, Kind
from services.benefits.store.adjusting_provisional import ORDINAL
from services.benefits.store.ranges import BOUNDARIES, ranges

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.benefits.domain.impact import Column
    from services.benefits.store.adjusting import Run
    from services.benefits.store.adjusting_undo import Undone

# Who an annual adjustment is for: retired by December 31 of the year before, and with a month to be paid since. $1 are
# the kinds, $2 the first of January.
ADJUSTABLE = """
    kind = ANY($1::text[]) AND event_month < $2::date AND (last_month IS NULL OR last_month >= $2::date)
"""
# The columns of a chunk ($3, $4]; months that stand in payrolls end before next_month and with the last month.
PEOPLE = f"""
    SELECT benefit_id, mine.person_id, mine.kind, monthly_fen, mine.provisional, contribution_months,
           {ORDINAL.format("birth_date")} AS birth, {ORDINAL.format("mine.first_month")} AS first,
           least({ORDINAL.format("next_month")}, {ORDINAL.format("mine.last_month")} + 1) AS until,
           (SELECT max(number) FROM benefit_amount AS one WHERE one.benefit_id = mine.benefit_id) AS number
    FROM benefit AS mine JOIN calculation USING (digest) LEFT JOIN person ON person.person_id = mine.person_id
    WHERE mine.kind = ANY($1::text[]) AND mine.event_month < $2::date
      AND (mine.last_month IS NULL OR mine.last_month >= $2::date) AND benefit_id > $3 AND benefit_id <= $4
    ORDER BY benefit_id
"""  # noqa: S608 - constant
ADJUST = """
    WITH one AS MATERIALIZED (
        SELECT * FROM unnest($5::uuid[], $6::uuid[], $7::text[], $8::integer[], $9::date[], $10::bigint[],
                             $11::bytea[], $12::boolean[], $13::text[], $14::uuid[], $15::date[], $16::bigint[])
          AS one (benefit_id, person_id, kind, number, first_month, amount, digest, provisional, inputs, difference_id,
                  last_month, owed)
    ),
    calculations AS (
        INSERT INTO calculation (digest, kind, policy_version, inputs, terms_id, total_fen, provisional)
        SELECT digest, kind, $4, inputs::jsonb, $1, amount, provisional FROM one ON CONFLICT (digest) DO NOTHING
    ),
    amounts AS (
        INSERT INTO benefit_amount (benefit_id, number, from_month, amount_fen, digest, cause, cause_id, business_date)
        SELECT benefit_id, number, first_month, amount, digest, $2, $1, $3 FROM one
    ),
    differences AS (
        INSERT INTO difference (difference_id, benefit_id, person_id, cause, cause_id, first_month, last_month,
                                amount_fen, digest, business_date)
        SELECT difference_id, benefit_id, person_id, $2, $1, first_month, last_month, owed, digest, $3
        FROM one WHERE owed > 0
    )
    UPDATE benefit SET monthly_fen = one.amount, digest = one.digest, provisional = one.provisional
    FROM one WHERE benefit.benefit_id = one.benefit_id
"""
REVERSE = """
    WITH one AS MATERIALIZED (
        SELECT * FROM unnest($5::uuid[], $6::integer[], $7::bigint[], $8::bytea[], $9::boolean[])
          AS one (benefit_id, number, amount, digest, provisional)
    ),
    amounts AS (
        INSERT INTO benefit_amount (benefit_id, number, from_month, amount_fen, digest, cause, cause_id, business_date)
        SELECT benefit_id, number, $4, amount, digest, $2, $1, $3 FROM one
    ),
    withdrawn AS (  -- from the benefits to their differences: the other way round statistics of before would mislead
        UPDATE difference SET withdrawn_date = $3 WHERE difference_id = ANY (ARRAY(
            SELECT difference_id FROM one CROSS JOIN LATERAL (
                SELECT difference_id FROM difference AS mine
                WHERE mine.benefit_id = one.benefit_id AND cause_id = $1 AND payment_id IS NULL
                  AND withdrawn_date IS NULL OFFSET 0
            ) AS waiting
        ))
    )
    UPDATE benefit SET monthly_fen = one.amount, digest = one.digest, provisional = one.provisional
    FROM one WHERE benefit.benefit_id = one.benefit_id
"""


@dataclass(frozen=True, slots=True)
class People:
    """A chunk of benefits as columns; months are counted from the year 0, -1 where a date is not known."""

    benefit_ids: list[UUID]
    person_ids: list[UUID]
    kinds: list[str]
    provisional: list[bool]
    numbers: list[int]
    monthly: Column
    months: Column
    birth: Column
    first: Column
    until: Column

    def __len__(self) -> int:
        return len(self.benefit_ids)


@dataclass(frozen=True, slots=True)
class Changed:
    """The benefits of a chunk that gain something, as columns.

    Args:
        benefit_ids: Which.
        person_ids: Whose.
        kinds: Of what kind.
        numbers: Numbers of the new amounts.
        first_months: From when on.
        amounts: New amounts in fen.
        digests: Of their calculations.
        provisional: Whether they wait for a final value.
        inputs: What the calculations are made again from, as JSON.
        last_months: Last month that stands in a payroll with the amount before.
        owed: Fen owed for the months up to then.
    """

    benefit_ids: Sequence[UUID]
    person_ids: Sequence[UUID]
    kinds: Sequence[str]
    numbers: Sequence[int]
    first_months: Sequence[date]
    amounts: Sequence[int]
    digests: Sequence[bytes]
    provisional: Sequence[bool]
    inputs: Sequence[str]
    last_months: Sequence[date]
    owed: Sequence[int]


async def annual_ranges(tx: Transaction, kinds: Sequence[Kind], january: date, size: int) -> list[dict[str, Any]]:
    """Runs of so many benefits to adjust: after which id, up to which, and how many."""
    statement = BOUNDARIES.format(f"benefit WHERE {ADJUSTABLE}", "$3")
    return ranges(await tx.fetch(statement, [kind.value for kind in kinds], january, size))


async def people(
    tx: Transaction, kinds: Sequence[Kind], january: date, after: UUID, last: UUID, *, lock: bool = False
) -> People:
    """The columns of a chunk; locked when amounts are going to change."""
    statement = f"{PEOPLE} FOR NO KEY UPDATE OF mine" if lock else PEOPLE
    rows = await tx.fetch(statement, [kind.value for kind in kinds], january, after, last)
    columns = list(zip(*rows, strict=True)) or [()] * 10
    benefit_ids, person_ids, kinds_, monthly, provisional, months, birth, first, until, numbers = columns
    return People(
        benefit_ids=list(benefit_ids),
        person_ids=list(person_ids),
        kinds=list(kinds_),
        provisional=list(provisional),
        numbers=list(numbers),
        monthly=_column(monthly),
        months=_column(months),
        birth=_column(birth),
        first=_column(first),
        until=_column(until),
    )


async def write(tx: Transaction, run: Run, changed: Changed) -> None:
    """Write what a chunk adjusts: calculations that are made again from the run's terms, amounts, differences."""
    await tx.execute(
        ADJUST,
        run.adjustment_id,
        AmountCause.ADJUSTED.value,
        tx.today,
        run.policy_version,
        changed.benefit_ids,
        changed.person_ids,
        changed.kinds,
        changed.numbers,
        changed.first_months,
        changed.amounts,
        changed.digests,
        changed.provisional,
        changed.inputs,
        [ids.new_id() if owed else None for owed in changed.owed],
        changed.last_months,
        changed.owed,
    )


async def write_back(tx: Transaction, run: Run, undone: Sequence[Undone], first_month: date) -> None:
    """Write what a chunk reverses: the amounts before, as new ones; differences that nobody took yet are withdrawn."""
    await tx.execute(
        REVERSE,
        run.adjustment_id,
        AmountCause.REVERSED.value,
        tx.today,
        first_month,
        [one.benefit_id for one in undone],
        [one.number + 1 for one in undone],
        [one.before_fen for one in undone],
        [one.before_digest for one in undone],
        [one.provisional for one in undone],
    )


def _column(values: Iterable[int | None]) -> Column:
    return np.array([-1 if value is None else value for value in values], dtype=np.int64)
