"""Parking: a fact, or a whole message, that cannot take effect is put aside for a person, with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from chassis.transaction import Transaction

PARK = """
    INSERT INTO parked (event_id, producer, subject, kind, id, version, body, reason, tries, traceparent)
    SELECT one.event_id, $1::text, one.subject, one.kind, one.id, one.version, one.body, one.reason, $2::integer,
           one.traceparent
    FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bytea[], $9::text[], $10::text[])
      AS one (event_id, subject, kind, id, version, body, reason, traceparent)
"""


@dataclass(slots=True)
class Parking:
    """A fact, or a whole message, that needs a person."""

    event_id: UUID | None
    subject: str
    kind: str | None
    key: str | None
    version: int | None
    body: bytes
    reason: str
    traceparent: str


async def park(tx: Transaction, producer: str, tries: int, parking: Sequence[Parking]) -> None:
    """Write what needs a person."""
    columns = [
        [getattr(one, name) for one in parking]
        for name in ("event_id", "subject", "kind", "key", "version", "body", "reason", "traceparent")
    ]
    await tx.execute(PARK, producer, tries, *columns)
