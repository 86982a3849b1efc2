"""A file of matched data certifies many at once, as a job; the same file again changes nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from chassis import jobs
from chassis.jobs import ChunkResult, JobKind, Reject
from kernel import ids
from kernel.errors import NotFound, Refused
from services.benefits import certifications_file
from services.benefits.certifications_file import TEXTS, CertificationsFile, RowWrong
from services.benefits.operations.keeping_certification import record
from services.benefits.store import chunks, keeping_certified

if TYPE_CHECKING:
    from chassis.files import Files
    from chassis.jobs import Chunk, Job
    from chassis.transaction import Transaction
    from services.benefits.keeping import Certify
    from services.benefits.policy import BenefitsPolicy

JOB = "import_certifications"
CHUNK_ROWS = 500  # one event message of facts, when all of them are paid again


class Matched:
    """The files that were uploaded; the last one stays open while the chunks of its job follow one another."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._key = ("", "")
        self._file: CertificationsFile | None = None

    async def open(self, upload_id: str, digest: str) -> CertificationsFile:
        """A file, checked to the first level.

        Raises:
            NotFound: FILE_NOT_FOUND.
            InvalidInput: FILE_FORMAT_INVALID.
        """
        if self._file is None or self._key != (upload_id, digest):
            try:
                data = await self._files.get(upload_id, digest)
            except (NotFound, Refused):
                raise NotFound("FILE_NOT_FOUND", "no upload with this id and digest", field="upload_id") from None
            self._file = await asyncio.to_thread(certifications_file.open_file, data)
            self._key = (upload_id, digest)
        return self._file


async def start(tx: Transaction, upload_id: str, digest: str, matched: Matched) -> Job:
    """Start to certify those whom an uploaded file names.

    Raises:
        NotFound: FILE_NOT_FOUND.
        InvalidInput: FILE_FORMAT_INVALID with its cause.
        Refused: CERTIFICATIONS_SIMULATED: a simulator's file in production.
    """
    file = await matched.open(upload_id, digest)
    if file.simulated and tx.database.settings.is_prod:
        raise Refused("CERTIFICATIONS_SIMULATED", "production takes no files of a simulator", field="upload_id")
    job_id = await jobs.start(
        tx,
        JOB,
        params={"upload_id": upload_id, "digest": digest},
        chunks=[{"first": first, "last": last} for first, last in file.ranges(CHUNK_ROWS)],
        total_count=file.row_count,
    )
    tx.audit("certifications_import_started", detail={"job_id": ids.to_text("job", job_id), "digest": digest})
    return await jobs.get(tx, job_id)


def job(matched: Matched, policy: BenefitsPolicy) -> JobKind:
    """The job that records them."""

    async def run_chunk(tx: Transaction, job_: Job, chunk: Chunk) -> ChunkResult:
        file = await matched.open(job_.params["upload_id"], job_.params["digest"])
        rows: dict[int, Certify] = {}
        wrong: dict[int, str] = {}
        for line, text in file.rows(chunk.params["first"], chunk.params["last"]):
            try:
                rows[line] = certifications_file.read_row(file, text, tx.today)
            except RowWrong as refused:
                wrong[line] = refused.code
        await chunks.by_key(tx)
        known = await keeping_certified.known_persons(tx, {one.person_id for one in rows.values()})
        wrong |= {line: "PERSON_NOT_FOUND" for line, one in rows.items() if one.person_id not in known}
        right = [one for line, one in rows.items() if line not in wrong]
        new, resumed = await record(tx, right, policy)
        tx.audit("certifications_imported", detail={"count": str(new), "resumed": str(resumed)})
        return ChunkResult(
            done=new,
            skipped=len(right) - new,
            rejects=[Reject(line, code, *TEXTS[code]) for line, code in sorted(wrong.items())],
        )

    return JobKind(JOB, run_chunk)
