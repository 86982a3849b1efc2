"""What happened in a case, what its people were told, and wrong guesses of those who track it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kernel import ids
from services.gateway.cases.domain.states import State
from services.gateway.cases.store.rows import CaseRow, EventRow, MessageRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from chassis.transaction import Transaction


async def add_event(
    tx: Transaction, row: CaseRow, kind: str, *, actor: str, detail: Mapping[str, str], trace: str
) -> None:
    """Write what happened; the case is locked, so the next number is nobody else's."""
    await tx.execute(
        """
        INSERT INTO case_event (case_id, number, event_time, business_date, kind, detail, state, actor, trace_id)
        SELECT $1, coalesce(max(number), 0) + 1, clock_timestamp(), $2, $3, $4::text::jsonb, $5, $6, $7
        FROM case_event WHERE case_id = $1
        """,
        row.case_id,
        tx.today,
        kind,
        json.dumps(dict(detail)),
        row.state.value,
        actor,
        trace,
    )


async def events(tx: Transaction, case_ids: Sequence[UUID]) -> list[EventRow]:
    """What happened, oldest first."""
    rows = await tx.fetch(
        "SELECT event_time, business_date, kind, detail::text, state, actor, trace_id FROM case_event "
        "WHERE case_id = ANY($1::uuid[]) ORDER BY event_time, number",
        list(case_ids),
    )
    return [
        EventRow(
            row["event_time"],
            row["business_date"],
            row["kind"],
            json.loads(row["detail"]),
            State(row["state"]),
            row["actor"],
            row["trace_id"],
        )
        for row in rows
    ]


async def corrections(tx: Transaction, case_id: UUID) -> int:
    """How often a case was handed in corrected."""
    row = await tx.fetchrow("SELECT count(*) FROM case_event WHERE case_id = $1 AND kind = 'corrected'", case_id)
    assert row is not None
    return int(row["count"])


async def add_message(tx: Transaction, row: CaseRow, kind: str, detail: Mapping[str, str]) -> None:
    """Write a message to the person of a case; a part of a bundle speaks in the bundle's name."""
    if row.person_id is None:
        return
    await tx.execute(
        "INSERT INTO case_message (message_id, person_id, case_id, kind, detail, message_time) "
        "VALUES ($1, $2, $3, $4, $5::text::jsonb, $6)",
        ids.new_id(),
        row.person_id,
        row.parent_id or row.case_id,
        kind,
        json.dumps(dict(detail)),
        tx.now,
    )


async def messages(tx: Transaction, person_id: UUID, *, before: UUID | None, limit: int) -> list[MessageRow]:
    """Messages to a person, newest first."""
    rows = await tx.fetch(
        """
        SELECT message_id, case_no, kind, detail::text, message_time
        FROM case_message JOIN case_file USING (case_id)
        WHERE case_message.person_id = $1 AND ($2::uuid IS NULL OR message_id < $2)
        ORDER BY message_id DESC LIMIT $3
        """,
        person_id,
        before,
        limit,
    )
    return [
        MessageRow(row["message_id"], row["case_no"], row["kind"], json.loads(row["detail"]), row["message_time"])
        for row in rows
    ]


async def wrong_guesses(tx: Transaction, case_id: UUID) -> int:
    """How often wrong characters were given for a case today."""
    row = await tx.fetchrow("SELECT wrong_count FROM case_guess WHERE case_id = $1 AND day = $2", case_id, tx.today)
    return int(row["wrong_count"]) if row else 0


async def count_wrong_guess(tx: Transaction, case_id: UUID) -> None:
    """Count one more."""
    await tx.execute(
        """
        INSERT INTO case_guess AS mine (case_id, day, wrong_count) VALUES ($1, $2, 1)
        ON CONFLICT (case_id) DO UPDATE SET day = excluded.day,
            wrong_count = CASE WHEN mine.day = excluded.day THEN mine.wrong_count + 1 ELSE 1 END
        """,
        case_id,
        tx.today,
    )
