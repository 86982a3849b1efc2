"""Personal accounts: the yearly interest as a job, the settlement at retirement, the view."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from chassis import jobs, ledger
from chassis.jobs import Chunk, ChunkResult, Job, JobKind, Reject
from chassis.principal import person_not_found
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import Refused
from kernel.money import Money
from kernel.statement import Statement
from services.enrollment import accounting
from services.enrollment.accounting import Account, EntryKind, Year, account_not_found
from services.enrollment.commands import SettleAccount
from services.enrollment.domain.account import year_terms
from services.enrollment.messages import facts
from services.enrollment.operations.office import Office
from services.enrollment.store import accounts, city, history, people, persons
from services.enrollment.store.accounts import Closed

KIND = "close_account_year"
# The first chunk finds the others: numbering eight million accounts takes longer than a call may.
PLAN = {"plan": True}
CHUNK_ACCOUNTS = 2000  # four event messages, a tenth of a second of work
SLICE = 500  # facts made between two turns of the event loop, one message: about 2 ms


async def close_account_year(tx: Transaction, year: int, office: Office) -> Job:
    """Start the booking of a year's interest (年度计息) on every account whose year is open.

    Raises:
        InvalidInput: YEAR_INVALID.
        Refused: YEAR_NOT_OVER, POLICY_PARAMETER_MISSING.
    """
    accounting.check_year_over(year, tx.today)
    year_terms(year, office.policy.account)  # a rate that is not known refuses here, not in every chunk
    job_id = await jobs.start(tx, KIND, params={"year": year}, chunks=[PLAN])
    tx.audit("CloseAccountYear", detail={"job_id": ids.to_text("job", job_id), "year": str(year)})
    return await jobs.get(tx, job_id)


def job_kind(office: Office) -> JobKind:
    """The job that closes a year."""

    async def run_chunk(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        year: int = job.params["year"]
        terms = await accounts.keep_terms(tx, job.id, year_terms(year, office.policy.account))
        if chunk.params == PLAN:
            return await _plan(tx, job, year)
        first, last = UUID(hex=chunk.params["first"]), UUID(hex=chunk.params["last"])
        rejects: list[Reject] = []
        skipped = 0
        await city.plan_for_many(tx)
        due, others = await accounts.lock_range(tx, first, last, year)
        for number, person_id, next_year in others:
            if next_year > year:
                skipped += 1
            else:
                rejects.append(_open_year(number, person_id, next_year))
        closed = await accounts.close(
            tx, first, last, due=due, terms_id=job.id, terms=terms, policy_version=office.policy.version
        )
        await _book(tx, closed, year, key=f"{ids.to_text('job', job.id)}/{chunk.number}")
        tx.audit("CloseAccountYearChunk", detail={"year": str(year), "closed": str(len(closed))})
        return ChunkResult(done=len(closed), skipped=skipped, rejects=rejects)

    return JobKind(KIND, run_chunk)


async def settle_account(tx: Transaction, command: SettleAccount, office: Office) -> tuple[Statement, str]:
    """Settle an account at retirement (退休时账户结算); the answer is the statement and the policy version.

    Raises:
        NotFound: PERSON_NOT_FOUND, ACCOUNT_NOT_FOUND.
        Refused: PERSON_MERGED, ACCOUNT_ALREADY_SETTLED, MONTH_NOT_STARTED, ACCOUNT_YEAR_OPEN, CONTRIBUTIONS_OPEN with
            the first month that is not paid, RETIREMENT_MONTH_INVALID with the first month allowed,
            POLICY_PARAMETER_MISSING.
    """
    person_id, retirement = command.person_id, command.retirement_month
    known = await people.birth_and_track(tx, person_id)
    if known is None:
        raise person_not_found()
    if await persons.merged_into(tx, person_id) is not None:
        raise Refused("PERSON_MERGED", "the record went up in another one; settle the account of that")
    birth, track = known
    account = await accounts.account(tx, person_id, lock=True)
    if account is None:
        raise account_not_found()
    ages = office.policy.original_months.on(retirement.first_day)
    brought = (await history.imported_balances(tx, [person_id])).get(person_id)
    accounting.check_settlement(
        account,
        retirement,
        tx.today,
        imported_year=brought[0] if brought else None,
        of_age=Month.of(birth).plus(ages.value[track]),
        source=ages.source,
    )
    unpaid = await accounts.unpaid_month(tx, person_id, retirement)
    if unpaid is not None:
        raise Refused(
            "CONTRIBUTIONS_OPEN", "a month up to the retirement is not paid", source=("SIL",), month=str(unpaid)
        )
    booked, withheld = await accounts.booked_since(tx, person_id, retirement)
    statement = accounting.settle(
        await accounts.closing_before(tx, person_id, retirement.year), booked, retirement, office.policy.account
    )
    interest = accounting.interest_of_settlement(
        account.balance,
        statement.total,
        withheld=withheld,
        booked=await accounts.interest_since(tx, person_id, retirement.year),
    )
    version = office.policy.version
    await accounts.settle(
        tx, person_id, retirement, statement, interest=interest, withheld=withheld, policy_version=version
    )
    await _book_settlement(tx, account, retirement, interest=interest, withheld=withheld)
    tx.emit(
        facts.account_settled(
            person_id,
            retirement,
            statement.total,
            provisional=statement.provisional,
            contributions_version=await accounts.contributions_version(tx, person_id),
        )
    )
    tx.audit("SettleAccount", person_id=person_id, detail={"month": str(retirement)})
    return statement, version


async def account(tx: Transaction, person_id: UUID) -> tuple[Account, Sequence[Year]]:
    """Show an account with its years, newest first.

    Raises:
        NotFound: PERSON_NOT_FOUND, ACCOUNT_NOT_FOUND.
    """
    tx.principal.require_person(person_id)
    found = await accounts.account(tx, person_id)
    if found is None or found.balance == Money.ZERO:  # a record that went up in another has an empty account, or none
        stands = await persons.forward(tx, person_id)
        if stands is None:
            raise person_not_found()
        if stands != person_id:
            person_id = stands
            found = await accounts.account(tx, person_id)
    if found is None:
        raise account_not_found()
    closed = await accounts.years(tx, person_id)
    settled = await accounts.settlement_year(tx, found) if found.settle_month else None
    shown = [year for year in closed if settled is None or year.year < settled.year]
    return found, sorted(
        [*shown, *([settled] if settled else accounting.open_years(found))], key=lambda year: year.year, reverse=True
    )


async def _plan(tx: Transaction, job: Job, year: int) -> ChunkResult:
    ranges = await accounts.ranges_to_close(tx, year, CHUNK_ACCOUNTS)
    await jobs.add_chunks(
        tx,
        job.id,
        [{"first": first.hex, "last": last.hex} for first, last, _ in ranges],
        row_count=sum(size for _, _, size in ranges),
    )
    return ChunkResult()


async def _book_settlement(
    tx: Transaction, account: Account, retirement: Month, *, interest: Money, withheld: Money
) -> None:
    """The ledger entry of a settlement, and what it says of the account; shares withheld wait to be refunded."""
    postings = [
        (accounting.PENSION_FUND, -interest),
        (accounting.ACCOUNTS, interest - withheld),
        (accounting.REFUNDS, withheld),
    ]
    moved = [(name, amount) for name, amount in postings if amount != Money.ZERO]
    if moved:
        await ledger.post(
            tx,
            kind="account_settlement",
            key=f"settlement/{ids.to_text('per', account.person_id)}",
            postings=moved,
            business_date=tx.today,
        )
    balance = account.balance
    for kind, amount in ((EntryKind.CONTRIBUTION, -withheld), (EntryKind.INTEREST, interest)):
        balance += amount
        if amount != Money.ZERO:
            tx.emit(facts.account_credited(account.person_id, kind, retirement, amount=amount, balance=balance))


async def _book(tx: Transaction, closed: Sequence[Closed], year: int, *, key: str) -> None:
    total = Money(sum(one.interest_fen for one in closed))
    if total == Money.ZERO:
        return
    await ledger.post(
        tx,
        kind="interest",
        key=key,
        postings=[(accounting.PENSION_FUND, -total), (accounting.ACCOUNTS, total)],
        business_date=tx.today,
    )
    credited = [one for one in closed if one.interest_fen]
    for start in range(0, len(credited), SLICE):
        tx.emit_many(facts.interest_credited(credited[start : start + SLICE], accounting.end_of(year), tx.today))
        await asyncio.sleep(0)


def _open_year(number: int, person_id: UUID, year: int) -> Reject:
    key = ids.to_text("per", person_id)
    return Reject(
        number,
        "ACCOUNT_YEAR_OPEN",
        f"{key} 的 {year} 年度尚未计息，请先结转该年度",
        f"the year {year} of {key} is not closed; close it first",
    )
