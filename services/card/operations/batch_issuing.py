"""The job that issues a batch: each part is one transaction of cards, places, facts, one audit row and its counts.

Nothing is signed: codes are signed when they are minted, credentials when a device is bound. Places are leased in a
transaction of their own over another connection, never inside that of the part, or parts would wait for each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from chassis.database import violated
from chassis.jobs import ChunkResult, JobKind
from kernel import ids
from kernel.errors import Refused
from services.card.batches import BatchState, digest_of
from services.card.domain import number
from services.card.domain.issuing import level, years_later
from services.card.messages import batches as messages
from services.card.operations import batch_judging
from services.card.store import batches as store
from services.card.store.batches import NewCard
from services.card.tokens import REFERENCE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from chassis.database import Database
    from chassis.jobs import Chunk, Job
    from chassis.transaction import Transaction
    from services.card.operations.batch_judging import Judged
    from services.card.operations.office import Office
    from services.card.store.batches import Candidate

JOB = "card_batch_issue"
PROGRESS_STEPS = 50  # a fact for every fiftieth of the parts
_DRAWS = 20  # as for one card: a second draw is rare, a twentieth means that the draw is broken
# Another card may have the number or the reference that was drawn, another batch the person: then row by row.
TAKEN = frozenset({"card_issue_no_key", "card_reference_key", "card_one_live"})


def job(office: Office) -> JobKind:
    """The job."""

    async def run_chunk(tx: Transaction, job_: Job, chunk: Chunk) -> ChunkResult:
        batch = await store.get(tx, UUID(job_.params["batch_id"]))
        assert batch is not None
        part = await store.part(tx, batch, chunk.params["part"], lock=True)
        if part is None:
            raise Refused("CARD_BATCH_STATE_WRONG", "the rows of this part were given up", state=batch.state.value)
        judged = await batch_judging.judge(tx, batch, part, office, lock=True)
        made = await _issue(tx, judged, office)
        digest = digest_of(
            b"%s %s %s" % (one.card_id.bytes, one.person_id.bytes, one.issue_no.encode()) for one in made
        )
        await store.note_issued(tx, batch.batch_id, part.number, len(made), digest)
        tx.emit_many(messages.issued(made, tx.today), are_first=True)
        result = ChunkResult(len(made), len(judged.skipped), judged.rejects)
        _audit(tx, batch.text_id, part.number, result, digest)
        if part.number % max(1, job_.chunk_count // PROGRESS_STEPS) == 0:
            tx.emit(messages.progressed(batch, job_, result))
        return result

    return JobKind(JOB, run_chunk, finish)


async def finish(tx: Transaction, job_: Job) -> None:
    """The end: every row was issued, rejected or skipped."""
    batch = await store.get(tx, UUID(job_.params["batch_id"]), lock=True)
    assert batch is not None
    if job_.done_count + job_.rejected_count + job_.skipped_count != batch.row_count:
        raise RuntimeError("the rows of a batch do not add up")
    await store.change(tx, batch.batch_id, state=BatchState.DONE.value)
    tx.emit(messages.changed(batch, BatchState.DONE, row_count=batch.row_count, job=job_))
    detail = {"batch_id": batch.text_id, "issued": str(job_.done_count), "rejected": str(job_.rejected_count)}
    tx.audit("card_batch_done", detail=detail | {"skipped": str(job_.skipped_count)})


def _audit(tx: Transaction, batch_id: str, part: int, result: ChunkResult, digest: bytes) -> None:
    """One row for the part: how many of what, and the digest over card, person and number of each."""
    counts = {"issued": result.done, "rejected": len(result.rejects), "skipped": result.skipped}
    tx.audit(
        "card_batch_issued",
        detail={"batch_id": batch_id, "part": str(part), "digest": digest.hex()}
        | {name: str(count) for name, count in counts.items()},
    )


async def _issue(tx: Transaction, judged: Judged, office: Office) -> Sequence[NewCard]:
    """Write cards for the rows that are ready; those that somebody else served meanwhile are skipped."""
    if not judged.ready:
        return []
    places = await _lease(tx.database, office, len(judged.ready))
    until = years_later(tx.today, office.policy.valid_years.on(tx.today).value)
    made = [_new(one, place, until, office) for (_, one), place in zip(judged.ready, places, strict=True)]
    try:
        async with tx.savepoint():
            await store.copy(tx, made)
    except asyncpg.UniqueViolationError as error:
        if violated(error) not in TAKEN:
            raise
    else:
        return made
    return await _one_by_one(tx, judged, made, lambda one, place: _new(one, place, until, office))


async def _one_by_one(
    tx: Transaction,
    judged: Judged,
    drawn: Sequence[NewCard],
    draw: Callable[[Candidate, tuple[int, int]], NewCard],
) -> Sequence[NewCard]:
    """The same row by row: numbers that are taken are drawn again, persons who have a card by now are skipped."""
    made: list[NewCard] = []
    for (row, one), first in zip(judged.ready, drawn, strict=True):
        card = first
        for _ in range(_DRAWS):
            if await _added(tx, card):
                made.append(card)
                break
            if await store.with_card(tx, [one.person_id]):
                judged.skipped.add(row)
                break
            card = draw(one, (first.list_no, first.index))
        else:
            raise RuntimeError("no free issue number was drawn")
    return made


class _Taken(Exception):  # noqa: N818 - a signal: what was written of the card is undone
    """Something of a card is another's."""


async def _added(tx: Transaction, card: NewCard) -> bool:
    try:
        async with tx.savepoint():
            if not await store.add_card(tx, card):
                raise _Taken
    except _Taken:
        return False
    return True


async def _lease(database: Database, office: Office, count: int) -> list[tuple[int, int]]:
    """So many places; a list that is nearly full gives fewer, and the next one the rest."""
    places: list[tuple[int, int]] = []
    while len(places) < count:
        places += await office.places.lease(database, count - len(places))
    return places


def _new(one: Candidate, place: tuple[int, int], until: date, office: Office) -> NewCard:
    return NewCard(
        card_id=ids.new_id(),
        binding_id=ids.new_id(),
        person_id=one.person_id,
        issue_no=number.make(office.draw()),
        reference=office.tell(REFERENCE_BYTES),
        level=level(payment_enabled=one.payment_enabled),
        list_no=place[0],
        index=place[1],
        valid_to=until,
    )
