"""The way of a call through the server, over real gRPC and a real database."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import logging
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, cast

import grpc
import grpc.aio
import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import rpc, telemetry
from chassis.access import AccessMissing
from chassis.client import Backend, Deadline
from chassis.config import Settings
from chassis.database import Database
from chassis.limits import MESSAGE_MAX
from chassis.logs import configure
from chassis.principal import METADATA_KEY, Signer, create_keys
from chassis.problems import Fault
from chassis.rpc import Call, Servicer
from hrss.type.v1 import calendar_pb2, fact_pb2
from kernel import ids
from kernel.errors import (
    Busy,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    Refused,
    Unauthenticated,
    Unavailable,
)
from tests.chassis.echo import pb
from tests.plugins.databases import NewDatabase, owner_fetch
from tests.plugins.grpc_harness import Running, a_principal, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from chassis.transaction import Transaction

ME = ids.new_id()
MINE = ids.to_text("per", ME)
CITIZEN = a_principal(person_id=ME)
CLERK = a_principal(["CLERK"], purpose="counter", subject="idp|staff-1")
CANARY = "990000198506154321"


class Echo(Servicer):
    """The servicer of the tests; `trial` is what Try does."""

    service = pb.service("EchoService")

    def __init__(self) -> None:
        self.trial: Callable[[Any, Call], Awaitable[str]] = self._nothing
        self.gate = asyncio.Event()
        self.gate.set()
        self.taken = 0

    async def TakeNote(self, request: Any, call: Call) -> Any:
        """Emit a fact about the person, once."""

        async def take(tx: Transaction) -> str:
            self.taken += 1
            await self.gate.wait()
            header = fact_pb2.FactHeader(aggregate_id=request.person_id)
            tx.emit(pb.NoteTaken.Fact(header=header, text=request.text))
            return str(request.text)

        return await call.once(take, lambda text: pb.TakeNoteResponse(note_id="n-1", text=text))

    async def GetNote(self, request: Any, call: Call) -> Any:
        """Tell the business day."""

        async def get(tx: Transaction) -> date:
            await tx.fetch("SELECT 1")
            return tx.today

        return await call.read(get, lambda day: pb.GetNoteResponse(text=request.person_id, today=as_date(day)))

    async def FindNote(self, request: Any, call: Call) -> Any:
        """Show the record of a person whom the request does not name."""
        if request.code == "nobody":
            raise NotFound("NOTE_NOT_FOUND", "no such note")
        call.audit_person(ME)
        return pb.FindNoteResponse(text="found")

    async def GetEmployerNote(self, _request: Any, _call: Call) -> Any:
        """Nothing."""
        return pb.GetEmployerNoteResponse()

    async def GetRecord(self, request: Any, call: Call) -> Any:
        """Show a record; "careless" is what an operation does that forgets to check whose it is."""

        async def get(tx: Transaction) -> str:
            if request.record_id != "careless":
                tx.principal.require_person(ME if request.record_id == "mine" else ids.new_id())
            return "secret"

        return await call.read(get, lambda text: pb.GetRecordResponse(text=text))

    async def Try(self, request: Any, call: Call) -> Any:
        """Whatever the test wants."""
        return pb.TryResponse(text=await self.trial(request, call))

    async def _nothing(self, _request: Any, _call: Call) -> str:
        return ""


def as_date(day: date) -> calendar_pb2.Date:
    return calendar_pb2.Date(year=day.year, month=day.month, day=day.day)


@pytest.fixture
async def database(new_database: NewDatabase) -> Database:
    return await new_database("gateway")


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def running(echo: Echo, database: Database) -> AsyncIterator[Running]:
    async with serve([echo], database=database) as server:
        yield server


def note(text: str = "hello", request_id: str = "r-1", **more: Any) -> Any:
    return pb.TakeNoteRequest(request_id=request_id, person_id=MINE, text=text, **more)


# -- changes


async def test_a_change_answers_and_says_what_to_wait_for(running: Running) -> None:
    reply, beside = await running.call_with_metadata("TakeNote", note(), CITIZEN)

    assert reply.text == "hello"
    assert not beside.replayed
    assert beside.min_version == f"person:{MINE}:1"


async def test_a_repeated_request_gets_the_stored_reply(running: Running, echo: Echo) -> None:
    first = await running.call("TakeNote", note(), CITIZEN)

    again, beside = await running.call_with_metadata("TakeNote", note(), CITIZEN)

    assert again == first
    assert beside.replayed
    assert beside.min_version == f"person:{MINE}:1"
    assert echo.taken == 1


async def test_the_same_id_with_another_body_is_refused(running: Running) -> None:
    await running.call("TakeNote", note(), CITIZEN)

    with pytest.raises(Refused) as caught:
        await running.call("TakeNote", note("other"), CITIZEN)
    assert caught.value.reason == "REQUEST_ID_REUSED"


async def test_request_ids_of_two_callers_are_two_requests(running: Running, echo: Echo) -> None:
    await running.call("TakeNote", note(), CITIZEN)
    _, beside = await running.call_with_metadata("TakeNote", note(), CLERK)

    assert not beside.replayed
    assert echo.taken == 2


async def test_a_change_without_a_good_request_id_is_refused(running: Running) -> None:
    for request_id in ("", "x" * 256, "a b", "号", "a|b "):
        with pytest.raises(InvalidInput) as caught:
            await running.call("TakeNote", note(request_id=request_id), CITIZEN)

        assert (caught.value.reason, caught.value.field) == ("REQUEST_ID_REQUIRED", "request_id")


async def test_a_deadline_stops_the_waiting_but_not_the_commit(running: Running, echo: Echo) -> None:
    echo.gate.clear()
    with pytest.raises(Fault) as caught:
        await running.call("TakeNote", note(), CITIZEN, timeout=0.4)
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    echo.gate.set()

    reply, beside = await running.call_with_metadata("TakeNote", note(), CITIZEN)

    assert reply.text == "hello"
    assert beside.replayed
    assert echo.taken == 1


# -- reads


async def test_a_read_knows_the_business_day_of_the_call(running: Running) -> None:
    reply = await running.call("GetNote", pb.GetNoteRequest(person_id=MINE), CITIZEN, today=date(2031, 2, 28))

    assert reply.today == as_date(date(2031, 2, 28))


async def test_a_staff_read_of_a_person_is_audited_before_the_reply_leaves(
    running: Running, database: Database
) -> None:
    await running.call("GetNote", pb.GetNoteRequest(person_id=MINE), CLERK)

    (row,) = await owner_fetch(database, "SELECT * FROM audit")
    assert (row["subject"], row["purpose"], row["person_id"]) == ("idp|staff-1", "counter", ME)
    assert row["action"] == "/hrss.echo.v1.EchoService/GetNote"
    assert row["request_id"] == "edge-1"


async def test_a_staff_read_by_another_key_is_audited_too(running: Running, database: Database) -> None:
    await running.call("FindNote", pb.FindNoteRequest(code="1"), CLERK)

    assert [row["person_id"] for row in await owner_fetch(database, "SELECT person_id FROM audit")] == [ME]


async def test_a_citizen_who_reads_their_own_record_and_a_search_in_vain_leave_no_row(
    running: Running, database: Database
) -> None:
    await running.call("GetNote", pb.GetNoteRequest(person_id=MINE), CITIZEN)
    with pytest.raises(NotFound):
        await running.call("FindNote", pb.FindNoteRequest(code="nobody"), CLERK)

    assert await owner_fetch(database, "SELECT 1 FROM audit") == []


async def test_a_read_that_cannot_be_audited_is_not_answered(running: Running, database: Database) -> None:
    await owner_fetch(database, f"REVOKE INSERT ON audit FROM {database.settings.service}_app")

    with pytest.raises((Fault, Unavailable)):
        await running.call("GetNote", pb.GetNoteRequest(person_id=MINE), CLERK, timeout=0.4)


async def test_a_read_waits_for_what_the_caller_knows(running: Running) -> None:
    _, beside = await running.call_with_metadata("TakeNote", note(), CITIZEN)

    reply = await running.call("GetNote", pb.GetNoteRequest(person_id=MINE), CITIZEN, min_version=beside.min_version)

    assert reply.text == MINE


async def test_a_read_of_what_has_not_arrived_is_to_be_tried_again(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.freshness.WAIT_SECONDS", 0.1)
    with pytest.raises(Conflict) as caught:
        await running.call("GetNote", pb.GetNoteRequest(person_id=MINE), CITIZEN, min_version=f"person:{MINE}:9")

    assert (caught.value.reason, caught.value.retry_after) == ("NOT_YET_KNOWN", 1)


async def test_a_malformed_token_is_refused(running: Running) -> None:
    for token in ("x", f"person:{MINE}", f"person:{MINE}:-1", f"person:{MINE}:1,", "a" * 3000):
        with pytest.raises(InvalidInput) as caught:
            await running.call("GetNote", pb.GetNoteRequest(person_id=MINE), CITIZEN, min_version=token)

        assert caught.value.reason == "MIN_VERSION_MALFORMED"


# -- who may


async def test_another_persons_record_is_not_found(running: Running, echo: Echo) -> None:
    other = ids.to_text("per", ids.new_id())

    with pytest.raises(NotFound) as caught:
        await running.call("TakeNote", pb.TakeNoteRequest(request_id="1", person_id=other), CITIZEN)
    assert caught.value.reason == "PERSON_NOT_FOUND"
    assert echo.taken == 0


async def test_an_operation_that_forgets_whose_record_it_is_answers_nobody_but_staff(running: Running) -> None:
    mine, careless, other = (pb.GetRecordRequest(record_id=record) for record in ("mine", "careless", "other"))

    assert (await running.call("GetRecord", mine, CITIZEN)).text == "secret"
    assert (await running.call("GetRecord", careless, CLERK)).text == "secret"
    with pytest.raises(NotFound):
        await running.call("GetRecord", other, CITIZEN)
    with pytest.raises(Fault):
        await running.call("GetRecord", careless, CITIZEN)


async def test_roles_are_checked_before_the_request_is_read(running: Running) -> None:
    with pytest.raises(Forbidden):
        await running.call("FindNote", b"\xff\xff", CITIZEN)
    with pytest.raises(InvalidInput) as caught:
        await running.call("FindNote", b"\xff\xff", CLERK)
    assert caught.value.reason == "MALFORMED_REQUEST"


async def raw(
    running: Running,
    path: str,
    body: bytes,
    *metadata: tuple[str, str | bytes],
    seconds: float | None = 5,
) -> Any:
    async with grpc.aio.insecure_channel(running.address) as channel:
        send: Any = channel.unary_unary(path)
        return await send(body, metadata=metadata, timeout=seconds)


async def status_of(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details() or ""


async def test_a_call_that_the_gateway_did_not_sign_is_refused(
    running: Running, database: Database, tmp_path: Path
) -> None:
    body, path = note().SerializeToString(), running.path("TakeNote")
    create_keys(tmp_path)

    def signed(signer: Signer, method: str = path, of: bytes = body, now: datetime | None = None) -> tuple[str, bytes]:
        digest = hashlib.sha256(of).digest()
        now = now or datetime.now(UTC)
        return METADATA_KEY, signer.sign(CITIZEN, method=method, digest=digest, now=now, business_date=date(2025, 1, 1))

    gateway = Signer(database.settings.keys_dir)
    assert await raw(running, path, body, signed(gateway))
    for wrong in (
        [],
        [(METADATA_KEY, b"nonsense")],
        [signed(Signer(tmp_path))],
        [signed(gateway, method=running.path("GetNote"))],
        [signed(gateway, of=b"other")],
        [signed(gateway, now=datetime(2020, 1, 1, tzinfo=UTC))],
        [signed(gateway, now=datetime(2090, 1, 1, tzinfo=UTC))],
    ):
        assert (await status_of(raw(running, path, body, *wrong)))[0] is grpc.StatusCode.UNAUTHENTICATED


async def test_in_production_nobody_moves_the_business_day(echo: Echo, database: Database) -> None:
    prod = Database(database.settings.model_copy(update={"env": "prod"}))
    try:
        async with serve([echo], database=prod) as running:
            with pytest.raises(Unauthenticated):
                await running.call("GetNote", pb.GetNoteRequest(person_id=MINE), CITIZEN, today=date(2031, 2, 28))
    finally:
        await prod.close()


# -- bad input, limits, deadlines


async def test_hostile_input_is_refused_with_its_field(running: Running) -> None:
    for request, reason, field in (
        (note("a\x00b"), "CHARACTER_NOT_ALLOWED", "text"),
        (note("x" * 5000), "TEXT_TOO_LONG", "text"),
        (note(mood=9), "ENUM_UNKNOWN", "mood"),
        (b"\x1a\x02\xff\xfe", "MALFORMED_REQUEST", ""),
        (b"\xba\x3e\x01x", "FIELD_UNKNOWN", ""),
    ):
        with pytest.raises(InvalidInput) as caught:
            await running.call("TakeNote", request, CLERK)

        assert (caught.value.reason, caught.value.field) == (reason, field)


async def test_a_call_needs_a_deadline_with_something_left(running: Running) -> None:
    path = running.path("Try")

    assert (await status_of(raw(running, path, b"", seconds=None)))[0] is grpc.StatusCode.INVALID_ARGUMENT
    assert (await status_of(raw(running, path, b"", seconds=0.04)))[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    with pytest.raises(Fault):
        await running.call("Try", pb.TryRequest(), CITIZEN, timeout=0.12)


async def test_a_message_or_metadata_beyond_the_limit_is_refused(running: Running) -> None:
    path = running.path("Try")

    assert (await status_of(raw(running, path, b"x" * (MESSAGE_MAX + 1))))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await status_of(raw(running, path, b"", ("x-long", "y" * 20_000))))[0] is not grpc.StatusCode.OK


async def test_an_unknown_rpc_is_unimplemented(running: Running) -> None:
    assert (await status_of(raw(running, "/hrss.echo.v1.EchoService/Nothing", b"")))[0] is grpc.StatusCode.UNIMPLEMENTED


async def test_too_many_calls_are_told_to_come_again(
    running: Running, echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc, "CALLS_MAX", 1)
    inside, release = asyncio.Event(), asyncio.Event()

    async def hold(_request: Any, _call: Call) -> str:
        inside.set()
        await release.wait()
        return "held"

    echo.trial = hold
    first = asyncio.create_task(running.call("Try", pb.TryRequest(), CITIZEN))
    await inside.wait()

    with pytest.raises(Busy) as caught:
        await running.call("Try", pb.TryRequest(), CITIZEN)
    release.set()

    assert (caught.value.reason, caught.value.retry_after) == ("SERVER_BUSY", 1)
    assert (await first).text == "held"
    assert running.server.in_flight == 0


async def test_heavy_work_runs_one_at_a_time(running: Running, echo: Echo) -> None:
    now, most = 0, 0

    async def heavy(_request: Any, call: Call) -> str:
        nonlocal now, most
        async with call.heavy():
            now, most = now + 1, max(most, now + 1)
            await asyncio.sleep(0)
            now -= 1
        return ""

    echo.trial = heavy
    await asyncio.gather(*(running.call("Try", pb.TryRequest(), CITIZEN) for _ in range(5)))

    assert most == 1


# -- errors, logs, traces


async def test_our_own_bug_is_hidden_behind_a_trace_id(running: Running, echo: Echo) -> None:
    async def fail(_request: Any, _call: Call) -> str:
        raise RuntimeError(f"cannot read {CANARY}")

    echo.trial = fail
    with pytest.raises(Fault) as caught:
        await running.call("Try", pb.TryRequest(), CITIZEN)

    assert caught.value.code is grpc.StatusCode.INTERNAL
    assert len(caught.value.trace_id) == 32
    assert CANARY not in str(caught.value)
    assert "cannot read" not in str(caught.value)


async def test_a_time_limit_inside_a_handler_is_not_the_callers_deadline(running: Running, echo: Echo) -> None:
    async def impatient(_request: Any, _call: Call) -> str:
        raise TimeoutError

    echo.trial = impatient
    with pytest.raises(Fault) as caught:
        await running.call("Try", pb.TryRequest(), CITIZEN)

    assert caught.value.code is grpc.StatusCode.INTERNAL


async def test_a_handler_that_answers_with_the_wrong_message_is_our_bug(running: Running, echo: Echo) -> None:
    async def wrong(_request: Any, _call: Call) -> str:
        return pb.TryRequest()  # type: ignore[no-any-return]  # the wrong type is the point

    echo.trial = wrong
    with pytest.raises(Fault):
        await running.call("Try", pb.TryRequest(), CITIZEN)


async def test_the_canary_is_in_no_log_line_and_no_span(running: Running, echo: Echo, logged: io.StringIO) -> None:
    spans = InMemorySpanExporter()
    telemetry.start(Settings(service="echo", env="test"), exporter=spans)

    async def fail(request: Any, _call: Call) -> str:
        person = {"id_number": request.text}
        raise KeyError(f"no record for {person}")

    echo.trial = fail
    try:
        with pytest.raises(Fault):
            await running.call("Try", pb.TryRequest(text=CANARY), CITIZEN)
        await running.call("TakeNote", note(CANARY), CITIZEN)
        with pytest.raises(InvalidInput):
            await running.call("TakeNote", note(CANARY + "\x00"), CITIZEN)
    finally:
        telemetry.stop()

    shown = logged.getvalue() + "".join(span.to_json() for span in spans.get_finished_spans())
    assert "rpc_failed" in shown
    assert "hrss.echo.v1.EchoService/TakeNote" in shown
    assert CANARY not in shown


async def test_log_lines_of_a_call_name_it(running: Running, logged: io.StringIO) -> None:
    with pytest.raises(NotFound):
        await running.call("FindNote", pb.FindNoteRequest(code="nobody"), CLERK, request_id="edge-7")

    line = next(line for line in map(json.loads, logged.getvalue().splitlines()) if line["event"] == "rpc_refused")
    assert line["rpc"] == "/hrss.echo.v1.EchoService/FindNote"
    assert (line["request_id"], line["reason"], line["code"]) == ("edge-7", "NOTE_NOT_FOUND", "NOT_FOUND")
    assert len(line["trace_id"]) == 32


async def test_calls_do_not_inherit_each_others_log_context(running: Running, logged: io.StringIO) -> None:
    with pytest.raises(NotFound):
        await running.call("FindNote", pb.FindNoteRequest(code="nobody"), CLERK, request_id="edge-7")
    await status_of(raw(running, running.path("TakeNote"), b""))

    first, second = (line for line in map(json.loads, logged.getvalue().splitlines()) if line["event"] == "rpc_refused")
    assert first["request_id"] == "edge-7"
    assert "request_id" not in second
    assert first["trace_id"] != second["trace_id"]


async def test_one_trace_goes_through_client_server_and_database(running: Running) -> None:
    spans = InMemorySpanExporter()
    telemetry.start(Settings(service="echo", env="test"), exporter=spans)
    try:
        await running.call("GetNote", pb.GetNoteRequest(person_id=MINE), CITIZEN)
    finally:
        telemetry.stop()

    found = {f"{span.kind.name} {span.name}": span for span in spans.get_finished_spans()}
    client = found["CLIENT hrss.echo.v1.EchoService/GetNote"]
    server = found["SERVER hrss.echo.v1.EchoService/GetNote"]
    assert server.parent is not None
    assert server.parent.span_id == client.context.span_id
    statements = [span for name, span in found.items() if name.startswith("CLIENT SELECT")]
    assert [span.context.trace_id for span in statements] == [server.context.trace_id]
    assert server.attributes is not None
    assert server.attributes["rpc.grpc.status_code"] == 0


@pytest.fixture
def logged() -> Any:
    """What is logged meanwhile."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure(Settings(service="echo", env="test"), stream=stream)
    yield stream
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)


# -- beside the RPCs


async def test_health_and_reflection_answer_without_an_assertion(running: Running) -> None:
    await running.server.serving(is_ready=True)
    async with grpc.aio.insecure_channel(running.address) as channel:
        # The stubs' types know the synchronous channel only.
        health: Any = health_pb2_grpc.HealthStub(cast("Any", channel))
        answer = await health.Check(health_pb2.HealthCheckRequest(service="hrss.echo.v1.EchoService"), timeout=5)
        reflection: Any = reflection_pb2_grpc.ServerReflectionStub(cast("Any", channel))
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        listed = [one async for one in reflection.ServerReflectionInfo(asked, timeout=5)]

    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    names = {service.name for service in listed[0].list_services_response.service}
    assert {"hrss.echo.v1.EchoService", "grpc.health.v1.Health"} <= names


async def test_a_service_that_is_away_is_named(database: Database) -> None:
    backend = Backend("benefits", "127.0.0.1:1", Signer(database.settings.keys_dir))
    with pytest.raises(Unavailable) as caught:
        await backend.call("/a.B/C", b"", principal=CITIZEN, today=date(2025, 1, 1), deadline=Deadline.after(1))
    await backend.close()

    assert caught.value.reason == "SERVICE_UNAVAILABLE"
    assert caught.value.metadata == {"service": "benefits"}


class Incomplete(Servicer):
    """Leaves an RPC out."""

    service = pb.service("EchoService")


class Bare(Servicer):
    """Its RPC says nothing about access."""

    service = pb.service("BareService")

    async def Bare(self, request: Any, call: Call) -> Any:
        """Nothing."""


@pytest.mark.parametrize("servicer", [Incomplete(), Bare()])
async def test_a_service_with_a_gap_does_not_start(database: Database, servicer: Servicer) -> None:
    with pytest.raises((TypeError, AccessMissing), match=r"GetNote|TakeNote|Bare"):
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(serve([servicer], database=database))
