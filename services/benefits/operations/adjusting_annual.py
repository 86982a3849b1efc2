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
from services.benefits.lifecycle import AmountCause, Kind
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
from services.benefits.store import adjusting as store
from services.benefits.store import adjusting_over
from services.benefits.store.adjusting import NewAmount, NewCalculation, NewDifference

if TYPE_CHECKING:
    from datetime import date

    from chassis.jobs import Chunk, Job
    from chassis.transaction import Transaction
    from services.benefits.domain.impact import Column
    from services.benefits.store.adjusting import People, Run

CHUNK = 2000  # benefits: four event messages, some tenths of a second
SLICE = 250  # facts made between two turns of the event loop
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
    facts: list[Facts]
    after: Column
    owed_months: Column
    owed_from: Column
    age: Column


def changes(people: People, terms: Terms) -> Changes:
    """The new amounts of a chunk and the months since January that stand in payrolls with the old ones."""
    january = _ordinal(terms.from_month)
    known = (people.months >= 0) & (people.birth >= 0)
    rows = np.flatnonzero(known)
    rejects = [_reject(row, people) for row in np.flatnonzero(~known).tolist()]
    age = (january - 1 - people.birth[rows]) // _MONTHS
    months = people.months[rows]
    after = adjustments(people.monthly[rows], months // _MONTHS, np.maximum(age, 0), terms.law).new_pension
    first = np.maximum(people.first[rows], january)
    facts = [
        Facts(before, count, old)
        for before, count, old in zip(
            people.monthly[rows].tolist(), months.tolist(), np.maximum(age, 0).tolist(), strict=True
        )
    ]
    owed = np.maximum(people.until[rows] - first, 0)
    return Changes(rows.tolist(), rejects, facts, after, owed, first, age)


def impact_of(people: People, made: Changes) -> Impact:
    """The impact of a chunk, with its samples."""
    before = people.monthly[made.rows]
    group = Group(
        keys=[people.benefit_ids[row].bytes for row in made.rows],
        kinds=[people.kinds[row] for row in made.rows],
        age=made.age,
        before=before,
        after=made.after,
        back=(made.after - before) * made.owed_months,
    )
    codes = [one.code for one in made.rejects]
    return impact(group, lambda row: made.facts[row].to_plain(), **{code: codes.count(code) for code in set(codes)})


async def _dry_chunk(tx: Transaction, job: Job, chunk: Chunk, *, size: int) -> ChunkResult:
    run = await found(tx, run_of(job))
    terms = Terms.from_plain(run.terms)
    if chunk.params == PLAN:
        return await _plan(tx, job, run, terms, size)
    people = await _people(tx, run, terms, chunk)
    made = changes(people, terms)
    await store.add_part(tx, run.adjustment_id, job.id, chunk.number, impact_of(people, made))
    return ChunkResult(done=len(made.rows), rejects=made.rejects)


async def _run_chunk(tx: Transaction, job: Job, chunk: Chunk, *, size: int) -> ChunkResult:
    run = await found(tx, run_of(job))
    terms = Terms.from_plain(run.terms)
    if chunk.params == PLAN:
        return await _plan(tx, job, run, terms, size)
    people = await _people(tx, run, terms, chunk, lock=True)
    made = changes(people, terms)
    changed = await _write(tx, run, terms, people, made)
    await store.add_part(tx, run.adjustment_id, job.id, chunk.number, impact_of(people, made))
    tx.audit(
        "benefits_adjusted",
        detail={"adjustment_id": run.text_id, "count": str(changed), "digest": (run.digest or b"").hex()},
    )
    return ChunkResult(done=changed, skipped=len(made.rows) - changed, rejects=made.rejects)


async def _write(tx: Transaction, run: Run, terms: Terms, people: People, made: Changes) -> int:
    """The rows and facts of a chunk; who gains nothing keeps what they have."""
    january, law = terms.from_month, terms.digest
    calculations: list[NewCalculation] = []
    amounts: list[NewAmount] = []
    differences: list[NewDifference] = []
    now: list[tuple[UUID, int, bytes, bool]] = []
    days: dict[int, date] = {}
    columns = zip(
        made.rows, made.facts, made.after.tolist(), made.owed_months.tolist(), made.owed_from.tolist(), strict=True
    )
    for place, (row, facts, after, owed_months, owed_from) in enumerate(columns):
        gain = after - facts.before_fen
        if not gain:
            continue
        benefit_id, provisional = people.benefit_ids[row], people.provisional[row]
        digest = digest_of(law, benefit_id, facts)
        inputs = f'{{"before_fen":{facts.before_fen},"months":{facts.months},"age":{facts.age}}}'
        first = days.setdefault(owed_from, _day(owed_from))
        calculations.append(NewCalculation(digest, people.kinds[row], inputs, run.adjustment_id, after, provisional))
        amounts.append(NewAmount(benefit_id, people.numbers[row] + 1, first, after, digest))
        now.append((benefit_id, after, digest, provisional))
        if owed_months:
            last = owed_from + owed_months - 1
            differences.append(
                NewDifference(
                    benefit_id,
                    people.person_ids[row],
                    first,
                    days.setdefault(last, _day(last)),
                    gain * owed_months,
                    digest,
                )
            )
        tx.emit(
            adjusting_facts.adjusted(
                benefit_id,
                people.person_ids[row],
                Kind(people.kinds[row]),
                january,
                AmountCause.ADJUSTED,
                before=facts.before_fen,
                after=after,
                provisional=provisional,
            )
        )
        if place % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    await store.write(
        tx,
        run,
        AmountCause.ADJUSTED,
        calculations=calculations,
        amounts=amounts,
        differences=differences,
        now=now,
    )
    return len(now)


async def _reverse_chunk(tx: Transaction, job: Job, chunk: Chunk, *, size: int) -> ChunkResult:
    run = await found(tx, run_of(job))
    terms = Terms.from_plain(run.terms)
    if chunk.params == PLAN:
        ranges = await store.made_ranges(tx, run.adjustment_id, size)
        return await plan(tx, job, ranges)
    after, last = UUID(chunk.params["after"]), UUID(chunk.params["last"])
    await store.plan_for_many(tx)
    undone = await store.lock_made(tx, run.adjustment_id, after, last)
    january = terms.from_month.first_day
    await store.withdraw(tx, run.adjustment_id, [one.benefit_id for one in undone])
    await store.write(
        tx,
        run,
        AmountCause.REVERSED,
        calculations=[],
        amounts=[
            NewAmount(one.benefit_id, one.number + 1, january, one.before_fen, one.before_digest) for one in undone
        ],
        differences=[
            NewDifference(one.benefit_id, one.person_id, one.first_month, one.last_month, -one.over_fen, b"")
            for one in undone
            if one.over_fen
        ],
        now=[(one.benefit_id, one.before_fen, one.before_digest, one.provisional) for one in undone],
    )
    await adjusting_over.owe_short(tx, run.adjustment_id, [one.benefit_id for one in undone])
    over = [(one.benefit_id, one.first_month, one.last_month, one.over_fen) for one in undone if one.over_fen]
    for place, one in enumerate(undone, start=1):
        tx.emit(
            adjusting_facts.adjusted(
                one.benefit_id,
                one.person_id,
                one.kind,
                terms.from_month,
                AmountCause.REVERSED,
                before=one.after_fen,
                after=one.before_fen,
                provisional=one.provisional,
            )
        )
        if place % SLICE == 0:
            await asyncio.sleep(0)
    await keeping_recovery.note_overpaid_differences(tx, run.adjustment_id, "ADJUSTMENT_REVERSED", over)
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
    await store.plan_for_many(tx)
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


def _day(ordinal: int) -> date:
    year, month = divmod(ordinal, _MONTHS)
    return Month(year, month + 1).first_day
