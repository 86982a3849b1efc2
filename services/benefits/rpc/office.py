"""OfficeService: lists of what waits, how far a payroll is, and jobs."""

from __future__ import annotations

from chassis import jobs
from chassis.rpc import Call, Servicer
from hrss.benefits.v1 import office_service_pb2 as pb
from kernel import ids
from services.benefits.messages import office as messages
from services.benefits.operations import office


class OfficeRpc(Servicer):
    """OfficeService of the contract."""

    service = pb.DESCRIPTOR.services_by_name["OfficeService"]

    async def ListDeterminations(
        self, request: pb.ListDeterminationsRequest, call: Call
    ) -> pb.ListDeterminationsResponse:
        """List determinations in a state."""
        state, size, token = messages.determination_state(request), request.page_size, request.page_token
        return await call.read(
            lambda tx: office.determinations(tx, state, size=size, token=token), messages.determinations
        )

    async def ListReleases(self, request: pb.ListReleasesRequest, call: Call) -> pb.ListReleasesResponse:
        """List releases that wait."""
        size, token = request.page_size, request.page_token
        return await call.read(lambda tx: office.releases(tx, size=size, token=token), messages.releases)

    async def ListSuspendedBenefits(
        self, request: pb.ListSuspendedBenefitsRequest, call: Call
    ) -> pb.ListSuspendedBenefitsResponse:
        """List benefits that are held back."""
        reason, size, token = messages.suspension_reason(request), request.page_size, request.page_token
        return await call.read(lambda tx: office.suspended(tx, reason, size=size, token=token), messages.suspended)

    async def GetPayrollProgress(
        self, request: pb.GetPayrollProgressRequest, call: Call
    ) -> pb.GetPayrollProgressResponse:
        """How far a payroll is."""
        payroll_id = ids.parse("prl", request.payroll_id, field="payroll_id")
        return await call.read(lambda tx: office.progress(tx, payroll_id), messages.progress)

    async def GetBenefitJob(self, request: pb.GetBenefitJobRequest, call: Call) -> pb.GetBenefitJobResponse:
        """Any job of this service."""
        job_id = ids.parse("job", request.job_id, field="job_id")
        return await call.read(lambda tx: office.job(tx, job_id), messages.job)

    async def ListBenefitJobs(self, request: pb.ListBenefitJobsRequest, call: Call) -> pb.ListBenefitJobsResponse:
        """List jobs of this service."""
        kind, size, token = request.kind, request.page_size, request.page_token
        return await call.read(lambda tx: jobs.listed(tx, kind, size=size, token=token), messages.jobs_listed)
