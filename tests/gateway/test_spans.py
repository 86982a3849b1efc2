"""Traces of the edge: route templates and reasons; no id, no query, nothing of a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from chassis import telemetry
from chassis.config import Settings
from kernel import ids
from kernel.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import ReadableSpan

    from tests.gateway.conftest import Edge

pytestmark = pytest.mark.asyncio(loop_scope="module")

PERSON = ids.to_text("per", ids.new_id())


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Everything that is recorded during a test."""
    exporter = InMemorySpanExporter()
    telemetry.start(Settings(service="gateway", env="test"), exporter=exporter)
    yield exporter
    telemetry.stop()


def of_kind(spans: InMemorySpanExporter, kind: SpanKind) -> ReadableSpan:
    """The one span of a kind."""
    (found,) = [span for span in spans.get_finished_spans() if span.kind is kind]
    return found


async def test_a_call_is_a_server_span_around_a_client_span(edge: Edge, spans: InMemorySpanExporter) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    await edge.get(
        f"/v1/persons/{PERSON}/contributions?year=2024",
        edge.provider.staff(),
        traceparent=f"00-{trace}-00f067aa0ba902b7-01",
        x_request_id="req-00000001",
    )

    server, client = of_kind(spans, SpanKind.SERVER), of_kind(spans, SpanKind.CLIENT)
    assert server.name == "GET /v1/persons/{person_id}/contributions"
    assert client.name == "hrss.enrollment.v1.EnrollmentService/ListContributions"
    assert server.attributes == {
        "http.request.method": "GET",
        "http.route": "/v1/persons/{person_id}/contributions",
        "url.scheme": "http",
        "hrss.request_id": "req-00000001",
        "http.response.status_code": 200,
    }
    assert server.context is not None
    assert client.parent is not None
    assert f"{server.context.trace_id:032x}" == trace
    assert client.parent.span_id == server.context.span_id


async def test_a_refusal_is_an_answer_and_an_outage_an_error(edge: Edge, spans: InMemorySpanExporter) -> None:
    edge.echo.refuse("GetPerson", NotFound("PERSON_NOT_FOUND", "no such person"))
    await edge.get(f"/v1/persons/{PERSON}", edge.provider.staff())
    refused = of_kind(spans, SpanKind.SERVER)
    spans.clear()
    edge.echo.refuse("GetPerson", Unavailable("DATABASE_UNAVAILABLE", "away"))
    await edge.get(f"/v1/persons/{PERSON}", edge.provider.staff())
    failed = of_kind(spans, SpanKind.SERVER)

    assert refused.attributes is not None
    assert refused.attributes["error.type"] == "PERSON_NOT_FOUND"
    assert refused.status.status_code is StatusCode.UNSET
    assert failed.status.status_code is StatusCode.ERROR


async def test_no_span_holds_an_id_or_a_query(edge: Edge, spans: InMemorySpanExporter) -> None:
    await edge.get(f"/v1/persons/{PERSON}/contributions?year=2024", edge.provider.staff())
    await edge.get(f"/v1/no-such-thing/{PERSON}?id_no=990000199003151234")

    told = " ".join(span.to_json() for span in spans.get_finished_spans())
    assert PERSON not in told
    assert "990000199003151234" not in told
    assert "2024" not in " ".join(span.name for span in spans.get_finished_spans())
