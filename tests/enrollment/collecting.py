"""Collection as the tests ask for it: files of the bureau, matches, refunds, jobs and the state of the books."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg

from hrss.enrollment.v1 import collection_service_pb2 as pb
from hrss.enrollment.v1 import enrollment_service_pb2 as register
from kernel.money import Money
from services.enrollment.store.books import RULES, finding
from tests.enrollment import builders
from tests.enrollment.builders import CLERK, PARTNER, TODAY
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from hrss.enrollment.v1 import enrollment_pb2 as model
    from hrss.type.v1 import job_pb2
    from tests.enrollment.conftest import Bureau

SUPERVISOR = a_principal(["SUPERVISOR"], purpose="review", subject="idp|supervisor")


def a_row(number: str, payer: str, document: str, amount: Money | str, paid: date | str = TODAY) -> str:
    """A row of the bureau's receipts."""
    return f"{number},{payer},{document},{amount},{paid}"


def a_receipts_file(
    rows: Iterable[str], *, day: date = TODAY, kind: str = "simulated", totals: str = "", encoding: str = "utf-8"
) -> bytes:
    """A file of receipts with true control totals, unless others are given."""
    lines = list(rows)
    total = sum((Money.yuan(row.split(",")[3]).fen for row in lines), 0)
    head = [f"#hrss-receipts,1,{day},{kind}", "receipt_no,payer_code,document,amount,paid_date"]
    return "\n".join([*head, *lines, totals or f"#totals,{len(lines)},{Money(total)}", ""]).encode(encoding)


async def code_of(bureau: Bureau, employer_id: str) -> str:
    """The credit code of an employer."""
    reply = await bureau.call("GetEmployer", register.GetEmployerRequest(employer_id=employer_id))
    code: str = reply.employer.credit_code
    return code


async def ask(bureau: Bureau, rpc: str, *, by: Any = CLERK, today: date = TODAY, **fields: Any) -> Any:
    """Call an RPC of CollectionService with a request of its fields; a change gets a request id of its own."""
    kind = getattr(pb, f"{rpc}Request")
    if "request_id" in kind.DESCRIPTOR.fields_by_name:
        fields.setdefault("request_id", f"{rpc}-{builders.number()}")
    return await bureau.call(rpc, kind(**fields), by=by, today=today)


async def send(
    bureau: Bureau, data: bytes, *, rpc: str = "ImportReceipts", today: date = TODAY, run: bool = True
) -> job_pb2.Job:
    """Upload a file of receipts and book or compare it; the job at its end."""
    ref = await bureau.files.put(data)
    job = (await ask(bureau, rpc, by=PARTNER, today=today, upload_id=ref.upload_id, digest=ref.digest)).job
    if run:
        await bureau.run_jobs()
    return await job_of(bureau, job.job_id)


async def job_of(bureau: Bureau, job_id: str) -> job_pb2.Job:
    """A job as it stands."""
    job: job_pb2.Job = (await bureau.call("GetEnrollmentJob", register.GetEnrollmentJobRequest(job_id=job_id))).job
    return job


async def verdicts(bureau: Bureau, job: job_pb2.Job) -> list[tuple[int, str, str]]:
    """Line, verdict and code of every row."""
    page = await ask(bureau, "ListReceiptRows", job_id=job.job_id)
    assert all(bool(one.text_zh and one.text_en) == bool(one.code) for one in page.rows)
    return [(one.line, pb.RowVerdict.Name(one.verdict).removeprefix("ROW_VERDICT_"), one.code) for one in page.rows]


async def suspense(bureau: Bureau) -> list[pb.Suspense]:
    """What lies on the suspense account, oldest first."""
    page = await ask(bureau, "ListSuspense", state=pb.SUSPENSE_STATE_OPEN)
    return list(reversed(page.suspense))


async def bill_of(bureau: Bureau, bill_id: str) -> model.Bill:
    """A bill as it stands."""
    bill: model.Bill = (await bureau.call("GetBill", register.GetBillRequest(bill_id=bill_id))).bill
    return bill


async def ledger(bureau: Bureau, account: str) -> int:
    """The balance of an account of the ledger in fen."""
    rows = await bureau.rows(
        "SELECT coalesce(sum(amount_fen), 0)::bigint AS fen FROM ledger_posting WHERE account = $1", account
    )
    fen: int = rows[0]["fen"]
    return fen


async def checked(bureau: Bureau) -> list[tuple[str, str]]:
    """Rules of the books that do not hold, each with its text, as the job finds them."""
    job = (await ask(bureau, "CheckBooks")).job
    await bureau.run_jobs()
    page = await bureau.call(
        "ListEnrollmentJobRejects", register.ListEnrollmentJobRejectsRequest(job_id=job.job_id), by=PARTNER
    )
    return [(one.code, one.text_en) for one in page.rejects]


async def broken_by(bureau: Bureau, spoil: str, only: str = "") -> dict[str, str]:
    """The rules, or the one, that do not hold after a spoilt row, with the first key; the row is healed again."""
    connection = await asyncpg.connect(bureau.database.settings.database_owner_url)
    try:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(spoil)
        rows = {rule.code: await connection.fetchrow(finding(rule)) for rule in RULES if only in {"", rule.code}}
        await transaction.rollback()
    finally:
        await connection.close()
    return {code: row["first"] for code, row in rows.items() if row and row["count"]}
