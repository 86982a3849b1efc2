"""Final limits: a job that makes difference lines for every bill of some months, up or down, and rewrites nothing.

A bill again finds nothing to do: the lines are the difference to what was billed and to every difference before.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from asyncpg import Record

from chassis import jobs, paging
from chassis.jobs import Chunk, ChunkResult, Job, JobKind
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import NotFound, Refused
from kernel.money import Money
from kernel.statement import Statement
from services.enrollment import billing
from services.enrollment import collection as rules
from services.enrollment.arrears import Demand, DemandKind
from services.enrollment.billing import CHARGES, EMPLOYEE_SCHEMES, BillState
from services.enrollment.collection import Difference
from services.enrollment.domain.contributions import Scheme, contribution_rates
from services.enrollment.operations.collection_settlement import settle_waiting
from services.enrollment.operations.office import Office
from services.enrollment.store import bills, debts, differences

KIND = "settle_limits"
CHUNK_PERSONS = 2_000  # of a chunk, or one bill
EXPLAINED_SLICE = 8  # lines explained between two turns


async def settle_limits(tx: Transaction, first: Month, last: Month, office: Office) -> Job:
    """Start to settle months by their final limits.

    Raises:
        InvalidInput: MONTHS_REVERSED.
        Refused: MONTH_NOT_STARTED, LIMITS_PROVISIONAL with the month, POLICY_PARAMETER_MISSING.
    """
    rules.check_months(first, last)
    billing.check_month_started(last, tx.today)
    for month in Month.range(first, last):
        if office.policy.contributions.limits.on(month.first_day).provisional:
            raise Refused("LIMITS_PROVISIONAL", "the limits of a month are not final", month=str(month))
    found = await differences.provisional_bills(tx, first, last)
    job_id = await jobs.start(
        tx,
        KIND,
        params={"first": str(first), "last": str(last), "policy_version": office.policy.version},
        chunks=[{"bills": [str(one) for one in chunk]} for chunk in _chunks(found)],
        total_count=sum(persons for _, persons in found),
    )
    tx.audit("SettleLimits", detail={"job_id": ids.to_text("job", job_id), "first": str(first), "last": str(last)})
    return await jobs.get(tx, job_id)


def job_kind(office: Office) -> JobKind:
    """The job that settles."""

    async def run_chunk(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        if job.params["policy_version"] != office.policy.version:
            # The law changed while the job was waiting; half of the city by the old one would be no result.
            raise Refused("LIMITS_CHANGED", "the law changed since the job was started; start it again")
        return await _settle(tx, [UUID(one) for one in chunk.params["bills"]], office)

    return JobKind(KIND, run_chunk)


async def list_lines(
    tx: Transaction, difference_id: UUID, *, size: int, token: str
) -> tuple[Difference, Sequence[tuple[Record, Statement]], str, str]:
    """A page of the persons of a difference, each with the statement of the new amounts.

    Beside them the version of the law and the token of the next page.

    Raises:
        NotFound: DIFFERENCE_NOT_FOUND.
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    found = await differences.difference(tx, difference_id)
    if found is None:
        raise NotFound("DIFFERENCE_NOT_FOUND", "no such difference")
    difference, terms, version = found
    page = paging.read(tx, size=size, token=token, query=f"difference {difference_id}")
    after = UUID(hex=page.after) if page.after else None
    rows = await differences.lines(tx, difference_id, after=after, limit=page.size + 1)
    shown = []
    for number, row in enumerate(rows[: page.size], start=1):
        shown.append((row, billing.explain(Money(row["wage_fen"]), terms)))
        if number % EXPLAINED_SLICE == 0:
            await asyncio.sleep(0)
    tx.audit("ListDifferenceLines", detail={"difference_id": ids.to_text("dif", difference_id)})
    following = paging.following(tx, page, shown[-1][0]["person_id"].hex) if len(rows) > page.size else ""
    return difference, shown, version, following


async def _settle(tx: Transaction, bill_ids: Sequence[UUID], office: Office) -> ChunkResult:
    law = office.policy.contributions
    before = await differences.lock_bills(tx, bill_ids)
    after = [
        (bill_id, ids.new_id(), replace(terms, law=replace(terms.law, limits=law.limits)))
        for bill_id, terms in before.items()
    ]
    rates, shares = [], []
    for _, _, terms in after:  # the rates are those of the bill: only its limits were provisional
        rates.append(contribution_rates(terms.month, EMPLOYEE_SCHEMES, terms.law, terms.employer))
        shares.append(terms.law.account_credit.on(terms.month.first_day).value)
    made = await differences.make(tx, after, rates, shares, policy_version=office.policy.version)
    for row in made:
        total = Money(row["total_fen"])
        if total > Money.ZERO:
            await debts.add_demand(tx, _demand(tx, row, total, office))
            continue
        bill = await bills.bill(tx, row["bill_id"], lock=True)
        if bill is not None and bill.state is BillState.PAID:
            await settle_waiting(tx, bill)
    persons = sum(row["person_count"] for row in made)
    tx.audit("SettleLimitsChunk", detail={"bills": str(len(made)), "persons": str(persons)})
    return ChunkResult(done=persons)


def _demand(tx: Transaction, row: Record, total: Money, office: Office) -> Demand:
    by_scheme = {
        scheme: Money(sum(row[f"{name}_fen"] for name, (one, _) in CHARGES.items() if one is scheme))
        for scheme in (Scheme.EMPLOYEE_PENSION, Scheme.UNEMPLOYMENT, Scheme.WORK_INJURY)
    }
    return Demand(
        demand_id=ids.new_id(),
        employer_id=row["employer_id"],
        kind=DemandKind.DIFFERENCE,
        bill_id=row["bill_id"],
        difference_id=row["difference_id"],
        total=total,
        paid=Money.ZERO,
        shares=by_scheme,
        statement=None,
        policy_version=office.policy.version,
        assess_date=tx.today,
    )


def _chunks(found: Sequence[tuple[UUID, int]]) -> Sequence[Sequence[UUID]]:
    """Bills in chunks of about so many persons."""
    chunks: list[list[UUID]] = []
    persons = CHUNK_PERSONS
    for bill_id, count in found:
        if persons + count > CHUNK_PERSONS:
            chunks.append([])
            persons = 0
        chunks[-1].append(bill_id)
        persons += count
    return chunks
