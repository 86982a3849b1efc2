"""The edge of cards by the batch: three lines a method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.rpc import Call, Servicer
from hrss.card.v1 import batches_service_pb2 as pb
from services.card.messages import batches as messages
from services.card.operations import batches

if TYPE_CHECKING:
    from chassis.files import Files
    from services.card.operations.office import Office


class BatchesRpc(Servicer):
    """Batches."""

    service = pb.DESCRIPTOR.services_by_name["BatchesService"]

    def __init__(self, files: Files, office: Office) -> None:
        self.files = files
        self.office = office

    async def CreateCardBatch(self, request: pb.CreateCardBatchRequest, call: Call) -> pb.CreateCardBatchResponse:
        """Prepare a batch."""
        command = messages.create(request)
        is_national = self.office.is_national
        return await call.once(
            lambda tx: batches.create(tx, command, self.files, is_national=is_national), messages.created
        )

    async def GetCardBatch(self, request: pb.GetCardBatchRequest, call: Call) -> pb.GetCardBatchResponse:
        """Show a batch."""
        batch_id = messages.batch(request.batch_id)
        return await call.read(lambda tx: batches.shown(tx, batch_id), messages.shown)

    async def ListCardBatches(self, request: pb.ListCardBatchesRequest, call: Call) -> pb.ListCardBatchesResponse:
        """List batches."""
        return await call.read(lambda tx: batches.listed(tx, request.page_size, request.page_token), messages.listed)

    async def ApproveCardBatch(self, request: pb.ApproveCardBatchRequest, call: Call) -> pb.ApproveCardBatchResponse:
        """Approve a batch and let it run."""
        command = messages.approve(request)
        return await call.once(lambda tx: batches.approve(tx, command), messages.approved)

    async def PauseCardBatch(self, request: pb.PauseCardBatchRequest, call: Call) -> pb.PauseCardBatchResponse:
        """Hold a batch."""
        batch_id = messages.batch(request.batch_id)
        return await call.once(lambda tx: batches.pause(tx, batch_id), messages.paused)

    async def ResumeCardBatch(self, request: pb.ResumeCardBatchRequest, call: Call) -> pb.ResumeCardBatchResponse:
        """Let a batch go on."""
        batch_id = messages.batch(request.batch_id)
        return await call.once(lambda tx: batches.resume(tx, batch_id), messages.resumed)

    async def CancelCardBatch(self, request: pb.CancelCardBatchRequest, call: Call) -> pb.CancelCardBatchResponse:
        """End a batch."""
        batch_id = messages.batch(request.batch_id)
        return await call.once(lambda tx: batches.cancel(tx, batch_id), messages.cancelled)

    async def ListCardBatchRejects(
        self, request: pb.ListCardBatchRejectsRequest, call: Call
    ) -> pb.ListCardBatchRejectsResponse:
        """List rejected rows."""
        batch_id = messages.batch(request.batch_id)
        return await call.read(
            lambda tx: batches.rejects(tx, batch_id, request.page_size, request.page_token), messages.rejects
        )
