"""How many sealed records one human of the staff may open within an hour, counted where they are opened.

`chassis.sealed.Sealer.open` notes what it opens while a transaction of the staff runs; before the transaction gives
anything out, the records that this human has not opened within the last hour are counted. Above the limit
(`HRSS_UNSEALED_PER_HOUR`) the call is refused and nothing of it commits; an audit row, a metric, a line of the log and
the operators' page say so. It holds for every service, because no service does anything for it:

* Counted: whoever has a role of the staff and is a human: clerks, reviewers, auditors. Two logins of one human are one.
* Not counted: persons themselves, agents of employers, partner systems, the platform's own jobs and consumers (a file
  for the bank is a job that two persons approved), and values that are only compared, never shown.
* A record that was opened within the hour may be opened again: what counts is how many people somebody looks at.
"""

from __future__ import annotations

import hashlib
from contextvars import ContextVar
from typing import TYPE_CHECKING

from chassis import metrics
from chassis.logs import get_logger
from kernel.errors import Busy

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    import asyncpg

    from chassis.principal import Principal

log = get_logger(__name__)

REASON = "UNSEAL_QUOTA_REACHED"
RECORD_BYTES = 16
PARTNERS = frozenset({"PARTNER", "SYSTEM"})

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 4711))"  # calls of one human are counted one after the other
COUNT = """
    WITH fresh AS (
        INSERT INTO unsealed (subject, record) SELECT $1, record FROM unnest($2::bytea[]) AS record
        ON CONFLICT (subject, record) DO UPDATE SET at = excluded.at WHERE unsealed.at <= now() - interval '1 hour'
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM fresh) AS fresh, count(*) AS before,
           coalesce(extract(epoch FROM min(at) + interval '1 hour' - now()), 0)::float8 AS seconds
    FROM unsealed WHERE subject = $1 AND at > now() - interval '1 hour'
"""
ALARM = """
    INSERT INTO unseal_alarm AS mine (subject, hour, method) VALUES ($1, date_trunc('hour', now()), $2)
    ON CONFLICT (subject, hour) DO UPDATE SET count = mine.count + 1 RETURNING count
"""
ALARMS = "SELECT count(*) FROM unseal_alarm WHERE hour > now() - interval '24 hours'"

_opened: ContextVar[set[str] | None] = ContextVar("opened", default=None)


def begin(principal: Principal) -> set[str] | None:
    """Begin to note what is opened in this task; None for callers who are not counted."""
    noted: set[str] | None = set() if is_counted(principal) else None
    _opened.set(noted)
    return noted


def is_refusal(error: BaseException) -> bool:
    """Whether a call was refused because of the quota."""
    return isinstance(error, Busy) and error.reason == REASON


def note(record: UUID | str) -> None:
    """Say that a sealed value of a record was opened; for `Sealer.open` alone."""
    noted = _opened.get()
    if noted is not None:
        noted.add(str(record))


def is_counted(principal: Principal) -> bool:
    """Whether this is a human of the staff."""
    return principal.is_staff and principal.roles.isdisjoint(PARTNERS)


def subject_of(principal: Principal) -> str:
    """The human, not the login."""
    return principal.known_person or principal.subject


async def count(
    connection: asyncpg.Connection[asyncpg.Record], principal: Principal, opened: Collection[str], limit: int
) -> None:
    """Count what was opened, inside a transaction that ends when this raises.

    Raises:
        Busy: UNSEAL_QUOTA_REACHED, with the seconds until the next record may be opened.
    """
    subject = subject_of(principal)
    records = sorted(hashlib.blake2b(one.encode(), digest_size=RECORD_BYTES).digest() for one in opened)
    await connection.execute(LOCK, subject)
    row = await connection.fetchrow(COUNT, subject, records)
    assert row is not None
    if row["fresh"] and row["fresh"] + row["before"] > limit:
        raise Busy(
            "UNSEAL_QUOTA_REACHED",
            "more sealed records within an hour than one person may open",
            retry_after=max(1.0, row["seconds"]),
        )


async def alarm(connection: asyncpg.Connection[asyncpg.Record], principal: Principal, method: str) -> bool:
    """Tell everybody who must know; whether it is the first within the hour, which is the one for the audit."""
    metrics.UNSEAL_REFUSED.inc()
    number: int = await connection.fetchval(ALARM, subject_of(principal), method)
    log.warning("unseal_quota_reached", method=method, count=number)
    return number == 1


async def alarms(connection: asyncpg.Connection[asyncpg.Record]) -> int:
    """How often somebody reached the limit within a day: humans and hours."""
    found: int = await connection.fetchval(ALARMS)
    return found
