"""Places for cards that were issued before there were status lists: a job, five hundred cards to a transaction.

The migration wrote down which cards these are; a chunk takes the next ones off that list and adds another chunk while
there are more, so that a killed one is done again and a place is given once.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from chassis import jobs
from chassis.jobs import ChunkResult, JobKind
from services.card.store import bindings

if TYPE_CHECKING:
    from chassis.jobs import Chunk, Job
    from chassis.transaction import Transaction
    from services.card.operations.office import Office

JOB = "card_places"
CHUNK_CARDS = 500


async def begin(tx: Transaction) -> bool:
    """Start the job when there is anything to place and nobody is at it; whether it was started."""
    waiting = await bindings.unplaced(tx, JOB)
    if waiting:
        await jobs.start(tx, JOB, params={}, chunks=[{}], total_count=waiting)
    return bool(waiting)


def job(office: Office, *, size: int = CHUNK_CARDS) -> JobKind:
    """The job; a chunk takes so many cards."""
    return JobKind(JOB, partial(_run_chunk, office=office, size=size))


async def _run_chunk(tx: Transaction, job_: Job, chunk: Chunk, *, office: Office, size: int) -> ChunkResult:
    found = await bindings.take_unplaced(tx, size)
    places = await office.places.several(tx.database, len(found))  # over another connection: nobody waits for it
    placed = await bindings.place(tx, found, places)
    tx.audit("card_places_given", detail={"part": str(chunk.number), "placed": str(placed)})
    if len(found) == size:
        await jobs.add_chunks(tx, job_.id, [{}])
    return ChunkResult(done=placed, skipped=len(found) - placed)
