"""History of a whole city (历史数据迁入, layout 2): files are read and counted, sums decide, rows take effect.

Three kinds of chunks, each one transaction: open a file and cut it into slices of whole persons; read a slice in a
worker process and keep it aside; let a kept slice take effect. The last chunk of a phase begins the next one in its own
transaction, so a kill anywhere leaves a phase that goes on.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from chassis import jobs, ledger
from chassis.jobs import Chunk, ChunkResult, Job, JobKind, Reject
from chassis.processes import Processes
from chassis.transaction import Transaction
from hrss.enrollment.v1 import enrollment_events_pb2 as events
from kernel import ids
from kernel.errors import InvalidInput, NotFound
from kernel.money import Money
from services.enrollment import accounting, years_file
from services.enrollment.accounting import EntryKind
from services.enrollment.history_file import HistoryFile
from services.enrollment.messages import facts
from services.enrollment.messages import moving as messages
from services.enrollment.moving import BringIn, Sums
from services.enrollment.operations import moving_stage
from services.enrollment.operations.archive import Archive
from services.enrollment.operations.moving_stage import Task
from services.enrollment.operations.office import Office
from services.enrollment.store import history
from services.enrollment.store import moving as store
from services.enrollment.store.history import Balance
from services.enrollment.store.moving import Delivery, Judged, KnownPerson, PartPerson
from services.enrollment.years_file import YearRow, YearsFile

KIND = "bring_in_history"
Files = Archive[HistoryFile | YearsFile]


async def bring_in(tx: Transaction, command: BringIn) -> Job:
    """Start a delivery; its files are opened by the job."""
    job_id = await jobs.start(
        tx, KIND, params={}, chunks=[{"file": number} for number in range(1, len(command.files) + 1)]
    )
    files = [
        (one, await store.add_source(tx, f"import:{one.digest[:8]}:", f":{command.system}")) for one in command.files
    ]
    await store.add_delivery(tx, job_id, command.system, files, command.stated)
    tx.audit(
        "BringInHistory",
        detail={"job_id": ids.to_text("job", job_id), "files": str(len(files)), "digest": command.files[0].digest},
    )
    return await jobs.get(tx, job_id)


async def delivery(tx: Transaction, job_id: UUID) -> tuple[Job, Delivery]:
    """Show a delivery.

    Raises:
        NotFound: JOB_NOT_FOUND.
    """
    found = await store.delivery(tx, job_id)
    if found is None:
        raise NotFound("JOB_NOT_FOUND", "no such job")
    if found.state == "CHECKING":
        counted = await store.sums_by_file(tx, job_id)
        found = Delivery(
            job_id, found.state, found.system, found.files, found.stated, sum(counted.values(), Sums()), ()
        )
    return await jobs.get(tx, job_id), found


def job_kind(archive: Files, office: Office, processes: Processes) -> JobKind:
    """The job that brings in."""

    async def run_chunk(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        if "part" in chunk.params:
            return await _apply(tx, job, chunk.params["part"])
        found = await store.delivery(tx, job.id)
        assert found is not None
        if found.state == "REFUSED":  # another file was wrong
            return ChunkResult()
        if "first" in chunk.params:
            return await _stage(tx, job, chunk, found=found, archive=archive, office=office, processes=processes)
        return await _open(tx, job, chunk.params["file"], found, archive)

    return JobKind(KIND, run_chunk)


async def _open(tx: Transaction, job: Job, number: int, found: Delivery, archive: Files) -> ChunkResult:
    """First level: the form of a file, and its slices as further chunks."""
    try:
        file = await open_of(found, number, archive)
    except (InvalidInput, NotFound) as wrong:
        cause = wrong.metadata.get("cause", "")
        return await _refuse(
            tx, job, [{"file": number, "figure": wrong.reason, "stated": cause, "counted": ""}], Sums()
        )
    slices = [{"file": number, "first": first, "last": last, "line": line} for first, last, line in file.slices()]
    await jobs.add_chunks(tx, job.id, slices, row_count=file.stated.row_count)
    await store.note_stated(tx, job.id, number, file.stated)
    return await _count_down(tx, job, len(slices) - 1)


async def _stage(
    tx: Transaction, job: Job, chunk: Chunk, *, found: Delivery, archive: Files, office: Office, processes: Processes
) -> ChunkResult:
    """Second level: the rows of a slice, counted, sealed and kept aside."""
    number: int = chunk.params["file"]
    file = await open_of(found, number, archive)
    about = found.files[number - 1]
    keys = tx.database.settings.keys_dir
    task = Task(
        data=file.data[chunk.params["first"] : chunk.params["last"]],
        encoding=file.encoding,
        first_line=chunk.params["line"],
        digest=about["digest"],
        system=found.system,
        source=about["source"],
        today=tx.today,
        allow_test_region=not office.is_production,
        keys=(keys / "enrollment.sealed.key", keys / "enrollment-card.exchange.key"),
    )
    if len(task.data) <= moving_stage.SMALL_BYTES:
        staged = moving_stage.stage(task)
    else:
        staged = await processes.run(moving_stage.stage, task)
    await store.add_part(
        tx,
        job.id,
        chunk.number,
        file=number,
        first_line=task.first_line,
        counted=staged.sums,
        years=staged.years,
        persons=staged.persons,
        person_columns=moving_stage.PERSON_COLUMNS,
    )
    await _count_down(tx, job, -1)
    after = await store.delivery(tx, job.id)
    if after is not None and after.state == "REFUSED":  # by another chunk meanwhile, or by what this one counted
        await store.forget_parts(tx, job.id)
    return ChunkResult(rejects=_rejects(staged.wrong))


async def _count_down(tx: Transaction, job: Job, change: int) -> ChunkResult:
    """One chunk of reading is done; the last one compares the sums, and either all rows are to take effect or none."""
    open_chunks, state = await store.count_down(tx, job.id, change)
    if open_chunks or state != "CHECKING":
        return ChunkResult()
    found = await store.delivery(tx, job.id)
    assert found is not None
    by_file = await store.sums_by_file(tx, job.id)
    counted = sum(by_file.values(), Sums())
    differences: list[dict[str, Any]] = []
    for number, about in enumerate(found.files, start=1):
        differences += _different(number, by_file.get(number, Sums()), Sums(**about["stated"]))
    if found.stated is not None:
        differences += _different(0, counted, found.stated)
    if differences:
        return await _refuse(tx, job, differences, counted)
    parts = await store.parts(tx, job.id)
    await store.move(tx, job.id, "APPLYING" if parts else "DONE", counted=counted)
    await store.count_down(tx, job.id, len(parts))
    await jobs.add_chunks(tx, job.id, [{"part": part} for part in parts])
    return ChunkResult()


async def _refuse(tx: Transaction, job: Job, differences: Sequence[Mapping[str, Any]], counted: Sums) -> ChunkResult:
    """Nothing of the delivery counts, and what was kept of it is forgotten."""
    await store.move(tx, job.id, "REFUSED", counted=counted, differences=differences)
    await store.forget_parts(tx, job.id)
    reason = "FILE_FORMAT_INVALID" if differences[0]["figure"].isupper() else "CONTROL_SUMS_DIFFER"
    await jobs.fail(tx, job.id, reason)
    tx.audit("BringInHistoryRefused", detail={"job_id": ids.to_text("job", job.id), "reason": reason})
    return ChunkResult()


async def _apply(tx: Transaction, job: Job, part: int) -> ChunkResult:
    """Third level: what a kept slice meets in the register, and its effect."""
    persons = await store.part_persons(tx, job.id, part)
    new = await store.register(tx, job.id, part)
    known = {one.given: one for one in await store.known(tx, job.id, part, new)} if len(new) < len(persons) else {}
    verdicts = _verdicts(known.values())
    taken, judged = await store.copy_years(
        tx, job.id, part, {given: (one.person_id, verdicts[given]) for given, one in known.items()}
    )
    for one in persons:
        if one.given in new:
            tx.emit(facts.registered(one.given, one.birth_date, one.sex, one.division, one.identity), is_first=True)
            fact = events.HistoryBroughtIn.Fact.FromString(one.fact)
            if fact.years:
                tx.emit(fact, is_first=True)
    sources = {known[one.given].person_id: one.source for one in persons if one.given in known}
    _say_of_known(tx, judged, sources)
    owners = {one.given: known[one.given].person_id if one.given in known else one.given for one in persons}
    balances = await _balances(tx, job, part, persons=persons, owners=owners, verdicts=verdicts)
    wrong = [(one.line, one.verdict) for one in judged if one.verdict not in {"", "SAME"}] + balances.wrong
    done = taken + sum(one.verdict == "" for one in judged) + balances.done
    skipped = sum(one.verdict == "SAME" for one in judged) + balances.skipped
    await store.forget_parts(tx, job.id, part)
    key = f"{ids.to_text('job', job.id)}/{part}"
    tx.audit(
        "BringInHistoryPart",
        detail={"chunk": key, "done": str(done), "skipped": str(skipped), "rejected": str(len(wrong))},
    )
    open_chunks, _ = await store.count_down(tx, job.id, -1)
    if not open_chunks:
        await tx.execute("UPDATE history_delivery SET state = 'DONE' WHERE job_id = $1", job.id)
    return ChunkResult(done=done, skipped=skipped, rejects=_rejects(sorted(wrong)))


def _verdicts(known: Iterable[KnownPerson]) -> Mapping[UUID, str]:
    """Why no row of a known person is taken, or ''; of two numbers of one person in a part the first is read."""
    found: dict[UUID, str] = {}
    owners: set[UUID] = set()
    for one in known:
        if one.person_id in owners:
            found[one.given] = "PERSON_TWICE"
        else:
            found[one.given] = "NAME_MISMATCH" if not one.has_name else "PERSON_RETIRED" if one.is_retired else ""
        owners.add(one.person_id)
    return found


def _say_of_known(tx: Transaction, judged: Sequence[Judged], sources: Mapping[UUID, str]) -> None:
    """Facts of what took effect of persons who were known: their rows that were taken, and no others."""
    rows: dict[UUID, list[YearRow]] = {}
    for one in judged:
        if not one.verdict:
            row = YearRow(one.line, one.year, one.schemes, one.months, one.deemed, one.bases, "")
            rows.setdefault(one.person_id, []).append(row)
    for person_id, taken in rows.items():
        tx.emit(messages.history_brought_in(person_id, taken, sources[person_id]))


class _Balances:
    """What became of the balances of a part."""

    def __init__(self) -> None:
        self.wrong: list[tuple[int, str]] = []
        self.done = 0
        self.skipped = 0


async def _balances(
    tx: Transaction,
    job: Job,
    part: int,
    *,
    persons: Sequence[PartPerson],
    owners: Mapping[UUID, UUID],
    verdicts: Mapping[UUID, str],
) -> _Balances:
    result = _Balances()
    rows: list[tuple[UUID, int, int, Money, str]] = []
    for one in persons:
        if one.account is None:
            continue
        line, year, fen = one.account
        if verdicts.get(one.given):
            result.wrong.append((line, verdicts[one.given]))
        else:
            before, _, system = one.source.rsplit(":", 2)
            rows.append((owners[one.given], line, year, Money(fen), f"{before}:{line}:{system}"))
    known = sorted({owners[given] for given in verdicts} & {person_id for person_id, *_ in rows})
    accounts = await history.accounts(tx, known) if known else {}
    before_now = await history.imported_balances(tx, known) if known else {}
    new: list[Balance] = []
    for person_id, line, year, amount, source in rows:
        if person_id in before_now:
            if before_now[person_id] == (year, amount):
                result.skipped += 1
            else:
                result.wrong.append((line, "ACCOUNT_ALREADY_IMPORTED"))
            continue
        first_year, closed_through, is_settled = accounts.get(person_id, (year + 1, None, False))
        if is_settled or closed_through is not None or first_year <= year:
            result.wrong.append((line, "ACCOUNT_IN_USE"))
            continue
        new.append(Balance(person_id, year, amount, source))
    if new:
        await _book(tx, job, part, new)
    result.done = len(new)
    return result


async def _book(tx: Transaction, job: Job, part: int, new: Sequence[Balance]) -> None:
    after = await history.add_balances(tx, new)
    for one in new:
        if one.amount != Money.ZERO:
            booked = accounting.end_of(one.year)
            tx.emit(
                facts.account_credited(
                    one.person_id,
                    EntryKind.IMPORTED_BALANCE,
                    booked,
                    amount=one.amount,
                    balance=after[one.person_id],
                )
            )
    total = Money.total(one.amount for one in new)
    if total != Money.ZERO:
        await ledger.post(
            tx,
            kind="imported_balance",
            key=f"{ids.to_text('job', job.id)}/{part}",
            postings=[(accounting.BROUGHT_IN, -total), (accounting.ACCOUNTS, total)],
            business_date=tx.today,
        )


async def open_of(found: Delivery, number: int, archive: Files) -> YearsFile:
    """A file of a delivery, from 1.

    Raises:
        NotFound: FILE_NOT_FOUND.
        InvalidInput: FILE_FORMAT_INVALID.
    """
    about = found.files[number - 1]
    file = await archive.open(about["upload_id"], about["digest"])
    if not isinstance(file, YearsFile):
        raise InvalidInput(
            "FILE_FORMAT_INVALID", "the file is not of the documented format", field="files", cause="HEADER"
        )
    return file


def _different(file: int, counted: Sums, stated: Sums) -> list[dict[str, Any]]:
    return [
        {"file": file, "figure": figure, "stated": str(one), "counted": str(other)}
        for figure, one, other in counted.differences(stated)
    ]


def _rejects(wrong: Sequence[tuple[int, str]]) -> list[Reject]:
    return [Reject(line, code, *years_file.TEXTS[code]) for line, code in wrong]
