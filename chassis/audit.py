"""Audit: who did what to whose record, in the transaction that did it.

No audit row, no change: the row commits with its change or not at all. Rows are never changed or deleted (the app
role may only insert and read); numbering and chaining them happens later and elsewhere, because a chain inside the
transaction would let all commits wait for each other.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chassis.telemetry import trace_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from chassis.principal import Principal

COLUMNS = """
    at, subject, client, acting_person, method, action, purpose, case_no, person_id, request_id, body_digest, detail,
    trace_id
"""
INSERT = f"""
    INSERT INTO audit ({COLUMNS})
    SELECT ${{0}}::timestamptz, ${{1}}::text, ${{2}}::text, ${{3}}::text, ${{4}}::text, action,
           ${{5}}::text, ${{6}}::text, person_id, ${{7}}::text, ${{8}}::bytea, detail::jsonb, ${{9}}::text
    FROM unnest(${{10}}::text[], ${{11}}::uuid[], ${{12}}::text[]) AS entry (action, person_id, detail)
"""  # noqa: S608 - constant text


@dataclass(frozen=True, slots=True)
class Entry:
    """One row, apart from what it shares with its transaction."""

    action: str
    person_id: UUID | None = None
    detail: Mapping[str, str] = field(default_factory=dict)


def parameters(
    entries: Sequence[Entry],
    principal: Principal,
    *,
    at: datetime,
    method: str,
    request_id: str,
    body_digest: bytes | None,
) -> tuple[Any, ...]:
    """The parameters of `INSERT` for the entries of one transaction."""
    return (
        at,
        principal.subject,
        principal.client,
        principal.known_person,
        method,
        principal.purpose,
        principal.case_no,
        request_id,
        body_digest,
        trace_id(),
        [entry.action for entry in entries],
        [entry.person_id for entry in entries],
        [json.dumps(dict(entry.detail), ensure_ascii=False) for entry in entries],
    )
