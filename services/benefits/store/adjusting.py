"""Runs that change amounts, and what they write: whole chunks, one statement for each table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from services.benefits.adjusting import AmountsSource, Purpose, RunState
from services.benefits.calculation import canonical
from services.benefits.domain.impact import Impact
from services.benefits.lifecycle import AmountCause, Kind
from services.benefits.store.adjusting_over import OVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from chassis.transaction import Transaction

COLUMNS = """
    adjustment_id, purpose, year, kinds, state, source, terms, policy_version, maker, create_date, job_id, dry_runner,
    impact, digest, approval_id, checker, approve_date, result, reversal_maker, reversal_reason, reversal_approval_id,
    reversal_checker
"""
READ = f"SELECT {COLUMNS} FROM adjustment WHERE adjustment_id = $1"  # noqa: S608 - constant
ORDINAL = "(date_part('year', {0}) * 12 + date_part('month', {0}) - 1)::integer"  # months since the year 0

BOUNDARIES = """
    SELECT benefit_id, place FROM (
        SELECT benefit_id, row_number() OVER (ORDER BY benefit_id) AS place, count(*) OVER () AS total
        FROM benefit WHERE {0}
    ) AS numbered WHERE place % {1} = 0 OR place = total ORDER BY benefit_id
"""
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
class Run:
    """A run as it stands."""

    adjustment_id: UUID
    purpose: Purpose
    year: int | None
    kinds: tuple[Kind, ...]
    state: RunState
    source: AmountsSource
    terms: dict[str, Any]
    policy_version: str
    maker: str
    create_date: date
    job_id: UUID | None
    dry_runner: str | None
    impact: Impact | None
    digest: bytes | None
    approval_id: UUID | None
    checker: str | None
    approve_date: date | None
    result: Impact | None
    reversal_maker: str | None
    reversal_reason: str
    reversal_approval_id: UUID | None
    reversal_checker: str | None

    @property
    def text_id(self) -> str:
        """The id as it is shown."""
        return ids.to_text("adj", self.adjustment_id)


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


# Runs ---------------------------------------------------------------------------------------------------------------


async def add(tx: Transaction, run: Run) -> bool:
    """Write a new run; False when one of its year, or an open recomputation, exists."""
    found = await tx.fetchrow(
        """
        INSERT INTO adjustment (adjustment_id, purpose, year, kinds, state, source, terms, policy_version, maker,
                                create_date)
        VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING adjustment_id
        """,
        run.adjustment_id,
        run.purpose.value,
        run.year,
        [kind.value for kind in run.kinds],
        run.state.value,
        run.source.value,
        canonical(run.terms),
        run.policy_version,
        run.maker,
        run.create_date,
    )
    return found is not None


async def get(tx: Transaction, adjustment_id: UUID, *, lock: bool = False) -> Run | None:
    """A run; locked when it is going to change."""
    row = await tx.fetchrow(f"{READ} FOR NO KEY UPDATE" if lock else READ, adjustment_id)
    return None if row is None else _run(row)


async def change(tx: Transaction, adjustment_id: UUID, **values: Any) -> None:
    """Change columns of a locked run; impacts are written as JSON."""
    plain = {
        name: canonical(value.to_plain()) if isinstance(value, Impact) else value for name, value in values.items()
    }
    sets = ", ".join(
        f"{name} = ${place}{'::jsonb' if name in {'impact', 'result'} else ''}"
        for place, name in enumerate(plain, start=2)
    )
    await tx.execute(f"UPDATE adjustment SET {sets} WHERE adjustment_id = $1", adjustment_id, *plain.values())  # noqa: S608 - names of columns


async def listed(tx: Transaction, purpose: Purpose | None, *, before: UUID | None, limit: int) -> list[Run]:
    """Runs, newest first."""
    rows = await tx.fetch(
        f"""
        SELECT {COLUMNS} FROM adjustment
        WHERE ($1::text IS NULL OR purpose = $1) AND ($2::uuid IS NULL OR adjustment_id < $2)
        ORDER BY adjustment_id DESC LIMIT $3
        """,  # noqa: S608 - constant
        purpose.value if purpose else None,
        before,
        limit,
    )
    return [_run(row) for row in rows]


async def of_year(tx: Transaction, year: int) -> Run | None:
    """The adjustment of a year that was not reversed or discarded."""
    row = await tx.fetchrow(
        f"""
        SELECT {COLUMNS} FROM adjustment
        WHERE purpose = 'ANNUAL' AND year = $1 AND state NOT IN ('REVERSED', 'DISCARDED')
        """,  # noqa: S608 - constant
        year,
    )
    return None if row is None else _run(row)


async def open_recomputation(tx: Transaction) -> Run | None:
    """The recomputation that is neither done nor discarded."""
    row = await tx.fetchrow(
        f"SELECT {COLUMNS} FROM adjustment WHERE purpose = 'RECOMPUTATION' AND state NOT IN ('DONE', 'DISCARDED')"  # noqa: S608 - constant
    )
    return None if row is None else _run(row)


async def later_year(tx: Transaction, year: int) -> int | None:
    """A later year whose adjustment has begun, if any: amounts build upon each other."""
    row = await tx.fetchrow(
        """
        SELECT year FROM adjustment
        WHERE purpose = 'ANNUAL' AND year > $1 AND state IN ('RUNNING', 'DONE', 'REVERSING') ORDER BY year LIMIT 1
        """,
        year,
    )
    return None if row is None else int(row["year"])


async def is_changing(tx: Transaction, but: UUID) -> Run | None:
    """Another run that changes amounts at this moment; the lock lets one begin at a time."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('benefits.adjusting'))")
    row = await tx.fetchrow(
        f"SELECT {COLUMNS} FROM adjustment WHERE state IN ('RUNNING', 'REVERSING') AND adjustment_id <> $1 LIMIT 1",  # noqa: S608 - constant
        but,
    )
    return None if row is None else _run(row)


async def changing_now(tx: Transaction) -> Run | None:
    """A run that changes amounts; none can begin before this transaction is over."""
    await tx.execute("SELECT pg_advisory_xact_lock_shared(hashtext('benefits.adjusting'))")
    row = await tx.fetchrow(
        f"SELECT {COLUMNS} FROM adjustment WHERE purpose = 'ANNUAL' AND state IN ('RUNNING', 'REVERSING') LIMIT 1"  # noqa: S608 - constant
    )
    return None if row is None else _run(row)


async def done_without(tx: Transaction, benefit_id: UUID) -> list[Run]:
    """The annual adjustments that stand and did nothing to a benefit, by year."""
    rows = await tx.fetch(
        f"""
        SELECT {COLUMNS} FROM adjustment
        WHERE purpose = 'ANNUAL' AND state = 'DONE' AND NOT EXISTS (
          SELECT FROM benefit_amount AS one WHERE one.benefit_id = $1 AND cause = 'ADJUSTED'
            AND cause_id = adjustment_id)
        ORDER BY year
        """,  # noqa: S608 - constant
        benefit_id,
    )
    return [_run(row) for row in rows]


async def contribution_months(tx: Transaction, digest: bytes) -> int | None:
    """The contribution months that a calculation names."""
    row = await tx.fetchrow("SELECT contribution_months FROM calculation WHERE digest = $1", digest)
    return None if row is None else row["contribution_months"]


async def last_number(tx: Transaction, benefit_id: UUID) -> int:
    """The number of the newest amount of a benefit."""
    row = await tx.fetchrow("SELECT max(number) AS number FROM benefit_amount WHERE benefit_id = $1", benefit_id)
    assert row is not None
    return int(row["number"])


async def terms(tx: Transaction, adjustment_ids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    """The terms of runs."""
    rows = await tx.fetch(
        "SELECT adjustment_id, terms FROM adjustment WHERE adjustment_id = ANY($1::uuid[])", list(adjustment_ids)
    )
    return {row["adjustment_id"]: row["terms"] for row in rows}


async def add_part(tx: Transaction, run_id: UUID, job_id: UUID, chunk: int, impact: Impact) -> None:
    """Keep the impact of a chunk."""
    await tx.execute(
        "INSERT INTO adjustment_part (job_id, chunk, adjustment_id, impact) VALUES ($1, $2, $3, $4::jsonb)",
        job_id,
        chunk,
        run_id,
        json.dumps(impact.to_plain(), ensure_ascii=False),
    )


async def summed(tx: Transaction, job_id: UUID) -> Impact:
    """The impact of all chunks of a job."""
    total = Impact()
    for row in await tx.fetch("SELECT impact FROM adjustment_part WHERE job_id = $1 ORDER BY chunk", job_id):
        total += Impact.from_plain(row["impact"])
    return total


# Chunks -------------------------------------------------------------------------------------------------------------


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


# Computing again ----------------------------------------------------------------------------------------------------


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
    return ranges(await tx.fetch(BOUNDARIES.format(where, "$2"), one, size))


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
        return ranges(await tx.fetch(BOUNDARIES.format("state <> 'ENDED'", "$1"), size))
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


# Reversing ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Undone:
    """A benefit before its adjustment is reversed: what it was, what it becomes, what was paid by the new amount."""

    benefit_id: UUID
    person_id: UUID
    kind: Kind
    number: int
    after_fen: int
    before_fen: int
    before_digest: bytes
    provisional: bool
    first_month: date
    last_month: date
    over_fen: int


# Every benefit whose timeline the run touched; what it becomes is the newest amount of its time that the run did not
# make, nor another run of its year, reversed before: with the same terms both made the same calculations (0252).
# Paid by the new amount: months above the amount before, and the difference.
UNDO = f"""
    SELECT benefit.benefit_id, benefit.person_id, benefit.kind, last.number, benefit.monthly_fen AS after_fen,
           base.amount_fen AS before_fen, base.digest AS before_digest, base.provisional,
           paid.first_month, paid.last_month, coalesce(paid.over_fen, 0) AS over_fen
    FROM benefit_amount AS made JOIN benefit USING (benefit_id)
    CROSS JOIN LATERAL (
        SELECT max(number) AS number FROM benefit_amount AS one WHERE one.benefit_id = made.benefit_id
    ) AS last
    CROSS JOIN LATERAL (
        SELECT one.amount_fen, one.digest, calculation.provisional
        FROM benefit_amount AS one JOIN calculation USING (digest)
        WHERE one.benefit_id = made.benefit_id AND one.from_month <= made.from_month
          AND (terms_id IS NULL OR terms_id NOT IN (
              SELECT adjustment_id FROM adjustment WHERE purpose = 'ANNUAL'
                AND year = (SELECT year FROM adjustment AS mine WHERE mine.adjustment_id = $1)))
        ORDER BY one.number DESC LIMIT 1
    ) AS base
    {OVER}
    WHERE made.cause_id = $1 AND made.cause = 'ADJUSTED' AND made.benefit_id > $2 AND made.benefit_id <= $3
    ORDER BY benefit.benefit_id FOR NO KEY UPDATE OF benefit
"""  # noqa: S608 - constants


async def made_ranges(tx: Transaction, run_id: UUID, size: int) -> list[dict[str, Any]]:
    """Runs of so many benefits that a run adjusted."""
    rows = await tx.fetch(
        """
        SELECT benefit_id, place FROM (
            SELECT benefit_id, row_number() OVER (ORDER BY benefit_id) AS place, count(*) OVER () AS total
            FROM benefit_amount WHERE cause_id = $1 AND cause = 'ADJUSTED'
        ) AS numbered WHERE place % $2 = 0 OR place = total ORDER BY benefit_id
        """,
        run_id,
        size,
    )
    return ranges(rows)


async def lock_made(tx: Transaction, run_id: UUID, after: UUID, last: UUID) -> list[Undone]:
    """The benefits of a chunk of a run that is reversed."""
    return [Undone(**{**dict(row), "kind": Kind(row["kind"])}) for row in await tx.fetch(UNDO, run_id, after, last)]


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


def ranges(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """What `BOUNDARIES` found, as parameters of chunks: after which id, up to which, and how many."""
    ends = [row["benefit_id"] for row in rows]
    places = [row["place"] for row in rows]
    return [
        {"after": str(after), "last": str(last), "size": place - before}
        for after, last, place, before in zip([UUID(int=0), *ends], ends, places, [0, *places], strict=False)
    ]


def _run(row: Any) -> Run:
    values = dict(row)
    return Run(
        **{
            **values,
            "purpose": Purpose(values["purpose"]),
            "kinds": tuple(Kind(kind) for kind in values["kinds"]),
            "state": RunState(values["state"]),
            "source": AmountsSource(values["source"]),
            "impact": Impact.from_plain(values["impact"]) if values["impact"] else None,
            "result": Impact.from_plain(values["result"]) if values["result"] else None,
        }
    )
