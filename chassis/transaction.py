"""The transaction: rows, outgoing facts, audit and stored reply commit together, whatever happens to the caller.

    person = await transaction.run(database, lambda tx: enroll(tx, command), principal=call.principal, today=call.today)

Each runs as its own task behind a shield: a deadline stops the waiting, never the commit. `work` may run several times
(after a deadlock, for example), so it changes nothing outside the transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from chassis import audit, clocks, outbox, unsealing
from chassis.attempts import Call, attempts
from chassis.database import DRIVER
from chassis.facts import of_fact
from chassis.logs import get_logger
from chassis.statements import statement_span

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import date, datetime
    from uuid import UUID

    import asyncpg
    from google.protobuf.message import Message

    from chassis.database import Begun, Database
    from chassis.principal import Principal

log = get_logger(__name__)
T = TypeVar("T")

NUMBER = """
    INSERT INTO aggregate AS mine (kind, id, version)
    SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
    ON CONFLICT (kind, id) DO UPDATE SET version = mine.version + excluded.version
    RETURNING kind, id, version
"""
NUMBER_NEW = """
    INSERT INTO aggregate (kind, id, version) SELECT * FROM unnest(${0}::text[], ${1}::text[], ${2}::bigint[])
"""
MIN_VERSION_KEYS = 16  # a token travels in a header; who changed more than this reads a list, not one record
KEEP_REPLY = """
    UPDATE request SET reply = ${0}, versions = ${1} WHERE caller = ${2} AND method = ${3} AND request_id = ${4}
"""


async def run(
    database: Database,
    work: Callable[[Transaction], Awaitable[T]],
    *,
    principal: Principal,
    today: date,
    method: str = "",
    request_id: str = "",
    body_digest: bytes | None = None,
    read_only: bool = False,
    bulk: bool = False,
) -> T:
    """Run `work` in one transaction and return its result once everything is committed.

    Args:
        database: Where.
        work: What to do; runs again after a deadlock or serialization failure.
        principal: Who does it, for audit.
        today: The business day.
        method: The RPC, job or event that causes it, for audit.
        request_id: The caller's id of the request, for audit.
        body_digest: SHA-256 of the request, for audit.
        read_only: The database refuses every change.
        bulk: Use the connections of jobs: fewer, with longer statements.

    Raises:
        Conflict: CONCURRENT_CHANGE after three more attempts, or when a lock stayed taken.
        Unavailable: DATABASE_UNAVAILABLE (nothing was changed) or OUTCOME_UNKNOWN (the same request may be repeated).
    """
    pool = database.pool(bulk=bulk)
    settings = Call(database, pool, principal, today, method, request_id, body_digest, read_only)
    await pool.enter()
    task = asyncio.create_task(attempts(settings, work, Transaction), name=f"transaction {method}")
    database.track(task, pool)
    if database.settings.is_off("shield"):
        return await task
    return await asyncio.shield(task)


class Transaction:
    """What work inside a transaction may use."""

    def __init__(self, call: Call, begun: Begun) -> None:
        self.now: datetime = clocks.now()
        self.today: date = call.today
        self.principal: Principal = call.principal
        self.method = call.method
        self.request_id = call.request_id
        self.database = call.database
        self.versions: dict[tuple[str, str], int] = {}  # of the emitted facts' aggregates; complete after the commit
        self._call = call
        self._begun = begun
        self._session: AsyncSession | None = None
        self._facts: list[outbox.Emitted] = []
        self._many: list[outbox.Many] = []
        self._new: set[tuple[str, str]] = set()  # aggregates whose first fact is among them
        self._audit: list[audit.Entry] = []
        self._after_commit: list[Callable[[], None]] = []
        self._rows: list[outbox.Row] = []
        self._reply: tuple[Any, ...] | None = None
        self._savepoints = 0

    @property
    def session(self) -> AsyncSession:
        """The session of this transaction; never commit or roll it back."""
        if self._session is None:
            self._session = AsyncSession(self._begun.connection, expire_on_commit=False)
        return self._session

    def emit(self, fact: Message, *, is_first: bool = False) -> None:
        """Say a fact when this commits. Its version, and its business day when unset, are filled in place.

        Args:
            fact: What is said.
            is_first: The aggregate was made in this transaction, so its versions begin here and need not be asked for.
                Where that is not true nothing commits.
        """
        if self._call.read_only:
            raise RuntimeError("a read-only transaction has nothing to say")
        one = outbox.emitted(of_fact(fact), fact, self.today)
        if is_first:
            self._new.add(one.key)
        self._facts.append(one)

    def emit_many(self, facts: Sequence[Message], *, are_first: bool = False) -> None:
        """Say facts of one type, each of another aggregate: as `emit` for each, at half of its price.

        An aggregate that is named twice in a transaction has its facts said by `emit`, which keeps their order.

        Args:
            facts: What is said.
            are_first: Their aggregates were made in this transaction; see `emit`.
        """
        if self._call.read_only:
            raise RuntimeError("a read-only transaction has nothing to say")
        if facts:
            group = outbox.many(of_fact(facts[0]), facts, self.today)
            self._many.append(group)
            if are_first:
                self._new.update((group.event_type.kind, key) for key in group.ids)

    def audit(self, action: str, *, person_id: UUID | None = None, detail: Mapping[str, str] | None = None) -> None:
        """Write an audit row when this commits; `detail` holds ids, counts and digests, never personal data."""
        self._audit.append(audit.Entry(action, person_id, detail or {}))

    @property
    def is_audited(self) -> bool:
        """Whether the work itself asked for an audit row."""
        return bool(self._audit)

    @property
    def is_silent(self) -> bool:
        """Whether the work neither said a fact nor asked for an audit row."""
        return not (self._facts or self._many or self._audit)

    @property
    def is_broken(self) -> bool:
        """Whether the connection is lost, so that nothing done here can commit."""
        return self._begun.raw.is_closed()

    def after_commit(self, action: Callable[[], None]) -> None:
        """Do something in memory once this is committed; a failure there is logged and changes nothing."""
        self._after_commit.append(action)

    async def raw(self) -> asyncpg.Connection[asyncpg.Record]:
        """The driver's connection inside this transaction, for COPY; what the session holds is written first."""
        await self._flush_session()
        return self._begun.raw

    async def fetch(self, statement: str, *parameters: Any) -> list[asyncpg.Record]:
        """Rows of a statement with `$1` parameters, past the session; the quick way for hot paths."""
        raw = await self.raw()
        with self._span(statement):
            return await raw.fetch(statement, *parameters)

    async def fetchrow(self, statement: str, *parameters: Any) -> asyncpg.Record | None:
        """The first row of a statement, or None."""
        raw = await self.raw()
        with self._span(statement):
            return await raw.fetchrow(statement, *parameters)

    async def execute(self, statement: str, *parameters: Any) -> int:
        """Run a statement; how many rows it touched."""
        raw = await self.raw()
        with self._span(statement):
            status = await raw.execute(statement, *parameters)
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    @contextlib.asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A part that can fail alone: when an exception leaves it, what was done, said and audited inside is undone."""
        marks = (len(self._facts), len(self._audit), len(self._after_commit), len(self._many))
        new = set(self._new)
        part = self._session_part() if self._session is not None else self._raw_part()
        try:
            async with part:
                yield
        except BaseException:
            del self._facts[marks[0] :], self._audit[marks[1] :], self._after_commit[marks[2] :], self._many[marks[3] :]
            self._new = new
            raise

    @contextlib.asynccontextmanager
    async def _session_part(self) -> AsyncIterator[None]:
        """A savepoint that the session knows of, so that its objects go back too."""
        async with self.session.begin_nested():
            await self.session.connection()  # else SAVEPOINT is sent at its next use, after raw statements in between
            yield

    @contextlib.asynccontextmanager
    async def _raw_part(self) -> AsyncIterator[None]:
        """A savepoint while there is no session; one that is made inside ends with it when it fails."""
        raw = self._begun.raw
        self._savepoints += 1
        name = f"part_{self._savepoints}"
        await raw.execute(f"SAVEPOINT {name}")
        try:
            yield
            await self._flush_session()
        except BaseException:
            await self._close()
            self._session = None
            if not raw.is_closed():
                await raw.execute(f"ROLLBACK TO SAVEPOINT {name}")
            raise
        await raw.execute(f"RELEASE SAVEPOINT {name}")

    def keep_reply(self, caller: str, request_id: str, reply: bytes) -> None:
        """Store the (sealed) reply of this request when this commits; for `chassis.once` only."""
        self._reply = (reply, caller, self.method, request_id)

    async def _flush_session(self) -> None:
        session = self._session
        if session is not None and (session.new or session.dirty or session.deleted):
            await session.flush()

    async def _finish(self) -> None:
        """Write what goes with the rows: versions asked for, then new ones, outbox, audit, reply in one statement."""
        await self._flush_session()
        if self._call.read_only:
            return
        off = self._call.database.settings.is_off
        parts: list[tuple[str, tuple[Any, ...]]] = []
        if self._facts or self._many:
            new = await self._number_facts()
            if new:
                parts.append((NUMBER_NEW, ([kind for kind, _ in new], [key for _, key in new], list(new.values()))))
            self._rows = outbox.rows(self._facts)
            self._rows += [row for group in self._many for row in outbox.rows_of_many(group)]
        if self._rows and not off("outbox"):
            parts.append((outbox.INSERT, outbox.parameters(self._rows)))
        if self._audit:
            parts.append((audit.INSERT, self._audit_parameters()))
        if self._reply is not None:
            reply, *key = self._reply
            parts.append((KEEP_REPLY, (reply, min_version(self.versions), *key)))
        if parts:
            statement = _together(tuple(text for text, _ in parts))
            await self.execute(statement, *(value for _, values in parts for value in values))

    async def _number_facts(self) -> dict[tuple[str, str], int]:
        """Give every fact its version; the last ones of new aggregates, which are written with the rest."""
        counts: dict[tuple[str, str], int] = {}
        for one in self._facts:
            counts[one.key] = counts.get(one.key, 0) + 1
        many = {(group.event_type.kind, key): one for group in self._many for key, one in group.by_id()}
        if len(many) != sum(len(group.ids) for group in self._many) or not counts.keys().isdisjoint(many):
            raise ValueError("an aggregate is named twice: what is said of it is said by emit, in order")
        counts.update(dict.fromkeys(many, 1))
        new = {key: count for key, count in sorted(counts.items()) if key in self._new}
        self.versions = dict(new)
        keys = sorted(counts.keys() - new.keys())  # all lock in this order, so two cannot wait for each other
        if keys:
            found = await self.fetch(
                NUMBER, [kind for kind, _ in keys], [key for _, key in keys], [counts[key] for key in keys]
            )
            self.versions |= {(kind, key): version for kind, key, version in found}
        for key, fact in many.items():
            fact.header.version = self.versions[key]
        following = {one.key: self.versions[one.key] - counts[one.key] for one in self._facts}
        for one in self._facts:
            following[one.key] += 1
            one.fact.header.version = following[one.key]
        return new

    def _audit_parameters(self) -> tuple[Any, ...]:
        return audit.parameters(
            self._audit,
            self.principal,
            at=self.now,
            method=self.method,
            request_id=self.request_id,
            body_digest=self._call.body_digest,
        )

    def _span(self, statement: str) -> AbstractContextManager[object]:
        return statement_span(statement, self._call.pool.name)

    async def _write_audit_of_reading(self, opened: Collection[str] = ()) -> None:
        """A read-only transaction cannot write: its audit rows commit alone, before the result is given out.

        Args:
            opened: Sealed records that a human of the staff opened; they are counted first.

        Raises:
            Busy: UNSEAL_QUOTA_REACHED: that were too many; nothing is given out.
        """
        raw = self._begun.raw
        if not opened:
            await self._insert_audit()
            return
        async with raw.transaction():
            await unsealing.count(raw, self.principal, opened, self.database.settings.unsealed_per_hour)
            if self._audit:
                await self._insert_audit()

    async def _insert_audit(self) -> None:
        statement = _together((audit.INSERT,))
        with self._span(statement):
            await self._begun.raw.execute(statement, *self._audit_parameters())

    async def _tell_of_quota(self) -> None:
        """The call is refused and rolled back; that somebody tried stays, once an hour in the audit."""
        raw = self._begun.raw
        try:
            if raw.is_in_transaction():
                await raw.execute("ROLLBACK")
            if await unsealing.alarm(raw, self.principal, self.method):
                self._audit[:] = [audit.Entry("unseal_refused")]
                await self._insert_audit()
        except DRIVER:
            log.exception("unseal_alarm_not_written")  # the call is refused all the same

    async def _close(self) -> None:
        if self._session is not None:
            with contextlib.suppress(Exception):  # the session has nothing of its own to lose
                await self._session.close()

    async def _committed(self) -> None:
        if self._rows:
            self.database.outbox_written.set()
            if self._call.database.settings.is_off("outbox") and self.database.publish_directly is not None:
                with contextlib.suppress(Exception):  # a dual write loses what fails here: that is the control
                    for row in self._rows:
                        await self.database.publish_directly(row)
        for action in self._after_commit:
            try:
                action()
            except Exception:
                log.exception("after_commit_failed")


def min_version(versions: Mapping[tuple[str, str], int]) -> str:
    """What a later read may ask to have seen, as the token of the edge; the first sixteen aggregates of many."""
    return ",".join(f"{kind}:{key}:{version}" for (kind, key), version in list(versions.items())[:MIN_VERSION_KEYS])


@cache
def _together(statements: Sequence[str]) -> str:
    """Several writing statements as one, their parameters numbered one after the other."""
    first = 1
    parts = []
    for number, statement in enumerate(statements):
        count = 0
        while f"${{{count}}}" in statement:
            count += 1
        numbered = statement.format(*range(first, first + count))
        first += count
        parts.append(f"part_{number} AS ({numbered})")
    return f"WITH {', '.join(parts)} SELECT 1"
