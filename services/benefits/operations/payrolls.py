"""Payrolls (发放批次): one payment for each benefit and month, prepared in chunks, approved by a second person."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from chassis import approval, jobs, ledger
from chassis.jobs import ChunkResult, JobKind, Reject
from kernel import ids
from kernel.calendar import Month
from kernel.errors import Forbidden, NotFound, PolicyParameterMissing, Refused
from services.benefits import calculation
from services.benefits.lifecycle import FUND_OF, Kind, PayrollState
from services.benefits.operations import payroll_approval
from services.benefits.store import decisions, payrolls
from services.benefits.store.decisions import amount_of
from services.benefits.store.payrolls import Due
from services.benefits.store.rows import PayrollRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chassis.jobs import Chunk, Job
    from chassis.transaction import Transaction
    from kernel.money import Money
    from services.benefits.calculation import Calculation
    from services.benefits.commands import Approve
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.store.decisions import Amount
    from services.benefits.store.rows import BenefitRow

JOB = "payroll"
CHUNK_BENEFITS = (
    500  # some seconds when every one is an unemployment benefit of a long life; one event message of facts
)
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
    if last is not None and last.state is PayrollState.APPROVED and await payrolls.is_unpaid(tx, month):
        waiting = f"{await payrolls.digest_unpaid(tx, month)} {policy.version}"
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


def job(policy: BenefitsPolicy, *, size: int = CHUNK_BENEFITS) -> JobKind:
    """The job that prepares a payroll: its first chunk plans, the others pay a run of benefits each."""
    return JobKind(JOB, partial(_run_chunk, policy=policy, size=size), _finish)


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
    now = await payrolls.totals(tx, row.payroll_id)  # added up again: what is released is what stands there
    if command.digest != row.digest or now.digest != row.digest:
        raise Refused("PAYROLL_CHANGED", "the payroll is not the one that was looked at")
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
    for kind, total in (await payrolls.totals_by_kind(tx, row.payroll_id)).items():
        if total.fen:
            await ledger.post(
                tx,
                kind="payroll",
                key=f"payroll/{payroll_id}/{kind.value}",
                postings=[(FUNDS[kind], -total), (CLEARING, total)],
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
    """The time to approve a payroll may have passed; whoever prepares the month again asks once more."""
    assert row.approval_id is not None
    if (await approval.get(tx, row.approval_id)).expires <= tx.now:
        locked = await payrolls.get(tx, row.payroll_id, lock=True)
        if locked is not None and locked.state is PayrollState.PREPARED:
            await payroll_approval.ask_approval(tx, locked)


async def _run_chunk(tx: Transaction, job_: Job, chunk: Chunk, *, policy: BenefitsPolicy, size: int) -> ChunkResult:
    month = Month.parse(job_.params["month"])
    if "last" not in chunk.params:
        return await _plan(tx, job_, month, size)
    after = UUID(chunk.params["after"]) if chunk.params["after"] else None
    benefits = await payrolls.lock_to_pay(tx, month, after, UUID(chunk.params["last"]))
    amounts = await decisions.amounts(tx, (one.benefit_id for one in benefits))
    varying = [one for one in benefits if one.kind is Kind.UNEMPLOYMENT]
    inputs = await decisions.calculations(tx, (one.digest for one in varying))
    due: list[Due] = []
    made: list[Calculation] = []
    rejects: list[Reject] = []
    for place, benefit in enumerate(benefits):
        try:
            months = _months(benefit, month, policy, amounts[benefit.benefit_id], inputs.get(benefit.digest))
        except PolicyParameterMissing as missing:
            rejects.append(_reject(place, missing))
            continue
        if place % SLICE == SLICE - 1:
            await asyncio.sleep(0)
        due.extend(Due(ids.new_id(), benefit, paid, amount, digest) for paid, amount, digest, _ in months)
        made.extend(one for *_, one in months if one is not None)
    await decisions.add_calculations(tx, made)
    written = await payrolls.add_payments(tx, UUID(job_.params["payroll_id"]), due)
    tx.audit("payments_prepared", detail={"count": str(written), "chunk": str(chunk.number)})
    return ChunkResult(done=written, skipped=len(due) - written, rejects=rejects)


async def _plan(tx: Transaction, job_: Job, month: Month, size: int) -> ChunkResult:
    ends = await payrolls.boundaries(tx, month, size)
    runs = [
        {"after": str(after) if after else "", "last": str(last)}
        for after, last in zip([None, *ends], ends, strict=False)  # nobody to pay: no run
    ]
    if runs:
        await jobs.add_chunks(tx, job_.id, runs)
    return ChunkResult()


def _months(
    benefit: BenefitRow,
    until: Month,
    policy: BenefitsPolicy,
    amounts: Sequence[Amount],
    determined: Calculation | None,
) -> Sequence[tuple[Month, Money, bytes, Calculation | None]]:
    """The unpaid months of a benefit with what each is worth and the calculation that says so.

    The cap of the unemployment benefit may change every month, so each is computed; every other kind has amounts.
    """
    last = until if benefit.last_month is None else min(until, benefit.last_month)
    months = list(Month.range(benefit.next_month, last))
    if benefit.kind is Kind.UNEMPLOYMENT:
        assert determined is not None
        made = calculation.recompute_months(determined, months, policy)
        return [(month, one.statement.total, one.digest, one) for month, one in zip(months, made, strict=True)]
    worth = ((month, amount_of(amounts, month)) for month in months)
    return [(month, one.amount, one.digest, None) for month, one in worth]


def _reject(place: int, missing: PolicyParameterMissing) -> Reject:
    """A benefit that cannot be paid now stays unpaid; its months come with the next payroll."""
    key = f"{missing.metadata['file']}: {missing.metadata['key']} {missing.metadata['on']}"
    return Reject(
        line=place + 1,
        code=missing.reason,
        text_zh=f"政策参数缺失（{key}），本月未发放；补录参数后随下一批次补发",
        text_en=f"a policy parameter is missing ({key}); not paid now, paid with the next payroll once it is known",
    )


async def _finish(tx: Transaction, job_: Job) -> None:
    row = await payrolls.get(tx, UUID(job_.params["payroll_id"]), lock=True)
    assert row is not None
    await payroll_approval.ask_approval(tx, row)
    assert row.digest is not None
    tx.audit(
        "payroll_prepared",
        detail={"payroll_id": ids.to_text("prl", row.payroll_id), "digest": row.digest.hex()},
    )
