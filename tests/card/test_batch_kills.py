"""A worker dies anywhere in a batch, and cards, numbers, places, facts and counts are as if it never had."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

from chassis import crash
from hrss.card.v1 import batches_service_pb2 as pb
from services.card.operations import batch_preparing
from tests.card.batch_desk import csv_of, hold, people
from tests.chassis.conditions import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.card.batch_desk import Batches

LIMIT_SECONDS = 60.0
KILLED = -signal.SIGKILL
SEED = 20261123


class Victims:
    """Workers in processes of their own."""

    def __init__(self, process: asyncio.subprocess.Process, batches: Batches) -> None:
        self._process = process
        self._batches = batches

    async def begin(self, at: str = "") -> int:
        """Start one, perhaps to die at a point; its process id."""
        assert self._process.stdin is not None
        settings = self._batches.database.settings.model_copy(update={"test_crash": at})
        self._process.stdin.write(settings.model_dump_json().encode() + b"\n")
        return await self.said()

    async def said(self) -> int:
        """What the process says next: the id of a worker, or what it ended with."""
        assert self._process.stdout is not None
        return int(await asyncio.wait_for(self._process.stdout.readline(), LIMIT_SECONDS))

    async def buried(self) -> None:
        """Let others have what a dead worker held, as it would be after half a minute."""
        await self._batches.rows("UPDATE job_chunk SET due = clock_timestamp() WHERE state = 'RUNNING'")


@contextlib.asynccontextmanager
async def victims(batches: Batches) -> AsyncIterator[Victims]:
    """The process that workers are forked from."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.card.batch_victim",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith("HRSS_")},
    )
    try:
        yield Victims(process, batches)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.wait_for(process.wait(), LIMIT_SECONDS)


async def a_batch(batches: Batches, size: int) -> pb.CardBatch:
    """A batch that runs, of good rows, two bad ones and one that has its card."""
    known = people(size)
    await hold(batches.database, known)
    await batches.done(csv_of(known[:1]))
    batch = await batches.prepared(csv_of(known, "没有,990000190001010015", "x"))
    await batches.approve(batch)
    return batch


async def whole(batches: Batches, batch: pb.CardBatch, size: int) -> None:
    """The batch is done, and everything adds up."""
    done = await batches.get(batch.batch_id)
    assert (done.state, done.issued_count, done.rejected_count, done.skipped_count, done.open_count) == (
        pb.CARD_BATCH_STATE_DONE,
        size - 1,
        2,
        1,
        0,
    )
    assert await batches.reconcile() == size


async def test_threat_11_a_worker_that_dies_in_a_batch_issues_nothing_twice(
    batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_preparing, "PART_ROWS", 20)
    batch = await a_batch(batches, 200)

    async with victims(batches) as dying:
        # Among the transactions of a worker are leases of places and the parts themselves.
        for at in ("chunk_before_done:3", "before_commit:2", "after_commit:4"):
            await dying.begin(at)
            assert await dying.said() == crash.EXIT_CODE
            await dying.buried()
        before = await batches.get(batch.batch_id)
        assert 0 < before.open_count < before.row_count
        await batches.work()

    await whole(batches, batch, 200)


async def parts_done(batches: Batches) -> int:
    """How many parts are done."""
    query = "SELECT count(*) FROM card_batch_part WHERE issued IS NOT NULL"
    return int((await batches.rows(query))[0][0])


async def has_done(batches: Batches, least: int) -> bool:
    """Whether so many parts are done."""
    return await parts_done(batches) >= least


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_twenty_random_kills_leave_the_same_counts(batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_preparing, "PART_ROWS", 40)
    batch = await a_batch(batches, 8_000)
    draw, kills = random.Random(SEED), 0

    async with victims(batches) as dying:
        while kills < 20:
            wanted = await parts_done(batches) + draw.randrange(6)
            pid = await dying.begin()
            end = asyncio.create_task(dying.said())
            await until(partial(has_done, batches, wanted), seconds=LIMIT_SECONDS)
            await asyncio.wait([end], timeout=draw.uniform(0.0, 0.1))
            assert not end.done(), "the batch was over before it was killed twenty times"
            os.kill(pid, signal.SIGKILL)
            assert await end == KILLED
            kills += 1
            await dying.buried()
            # A part that was five times in the hands of the dead is given up until somebody lets the job go on.
            await batches.rows("UPDATE job_chunk SET attempts = 0")
        killed = await batches.get(batch.batch_id)
        assert killed.open_count
        assert killed.issued_count
        await batches.work()

    await whole(batches, batch, 8_000)
