"""Keeps the timetable of a service: starts what is owed, once across all replicas, and looks after what was started.

Nobody is the leader. Whoever looks at an entry holds its row; the row of the start, unique by entry and business date,
commits together with the job, so that a process that dies has started it or has not. What failed is tried again later
and later, and then stays to be seen.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, TypeVar

from chassis import clocks, crash, jobs, metrics, transaction
from chassis.logs import get_logger
from chassis.principal import Principal
from chassis.telemetry import span
from chassis.timetable import Missed, following, owed
from kernel.calendar import SHANGHAI
from kernel.errors import AlreadyExists, Busy, Conflict, DomainError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    from asyncpg import Record

    from chassis.database import Database
    from chassis.timetable import Entry, Owed
    from chassis.transaction import Transaction

log = get_logger(__name__)
T = TypeVar("T")

LOOK_SECONDS = 5.0
TRIES_MAX = 12  # with the pauses below: two days
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
STARTS_AT_ONCE = 400  # of one entry in one look: the longest reach

MOVED = "SELECT moved FROM timetable_clock"
MOVE = "UPDATE timetable_clock SET moved = $1 WHERE moved IS DISTINCT FROM $1"
DECLARE = """
    INSERT INTO timetable_entry (entry, zh, en, when_zh, when_en, off, since, seen)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
    ON CONFLICT (entry) DO UPDATE SET (zh, en, when_zh, when_en, off)
        = (excluded.zh, excluded.en, excluded.when_zh, excluded.when_en, excluded.off)
"""
FORGET = "DELETE FROM timetable_entry WHERE entry <> ALL($1::text[])"
LOCK = "SELECT since, seen FROM timetable_entry WHERE entry = $1 FOR UPDATE SKIP LOCKED"
SEEN = "UPDATE timetable_entry SET since = $2, seen = $3, next = $4 WHERE entry = $1"
OPEN = """
    SELECT run.business_date, run.state, run.attempts, run.due <= clock_timestamp() AS is_due, run.job_id,
           job.state AS job_state, job.message
    FROM timetable_run AS run LEFT JOIN job ON job.id = run.job_id
    WHERE entry = $1 AND run.state NOT IN ('DONE', 'NEEDLESS') ORDER BY run.business_date
"""
HAD = "SELECT business_date FROM timetable_run WHERE entry = $1 AND business_date >= $2"
BOOK = """
    INSERT INTO timetable_run (entry, business_date, state, left_out) VALUES ($1, $2, 'STARTED', $3)
    ON CONFLICT DO NOTHING
"""
NOTE = """
    UPDATE timetable_run SET state = $3, reason = $4, attempts = $5, job_id = coalesce($6, job_id),
        due = clock_timestamp() + $7::interval
    WHERE entry = $1 AND business_date = $2
"""
TROUBLE = """
    SELECT count(*) FILTER (WHERE run.state = 'FAILED') AS failed,
           count(*) FILTER (WHERE run.state = 'GIVEN_UP') AS given_up
    FROM timetable_run AS run JOIN timetable_entry USING (entry)
    WHERE run.state IN ('FAILED', 'GIVEN_UP')
      -- a later start that went well made up for it
      AND NOT EXISTS (SELECT FROM timetable_run AS later WHERE later.entry = run.entry
                      AND later.business_date > run.business_date AND later.state IN ('DONE', 'NEEDLESS'))
"""
LISTED = """
    SELECT entry.entry, zh, en, when_zh, when_en, off, next, run.business_date, run.state, run.attempts, run.left_out,
           run.reason, run.due, run.created, run.job_id, job.state AS job_state, job.ended
    FROM timetable_entry AS entry
    LEFT JOIN LATERAL (
        SELECT * FROM timetable_run WHERE timetable_run.entry = entry.entry ORDER BY created DESC LIMIT 1
    ) AS run ON true
    LEFT JOIN job ON job.id = run.job_id ORDER BY entry.entry
"""


@dataclass(frozen=True, slots=True)
class Moment:
    """The business day, and the time of it. A day that was moved by hand has no time: all of it is there."""

    day: date
    clock: time


async def moment(database: Database, now: Callable[[], datetime] = clocks.now) -> Moment:
    """What time it is to the law; in production nobody moves it."""
    here = now().astimezone(SHANGHAI)
    if not database.settings.is_prod:
        async with database.connection() as connection:
            moved: date | None = await connection.fetchval(MOVED)
        if moved is not None:
            return Moment(moved, time.max)
    return Moment(here.date(), here.time())


async def move_day(tx: Transaction, day: date | None) -> None:
    """Follow the platform to another business day, or (None) back to the real one; not for production."""
    if await tx.execute(MOVE, day):
        tx.audit("timetable_day_moved", detail={"day": str(day) if day else "real"})


async def listed(tx: Transaction) -> list[Record]:
    """Every entry with its latest start, as it stands."""
    return list(await tx.fetch(LISTED))


@dataclass(frozen=True, slots=True)
class _Start:
    """A start of an entry, in one of its tries."""

    entry: Entry
    day: date
    tries: int

    async def note(
        self,
        tx: Transaction,
        state: str,
        reason: str = "",
        *,
        job_id: UUID | None = None,
        pause: timedelta = timedelta(0),
    ) -> str:
        """Write down how it stands."""
        await tx.execute(NOTE, self.entry.name, self.day, state, reason, self.tries, job_id, pause)
        return state

    async def failed(self, tx: Transaction, reason: str) -> str:
        """Write down that it failed, and when it is tried again; after the last try it is not."""
        pause = min(FIRST_PAUSE * 2 ** (self.tries - 1), LONGEST_PAUSE)
        state = "GIVEN_UP" if self.tries >= TRIES_MAX else "FAILED"
        log.warning(
            "timetable_failed", entry=self.entry.name, business_date=str(self.day), tries=self.tries, reason=reason
        )
        return await self.note(tx, state, reason, pause=pause)


@dataclass(slots=True)
class Timekeeper:
    """Keeps the timetable of one service.

    Args:
        database: Where starts are booked.
        entries: What the service declares.
        now: The real clock.
    """

    database: Database
    entries: Sequence[Entry]
    now: Callable[[], datetime] = clocks.now

    async def run(self, stop: asyncio.Event) -> None:
        """Declare the entries, then look until told to stop."""
        is_declared = False
        while not stop.is_set():
            try:
                if not is_declared:
                    await self.declare()
                    is_declared = True
                await self.look()
            except (Unavailable, Conflict, Busy) as error:
                log.warning("timetable_not_looked_at", reason=error.reason)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await stop.wait()

    async def declare(self) -> None:
        """Write down what this release has; an entry of an older one is no longer shown, its starts stay."""
        here = await moment(self.database, self.now)

        async def work(tx: Transaction) -> None:
            for entry in self.entries:
                words = (entry.zh, entry.en, entry.when.zh, entry.when.en)
                await tx.execute(DECLARE, entry.name, *words, self._off(entry), here.day)
            await tx.execute(FORGET, [entry.name for entry in self.entries])

        await self._run(work, here.day, "timetable declare")

    async def look(self) -> int:
        """Start what is owed and look after what was started; returns the number of starts."""
        here = await moment(self.database, self.now)
        count = 0
        for entry in self.entries:
            for _ in range(STARTS_AT_ONCE):
                if not await self._step(entry, here):
                    break
                count += 1
        await self._measure()
        return count

    async def _step(self, entry: Entry, here: Moment) -> bool:
        """One start of an entry, when one is owed and nothing stands before it."""
        done: list[tuple[str, date]] = []

        async def work(tx: Transaction) -> bool:
            done.clear()
            row = await tx.fetchrow(LOCK, entry.name)
            if row is None:
                return False  # another replica looks at it
            # A day that was moved back begins anew: what lies between is neither owed nor made up for.
            since = here.day if here.day < row["seen"] else row["since"]
            had = [one["business_date"] for one in await tx.fetch(HAD, entry.name, _horizon(entry, since, here))]
            off = self._off(entry)
            await tx.execute(
                SEEN, entry.name, since, here.day, None if off else following(entry, here.day, here.clock, had)
            )
            if off:
                # Nothing is owed for the time in which it was off.
                await tx.execute("UPDATE timetable_entry SET since = $2 WHERE entry = $1", entry.name, here.day)
                return False
            next_ = owed(entry, since, here.day, here.clock, had)
            if not await self._look_after(tx, entry, next_, here) or next_ is None:
                return False
            if not await tx.execute(BOOK, entry.name, next_.business_date, next_.left_out):
                return False  # cannot be, since we hold the entry; the key of the row is the last word
            crash.at("timetable_booked")
            state = await self._start(tx, _Start(entry, next_.business_date, 1), here)
            crash.at("timetable_started")
            done.append((state, next_.business_date))
            return True

        started = await self._run(work, here.day, f"timetable {entry.name}")
        for state, day in done:
            metrics.TIMETABLE_STARTS.labels(entry.name, state.lower()).inc()
            log.info("timetable_start", entry=entry.name, business_date=str(day), state=state)
        return started

    async def _look_after(self, tx: Transaction, entry: Entry, next_: Owed | None, here: Moment) -> bool:
        """Take note of how earlier starts went and try failed ones again; whether another start may follow now."""
        is_free = True
        for row in await tx.fetch(OPEN, entry.name):
            one = _Start(entry, row["business_date"], row["attempts"])
            job_state, state = row["job_state"], row["state"]
            if job_state == "DONE":
                await one.note(tx, "DONE")
            elif job_state in {"QUEUED", "RUNNING", "PAUSED"}:
                if state != "STARTED":  # somebody let it go on by hand
                    await one.note(tx, "STARTED")
                is_free = False
            elif state == "GIVEN_UP":
                continue
            elif job_state == "CANCELLED":
                await one.note(tx, "GIVEN_UP", "CANCELLED")
            elif state == "STARTED":
                await one.failed(tx, row["message"] or "JOB_FAILED")
                is_free = False
            elif next_ is not None and entry.missed is Missed.LATEST:
                await one.note(tx, "GIVEN_UP", f"SUPERSEDED {next_.business_date}")
            else:
                is_free = False
                if row["is_due"]:
                    await self._again(tx, replace(one, tries=one.tries + 1), row["job_id"], here)
        return is_free

    async def _again(self, tx: Transaction, one: _Start, job_id: UUID | None, here: Moment) -> None:
        if job_id is None:
            await self._start(tx, one, here)
        else:
            await jobs.resume(tx, job_id)
            await one.note(tx, "STARTED")

    async def _start(self, tx: Transaction, one: _Start, here: Moment) -> str:
        """Let the entry start its job; returns the state that was noted."""
        entry = one.entry
        own_principal, own_day = tx.principal, tx.today
        tx.today = one.day if entry.missed is Missed.EACH else here.day
        if entry.prepares:
            tx.principal = replace(
                own_principal,
                roles=frozenset({"TIMETABLE"}),  # no role of the contract: it may call nothing
                natural_person=self.database.settings.timetable_maker,
            )
        try:
            with span(f"timetable {entry.name}", attributes={"hrss.timetable.date": str(one.day)}):
                async with tx.savepoint():
                    job_id = await entry.start(tx)
        except AlreadyExists as error:
            return await one.note(tx, "NEEDLESS", error.reason)
        except (Unavailable, Conflict, Busy):
            raise
        except DomainError as error:
            said = [str(error.metadata[name]) for name in ("file", "key", "on") if name in error.metadata]
            return await one.failed(tx, " ".join([error.reason, *said]))
        finally:
            tx.principal, tx.today = own_principal, own_day
        tx.audit(
            "timetable_started", detail={"entry": entry.name, "business_date": str(one.day), "try": str(one.tries)}
        )
        return await one.note(tx, "STARTED", job_id=job_id)

    async def _measure(self) -> None:
        """Bring the gauges up to date."""
        async with self.database.connection() as connection:
            row = await connection.fetchrow(TROUBLE)
        assert row is not None
        metrics.TIMETABLE_TROUBLE.labels("failed").set(row["failed"])
        metrics.TIMETABLE_TROUBLE.labels("given_up").set(row["given_up"])
        metrics.TIMETABLE_LOOKED.set(datetime.now(UTC).timestamp())

    def _off(self, entry: Entry) -> str:
        settings = self.database.settings
        return entry.off(settings.timetable_entries, settings.timetable_maker)

    async def _run(self, work: Callable[[Transaction], Awaitable[T]], day: date, method: str) -> T:
        principal = Principal.system(self.database.settings.service)
        return await transaction.run(self.database, work, principal=principal, today=day, method=method)


def _horizon(entry: Entry, since: date, here: Moment) -> date:
    """Starts before it cannot matter any more: the last one before the reach, whatever the entry's rhythm."""
    return min(since, here.day - timedelta(days=entry.when.reach_days + 366))
