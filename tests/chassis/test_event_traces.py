"""One trace from the command through outbox, broker and inbox to the rows of the listener; no values in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import text

from chassis import telemetry
from chassis.inbox import ConsumerLoop
from chassis.outbox import Relay
from chassis.telemetry import span
from tests.chassis.conditions import until
from tests.chassis.demo import MIGRATIONS, a_consumer, run, written
from tests.chassis.test_events import reached, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan

    from chassis.database import Database
    from chassis.transaction import Transaction
    from tests.plugins.databases import Nats, NewDatabase

CANARY = "320602199001011234"


@pytest.fixture
def exporter(database: Database) -> Iterator[InMemorySpanExporter]:
    """Collects the spans of this process."""
    collected = InMemorySpanExporter()
    telemetry.start(database.settings, exporter=collected)
    yield collected
    telemetry.stop()


async def test_a_fact_carries_its_trace_through_the_broker_into_its_effects(
    database: Database, new_database: NewDatabase, nats: Nats, exporter: InMemorySpanExporter
) -> None:
    listener = await new_database("demo", migrations=MIGRATIONS)
    consumer = a_consumer()
    await nats.provision(["enrollment"], {"benefits": [consumer]})
    relay = Relay(database, await nats.bus("enrollment"))
    loop = ConsumerLoop(listener, await nats.bus("benefits"), consumer)

    async def work(tx: Transaction) -> None:
        await tx.execute("INSERT INTO note (id, text) VALUES ($1, $2)", "a", CANARY)
        tx.emit(written("a", text=CANARY))

    async with running(relay, loop):
        with span("command") as command:
            await run(database, work)
        await until(lambda: reached(listener, 1))

    spans = exporter.get_finished_spans()
    trace_id = command.get_span_context().trace_id
    ours = [one for one in spans if one.context is not None and one.context.trace_id == trace_id]
    path = [parents(one, ours) for one in ours]
    assert ["command", "INSERT note"] in path
    assert ["command", "INSERT aggregate"] in path
    assert ["command", "COMMIT"] in path
    publish, process = "publish hrss.enrollment.v1.NoteWritten", "process hrss.enrollment.v1.NoteWritten"
    assert ["command", publish, process, "INSERT stroke"] in path
    assert not [one for one in spans if CANARY in one.to_json()]


def parents(one: ReadableSpan, among: list[ReadableSpan]) -> list[str]:
    """Names from the root of the trace to this span."""
    by_id = {other.context.span_id: other for other in among if other.context is not None}
    names = [one.name]
    while one.parent is not None and one.parent.span_id in by_id:
        one = by_id[one.parent.span_id]
        names.insert(0, one.name)
    return names


async def test_statements_of_the_session_have_spans_too(database: Database, exporter: InMemorySpanExporter) -> None:
    async def work(tx: Transaction) -> None:
        await tx.session.execute(text("SELECT id FROM note WHERE text = :it"), {"it": CANARY})
        with pytest.raises(Exception, match="nowhere"):
            async with tx.savepoint():
                await tx.session.execute(text("SELECT 1 FROM nowhere"))

    with span("command"):
        await run(database, work)

    found = {one.name: one for one in exporter.get_finished_spans()}
    assert "SELECT note" in found
    assert not found["SELECT nowhere"].status.is_ok
    assert not [one for one in found.values() if CANARY in one.to_json()]


async def test_without_a_recorded_span_no_statement_makes_one(
    database: Database, exporter: InMemorySpanExporter
) -> None:
    await run(database, lambda tx: tx.fetch("SELECT 1"))

    assert not exporter.get_finished_spans()
