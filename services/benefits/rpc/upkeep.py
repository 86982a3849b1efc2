"""UpkeepService: the daily jobs, and what the adapter of messages sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.rpc import Call, Servicer
from hrss.benefits.v1 import upkeep_service_pb2 as pb
from kernel import ids
from services.benefits.messages import upkeep as messages
from services.benefits.operations import upkeep

if TYPE_CHECKING:
    from services.benefits.policy import BenefitsPolicy


class UpkeepRpc(Servicer):
    """UpkeepService of the contract."""

    service = pb.DESCRIPTOR.services_by_name["UpkeepService"]

    def __init__(self, policy: BenefitsPolicy) -> None:
        self.policy = policy

    async def StartUpkeep(self, request: pb.StartUpkeepRequest, call: Call) -> pb.StartUpkeepResponse:
        """Start a daily job."""
        task = messages.task(request)
        return await call.once(lambda tx: upkeep.start(tx, task, self.policy), messages.started)

    async def GetUpkeepJob(self, request: pb.GetUpkeepJobRequest, call: Call) -> pb.GetUpkeepJobResponse:
        """Show a daily job."""
        job_id = ids.parse("job", request.job_id, field="job_id")
        return await call.read(lambda tx: upkeep.show(tx, job_id), messages.shown)

    async def ListCertificationReminders(
        self, request: pb.ListCertificationRemindersRequest, call: Call
    ) -> pb.ListCertificationRemindersResponse:
        """What waits to be sent."""
        size, token = request.page_size, request.page_token
        return await call.read(lambda tx: upkeep.list_reminders(tx, size=size, token=token), messages.reminders)

    async def RecordReminders(self, request: pb.RecordRemindersRequest, call: Call) -> pb.RecordRemindersResponse:
        """What was sent."""
        found = messages.sent(request)
        return await call.once(
            lambda tx: upkeep.record_reminders(tx, found, simulated=request.simulated), messages.recorded
        )
