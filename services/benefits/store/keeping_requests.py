"""What waits for a second person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.benefits.keeping import RequestKind, RequestState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from asyncpg import Record

    from chassis.transaction import Transaction

_COLUMNS = """
    keeping_request_id, kind, benefit_id, recovery_id, person_id, payload, evidence, approval_id, state, business_date
"""


@dataclass(frozen=True, slots=True)
class Request:
    """Something about a benefit that one person asked for; `payload` is what the approval is bound to."""

    request_id: UUID
    kind: RequestKind
    benefit_id: UUID
    recovery_id: UUID | None
    person_id: UUID
    payload: bytes
    evidence: str
    approval_id: UUID
    state: RequestState
    business_date: date


async def add(tx: Transaction, request: Request) -> None:
    """Write what was asked for."""
    await tx.execute(
        f"INSERT INTO keeping_request ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",  # noqa: S608 - constant
        request.request_id,
        request.kind.value,
        request.benefit_id,
        request.recovery_id,
        request.person_id,
        request.payload,
        request.evidence,
        request.approval_id,
        request.state.value,
        request.business_date,
    )


async def lock(tx: Transaction, request_id: UUID) -> Request | None:
    """A request, locked."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM keeping_request WHERE keeping_request_id = $1 FOR NO KEY UPDATE",  # noqa: S608 - constant
        request_id,
    )
    return _request(row) if row else None


async def close(tx: Transaction, request_id: UUID, state: RequestState) -> None:
    """It was decided."""
    await tx.execute("UPDATE keeping_request SET state = $2 WHERE keeping_request_id = $1", request_id, state.value)


async def waiting(tx: Transaction, *, after: UUID | None, limit: int) -> Sequence[Request]:
    """What waits, oldest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM keeping_request WHERE state = 'WAITING' AND ($1::uuid IS NULL OR keeping_request_id > $1)
        ORDER BY keeping_request_id LIMIT $2
        """,  # noqa: S608 - constant
        after,
        limit,
    )
    return [_request(row) for row in rows]


def _request(row: Record) -> Request:
    return Request(
        request_id=row["keeping_request_id"],
        kind=RequestKind(row["kind"]),
        benefit_id=row["benefit_id"],
        recovery_id=row["recovery_id"],
        person_id=row["person_id"],
        payload=row["payload"],
        evidence=row["evidence"],
        approval_id=row["approval_id"],
        state=RequestState(row["state"]),
        business_date=row["business_date"],
    )
