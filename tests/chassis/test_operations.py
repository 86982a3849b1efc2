"""What a service says about itself, over its real server, with a real database and broker."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from chassis import jobs, release
from chassis.database import Database
from chassis.inbox import ConsumerLoop
from chassis.operations import OperationsRpc, Period, State
from chassis.worker import Worker
from hrss.operations.v1 import operations_service_pb2 as pb
from hrss.type.v1 import calendar_pb2, job_pb2
from kernel.errors import Forbidden, InvalidInput
from tests.chassis import demo
from tests.chassis.conditions import until
from tests.chassis.demo import run, say, written
from tests.chassis.test_jobs import COUNT, started
from tests.plugins.databases import owner_execute
from tests.plugins.grpc_harness import a_principal, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from chassis.transaction import Transaction
    from tests.plugins.databases import Nats
    from tests.plugins.grpc_harness import Running

NOWHERE = "127.0.0.1:9"  # the discard port: nobody listens
OPERATOR = a_principal(["OPERATOR"], subject="idp|operator")
READY = State(missing=dict, is_broker_away=lambda: False, loops=())
YEAR = pb.GetFiguresRequest(
    first_date=calendar_pb2.Date(year=2025, month=1, day=1), last_date=calendar_pb2.Date(year=2025, month=12, day=31)
)


@contextlib.asynccontextmanager
async def asked(database: Database, state: State = READY, **options: Any) -> AsyncIterator[Running]:
    async with serve([OperationsRpc(state, **options)], database=database) as running:
        yield running


async def health(running: Running) -> pb.GetHealthResponse:
    reply: pb.GetHealthResponse = await running.call("GetHealth", pb.GetHealthRequest(), OPERATOR)
    return reply


async def test_health_counts_what_waits_and_names_what_is_missing(database: Database) -> None:
    await say(database, written("note-1"))
    await say(database, written("note-2"))
    await owner_execute(
        database,
        "UPDATE outbox SET created = created - interval '90 s' WHERE seq = (SELECT min(seq) FROM outbox)",
    )
    state = State(missing=lambda: {"relay": "90 s behind"}, is_broker_away=lambda: True, loops=())

    async with asked(database, state) as running:
        found = await health(running)

    assert (found.outbox_pending, found.waiting, found.parked) == (2, 0, 0)
    assert 90 <= found.outbox_oldest_seconds < 150
    assert list(found.missing) == ["relay: 90 s behind"]
    assert found.is_broker_away
    assert found.version == release.version() != ""


async def test_the_lag_of_a_consumer_is_what_the_broker_holds_for_it(database: Database, nats: Nats) -> None:
    consumer = demo.a_consumer()
    await nats.provision(["enrollment"], {"enrollment": [consumer]})
    bus = await nats.bus("enrollment")
    loop = ConsumerLoop(database, bus, consumer)
    message = demo.NoteWritten(facts=[written("note-1", version=1)]).SerializeToString()
    for number in range(3):
        await bus.publish(
            "hrss.enrollment.v1.NoteWritten", message, {"Nats-Msg-Id": f"note-{number}", "Hrss-Epoch": "1"}
        )

    async with asked(database, State(dict, lambda: not bus.is_connected, [loop])) as running:
        before = await health(running)
        await bus.close()
        after = await health(running)

    assert [(one.producer, one.pending, one.unacknowledged) for one in before.consumers] == [("enrollment", 3, 0)]
    assert not before.is_broker_away
    assert [one.is_unknown for one in after.consumers] == [True]
    assert after.is_broker_away


async def test_health_is_told_when_the_database_is_away(database: Database) -> None:
    nowhere = f"postgresql://enrollment_app@{NOWHERE}/enrollment"
    away = Database(database.settings.model_copy(update={"database_url": nowhere}))

    async with asked(away) as running:
        found = await health(running)

    await away.close()
    assert list(found.missing) == ["database: does not answer"]


async def test_jobs_come_newest_first_with_their_progress(database: Database) -> None:
    first = await started(database, [{"rows": 10}, {"rows": 5}])
    second = await started(database, [{}])
    worker = Worker(database, [COUNT])
    await worker.run_one()
    await run(database, lambda tx: jobs.cancel(tx, second, reason="not needed"))

    async with asked(database) as running:
        found = await running.call("ListJobs", pb.ListJobsRequest(), OPERATOR)
        one = await running.call("ListJobs", pb.ListJobsRequest(limit=1), OPERATOR)

    assert [(job.state, job.done_count, job.message) for job in found.jobs] == [
        (job_pb2.JOB_STATE_CANCELLED, 0, "not needed"),
        (job_pb2.JOB_STATE_RUNNING, 10, ""),
    ]
    assert found.jobs[1].job_id.replace("job_", "") == first.hex
    assert [job.job_id for job in one.jobs] == [found.jobs[0].job_id]


async def test_too_many_jobs_are_refused(database: Database) -> None:
    async with asked(database) as running:
        for limit in (-1, 201):
            with pytest.raises(InvalidInput) as refused:
                await running.call("ListJobs", pb.ListJobsRequest(limit=limit), OPERATOR)
            assert refused.value.reason == "PAGE_SIZE_INVALID"


async def test_figures_are_counted_by_whoever_declared_them(database: Database) -> None:
    async def count(tx: Transaction, period: Period) -> Mapping[str, int]:
        row = await tx.fetchrow("SELECT count(*) FROM note")
        assert row is not None
        return {"notes": row[0], "days": (period.last - period.first).days, "today": tx.today.year}

    async with asked(database, figures=count) as running:
        found = await running.call("GetFigures", YEAR, OPERATOR, today=date(2026, 8, 1))

    assert {one.key: one.count for one in found.figures} == {"notes": 0, "days": 364, "today": 2026}


async def test_only_those_who_run_or_answer_for_the_platform_ask(database: Database) -> None:
    citizen, clerk = a_principal(), a_principal(["CLERK"], purpose="counter")
    supervisor = a_principal(["SUPERVISOR"], subject="idp|supervisor")

    async with asked(database) as running:
        for principal, rpc, request in (
            (citizen, "GetHealth", pb.GetHealthRequest()),
            (citizen, "GetFigures", YEAR),
            (clerk, "GetFigures", YEAR),
            (supervisor, "GetHealth", pb.GetHealthRequest()),
            (supervisor, "ListJobs", pb.ListJobsRequest()),
        ):
            with pytest.raises(Forbidden):
                await running.call(rpc, request, principal)
        await running.call("GetFigures", YEAR, supervisor)


async def test_health_is_asked_while_work_goes_on(database: Database, nats: Nats) -> None:
    """Reading how a service is must not stand in the way of its consumers."""
    consumer = demo.a_consumer()
    await nats.provision(["enrollment"], {"enrollment": [consumer]})
    bus = await nats.bus("enrollment")
    loop, stop = ConsumerLoop(database, bus, consumer), asyncio.Event()
    working = asyncio.create_task(loop.run(stop))
    message = demo.NoteWritten(facts=[written("note-1", version=1)]).SerializeToString()

    async with asked(database, State(dict, lambda: False, [loop])) as running:
        await bus.publish("hrss.enrollment.v1.NoteWritten", message, {"Nats-Msg-Id": "note-1", "Hrss-Epoch": "1"})

        async def idle() -> bool:
            (one,) = (await health(running)).consumers
            return (one.pending, one.unacknowledged) == (0, 0)

        await until(idle)
        stop.set()
        await working


def test_the_release_is_the_distribution() -> None:
    assert release.version() == importlib.metadata.version("hrss")
