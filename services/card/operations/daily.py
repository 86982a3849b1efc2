"""What a day brings for all cards, as a job: validity that is over (到期), temporary losses whose time is over.

Each chunk takes the next five hundred cards and adds another chunk while there are more, so that a killed one is done
again and a city that was issued on one day ends in parts. A card changes by the one function of `operations.life`.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from chassis import jobs
from chassis.jobs import ChunkResult, JobKind
from services.card.domain.lifecycle import Actor, CardEvent
from services.card.operations import holders, issuing, life
from services.card.store import cards, days

if TYPE_CHECKING:
    from chassis.jobs import Chunk, Job
    from chassis.transaction import Transaction
    from services.card.operations.office import Office

JOB = "card_day"
CHUNK_CARDS = 500  # one event message of facts
EXPIRE, LAPSE = "expire", "lapse"


async def start(tx: Transaction, office: Office) -> Job:
    """Start the job of today, once; asked again it is the same job.

    Raises:
        Refused: POLICY_PARAMETER_MISSING.
    """
    office.policy.temp_loss_days.on(tx.today)  # what is not known refuses here, not in every chunk
    if (there := await days.job_of(tx, tx.today)) is None:
        there = await jobs.start(tx, JOB, params={}, chunks=[{"what": EXPIRE}, {"what": LAPSE}])
        await days.add(tx, tx.today, there)
    return await jobs.get(tx, there)


def job(office: Office, *, size: int = CHUNK_CARDS) -> JobKind:
    """The job; a chunk takes so many cards."""
    return JobKind(JOB, partial(_run_chunk, office=office, size=size))


async def _run_chunk(tx: Transaction, job_: Job, chunk: Chunk, *, office: Office, size: int) -> ChunkResult:
    what = chunk.params["what"]
    count = await (_expire(tx, size) if what == EXPIRE else _lapse(tx, size, office))
    if count == size:
        await jobs.add_chunks(tx, job_.id, [{"what": what}])
    return ChunkResult(done=count)


async def _expire(tx: Transaction, size: int) -> int:
    """The last day of validity is a day on which a card is good."""
    over = await cards.lock_expired(tx, tx.today, size)
    for card in over:
        life.change(tx, card, CardEvent.EXPIRE, Actor.SYSTEM)
    return len(over)


async def _lapse(tx: Transaction, size: int, office: Office) -> int:
    """A temporary loss that nobody made formal lapses after so many days; never, when the policy says 0."""
    if not (limit := office.policy.temp_loss_days.on(tx.today).value):
        return 0
    over = await cards.lock_lapsed(tx, tx.today - timedelta(days=limit), size)
    for card in over:
        life.change(tx, card, CardEvent.LAPSE, Actor.SYSTEM)
        await issuing.settle(tx, card, await holders.known(tx, card.person_id))
    return len(over)
