"""The bank file of an approved payroll: written part by part as a job, names and accounts opened only in it.

Each part is the payments of one chunk of the payroll, which are added up again first: a part that is not what two
persons approved stops the job, and no file comes of it. Parts lie sealed in the store of files.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from chassis import jobs
from chassis.jobs import ChunkResult, JobKind
from kernel import ids
from kernel.errors import InvalidInput, NotFound, Refused
from kernel.money import Money
from services.benefits.bank_file import ADAPTERS, PLAIN, Head, Order
from services.benefits.lifecycle import PayrollState
from services.benefits.operations import payrolls as payroll_operations
from services.benefits.store import paying, paying_bank, payrolls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg import Record

    from chassis.files import Files
    from chassis.jobs import Chunk, Job
    from chassis.sealed import Sealer
    from chassis.transaction import Transaction
    from services.benefits.store.rows import PayrollRow

JOB = "payment_file"


@dataclass(frozen=True, slots=True)
class FileShown:
    """A bank file with the job that writes it."""

    file: Record
    job: Job


async def make_file(tx: Transaction, payroll_id: UUID) -> FileShown:
    """Start to write the bank file of an approved payroll; asked again it is the same one.

    Raises:
        NotFound: PAYROLL_NOT_FOUND.
        Refused: PAYROLL_NOT_APPROVED.
    """
    row = await approved(tx, payroll_id)
    known = await paying_bank.file_of(tx, row.payroll_id, PLAIN)
    if known is None:
        file_id = ids.new_id()
        chunks = await paying.chunks_of(tx, row.payroll_id)
        job_id = await jobs.start(
            tx,
            JOB,
            params={"file_id": str(file_id), "payroll_id": str(row.payroll_id), "adapter": PLAIN},
            chunks=[{"chunk": chunk, "part": part} for part, chunk in enumerate(chunks, start=2)],
            total_count=row.payment_count,
        )
        values = {
            "file_id": file_id,
            "payroll_id": row.payroll_id,
            "adapter": PLAIN,
            "job_id": job_id,
            "maker": tx.principal.acting_person,
        }
        if not await paying_bank.add_file(tx, values):
            await jobs.cancel(tx, job_id)  # somebody asked at the same instant
        tx.audit("payment_file_started", detail={"payroll_id": ids.to_text("prl", row.payroll_id)})
        known = await paying_bank.file_of(tx, row.payroll_id, PLAIN)
    assert known is not None
    return FileShown(known, await jobs.get(tx, known["job_id"]))


async def show_file(tx: Transaction, file_id: UUID) -> FileShown:
    """A bank file without its content.

    Raises:
        NotFound: PAYMENT_FILE_NOT_FOUND.
    """
    row = await _file(tx, file_id)
    return FileShown(row, await jobs.get(tx, row["job_id"]))


async def read_file(tx: Transaction, file_id: UUID, part: int, files: Files) -> tuple[str, int]:
    """A part of a bank file with names and accounts in clear, and the number of the next; 0 at the end.

    Raises:
        NotFound: PAYMENT_FILE_NOT_FOUND.
        Refused: PAYMENT_FILE_NOT_READY.
        InvalidInput: PART_INVALID.
    """
    row = await _file(tx, file_id)
    if row["digest"] is None:
        raise Refused("PAYMENT_FILE_NOT_READY", "the file is being written")
    parts = await paying_bank.parts(tx, file_id)
    if not 1 <= part <= len(parts):
        raise InvalidInput("PART_INVALID", "the file has no such part", field="part", parts=str(len(parts)))
    chosen = parts[part - 1]
    data = await files.get(chosen["upload_id"], chosen["digest"])
    tx.audit(
        "payees_shown",
        detail={
            "file_id": ids.to_text("pfl", file_id),
            "part": str(part),
            "count": str(chosen["payment_count"]),
            "digest": chosen["digest"],
        },
    )
    return data.decode(), part + 1 if part < len(parts) else 0


def job_kind(files: Files) -> JobKind:
    """The job that writes a bank file."""
    return JobKind(JOB, partial(_run_chunk, files=files), partial(_finish, files=files))


async def approved(tx: Transaction, payroll_id: UUID) -> PayrollRow:
    """A payroll that was released.

    Raises:
        NotFound: PAYROLL_NOT_FOUND.
        Refused: PAYROLL_NOT_APPROVED.
    """
    row = await payrolls.get(tx, payroll_id)
    if row is None:
        raise payroll_operations.not_found()
    if row.state is not PayrollState.APPROVED:
        raise Refused("PAYROLL_NOT_APPROVED", "the payroll was not approved", state=row.state.value)
    return row


async def _run_chunk(tx: Transaction, job: Job, chunk: Chunk, *, files: Files) -> ChunkResult:
    payroll_id, number = UUID(job.params["payroll_id"]), chunk.params["chunk"]
    if await paying.changed_chunks(tx, payroll_id, [number]):
        raise Refused("PAYROLL_CHANGED", "a part of the payroll is not what was approved")
    rows = await paying_bank.sealed_orders(tx, payroll_id, number)
    text = await asyncio.to_thread(_opened, rows, tx.database.sealer, job.params["adapter"])
    await _keep(tx, (UUID(job.params["file_id"]), chunk.params["part"]), text, files, rows)
    tx.audit("payment_file_part", detail={"chunk": str(number), "count": str(len(rows))})
    return ChunkResult(done=len(rows))


def _opened(rows: Sequence[Record], sealer: Sealer, adapter: str) -> str:
    return ADAPTERS[adapter].rows(
        Order(
            row["payment_id"],
            sealer.open_text("payee", "name", row["payee_id"], row["name_sealed"]),
            sealer.open_text("payee", "account", row["payee_id"], row["account_sealed"]),
            Money(row["amount_fen"]),
        )
        for row in rows
    )


async def _keep(tx: Transaction, place: tuple[UUID, int], text: str, files: Files, rows: Sequence[Record] = ()) -> None:
    ref = await files.put(text.encode())
    values = {
        "upload_id": ref.upload_id,
        "digest": ref.digest,
        "size": ref.size,
        "payment_count": len(rows),
        "total_fen": sum(row["amount_fen"] for row in rows),
    }
    await paying_bank.add_part(tx, *place, values)


async def _finish(tx: Transaction, job: Job, *, files: Files) -> None:
    """Head and tail with the control sums, and the digest over all of it."""
    file_id, payroll_id = UUID(job.params["file_id"]), UUID(job.params["payroll_id"])
    row = await payrolls.get(tx, payroll_id)
    assert row is not None
    assert row.digest is not None
    adapter = ADAPTERS[job.params["adapter"]]
    made = await paying_bank.parts(tx, file_id)
    count, total = sum(one["payment_count"] for one in made), Money(sum(one["total_fen"] for one in made))
    head = adapter.head(Head(payroll_id, row.month, row.sequence), count, total, row.digest)
    await _keep(tx, (file_id, 1), head, files)
    last = max([1, *(one["number"] for one in made)]) + 1
    await _keep(tx, (file_id, last), adapter.tail(count, total), files)
    whole, size = hashlib.sha256(), 0
    for part in await paying_bank.parts(tx, file_id):
        data = await files.get(part["upload_id"], part["digest"])
        await asyncio.to_thread(whole.update, data)
        size += len(data)
    values = {"payment_count": count, "total_fen": total.fen, "size": size, "digest": whole.hexdigest()}
    await paying_bank.close_file(tx, file_id, values)
    tx.audit(
        "payment_file_ready",
        detail={"file_id": ids.to_text("pfl", file_id), "digest": whole.hexdigest(), "count": str(count)},
    )


async def _file(tx: Transaction, file_id: UUID) -> Record:
    row = await paying_bank.file(tx, file_id)
    if row is None:
        raise NotFound("PAYMENT_FILE_NOT_FOUND", "no such file")
    return row
