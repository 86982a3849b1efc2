"""The books proved, shown and summed up: the check of every rule as a job, fund balances, the employer's statement."""

import hashlib
import json
from collections.abc import Sequence
from datetime import date
from uuid import UUID

from chassis import jobs
from chassis.jobs import Chunk, ChunkResult, Job, JobKind, Reject
from chassis.principal import employer_not_found
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from services.enrollment import collection as rules
from services.enrollment.domain.contributions import Scheme
from services.enrollment.operations.collection import FUNDS
from services.enrollment.store import books, collection, people

KIND = "check_books"
_SCHEMES = {account: scheme for scheme, account in FUNDS.items()}


async def check_books(tx: Transaction) -> Job:
    """Start to prove the books: one chunk per rule."""
    job_id = await jobs.start(
        tx, KIND, chunks=[{"rule": rule.code} for rule in books.RULES], total_count=len(books.RULES)
    )
    tx.audit("CheckBooks", detail={"job_id": ids.to_text("job", job_id)})
    return await jobs.get(tx, job_id)


def job_kind() -> JobKind:
    """The job that proves."""

    async def run_chunk(tx: Transaction, _job: Job, chunk: Chunk) -> ChunkResult:
        rule = books.BY_CODE[chunk.params["rule"]]
        row = await tx.fetchrow(books.finding(rule))
        assert row is not None
        if row["count"] == 0:
            return ChunkResult(done=1)
        reject = Reject(
            chunk.number,
            rule.code,
            f"{rule.zh}：共 {row['count']} 处，第一处 {row['first']}",
            f"{rule.en}: {row['count']} in all, the first is {row['first']}",
        )
        return ChunkResult(rejects=[reject])

    return JobKind(KIND, run_chunk)


async def fund_balances(tx: Transaction, on: date | None) -> Sequence[tuple[Scheme, str, Money]]:
    """What the funds hold by scheme and division; other funds of the ledger are not of this room."""
    rows = await tx.fetch(books.BALANCES, on)
    return [
        (_SCHEMES[row["account"]], row["division"], Money(row["fen"])) for row in rows if row["account"] in _SCHEMES
    ]


async def statement(tx: Transaction, employer_id: UUID, first: Month, last: Month) -> tuple[str, str]:
    """An employer's statement as canonical JSON and its digest.

    Raises:
        NotFound: EMPLOYER_NOT_FOUND.
        InvalidInput: MONTHS_REVERSED.
    """
    tx.principal.require_employer(employer_id)
    rules.check_months(first, last)
    employer = await people.employer(tx, employer_id)
    if employer is None:
        raise employer_not_found()
    plain = {
        **await collection.statement(tx, employer_id, first, last),
        "schema": "hrss-employer-statement/1",
        "employer": {"employer_id": ids.to_text("emp", employer_id), "credit_code": employer.credit_code},
        "first_month": str(first),
        "last_month": str(last),
        "as_of": str(tx.today),
    }
    content = json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return content, hashlib.sha256(content.encode()).hexdigest()
