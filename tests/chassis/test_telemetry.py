"""Traces: one context goes through, spans exist only where somebody records them."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import telemetry
from chassis.config import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = f"00-{TRACE}-b7ad6b7169203331-01"
UNSAMPLED = f"00-{TRACE}-b7ad6b7169203331-00"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    telemetry.start(Settings(service="echo", env="test"), exporter=exporter)
    yield exporter
    telemetry.stop()


def test_a_span_goes_on_in_the_trace_of_the_caller(spans: InMemorySpanExporter) -> None:
    with telemetry.remote(SAMPLED), telemetry.span("outer", kind="server"), telemetry.span("inner"):
        assert telemetry.trace_id() == TRACE
        assert telemetry.traceparent().startswith(f"00-{TRACE}-")
        assert telemetry.traceparent().endswith("-01")

    inner, outer = spans.get_finished_spans()
    assert inner.parent is not None
    assert outer.parent is not None
    assert inner.parent.span_id == outer.context.span_id
    assert f"{outer.parent.span_id:016x}" == "b7ad6b7169203331"
    assert outer.resource.attributes["service.name"] == "echo"


def test_an_unsampled_trace_makes_no_spans_and_is_passed_on(spans: InMemorySpanExporter) -> None:
    with telemetry.remote(UNSAMPLED), telemetry.span("outer"):
        assert telemetry.traceparent() == UNSAMPLED

    assert spans.get_finished_spans() == ()


@pytest.mark.parametrize(
    "header", [None, "", "nonsense", SAMPLED.upper(), SAMPLED + "\n", f"00-{'0' * 32}-{'0' * 16}-01"]
)
def test_without_a_good_header_a_new_trace_begins(spans: InMemorySpanExporter, header: str | None) -> None:
    with telemetry.remote(header), telemetry.span("outer"):
        assert telemetry.trace_id() not in {"", TRACE, "0" * 32}

    assert len(spans.get_finished_spans()) == 1


def test_an_exception_leaves_its_type_in_the_span_and_not_its_text(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="secret"), telemetry.span("outer"):
        raise ValueError("secret 990000198506154321")

    (span,) = spans.get_finished_spans()
    assert span.attributes == {"error.type": "ValueError"}
    assert span.events == ()
    assert "secret" not in span.to_json()


def test_without_a_collector_there_is_still_a_trace_id() -> None:
    with telemetry.remote(None), telemetry.span("outer") as span:
        outer = telemetry.trace_id()
        with telemetry.span("inner"):
            assert telemetry.trace_id() == outer
        assert len(outer) == 32
        assert not span.is_recording()
        assert telemetry.traceparent().endswith("-00")


def test_a_process_leaves_in_time_with_the_collector_away() -> None:
    code = (
        "from chassis import telemetry; from chassis.config import Settings\n"
        "telemetry.start(Settings(service='echo', otlp_endpoint='http://127.0.0.1:9'))\n"
        "with telemetry.span('x'): pass\n"
        "telemetry.stop(0.3)\n"
    )
    before = time.monotonic()

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=20)

    assert done.returncode == 0
    assert time.monotonic() - before < 10
