"""The steps of cases, and the leases of the workers that take them."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from services.gateway.cases.domain.states import StepState
from services.gateway.cases.effects.model import Phase
from services.gateway.cases.store.rows import CaseRow, StepRow, to_snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    import asyncpg

    from chassis.principal import Principal
    from chassis.transaction import Transaction

_STEP_NAMES = tuple(one.name for one in fields(StepRow))
_STEP_JSON = frozenset({"principal", "problem_values", "kept"})
_STEP_COLUMNS = ", ".join(f"{name}::text" if name in _STEP_JSON else name for name in _STEP_NAMES)


async def add_step(
    tx: Transaction, row: CaseRow, name: str, *, place: int, phase: Phase, principal: Principal, traceparent: str
) -> None:
    """Write a step whose turn will come; one that was refused before begins anew, one that is done stays done."""
    await tx.execute(
        """
        INSERT INTO case_step (case_id, name, number, phase, state, principal, business_date, traceparent)
        VALUES ($1, $2, $3, $4, 'WAITING', $5::text::jsonb, $6, $7)
        ON CONFLICT (case_id, name) DO UPDATE SET state = 'WAITING', principal = excluded.principal,
            business_date = excluded.business_date, traceparent = excluded.traceparent, problem_code = '',
            problem_values = '{}'
        WHERE case_step.state IN ('REFUSED', 'SKIPPED')
        """,
        row.case_id,
        name,
        place,
        phase.value,
        json.dumps(to_snapshot(principal)),
        tx.today,
        traceparent,
    )


async def steps(tx: Transaction, case_id: UUID, *, lock: bool = False) -> list[StepRow]:
    """The steps of a case in their order; locked, no worker takes one of them meanwhile."""
    query = f"SELECT {_STEP_COLUMNS} FROM case_step WHERE case_id = $1 ORDER BY number"  # noqa: S608 - constant
    rows = await tx.fetch(f"{query}{' FOR UPDATE' if lock else ''}", case_id)
    return [_step(row) for row in rows]


async def begin_step(tx: Transaction, case_id: UUID, name: str) -> None:
    """Let a step's turn come: a worker takes it from here."""
    await tx.execute(
        "UPDATE case_step SET state = 'WORKING', due = clock_timestamp(), lease_until = NULL "
        "WHERE case_id = $1 AND name = $2",
        case_id,
        name,
    )


async def end_step(
    tx: Transaction,
    case_id: UUID,
    name: str,
    state: StepState,
    *,
    problem_code: str = "",
    problem_values: Mapping[str, str] | None = None,
    result_id: str = "",
    kept: Mapping[str, str] | None = None,
    trace_id: str = "",
) -> None:
    """Write how a step ended."""
    await tx.execute(
        """
        UPDATE case_step SET state = $3, problem_code = $4, problem_values = $5::text::jsonb, result_id = $6,
            kept = $7::text::jsonb, trace_id = $8, lease_until = NULL
        WHERE case_id = $1 AND name = $2
        """,
        case_id,
        name,
        state.value,
        problem_code,
        json.dumps(dict(problem_values or {})),
        result_id,
        json.dumps(dict(kept or {})),
        trace_id,
    )


async def skip_steps(tx: Transaction, case_id: UUID) -> None:
    """Mark what will not be done any more."""
    await tx.execute(
        "UPDATE case_step SET state = 'SKIPPED' WHERE case_id = $1 AND state IN ('WAITING', 'WORKING', 'REFUSED')",
        case_id,
    )


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that a worker has for a while."""

    case_id: UUID
    name: str
    attempts: int


TAKE = """
    UPDATE case_step SET attempts = attempts + 1, lease_until = clock_timestamp() + make_interval(secs => $1)
    WHERE (case_id, name) IN (
        SELECT case_id, name FROM case_step
        WHERE state = 'WORKING' AND due <= clock_timestamp()
          AND (lease_until IS NULL OR lease_until <= clock_timestamp())
        ORDER BY due LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING case_id, name, attempts
"""
LATER = """
    UPDATE case_step SET lease_until = NULL, due = clock_timestamp() + make_interval(secs => $4),
        problem_code = $5, trace_id = $6
    WHERE case_id = $1 AND name = $2 AND attempts = $3 AND state = 'WORKING'
"""


def _step(row: asyncpg.Record) -> StepRow:
    values = {name: row[name] for name in _STEP_NAMES}
    for name in _STEP_JSON:
        values[name] = json.loads(values[name])
    return StepRow(**{**values, "state": StepState(values["state"]), "phase": Phase(values["phase"])})
