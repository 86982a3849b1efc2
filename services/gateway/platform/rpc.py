"""The edge of the platform's own figures: PlatformService, answered by asking every service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from chassis.call import Servicer
from chassis.values import to_date
from hrss.gateway.v1 import platform_service_pb2 as pb
from hrss.operations.v1 import operations_service_pb2 as operations
from services.gateway.platform import messages
from services.gateway.platform.asking import ask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from chassis.call import Call
    from services.gateway.platform.asking import Callee
    from services.gateway.platform.policy import PlanPolicy


class PlatformRpc(Servicer):
    """Health, jobs and figures of the whole platform.

    Args:
        callees: Every service that can be asked, the gateway last; looked up when it is asked.
        plan: The indicators.
        traces_url: Address of the page that shows traces, with "{trace_id}"; empty when there is none.
    """

    service = pb.DESCRIPTOR.services_by_name["PlatformService"]

    def __init__(self, callees: Callable[[], Mapping[str, Callee]], plan: PlanPolicy, traces_url: str = "") -> None:
        self._callees = callees
        self._plan = plan
        self._traces_url = traces_url

    async def GetPlatform(self, _request: pb.GetPlatformRequest, call: Call) -> pb.GetPlatformResponse:
        """Show every service with its outbox, consumers and parked facts."""
        callees = self._callees()
        said = await ask(callees, "GetHealth", operations.GetHealthRequest(), operations.GetHealthResponse, call)
        return pb.GetPlatformResponse(
            services=[messages.health(service, said.get(service)) for service in callees], traces_url=self._traces_url
        )

    async def ListPlatformJobs(self, request: pb.ListPlatformJobsRequest, call: Call) -> pb.ListPlatformJobsResponse:
        """List the jobs of all services, newest first."""
        callees = self._callees()
        asked = operations.ListJobsRequest(limit=request.limit)
        said = await ask(callees, "ListJobs", asked, operations.ListJobsResponse, call)
        return messages.jobs(callees, said)

    async def ListTimetable(self, _request: pb.ListTimetableRequest, call: Call) -> pb.ListTimetableResponse:
        """List the recurring work of all services."""
        callees = self._callees()
        asked = operations.ListTimetableRequest()
        said = await ask(callees, "ListTimetable", asked, operations.ListTimetableResponse, call)
        return messages.timetable(callees, said)

    async def ListIndicators(self, _request: pb.ListIndicatorsRequest, call: Call) -> pb.ListIndicatorsResponse:
        """Show the indicators of the plan, counted now."""
        plan = self._plan
        known = self._callees()
        callees = {service: known[service] for service in plan.services if service in known}
        asked = operations.GetFiguresRequest(first_date=to_date(plan.period.first), last_date=to_date(plan.period.last))
        said = await ask(callees, "GetFigures", asked, operations.GetFiguresResponse, call)
        counts = {service: {one.key: one.count for one in answer.figures} for service, answer in said.items()}
        return messages.indicators(plan.indicators, counts, datetime.now(UTC), call.today)
