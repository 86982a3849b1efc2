"""What a day brings for family accounts, as a job: wards who came of age, terms that are over.

Each chunk takes the next five hundred and adds another chunk while there are more. What it has not reached yet is
stopped at use all the same (`domain.family.standing`), and a repeated one finds nothing.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from chassis import jobs
from chassis.jobs import ChunkResult, JobKind
from services.card.operations import family

if TYPE_CHECKING:
    from chassis.jobs import Chunk, Job
    from chassis.transaction import Transaction
    from services.card.operations.office import Office

JOB = "family_day"
CHUNK_ACCOUNTS = 500


async def start(tx: Transaction, office: Office) -> Job:
    """Start the day of family accounts.

    Raises:
        Refused: POLICY_PARAMETER_MISSING.
    """
    office.policy.consent_age.on(tx.today)  # what is not known refuses here, not in every chunk
    return await jobs.get(tx, await jobs.start(tx, JOB, chunks=[{}]))


def job(office: Office, *, size: int = CHUNK_ACCOUNTS) -> JobKind:
    """The job; a chunk takes so many family accounts."""
    return JobKind(JOB, partial(_run_chunk, office=office, size=size))


async def _run_chunk(tx: Transaction, job_: Job, _chunk: Chunk, *, office: Office, size: int) -> ChunkResult:
    count = await family.step(tx, office, size)
    if count == size:
        await jobs.add_chunks(tx, job_.id, [{}])
    return ChunkResult(done=count)
