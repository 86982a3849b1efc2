"""The monthly bill runs of government posts and flexible workers (机关事业单位、灵活就业人员月度批量核定), as jobs.

A government body's bill is made by the very function that makes a single one; flexible workers have a set form, which a
property test holds to the single form. Each kind has one run a month; who comes later is billed one by one.
"""

from uuid import UUID

from chassis import jobs
from chassis.jobs import Chunk, ChunkResult, Job, JobKind, Reject
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import InvalidInput, PolicyParameterMissing
from kernel.money import Money
from services.enrollment import billing
from services.enrollment.billing import PARTS, POST_SCHEMES, BillKind, Terms
from services.enrollment.city import CHUNK_PERSONS, BillRun, Tariff, Totals, bill_run_exists, bill_run_not_found
from services.enrollment.domain.contributions import EmployerTerms, Scheme, Side, contribution_rates
from services.enrollment.operations import cover_posts
from services.enrollment.operations.office import Office
from services.enrollment.store import bills, city, people
from services.enrollment.store import city_covers as store

KIND = "cover_bill_run"
PLAN = {"plan": True}
NO_EMPLOYER = EmployerTerms(1)  # a flexible worker has no class of work injury
FLEXIBLE_CHUNK = 5_000  # each is a bill of its own: two rows with their indexes, a fifth of a second in all


async def start(tx: Transaction, month: Month, kind: BillKind, office: Office) -> tuple[BillRun, Job]:
    """Start the run of a month that has begun.

    Raises:
        AlreadyExists: BILL_RUN_EXISTS with the id of the first run.
        Refused: PAST_YEAR_CLOSED, POLICY_PARAMETER_MISSING.
    """
    if kind is BillKind.FLEXIBLE:
        if month.year < tx.today.year:
            raise billing.past_year_closed(month, field="month")
        _tariff(month, office)  # what is not known for the month refuses here, not in every chunk
    else:
        law = office.policy.contributions
        contribution_rates(month, POST_SCHEMES, law, NO_EMPLOYER)
        law.limits.on(month.first_day)
    run_id = ids.new_id()
    params = {"run_id": run_id.hex, "month": str(month), "kind": kind.value}
    job_id = await jobs.start(tx, KIND, params=params, chunks=[PLAN])
    run = BillRun(run_id, month, job_id, tx.today, office.policy.version, _totals(kind, []))
    if not await store.add(tx, run):
        first = await store.find(tx, month, kind)
        assert first is not None
        raise bill_run_exists(ids.to_text("brn", first.run_id), month)
    detail = {"run_id": ids.to_text("brn", run_id), "month": str(month), "kind": kind.value}
    tx.audit("StartBillRun", detail=detail)
    return run, await jobs.get(tx, job_id)


async def show(tx: Transaction, month: Month, kind: BillKind) -> tuple[BillRun, Job]:
    """Show the run of a month and its job.

    Raises:
        NotFound: BILL_RUN_NOT_FOUND.
    """
    run = await store.find(tx, month, kind)
    if run is None:
        raise bill_run_not_found(month)
    return run, await jobs.get(tx, run.job_id)


def job_kind(office: Office) -> JobKind:
    """The job that bills the posts or the flexible workers of the city."""

    async def run_chunk(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        month, kind = Month.parse(job.params["month"]), BillKind(job.params["kind"])
        if chunk.params == PLAN:
            return await _plan(tx, job, month, kind)
        first, last = UUID(hex=chunk.params["first"]), UUID(hex=chunk.params["last"])
        await city.plan_for_many(tx)
        rejects: list[Reject] = []
        if kind is BillKind.FLEXIBLE:
            made = await store.assess_flexible(
                tx, first, last, _tariff(month, office), policy_version=office.policy.version
            )
            charges = {"pension_employee": Money.total(made)}
            totals = Totals(len(made), len(made), charges, kind)
        else:
            totals, rejects = await _posts(tx, (first, last), month, office)
        await store.add_part(tx, UUID(hex=job.params["run_id"]), chunk.number, totals)
        tx.audit("BillRunChunk", detail={"bills": str(totals.bill_count), "persons": str(totals.person_count)})
        skipped = max(0, chunk.params["persons"] - totals.person_count)
        return ChunkResult(done=totals.person_count, skipped=skipped, rejects=rejects)

    return JobKind(KIND, run_chunk)


async def _posts(tx: Transaction, part: tuple[UUID, UUID], month: Month, office: Office) -> tuple[Totals, list[Reject]]:
    """Bills of the government bodies of a range; one whose rates the law does not have is named, and left out."""
    made, rejects = [], []
    for number, employer_id in enumerate(await store.lock_posts(tx, *part), start=1):
        employer = await people.employer(tx, employer_id)
        assert employer is not None  # it is locked
        try:
            is_made = await cover_posts.bill_month(tx, employer, month, office)
        except (InvalidInput, PolicyParameterMissing) as refusal:
            rejects.append(_no_rate(number, employer_id, refusal))
            continue
        if is_made:
            bill = await bills.latest(tx, employer_id, month, BillKind.GOVERNMENT)
            assert bill is not None
            made.append(bill)
    return _totals(BillKind.GOVERNMENT, made), rejects


async def _plan(tx: Transaction, job: Job, month: Month, kind: BillKind) -> ChunkResult:
    size = FLEXIBLE_CHUNK if kind is BillKind.FLEXIBLE else CHUNK_PERSONS
    parts = await store.parts(tx, month, kind, size)
    await jobs.add_chunks(
        tx,
        job.id,
        [{"first": part.first.hex, "last": part.last.hex, "persons": part.person_count} for part in parts],
        row_count=sum(part.person_count for part in parts),
    )
    return ChunkResult()


def _tariff(month: Month, office: Office) -> Tariff:
    """The rates that every flexible worker pays in a month."""
    law, day = office.policy.contributions, month.first_day
    terms = Terms(month, law, NO_EMPLOYER, BillKind.FLEXIBLE)
    limits = law.limits.on(day).value
    charge = (Scheme.EMPLOYEE_PENSION, Side.FLEXIBLE)
    return Tariff(
        terms=terms,
        rates={charge: law.rates[charge].on(day).value},
        account_rate=law.account_credit.on(day).value,
        limits=limits,
        provisional=billing.explain(limits.floor, terms).provisional,
    )


def _totals(kind: BillKind, made: list[billing.Bill]) -> Totals:
    charges = {name: Money.total(bill.charges[name] for bill in made) for name in PARTS[kind]}
    return Totals(len(made), sum(bill.person_count for bill in made), charges, kind)


def _no_rate(number: int, employer_id: UUID, refusal: InvalidInput | PolicyParameterMissing) -> Reject:
    key = ids.to_text("emp", employer_id)
    return Reject(
        number,
        refusal.reason,
        f"{key} 参加的险种在该月没有可用的费率，请补充参数或更正后单独核定",
        f"the law of the month has no rate for a scheme of {key}; supply or correct it and assess its bill",
    )
