"""What every service answers about itself: health, jobs, and what it can count (OperationsService).

The process hosts it beside the service's own RPCs. Who owns the rows counts them: there is no copy that could drift,
and a service that is away says nothing instead of something old.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chassis import audit_outside, audit_sealer, inbox, jobs, outbox, release, timekeeper, transaction, unsealing
from chassis.call import Servicer
from chassis.transaction import Transaction
from chassis.values import date_of, to_job, to_timetable_entry
from hrss.operations.v1 import operations_service_pb2 as pb
from kernel.errors import Forbidden, InvalidInput, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from chassis.call import Call
    from chassis.database import Database
    from chassis.inbox import ConsumerLoop

LIMIT_DEFAULT = 50
LIMIT_MAX = 200
# How long a neighbour may take to answer; whoever asks how we are waits little longer, and "does not answer" is news.
NEIGHBOUR_SECONDS = 0.6


@dataclass(frozen=True, slots=True)
class Period:
    """Days over which something is counted, both included."""

    first: date
    last: date


# Counts of a service by the key of the indicator, for example {"ecard_holders": 3}; the period counts only for those
# that the plan counts over years.
Figures = Callable[[Transaction, Period], Awaitable[Mapping[str, int]]]


async def nothing(_tx: Transaction, _period: Period) -> Mapping[str, int]:
    """The figures of a service that has none."""
    return {}


@dataclass(frozen=True, slots=True)
class State:
    """What only the process knows of itself.

    Args:
        missing: What stands in its way now, by part.
        is_broker_away: Whether it has no connection to the broker.
        loops: Its consumers.
    """

    missing: Callable[[], Mapping[str, str]]
    is_broker_away: Callable[[], bool]
    loops: Sequence[ConsumerLoop]


class OperationsRpc(Servicer):
    """Health, jobs and counts of one service."""

    service = pb.DESCRIPTOR.services_by_name["OperationsService"]

    def __init__(self, state: State, figures: Figures = nothing) -> None:
        self._state = state
        self._figures = figures

    async def GetHealth(self, _request: pb.GetHealthRequest, call: Call) -> pb.GetHealthResponse:
        """Show the outbox, the consumers and what is put aside; also while the database or the broker is away."""
        state = self._state
        missing = dict(state.missing())
        reply = pb.GetHealthResponse(version=release.version(), is_broker_away=state.is_broker_away())
        counted, consumers = await asyncio.gather(
            _count(call.database, reply), asyncio.gather(*(_consumer(loop) for loop in state.loops))
        )
        if not counted:
            missing.setdefault("database", "does not answer")
        reply.missing.extend(f"{part}: {what}" for part, what in missing.items())
        reply.consumers.extend(consumers)
        return reply

    async def ListJobs(self, request: pb.ListJobsRequest, call: Call) -> pb.ListJobsResponse:
        """List jobs, newest first."""
        limit = request.limit or LIMIT_DEFAULT
        if not 0 < limit <= LIMIT_MAX:
            raise InvalidInput("PAGE_SIZE_INVALID", f"between 1 and {LIMIT_MAX}", field="limit")
        return await call.read(
            lambda tx: jobs.latest(tx, limit), lambda found: pb.ListJobsResponse(jobs=map(to_job, found))
        )

    async def ListTimetable(self, _request: pb.ListTimetableRequest, call: Call) -> pb.ListTimetableResponse:
        """List the recurring work with its latest starts."""
        return await call.read(
            timekeeper.listed, lambda found: pb.ListTimetableResponse(entries=map(to_timetable_entry, found))
        )

    async def FollowDay(self, request: pb.FollowDayRequest, call: Call) -> pb.FollowDayResponse:
        """Follow the platform to a moved business day; the last word wins, so it needs no request id."""
        if call.database.settings.is_prod:
            raise Forbidden("TEST_MODE_ONLY", "the business day cannot be moved in production")
        day = date_of(request.business_date, "business_date") if request.HasField("business_date") else None
        await transaction.run(
            call.database,
            lambda tx: timekeeper.move_day(tx, day),
            principal=call.principal,
            today=call.today,
            method="FollowDay",
            request_id=call.request_id,
        )
        return pb.FollowDayResponse()

    async def GetFigures(self, request: pb.GetFiguresRequest, call: Call) -> pb.GetFiguresResponse:
        """Count what the service can count for the plan's indicators."""
        period = Period(date_of(request.first_date, "first_date"), date_of(request.last_date, "last_date"))
        return await call.read(
            lambda tx: self._figures(tx, period),
            lambda found: pb.GetFiguresResponse(
                figures=[pb.GetFiguresResponse.Figure(key=key, count=count) for key, count in sorted(found.items())]
            ),
        )


async def _count(database: Database, reply: pb.GetHealthResponse) -> bool:
    """Write down what waits; False when the database does not say."""
    try:
        async with asyncio.timeout(NEIGHBOUR_SECONDS):
            behind = await outbox.status(database)
            still = await inbox.status(database)
            sealing = await audit_sealer.status(database)
            async with database.connection() as connection:
                reply.unseal_alarms = await unsealing.alarms(connection)
    except (Unavailable, TimeoutError):
        return False
    reply.outbox_pending = behind.pending
    reply.outbox_oldest_seconds = int(behind.oldest_seconds)
    reply.waiting = still.waiting
    reply.parked = still.parked
    reply.audit_unsealed = sealing.unsealed
    if sealing.checkpoint_age_seconds is not None:
        reply.audit_checkpoint_age_seconds = int(sealing.checkpoint_age_seconds)
    reply.is_audit_broken = audit_outside.is_broken()
    return True


async def _consumer(loop: ConsumerLoop) -> pb.GetHealthResponse.Consumer:
    shown = pb.GetHealthResponse.Consumer(producer=loop.consumer.producer)
    try:
        async with asyncio.timeout(NEIGHBOUR_SECONDS):
            shown.pending, shown.unacknowledged = await loop.lag()
    except (Unavailable, TimeoutError):
        shown.is_unknown = True
    return shown
