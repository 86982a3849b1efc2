"""Attempts: begin, work, commit, and what each failure on the way means.

A failure before COMMIT means that nothing was changed. An answer of the server to COMMIT is believed; when there is
none, the outcome is unknown, and the caller may repeat the request under its id.
"""

# ruff: noqa: SLF001 - this is the other half of chassis.transaction.Transaction

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import asyncpg

from chassis import crash, unsealing
from chassis.database import AGAIN, DRIVER, LOCKED, STALE_PLAN, is_away, sqlstate, unavailable
from chassis.statements import statement_span
from kernel.errors import Busy, Conflict, DomainError, Unavailable

if TYPE_CHECKING:
    from datetime import date

    from chassis.database import Begun, Database, Pool
    from chassis.principal import Principal
    from chassis.transaction import Transaction

T = TypeVar("T")
Make = Callable[["Call", "Begun"], "Transaction"]

ATTEMPTS = 4  # the first and three more
JITTER_SECONDS = 0.05  # about the length of a command, so that two that met do not meet again


@dataclass(slots=True)
class Call:
    """What stays the same over the attempts of one transaction."""

    database: Database
    pool: Pool
    principal: Principal
    today: date
    method: str
    request_id: str
    body_digest: bytes | None
    read_only: bool


class Again(Exception):  # noqa: N818 - a signal, not an error
    """The transaction met another and was rolled back by the database."""


class Stale(Exception):  # noqa: N818 - the same
    """A prepared statement of this connection is older than the schema."""


async def attempts(call: Call, work: Callable[[Transaction], Awaitable[T]], make: Make) -> T:
    """Run work until it commits, is refused, or met others too often."""
    met, stale = 0, 0
    while met < ATTEMPTS and stale <= call.pool.size:  # after a migration every pooled connection may be stale
        try:
            return await _attempt(call, work, make)
        except Stale:
            stale += 1
        except Again:
            met += 1
            await asyncio.sleep(JITTER_SECONDS * random.random() * met)  # noqa: S311 - no secret
    raise _concurrent()


async def _attempt(call: Call, work: Callable[[Transaction], Awaitable[T]], make: Make) -> T:
    begun = await call.pool.begin("BEGIN READ ONLY" if call.read_only else "BEGIN")
    tx = make(call, begun)
    opened = unsealing.begin(call.principal)
    try:
        result = await work(tx)
        if opened and not call.read_only:
            await unsealing.count(begun.raw, call.principal, opened, call.database.settings.unsealed_per_hour)
        await tx._finish()
        crash.at("before_commit")
    except BaseException as error:
        await tx._close()
        if isinstance(error, asyncio.CancelledError):
            await begun.drop()
        elif sqlstate(error) == STALE_PLAN and "cached" in str(error):
            await begun.drop()
            raise Stale from None
        else:
            away = is_away(error, begun.raw)
            if unsealing.is_refusal(error):
                await tx._tell_of_quota()
            await begun.rollback()
            raise_as_ours(error, away=away)
        raise
    await tx._close()
    await _commit(begun, call.pool.name)
    if call.read_only and (tx._audit or opened):
        try:
            await tx._write_audit_of_reading(opened or ())
        except DRIVER:
            await begun.drop()
            raise unavailable() from None
        except Busy:
            await tx._tell_of_quota()
            await begun.give_back()
            raise
    await begun.give_back()
    crash.at("after_commit")
    await tx._committed()
    return result


async def _commit(begun: Begun, database_name: str) -> None:
    try:
        with statement_span("COMMIT", database_name):
            answer = await begun.raw.execute("COMMIT")
    except asyncpg.PostgresError as error:
        away = is_away(error, begun.raw)
        await begun.rollback()
        if away:
            raise _unknown() from None
        raise_as_ours(error, away=False)
        raise  # a deferred constraint: the server said no and rolled back
    except BaseException as error:
        await begun.drop()
        if isinstance(error, DRIVER):
            raise _unknown() from None
        raise
    if answer != "COMMIT":
        await begun.give_back()
        raise RuntimeError("work went on after a failed statement, so the database rolled everything back")


def raise_as_ours(error: BaseException, *, away: bool) -> None:
    """Raise what a database error means; others pass."""
    if isinstance(error, DomainError):
        return
    code = sqlstate(error)
    if code in AGAIN:
        raise Again from None
    if code == LOCKED:
        raise _concurrent() from None
    if away:
        raise unavailable() from None


def _concurrent() -> Conflict:
    return Conflict("CONCURRENT_CHANGE", "others are changing the same records", retry_after=0.2)


def _unknown() -> Unavailable:
    return Unavailable(
        "OUTCOME_UNKNOWN", "the connection was lost while committing; repeat with the same request id", retry_after=1.0
    )
