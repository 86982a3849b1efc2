"""Bringing in the years before (历史数据迁入): a job over the lines of an uploaded file.

The third level of checks is here: whether a row fits the register. A row that is recorded already with the same content
is skipped, so the same file again changes nothing, and a chunk that runs twice has one effect.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from chassis import jobs, ledger
from chassis.jobs import Chunk, ChunkResult, Job, JobKind, Reject
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from services.enrollment import accounting, history_file
from services.enrollment.accounting import EntryKind
from services.enrollment.commands import ImportHistory
from services.enrollment.history_file import AccountRow, HistoryFile, MonthRow, RowWrong, source_of
from services.enrollment.messages import facts
from services.enrollment.moving import BringIn, FileRef
from services.enrollment.operations import moving_import
from services.enrollment.operations.archive import Archive
from services.enrollment.operations.office import Office
from services.enrollment.register import Person, Stretch
from services.enrollment.store import history
from services.enrollment.store.history import Balance, Contribution
from services.enrollment.years_file import YearsFile

KIND = "import_history"
CHUNK_ROWS = 1000  # about 350 person-months of three schemes: one event message, half a second of work


async def import_history(tx: Transaction, command: ImportHistory, archive: Archive[HistoryFile | YearsFile]) -> Job:
    """Start the import of an uploaded file; one of layout 2 is a delivery of one file.

    Raises:
        NotFound: FILE_NOT_FOUND.
        InvalidInput: FILE_FORMAT_INVALID with its cause.
    """
    file = await archive.open(command.upload_id, command.digest)
    if isinstance(file, YearsFile):
        return await moving_import.bring_in(
            tx, BringIn([FileRef(command.upload_id, command.digest)], command.source_system)
        )
    job_id = await jobs.start(
        tx,
        KIND,
        params={
            "upload_id": command.upload_id,
            "digest": command.digest,
            "source_system": command.source_system,
        },
        chunks=[{"first": first, "last": last} for first, last in file.ranges(CHUNK_ROWS)],
        total_count=file.row_count,
    )
    tx.audit("ImportHistory", detail={"job_id": ids.to_text("job", job_id), "digest": command.digest})
    return await jobs.get(tx, job_id)


def job_kind(archive: Archive[HistoryFile | YearsFile], office: Office) -> JobKind:
    """The job that imports."""

    async def run_chunk(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        file = await archive.open(job.params["upload_id"], job.params["digest"])
        assert isinstance(file, HistoryFile)  # of layout 2 nothing else is started
        part = _Part(job.params["digest"], job.params["source_system"])
        for number, (line, text) in enumerate(file.rows(chunk.params["first"], chunk.params["last"]), start=1):
            try:
                part.take(history_file.read_row(line, text, today=tx.today, allow_test_region=not office.is_production))
            except RowWrong as wrong:
                part.reject(wrong.line, wrong.code)
            if number % 100 == 0:
                await asyncio.sleep(0)
        await _import(tx, part, office, key=f"{ids.to_text('job', job.id)}/{chunk.number}")
        return part.result()

    return JobKind(KIND, run_chunk)


@dataclass(slots=True)
class _Part:
    """The rows of a chunk and what became of them."""

    digest: str
    system: str
    months: list[MonthRow] = field(default_factory=list)
    accounts: list[AccountRow] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    done: int = 0
    skipped: int = 0

    def take(self, row: MonthRow | AccountRow) -> None:
        """Keep a row that passed the second level."""
        match row:
            case MonthRow():
                self.months.append(row)
            case AccountRow():
                self.accounts.append(row)

    def reject(self, line: int, code: str) -> None:
        """Note why a row is not taken."""
        zh, en = history_file.TEXTS[code]
        self.rejects.append(Reject(line, code, zh, en))

    def source(self, row: MonthRow | AccountRow) -> str:
        """The origin that a row keeps."""
        return source_of(self.digest, row.line, self.system)

    def result(self) -> ChunkResult:
        """The counts for the job."""
        return ChunkResult(done=self.done, skipped=self.skipped, rejects=sorted(self.rejects, key=lambda one: one.line))


async def _import(tx: Transaction, part: _Part, office: Office, *, key: str) -> None:
    persons = await _people(tx, part, office)
    await _months(tx, part, persons)
    await _balances(tx, part, persons, key=key)
    tx.audit(
        "ImportHistoryChunk",
        detail={"chunk": key, "done": str(part.done), "skipped": str(part.skipped), "rejected": str(len(part.rejects))},
    )


async def _people(tx: Transaction, part: _Part, office: Office) -> dict[int, UUID]:
    """The person of each row by its line; registers the unknown ones and rejects rows that name somebody wrongly."""
    rows: list[MonthRow | AccountRow] = sorted([*part.months, *part.accounts], key=lambda row: row.line)
    first: dict[str, MonthRow | AccountRow] = {}
    for row in rows:
        first.setdefault(row.identity.number, row)
    found = dict(await history.known(tx, first))
    new = {number: (_person(row), part.source(row)) for number, row in first.items() if number not in found}
    if new:
        added = await history.add_people(tx, list(new.values()))
        for number, (one, _) in new.items():
            if one.person_id in added:
                found[number] = history.Known(one.person_id, one.name, is_retired=False)
                tx.emit(facts.person_registered(one, office.exchange))
        if len(added) < len(new):  # another chunk registered them since
            found |= await history.known(tx, [number for number in new if number not in found])
    persons = {}
    for row in rows:
        known = found[row.identity.number]
        if known.name != row.name:
            part.reject(row.line, "NAME_MISMATCH")
        elif known.is_retired:
            part.reject(row.line, "PERSON_RETIRED")
        else:
            persons[row.line] = known.person_id
    return persons


async def _months(tx: Transaction, part: _Part, persons: dict[int, UUID]) -> None:
    rows = [(row, persons[row.line]) for row in part.months if row.line in persons]
    if not rows:
        return
    employed = await history.stretches(tx, sorted({person_id for _, person_id in rows}))
    before = await history.held(tx, {(person_id, row.month) for row, person_id in rows})
    seen = {(*place, scheme): value for place, schemes in before.items() for scheme, value in schemes.items()}
    new: list[Contribution] = []
    for row, person_id in rows:
        recorded = seen.get((person_id, row.month, row.scheme))
        if recorded == (row.base, row.state):
            part.skipped += 1
        elif _covers(employed.get(person_id, ()), row.month) and (recorded or (person_id, row.month) not in before):
            # A month that was brought in before the enrolment is never billed: only here its other schemes can come. A
            # billed month has no contributions until it is paid, and then those of every scheme.
            part.reject(row.line, "MONTH_INSURED_HERE")
        elif recorded is not None:
            part.reject(row.line, "CONTRIBUTION_DIFFERS")
        else:
            seen[person_id, row.month, row.scheme] = (row.base, row.state)
            new.append(
                Contribution(person_id, row.month, row.scheme, row.state, row.base, part.source(row), row.employer_code)
            )
    if not new:
        return
    await history.add_months(tx, new)
    part.done += len(new)
    sources = {(one.person_id, one.month): one.source for one in new}
    # A fact replaces what was said of its month before, so it tells every scheme, also those of other chunks.
    for (person_id, month), items in (await history.held(tx, sources)).items():
        tx.emit(facts.contributions_settled(person_id, month, items, sources[person_id, month]))


async def _balances(tx: Transaction, part: _Part, persons: dict[int, UUID], *, key: str) -> None:
    rows = [(row, persons[row.line]) for row in part.accounts if row.line in persons]
    if not rows:
        return
    person_ids = sorted({person_id for _, person_id in rows})
    accounts = await history.accounts(tx, person_ids)
    before = dict(await history.imported_balances(tx, person_ids))
    new: list[Balance] = []
    for row, person_id in rows:
        if person_id in before:
            if before[person_id] == (row.year, row.balance):
                part.skipped += 1
            else:
                part.reject(row.line, "ACCOUNT_ALREADY_IMPORTED")
            continue
        first_year, closed_through, is_settled = accounts.get(person_id, (row.year + 1, None, False))
        if is_settled or closed_through is not None or first_year <= row.year:
            part.reject(row.line, "ACCOUNT_IN_USE")
            continue
        before[person_id] = (row.year, row.balance)
        new.append(Balance(person_id, row.year, row.balance, part.source(row)))
    if not new:
        return
    after = await history.add_balances(tx, new)
    part.done += len(new)
    for one in new:
        if one.amount != Money.ZERO:
            tx.emit(
                facts.account_credited(
                    one.person_id,
                    EntryKind.IMPORTED_BALANCE,
                    accounting.end_of(one.year),
                    amount=one.amount,
                    balance=after[one.person_id],
                )
            )
    await _book(tx, new, key)


async def _book(tx: Transaction, new: Sequence[Balance], key: str) -> None:
    total = Money.total(one.amount for one in new)
    if total != Money.ZERO:
        await ledger.post(
            tx,
            kind="imported_balance",
            key=key,
            postings=[(accounting.BROUGHT_IN, -total), (accounting.ACCOUNTS, total)],
            business_date=tx.today,
        )


def _person(row: MonthRow | AccountRow) -> Person:
    identity = row.identity
    assert identity.birth is not None
    assert identity.sex is not None
    return Person(
        person_id=ids.new_id(),
        name=row.name,
        id_no=identity.number,
        birth_date=identity.birth,
        sex=identity.sex,
        division=identity.division,
    )


def _covers(stretches: Iterable[Stretch], month: Month) -> bool:
    return any(one.start_month <= month and (one.end_month is None or month <= one.end_month) for one in stretches)
