"""Computing benefits again: when a parameter became final, and to see what another value would mean.

A provisional benefit is computed from its stored inputs by today's law, from its first month on, and every adjustment
since is applied to the new amount; what months in payrolls were paid too little or too much is the difference. A
what-if does the same by two laws, today's and one with another value, and keeps nothing but the sums.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np

from chassis.jobs import ChunkResult, JobKind, Reject
from kernel import ids
from kernel.calendar import Month
from kernel.errors import DomainError, PolicyParameterMissing, Refused
from services.benefits import calculation
from services.benefits.adjusting import Adjusted, Owed, Purpose, follow, owed, timeline
from services.benefits.calculation import PensionInputs, canonical
from services.benefits.domain.impact import Impact, impact
from services.benefits.domain.impact import People as Group
from services.benefits.lifecycle import AmountCause, Kind
from services.benefits.messages import adjusting_facts
from services.benefits.operations import keeping_recovery
from services.benefits.operations.adjusting import DRY_JOBS, PLAN, RUN_JOBS, dry_run_done, found, run_done, run_of
from services.benefits.operations.adjusting_annual import plan
from services.benefits.operations.adjusting_whatif import Overlay
from services.benefits.operations.settling import settle_with_a_past
from services.benefits.store import adjusting as store
from services.benefits.store import adjusting_amounts, adjusting_provisional, decisions, register
from services.benefits.store.adjusting_amounts import NewAmount, NewCalculation, NewDifference
from services.benefits.store.decisions import Amount

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chassis.jobs import Chunk, Job
    from chassis.transaction import Transaction
    from services.benefits.calculation import Calculation
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.store.adjusting import Run
    from services.benefits.store.adjusting_provisional import Recomputable

CHUNK = 500  # some tenths of a second of arithmetic; one event message
SLICE = 10  # benefits between two turns of the event loop: some milliseconds
_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Renewed:
    """A benefit computed again: its amounts before and after, by month, with the calculations of those after."""

    benefit: Recomputable
    before: list[Amount]
    after: list[Amount]
    made: dict[bytes, Calculation]
    owed: Owed | None

    @property
    def change_fen(self) -> int:
        """What months in payrolls differ by."""
        return self.owed.amount.fen if self.owed else 0


def job_kinds(policy: BenefitsPolicy, *, size: int = CHUNK) -> list[JobKind]:
    """The jobs of recomputation and what-if."""
    overlay = Overlay(policy)
    return [
        JobKind(DRY_JOBS[Purpose.RECOMPUTATION], partial(_chunk, policy=policy, size=size, is_dry=True), dry_run_done),
        JobKind(RUN_JOBS[Purpose.RECOMPUTATION], partial(_chunk, policy=policy, size=size, is_dry=False), run_done),
        JobKind(DRY_JOBS[Purpose.WHAT_IF], partial(_what_if_chunk, overlay=overlay, size=size), dry_run_done),
    ]


def renew(
    benefit: Recomputable,
    amounts: Sequence[Amount],
    known: Mapping[bytes, Calculation],
    policy: BenefitsPolicy,
    *,
    month: Month,
    cache: dict[tuple[str, str, str], Calculation],
) -> Renewed:
    """Compute a benefit again by a law, from its first month on, adjustments included.

    Args:
        benefit: The benefit.
        amounts: Every amount that it had.
        known: The calculations of these.
        policy: The law.
        month: The month that an unemployment benefit is computed for.
        cache: Calculations made from equal inputs; many people share them in a seeded city, few in a real one.

    Raises:
        DomainError: As the calculation raises.
    """
    before = timeline(amounts)
    after: list[Amount] = []
    made: dict[bytes, Calculation] = {}
    for one in before:
        old = known[one.digest]
        new: Calculation
        if isinstance(old, Adjusted):
            new = follow(old, after[-1].amount, benefit.benefit_id)
        else:
            inputs = final_inputs(old.inputs, benefit)
            when = month if benefit.kind is Kind.UNEMPLOYMENT else one.from_month
            # A pension is the same in every month; the last month of an annuity pays what is left.
            key = (benefit.kind.value, "" if benefit.kind is Kind.EMPLOYEE_PENSION else str(when), canonical(inputs))
            if key not in cache:
                cache[key] = calculation.recompute(benefit.kind, inputs, when, policy)
            new = cache[key]
            if new.statement == old.statement:
                new = old  # nothing that counts became known
        made[new.digest] = new
        after.append(Amount(one.from_month, new.statement.total, new.digest))
    return Renewed(benefit, before, after, made, owed(before, after, benefit.first_month, benefit.last_paid))


async def _chunk(
    tx: Transaction, job: Job, chunk: Chunk, *, policy: BenefitsPolicy, size: int, is_dry: bool
) -> ChunkResult:
    run = await found(tx, run_of(job))
    if run.policy_version != policy.version:
        raise Refused("ADJUSTMENT_POLICY_CHANGED", "the law changed since the recomputation was made")
    if chunk.params == PLAN:
        one = UUID(run.terms["benefit_id"]) if run.terms["benefit_id"] else None
        return await plan(tx, job, await adjusting_provisional.provisional_ranges(tx, one, size))
    after, last = UUID(chunk.params["after"]), UUID(chunk.params["last"])
    one = UUID(run.terms["benefit_id"]) if run.terms["benefit_id"] else None
    benefits = await adjusting_provisional.lock_provisional(tx, one, after, last, lock=not is_dry)
    renewed, rejects = await _renewed(tx, benefits, policy)
    changed = [one for one in renewed if [seg.digest for seg in one.before] != [seg.digest for seg in one.after]]
    if not is_dry and changed:
        await _write(tx, run, changed)
        tx.audit("benefits_recomputed", detail={"adjustment_id": run.text_id, "count": str(len(changed))})
    await store.add_part(tx, run.adjustment_id, job.id, chunk.number, _impact(tx, changed, rejects))
    return ChunkResult(done=len(changed), skipped=len(renewed) - len(changed), rejects=rejects)


async def _what_if_chunk(tx: Transaction, job: Job, chunk: Chunk, *, overlay: Overlay, size: int) -> ChunkResult:
    run = await found(tx, run_of(job))
    if chunk.params == PLAN:
        one = run.terms.get("person_id")
        ranges = await adjusting_provisional.running_of(tx, await register.same(tx, UUID(one))) if one else None
        return await plan(tx, job, ranges or await adjusting_provisional.running_ranges(tx, run.terms["sample"], size))
    if "ids" in chunk.params:
        benefits = await adjusting_provisional.running(tx, [UUID(one) for one in chunk.params["ids"]])
    else:
        benefits = await adjusting_provisional.running_between(
            tx, UUID(chunk.params["after"]), UUID(chunk.params["last"])
        )
    today, rejects = await _renewed(tx, benefits, overlay.policy)
    other, missing = await _renewed(tx, [one.benefit for one in today], overlay.of(run.terms))
    known = {one.benefit.benefit_id: one for one in today}
    pairs = [
        replace(
            one,
            before=known[one.benefit.benefit_id].after,
            owed=None,
            made={**known[one.benefit.benefit_id].made, **one.made},
        )
        for one in other
    ]
    await store.add_part(tx, run.adjustment_id, job.id, chunk.number, _impact(tx, pairs, [*rejects, *missing]))
    return ChunkResult(done=len(pairs), rejects=[*rejects, *missing])


async def _renewed(
    tx: Transaction, benefits: Sequence[Recomputable], policy: BenefitsPolicy
) -> tuple[list[Renewed], list[Reject]]:
    amounts = await decisions.amounts(tx, (one.benefit_id for one in benefits))
    known = await decisions.calculations(tx, {one.digest for line in amounts.values() for one in line})
    cache: dict[tuple[str, str, str], Calculation] = {}
    renewed: list[Renewed] = []
    rejects: list[Reject] = []
    month = Month.of(tx.today)
    for place, benefit in enumerate(benefits):
        try:
            renewed.append(renew(benefit, amounts[benefit.benefit_id], known, policy, month=month, cache=cache))
        except (DomainError, ValueError) as error:
            rejects.append(_reject(place, benefit, error))
        if place % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    return renewed, rejects


def final_inputs(inputs: Mapping[str, Any], benefit: Recomputable) -> dict[str, Any]:
    """The inputs as they are now: a balance whose interest was provisional, settled anew in the meantime."""
    if benefit.kind is not Kind.EMPLOYEE_PENSION or not inputs.get("balance_provisional"):
        return dict(inputs)
    stored = PensionInputs.from_plain(inputs)
    if benefit.settled_fen is None or benefit.settled_month != stored.retirement_month:
        return dict(inputs)
    return {**inputs, "balance_fen": benefit.settled_fen, "balance_provisional": False}


async def _write(tx: Transaction, run: Run, changed: Sequence[Renewed]) -> None:
    made = {digest: one for renewed in changed for digest, one in renewed.made.items()}
    await decisions.add_calculations(tx, [one for one in made.values() if not isinstance(one, Adjusted)])
    amounts: list[NewAmount] = []
    differences: list[NewDifference] = []
    now: list[tuple[UUID, int, bytes, bool]] = []
    for one in changed:
        benefit, last = one.benefit, one.after[-1]
        for number, seg in enumerate(one.after, start=benefit.number + 1):
            amounts.append(NewAmount(benefit.benefit_id, number, seg.from_month.first_day, seg.amount.fen, seg.digest))
        provisional = any(made[seg.digest].statement.provisional for seg in one.after)
        now.append((benefit.benefit_id, last.amount.fen, last.digest, provisional))
        if one.owed and one.owed.amount.fen:
            first, end = one.owed.first.first_day, one.owed.last.first_day
            differences.append(
                NewDifference(benefit.benefit_id, benefit.person_id, first, end, one.owed.amount.fen, last.digest)
            )
        tx.emit(
            adjusting_facts.adjusted(
                benefit.benefit_id,
                benefit.person_id,
                benefit.kind,
                one.after[0].from_month,
                AmountCause.RECOMPUTED,
                before=one.before[-1].amount.fen,
                after=last.amount.fen,
                provisional=provisional,
            )
        )
    await adjusting_amounts.write(
        tx,
        run,
        AmountCause.RECOMPUTED,
        calculations=[
            NewCalculation(
                one.digest,
                one.kind.value,
                canonical(one.inputs),
                one.terms_id,
                one.statement.total.fen,
                one.statement.provisional,
            )
            for one in made.values()
            if isinstance(one, Adjusted)
        ],
        amounts=amounts,
        differences=differences,
        now=now,
    )
    over = [(one.benefit_id, one.first_month, one.last_month, -one.fen) for one in differences if one.fen < 0]
    await keeping_recovery.note_overpaid_differences(tx, run.adjustment_id, AmountCause.RECOMPUTED.value, over)
    await settle_with_a_past(tx, [one.benefit.benefit_id for one in changed])


def _impact(tx: Transaction, renewed: Sequence[Renewed], rejects: Sequence[Reject]) -> Impact:
    today, month = tx.today.year * _MONTHS + tx.today.month - 1, Month.of(tx.today)
    drawn = [(_in_force(one.before, month), _in_force(one.after, month)) for one in renewed]
    group = Group(
        keys=[one.benefit.benefit_id.bytes for one in renewed],
        kinds=[one.benefit.kind.value for one in renewed],
        age=np.array([max(0, today - one.benefit.birth) // _MONTHS for one in renewed], dtype=np.int64),
        before=np.array([before.amount.fen for before, _ in drawn], dtype=np.int64),
        after=np.array([after.amount.fen for _, after in drawn], dtype=np.int64),
        back=np.array([one.change_fen for one in renewed], dtype=np.int64),
    )

    def statements(row: int) -> dict[str, Any]:
        one, (before, after) = renewed[row], drawn[row]
        digests = {"before": before.digest, "after": after.digest}
        return {name: one.made[digest].statement.to_plain() for name, digest in digests.items() if digest in one.made}

    codes = [one.code for one in rejects]
    return impact(group, statements, **{code: codes.count(code) for code in set(codes)})


def _in_force(amounts: Sequence[Amount], month: Month) -> Amount:
    """What is drawn in a month: the last month of an annuity, far ahead, pays what is left and is no monthly amount."""
    return max((one for one in amounts if one.from_month <= month), key=lambda one: one.from_month, default=amounts[0])


def _reject(place: int, benefit: Recomputable, error: Exception) -> Reject:
    shown = ids.to_text("ben", benefit.benefit_id)
    if isinstance(error, PolicyParameterMissing):
        key = f"{error.metadata['file']}: {error.metadata['key']} {error.metadata['on']}"
        return Reject(
            place + 1,
            error.reason,
            f"{shown}：政策参数缺失（{key}），未重算；补录参数后再办",
            f"{shown}: a policy parameter is missing ({key}); not computed again, repeat once it is known",
        )
    reason = error.reason if isinstance(error, DomainError) else "NOT_RECOMPUTABLE"
    return Reject(
        place + 1,
        reason,
        f"{shown}：按现行规则不能重算，请人工核对",
        f"{shown}: the rules of today do not compute it again; check it by hand",
    )
