"""Payrolls (发放批次): one payment for each benefit and month, prepared in chunks, approved by a second person."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from chassis import approval, jobs, ledger
from chassis.jobs import ChunkResult, JobKind, Reject
from kernel import ids
from kernel.calendar import Month
from kernel.errors import Forbidden, NotFound, PolicyParameterMissing, Refused
from services.benefits import calculation
from services.benefits.domain.certification import good_from
from services.benefits.keeping import needing
from services.benefits.lifecycle import FUND_OF, BenefitState, Kind, PayrollState
from services.benefits.operations import payroll_approval
from services.benefits.paying import Limits
from services.benefits.store import chunks, decisions, keeping_plans, paying, paying_gates, payrolls
from services.benefits.store.payrolls import Due
from services.benefits.store.rows import PayrollRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from chassis.jobs import Chunk, Job
    from chassis.transaction import Transaction
    from services.benefits.calculation import Calculation
    from services.benefits.commands import Approve
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.store.rows import BenefitRow

JOB = "payroll"
CHUNK_BENEFITS = 4_000  # half a second in the set form, some seconds when every one is an unemployment benefit
VERIFIED_AT_ONCE = 500_000  # payments that are added up again while the second person waits: a second or two
SLICE = 10  # benefits between two turns of the event loop: some milliseconds
CLEARING = "clearing:bank"
FUNDS = {kind: f"fund:{fund}" for kind, fund in FUND_OF.items()}
PAID = {kind: f"paid:{kind.value.lower()}" for kind in Kind}
RETURNED = {kind: f"returned:{kind.value.lower()}" for kind in Kind}  # owed


async def prepare(tx: Transaction, month: Month, policy: BenefitsPolicy) -> PayrollRow:
    """Start the payroll of a month; asked again it is the same payroll.

    Once it is approved, benefits that came later (or months that could not be paid then) make a supplement (补发) of
    the month, with its own sequence number, approval and digest. When the same benefits wait as when the last
    supplement began, under the same policy, another one would pay nothing: it is not started.

    Raises:
        Refused: MONTH_NOT_STARTED.
    """
    if month > Month.of(tx.today):
        raise Refused("MONTH_NOT_STARTED", "the month has not begun", field="month", month=str(month))
    last = await payrolls.last_of_month(tx, month)
    waiting = ""
    if last is not None and last.state is PayrollState.APPROVED:
        digest = await paying.digest_waiting(tx, month)
        waiting = f"{digest} {policy.version}" if digest else ""
        if (await jobs.get(tx, last.job_id)).params["waiting"] == waiting:
            waiting = ""
    if last is None or waiting:
        try:
            async with tx.savepoint():
                await _start(tx, month, 1 if last is None else last.sequence + 1, waiting)
        except _MonthTaken:
            pass  # somebody started it at the same instant; what we began is undone
    row = await payrolls.last_of_month(tx, month)
    assert row is not None
    if row.state is PayrollState.PREPARED:
        await _ask_again(tx, row)
    return row


def job(policy: BenefitsPolicy, limits: Limits | None = None, *, size: int = CHUNK_BENEFITS) -> JobKind:
    """The job that prepares a payroll: its first chunk plans, the others pay a run of benefits each."""
    return JobKind(JOB, partial(_run_chunk, policy=policy, limits=limits or Limits(), size=size), _finish)


async def approve(tx: Transaction, command: Approve) -> PayrollRow:
    """Approve a payroll, second person; the money of each fund moves to the bank's clearing account.

    Raises:
        NotFound: PAYROLL_NOT_FOUND.
        Forbidden: SAME_PERSON.
        Refused: PAYROLL_NOT_PREPARED, PAYROLL_CHANGED, APPROVAL_EXPIRED.
    """
    row = await payrolls.get(tx, command.subject_id, lock=True)
    if row is None:
        raise not_found()
    if row.state is not PayrollState.PREPARED:
        raise Refused("PAYROLL_NOT_PREPARED", "the payroll is not waiting for an approval", state=row.state.value)
    checker = tx.principal.acting_person
    if checker == row.maker:
        raise Forbidden("SAME_PERSON", "who prepared the payroll does not approve it")
    now = await paying.totals(tx, row.payroll_id)
    same = command.digest == row.digest == now.digest
    # Added up again: what is released is what stands there. A larger one is added up part by part on the way to the
    # bank (`paying_bank`), which gets no part that changed.
    if same and now.count <= VERIFIED_AT_ONCE:
        same = not await paying.changed_chunks(tx, row.payroll_id)
    if not same:
        raise Refused(
            "PAYROLL_CHANGED", "the payroll is not the one that was looked at", digest=(row.digest or b"").hex()
        )
    assert row.approval_id is not None
    await approval.decide(tx, row.approval_id, approve=True)
    await approval.execute(
        tx,
        row.approval_id,
        kind=payroll_approval.KIND,
        subject=payroll_approval.subject(row.payroll_id, now.digest),
        payload=now.digest,
    )
    row.state, row.checker, row.approve_date = PayrollState.APPROVED, checker, tx.today
    payroll_id = ids.to_text("prl", row.payroll_id)
    for (kind, is_again), total in (await paying.totals_by_kind(tx, row.payroll_id)).items():
        if total.fen:  # what is sent again left its fund before, and waited as owed
            await ledger.post(
                tx,
                kind="payroll",
                key=f"payroll/{payroll_id}/{kind.value}" + ("/again" if is_again else ""),
                postings=[((RETURNED if is_again else FUNDS)[kind], -total), (CLEARING, total)],
                business_date=tx.today,
            )
    tx.audit("payroll_approved", detail={"payroll_id": payroll_id, "digest": now.digest.hex()})
    return row


def not_found() -> NotFound:
    """There is no such payroll."""
    return NotFound("PAYROLL_NOT_FOUND", "no such payroll")


# Preparing ----------------------------------------------------------------------------------------------------------


class _MonthTaken(Exception):  # noqa: N818 - a signal that undoes a part
    """The month has a payroll of that sequence already."""


async def _start(tx: Transaction, month: Month, sequence: int, waiting: str) -> None:
    payroll_id = ids.new_id()
    params = {"payroll_id": str(payroll_id), "month": str(month), "waiting": waiting}
    job_id = await jobs.start(tx, JOB, params=params, chunks=[{}])
    row = PayrollRow(
        payroll_id=payroll_id,
        month=month,
        sequence=sequence,
        state=PayrollState.PREPARING,
        job_id=job_id,
        maker=tx.principal.acting_person,
        prepare_date=tx.today,
    )
    if not await payrolls.add(tx, row):
        raise _MonthTaken
    tx.audit("payroll_started", detail={"payroll_id": ids.to_text("prl", payroll_id), "month": str(month)})


async def _ask_again(tx: Transaction, row: PayrollRow) -> None:
    """The time to approve may have passed, or a part changed; whoever prepares the month again asks once more."""
    assert row.approval_id is not None
    is_changed = (await paying.totals(tx, row.payroll_id)).digest != row.digest
    if is_changed or (await approval.get(tx, row.approval_id)).expires <= tx.now:
        locked = await payrolls.get(tx, row.payroll_id, lock=True)
        if locked is not None and locked.state is PayrollState.PREPARED:
            await payroll_approval.ask_approval(tx, locked)


async def _run_chunk(
    tx: Transaction, job_: Job, chunk: Chunk, *, policy: BenefitsPolicy, limits: Limits, size: int
) -> ChunkResult:
    """One run of benefits: locked, looked at by every gate, paid, added up."""
    month, payroll_id = Month.parse(job_.params["month"]), UUID(job_.params["payroll_id"])
    if "last" not in chunk.params:
        return await _plan(tx, job_, month, size)
    after = UUID(chunk.params["after"]) if chunk.params["after"] else None
    await chunks.by_key(tx)
    ids_ = await paying.lock_run(tx, month, after, UUID(chunk.params["last"]))
    computed = await _computed(tx, ids_, month, policy)
    run = paying_gates.Chunk(
        payroll_id,
        chunk.number,
        month,
        ids_,
        {benefit_id: months[-1][1].statement.total for benefit_id, (_, months) in computed.months.items() if months},
        {benefit_id: _what(missing) for benefit_id, missing in computed.missing.items()},
        *_certified(month, policy),
    )
    await paying_gates.look(tx, run, limits)
    written, due = await paying.pay_months(tx, run)
    if computed.months:
        held = await paying.blocked(tx, payroll_id, list(computed.months))
        one_by_one = [
            Due(ids.new_id(), benefit, paid, made)
            for benefit_id, (benefit, months) in computed.months.items()
            if benefit_id not in held
            for paid, made in months
        ]
        await decisions.add_calculations(tx, (one.calculation for one in one_by_one))
        written += await payrolls.add_payments(tx, payroll_id, chunk.number, one_by_one)
        due += len(one_by_one)
    others = await paying.pay_differences(tx, run) + await paying.pay_again(tx, run)
    await paying.close_chunk(tx, payroll_id, chunk.number)
    tx.audit("payments_prepared", detail={"count": str(written + others), "chunk": str(chunk.number)})
    rejects = [_reject(place, missing) for place, missing in enumerate(computed.missing.values())]
    return ChunkResult(done=written + others, skipped=due - written, rejects=rejects)


async def _plan(tx: Transaction, job_: Job, month: Month, size: int) -> ChunkResult:
    ends = await paying.boundaries(tx, month, size)
    runs = [
        {"after": str(after) if after else "", "last": str(last)}
        for after, last in zip([None, *ends], ends, strict=False)  # nobody to pay: no run
    ]
    if runs:
        await jobs.add_chunks(tx, job_.id, runs)
    return ChunkResult()


@dataclass(frozen=True, slots=True)
class _Computed:
    """Benefits whose amount may change every month, with their unpaid months and what each is worth."""

    months: Mapping[UUID, tuple[BenefitRow, Sequence[tuple[Month, Calculation]]]]
    missing: Mapping[UUID, PolicyParameterMissing]


async def _computed(tx: Transaction, ids_: Sequence[UUID], until: Month, policy: BenefitsPolicy) -> _Computed:
    """The unemployment benefits among some: their cap may change every month, so each month is computed."""
    rows = [
        one for one in await decisions.of_kind(tx, ids_, Kind.UNEMPLOYMENT) if one.state is not BenefitState.SUSPENDED
    ]
    inputs = await decisions.calculations(tx, (one.digest for one in rows)) if rows else {}
    lost = await paying.lost_months(tx, [one.benefit_id for one in rows]) if rows else {}
    months: dict[UUID, tuple[BenefitRow, Sequence[tuple[Month, Calculation]]]] = {}
    missing: dict[UUID, PolicyParameterMissing] = {}
    for place, benefit in enumerate(rows):
        last = until if benefit.last_month is None else min(until, benefit.last_month)
        gone = lost.get(benefit.benefit_id, set())
        due = [month for month in Month.range(benefit.next_month, last) if month not in gone]
        try:
            made = calculation.recompute_months(inputs[benefit.digest], due, policy)
        except PolicyParameterMissing as one:
            missing[benefit.benefit_id] = one
            continue
        months[benefit.benefit_id] = (benefit, list(zip(due, made, strict=True)))
        if place % SLICE == SLICE - 1:
            await asyncio.sleep(0)
    return _Computed(months, missing)


def _certified(month: Month, policy: BenefitsPolicy) -> tuple[Sequence[str], date]:
    """The kinds that need a certification to be paid in a month, and the first day on which a last one is good."""
    law, day = policy.certification, month.first_day
    if not law.schemes.covers(day):
        return (), day
    return needing(law.schemes.on(day).value), good_from(day, law.terms(day))


def _what(missing: PolicyParameterMissing) -> str:
    return f"{missing.metadata['file']}: {missing.metadata['key']} {missing.metadata['on']}"


def _reject(place: int, missing: PolicyParameterMissing) -> Reject:
    """A benefit that cannot be paid now stays unpaid; its months come with the next payroll."""
    key = _what(missing)
    return Reject(
        line=place + 1,
        code=missing.reason,
        text_zh=f"政策参数缺失（{key}），本月未发放；补录参数后随下一批次补发",
        text_en=f"a policy parameter is missing ({key}); not paid now, paid with the next payroll once it is known",
    )


async def _finish(tx: Transaction, job_: Job) -> None:
    row = await payrolls.get(tx, UUID(job_.params["payroll_id"]), lock=True)
    assert row is not None
    await keeping_plans.plan_deductions(tx, row.payroll_id)
    await payroll_approval.ask_approval(tx, row)
    assert row.digest is not None
    tx.audit(
        "payroll_prepared",
        detail={"payroll_id": ids.to_text("prl", row.payroll_id), "digest": row.digest.hex()},
    )
