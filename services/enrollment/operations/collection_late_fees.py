"""Late fees over the whole city on a day (滞纳金计提), as a job: each month's end, a year's end, or whenever asked.

What is accrued is a figure of its day and books nothing: a fee is demanded when its bill is paid and stops growing, and
it is booked when it is paid. A run demands the fees of bills that were paid too late where it is told to.
"""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from chassis import jobs, paging
from chassis.jobs import Chunk, ChunkResult, Job, JobKind, Reject
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import AlreadyExists, InvalidInput, NotFound, Refused
from services.enrollment.arrears import LateFeeRun, Reminded
from services.enrollment.operations import collection_arrears
from services.enrollment.operations.office import Office
from services.enrollment.store import city
from services.enrollment.store import late_fees as store

KIND = "late_fee_run"
PLAN = {"plan": True}
CHUNK_DOCUMENTS = 5_000  # a fifth of a second; demands, where asked for, some milliseconds each


async def start(tx: Transaction, on: date | None, *, with_demands: bool, office: Office) -> tuple[LateFeeRun, Job]:
    """Start the late fees of a day.

    Raises:
        InvalidInput: LATE_FEE_DAY_INVALID for a day that has not come.
        AlreadyExists: LATE_FEE_RUN_EXISTS with the id of the first run.
        PolicyParameterMissing: No rate of the late fee is in force on the day.
    """
    day = on or tx.today
    if day > tx.today:
        raise InvalidInput("LATE_FEE_DAY_INVALID", "the day has not come", field="on", latest=str(tx.today))
    office.policy.late_fee_daily.on(day)
    run_id = ids.new_id()
    params = {"run_id": run_id.hex, "on": str(day)}
    job_id = await jobs.start(tx, KIND, params=params, chunks=[PLAN])
    run = LateFeeRun(run_id, day, job_id, with_demands, office.policy.version)
    if not await store.add(tx, run):
        first = await store.find(tx, day)
        assert first is not None
        raise AlreadyExists(
            "LATE_FEE_RUN_EXISTS", "the day has its run", run=ids.to_text("lfr", first.run_id), on=str(day)
        )
    tx.audit("StartLateFeeRun", detail={"run_id": ids.to_text("lfr", run_id), "on": str(day)})
    return run, await jobs.get(tx, job_id)


async def show(tx: Transaction, on: date) -> tuple[LateFeeRun, Job]:
    """Show the run of a day and its job.

    Raises:
        NotFound: LATE_FEE_RUN_NOT_FOUND.
    """
    run = await _run(tx, on)
    return run, await jobs.get(tx, run.job_id)


async def list_reminders(
    tx: Transaction, on: date, *, size: int, token: str
) -> tuple[LateFeeRun, Sequence[Reminded], str]:
    """A page of the employers that were in arrears on the day of a run, and the token of the next.

    Raises:
        NotFound: LATE_FEE_RUN_NOT_FOUND.
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    run = await _run(tx, on)
    page = paging.read(tx, size=size, token=token, query=f"reminders {on}")
    after = UUID(hex=page.after) if page.after else None
    rows = await store.reminders(tx, run.run_id, after=after, limit=page.size + 1)
    shown = rows[: page.size]
    following = paging.following(tx, page, shown[-1].employer_id.hex) if len(rows) > page.size else ""
    return run, shown, following


def job_kind(office: Office) -> JobKind:
    """The job that finds what is owed."""

    async def run_chunk(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        run = await _run(tx, date.fromisoformat(job.params["on"]))
        if chunk.params == PLAN:
            return await _plan(tx, job)
        first, last = UUID(hex=chunk.params["first"]), UUID(hex=chunk.params["last"])
        await city.plan_for_many(tx)
        demands = await _demand(tx, first, last, office) if run.with_demands else 0
        missing = await store.without_due_day(tx, first, last)
        due = {month: collection_arrears.due_of(None, month, office) for month in missing}
        known = {month: day for month, day in due.items() if day is not None}
        await store.accrue(tx, run, first, last, daily_rate=office.policy.late_fee_daily, due=known)
        documents, fee = await store.add_part(tx, run.run_id, chunk.number, first, last, demands=demands)
        tx.audit("LateFeeRunChunk", detail={"documents": str(documents), "fee": str(fee), "demands": str(demands)})
        rejects = [
            _no_due_day(number, month, missing[month])
            for number, month in enumerate((one for one in missing if one not in known), start=1)
        ]
        return ChunkResult(done=documents, rejects=rejects)

    return JobKind(KIND, run_chunk)


async def _demand(tx: Transaction, first: UUID, last: UUID, office: Office) -> int:
    """Demand the fee of every bill of a range that was paid too late; a fee of less than a fen is none."""
    made = 0
    for bill_id in await store.late_bills(tx, first, last):
        try:
            await collection_arrears.demand_late_fee(tx, bill_id, office)
        except Refused as refusal:
            if refusal.reason != "NOT_LATE":
                raise
        else:
            made += 1
    return made


async def _plan(tx: Transaction, job: Job) -> ChunkResult:
    parts = await store.parts(tx, CHUNK_DOCUMENTS)
    await jobs.add_chunks(
        tx,
        job.id,
        [{"first": part.first.hex, "last": part.last.hex} for part in parts],
        row_count=sum(part.person_count for part in parts),
    )
    return ChunkResult()


async def _run(tx: Transaction, on: date) -> LateFeeRun:
    run = await store.find(tx, on)
    if run is None:
        raise NotFound("LATE_FEE_RUN_NOT_FOUND", "no run of late fees was started for the day", on=str(on))
    return run


def _no_due_day(number: int, month: Month, bills: int) -> Reject:
    return Reject(
        number,
        "DUE_DATE_MISSING",
        f"{month} 的 {bills} 张征缴单没有缴费期限，未计滞纳金；请先设置该月的缴费期限",
        f"{bills} bills of {month} have no due day and bear no fee here; set the due day of the month first",
    )
