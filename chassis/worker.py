"""The worker: takes chunks of jobs and runs them, several at once, on as many machines as there are.

A chunk is taken with a lease by the database's clock and a fencing token. A heartbeat over another connection renews
the lease while the chunk runs; the last statement of the chunk's transaction checks token and lease, so a process
that was stopped past its lease cannot commit what another has taken over.
"""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg

from chassis import clocks, crash, transaction
from chassis.database import BULK_POOL_SIZE
from chassis.jobs import READ, Chunk, JobKind, Reject, get, job_of
from chassis.logs import get_logger
from chassis.principal import Principal
from chassis.telemetry import remote, span
from kernel import ids
from kernel.errors import Busy, Conflict, DomainError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from chassis.database import Database
    from chassis.transaction import Transaction

log = get_logger(__name__)

LEASE_SECONDS = 30
HEARTBEAT_SECONDS = 10.0  # two may be lost before the lease ends
ATTEMPTS_MAX = 5
POLL_SECONDS = 1.0  # chunks that other processes added are found by looking
AWAY_SECONDS = 1.0
BACKOFF_SECONDS = 0.5  # doubles with each attempt

TAKE = """
    UPDATE job_chunk SET state = 'RUNNING', token = token + 1, attempts = attempts + 1, worker = $2,
        due = clock_timestamp() + make_interval(secs => $3)
    WHERE (job_id, number) = (
        SELECT chunk.job_id, chunk.number FROM job_chunk AS chunk JOIN job ON job.id = chunk.job_id
        WHERE job.state IN ('QUEUED', 'RUNNING') AND job.kind = ANY($1::text[])
          AND chunk.state IN ('QUEUED', 'RUNNING') AND chunk.due <= clock_timestamp() AND chunk.attempts < $4
        ORDER BY job.created, chunk.number FOR UPDATE OF chunk SKIP LOCKED LIMIT 1
    )
    RETURNING job_id, number, params, token, attempts
"""
BEGUN = "UPDATE job SET state = 'RUNNING' WHERE id = $1 AND state = 'QUEUED'"
RENEW = """
    UPDATE job_chunk SET due = clock_timestamp() + make_interval(secs => $4)
    WHERE job_id = $1 AND number = $2 AND token = $3 AND state = 'RUNNING'
"""
DONE = """
    UPDATE job_chunk SET state = 'DONE', done_count = $4, rejected_count = $5, skipped_count = $6, message = ''
    WHERE job_id = $1 AND number = $2 AND token = $3 AND state = 'RUNNING' AND due > clock_timestamp()
"""
FAILED = """
    UPDATE job_chunk SET state = CASE WHEN $5 THEN 'FAILED' ELSE 'QUEUED' END, message = $4,
        due = clock_timestamp() + make_interval(secs => $6)
    WHERE job_id = $1 AND number = $2 AND token = $3 AND state = 'RUNNING'
"""
# A chunk whose worker was killed in each of its attempts is nobody's: no worker will say that it failed.
GIVE_UP = """
    UPDATE job_chunk SET state = 'FAILED', message = 'its worker died in every attempt'
    WHERE state IN ('QUEUED', 'RUNNING') AND attempts >= $1 AND due <= clock_timestamp()
"""
END_FAILED = """
    UPDATE job SET state = 'FAILED', ended = clock_timestamp(), message = chunk.message
    FROM job_chunk AS chunk
    WHERE chunk.job_id = job.id AND chunk.state = 'FAILED' AND job.state IN ('QUEUED', 'RUNNING')
"""
FINISHED = """
    SELECT id FROM job WHERE state IN ('QUEUED', 'RUNNING') AND kind = ANY($1::text[])
      AND NOT EXISTS (SELECT FROM job_chunk WHERE job_id = job.id AND state <> 'DONE')
    LIMIT 1
"""
END_DONE = """
    UPDATE job SET state = 'DONE', ended = clock_timestamp(), message = ''
    WHERE id = $1 AND state IN ('QUEUED', 'RUNNING')
      AND NOT EXISTS (SELECT FROM job_chunk WHERE job_id = job.id AND state <> 'DONE')
"""
REJECT = """
    INSERT INTO job_reject (job_id, chunk, line, code, text_zh, text_en)
    SELECT $1::uuid, $2::integer, * FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[])
"""


class Fenced(Exception):  # noqa: N818 - a signal: somebody else has the chunk
    """The lease ended before the chunk was done; nothing of it is committed."""


@dataclass(slots=True)
class _Taken:
    job_id: UUID
    number: int
    params: Mapping[str, Any]
    token: int
    attempts: int


@dataclass(slots=True)
class Worker:
    """Takes chunks of the kinds that it knows and runs them, several at once."""

    database: Database
    kinds: Sequence[JobKind]
    side_by_side: int = BULK_POOL_SIZE
    lease_seconds: float = LEASE_SECONDS
    heartbeat_seconds: float = HEARTBEAT_SECONDS
    backoff_seconds: float = BACKOFF_SECONDS
    name: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}")
    _found: asyncio.Event = field(default_factory=asyncio.Event)
    _is_watched: bool = False

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; chunks that are begun are finished."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.side_by_side):
                group.create_task(self._work(stop))

    async def _work(self, stop: asyncio.Event) -> None:
        try:
            while not stop.is_set():
                try:
                    if not await self.run_one():
                        await self._wait()
                except Unavailable:
                    await asyncio.sleep(AWAY_SECONDS)
                except Exception:
                    log.exception("job_worker_failed")
                    await asyncio.sleep(AWAY_SECONDS)
        finally:
            self._found.set()  # whoever waits for this one to find something sees that it is over

    async def run_one(self) -> bool:
        """Take and run one chunk, or end one job; False when there is nothing to do."""
        self.database.jobs_added.clear()
        taken = await self._take()
        if taken is None:
            return await self._end_jobs()
        self._found.set()  # where there is one chunk there may be more
        await self._run(taken)
        return True

    async def _take(self) -> _Taken | None:
        names = [kind.name for kind in self.kinds]
        async with self.database.connection() as connection, connection.transaction():
            row = await connection.fetchrow(TAKE, names, self.name, float(self.lease_seconds), ATTEMPTS_MAX)
            if row is None:
                return None
            await connection.execute(BEGUN, row["job_id"])
        return _Taken(row["job_id"], row["number"], row["params"], row["token"], row["attempts"])

    async def _run(self, taken: _Taken) -> None:
        beat = asyncio.create_task(self._heartbeat(taken))
        crash.at("chunk_taken")
        try:
            await self._run_chunk(taken, beat)
        except Fenced:
            log.warning("chunk_fenced", job_id=ids.to_text("job", taken.job_id), chunk=taken.number)
        except Exception as error:  # noqa: BLE001 - whatever it is, the chunk is tried again or given up
            await self._failed(taken, error)
        finally:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)

    async def _run_chunk(self, taken: _Taken, beat: asyncio.Task[None]) -> None:
        async with self.database.connection() as connection:
            row = await connection.fetchrow(READ, taken.job_id)
        assert row is not None
        job = job_of(row)
        kind = next(kind for kind in self.kinds if kind.name == job.kind)

        async def work(tx: Transaction) -> None:
            result = await kind.run_chunk(tx, job, Chunk(taken.number, taken.params, taken.attempts))
            beat.cancel()  # from here on the row of the chunk is ours, and a heartbeat would only wait for us
            await _write_rejects(tx, taken, result.rejects)
            crash.at("chunk_before_done")
            counts = (result.done, len(result.rejects), result.skipped)
            if not await tx.execute(DONE, taken.job_id, taken.number, taken.token, *counts):
                raise Fenced

        attributes: dict[str, str | int] = {"hrss.job.id": ids.to_text("job", job.id), "hrss.job.chunk": taken.number}
        with remote(job.traceparent), span(f"job {job.kind}", attributes=attributes):
            await transaction.run(
                self.database,
                work,
                principal=Principal.system(self.database.settings.service),
                today=job.business_date,
                method=f"job {job.kind}",
                request_id=f"{ids.to_text('job', job.id)}/{taken.number}",
                bulk=True,
            )

    async def _failed(self, taken: _Taken, error: Exception) -> None:
        """Put the chunk back for another attempt, or give it up when it was the last or the refusal is for good."""
        is_final = isinstance(error, DomainError) and not isinstance(error, Busy | Conflict | Unavailable)
        is_last = is_final or taken.attempts >= ATTEMPTS_MAX
        message = error.reason if isinstance(error, DomainError) else type(error).__name__
        log.error(
            "chunk_failed", job_id=ids.to_text("job", taken.job_id), chunk=taken.number, attempt=taken.attempts,
            is_last=is_last, exc_info=error,
        )  # fmt: skip
        pause_seconds = self.backoff_seconds * 2.0 ** (taken.attempts - 1)
        async with self.database.connection() as connection, connection.transaction():
            await connection.execute(
                FAILED, taken.job_id, taken.number, taken.token, f"chunk {taken.number}: {message}", is_last,
                pause_seconds,
            )  # fmt: skip
            await connection.execute(END_FAILED)

    async def _end_jobs(self) -> bool:
        """End jobs that have nothing left to do; also those whose last worker was killed before it could."""
        async with self.database.connection() as connection:
            async with connection.transaction():
                if await connection.execute(GIVE_UP, ATTEMPTS_MAX) != "UPDATE 0":
                    await connection.execute(END_FAILED)
            job_id = await connection.fetchval(FINISHED, [kind.name for kind in self.kinds])
        if job_id is None:
            return False

        async def work(tx: Transaction) -> None:
            if await tx.execute(END_DONE, job_id):
                job = await get(tx, job_id)
                tx.today = job.business_date
                kind = next(kind for kind in self.kinds if kind.name == job.kind)
                if kind.finish is not None:
                    await kind.finish(tx, job)

        await transaction.run(
            self.database,
            work,
            principal=Principal.system(self.database.settings.service),
            today=clocks.business_day(),
            method="job end",
            request_id=ids.to_text("job", job_id),
            bulk=True,
        )
        return True

    async def _heartbeat(self, taken: _Taken) -> None:
        """Renew the lease over another connection while the chunk runs."""
        while True:
            await asyncio.sleep(self.heartbeat_seconds)
            try:
                async with self.database.connection() as connection:
                    key = (taken.job_id, taken.number, taken.token)
                    if await connection.execute(RENEW, *key, float(self.lease_seconds)) == "UPDATE 0":
                        return  # fenced: the commit will see it
            except (Unavailable, asyncpg.PostgresError):
                continue  # the lease still runs; the next beat may come through

    async def _wait(self) -> None:
        """Wait for work. One of several looks now and then, the others wait until it finds something."""
        if self._is_watched:
            self._found.clear()
            await self._found.wait()
            return
        self._is_watched = True
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self.database.jobs_added.wait()
        except TimeoutError:
            pass
        finally:
            self._is_watched = False


async def _write_rejects(tx: Transaction, taken: _Taken, rejected: Sequence[Reject]) -> None:
    if rejected:
        columns = [[getattr(one, name) for one in rejected] for name in ("line", "code", "text_zh", "text_en")]
        await tx.execute(REJECT, taken.job_id, taken.number, *columns)
