"""Jobs: each chunk takes effect once, whoever is killed or stopped."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

import chassis.worker
from chassis import jobs
from chassis.jobs import Chunk, ChunkResult, Job, JobKind, Reject
from chassis.worker import Worker
from kernel.errors import NotFound, PolicyParameterMissing, Refused
from tests.chassis.conditions import until
from tests.chassis.demo import TODAY, run
from tests.plugins.databases import NewDatabase, owner_execute, owner_fetch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from chassis.database import Database
    from chassis.transaction import Transaction


async def count_rows(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
    """A chunk that writes one row."""
    await tx.execute("INSERT INTO stroke (note, version, value) VALUES ('chunk', $1, 1)", chunk.number)
    return ChunkResult(done=chunk.params.get("rows", 1))


COUNT = JobKind("count", count_rows)


async def started(database: Database, chunks: Sequence[dict[str, Any]], kind: str = "count") -> UUID:
    job_id: UUID = await run(database, lambda tx: jobs.start(tx, kind, chunks=chunks, total_count=len(chunks)))
    return job_id


async def state_of(database: Database, job_id: UUID) -> Job:
    job: Job = await run(database, lambda tx: jobs.get(tx, job_id), read_only=True)
    return job


async def ended(database: Database, job_id: UUID) -> bool:
    return (await state_of(database, job_id)).ended is not None


async def chunks_done(database: Database) -> list[int]:
    return [row["version"] for row in await owner_fetch(database, "SELECT version FROM stroke ORDER BY version")]


@contextlib.asynccontextmanager
async def working(*workers: Worker) -> AsyncIterator[None]:
    stop = asyncio.Event()
    tasks = [asyncio.create_task(worker.run(stop)) for worker in workers]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def test_many_workers_do_each_chunk_once(database: Database, new_database: NewDatabase) -> None:
    job_id = await started(database, [{"rows": 10}] * 30)
    other_process = new_database.opened(database.settings)

    async with working(Worker(database, [COUNT]), Worker(other_process, [COUNT])):
        await until(lambda: ended(database, job_id))

    job = await state_of(database, job_id)
    assert (job.state, job.done_count, job.chunk_count, job.business_date) == ("DONE", 300, 30, TODAY)
    assert await chunks_done(database) == list(range(1, 31))
    taken = await owner_fetch(database, "SELECT DISTINCT attempts, token FROM job_chunk")
    assert [tuple(row) for row in taken] == [(1, 1)]


async def test_of_idle_workers_one_looks_and_tells_the_others(
    database: Database, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chassis.worker, "POLL_SECONDS", 0.02)
    looks: list[float] = []
    together = asyncio.Barrier(4)

    class Looking(Worker):
        async def run_one(self) -> bool:
            looks.append(asyncio.get_running_loop().time())
            return await super().run_one()

    async def meet(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        async with asyncio.timeout(5):
            await together.wait()
        return await count_rows(tx, job, chunk)

    async with working(Looking(database, [JobKind("count", meet)])):
        await until(lambda: len(looks) >= 14)
        assert looks[-1] - looks[4] >= 9 * 0.02  # four look at first, then one of them each time
        job_id = await started(new_database.opened(database.settings), [{}] * 4)  # by another process
        await until(lambda: ended(database, job_id))

    assert (await state_of(database, job_id)).state == "DONE"


async def test_a_chunk_may_plan_further_chunks(database: Database) -> None:
    async def plan(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        if chunk.params.get("plan"):
            await jobs.add_chunks(tx, job.id, [{"rows": 5}, {"rows": 6}])
            return ChunkResult()
        return await count_rows(tx, job, chunk)

    job_id = await started(database, [{"plan": True}], "planned")

    async with working(Worker(database, [JobKind("planned", plan)])):
        await until(lambda: ended(database, job_id))

    assert (await state_of(database, job_id)).done_count == 11
    assert await chunks_done(database) == [2, 3]


async def test_the_last_chunk_is_followed_by_the_finish_once(database: Database, new_database: NewDatabase) -> None:
    async def finish(tx: Transaction, job: Job) -> None:
        tx.audit("finished", detail={"done": str(job.done_count)})

    kind = JobKind("count", count_rows, finish)
    job_id = await started(database, [{}] * 8)

    async with working(Worker(database, [kind]), Worker(new_database.opened(database.settings), [kind])):
        await until(lambda: ended(database, job_id))

    (row,) = await owner_fetch(database, "SELECT detail FROM audit WHERE action = 'finished'")
    assert row["detail"] == '{"done": "8"}'


async def test_rejected_rows_are_listed_in_order(database: Database) -> None:
    async def reject(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        lines = [Reject(line, "WRONG", "错", "wrong") for line in (2, 1)]
        return ChunkResult(done=1, skipped=2, rejects=lines)

    job_id = await started(database, [{}, {}], "reject")
    async with working(Worker(database, [JobKind("reject", reject)])):
        await until(lambda: ended(database, job_id))

    found = await run(database, lambda tx: jobs.rejects(tx, job_id, after=(1, 1)))
    assert [(chunk, one.line, one.text_zh) for chunk, one in found] == [(1, 2, "错"), (2, 1, "错"), (2, 2, "错")]
    job = await state_of(database, job_id)
    assert (job.done_count, job.rejected_count, job.skipped_count) == (2, 4, 4)


async def test_a_failing_chunk_is_tried_five_times_and_ends_the_job(database: Database) -> None:
    tries: list[int] = []

    async def fail(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        tries.append(chunk.attempt)
        await count_rows(tx, job, chunk)
        raise ValueError("320602199001011234")

    job_id = await started(database, [{}], "fail")
    async with working(Worker(database, [JobKind("fail", fail)], backoff_seconds=0.0)):
        await until(lambda: ended(database, job_id))

    job = await state_of(database, job_id)
    assert (job.state, job.message) == ("FAILED", "chunk 1: ValueError")
    assert tries == [1, 2, 3, 4, 5]
    assert await chunks_done(database) == []


async def test_a_refusal_ends_the_job_at_once_and_resume_tries_again(database: Database) -> None:
    known = False

    async def needs(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        if not known:
            raise PolicyParameterMissing("pension", "rate", "2025-01-01")
        return await count_rows(tx, job, chunk)

    job_id = await started(database, [{}], "needs")
    worker = Worker(database, [JobKind("needs", needs)])
    async with working(worker):
        await until(lambda: ended(database, job_id))
        assert (await state_of(database, job_id)).message == "chunk 1: POLICY_PARAMETER_MISSING"
        known = True
        await run(database, lambda tx: jobs.resume(tx, job_id))
        await until(lambda: is_state(database, job_id, "DONE"))

    assert await chunks_done(database) == [1]


async def is_state(database: Database, job_id: UUID, state: str) -> bool:
    return (await state_of(database, job_id)).state == state


async def test_a_paused_job_takes_no_chunk_until_it_is_resumed(database: Database) -> None:
    job_id = await started(database, [{}] * 3)
    await run(database, lambda tx: jobs.pause(tx, job_id, reason="month end"))
    worker = Worker(database, [COUNT])

    assert not await worker.run_one()
    await run(database, lambda tx: jobs.resume(tx, job_id))
    while await worker.run_one():
        pass

    assert (await state_of(database, job_id)).state == "DONE"


async def test_a_cancelled_job_keeps_what_was_done(database: Database) -> None:
    job_id = await started(database, [{}] * 3)
    worker = Worker(database, [COUNT])
    await worker.run_one()

    await run(database, lambda tx: jobs.cancel(tx, job_id))

    assert not await worker.run_one()
    assert await chunks_done(database) == [1]
    with pytest.raises(Refused, match="JOB_NOT_RUNNING"):
        await run(database, lambda tx: jobs.resume(tx, job_id))


async def test_a_worker_that_lost_its_lease_cannot_commit(database: Database, new_database: NewDatabase) -> None:
    """As after SIGSTOP: the chunk is inside its transaction while its lease ends and another worker takes it."""
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def slow(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        if chunk.attempt == 1:
            inside.set()
            await go_on.wait()
        return await count_rows(tx, job, chunk)

    job_id = await started(database, [{}], "slow")
    kind = JobKind("slow", slow)
    stopped = Worker(database, [kind], name="stopped")
    first = asyncio.create_task(stopped.run_one())
    await inside.wait()
    await owner_execute(database, "UPDATE job_chunk SET due = clock_timestamp() - interval '1 s'")
    other = Worker(new_database.opened(database.settings), [kind], name="other")
    assert await other.run_one()
    go_on.set()
    await first
    await other.run_one()

    assert await chunks_done(database) == [1]
    (row,) = await owner_fetch(database, "SELECT worker, token, state FROM job_chunk")
    assert (row["worker"], row["token"], row["state"]) == ("other", 2, "DONE")
    assert (await state_of(database, job_id)).state == "DONE"


async def test_a_lease_that_ended_before_the_commit_is_no_lease(database: Database) -> None:
    async def late(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        await owner_execute(database, "UPDATE job_chunk SET due = clock_timestamp() - interval '1 s'")
        return await count_rows(tx, job, chunk)

    await started(database, [{}], "late")

    await Worker(database, [JobKind("late", late)]).run_one()

    assert await chunks_done(database) == []


async def test_a_long_chunk_keeps_its_lease(database: Database, new_database: NewDatabase) -> None:
    renewed = asyncio.Event()

    async def long(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        await renewed.wait()
        return await count_rows(tx, job, chunk)

    await started(database, [{}], "long")
    kind = JobKind("long", long)
    worker = Worker(database, [kind], lease_seconds=1.0, heartbeat_seconds=0.05)
    running = asyncio.create_task(worker.run_one())
    before = await until(lambda: leased(database))
    await until(lambda: leased(database, later_than=before, seconds=1.1))
    assert not await Worker(new_database.opened(database.settings), [kind]).run_one()
    renewed.set()
    await running

    assert await chunks_done(database) == [1]


async def leased(database: Database, later_than: Any = None, seconds: float = 0.0) -> Any:
    """The end of the lease, once it is later than it was by so many seconds."""
    (row,) = await owner_fetch(
        database, "SELECT due FROM job_chunk WHERE state = 'RUNNING' UNION ALL SELECT NULL LIMIT 1"
    )
    if row["due"] is None or (later_than is not None and (row["due"] - later_than).total_seconds() < seconds):
        return None
    return row["due"]


async def test_a_chunk_that_kills_every_worker_ends_the_job(database: Database) -> None:
    job_id = await started(database, [{}])
    await owner_execute(
        database,
        "UPDATE job_chunk SET state = 'RUNNING', attempts = 5, due = clock_timestamp() - interval '1 s'",
    )

    await Worker(database, [COUNT]).run_one()

    job = await state_of(database, job_id)
    assert (job.state, job.message) == ("FAILED", "its worker died in every attempt")


async def test_a_job_that_nobody_started_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound, match="JOB_NOT_FOUND"):
        await run(database, lambda tx: jobs.get(tx, UUID(int=0)))
