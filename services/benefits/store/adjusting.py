"""Runs that change amounts, as they stand: annual adjustments and recomputations."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kernel import ids
from services.benefits.adjusting import AmountsSource, Purpose, RunState
from services.benefits.calculation import canonical
from services.benefits.domain.impact import Impact
from services.benefits.lifecycle import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction


COLUMNS = """
    adjustment_id, purpose, year, kinds, state, source, terms, policy_version, maker, create_date, job_id, dry_runner,
    impact, digest, approval_id, checker, approve_date, result, reversal_maker, reversal_reason, reversal_approval_id,
    reversal_checker
"""


READ = f"SELECT {COLUMNS} FROM adjustment WHERE adjustment_id = $1"  # noqa: S608 - constant


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
