"""The steps of people on a batch: one prepares it, another approves and thereby starts it, either holds or ends it.

The jobs that do the work are `batch_preparing` and `batch_issuing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from chassis import approval, jobs, paging
from kernel import ids
from kernel.errors import AlreadyExists, Forbidden, NotFound, Refused
from services.card import batch_file
from services.card.batches import Batch, BatchState, Source
from services.card.messages import batches as messages
from services.card.operations import batch_issuing, batch_preparing
from services.card.results import BatchesShown, BatchRejects, BatchShown
from services.card.store import batches as store

if TYPE_CHECKING:
    from chassis.files import Files
    from chassis.jobs import Job
    from chassis.transaction import Transaction
    from services.card.batches import ApproveBatch, CreateBatch

JOB_OF = {BatchState.PREPARING: "prepare_job", BatchState.RUNNING: "issue_job"}


async def create(tx: Transaction, command: CreateBatch, files: Files, *, is_national: bool = False) -> BatchShown:
    """Prepare a batch: a job looks at every row and issues nothing.

    Raises:
        NotFound: FILE_NOT_FOUND.
        InvalidInput: FILE_FORMAT_INVALID with its cause.
        AlreadyExists: CARD_BATCH_EXISTS with the id of the open batch of the same file.
        Forbidden: NATURAL_PERSON_REQUIRED.
        Refused: CARD_BATCH_NATIONAL: the national platform issues, and is asked for each card by itself.
    """
    if is_national:
        raise Refused("CARD_BATCH_NATIONAL", "cards are issued by the national platform one by one")
    maker = tx.principal.acting_person
    is_file = command.source is Source.FILE
    if is_file:
        batch_file.open_file(await _content(files, command))
    batch_id = ids.new_id()
    job_id = await jobs.start(
        tx, batch_preparing.JOB, params={"batch_id": str(batch_id)}, chunks=[batch_preparing.PLAN]
    )
    batch = Batch(
        batch_id=batch_id,
        source=command.source,
        upload_id=command.upload_id if is_file else None,
        file_digest=command.file_digest if is_file else None,
        state=BatchState.PREPARING,
        maker=maker,
        create_date=tx.today,
        prepare_job=job_id,
        issue_job=None,
        row_count=0,
        left_out={},
        digest=None,
        approval_id=None,
    )
    if not await store.add(tx, batch):
        other = await store.open_of(tx, command.file_digest)
        raise AlreadyExists("CARD_BATCH_EXISTS", "a batch of this file is open", batch=other.text_id if other else "")
    tx.emit(messages.changed(batch, BatchState.PREPARING))
    detail = {"batch_id": batch.text_id, "source": command.source.value, "digest": command.file_digest.hex()}
    tx.audit("card_batch_created", detail=detail)
    return await shown(tx, batch_id)


async def approve(tx: Transaction, command: ApproveBatch) -> BatchShown:
    """Approve a batch as it was looked at, second person, and let it run.

    Raises:
        NotFound: CARD_BATCH_NOT_FOUND.
        Forbidden: SAME_PERSON, NATURAL_PERSON_REQUIRED.
        Refused: CARD_BATCH_STATE_WRONG, CARD_BATCH_CHANGED with the digest that counts, APPROVAL_EXPIRED.
    """
    batch = await _locked(tx, command.batch_id, BatchState.PREPARED)
    checker = tx.principal.acting_person
    if checker == batch.maker:
        raise Forbidden("SAME_PERSON", "who prepared the batch does not approve it")
    assert batch.approval_id is not None
    # What stands in the rows is added up again: nobody approves what somebody changed behind the dry run.
    parts, found, parts_digest = await store.summed(tx, batch.batch_id)
    digest = batch_preparing.approval_digest(batch, found, parts_digest)
    if command.digest != digest or digest != batch.digest:
        raise Refused("CARD_BATCH_CHANGED", "this is not what was looked at", digest=digest.hex())
    await approval.decide(tx, batch.approval_id, approve=True)
    await approval.execute(tx, batch.approval_id, kind=batch_preparing.APPROVAL, subject=batch.text_id, payload=digest)
    job_id = await jobs.start(
        tx,
        batch_issuing.JOB,
        params={"batch_id": str(batch.batch_id)},
        chunks=[{"part": number} for number in range(1, parts + 1)],
        total_count=batch.row_count,
    )
    await store.change(
        tx,
        batch.batch_id,
        state=BatchState.RUNNING.value,
        issue_job=job_id,
        checker=checker,
        approve_date=tx.today,
    )
    tx.emit(messages.changed(batch, BatchState.RUNNING, row_count=batch.row_count))
    detail = {"batch_id": batch.text_id, "digest": digest.hex(), "job_id": ids.to_text("job", job_id)}
    tx.audit("card_batch_approved", detail=detail)
    return await shown(tx, batch.batch_id)


async def pause(tx: Transaction, batch_id: UUID) -> BatchShown:
    """Hold a batch.

    Raises:
        NotFound: CARD_BATCH_NOT_FOUND.
        Refused: CARD_BATCH_STATE_WRONG, JOB_NOT_RUNNING: it is held already.
    """
    batch = await _locked(tx, batch_id, *JOB_OF)
    await jobs.pause(tx, _job_id(batch))
    return await _held(tx, batch, "card_batch_paused", is_paused=True)


async def resume(tx: Transaction, batch_id: UUID) -> BatchShown:
    """Go on with a held batch, or once more with one whose job failed.

    Raises:
        NotFound: CARD_BATCH_NOT_FOUND.
        Refused: CARD_BATCH_STATE_WRONG, JOB_NOT_RUNNING: it is not held.
    """
    batch = await _locked(tx, batch_id, *JOB_OF)
    await jobs.resume(tx, _job_id(batch))
    return await _held(tx, batch, "card_batch_resumed", is_paused=False)


async def cancel(tx: Transaction, batch_id: UUID) -> BatchShown:
    """End a batch for good; cards that were issued stay, rows that were not are kept no longer.

    Raises:
        NotFound: CARD_BATCH_NOT_FOUND.
        Refused: CARD_BATCH_STATE_WRONG.
    """
    batch = await _locked(tx, batch_id, BatchState.PREPARED, *JOB_OF)
    job = None
    if batch.state in JOB_OF:
        await jobs.cancel(tx, _job_id(batch))
        job = await jobs.get(tx, _job_id(batch))
    await store.change(tx, batch_id, state=BatchState.CANCELLED.value)
    await store.forget(tx, batch_id)
    issued = job if batch.issue_job is not None else None
    tx.emit(messages.changed(batch, BatchState.CANCELLED, row_count=batch.row_count, job=issued))
    tx.audit("card_batch_cancelled", detail={"batch_id": batch.text_id})
    return await shown(tx, batch_id)


async def shown(tx: Transaction, batch_id: UUID) -> BatchShown:
    """A batch with its job.

    Raises:
        NotFound: CARD_BATCH_NOT_FOUND.
    """
    batch = await store.get(tx, batch_id)
    if batch is None:
        raise _not_found()
    return await _shown(tx, batch)


async def listed(tx: Transaction, size: int, token: str) -> BatchesShown:
    """Batches, newest first.

    Raises:
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    page = paging.read(tx, size=size, token=token, query="card batches")
    rows = await store.listed(tx, UUID(page.after) if page.after else None, page.size + 1)
    found = [await _shown(tx, one) for one in rows[: page.size]]
    more = paging.following(tx, page, str(rows[page.size - 1].batch_id)) if len(rows) > page.size else ""
    return BatchesShown(found, more)


async def rejects(tx: Transaction, batch_id: UUID, size: int, token: str) -> BatchRejects:
    """Rejected rows, of the run or, before it, of the dry run.

    Raises:
        NotFound: CARD_BATCH_NOT_FOUND.
        InvalidInput: PAGE_SIZE_INVALID, PAGE_TOKEN_INVALID.
    """
    batch = await store.get(tx, batch_id)
    if batch is None:
        raise _not_found()
    job_id = batch.issue_job or batch.prepare_job
    page = paging.read(tx, size=size, token=token, query=f"rejects {job_id}")
    chunk, _, line = page.after.partition("/")
    after = (int(chunk), int(line)) if page.after else (0, 0)
    rows = await jobs.rejects(tx, job_id, after=after, limit=page.size + 1)
    cursor = f"{rows[page.size - 1][0]}/{rows[page.size - 1][1].line}" if len(rows) > page.size else ""
    more = paging.following(tx, page, cursor) if cursor else ""
    return BatchRejects([one for _, one in rows[: page.size]], more)


async def _shown(tx: Transaction, batch: Batch) -> BatchShown:
    job = await jobs.get(tx, batch.issue_job or batch.prepare_job)
    found = await store.found(tx, batch.batch_id)
    return BatchShown(batch, found, job)


async def _held(tx: Transaction, batch: Batch, action: str, *, is_paused: bool) -> BatchShown:
    found = await shown(tx, batch.batch_id)
    issued: Job | None = found.job if batch.issue_job is not None else None
    tx.emit(messages.changed(batch, batch.state, row_count=batch.row_count, job=issued, is_paused=is_paused))
    tx.audit(action, detail={"batch_id": batch.text_id})
    return found


async def _locked(tx: Transaction, batch_id: UUID, *states: BatchState) -> Batch:
    batch = await store.get(tx, batch_id, lock=True)
    if batch is None:
        raise _not_found()
    if batch.state not in states:
        raise Refused("CARD_BATCH_STATE_WRONG", "the batch is not where this step begins", state=batch.state.value)
    return batch


async def _content(files: Files, command: CreateBatch) -> bytes:
    try:
        return await files.get(command.upload_id, command.file_digest.hex())
    except (NotFound, Refused):
        raise NotFound("FILE_NOT_FOUND", "no upload with this id and digest", field="upload_id") from None


def _job_id(batch: Batch) -> UUID:
    found: UUID | None = getattr(batch, JOB_OF[batch.state])
    assert found is not None
    return found


def _not_found() -> NotFound:
    return NotFound("CARD_BATCH_NOT_FOUND", "no such batch")
