"""What the services said, as the public contract shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.values import to_date
from hrss.gateway.v1 import platform_service_pb2 as pb
from services.gateway.platform.indicators import Words, measure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date, datetime
    from decimal import Decimal

    from hrss.operations.v1 import operations_service_pb2 as operations
    from services.gateway.platform.indicators import Indicator

COUNT_MAX = 2**31 - 1  # JSON numbers of the contract have 32 bits; more than that waiting is "very much" all the same


def health(service: str, said: operations.GetHealthResponse | None) -> pb.ServiceHealth:
    """How a service is; one that said nothing is away."""
    if said is None:
        return pb.ServiceHealth(service=service, is_away=True, missing=["service: does not answer"])
    return pb.ServiceHealth(
        service=service,
        is_ready=not said.missing,
        missing=said.missing,
        outbox_pending=_bounded(said.outbox_pending),
        outbox_oldest_seconds=_bounded(said.outbox_oldest_seconds),
        waiting=_bounded(said.waiting),
        parked=_bounded(said.parked),
        consumers=[
            pb.ConsumerHealth(
                producer=one.producer,
                pending=_bounded(one.pending),
                unacknowledged=_bounded(one.unacknowledged),
                is_unknown=one.is_unknown,
            )
            for one in said.consumers
        ],
        version=said.version,
        is_broker_away=said.is_broker_away,
        audit_unsealed=_bounded(said.audit_unsealed),
        audit_checkpoint_age_seconds=(
            _bounded(said.audit_checkpoint_age_seconds) if said.HasField("audit_checkpoint_age_seconds") else None
        ),
        is_audit_broken=said.is_audit_broken,
        unseal_alarms=_bounded(said.unseal_alarms),
    )


def jobs(services: Iterable[str], said: Mapping[str, operations.ListJobsResponse]) -> pb.ListPlatformJobsResponse:
    """The jobs of all services, newest first, and who did not answer."""
    found = [pb.PlatformJob(service=service, job=job) for service, answer in said.items() for job in answer.jobs]
    found.sort(key=lambda one: one.job.create_time.ToNanoseconds(), reverse=True)
    return pb.ListPlatformJobsResponse(
        jobs=found, missing_services=[service for service in services if service not in said]
    )


def timetable(
    services: Iterable[str], said: Mapping[str, operations.ListTimetableResponse]
) -> pb.ListTimetableResponse:
    """The recurring work of all services, and who did not answer."""
    return pb.ListTimetableResponse(
        entries=[
            pb.PlatformEntry(service=service, entry=entry)
            for service, answer in said.items()
            for entry in answer.entries
        ],
        missing_services=[service for service in services if service not in said],
    )


def indicators(
    rows: Iterable[Indicator], counts: Mapping[str, Mapping[str, int]], now: datetime, today: date
) -> pb.ListIndicatorsResponse:
    """Every row of the plan with what was counted.

    Args:
        rows: The plan.
        counts: Counts by indicator of each service that answered.
        now: When it was counted.
        today: Business day of the count.
    """
    return pb.ListIndicatorsResponse(indicators=[_indicator(row, counts, now, today) for row in rows])


def _indicator(row: Indicator, counts: Mapping[str, Mapping[str, int]], now: datetime, today: date) -> pb.Indicator:
    shown = pb.Indicator(
        number=row.number,
        key=row.key,
        name_zh=row.name.zh,
        name_en=row.name.en,
        unit=row.unit,
        comparison=row.comparison,
        target=plain(row.target),
        is_binding=row.is_binding,
        is_cumulative=row.is_cumulative,
        counted_by=row.counted_by,
        sources=row.sources,
        plan_note_zh=row.remark.zh,
        plan_note_en=row.remark.en,
        data_owner_zh=row.owner.zh,
        data_owner_en=row.owner.en,
        is_partial=row.is_partial,
    )
    count = counts.get(row.counted_by, {}).get(row.key)
    if count is not None:
        measured = measure(row, count)
        shown.actual, shown.gap = plain(measured.actual), plain(measured.gap)
        shown.count, shown.is_reached = measured.count, measured.is_reached
        shown.count_time.FromDatetime(now)
        shown.business_date.CopyFrom(to_date(today))
    note = _note(row, is_silent=bool(row.counted_by) and count is None)
    shown.note_zh, shown.note_en = note.zh, note.en
    return shown


def _note(row: Indicator, *, is_silent: bool) -> Words:
    away = Words(f"{row.counted_by} 服务未应答，暂无数", f"the service {row.counted_by} does not answer: no figure now")
    parts = [away] if is_silent else []
    parts += [part for part in (row.counts, row.missing) if part.zh]
    return Words("；".join(part.zh for part in parts), "; ".join(part.en for part in parts))


def plain(number: Decimal) -> str:
    """A number as exact decimal text, without exponent."""
    return format(number, "f")


def _bounded(count: int) -> int:
    return min(count, COUNT_MAX)
