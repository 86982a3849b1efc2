"""The books of benefits proved as a job: a chunk for each rule of the whole, and one for each part of the city.

A chunk only reads: one that was killed is read once more. What the parts hold is asked when the job begins, by a chunk
of its own, and what is booked meanwhile belongs to the last part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from chassis import books as proof
from chassis import jobs
from chassis.jobs import ChunkResult, JobKind, Reject
from kernel import ids
from services.benefits.store import books
from services.benefits.store.books_words import BENEFITS

if TYPE_CHECKING:
    from chassis.books import Part, Rule
    from chassis.jobs import Chunk, Job
    from chassis.transaction import Transaction

JOB = "check_benefit_books"
SPANS = {span.name: span for span in books.SPANS}
WHOLE = tuple(rule for rule in books.RULES if not rule.span)


async def check_books(tx: Transaction) -> Job:
    """Start to prove the books; the count is of rules, each once in every part of its span."""
    chunks = [{"span": name} for name in SPANS] + [{"rule": rule.code} for rule in WHOLE]
    job_id = await jobs.start(tx, JOB, chunks=chunks, total_count=len(WHOLE))
    tx.audit("CheckBenefitBooks", detail={"job_id": ids.to_text("job", job_id)})
    return await jobs.get(tx, job_id)


def job_kind(size: int = BENEFITS.size) -> JobKind:
    """The job that proves, so many benefits a part."""

    async def run_chunk(tx: Transaction, job: Job, chunk: Chunk) -> ChunkResult:
        return await _run_chunk(tx, job, chunk, size)

    return JobKind(JOB, run_chunk)


async def _run_chunk(tx: Transaction, job: Job, chunk: Chunk, size: int) -> ChunkResult:
    if "rule" in chunk.params:
        return await _proved(tx, [books.BY_CODE[chunk.params["rule"]]], None)
    span = SPANS[chunk.params["span"]]
    rules = [rule for rule in books.RULES if rule.span == span.name]
    if "after" not in chunk.params:
        ends = await tx.fetch(span.ends, size if span is BENEFITS else span.size)
        parts = proof.parts_of([row["last"] for row in ends])
        told = [{"span": span.name, "after": str(part.after), "last": str(part.last)} for part in parts]
        await jobs.add_chunks(tx, job.id, told, row_count=len(parts) * len(rules))
        return ChunkResult()
    await tx.execute(span.plan)
    return await _proved(tx, rules, proof.Part(UUID(chunk.params["after"]), UUID(chunk.params["last"])))


async def _proved(tx: Transaction, rules: list[Rule], part: Part | None) -> ChunkResult:
    """Each rule asked; one that does not hold is a reject, in a part with what breaks it there."""
    rejects = []
    for line, rule in enumerate(rules, start=1):
        row = await tx.fetchrow(books.finding(rule, part))
        assert row is not None
        if row["count"]:
            rejects.append(_reject(line, rule, row["count"], row["first"], is_part=part is not None))
    return ChunkResult(done=len(rules) - len(rejects), rejects=rejects)


def _reject(line: int, rule: Rule, count: int, first: str, *, is_part: bool) -> Reject:
    return Reject(
        line,
        rule.code,
        f"{rule.zh}：{'本段' if is_part else ''}共 {count} 处，第一处 {first}",
        f"{rule.en}: {count} in {'this part' if is_part else 'all'}, the first is {first}",
    )
