"""Resident pensions follow the law and the age (居民养老金调整), as a job over all of them.

The base pension of a place rises for everybody who draws it, and from the month after the 65th birthday the tilt is
added (assumed, as the first payment: decision 0246). Each month in which the law of a pension changes is computed again
from the stored facts; where the amount differs it has another one from that month on, with its statement, and months
that stand in payrolls get the difference. A run finds nothing where nothing changed since the last one.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from chassis import jobs
from chassis.jobs import ChunkResult, JobKind, Reject
from kernel import ids
from kernel.calendar import Month
from kernel.errors import DomainError
from services.benefits import calculation
from services.benefits.adjusting import owed, timeline
from services.benefits.calculation import Calculation
from services.benefits.kinds.resident import ResidentFacts
from services.benefits.lifecycle import AmountCause, Kind
from services.benefits.messages import adjusting_facts
from services.benefits.operations import keeping_recovery
from services.benefits.store import adjusting_provisional, decisions, keeping_held
from services.benefits.store import upkeep as store
from services.benefits.store.adjusting_amounts import NewAmount, NewDifference
from services.benefits.store.decisions import Amount
from services.benefits.upkeep import Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chassis.jobs import Chunk, Job
    from chassis.transaction import Transaction
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.store.adjusting_provisional import Recomputable

CHUNK = 500  # one event message
SLICE = 50  # benefits between two turns of the event loop


def job(policy: BenefitsPolicy, *, size: int = CHUNK) -> JobKind:
    """The job: its first chunk plans, the others look at a run of pensions each."""
    return JobKind(Task.RESIDENT_AMOUNTS.value, partial(_chunk, policy=policy, size=size))


async def _chunk(tx: Transaction, job_: Job, chunk: Chunk, *, policy: BenefitsPolicy, size: int) -> ChunkResult:
    month = Month.parse(job_.params["month"])
    if "last" not in chunk.params:
        runs = await store.resident_runs(tx, month, size)
        if runs:
            await jobs.add_chunks(tx, job_.id, runs, row_count=sum(one["count"] for one in runs))
        return ChunkResult()
    found = await store.residents(tx, month, UUID(chunk.params["after"]), UUID(chunk.params["last"]))
    await keeping_held.lock_benefits(tx, found)
    benefits = await adjusting_provisional.running(tx, found)
    amounts = await decisions.amounts(tx, found)
    known = await decisions.calculations(tx, {one.digest for line in amounts.values() for one in line})
    changed: list[tuple[Recomputable, list[Amount], list[Amount], list[Calculation]]] = []
    rejects: list[Reject] = []
    for place, benefit in enumerate(benefits):
        before = timeline(amounts[benefit.benefit_id])
        try:
            after, made = follow_law(before, known, benefit, month, policy)
        except DomainError as error:
            rejects.append(_reject(place, benefit.benefit_id, error))
            continue
        if made:
            changed.append((benefit, before, after, made))
        if place % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    if changed:
        await _write(tx, job_.id, changed)
    tx.audit("resident_amounts_followed", detail={"count": str(len(changed))})
    return ChunkResult(done=len(changed), skipped=len(benefits) - len(changed) - len(rejects), rejects=rejects)


def follow_law(
    before: Sequence[Amount],
    known: Mapping[bytes, Calculation],
    benefit: Recomputable,
    through: Month,
    policy: BenefitsPolicy,
) -> tuple[list[Amount], list[Calculation]]:
    """The amounts of a pension by the law of each month up to one, and the calculations of those that are new.

    Raises:
        PolicyParameterMissing: The base pension of the area, or the tilt, is not known in a month in which it counts.
    """
    inputs = known[before[0].digest].inputs
    facts = ResidentFacts.from_plain(inputs)
    after, made = list(before), list[Calculation]()
    for month in changes(facts, benefit.first_month, through, policy):
        new = calculation.recompute(Kind.RESIDENT_PENSION, {**inputs, "law_month": str(month)}, month, policy)
        in_force = next(one for one in reversed(after) if one.from_month <= month)
        if made or new.statement.total != in_force.amount:
            after = timeline([*after, Amount(month, new.statement.total, new.digest)])
            made.append(new)
    return after, made


def changes(facts: ResidentFacts, first: Month, through: Month, policy: BenefitsPolicy) -> list[Month]:
    """The months after the first in which the law of a pension changes: its rows of law, and the tilt's age."""
    law = policy.resident
    area = policy.pension_area.on(through.first_day).value.get(facts.division, "")
    starts = {Month.of(row.from_) for row in (*law.national_minimum.rows, *law.tilt_amount.rows)}
    starts |= {Month.of(row.from_) for row in law.long_rate.rows}
    if area in law.base_pension:
        starts |= {Month.of(row.from_) for row in law.base_pension[area].rows}
    starts.add(facts.tilted_from(policy, through))
    return sorted(month for month in starts if first < month <= through)


async def _write(
    tx: Transaction,
    cause_id: UUID,
    changed: Sequence[tuple[Recomputable, list[Amount], list[Amount], list[Calculation]]],
) -> None:
    await decisions.add_calculations(tx, [one for *_, made in changed for one in made])
    amounts: list[NewAmount] = []
    differences: list[NewDifference] = []
    now: list[tuple[UUID, int, bytes, bool]] = []
    for benefit, before, after, made in changed:
        new = after[-len(made) :]
        last = new[-1]
        for number, one in enumerate(new, start=benefit.number + 1):
            amounts.append(NewAmount(benefit.benefit_id, number, one.from_month.first_day, one.amount.fen, one.digest))
        change = owed(before, after, benefit.first_month, benefit.last_paid)
        if change is not None and change.amount.fen:
            differences.append(
                NewDifference(
                    benefit.benefit_id,
                    benefit.person_id,
                    change.first.first_day,
                    change.last.first_day,
                    change.amount.fen,
                    last.digest,
                )
            )
        now.append((benefit.benefit_id, last.amount.fen, last.digest, made[-1].statement.provisional))
        tx.emit(
            adjusting_facts.adjusted(
                benefit.benefit_id,
                benefit.person_id,
                benefit.kind,
                new[0].from_month,
                AmountCause.RECOMPUTED,
                before=before[-1].amount.fen,
                after=last.amount.fen,
                provisional=made[-1].statement.provisional,
            )
        )
    due = [one for one in differences if one.fen > 0]
    await store.write_amounts(tx, cause_id, amounts=amounts, differences=due, now=now)
    over = [(one.benefit_id, one.first_month, one.last_month, -one.fen) for one in differences if one.fen < 0]
    await keeping_recovery.note_overpaid_differences(tx, cause_id, AmountCause.RECOMPUTED.value, over)


def _reject(place: int, benefit_id: UUID, error: DomainError) -> Reject:
    shown = ids.to_text("ben", benefit_id)
    said = error.metadata
    what = f"{said['file']}: {said['key']} {said['on']}" if "file" in said else error.reason
    return Reject(
        place + 1,
        error.reason,
        f"{shown}：不能按现行标准重算（{what}），补录参数后再办",
        f"{shown}: cannot be computed by the law of today ({what}); repeat once it is known",
    )
