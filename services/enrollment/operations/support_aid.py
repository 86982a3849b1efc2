"""Premiums that the government pays on behalf (社保费代缴): entitlements, a year's run, and its money as it comes.

The list of entitled persons comes from those who decide it; the run assesses the year of everybody on it who is insured
as a resident and has no payment of the year. The budget pays the run in one sum, which then credits the accounts.
"""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from asyncpg import Record

from chassis import jobs, ledger
from chassis.jobs import Chunk, ChunkResult, Job, JobKind
from chassis.principal import person_not_found
from chassis.transaction import Transaction
from kernel import ids
from kernel.errors import AlreadyExists, InvalidInput, Refused
from kernel.money import Money
from services.enrollment import accounting
from services.enrollment import support as rules
from services.enrollment.commands import SingleReceipt
from services.enrollment.cover_money import check_single_receipt
from services.enrollment.operations.cover_residents import check_simulated, receipt_no_reused
from services.enrollment.operations.office import Office
from services.enrollment.store import city, people
from services.enrollment.store import premium_aid as store
from services.enrollment.support import Aid, AidGroup, AidRun

ASSESS, CREDIT = "premium_aid_run", "premium_aid_credit"
PLAN = {"plan": True}
CHUNK_PERSONS = 5_000  # two or three rows each: a fifth of a second


async def grant(
    tx: Transaction, person_id: UUID, group: AidGroup, years: tuple[int, int | None], document_ref: str
) -> Aid:
    """Note that the government pays for a person.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        InvalidInput: YEAR_INVALID, DOCUMENT_INVALID.
        AlreadyExists: PREMIUM_AID_EXISTS.
    """
    rules.check_aid_years(*years, tx.today)
    if not await people.lock(tx, [person_id]):
        raise person_not_found()
    reference = rules.check_notice_no(document_ref, "document_ref")
    made = Aid(ids.new_id(), person_id, group, *years, reference)
    if not await store.add(tx, made):
        raise rules.aid_exists()
    tx.audit("GrantPremiumAid", person_id=person_id, detail={"aid_id": ids.to_text("pma", made.aid_id)})
    return made


async def end(tx: Transaction, aid_id: UUID, until_year: int) -> Aid:
    """Note the last year for which the government pays; years that were assessed stay.

    Raises:
        NotFound: PREMIUM_AID_NOT_FOUND.
        InvalidInput: YEAR_INVALID.
    """
    found = await store.lock(tx, aid_id)
    if found is None:
        raise rules.aid_not_found()
    if until_year < found.from_year - 1 or (found.until_year is not None and until_year > found.until_year):
        raise InvalidInput("YEAR_INVALID", "an entitlement ends within its years", field="until_year")
    await store.end(tx, aid_id, until_year)
    tx.audit("EndPremiumAid", person_id=found.person_id, detail={"aid_id": ids.to_text("pma", aid_id)})
    return Aid(found.aid_id, found.person_id, found.group, found.from_year, until_year, found.document_ref)


async def of_person(tx: Transaction, person_id: UUID) -> Sequence[Aid]:
    """For which years the government pays for a person.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    tx.principal.require_person(person_id)
    if not await people.is_known(tx, person_id):
        raise person_not_found()
    return await store.aids(tx, person_id)


async def start_run(tx: Transaction, year: int, office: Office) -> tuple[AidRun, Job]:
    """Start to assess a year's premiums on behalf.

    Raises:
        InvalidInput: YEAR_INVALID.
        AlreadyExists: PREMIUM_AID_RUN_EXISTS with the id of the first run.
        Refused: TIER_UNKNOWN, POLICY_PARAMETER_MISSING.
    """
    if year != tx.today.year:
        raise InvalidInput("YEAR_INVALID", "the premiums of this year are paid", field="year")
    day = date(year, 1, 1)
    tier, subsidy, statement = rules.aid_year(
        year, office.policy.on_behalf_tier.on(day), office.policy.resident_tiers.on(day)
    )
    run_id = ids.new_id()
    job_id = await jobs.start(tx, ASSESS, params={"year": year}, chunks=[PLAN])
    run = AidRun(run_id, year, job_id, tier, subsidy, statement, office.policy.version, tx.today)
    if not await store.add_run(tx, run):
        first = await _run(tx, year)
        raise AlreadyExists("PREMIUM_AID_RUN_EXISTS", "the year has its run", run=_run_id(first), year=str(year))
    tx.audit("StartPremiumAidRun", detail={"run_id": _run_id(run), "year": str(year)})
    return run, await jobs.get(tx, job_id)


async def show_run(tx: Transaction, year: int) -> tuple[AidRun, Job]:
    """Show the run of a year and the job that works on it.

    Raises:
        NotFound: PREMIUM_AID_RUN_NOT_FOUND.
    """
    run = await _run(tx, year)
    return run, await jobs.get(tx, run.credit_job_id or run.job_id)


async def record_receipt(tx: Transaction, year: int, receipt: SingleReceipt, office: Office) -> tuple[AidRun, Job]:
    """Record the budget's money for a run, whole and once; a job credits the accounts.

    Raises:
        NotFound: PREMIUM_AID_RUN_NOT_FOUND.
        AlreadyExists: RECEIPT_NO_REUSED.
        InvalidInput: RECEIPT_AMOUNT_INVALID, PAID_DATE_INVALID.
        Refused: PREMIUM_AID_RUN_OPEN while the year is being assessed, PAYMENT_ALREADY_PAID, RECEIPT_SIMULATED.
    """
    check_simulated(receipt, office)
    run = await _run(tx, year)
    if (await jobs.get(tx, run.job_id)).state != "DONE":
        raise Refused("PREMIUM_AID_RUN_OPEN", "the year is still being assessed", year=str(year))
    check_single_receipt(
        run.total, receipt.amount, receipt.paid_date, tx.today, earliest=run.assess_date, paid=run.paid_date
    )
    job_id = await jobs.start(tx, CREDIT, params={"year": year}, chunks=[PLAN])
    if not await store.add_receipt(
        tx,
        run.run_id,
        receipt.receipt_no,
        receipt.amount,
        receipt.paid_date,
        simulated=receipt.simulated,
        job_id=job_id,
    ):
        raise receipt_no_reused()
    await ledger.post(
        tx,
        kind="premium_aid_receipt",
        key=_run_id(run),
        postings=[(rules.BUDGET, -receipt.amount), (rules.ON_BEHALF, receipt.amount)],
        business_date=receipt.paid_date,
    )
    tx.audit("RecordPremiumAidReceipt", detail={"run_id": _run_id(run), "fen": str(receipt.amount.fen)})
    return await _run(tx, year), await jobs.get(tx, job_id)


def job_kinds() -> Sequence[JobKind]:
    """The jobs that assess a year, and that credit it when the money came."""

    async def assess(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        run = await _run(tx, job.params["year"])
        if chunk.params == PLAN:
            return await _plan(tx, job, await store.entitled_parts(tx, run.year, CHUNK_PERSONS))
        await city.plan_for_many(tx)
        made = await store.assess(tx, run, UUID(hex=chunk.params["first"]), UUID(hex=chunk.params["last"]))
        tx.audit("PremiumAidChunk", detail={"persons": str(made)})
        return ChunkResult(done=made, skipped=max(0, chunk.params["persons"] - made))

    async def credit(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        run = await _run(tx, job.params["year"])
        if chunk.params == PLAN:
            return await _plan(tx, job, await store.owed_parts(tx, run.run_id, CHUNK_PERSONS))
        await city.plan_for_many(tx)
        simulated = await store.is_simulated(tx, run.run_id)
        first, last = UUID(hex=chunk.params["first"]), UUID(hex=chunk.params["last"])
        done = await store.credit(tx, run, first, last, simulated=simulated)
        await _book(tx, run, done, key=f"{ids.to_text('job', job.id)}/{chunk.number}")
        tx.audit("PremiumAidCreditChunk", detail={"persons": str(done)})
        return ChunkResult(done=done)

    return [JobKind(ASSESS, assess), JobKind(CREDIT, credit)]


async def _book(tx: Transaction, run: AidRun, persons: int, *, key: str) -> None:
    if not persons:
        return
    paid, subsidy = run.tier * persons, run.subsidy * persons
    postings = [
        (rules.ON_BEHALF, -paid),
        (accounting.SUBSIDY, -subsidy),
        (accounting.RESIDENT_ACCOUNTS, paid + subsidy),
    ]
    assert run.paid_date is not None
    await ledger.post(
        tx,
        kind="premium_aid",
        key=key,
        postings=[(account, amount) for account, amount in postings if amount != Money.ZERO],
        business_date=run.paid_date,
    )


async def _plan(tx: Transaction, job: Job, parts: Sequence[Record]) -> ChunkResult:
    chunks = [{"first": row["first"].hex, "last": row["last"].hex, "persons": row["persons"]} for row in parts]
    await jobs.add_chunks(tx, job.id, chunks, row_count=sum(row["persons"] for row in parts))
    return ChunkResult()


async def _run(tx: Transaction, year: int) -> AidRun:
    run = await store.find_run(tx, year)
    if run is None:
        raise rules.aid_run_not_found(year)
    return run


def _run_id(run: AidRun) -> str:
    return ids.to_text("pmr", run.run_id)
