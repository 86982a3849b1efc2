"""An employer's roster (增减员花名册): a job that enrols and ends by an uploaded list, by the rules of the counter.

The third level of checks is here: whether a row fits the register. The key of a row is employer, person, action and
first month; what is recorded under it already is skipped, so the same file again changes nothing, and a chunk that
runs twice has one effect.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from chassis import jobs
from chassis.jobs import Chunk, ChunkResult, Job, JobKind, Reject
from chassis.principal import employer_not_found
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import Conflict, DomainError, Refused
from services.enrollment import register, roster_file
from services.enrollment.commands import EnrollPerson, ImportRoster, RosterMode
from services.enrollment.messages import facts
from services.enrollment.operations.archive import Archive
from services.enrollment.operations.enrollments import check_person, draft, new_person
from services.enrollment.operations.office import Office
from services.enrollment.register import Employer, Enrollment, Person, Stretch
from services.enrollment.roster_file import EndRow, RosterFile, RosterRow, RowWrong
from services.enrollment.store import history, persons_employers, roster
from services.enrollment.store.employments import Desk
from services.enrollment.store.roster import Ended, Standing

KIND = "import_roster"
CHUNK_ROWS = 250  # one message of persons and two of participations, a quarter of a second of work
BREATHE_ROWS = 100  # rows between two turns of the loop: calls and heartbeats go on beside a large file


async def import_roster(tx: Transaction, command: ImportRoster, archive: Archive[RosterFile]) -> Job:
    """Start to enrol everybody on an uploaded roster.

    Raises:
        NotFound: EMPLOYER_NOT_FOUND, FILE_NOT_FOUND.
        Refused: EMPLOYER_DEREGISTERED.
        InvalidInput: FILE_FORMAT_INVALID with its cause.
    """
    tx.principal.require_employer(command.employer_id)
    found = await persons_employers.in_force(tx, command.employer_id, Month.of(tx.today))
    if found is None:
        raise employer_not_found()
    if found[1] is not None:
        raise Refused("EMPLOYER_DEREGISTERED", "the employer is deregistered", day=found[1].isoformat())
    file = await archive.open(command.upload_id, command.digest)
    # All or nothing is one transaction: nobody ever sees half of it, and a kill leaves none of it.
    size = CHUNK_ROWS if command.mode is RosterMode.PARTIAL else roster_file.ROWS_MAX
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
    tx.audit("ImportRoster", detail={**detail, "mode": command.mode.value})
    return await jobs.get(tx, job_id)


def job_kind(archive: Archive[RosterFile], office: Office) -> JobKind:
    """The job that enrols."""

    async def run_chunk(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        file = await archive.open(job.params["upload_id"], job.params["digest"])
        found = await persons_employers.in_force(tx, ids.parse("emp", job.params["employer_id"]), Month.of(tx.today))
        assert found is not None  # it was there when the job began, and no role may delete one
        employer = found[0]
        part = _Part(employer, job)
        lines = file.rows(chunk.params["first"], chunk.params["last"])
        for number, (line, text) in enumerate(lines, start=1):
            try:
                part.rows.append(
                    roster_file.read_row(
                        file,
                        line,
                        text,
                        employer_id=employer.employer_id,
                        today=tx.today,
                        allow_test_region=not office.is_production,
                    )
                )
            except RowWrong as wrong:
                part.reject(wrong.line, wrong.code)
            if number % BREATHE_ROWS == 0:
                await asyncio.sleep(0)
        await _enroll(tx, part, office, is_whole=job.params["mode"] == RosterMode.ALL_OR_NOTHING)
        counts = {"done": part.done, "skipped": part.skipped, "rejected": len(part.rejects)}
        tx.audit(
            "ImportRosterChunk",
            detail={"chunk": f"{part.job_id}/{chunk.number}"} | {name: str(count) for name, count in counts.items()},
        )
        return ChunkResult(part.done, part.skipped, sorted(part.rejects, key=lambda one: one.line))

    return JobKind(KIND, run_chunk)


class _Part:
    """The rows of a chunk and what became of them."""

    def __init__(self, employer: Employer, job: Job) -> None:
        self.employer = employer
        self.job_id = ids.to_text("job", job.id)
        self.digest: str = job.params["digest"]
        self.rows: list[RosterRow] = []
        self.rejects: list[Reject] = []
        self.done = 0
        self.skipped = 0

    def reject(self, line: int, code: str) -> None:
        """Note why a row is not taken."""
        zh, en = roster_file.TEXTS[code]
        self.rejects.append(Reject(line, code, zh, en))

    def source(self, line: int) -> str:
        """The origin that a person keeps who was registered by a roster."""
        return f"roster:{self.digest[:8]}:{line}"


@dataclass(slots=True)
class _Entries:
    """What the rows that fit the register will write."""

    enrollments: list[Enrollment] = field(default_factory=list)
    ends: list[Ended] = field(default_factory=list)
    new: dict[UUID, tuple[Person, str]] = field(default_factory=dict)


async def _enroll(tx: Transaction, part: _Part, office: Office, *, is_whole: bool) -> None:
    known = dict(await roster.standing(tx, [_number(row) for row in part.rows]))
    replaced = await roster.replaced(tx, {_number(row) for row in part.rows} - known.keys())
    # Ends go first: who leaves and comes again in one file is free when the second row is judged.
    ends = [(row, row.command) for row in part.rows if isinstance(row.command, EndRow)]
    entries = _Entries()
    recorded = await _judge_ends(tx, part, ends, known, entries) if ends else set()
    recorded |= _judge(part, known, replaced, entries)
    if is_whole and part.rejects:
        wrong = {one.line for one in part.rejects}
        for row in part.rows:
            if row.line not in wrong | recorded:
                part.reject(row.line, "OTHER_ROWS_WRONG")
        return
    await _end(tx, part, entries.ends)
    await _write(tx, part, entries, office)


def _number(row: RosterRow) -> str:
    return row.command.id_no if isinstance(row.command, EndRow) else row.command.identity.number


async def _judge_ends(
    tx: Transaction,
    part: _Part,
    rows: Sequence[tuple[RosterRow, EndRow]],
    known: dict[str, Standing],
    entries: _Entries,
) -> set[int]:
    """The verdict on each end; the lines of those that are recorded. Who leaves is known to have left afterwards."""
    persons = [known[command.id_no].person_id for _, command in rows if command.id_no in known]
    here = await roster.with_employer(tx, part.employer.employer_id, persons)
    recorded: set[int] = set()
    for row, command in rows:
        person = known.get(command.id_no)
        worked = here.get(person.person_id, ()) if person else ()
        if person is None or not worked:
            part.reject(row.line, "NOT_ENROLLED_HERE")
        elif person.name != command.name:
            part.reject(row.line, "NAME_MISMATCH")
        elif any(
            (one.enrollment.end_month, one.enrollment.end_reason) == (command.month, command.reason) for one in worked
        ):
            part.skipped += 1
            recorded.add(row.line)
        elif worked[-1].enrollment.end_month is not None:
            part.reject(row.line, "ENDED_DIFFERENTLY")
        else:
            last = worked[-1]
            try:
                register.check_end_month(last.enrollment, command.month, today=tx.today, last_billed=last.billed)
            except DomainError as refusal:
                part.reject(row.line, refusal.reason)
                continue
            entries.ends.append(Ended(last.enrollment, command.month, command.reason))
            known[command.id_no] = _left(person, last.enrollment, command.month)
    return recorded


def _left(person: Standing, enrollment: Enrollment, month: Month) -> Standing:
    """A person after the end of an employment."""
    months = Stretch(enrollment.start_month, month)
    return replace(
        person,
        employments=[
            replace(one, months=months)
            if (one.employer_id, one.months.start_month) == (enrollment.employer_id, enrollment.start_month)
            else one
            for one in person.employments
        ],
    )


def _judge(part: _Part, known: Mapping[str, Standing], replaced: set[str], entries: _Entries) -> set[int]:
    """The verdict on each row that enrols, and what those that fit will write; the lines of those recorded."""
    recorded: set[int] = set()
    for row in part.rows:
        command = row.command
        if isinstance(command, EndRow):
            continue
        if command.identity.number in replaced:
            part.reject(row.line, "ID_NO_REPLACED")
            continue
        person = known.get(command.identity.number)
        if _is_recorded(command, person):
            part.skipped += 1
            recorded.add(row.line)
            continue
        if code := _obstacle(command, person):
            part.reject(row.line, code)
            continue
        if person is None:
            new = new_person(command)
            entries.new[new.person_id] = (new, part.source(row.line))
        entries.enrollments.append(draft(command, person.person_id if person else new.person_id))
    return recorded


async def _end(tx: Transaction, part: _Part, ends: Sequence[Ended]) -> None:
    if not ends:
        return
    for one, reason, version in await roster.end(tx, ends):
        assert one.end_month is not None  # it has just ended
        tx.emit(facts.participation_ended(one, one.end_month, reason, contributions_version=version))
    for end in ends:
        detail = {"enrollment_id": ids.to_text("enr", end.enrollment.enrollment_id), "job_id": part.job_id}
        tx.audit("EndEnrollment", person_id=end.enrollment.person_id, detail={**detail, "reason": end.reason})
    part.done += len(ends)


def _is_recorded(command: EnrollPerson, person: Standing | None) -> bool:
    """Whether the register says already what the row says."""
    return (
        person is not None
        and person.name == command.name
        and any(
            (one.employer_id, one.months.start_month, one.wage, one.post)
            == (command.employer_id, command.start_month, command.wage, command.post)
            for one in person.employments
        )
    )


def _obstacle(command: EnrollPerson, person: Standing | None) -> str:
    """Why a row cannot be taken, by the same check as at the counter; empty when it can."""
    if person is None:
        return ""
    last = person.employments[-1] if person.employments else None
    desk = Desk(
        "",
        person.person_id,
        person.name,
        is_retired=person.is_retired,
        last=last.months if last else None,
        is_dead=person.is_dead,
    )
    try:
        check_person(command, desk)
    except DomainError as refusal:
        is_here = refusal.reason == "ALREADY_ENROLLED" and last is not None and last.employer_id == command.employer_id
        return "ENROLLED_DIFFERENTLY" if is_here else refusal.reason
    return ""


async def _write(tx: Transaction, part: _Part, entries: _Entries, office: Office) -> None:
    if not entries.enrollments:
        return
    if entries.new:
        added = await history.add_people(tx, list(entries.new.values()))
        if len(added) < len(entries.new):  # the counter or another roster was faster; the next attempt sees them
            raise Conflict("CONCURRENT_CHANGE", "others are enrolling the same persons", retry_after=0.2)
    await roster.add(tx, part.employer.employer_id, entries.enrollments)
    part.done += len(entries.enrollments)
    for number, one in enumerate(entries.enrollments, start=1):
        if one.person_id in entries.new:
            tx.emit(facts.person_registered(entries.new[one.person_id][0], office.exchange))
        for participation in one.participations:
            tx.emit(facts.participation_started(participation, part.employer.division))
        detail = {"enrollment_id": ids.to_text("enr", one.enrollment_id), "job_id": part.job_id}
        tx.audit("EnrollPerson", person_id=one.person_id, detail=detail)
        if number % BREATHE_ROWS == 0:
            await asyncio.sleep(0)
