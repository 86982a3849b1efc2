"""The parity report of a delivery (迁移比对): a sample is read from the files again and held beside the register.

Who is in the sample follows from the seed alone, so a second office draws the same one. For each person every month of
every scheme is compared with what counts here, and the balance that was delivered with the account that the bases
give by the law of each year. Differences are named, never mended.
"""

import csv
import hashlib
import io
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chassis import jobs
from chassis.jobs import Chunk, ChunkResult, Job, JobKind
from chassis.transaction import Transaction
from kernel import ids
from kernel.calendar import Month
from kernel.errors import NotFound, PolicyParameterMissing, Refused
from kernel.money import Money
from services.enrollment import moving, years_file
from services.enrollment.domain.account import Credits, account_years
from services.enrollment.moving import COUNTED, PENSION
from services.enrollment.operations.moving_import import Files, open_of
from services.enrollment.operations.office import Office
from services.enrollment.register import SCHEME_CODES
from services.enrollment.store import moving as deliveries
from services.enrollment.store import moving_parity as store
from services.enrollment.store.moving_parity import Difference
from services.enrollment.years_file import FIRST_ACCOUNT_YEAR, PersonRows

KIND = "compare_history"
PLAN = {"plan": True}
CSV, JSON = "CSV", "JSON"
COLUMNS = ("person_id", "code", "place", "delivered", "computed")


@dataclass(frozen=True, slots=True)
class Report:
    """A report as it is handed out."""

    job: Job
    text: str
    digest: str
    persons: int
    differences: int


async def compare(tx: Transaction, delivery_id: UUID, seed: str, size: int) -> Job:
    """Start a comparison.

    Raises:
        NotFound: JOB_NOT_FOUND.
        InvalidInput: SAMPLE_INVALID.
        Refused: DELIVERY_NOT_DONE.
    """
    size = moving.check_sample(seed, size)
    found = await deliveries.delivery(tx, delivery_id)
    if found is None:
        raise NotFound("JOB_NOT_FOUND", "no such job")
    if found.state != "DONE":
        raise Refused("DELIVERY_NOT_DONE", "the delivery has not taken effect", state=found.state)
    job_id = await jobs.start(tx, KIND, params={"delivery": delivery_id.hex, "seed": seed}, chunks=[PLAN])
    await store.add(tx, job_id, delivery_id, seed, size)
    tx.audit("CompareHistory", detail={"job_id": ids.to_text("job", job_id), "seed": seed})
    return await jobs.get(tx, job_id)


def job_kind(archive: Files, office: Office) -> JobKind:
    """The job that compares."""

    async def run_chunk(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        delivery_id = UUID(hex=job.params["delivery"])
        if chunk.params == PLAN:
            return await _plan(tx, job, delivery_id)
        part, count = chunk.params["part"], chunk.params["count"]
        people = await _sample(
            tx, delivery_id, part, seed=f"{job.params['seed']}/{part}", count=count, archive=archive, office=office
        )
        found: list[Difference] = []
        for one in people:
            found += await _compared(tx, one, office)
        await store.note(tx, job.id, chunk.number, len(people), found)
        tx.audit("CompareHistoryPart", detail={"persons": str(len(people)), "differences": str(len(found))})
        return ChunkResult(done=len(people))

    return JobKind(KIND, run_chunk)


async def report(tx: Transaction, job_id: UUID, form: str) -> Report:
    """The report as CSV or JSON.

    Raises:
        NotFound: JOB_NOT_FOUND.
    """
    about = await store.about(tx, job_id)
    if about is None:
        raise NotFound("JOB_NOT_FOUND", "no such job")
    delivery_id, seed, persons = about
    rows = await store.differences(tx, job_id)
    plain = [
        dict(zip(COLUMNS, (ids.to_text("per", one.person_id), *one.words), strict=True)) for one in rows
    ]  # a number would name somebody, an id does not
    head: dict[str, Any] = {
        "delivery": ids.to_text("job", delivery_id),
        "seed": seed,
        "persons": str(persons),
        "differences": str(len(rows)),
    }
    if form == JSON:
        text = json.dumps({**head, "rows": plain}, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    else:
        written = io.StringIO()
        writer = csv.writer(written, lineterminator="\n")
        writer.writerow([f"#{name}={value}" for name, value in head.items()])
        writer.writerow(COLUMNS)
        writer.writerows([one[name] for name in COLUMNS] for one in plain)
        text = written.getvalue()
    tx.audit("GetParityReport", detail={"job_id": ids.to_text("job", job_id)})
    return Report(await jobs.get(tx, job_id), text, hashlib.sha256(text.encode()).hexdigest(), persons, len(rows))


async def _plan(tx: Transaction, job: Job, delivery_id: UUID) -> ChunkResult:
    """How many of the sample fall into each part; the draw is over all persons of the delivery."""
    parts = await store.parts(tx, delivery_id)
    total = sum(persons for _, persons in parts)
    size = await store.size(tx, job.id)
    drawn = sorted(random.Random(job.params["seed"]).sample(range(total), min(size, total)))  # noqa: S311 - no secret
    chunks, begin = [], 0
    for part, persons in parts:
        count = sum(begin <= number < begin + persons for number in drawn)
        begin += persons
        if count:
            chunks.append({"part": part, "count": count})
    await jobs.add_chunks(tx, job.id, chunks, row_count=len(drawn))
    return ChunkResult()


async def _sample(
    tx: Transaction, delivery_id: UUID, part: int, *, seed: str, count: int, archive: Files, office: Office
) -> Sequence[PersonRows]:
    found = await deliveries.delivery(tx, delivery_id)
    place = await store.place(tx, delivery_id, part)
    assert found is not None
    number, line = place
    file = await open_of(found, number, archive)
    first, last, _ = next(one for one in file.slices() if one[2] == line)
    rows = years_file.read_slice(
        file.data[first:last], file.encoding, line, today=tx.today, allow_test_region=not office.is_production
    )
    return random.Random(seed).sample(rows.persons, min(count, len(rows.persons)))  # noqa: S311 - no secret


async def _compared(tx: Transaction, one: PersonRows, office: Office) -> list[Difference]:
    person_id = await store.person(tx, one.identity.number)
    if person_id is None:
        return []  # every row was rejected, and each has its verdict
    held = await store.held(tx, person_id)
    found = []
    delivered = dict(_months(one))
    for (scheme, month), (fen, is_deemed) in delivered.items():
        stated = _words(fen, is_deemed=is_deemed)
        here = held.get((scheme, month))
        shown = _words(here[0], is_deemed=here[1]) if here else ""
        if shown != stated:
            found.append(Difference(person_id, "MONTH_DIFFERS", f"{month} {scheme}", stated, shown))
    for scheme in SCHEME_CODES.values():
        mine = {month for code, month in delivered if code == scheme}
        here_months = {month for code, month in held if code == scheme} & mine
        if len(here_months) != len(mine):
            found.append(Difference(person_id, "MONTHS_DIFFER", str(scheme), str(len(mine)), str(len(here_months))))
    if one.account is not None:
        found += await _account_differences(tx, person_id, one, office)
    return found


async def _account_differences(tx: Transaction, person_id: UUID, one: PersonRows, office: Office) -> list[Difference]:
    """The balance beside the one that was recorded, and beside what the bases give by the law of each year."""
    assert one.account is not None
    _, year, fen = one.account
    stated = str(Money(fen))
    found = []
    recorded = await store.brought_in(tx, person_id, year)
    if recorded is None or recorded.fen != fen:
        found.append(Difference(person_id, "BALANCE_DIFFERS", str(year), stated, str(recorded or "")))
    try:
        computed = str(recomputed(one, year, office))
    except PolicyParameterMissing as missing:
        computed = f"? {missing.metadata.get('key', '')} {missing.metadata.get('date', '')}".strip()
    if computed != stated:
        found.append(Difference(person_id, "ACCOUNT_DIFFERS", str(year), stated, computed))
    return found


def recomputed(one: PersonRows, last: int, office: Office) -> Money:
    """The account at the end of a year as the paid months of the pension give it, each booked in its own month.

    Raises:
        PolicyParameterMissing: A year before the first known rate.
    """
    booked: dict[int, dict[int, Money]] = {}
    rate = office.policy.contributions.account_credit
    for (scheme, month), (fen, is_deemed) in _months(one):
        if scheme == SCHEME_CODES[COUNTED[PENSION]] and not is_deemed and FIRST_ACCOUNT_YEAR <= month.year <= last:
            share = Money(fen).times(rate.on(month.first_day).value)
            booked.setdefault(month.year, {})[month.month] = share
    if not booked:
        return Money.ZERO
    years = [Credits(year, booked.get(year, {})) for year in range(min(booked), last + 1)]
    return account_years(Money.ZERO, years, office.policy.account)[-1].closing


def _months(one: PersonRows) -> Iterator[tuple[tuple[int, Month], tuple[int, bool]]]:
    for row in one.years:
        for first, count, base, is_deemed in moving.runs_of(row.months, row.deemed, row.bases):
            for number in range(first, first + count):
                for bit, scheme in COUNTED.items():
                    if row.schemes & bit:
                        yield (SCHEME_CODES[scheme], Month(row.year, number)), (base, is_deemed)


def _words(fen: int, *, is_deemed: bool) -> str:
    return f"{Money(fen)} {'DEEMED' if is_deemed else 'PAID'}"
