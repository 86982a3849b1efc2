"""Records that look like one person: a job looks through the register by year of birth, people decide.

The match is deterministic: same sex and birth, and either the same number in its two forms, or the same name and
telephone. Nothing is merged by it.
"""

import asyncio
from collections.abc import Sequence
from datetime import date
from itertools import combinations, groupby
from uuid import UUID

from chassis import jobs, paging
from chassis.jobs import Chunk, ChunkResult, Job, JobKind
from chassis.transaction import Transaction
from kernel import ids
from kernel.errors import NotFound
from kernel.identity import full_number, normalise_resident_id
from services.enrollment.persons import DuplicateReason, Facts
from services.enrollment.register import Person
from services.enrollment.store import persons_duplicates as duplicates

KIND = "find_duplicates"
BREATHE_GROUPS = 50


async def find(tx: Transaction) -> Job:
    """Start to look through the whole register, one year of birth after the other."""
    years = await duplicates.births(tx)
    chunks = [{"year": year} for year in range(years[0], years[1] + 1)] if years else []
    job_id = await jobs.start(tx, KIND, params={}, chunks=chunks, total_count=len(chunks))
    tx.audit("FindDuplicates", detail={"job_id": ids.to_text("job", job_id)})
    return await jobs.get(tx, job_id)


def job_kind() -> JobKind:
    """The job that looks."""

    async def run_chunk(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        year = chunk.params["year"]
        records = await duplicates.alike(tx, date(year, 1, 1), date(year + 1, 1, 1))
        pairs: list[tuple[UUID, UUID, DuplicateReason]] = []
        groups = groupby(records, key=lambda one: (one[1].birth_date, one[1].sex))
        for number, (_, group) in enumerate(groups, start=1):
            pairs += pairs_of(list(group))
            if number % BREATHE_GROUPS == 0:
                await asyncio.sleep(0)
        await duplicates.save_duplicates(tx, pairs)
        tx.audit("FindDuplicatesChunk", detail={"job_id": ids.to_text("job", job.id), "pairs": str(len(pairs))})
        return ChunkResult(1, 0, [])

    return JobKind(KIND, run_chunk)


def pairs_of(records: Sequence[tuple[UUID, Facts]]) -> Sequence[tuple[UUID, UUID, DuplicateReason]]:
    """The pairs among records of one sex and birth that look like one person."""
    keys: dict[tuple[str, ...], list[UUID]] = {}
    for person_id, facts in records:
        keys.setdefault(("number", full_number(normalise_resident_id(facts.id_no))), []).append(person_id)
        if facts.phone:
            keys.setdefault(("phone", facts.name, facts.phone), []).append(person_id)
    found: dict[tuple[UUID, UUID], DuplicateReason] = {}
    for key, same in keys.items():
        reason = DuplicateReason.NUMBER if key[0] == "number" else DuplicateReason.NAME_BIRTH_PHONE
        for one, other in combinations(sorted(same), 2):
            found.setdefault((one, other), reason)
    return [(one, other, reason) for (one, other), reason in found.items()]


async def list_open(
    tx: Transaction, *, size: int, token: str
) -> tuple[Sequence[tuple[Person, Person, DuplicateReason]], str]:
    """A page of pairs that nobody decided, and the token of the next; every person shown is audited.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=size, token=token, query="duplicates")
    one, _, other = page.after.partition(" ")
    rows = await duplicates.open_duplicates(tx, (UUID(hex=one), UUID(hex=other)) if page.after else None, page.size + 1)
    shown = rows[: page.size]
    for pair in shown:
        for person in pair[:2]:
            tx.audit("ListDuplicates", person_id=person.person_id)
    following = ""
    if len(rows) > page.size:
        following = paging.following(tx, page, f"{shown[-1][0].person_id.hex} {shown[-1][1].person_id.hex}")
    return shown, following


async def dismiss(tx: Transaction, one: UUID, other: UUID, evidence: str) -> None:
    """Note that two records are two persons.

    Raises:
        NotFound: DUPLICATE_NOT_FOUND.
    """
    if not await duplicates.decide_duplicate(tx, one, other, "DISMISSED", evidence):
        raise NotFound("DUPLICATE_NOT_FOUND", "these two records are no known pair")
    for person_id in (one, other):
        tx.audit("DismissDuplicate", person_id=person_id, detail={"evidence": evidence})
