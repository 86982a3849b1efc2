"""A look: a read that is one statement, which is its own snapshot: BEGIN and COMMIT would be two more round trips.

    return await call.look(lambda tx: persons.insurance(tx, person_id), replies.insurance)

What runs in a look is written for a `Transaction` and also works in one; here it may ask once. A second statement would
see another moment of the database, and one that changes something would commit by itself: both are refused, in a test
of ours rather than at a counter.
"""

# ruff: noqa: SLF001 - a kind of chassis.transaction.Transaction, run as chassis.attempts runs one

from __future__ import annotations

import asyncio
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from chassis import unsealing
from chassis.attempts import Call, raise_as_ours
from chassis.database import DRIVER, STALE_PLAN, is_away, sqlstate, unavailable
from chassis.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import date

    import asyncpg
    from google.protobuf.message import Message
    from sqlalchemy.ext.asyncio import AsyncSession

    from chassis.database import Begun, Database
    from chassis.principal import Principal

T = TypeVar("T")

_READS = re.compile(r"\s*(SELECT|WITH)\b", re.IGNORECASE)
_CHANGES = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE|TRUNCATE|CALL|COPY|LOCK|NEXTVAL|SETVAL)\b", re.IGNORECASE)


async def run(
    database: Database,
    work: Callable[[Look], Awaitable[T]],
    *,
    principal: Principal,
    today: date,
    method: str = "",
    request_id: str = "",
) -> T:
    """Run `work`, which asks one statement, and return its result; its audit rows are written before that.

    Args:
        database: Where.
        work: What to ask; runs again on another connection where the first was lost.
        principal: Who asks, for audit.
        today: The business day.
        method: The RPC, for audit.
        request_id: The caller's id of the request, for audit.

    Raises:
        Unavailable: DATABASE_UNAVAILABLE.
    """
    pool = database.pool()
    call = Call(database, pool, principal, today, method, request_id, body_digest=None, read_only=True)
    await pool.enter()
    # A task of its own as in `chassis.transaction`: who gives up waiting does not cost the pool a connection.
    task = asyncio.create_task(_tries(call, work), name=f"look {method}")
    database.track(task, pool)
    return await asyncio.shield(task)


async def _tries(call: Call, work: Callable[[Look], Awaitable[T]]) -> T:
    for _ in range(call.pool.size + 1):  # every pooled connection may be dead, or older than the schema
        begun = await call.pool.take()
        tx = Look(call, begun)
        opened = unsealing.begin(call.principal)
        try:
            result = await work(tx)
            if tx._audit or opened:
                await tx._write_audit_of_reading(opened or ())
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                await begun.drop()
                raise
            is_stale = sqlstate(error) == STALE_PLAN and "cached" in str(error)
            if is_stale or (isinstance(error, DRIVER) and begun.raw.is_closed()):
                await begun.drop()
                continue
            away = is_away(error, begun.raw)
            if unsealing.is_refusal(error):
                await tx._tell_of_quota()
            await begun.rollback()
            raise_as_ours(error, away=away)
            raise
        await begun.give_back()
        await tx._committed()
        return result
    raise unavailable()


class Look(Transaction):
    """What work in a look may use: one statement that reads, and the audit."""

    def __init__(self, call: Call, begun: Begun) -> None:
        super().__init__(call, begun)
        self._has_asked = False

    @property
    def session(self) -> AsyncSession:
        """There is none: a session asks as often as it likes."""
        _refuse("has no session")

    def emit(self, fact: Message, *, is_first: bool = False) -> NoReturn:  # noqa: ARG002 - the signature of every transaction
        """A look has nothing to say."""
        _refuse("has nothing to say")

    async def raw(self) -> asyncpg.Connection[asyncpg.Record]:
        """The connection is handed out for the one statement only."""
        _refuse("has no connection of its own")

    async def execute(self, statement: str, *parameters: Any) -> int:  # noqa: ARG002 - the signature of every transaction
        """A look changes nothing."""
        _refuse("changes nothing")

    async def fetch(self, statement: str, *parameters: Any) -> list[asyncpg.Record]:
        """The rows of the one statement."""
        self._ask(statement)
        with self._span(statement):
            return await self._begun.raw.fetch(statement, *parameters)

    async def fetchrow(self, statement: str, *parameters: Any) -> asyncpg.Record | None:
        """The first row of the one statement, or None."""
        self._ask(statement)
        with self._span(statement):
            return await self._begun.raw.fetchrow(statement, *parameters)

    def _ask(self, statement: str) -> None:
        if self._has_asked:
            _refuse("asks one statement")
        if not _only_reads(statement):
            _refuse("changes nothing")
        self._has_asked = True


@lru_cache(maxsize=256)
def _only_reads(statement: str) -> bool:
    return _READS.match(statement) is not None and _CHANGES.search(statement) is None


def _refuse(what: str) -> NoReturn:
    raise RuntimeError(f"a look {what}; take a transaction")
