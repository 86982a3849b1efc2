"""CityService: runs over the whole city."""

from chassis.rpc import Call, Servicer
from hrss.enrollment.v1 import city_service_pb2 as pb
from kernel import ids
from services.enrollment.messages import city as messages
from services.enrollment.operations import city
from services.enrollment.operations.office import Office


class CityRpc(Servicer):
    """CityService of the contract."""

    service = pb.DESCRIPTOR.services_by_name["CityService"]

    def __init__(self, office: Office) -> None:
        self.office = office

    async def StartBillRun(self, request: pb.StartBillRunRequest, call: Call) -> pb.StartBillRunResponse:
        """Start the bill run of a month."""
        month, kind = messages.month(request), messages.kind(request)
        return await call.once(lambda tx: city.start_bill_run(tx, month, self.office, kind), messages.bill_run_started)

    async def GetBillRun(self, request: pb.GetBillRunRequest, call: Call) -> pb.GetBillRunResponse:
        """Show the bill run of a month."""
        month, kind = messages.month(request), messages.kind(request)
        return await call.read(lambda tx: city.bill_run(tx, month, kind), messages.bill_run)

    async def PauseEnrollmentJob(
        self, request: pb.PauseEnrollmentJobRequest, call: Call
    ) -> pb.PauseEnrollmentJobResponse:
        """Hold a job."""
        job_id = ids.parse("job", request.job_id, field="job_id")
        return await call.once(lambda tx: city.hold_job(tx, job_id), messages.job_held)

    async def ResumeEnrollmentJob(
        self, request: pb.ResumeEnrollmentJobRequest, call: Call
    ) -> pb.ResumeEnrollmentJobResponse:
        """Go on with a job."""
        job_id = ids.parse("job", request.job_id, field="job_id")
        return await call.once(lambda tx: city.go_on_with_job(tx, job_id), messages.job_goes_on)
