"""OTLP over gRPC: protobuf spans into the store, with what was refused said in the answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as rpc
from opentelemetry.proto.trace.v1 import trace_pb2

from ops.traces.store import Span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

    from ops.traces.store import Store

SPAN_BYTES_MAX = 64 * 1024  # a span of ours has about 1 KB; what is larger is a mistake or an attack
MESSAGE_BYTES_MAX = 4 * 1024 * 1024
VALUE_DEPTH_MAX = 8
TRACE_ID_BYTES = 16
SPAN_ID_BYTES = 8
_STATUS = {
    trace_pb2.Status.STATUS_CODE_UNSET: "unset",
    trace_pb2.Status.STATUS_CODE_OK: "ok",
    trace_pb2.Status.STATUS_CODE_ERROR: "error",
}


class Receiver(rpc.TraceServiceServicer):
    """The collector's side of the trace service."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def Export(self, request: pb.ExportTraceServiceRequest, context: object) -> pb.ExportTraceServiceResponse:  # noqa: ARG002 - the contract's signature
        """Keep the spans; the answer counts those that were refused."""
        refused = 0
        for resource_spans in request.resource_spans:
            service = str(_attributes(resource_spans.resource.attributes).get("service.name", "unknown"))
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    refused += not (_is_acceptable(span) and self._store.add(_span(span, service)))
        answer = pb.ExportTraceServiceResponse()
        if refused:
            answer.partial_success.rejected_spans = refused
            answer.partial_success.error_message = f"malformed, above {SPAN_BYTES_MAX} bytes, or of a full trace"
        return answer


async def start(store: Store, host: str, port: int) -> tuple[grpc.aio.Server, int]:
    """Start receiving; returns the server and the port it took."""
    server = grpc.aio.server(
        options=[("grpc.max_receive_message_length", MESSAGE_BYTES_MAX), ("grpc.so_reuseport", 0)],
        maximum_concurrent_rpcs=64,
    )
    rpc.add_TraceServiceServicer_to_server(Receiver(store), server)  # type: ignore[no-untyped-call] # generated
    taken = server.add_insecure_port(f"{host}:{port}")
    await server.start()
    return server, taken


def _is_acceptable(span: trace_pb2.Span) -> bool:
    whole = len(span.trace_id) == TRACE_ID_BYTES and len(span.span_id) == SPAN_ID_BYTES
    return whole and span.ByteSize() <= SPAN_BYTES_MAX


def _span(span: trace_pb2.Span, service: str) -> Span:
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        service=service,
        name=span.name,
        kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        start_us=span.start_time_unix_nano // 1000,
        end_us=span.end_time_unix_nano // 1000,
        status=_STATUS.get(span.status.code, "unset"),
        status_message=span.status.message,
        attributes=_attributes(span.attributes),
        events=tuple(
            {"name": event.name, "time_us": event.time_unix_nano // 1000, "attributes": _attributes(event.attributes)}
            for event in span.events
        ),
        links=tuple({"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex()} for link in span.links),
    )


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue, depth: int = 0) -> Any:
    match value.WhichOneof("value"):
        case "array_value" if depth < VALUE_DEPTH_MAX:
            return [_value(item, depth + 1) for item in value.array_value.values]
        case "kvlist_value" if depth < VALUE_DEPTH_MAX:
            return {pair.key: _value(pair.value, depth + 1) for pair in value.kvlist_value.values}
        case "bytes_value":
            return f"[{len(value.bytes_value)} bytes]"
        case "double_value":
            return value.double_value if math.isfinite(value.double_value) else str(value.double_value)
        case "string_value" | "bool_value" | "int_value" as kind:
            return getattr(value, kind)
    return None
