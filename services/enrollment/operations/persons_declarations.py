"""Wage declarations by file (基数申报): a job that declares what an uploaded list says, by the rules of DeclareWage.

The third level of checks is here: whether a row fits the register. What is declared already is skipped, so the same
file again changes nothing, and a chunk that runs twice has one effect.
"""

import asyncio

from chassis import jobs
from chassis.jobs import Chunk, ChunkResult, Job, JobKind, Reject
from chassis.principal import employer_not_found
from chassis.transaction import Transaction
from kernel import ids
from services.enrollment import declarations_file
from services.enrollment.commands import ImportRoster, RosterMode
from services.enrollment.declarations_file import DeclarationRow, DeclarationsFile
from services.enrollment.operations.archive import Archive
from services.enrollment.operations.office import Office
from services.enrollment.register import Wage
from services.enrollment.sheet import ROWS_MAX, RowWrong
from services.enrollment.store import history, people, roster
from services.enrollment.store.roster import WithEmployer

KIND = "import_declarations"
CHUNK_ROWS = 500
BREATHE_ROWS = 200


async def import_declarations(tx: Transaction, command: ImportRoster, archive: Archive[DeclarationsFile]) -> Job:
    """Start to declare the wages on an uploaded list.

    Raises:
        NotFound: EMPLOYER_NOT_FOUND, FILE_NOT_FOUND.
        InvalidInput: FILE_FORMAT_INVALID with its cause.
    """
    tx.principal.require_employer(command.employer_id)
    if await people.employer(tx, command.employer_id) is None:
        raise employer_not_found()
    file = await archive.open(command.upload_id, command.digest)
    size = CHUNK_ROWS if command.mode is RosterMode.PARTIAL else ROWS_MAX
    employer_id = ids.to_text("emp", command.employer_id)
    job_id = await jobs.start(
        tx,
        KIND,
        params={
            "upload_id": command.upload_id,
            "digest": command.digest,
            "employer_id": employer_id,
            "mode": command.mode.value,
        },
        chunks=[{"first": first, "last": last} for first, last in file.ranges(size)],
        total_count=file.row_count,
    )
    detail = {"job_id": ids.to_text("job", job_id), "digest": command.digest, "employer_id": employer_id}
    tx.audit("ImportDeclarations", detail={**detail, "mode": command.mode.value})
    return await jobs.get(tx, job_id)


def job_kind(archive: Archive[DeclarationsFile], office: Office) -> JobKind:
    """The job that declares."""

    async def run_chunk(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        file = await archive.open(job.params["upload_id"], job.params["digest"])
        rows: list[DeclarationRow] = []
        wrong: dict[int, str] = {}
        for number, (line, text) in enumerate(file.rows(chunk.params["first"], chunk.params["last"]), start=1):
            try:
                rows.append(
                    declarations_file.read_row(
                        file, line, text, today=tx.today, allow_test_region=not office.is_production
                    )
                )
            except RowWrong as verdict:
                wrong[verdict.line] = verdict.code
            if number % BREATHE_ROWS == 0:
                await asyncio.sleep(0)
        done, skipped = await _declare(tx, job, rows, wrong)
        tx.audit(
            "ImportDeclarationsChunk",
            detail={
                "chunk": f"{ids.to_text('job', job.id)}/{chunk.number}",
                "done": str(done),
                "skipped": str(skipped),
                "rejected": str(len(wrong)),
            },
        )
        return ChunkResult(done, skipped, [Reject(line, code, *_TEXTS[code]) for line, code in sorted(wrong.items())])

    return JobKind(KIND, run_chunk)


_TEXTS = declarations_file.TEXTS


async def _declare(tx: Transaction, job: Job, rows: list[DeclarationRow], wrong: dict[int, str]) -> tuple[int, int]:
    """Judge rows against the register and declare those that fit; how many were declared and how many were before."""
    known = await history.known(tx, {row.id_no for row in rows})
    here = await roster.with_employer(
        tx, ids.parse("emp", job.params["employer_id"]), [one.person_id for one in known.values()]
    )
    declared = await roster.wages(tx, [one.enrollment.enrollment_id for group in here.values() for one in group])
    new: list[tuple[DeclarationRow, WithEmployer]] = []
    recorded: set[int] = set()
    for number, row in enumerate(rows, start=1):
        person = known.get(row.id_no)
        worked = here.get(person.person_id, ()) if person else ()
        if person is None or not worked:
            wrong[row.line] = "NOT_ENROLLED_HERE"
        elif person.name != row.name:
            wrong[row.line] = "NAME_MISMATCH"
        elif any(declared.get((one.enrollment.enrollment_id, row.from_month)) == row.wage for one in worked):
            recorded.add(row.line)
        elif code := _obstacle(worked[-1], row):
            wrong[row.line] = code
        else:
            new.append((row, worked[-1]))
        if number % BREATHE_ROWS == 0:
            await asyncio.sleep(0)
    if wrong and job.params["mode"] == RosterMode.ALL_OR_NOTHING:
        wrong |= {row.line: "OTHER_ROWS_WRONG" for row, _ in new}
        return 0, len(recorded)
    if new:
        await roster.declare(tx, [(one.enrollment.enrollment_id, Wage(row.from_month, row.wage)) for row, one in new])
    for row, one in new:
        detail = {
            "enrollment_id": ids.to_text("enr", one.enrollment.enrollment_id),
            "from_month": str(row.from_month),
            "job_id": ids.to_text("job", job.id),
        }
        tx.audit("DeclareWage", person_id=one.enrollment.person_id, detail=detail)
    return len(new), len(recorded)


def _obstacle(one: WithEmployer, row: DeclarationRow) -> str:
    """Why a wage cannot be declared, as at the counter; empty when it can."""
    if one.enrollment.end_month is not None:
        return "ENROLLMENT_ENDED"
    if row.from_month < one.enrollment.start_month:
        return "MONTH_NOT_INSURED"
    if one.billed is not None and row.from_month <= one.billed:
        return "MONTH_ALREADY_BILLED"
    return ""
