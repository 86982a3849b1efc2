"""The local trace store: bounded whatever arrives, a tree whatever is missing, local on its face."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import quote

import grpc
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as rpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from ops import children
from ops.traces import receiver
from ops.traces.app import create_app
from ops.traces.store import Span, Store
from tests.ops.conditions import until

if TYPE_CHECKING:
    from pathlib import Path

TRACE = "0af7651916cd43dd8448eb211c80319c"


def a_span(span_id: str = "1", parent_id: str = "", **changes: object) -> Span:
    """A span that is valid unless a test says otherwise."""
    values: dict[str, object] = {
        "trace_id": TRACE,
        "service": "gateway",
        "name": f"span {span_id}",
        "kind": "server",
        "start_us": 1_795_418_578_000_000 + int(span_id, 16) * 10,
        "end_us": 1_795_418_578_000_000 + int(span_id, 16) * 10 + 500,
        "status": "unset",
    }
    return Span(span_id=span_id, parent_id=parent_id, **{**values, **changes})  # type: ignore[arg-type]  # a builder


def a_store(*spans: Span) -> Store:
    """A store that holds those spans."""
    store = Store()
    for span in spans:
        store.add(span)
    return store


async def get(store: Store, path: str, **headers: str) -> httpx.Response:
    """What the page answers."""
    transport = httpx.ASGITransport(create_app(store))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8082") as client:
        return await client.get(path, headers=headers)


def an_export(*spans: trace_pb2.Span, service: str = "enrollment") -> pb.ExportTraceServiceRequest:
    """An export as a service sends it."""
    name = KeyValue(key="service.name", value=AnyValue(string_value=service))
    return pb.ExportTraceServiceRequest(
        resource_spans=[
            trace_pb2.ResourceSpans(
                resource=Resource(attributes=[name]), scope_spans=[trace_pb2.ScopeSpans(spans=spans)]
            )
        ]
    )


def a_wire_span(attribute: AnyValue | None = None, **changes: object) -> trace_pb2.Span:
    """A span on the wire."""
    values: dict[str, object] = {
        "trace_id": bytes.fromhex(TRACE),
        "span_id": bytes(7) + b"\1",
        "name": "INSERT person",
        "kind": trace_pb2.Span.SPAN_KIND_CLIENT,
        "start_time_unix_nano": 1_795_418_578_000_000_000,
        "end_time_unix_nano": 1_795_418_578_002_500_000,
    }
    span = trace_pb2.Span(**{**values, **changes})  # type: ignore[arg-type]  # a builder
    if attribute is not None:
        span.attributes.append(KeyValue(key="k", value=attribute))
    return span


async def export(store: Store, request: pb.ExportTraceServiceRequest) -> pb.ExportTraceServiceResponse:
    """Send an export through gRPC on the loopback."""
    server, port = await receiver.start(store, "127.0.0.1", 0)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = rpc.TraceServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        try:
            answer: pb.ExportTraceServiceResponse = await stub.Export(request, timeout=5)
        finally:
            await server.stop(None)
    return answer


async def test_received_span_is_shown_with_service_parent_and_attributes() -> None:
    store = Store()
    answer = await export(store, an_export(a_wire_span(AnyValue(int_value=7), parent_span_id=bytes(7) + b"\2")))

    (span,) = (await get(store, f"/api/traces/{TRACE}")).json()["spans"]
    assert answer.partial_success.rejected_spans == 0
    assert (span["service"], span["name"], span["kind"]) == ("enrollment", "INSERT person", "client")
    assert (span["parent_id"], span["duration_us"], span["attributes"]) == ("0000000000000002", 2500, {"k": 7})


@pytest.mark.parametrize(
    "bad",
    [
        a_wire_span(AnyValue(string_value="x" * (receiver.SPAN_BYTES_MAX + 1))),
        a_wire_span(trace_id=b"short"),
        a_wire_span(span_id=b""),
    ],
)
async def test_bad_span_is_refused_and_counted_while_the_good_one_stays(bad: trace_pb2.Span) -> None:
    store = Store()

    answer = await export(store, an_export(bad, a_wire_span()))

    assert answer.partial_success.rejected_spans == 1
    assert store.span_count == 1


async def test_export_above_the_message_limit_is_refused() -> None:
    store = Store()
    large = AnyValue(string_value="x" * 60_000)
    spans = [a_wire_span(large, span_id=number.to_bytes(8, "big")) for number in range(1, 90)]

    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await export(store, an_export(*spans))

    assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert store.span_count == 0


async def test_deep_and_odd_values_are_answered_as_json() -> None:
    deep = AnyValue(string_value="end")
    for _ in range(20):
        deep = AnyValue(array_value=ArrayValue(values=[deep]))
    store = Store()
    await export(
        store, an_export(a_wire_span(deep), a_wire_span(AnyValue(double_value=float("nan")), span_id=b"12345678"))
    )

    assert (await get(store, f"/api/traces/{TRACE}")).status_code == 200


def test_oldest_trace_is_dropped_first() -> None:
    store = Store(spans_max=4)
    for number in range(6):
        store.add(a_span("1", trace_id=f"{number:032x}"))

    assert store.span_count == 4
    assert [trace.id for trace in store.latest(10)] == [f"{number:032x}" for number in (5, 4, 3, 2)]


def test_one_trace_cannot_push_out_all_others() -> None:
    store = Store(spans_max=100, trace_spans_max=5)
    store.add(a_span("1", trace_id="f" * 32))

    kept = [store.add(a_span(f"{number:x}")) for number in range(1, 50)]

    assert sum(kept) == 5
    assert store.find("f" * 32)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 30)), max_size=200))
def test_store_stays_bounded_and_counts_right(arrivals: list[tuple[int, int]]) -> None:
    store = Store(spans_max=20, trace_spans_max=10)

    for trace, span in arrivals:
        store.add(a_span(f"{span:x}", trace_id=f"{trace:032x}"))

    traces = store.latest(100)
    assert store.span_count == sum(len(trace.spans) for trace in traces) <= 20
    assert all(len(trace.spans) <= 10 for trace in traces)


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 25)), max_size=40))
def test_tree_shows_each_span_once_whatever_the_parents_say(edges: list[tuple[int, int]]) -> None:
    unique = dict(edges)
    spans = [a_span(f"{span:x}", f"{parent:x}" if parent else "") for span, parent in unique.items()]

    trace = a_store(*spans, a_span("63")).find(TRACE)

    assert trace
    assert sorted(node.span.span_id for node in trace.tree()) == sorted(span.span_id for span in trace.spans)


def test_tree_puts_children_below_their_parents_in_time_order() -> None:
    trace = a_store(a_span("4", "2"), a_span("3", "1"), a_span("2", "1"), a_span("1")).find(TRACE)

    assert trace
    assert [(node.depth, node.span.span_id) for node in trace.tree()] == [(0, "1"), (1, "2"), (2, "4"), (1, "3")]


def test_span_whose_parent_is_missing_stands_at_the_top() -> None:
    trace = a_store(a_span("2", "1"), a_span("3", "2")).find(TRACE)

    assert trace
    assert [node.depth for node in trace.tree()] == [0, 1]
    assert trace.root.span_id == "2"


async def test_list_has_the_latest_first_and_can_be_narrowed() -> None:
    store = a_store(
        a_span("1", trace_id="a" * 32, name="POST /v1/enrollments"),
        a_span("1", trace_id="b" * 32, name="GET /v1/me", service="benefits", status="error"),
    )

    async def ids(query: str) -> list[str]:
        return [trace["trace_id"][0] for trace in (await get(store, f"/api/traces{query}")).json()["traces"]]

    assert await ids("") == ["b", "a"]
    assert await ids("?limit=1") == ["b"]
    assert await ids("?service=gateway") == ["a"]
    assert await ids("?q=ENROLL") == ["a"]


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "１", "9" * 5000])
async def test_wrong_limit_is_refused(limit: str) -> None:
    assert (await get(Store(), f"/api/traces?limit={limit}")).status_code == 400


async def test_unknown_trace_is_not_found() -> None:
    assert (await get(Store(), f"/api/traces/{TRACE}")).status_code == 404
    assert (await get(Store(), f"/traces/{TRACE}")).status_code == 404


async def test_pages_are_labelled_local_in_both_languages() -> None:
    store = a_store(a_span("1"), a_span("2", "1", status="error"))

    chinese = await get(store, f"/traces/{TRACE}")
    english = await get(store, "/", **{"accept-language": "en-GB"})

    assert "本机开发用" in chinese.text
    assert '<html lang="zh-CN">' in chinese.text
    assert "local, for development" in english.text
    assert english.headers["content-language"] == "en"


async def test_page_escapes_what_spans_carry() -> None:
    script = "<script>alert(1)</script>"
    store = a_store(a_span("1", name=script, attributes={script: script}))

    assert "<script>" not in (await get(store, f"/traces/{TRACE}")).text
    assert "<script>" not in (await get(store, "/")).text


def test_process_says_where_it_listens_and_ends_with_a_signal(tmp_path: Path) -> None:
    ready = tmp_path / "traces.json"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HRSS_")}
    environment |= {"HRSS_READY_FILE": str(ready), "HRSS_TRACES_HTTP_PORT": "0"}
    process = children.start([sys.executable, "-m", "ops.traces"], env=environment)
    until(ready.exists, what="the ready file")
    told = json.loads(ready.read_text())

    with grpc.insecure_channel(told["otlp"]) as channel:
        stub = rpc.TraceServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        stub.Export(an_export(a_wire_span()), timeout=5)
    with httpx.Client(trust_env=False) as client:
        shown = client.get(f"{told['url']}/api/traces").json()["traces"]
    process.terminate()

    assert [trace["trace_id"] for trace in shown] == [TRACE]
    assert process.wait(10) == 0


def test_process_refuses_an_address_that_others_reach() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HRSS_")}

    result = subprocess.run(
        [sys.executable, "-m", "ops.traces"],
        env={**environment, "HRSS_TRACES_HOST": "0.0.0.0"},
        capture_output=True,
        check=False,
        timeout=30,
    )

    assert result.returncode == 2
    assert "HRSS_TRACES_HOST" in result.stderr.decode()


def test_process_refuses_production() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HRSS_")}

    result = subprocess.run(
        [sys.executable, "-m", "ops.traces"],
        env={**environment, "HRSS_ENV": "prod"},
        capture_output=True,
        check=False,
        timeout=30,
    )

    assert result.returncode == 2
    assert "HRSS_ENV" in result.stderr.decode()


@pytest.mark.parametrize("number", [TRACE, TRACE.upper(), f" 00-{TRACE}-00f067aa0ba902b7-01 ", "req-0001"])
async def test_a_number_opens_its_trace(number: str) -> None:
    store = a_store(a_span("1", attributes={"hrss.request_id": "req-0001"}), a_span("2", "1"))

    answer = await get(store, f"/find?lang=en&number={quote(number)}")

    assert (answer.status_code, answer.headers["location"]) == (303, f"/traces/{TRACE}?lang=en")
    page = await get(store, f"/traces/{quote(number.strip())}?lang=en")
    assert page.status_code == 200
    assert TRACE in page.text


@pytest.mark.parametrize("number", ["", "req-0002", "0" * 32, f"00-{TRACE[::-1]}-00f067aa0ba902b7-01"])
async def test_an_unknown_number_opens_nothing(number: str) -> None:
    store = a_store(a_span("1", attributes={"hrss.request_id": "req-0001"}))

    assert (await get(store, f"/find?number={quote(number)}")).status_code == 404
