"""The daily step of family accounts as a job: who came of age, whose term is over, which invitations nobody answered.

Each chunk takes the next five hundred of one kind and adds another chunk while there are more. Whatever it has not
reached yet is stopped at use all the same (`domain.family.standing`).
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from chassis import jobs
from chassis.jobs import ChunkResult, JobKind
from kernel.calendar import add_months
from services.card.domain import family
from services.card.operations.family import note
from services.card.store import days, delegations

if TYPE_CHECKING:
    from chassis.jobs import Chunk, Job
    from chassis.transaction import Transaction
    from services.card.operations.office import Office

JOB = "family_day"
CHUNK_ROWS = 500


class What(StrEnum):
    """What a chunk looks for, and the action in the audit."""

    CAME_OF_AGE = "family_came_of_age"
    TERM_OVER = "family_term_over"
    LAPSED = "family_invitation_lapsed"


async def start(tx: Transaction, office: Office) -> Job:
    """Start the job of today, once; asked again it is the same job.

    Raises:
        Refused: POLICY_PARAMETER_MISSING.
    """
    office.policy.consent_age.on(tx.today)  # what is not known refuses here, not in every chunk
    office.policy.invitation_days.on(tx.today)
    if (there := await days.family_job_of(tx, tx.today)) is None:
        there = await jobs.start(tx, JOB, params={}, chunks=[{"what": what.value} for what in What])
        await days.add_family(tx, tx.today, there)
    return await jobs.get(tx, there)


def job(office: Office, *, size: int = CHUNK_ROWS) -> JobKind:
    """The job; a chunk takes so many family accounts."""
    return JobKind(JOB, partial(_run_chunk, office=office, size=size))


async def _run_chunk(tx: Transaction, job_: Job, chunk: Chunk, *, office: Office, size: int) -> ChunkResult:
    what = What(chunk.params["what"])
    match what:
        case What.CAME_OF_AGE:
            years = office.policy.consent_age.on(tx.today).value
            born_until = add_months(tx.today, -years * family.MONTHS_OF_A_YEAR)
            changed = await delegations.suspend_of_age(tx, born_until, size)
        case What.TERM_OVER:
            changed = await delegations.end_of_term(tx, size)
        case What.LAPSED:
            invited_until = tx.today - timedelta(days=office.policy.invitation_days.on(tx.today).value)
            changed = await delegations.end_unanswered(tx, invited_until, size)
    for one in changed:
        note(tx, what.value, one)
    if len(changed) == size:
        await jobs.add_chunks(tx, job_.id, [{"what": what.value}])
    return ChunkResult(done=len(changed))
