"""BatchesService: requests as values, values as replies and facts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from chassis.values import to_date, to_job
from hrss.card.v1 import batches_events_pb2 as events
from hrss.card.v1 import batches_service_pb2 as pb
from hrss.card.v1 import card_events_pb2 as card_events
from hrss.card.v1 import card_pb2 as model
from hrss.type.v1 import calendar_pb2, fact_pb2, job_pb2
from kernel import ids
from kernel.errors import InvalidInput
from services.card.batches import ApproveBatch, BatchState, CreateBatch, Source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from uuid import UUID

    from google.protobuf.message import Message

    from chassis.jobs import ChunkResult, Job
    from services.card.batches import Batch
    from services.card.results import BatchesShown, BatchRejects, BatchShown
    from services.card.store.batches import NewCard

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SOURCES = {pb.CARD_BATCH_SOURCE_FILE: Source.FILE, pb.CARD_BATCH_SOURCE_REGISTER: Source.REGISTER}
_SOURCE_NUMBERS = {source: number for number, source in _SOURCES.items()}
_STATES = {state: pb.CardBatchState.Value(f"CARD_BATCH_STATE_{state.value}") for state in BatchState}


# Requests -----------------------------------------------------------------------------------------------------------


def create(request: pb.CreateCardBatchRequest) -> CreateBatch:
    """Prepare a batch.

    Raises:
        InvalidInput: CARD_BATCH_SOURCE_REQUIRED: none, or a file without an upload, or an upload without a file.
    """
    source = _SOURCES.get(request.source)
    is_named = bool(request.upload_id) and bool(request.digest)
    is_bare = not request.upload_id and not request.digest
    if source is None or not (is_named if source is Source.FILE else is_bare):
        raise InvalidInput("CARD_BATCH_SOURCE_REQUIRED", "a batch is of an upload or of the register", field="source")
    return CreateBatch(source, request.upload_id, digest(request.digest) if is_named else b"")


def approve(request: pb.ApproveCardBatchRequest) -> ApproveBatch:
    """Approve a batch."""
    return ApproveBatch(batch(request.batch_id), digest(request.digest))


def batch(text: str) -> UUID:
    """Which batch.

    Raises:
        InvalidInput: ID_MALFORMED.
    """
    return ids.parse("cbt", text, field="batch_id")


def digest(text: str) -> bytes:
    """A digest; text of another form is the digest of nothing and differs from every one."""
    return bytes.fromhex(text) if _DIGEST.fullmatch(text) else b"digest"


# Answers ------------------------------------------------------------------------------------------------------------


def created(found: BatchShown) -> pb.CreateCardBatchResponse:
    """A batch that is being prepared."""
    return pb.CreateCardBatchResponse(batch=_batch(found))


def shown(found: BatchShown) -> pb.GetCardBatchResponse:
    """A batch."""
    return pb.GetCardBatchResponse(batch=_batch(found, is_whole=True))


def listed(found: BatchesShown) -> pb.ListCardBatchesResponse:
    """A page of batches."""
    return pb.ListCardBatchesResponse(batches=map(_batch, found.batches), next_page_token=found.following)


def approved(found: BatchShown) -> pb.ApproveCardBatchResponse:
    """A batch that runs."""
    return pb.ApproveCardBatchResponse(batch=_batch(found))


def paused(found: BatchShown) -> pb.PauseCardBatchResponse:
    """A batch that is held."""
    return pb.PauseCardBatchResponse(batch=_batch(found))


def resumed(found: BatchShown) -> pb.ResumeCardBatchResponse:
    """A batch that goes on."""
    return pb.ResumeCardBatchResponse(batch=_batch(found))


def cancelled(found: BatchShown) -> pb.CancelCardBatchResponse:
    """A batch that ended."""
    return pb.CancelCardBatchResponse(batch=_batch(found))


def rejects(found: BatchRejects) -> pb.ListCardBatchRejectsResponse:
    """A page of rejected rows."""
    rows = [
        job_pb2.JobReject(line=one.line, code=one.code, text_zh=one.text_zh, text_en=one.text_en)
        for one in found.rejects
    ]
    return pb.ListCardBatchRejectsResponse(rejects=rows, next_page_token=found.following)


def _batch(found: BatchShown, *, is_whole: bool = False) -> pb.CardBatch:
    one, job = found.batch, found.job
    issued, rejected, skipped = _counts(job if one.issue_job is not None else None)
    reply = pb.CardBatch(
        batch_id=one.text_id,
        source=_SOURCE_NUMBERS[one.source],
        state=_STATES[one.state],
        file_digest=one.file_digest.hex() if one.file_digest else "",
        row_count=one.row_count,
        ready_count=found.found.ready,
        unfit_count=found.found.rejected,
        there_count=found.found.skipped,
        issued_count=issued,
        rejected_count=rejected,
        skipped_count=skipped,
        open_count=one.row_count - issued - rejected - skipped,
        digest=one.digest.hex() if one.digest else "",
        job=to_job(job),
        create_date=to_date(one.create_date),
    )
    if is_whole:
        left = sorted(one.left_out.items())
        reply.left_out.extend(pb.CardBatchLeftOut(reason=reason, person_count=count) for reason, count in left)
    return reply


def _counts(job: Job | None) -> tuple[int, int, int]:
    """Issued, rejected, skipped so far; nothing before the batch runs."""
    return (0, 0, 0) if job is None else (job.done_count, job.rejected_count, job.skipped_count)


# Facts --------------------------------------------------------------------------------------------------------------


def issued(cards: Sequence[NewCard], today: date) -> list[Message]:
    """Say which cards were issued, without a word about their holders but the id; in the order of the cards."""
    if not cards:
        return []
    day, until = to_date(today), to_date(cards[0].valid_to)
    return [_issued(one, day, until) for one in cards]


def _issued(one: NewCard, day: calendar_pb2.Date, until: calendar_pb2.Date) -> Message:
    return card_events.CardIssued.Fact(
        header=fact_pb2.FactHeader(aggregate_id=ids.to_text("crd", one.card_id), business_date=day),
        person_id=ids.to_text("per", one.person_id),
        level=one.level,
        state=model.CARD_STATE_ISSUED,
        cause=model.CARD_CAUSE_BATCH,
        valid_to=until,
    )


def changed(
    batch: Batch, state: BatchState, *, row_count: int = 0, job: Job | None = None, is_paused: bool = False
) -> Message:
    """Say where a batch stands; `job` is the one that issues, when there is one."""
    done, rejected, skipped = _counts(job)
    return events.CardBatchChanged.Fact(
        header=fact_pb2.FactHeader(aggregate_id=batch.text_id),
        state=_STATES[state],
        paused=is_paused,
        row_count=row_count,
        issued_count=done,
        rejected_count=rejected,
        skipped_count=skipped,
    )


def progressed(batch: Batch, job: Job, more: ChunkResult) -> Message:
    """Say how far a batch is with the part that is done now; parts that are at work beside it are not counted yet."""
    return events.CardBatchChanged.Fact(
        header=fact_pb2.FactHeader(aggregate_id=batch.text_id),
        state=_STATES[BatchState.RUNNING],
        row_count=batch.row_count,
        issued_count=job.done_count + more.done,
        rejected_count=job.rejected_count + len(more.rejects),
        skipped_count=job.skipped_count + more.skipped,
    )


def as_json(counts: Mapping[str, int]) -> str:
    """Counts as a column keeps them."""
    return json.dumps(dict(counts), sort_keys=True)
