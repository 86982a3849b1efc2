"""Requests about persons that wait for a second person, with what will be done sealed until it is decided."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from chassis.transaction import Transaction
from services.enrollment.persons import (
    Request,
    RequestKind,
    RequestState,
)

REQUESTS = "person_request"


async def add_request(
    tx: Transaction,
    request_id: UUID,
    *,
    person_id: UUID,
    kind: RequestKind,
    evidence: str,
    payload: bytes | None,
    approval_id: UUID | None,
    other_id: UUID | None = None,
) -> Request:
    """Store a request; one without a payload took effect at once."""
    state = RequestState.WAITING if payload is not None else RequestState.DONE
    await tx.execute(
        """
        INSERT INTO person_request
            (request_id, person_id, other_id, kind, state, payload_sealed, approval_id, evidence, created, decided)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        request_id,
        person_id,
        other_id,
        kind,
        state,
        None if payload is None else tx.database.sealer.seal(REQUESTS, "payload", request_id, payload),
        approval_id,
        evidence,
        tx.now,
        None if payload is not None else tx.now,
    )
    return Request(request_id, person_id, kind, state, other_id, evidence, tx.now)


async def lock_request(tx: Transaction, request_id: UUID) -> tuple[Request, bytes | None, UUID | None] | None:
    """A request, locked, with what will be done and its approval."""
    row = await tx.fetchrow("SELECT * FROM person_request WHERE request_id = $1 FOR UPDATE", request_id)
    if row is None:
        return None
    sealed = row["payload_sealed"]
    payload = None if sealed is None else tx.database.sealer.open(REQUESTS, "payload", request_id, sealed)
    return _request(row), payload, row["approval_id"]


async def close_request(tx: Transaction, request_id: UUID, state: RequestState) -> None:
    """A request was decided; what it said of a person is not kept beside the history."""
    await tx.execute(
        "UPDATE person_request SET state = $2, payload_sealed = NULL, decided = $3 WHERE request_id = $1",
        request_id,
        state,
        tx.now,
    )


async def waiting(tx: Transaction, after: UUID | None, limit: int) -> Sequence[Request]:
    """Requests that wait, oldest first."""
    rows = await tx.fetch(
        """
        SELECT * FROM person_request WHERE state = 'WAITING' AND ($1::uuid IS NULL OR request_id > $1)
        ORDER BY request_id LIMIT $2
        """,
        after,
        limit,
    )
    return [_request(row) for row in rows]


def _request(row: Any) -> Request:
    return Request(
        row["request_id"],
        row["person_id"],
        RequestKind(row["kind"]),
        RequestState(row["state"]),
        row["other_id"],
        row["evidence"],
        row["created"],
    )


def to_payload(values: dict[str, Any]) -> bytes:
    """The canonical form of what will be done."""
    return json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
