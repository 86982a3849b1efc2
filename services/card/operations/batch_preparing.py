"""The job that prepares a batch: its rows are cut into parts and looked at; nothing is issued (试算)."""

from __future__ import annotations

import array
import itertools
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from chassis import approval, jobs
from chassis.jobs import ChunkResult, JobKind
from services.card import batch_file
from services.card.batches import PART_ROWS, BatchState, Found, Part, Source, digest_of
from services.card.messages import batches as messages
from services.card.operations import batch_judging
from services.card.store import batches as store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chassis.files import Files
    from chassis.jobs import Chunk, Job
    from chassis.transaction import Transaction
    from services.card.batches import Batch
    from services.card.operations.office import Office

JOB = "card_batch_prepare"
APPROVAL = "card_batch"
PLAN = {"plan": True}  # the first chunk finds the others
PARTS_AT_ONCE = 20  # between two statements: neither the loop nor the database waits long
FINGERPRINTS_AT_ONCE = 50_000
NOBODY = UUID(int=0)


def job(files: Files, office: Office) -> JobKind:
    """The job."""

    async def run_chunk(tx: Transaction, job_: Job, chunk: Chunk) -> ChunkResult:
        batch = await store.get(tx, UUID(job_.params["batch_id"]))
        assert batch is not None
        if "plan" in chunk.params:
            return await _plan(tx, job_, batch, files)
        part = await store.part(tx, batch, chunk.params["part"])
        if part is None:  # cancelled meanwhile, and its rows were given up
            return ChunkResult()
        judged = await batch_judging.judge(tx, batch, part, office, lock=False)
        await store.note_found(tx, batch.batch_id, part.number, judged.found, judged.digest())
        return ChunkResult(done=len(judged.ready), skipped=len(judged.skipped), rejects=judged.rejects)

    return JobKind(JOB, run_chunk, finish)


async def finish(tx: Transaction, job_: Job) -> None:
    """The end: parts add up, and a second person is asked for exactly that."""
    batch = await store.get(tx, UUID(job_.params["batch_id"]), lock=True)
    assert batch is not None
    if batch.state is not BatchState.PREPARING:
        return  # cancelled meanwhile
    _, found, parts_digest = await store.summed(tx, batch.batch_id)
    digest = approval_digest(batch, found, parts_digest)
    approval_id = await approval.request(tx, kind=APPROVAL, subject=batch.text_id, payload=digest, maker=batch.maker)
    rows = found.ready + found.rejected + found.skipped
    await store.change(
        tx,
        batch.batch_id,
        state=BatchState.PREPARED.value,
        digest=digest,
        row_count=rows,
        approval_id=approval_id,
    )
    tx.emit(messages.changed(batch, BatchState.PREPARED, row_count=rows))
    tx.audit("card_batch_prepared", detail={"batch_id": batch.text_id, "rows": str(rows), "digest": digest.hex()})


def approval_digest(batch: Batch, found: Found, parts_digest: bytes) -> bytes:
    """What a second person approves: the file, every row and its verdict, and the sums."""
    sums = f"{batch.text_id}|{batch.source}|{found.ready}|{found.rejected}|{found.skipped}"
    return digest_of(sums.encode(), batch.file_digest or b"", parts_digest)


async def _plan(tx: Transaction, job_: Job, batch: Batch, files: Files) -> ChunkResult:
    count, is_file = 0, batch.source is Source.FILE
    parts = _of_file(tx, batch, files) if is_file else _of_register(tx)
    kept: list[Part] = []
    async for part in parts:
        kept.append(part)
        count = part.number
        if len(kept) == PARTS_AT_ONCE:
            await _keep(tx, job_, batch, kept)
            kept.clear()
    await _keep(tx, job_, batch, kept)
    if not is_file:
        # Whom the register offers was found by the rule itself, in its set form: that is the dry run.
        await store.change(tx, batch.batch_id, left_out=await _left_out(tx))
    tx.audit("card_batch_planned", detail={"batch_id": batch.text_id, "parts": str(count)})
    return ChunkResult()


async def _keep(tx: Transaction, job_: Job, batch: Batch, parts: list[Part]) -> None:
    if not parts:
        return
    await store.add_parts(tx, batch.batch_id, parts)
    if batch.source is Source.FILE:
        rows = sum(part.row_count for part in parts)
        await jobs.add_chunks(tx, job_.id, [{"part": part.number} for part in parts], row_count=rows)
        return
    for part in parts:
        digest = digest_of(person.bytes for person in part.persons)
        await store.note_found(tx, batch.batch_id, part.number, Found(ready=part.row_count), digest)


async def _left_out(tx: Transaction) -> str:
    return messages.as_json(await store.left_out(tx))


async def _of_register(tx: Transaction) -> AsyncIterator[Part]:
    """Everybody who may have a card and has none, in the order in which they were registered."""
    after, number = NOBODY, itertools.count(1)
    first = 1
    while found := await store.ready(tx, after, PARTS_AT_ONCE * PART_ROWS):
        for at in range(0, len(found), PART_ROWS):
            persons = found[at : at + PART_ROWS]
            yield Part(next(number), first, persons=persons)
            first += len(persons)
        after = found[-1]


async def _of_file(tx: Transaction, batch: Batch, files: Files) -> AsyncIterator[Part]:
    """The lines of a file; those that name somebody for the second time are known before the first part is made."""
    assert batch.upload_id is not None
    assert batch.file_digest is not None
    file = batch_file.open_file(await files.get(batch.upload_id, batch.file_digest.hex()))
    prints = array.array("q")
    for line in file.lines():
        prints.append(batch_file.fingerprint(line))
        if len(prints) % FINGERPRINTS_AT_ONCE == 0:
            await tx.execute("SELECT 1")  # else the server takes us for somebody who fell asleep
    again = batch_file.repeated(np.frombuffer(prints, np.int64))
    at, number, lines = 0, itertools.count(1), iter(file.lines())
    while cut := list(itertools.islice(lines, PART_ROWS)):
        first = at + batch_file.FIRST_LINE
        repeated = frozenset(place + batch_file.FIRST_LINE for place in range(at, at + len(cut)) if place in again)
        yield Part(next(number), first, cut, repeated)
        at += len(cut)
