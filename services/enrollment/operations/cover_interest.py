"""Interest of a year on the accounts of residents, government posts and the annuity (年度计息), as a job.

Each of them earns its own yearly rate, by the monthly product (assumed, docs/decisions/0168); a rate that the law files
leave open refuses by name until the bureau supplies it. What comes after the closing is booked in the next January.
"""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from chassis import jobs, ledger
from chassis.jobs import Chunk, ChunkResult, Job, JobKind
from chassis.principal import person_not_found
from chassis.transaction import Transaction
from kernel import ids
from kernel.errors import AlreadyExists, Refused
from kernel.money import Money
from services.enrollment import accounting
from services.enrollment.cover_money import SchemeYear
from services.enrollment.domain.account import Method, YearTerms
from services.enrollment.domain.contributions import Scheme
from services.enrollment.operations.office import Office
from services.enrollment.store import accounts, city, people
from services.enrollment.store import scheme_years as store

KIND = "close_scheme_year"
PLAN = {"plan": True}
CHUNK_ACCOUNTS = 5_000  # two rows and an update each: a fifth of a second
# Where the money of the accounts lies and who owes their interest.
BOOKED = {
    Scheme.RESIDENT_PENSION: (accounting.RESIDENT_FUND, accounting.RESIDENT_ACCOUNTS),
    Scheme.GOVERNMENT_PENSION: (accounting.GOVERNMENT_FUND, accounting.GOVERNMENT_ACCOUNTS),
    Scheme.OCCUPATIONAL_ANNUITY: (accounting.ANNUITY_FUND, accounting.ANNUITY_ACCOUNTS),
}


async def close_year(tx: Transaction, scheme: Scheme, year: int, office: Office) -> Job:
    """Start to book a year's interest on every account of a scheme.

    Raises:
        InvalidInput: YEAR_INVALID.
        AlreadyExists: SCHEME_YEAR_CLOSED.
        Refused: YEAR_NOT_OVER, ACCOUNT_YEAR_OPEN with the year to close first, POLICY_PARAMETER_MISSING.
    """
    accounting.check_year_over(year, tx.today)
    _terms(scheme, year, office)  # a rate that is not known refuses here, not in every chunk
    first = await store.next_year(tx, scheme)
    if first is not None and year > first:
        raise Refused("ACCOUNT_YEAR_OPEN", "a year before is not closed", source=("LB-1997-116",), year=str(first))
    job_id = await jobs.start(tx, KIND, params={"scheme": scheme.value, "year": year}, chunks=[PLAN])
    if (first is not None and year < first) or not await store.close(tx, scheme, year, job_id, office.policy.version):
        raise AlreadyExists("SCHEME_YEAR_CLOSED", "the interest of that year is booked", year=str(year))
    tx.audit("CloseSchemeAccountYear", detail={"scheme": scheme.value, "year": str(year)})
    return await jobs.get(tx, job_id)


async def list_years(tx: Transaction, person_id: UUID) -> Sequence[SchemeYear]:
    """Show the closed years of a person's accounts beside that of the employee pension.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    tx.principal.require_person(person_id)
    if not await people.is_known(tx, person_id):
        raise person_not_found()
    return await store.years(tx, person_id)


def job_kind(office: Office) -> JobKind:
    """The job that books."""

    async def run_chunk(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        scheme, year = Scheme(job.params["scheme"]), job.params["year"]
        terms = await accounts.keep_terms(tx, job.id, _terms(scheme, year, office))
        if chunk.params == PLAN:
            parts = await store.parts(tx, scheme, CHUNK_ACCOUNTS)
            chunks = [{"first": row["first"].hex, "last": row["last"].hex} for row in parts]
            await jobs.add_chunks(tx, job.id, chunks, row_count=sum(row["persons"] for row in parts))
            return ChunkResult()
        await city.plan_for_many(tx)
        part = UUID(hex=chunk.params["first"]), UUID(hex=chunk.params["last"])
        done, interest = await store.book(tx, scheme, terms, part, job.id)
        if interest != Money.ZERO:
            fund, held = BOOKED[scheme]
            await ledger.post(
                tx,
                kind="scheme_interest",
                key=f"{ids.to_text('job', job.id)}/{chunk.number}",
                postings=[(fund, -interest), (held, interest)],
                business_date=tx.today,
            )
        tx.audit("CloseSchemeYearChunk", detail={"scheme": scheme.value, "year": str(year), "closed": str(done)})
        return ChunkResult(done=done)

    return JobKind(KIND, run_chunk)


def _terms(scheme: Scheme, year: int, office: Office) -> YearTerms:
    rate = office.policy.scheme_interest[scheme].on(date(year, 12, 31))
    return YearTerms(year, rate, Method.MONTHLY_PRODUCT)
