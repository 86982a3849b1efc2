"""The files of the tax bureau: receipts in as a job, a day compared as a job, bills out.

A row of receipts is one effect under the number of its receipt, so a chunk that runs twice and a file that comes twice
change nothing. What became of every row is kept beside the job.
"""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from asyncpg import Record

from chassis import jobs, paging
from chassis.jobs import Chunk, ChunkResult, Job, JobKind, Reject
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import InvalidInput, NotFound, Refused
from kernel.identity import check_credit_code
from kernel.money import Money
from services.enrollment import receipts_file
from services.enrollment.collection import Incoming, Verdict
from services.enrollment.operations.archive import Archive
from services.enrollment.operations.collection import collect
from services.enrollment.operations.office import Office
from services.enrollment.receipts_file import TEXTS, BillRow, ReceiptsFile, RowWrong
from services.enrollment.store import bureau_files, collection

IMPORT = "import_receipts"
COMPARE = "compare_receipts"
# A receipt may settle 20,000 persons; a city's usual one settles twenty.
CHUNK_ROWS = 50
PART_BYTES = 256 * 1024  # of a file of bills that is read at once
# What a day's comparison finds.
DIFFERENCES = {
    "NOT_BOOKED": (
        "税务已入库，本系统未登记；请导入该日到账文件",
        "collected and not booked; import the day's receipts",
    ),
    "AMOUNT_DIFFERS": ("与本系统登记的金额不同；请与征收系统核对", "booked with another amount; ask the bureau"),
    "NOT_COLLECTED": (
        "本系统已登记，税务文件中没有；请与征收系统核对",
        "booked, but the bureau does not say so; ask it",
    ),
}  # fmt: skip


async def import_receipts(
    tx: Transaction, upload_id: str, digest: str, archive: Archive[ReceiptsFile], office: Office
) -> Job:
    """Start to book an uploaded file of receipts.

    Raises:
        NotFound: FILE_NOT_FOUND.
        InvalidInput: FILE_FORMAT_INVALID with its cause.
        Refused: RECEIPT_SIMULATED.
    """
    file = await _open(upload_id, digest, archive, office)
    job_id = await jobs.start(
        tx,
        IMPORT,
        params={"upload_id": upload_id, "digest": digest},
        chunks=[{"first": first, "last": last} for first, last in file.ranges(CHUNK_ROWS)],
        total_count=file.row_count,
    )
    tx.audit("ImportReceipts", detail={"job_id": ids.to_text("job", job_id), "digest": digest})
    return await jobs.get(tx, job_id)


async def compare_receipts(
    tx: Transaction, upload_id: str, digest: str, archive: Archive[ReceiptsFile], office: Office
) -> Job:
    """Start to compare a day's file with what is booked.

    Raises:
        NotFound: FILE_NOT_FOUND.
        InvalidInput: FILE_FORMAT_INVALID with its cause.
        Refused: RECEIPT_SIMULATED.
    """
    file = await _open(upload_id, digest, archive, office)
    job_id = await jobs.start(
        tx, COMPARE, params={"upload_id": upload_id, "digest": digest}, chunks=[{}], total_count=file.row_count
    )
    tx.audit("CompareReceipts", detail={"job_id": ids.to_text("job", job_id), "day": str(file.day)})
    return await jobs.get(tx, job_id)


async def list_rows(tx: Transaction, job_id: UUID, *, size: int, token: str) -> tuple[Sequence[Record], str]:
    """A page of what became of the rows of a file, and the token of the next.

    Raises:
        NotFound: JOB_NOT_FOUND.
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    await jobs.get(tx, job_id)
    page = paging.read(tx, size=size, token=token, query=f"receipt rows {job_id}")
    rows = await bureau_files.verdicts(tx, job_id, after=int(page.after or 0), limit=page.size + 1)
    shown = rows[: page.size]
    return shown, paging.following(tx, page, str(shown[-1]["line"])) if len(rows) > page.size else ""


async def export_bills(tx: Transaction, month: Month, office: Office) -> Record:
    """Write the file of a month's open bills and demands; the same content is the same file."""
    rows = [
        BillRow(
            document=row["document"],
            kind=row["kind"],
            payer_code=row["credit_code"],
            month=month,
            total=Money(row["total_fen"]),
            open=Money(row["total_fen"] - row["paid_fen"]),
            due_date=row["due_date"],
            credit=Money(row["credit_fen"]),
        )
        for row in await bureau_files.bills_out(tx, month)
    ]
    data, count, total, still_open = await asyncio.to_thread(receipts_file.bills_file, month, rows)
    ref = await office.files.put(data)
    values: dict[str, Any] = {
        "file_id": ids.new_id(),
        "month": month.first_day,
        "upload_id": ref.upload_id,
        "digest": ref.digest,
        "size": ref.size,
        "row_count": count,
        "total_fen": total.fen,
        "open_fen": still_open.fen,
        "business_date": tx.today,
    }
    file = await bureau_files.add_bill_file(tx, values)
    tx.audit("ExportBills", detail={"file_id": ids.to_text("fil", file["file_id"]), "digest": ref.digest})
    return file


async def read_bills(tx: Transaction, file_id: UUID, offset: int, office: Office) -> tuple[Record, str, int]:
    """A part of a file of bills, in whole lines, and where to go on; 0 at the end.

    Raises:
        NotFound: BILL_FILE_NOT_FOUND.
        InvalidInput: OFFSET_INVALID.
    """
    file = await bureau_files.bill_file(tx, file_id)
    if file is None:
        raise NotFound("BILL_FILE_NOT_FOUND", "no such file of bills")
    data = await office.files.get(file["upload_id"], file["digest"])
    if not 0 <= offset < len(data):
        raise InvalidInput("OFFSET_INVALID", "the file has no such byte", field="offset")
    part = data[offset : offset + PART_BYTES]
    part = part[: part.rindex(b"\n") + 1]  # lines are far shorter than a part
    end = offset + len(part)
    return file, part.decode(), end if end < len(data) else 0


def job_kinds(archive: Archive[ReceiptsFile], office: Office) -> Sequence[JobKind]:
    """The jobs that book and compare."""

    async def run_import(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        file = await archive.open(job.params["upload_id"], job.params["digest"])
        return await _book(tx, job, chunk, file)

    async def run_compare(tx: Transaction, job: Job, _chunk: Chunk) -> ChunkResult:
        file = await archive.open(job.params["upload_id"], job.params["digest"])
        return await _compare(tx, file)

    del office
    return [JobKind(IMPORT, run_import), JobKind(COMPARE, run_compare)]


async def _open(upload_id: str, digest: str, archive: Archive[ReceiptsFile], office: Office) -> ReceiptsFile:
    file = await archive.open(upload_id, digest)
    if file.simulated and office.is_production:
        raise Refused("RECEIPT_SIMULATED", "production takes no receipts of a simulator", field="upload_id")
    return file


async def _book(tx: Transaction, job: Job, chunk: Chunk, file: ReceiptsFile) -> ChunkResult:
    """The rows of a chunk, in the order of what they pay, so that chunks side by side lock bills in one order."""
    digest = job.params["digest"]
    right: list[tuple[int, Incoming]] = []
    verdicts: list[tuple[int, str, str, str]] = []
    for line, text in file.rows(chunk.params["first"], chunk.params["last"]):
        try:
            source = f"file:{digest[:16]}:{line}"
            right.append((line, receipts_file.read_row(file, line, text, source=source, today=tx.today)))
        except RowWrong as wrong:
            verdicts.append((line, wrong.receipt_no, Verdict.REFUSED, wrong.code))
    codes = {one.payer_code for _, one in right if check_credit_code(one.payer_code).valid}
    payers = await collection.employers_by_code(tx, sorted(codes))
    for line, one in sorted(right, key=lambda pair: (pair[1].document, pair[0])):
        verdict, code = await collect(tx, one, payers)
        verdicts.append((line, one.receipt_no, verdict, code))
        await asyncio.sleep(0)
    await bureau_files.add_verdicts(tx, job.id, verdicts)
    counts = {one: sum(verdict == one for _, _, verdict, _ in verdicts) for one in Verdict}
    tx.audit(
        "ImportReceiptsChunk",
        detail={"chunk": f"{ids.to_text('job', job.id)}/{chunk.number}"}
        | {one.value.lower(): str(count) for one, count in counts.items()},
    )
    return ChunkResult(
        done=counts[Verdict.ACCEPTED] + counts[Verdict.SUSPENSE],
        skipped=counts[Verdict.REPEATED],
        rejects=[
            Reject(line, code, *TEXTS[code])
            for line, _, verdict, code in sorted(verdicts)
            if verdict == Verdict.REFUSED
        ],
    )


async def _compare(tx: Transaction, file: ReceiptsFile) -> ChunkResult:
    """Each receipt of the file's day in the books, and each of the books in the file."""
    booked = dict(await collection.collected_on(tx, file.day))
    rejects: list[Reject] = []
    done = 0
    for line, text in file.rows(receipts_file.HEAD_LINES + 1, receipts_file.HEAD_LINES + file.row_count):
        try:
            one = receipts_file.read_row(file, line, text, source="", today=max(tx.today, file.day))
        except RowWrong as wrong:
            rejects.append(Reject(line, wrong.code, *TEXTS[wrong.code]))
            continue
        if one.paid_date != file.day:
            rejects.append(Reject(line, "PAID_DATE_INVALID", *TEXTS["PAID_DATE_INVALID"]))
            continue
        amount = booked.pop(one.receipt_no, None)
        if amount == one.amount:
            done += 1
            continue
        rejects.append(_difference(line, "NOT_BOOKED" if amount is None else "AMOUNT_DIFFERS", one.receipt_no))
    end = receipts_file.HEAD_LINES + file.row_count
    for line, receipt_no in enumerate(sorted(booked), start=end + 1):  # after the lines of the file
        rejects.append(_difference(line, "NOT_COLLECTED", receipt_no))
    tx.audit("CompareReceiptsDone", detail={"day": str(file.day), "differences": str(len(rejects))})
    return ChunkResult(done=done, rejects=rejects)


def _difference(line: int, code: str, receipt_no: str) -> Reject:
    zh, en = DIFFERENCES[code]
    return Reject(line, code, f"税票 {receipt_no}：{zh}", f"receipt {receipt_no}: {en}")
