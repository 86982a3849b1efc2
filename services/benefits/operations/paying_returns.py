"""The bank's answers in files (银行回盘文件): checked on three levels, booked a chunk at a time; what came back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from chassis import jobs, ledger, paging
from chassis.jobs import ChunkResult, JobKind, Reject
from kernel import ids
from kernel.errors import Forbidden, NotFound, Refused
from kernel.money import Money
from services.benefits import bank_file
from services.benefits.bank_file import TEXTS, AnswerRow, RowWrong
from services.benefits.entitlement import End
from services.benefits.lifecycle import Answer, EndReason, Kind, PaymentState
from services.benefits.messages import facts
from services.benefits.operations import keeping_recovery
from services.benefits.operations import payrolls as payroll_operations
from services.benefits.operations.ending import end
from services.benefits.operations.paying_bank import approved
from services.benefits.store import decisions, keeping_plans, paying_bank
from services.benefits.store.paying_bank import Booked, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asyncpg import Record

    from chassis.archive import Archive
    from chassis.jobs import Chunk, Job
    from chassis.transaction import Transaction
    from services.benefits.bank_file import ReturnsFile
    from services.benefits.paying import Limits
    from services.benefits.store.rows import PaymentRow

JOB = "import_returns"
CHUNK_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Importing:
    """An answer that is being booked."""

    return_id: UUID
    job: Job


async def import_returns(
    tx: Transaction, payroll_id: UUID, upload_id: str, digest: str, archive: Archive[ReturnsFile]
) -> Importing:
    """Start to book an uploaded answer to a payroll.

    Raises:
        NotFound: PAYROLL_NOT_FOUND, FILE_NOT_FOUND.
        InvalidInput: FILE_FORMAT_INVALID with its cause.
        Forbidden: SIMULATION_REFUSED.
        Refused: PAYROLL_NOT_APPROVED, RETURN_FILE_OF_ANOTHER (names the payroll and month of the file).
    """
    row = await approved(tx, payroll_id)
    file = await archive.open(upload_id, digest)
    if file.simulated and tx.database.settings.is_prod:
        raise Forbidden("SIMULATION_REFUSED", "a simulated answer is nothing in production")
    if (file.head.payroll_id, file.head.month, file.head.sequence) != (row.payroll_id, row.month, row.sequence):
        raise Refused(
            "RETURN_FILE_OF_ANOTHER",
            "the file answers another payroll",
            field="upload_id",
            payroll=ids.to_text("prl", file.head.payroll_id),
            month=str(file.head.month),
        )
    return_id = ids.new_id()
    job_id = await jobs.start(
        tx,
        JOB,
        params={
            "return_id": str(return_id),
            "payroll_id": str(row.payroll_id),
            "upload_id": upload_id,
            "digest": digest,
        },
        chunks=[{"first": first, "last": last} for first, last in file.ranges(CHUNK_ROWS)],
        total_count=file.row_count,
    )
    await paying_bank.add_return(
        tx,
        {
            "return_id": return_id,
            "payroll_id": row.payroll_id,
            "upload_id": upload_id,
            "digest": digest,
            "job_id": job_id,
            "row_count": file.row_count,
            "simulated": file.simulated,
        },
    )
    tx.audit("returns_started", detail={"payroll_id": ids.to_text("prl", row.payroll_id), "digest": digest})
    return Importing(return_id, await jobs.get(tx, job_id))


async def list_rows(tx: Transaction, return_id: UUID, *, size: int, token: str) -> tuple[Sequence[Record], str]:
    """A page of what became of the rows of an answer, and the token of the next.

    Raises:
        NotFound: RETURN_FILE_NOT_FOUND.
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    if await paying_bank.return_file(tx, return_id) is None:
        raise NotFound("RETURN_FILE_NOT_FOUND", "no such return file")
    page = paging.read(tx, size=size, token=token, query=f"return rows {return_id}")
    rows = await paying_bank.return_rows(tx, return_id, after=int(page.after or 0), limit=page.size + 1)
    shown = rows[: page.size]
    return shown, paging.following(tx, page, str(shown[-1]["line"])) if len(rows) > page.size else ""


def job_kind(archive: Archive[ReturnsFile], limits: Limits) -> JobKind:
    """The job that books an answer."""
    return JobKind(JOB, partial(_run_chunk, archive=archive, limits=limits))


async def list_returned(tx: Transaction, state: str, *, size: int, token: str) -> tuple[Sequence[Record], str]:
    """A page of payments that came back and were not sent again, newest first.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=size, token=token, query=f"returned {state}")
    before = UUID(page.after) if page.after else None
    rows = await paying_bank.returned_payments(tx, state, before=before, limit=page.size + 1)
    shown = rows[: page.size]
    tx.audit(tx.method, detail={"count": str(len(shown))})
    return shown, paging.following(tx, page, str(shown[-1]["payment_id"])) if len(rows) > page.size else ""


async def retry(tx: Transaction, payment_id: UUID) -> Mapping[str, object]:
    """Send a returned payment again with the next payroll.

    Raises:
        NotFound: PAYMENT_NOT_FOUND.
        Refused: PAYMENT_NOT_OWED, PAYMENT_PARKED.
    """
    row = await paying_bank.returned_payment(tx, payment_id)
    if row is None:
        raise NotFound("PAYMENT_NOT_FOUND", "no such payment came back")
    if row["state"] == "PARKED" and row["payee_id"] == row["payee_now"]:
        raise Refused("PAYMENT_PARKED", "it was tried too often with this payee", tries=str(row["try"]))
    if row["state"] in {"SENT", "LAPSED"}:
        raise Refused("PAYMENT_NOT_OWED", "it was sent again, or is owed to nobody", state=row["state"])
    await paying_bank.wait_for_next(tx, payment_id)
    tx.audit("payment_retried", person_id=row["person_id"], detail={"payment_id": ids.to_text("pmt", payment_id)})
    return {**dict(row), "state": "WAITING"}


# Booking ------------------------------------------------------------------------------------------------------------


async def _run_chunk(
    tx: Transaction, job: Job, chunk: Chunk, *, archive: Archive[ReturnsFile], limits: Limits
) -> ChunkResult:
    file = await archive.open(job.params["upload_id"], job.params["digest"])
    payroll_id, return_id = UUID(job.params["payroll_id"]), UUID(job.params["return_id"])
    rows, verdicts = _read(file, chunk.params["first"], chunk.params["last"])
    payments = await paying_bank.lock_payments(tx, {row.payment_id for row in rows})
    held = await keeping_plans.held_of(tx, payments)
    fresh: list[AnswerRow] = []
    seen: set[UUID] = set()
    for row in rows:
        payment = payments.get(row.payment_id)
        sent = payment.amount - held.get(row.payment_id, Money.ZERO) if payment else Money.ZERO
        verdict = _judge(row, payment, payroll_id, sent, is_seen=row.payment_id in seen)
        seen.add(row.payment_id)
        verdicts.append(verdict)
        if verdict.verdict == "ACCEPTED":
            fresh.append(row)
    await _book(tx, job, chunk, fresh, payments, simulated=file.simulated, tries=limits.tries)
    await paying_bank.add_verdicts(tx, return_id, verdicts)
    counts = Counter(one.verdict for one in verdicts)
    tx.audit("returns_booked", detail={"chunk": str(chunk.number)} | {name: str(n) for name, n in counts.items()})
    return ChunkResult(
        done=counts["ACCEPTED"],
        skipped=counts["REPEATED"],
        rejects=[Reject(one.line, one.code, *TEXTS[one.code]) for one in verdicts if one.verdict == "REFUSED"],
    )


def _read(file: ReturnsFile, first: int, last: int) -> tuple[list[AnswerRow], list[Verdict]]:
    """The second level: rows that can be read, and verdicts on the others."""
    rows: list[AnswerRow] = []
    verdicts: list[Verdict] = []
    for line in range(first, last + 1):
        try:
            rows.append(bank_file.read_row(file, line))
        except RowWrong as wrong:
            verdicts.append(Verdict(line, wrong.payment_id, "REFUSED", wrong.code))
    return rows, verdicts


def _judge(row: AnswerRow, payment: PaymentRow | None, payroll_id: UUID, sent: Money, *, is_seen: bool) -> Verdict:
    """The third level: whether a row fits what was sent. The same twice, in a file or in two, changes nothing."""
    code = ""
    if payment is None:
        code = "PAYMENT_UNKNOWN"
    elif payment.payroll_id != payroll_id:
        code = "OTHER_PAYROLL"
    elif is_seen:
        code = "DUPLICATE_ROW"
    elif row.amount != sent:
        code = "AMOUNT_DIFFERS"
    elif payment.state is PaymentState.WITHDRAWN:
        code = "NOT_SENT"
    elif payment.state is not PaymentState.OPEN:
        before = (payment.state, payment.bank_reference, payment.return_code)
        if before == (paying_bank.state_of(row.answer), row.reference, row.reason):
            return Verdict(row.line, row.payment_id, "REPEATED")
        code = "ANSWERED_OTHERWISE"
    return Verdict(row.line, row.payment_id, "REFUSED" if code else "ACCEPTED", code)


async def _book(
    tx: Transaction,
    job: Job,
    chunk: Chunk,
    rows: Sequence[AnswerRow],
    payments: Mapping[UUID, PaymentRow],
    *,
    simulated: bool,
    tries: int,
) -> None:
    """The money of a chunk leaves the clearing account in one entry for each kind and outcome."""
    if not rows:
        return
    recovered = await paying_bank.settle_overpaid(tx, [row.payment_id for row in rows if row.answer is Answer.RETURN])
    booked = [
        Booked(payments[row.payment_id], row.answer, row.reference, row.reason, row.payment_id in recovered)
        for row in rows
    ]
    await paying_bank.answer(tx, booked, simulated=simulated, tries=tries)
    sums: Counter[tuple[Kind, str, str]] = Counter()
    for one in booked:
        kind = one.payment.kind
        if one.answer is Answer.CONFIRM:
            sums[kind, "payment_paid", payroll_operations.PAID[kind]] += one.payment.amount.fen
            tx.emit(facts.payment_confirmed(one.payment))
        else:
            account = (payroll_operations.FUNDS if one.is_recovered else payroll_operations.RETURNED)[kind]
            sums[kind, "payment_returned", account] += one.payment.amount.fen
            tx.emit(facts.payment_returned(one.payment))
    key = f"returns/{ids.to_text('job', job.id)}/{chunk.number}"
    await ledger.post_many(
        tx,
        [
            ledger.Entry(
                entry,
                f"{key}/{kind.value}/{account}",
                [(payroll_operations.CLEARING, Money(-fen)), (account, Money(fen))],
                tx.today,
            )
            for (kind, entry, account), fen in sums.items()
            if fen
        ],
    )
    tx.session.expunge_all()  # rows in memory are as they were before
    await keeping_recovery.answered_many(tx, [row.payment_id for row in rows])
    ended = []
    for benefit_id in await paying_bank.exhausted(tx, [row.payment_id for row in rows]):
        benefit = await decisions.benefit(tx, benefit_id, lock=True)
        assert benefit is not None
        assert benefit.last_month is not None
        ended.append((benefit, End(benefit.last_month, EndReason.EXHAUSTED)))
    await end(tx, ended)
    await paying_bank.count_answers(tx, UUID(job.params["payroll_id"]), booked)
