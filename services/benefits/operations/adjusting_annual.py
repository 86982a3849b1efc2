"""The annual adjustment as jobs: dry run, run and reversal, some thousand people in one transaction each.

The arithmetic is the set form (`domain.population.adjustments`), equal to the one-person form on every fen; what is
stored is what the one-person form makes its statement from. A benefit that is not what it has to be (no date of birth,
no contribution months) is left out with a reason, in the dry run as in the run.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np

from chassis import jobs
from chassis.jobs import ChunkResult, JobKind, Reject
from kernel import ids
from kernel.calendar import Month
from services.benefits.adjusting import Facts, Purpose, Terms, digest_of
from services.benefits.domain.impact import Impact, impact
from services.benefits.domain.impact import People as Group
from services.benefits.domain.population import adjustments
from services.benefits.lifecycle import AmountCause
from services.benefits.messages import adjusting_facts
from services.benefits.operations import keeping_recovery
from services.benefits.operations.adjusting import (
    DRY_JOBS,
    PLAN,
    REVERSE_JOB,
    RUN_JOBS,
    dry_run_done,
    found,
    reverse_done,
    run_done,
    run_of,
)
from services.benefits.operations.settling import settle_with_a_past
from services.benefits.store import adjusting_annual as store
from services.benefits.store import adjusting_over, chunks
from services.benefits.store.adjusting import add_part
from services.benefits.store.adjusting_amounts import note_overpaid
from services.benefits.store.adjusting_annual import Changed
from services.benefits.store.adjusting_undo import lock_made, made_ranges

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from chassis.jobs import Chunk, Job
    from chassis.transaction import Transaction
    from services.benefits.domain.impact import Column
    from services.benefits.store.adjusting import Run
    from services.benefits.store.adjusting_annual import People

CHUNK = 2000  # benefits: four event messages, some tenths of a second
SLICE = 500  # facts made between two turns of the event loop
_MONTHS = 12


def job_kinds(*, size: int = CHUNK) -> list[JobKind]:
    """The jobs of an annual adjustment."""
    return [
        JobKind(DRY_JOBS[Purpose.ANNUAL], partial(_dry_chunk, size=size), dry_run_done),
        JobKind(RUN_JOBS[Purpose.ANNUAL], partial(_run_chunk, size=size), run_done),
        JobKind(REVERSE_JOB, partial(_reverse_chunk, size=size), reverse_done),
    ]


@dataclass(frozen=True, slots=True)
class Changes:
    """What an adjustment means for a chunk: the rows that take part, and columns of them."""

    rows: list[int]
    rejects: list[Reject]
    before: Column
    months: Column
    age: Column
    after: Column
    owed_months: Column
    owed_from: Column

    def fact(self, place: int) -> Facts:
        """What the person at a place of the columns brings to it."""
        return Facts(int(self.before[place]), int(self.months[place]), int(self.age[place]))


def changes(people: People, terms: Terms) -> Changes:
    """The new amounts of a chunk and the months since January that stand in payrolls with the old ones."""
    january = _ordinal(terms.from_month)
    known = (people.months >= 0) & (people.birth >= 0)
    rows = np.flatnonzero(known)
    rejects = [_reject(row, people) for row in np.flatnonzero(~known).tolist()]
    before, months = people.monthly[rows], people.months[rows]
    age = np.maximum((january - 1 - people.birth[rows]) // _MONTHS, 0)
    after = adjustments(before, months // _MONTHS, age, terms.law).new_pension
    first = np.maximum(people.first[rows], january)
    owed = np.maximum(people.until[rows] - first, 0)
    return Changes(rows.tolist(), rejects, before, months, age, after, owed, first)


def impact_of(people: People, made: Changes) -> Impact:
    """The impact of a chunk, with its samples."""
    group = Group(
        keys=[people.benefit_ids[row].bytes for row in made.rows],
        kinds=[people.kinds[row] for row in made.rows],
        age=made.age,
        before=made.before,
        after=made.after,
        back=(made.after - made.before) * made.owed_months,
    )
    codes = [one.code for one in made.rejects]
    return impact(group, lambda place: made.fact(place).to_plain(), **{code: codes.count(code) for code in set(codes)})


async def _dry_chunk(tx: Transaction, job: Job, chunk: Chunk, *, size: int) -> ChunkResult:
    run = await found(tx, run_of(job))
    terms = Terms.from_plain(run.terms)
    if chunk.params == PLAN:
        return await _plan(tx, job, run, terms, size)
    people = await _people(tx, run, terms, chunk)
    made = changes(people, terms)
    await add_part(tx, run.adjustment_id, job.id, chunk.number, impact_of(people, made))
    return ChunkResult(done=len(made.rows), rejects=made.rejects)


async def _run_chunk(tx: Transaction, job: Job, chunk: Chunk, *, size: int) -> ChunkResult:
    run = await found(tx, run_of(job))
    terms = Terms.from_plain(run.terms)
    if chunk.params == PLAN:
        return await _plan(tx, job, run, terms, size)
    people = await _people(tx, run, terms, chunk, lock=True)
    made = changes(people, terms)
    changed = await _write(tx, run, terms, people, made)
    await settle_with_a_past(tx, people.benefit_ids)
    await add_part(tx, run.adjustment_id, job.id, chunk.number, impact_of(people, made))
    tx.audit(
        "benefits_adjusted",
        detail={"adjustment_id": run.text_id, "count": str(changed), "digest": (run.digest or b"").hex()},
    )
    return ChunkResult(done=changed, skipped=len(made.rows) - changed, rejects=made.rejects)


async def _write(tx: Transaction, run: Run, terms: Terms, people: People, made: Changes) -> int:
    """The rows and facts of a chunk; who gains nothing keeps what they have."""
    gain = made.after - made.before
    places = np.flatnonzero(gain)
    if not len(places):
        return 0
    rows = [made.rows[place] for place in places.tolist()]
    law, days = terms.digest, _Days()
    benefit_ids = [people.benefit_ids[row] for row in rows]
    before, after = made.before[places].tolist(), made.after[places].tolist()
    facts = list(zip(before, made.months[places].tolist(), made.age[places].tolist(), strict=True))
    owed_months, first = made.owed_months[places], made.owed_from[places]
    changed = Changed(
        benefit_ids=benefit_ids,
        person_ids=[people.person_ids[row] for row in rows],
        kinds=[people.kinds[row] for row in rows],
        numbers=[people.numbers[row] + 1 for row in rows],
        first_months=[days[one] for one in first.tolist()],
        amounts=after,
        digests=[digest_of(law, one, *mine) for one, mine in zip(benefit_ids, facts, strict=True)],
        provisional=[people.provisional[row] for row in rows],
        inputs=[f'{{"before_fen":{fen},"months":{months},"age":{age}}}' for fen, months, age in facts],
        last_months=[days[one] for one in (first + np.maximum(owed_months, 1) - 1).tolist()],
        owed=(gain[places] * owed_months).tolist(),
    )
    await store.write(tx, run, changed)
    said = zip(benefit_ids, changed.person_ids, changed.kinds, before, after, changed.provisional, strict=True)
    await _say(tx, list(said), terms.from_month, AmountCause.ADJUSTED)
    return len(rows)


async def _say(
    tx: Transaction, said: Sequence[tuple[UUID, UUID, str, int, int, bool]], from_month: Month, cause: AmountCause
) -> None:
    """A fact of every benefit of a chunk."""
    for start in range(0, len(said), SLICE):
        tx.emit_many(adjusting_facts.many_adjusted(said[start : start + SLICE], from_month, cause, tx.today))
        await asyncio.sleep(0)


async def _reverse_chunk(tx: Transaction, job: Job, chunk: Chunk, *, size: int) -> ChunkResult:
    run = await found(tx, run_of(job))
    terms = Terms.from_plain(run.terms)
    if chunk.params == PLAN:
        ranges = await made_ranges(tx, run.adjustment_id, size)
        return await plan(tx, job, ranges)
    after, last = UUID(chunk.params["after"]), UUID(chunk.params["last"])
    await chunks.by_key(tx)
    undone = await lock_made(tx, run.adjustment_id, after, last)
    await store.write_back(tx, run, undone, terms.from_month.first_day)
    over = [one for one in undone if one.over_fen]
    await note_overpaid(
        tx, run, [(one.benefit_id, one.person_id, one.first_month, one.last_month, one.over_fen) for one in over]
    )
    await adjusting_over.owe_short(tx, run.adjustment_id, [one.benefit_id for one in undone])
    said = {
        one.benefit_id: (one.benefit_id, one.person_id, one.kind, one.after_fen, one.before_fen, one.provisional)
        for one in undone
    }
    # Of whom more is said below, what they have now is said first.
    for fact in adjusting_facts.many_adjusted(
        [said.pop(one.benefit_id) for one in over], terms.from_month, AmountCause.REVERSED, tx.today
    ):
        tx.emit(fact)
    await _say(tx, list(said.values()), terms.from_month, AmountCause.REVERSED)
    await keeping_recovery.note_overpaid_differences(
        tx,
        run.adjustment_id,
        "ADJUSTMENT_REVERSED",
        [(one.benefit_id, one.first_month, one.last_month, one.over_fen) for one in over],
    )
    await settle_with_a_past(tx, [one.benefit_id for one in undone])
    tx.audit("benefits_adjustment_reversed", detail={"adjustment_id": run.text_id, "count": str(len(undone))})
    return ChunkResult(done=len(undone))


async def _plan(tx: Transaction, job: Job, run: Run, terms: Terms, size: int) -> ChunkResult:
    return await plan(tx, job, await store.annual_ranges(tx, run.kinds, terms.from_month.first_day, size))


async def plan(tx: Transaction, job: Job, ranges: list[dict[str, Any]]) -> ChunkResult:
    """Add the chunks that a first one found."""
    if ranges:
        await jobs.add_chunks(tx, job.id, ranges, row_count=sum(one["size"] for one in ranges))
    return ChunkResult()


async def _people(tx: Transaction, run: Run, terms: Terms, chunk: Chunk, *, lock: bool = False) -> People:
    after, last = UUID(chunk.params["after"]), UUID(chunk.params["last"])
    await chunks.by_key(tx)
    return await store.people(tx, run.kinds, terms.from_month.first_day, after, last, lock=lock)


def _reject(row: int, people: People) -> Reject:
    benefit = ids.to_text("ben", people.benefit_ids[row])
    if people.birth[row] < 0:
        return Reject(
            row + 1,
            "BIRTH_UNKNOWN",
            f"{benefit} 的出生日期未知，未参加调整；请先登记人员信息",
            f"the date of birth of {benefit} is not known; not adjusted, register the person first",
        )
    return Reject(
        row + 1,
        "CONTRIBUTION_MONTHS_UNKNOWN",
        f"{benefit} 的计算结果没有缴费月数，未参加调整；请核对核定记录",
        f"the statement of {benefit} names no contribution months; not adjusted, check its determination",
    )


def _ordinal(month: Month) -> int:
    return month.year * _MONTHS + month.month - 1


class _Days(dict[int, "date"]):
    """First days of months that are counted from the year 0, each made once."""

    def __missing__(self, ordinal: int) -> date:
        year, month = divmod(ordinal, _MONTHS)
        self[ordinal] = Month(year, month + 1).first_day
        return self[ordinal]
