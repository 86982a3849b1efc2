"""The monthly bill run of the city (月度批量核定): a job over ranges of employers, each chunk one statement."""

from uuid import UUID

from chassis import jobs
from chassis.jobs import Chunk, ChunkResult, Job, JobKind, Reject
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import InvalidInput
from kernel.money import Money
from services.enrollment import billing, city
from services.enrollment.billing import CHARGES, BillKind
from services.enrollment.city import BillRun, Tariff, Totals, bill_run_exists, bill_run_not_found
from services.enrollment.domain.contributions import EmployerTerms
from services.enrollment.operations import city_covers
from services.enrollment.operations.office import Office
from services.enrollment.store import assessment
from services.enrollment.store import city as store
from services.enrollment.store.assessment import Billed

KIND = "bill_run"
PLAN = {"plan": True}  # the first chunk finds the others: counting two million takes longer than a call may
NOTHING = Totals(0, 0, dict.fromkeys(CHARGES, Money.ZERO))


async def start_bill_run(
    tx: Transaction, month: Month, office: Office, kind: BillKind = BillKind.EMPLOYER
) -> tuple[BillRun, Job]:
    """Start the bill run of a month over employees, government posts or flexible workers.

    Raises:
        AlreadyExists: BILL_RUN_EXISTS with the id of the first run.
        Refused: MONTH_NOT_STARTED, PAST_YEAR_CLOSED, POLICY_PARAMETER_MISSING.
    """
    billing.check_month_started(month, tx.today)
    if kind is not BillKind.EMPLOYER:
        return await city_covers.start(tx, month, kind, office)
    # What is not known for the month refuses here, not in every chunk; the law has class 1 at its benchmark.
    city.tariff(month, office.policy.contributions, EmployerTerms(industry_class=1))
    run_id = ids.new_id()
    job_id = await jobs.start(tx, KIND, params={"run_id": run_id.hex, "month": str(month)}, chunks=[PLAN])
    run = BillRun(run_id, month, job_id, tx.today, office.policy.version, NOTHING)
    if not await store.add(tx, run):
        first = await store.find(tx, month)
        assert first is not None
        raise bill_run_exists(ids.to_text("brn", first.run_id), month)
    tx.audit("StartBillRun", detail={"run_id": ids.to_text("brn", run_id), "month": str(month)})
    return run, await jobs.get(tx, job_id)


async def bill_run(tx: Transaction, month: Month, kind: BillKind = BillKind.EMPLOYER) -> tuple[BillRun, Job]:
    """Show the run of a month and its job.

    Raises:
        NotFound: BILL_RUN_NOT_FOUND.
    """
    if kind is not BillKind.EMPLOYER:
        return await city_covers.show(tx, month, kind)
    run = await store.find(tx, month)
    if run is None:
        raise bill_run_not_found(month)
    return run, await jobs.get(tx, run.job_id)


def job_kind(office: Office) -> JobKind:
    """The job that bills the city."""

    async def run_chunk(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        month = Month.parse(job.params["month"])
        if chunk.params == PLAN:
            return await _plan(tx, job, month)
        first, last = UUID(hex=chunk.params["first"]), UUID(hex=chunk.params["last"])
        tariffs: dict[tuple[int, str], int] = {}
        known: list[Tariff] = []
        billed: list[Billed] = []
        rejects: list[Reject] = []
        for number, (employer_id, injury_class, step) in enumerate(
            await store.lock_employers(tx, first, last, month), 1
        ):
            key = (injury_class, str(step))
            if key not in tariffs:
                try:
                    known.append(city.tariff(month, office.policy.contributions, EmployerTerms(injury_class, step)))
                except InvalidInput as refusal:
                    rejects.append(_no_tariff(number, employer_id, refusal))
                    continue
                tariffs[key] = len(known) - 1
            billed.append(Billed(employer_id, tariffs[key]))
        totals = NOTHING
        run_id = UUID(hex=job.params["run_id"])
        if billed:
            await store.plan_for_many(tx)
            totals = await assessment.assess(tx, billed, known, policy_version=office.policy.version, run_id=run_id)
        await store.add_part(tx, run_id, chunk.number, totals)
        tx.audit("BillRunChunk", detail={"bills": str(totals.bill_count), "persons": str(totals.person_count)})
        skipped = max(0, chunk.params["persons"] - totals.person_count)
        return ChunkResult(done=totals.person_count, skipped=skipped, rejects=rejects)

    return JobKind(KIND, run_chunk)


async def hold_job(tx: Transaction, job_id: UUID) -> Job:
    """Hold a job of the register: chunks under way end, no other begins.

    Raises:
        NotFound: JOB_NOT_FOUND.
        Refused: JOB_NOT_RUNNING.
    """
    await jobs.pause(tx, job_id)
    tx.audit("job_paused", detail={"job_id": ids.to_text("job", job_id)})
    return await jobs.get(tx, job_id)


async def go_on_with_job(tx: Transaction, job_id: UUID) -> Job:
    """Go on with a held job, or once more with a failed one.

    Raises:
        NotFound: JOB_NOT_FOUND.
        Refused: JOB_NOT_RUNNING.
    """
    await jobs.resume(tx, job_id)
    tx.audit("job_resumed", detail={"job_id": ids.to_text("job", job_id)})
    return await jobs.get(tx, job_id)


async def _plan(tx: Transaction, job: Job, month: Month) -> ChunkResult:
    parts = await store.parts(tx, month, city.CHUNK_PERSONS)
    await jobs.add_chunks(
        tx,
        job.id,
        [{"first": part.first.hex, "last": part.last.hex, "persons": part.person_count} for part in parts],
        row_count=sum(part.person_count for part in parts),
    )
    return ChunkResult()


def _no_tariff(number: int, employer_id: UUID, refusal: InvalidInput) -> Reject:
    key = ids.to_text("emp", employer_id)
    return Reject(
        number,
        refusal.reason,
        f"{key} 的行业类别或浮动档次在该月没有工伤保险费率，请更正后单独核定",
        f"the law of the month has no work-injury rate for the class or step of {key}; correct it and assess its bill",
    )
