"""Traces: OpenTelemetry behind four functions, free of cost where nothing is recorded.

    with span("outbox publish", kind="producer", attributes={"messaging.system": "nats"}):
        headers["traceparent"] = traceparent()

Without a collector (`otlp_endpoint` empty) and in a trace that the caller did not sample no span object is made: only
the trace id goes on, for logs, headers and error texts. Names and attributes are declared in docs/telemetry.md and
never carry personal data.
"""

from __future__ import annotations

import os
import random
import re
import socket
from typing import TYPE_CHECKING, Literal

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.util.types import AttributeValue

    from chassis.config import Settings

Kind = Literal["internal", "server", "client", "producer", "consumer"]

_QUEUE_MAX = 4096  # spans; about two seconds of a busy process, then new ones are dropped
_BATCH_MAX = 512
_BATCH_DELAY_MS = 500  # an operator who looks at once finds the trace
_EXPORT_TIMEOUT_SECONDS = 2
FLUSH_SECONDS = 2.0  # at exit; the library's own shutdown was seen to take 14 s with the collector away

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)
_KINDS = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_UNSAMPLED = TraceFlags(TraceFlags.DEFAULT)
_NOWHERE = NonRecordingSpan(trace.INVALID_SPAN_CONTEXT)


class _State:
    """The provider of this process; one, because the collector sees one process."""

    provider: TracerProvider | None = None
    tracer: trace.Tracer | None = None


def start(settings: Settings, *, exporter: SpanExporter | None = None) -> None:
    """Begin to send spans to the collector, or do nothing where none is set. A test gives its own exporter."""
    if exporter is None and not settings.otlp_endpoint:
        return
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - loaded only where spans are sent
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider  # noqa: PLC0415 - loaded only where spans are sent
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor  # noqa: PLC0415 - loaded only where spans are sent
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415 - loaded only where spans are sent

    processor: SpanProcessor
    if exporter is not None:
        processor = SimpleSpanProcessor(exporter)
    else:
        processor = BatchSpanProcessor(
            _otlp(settings.otlp_endpoint),
            max_queue_size=_QUEUE_MAX,
            max_export_batch_size=_BATCH_MAX,
            schedule_delay_millis=_BATCH_DELAY_MS,
            export_timeout_millis=_EXPORT_TIMEOUT_SECONDS * 1000,
        )
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.trace_ratio)),
        resource=Resource.create(
            {
                "service.name": settings.service,
                "service.namespace": "hrss",
                "service.instance.id": settings.instance or f"{socket.gethostname()}-{os.getpid()}",
                "deployment.environment.name": settings.env,
            }
        ),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(processor)
    _State.provider, _State.tracer = provider, provider.get_tracer("hrss")


def stop(seconds: float = FLUSH_SECONDS) -> None:
    """Send what is left, for at most so long, then leave; what the collector did not take by then is lost."""
    provider, _State.provider, _State.tracer = _State.provider, None, None
    if provider is not None:
        # The exporter's own threads are daemons and end with the process; the library's shutdown would wait for them.
        import threading  # noqa: PLC0415 - loaded only where spans are sent

        flushing = threading.Thread(target=provider.force_flush, args=(int(seconds * 1000),), daemon=True)
        flushing.start()
        flushing.join(seconds)


class span:  # noqa: N801 - used like a function: `with span("outbox publish"):`
    """A span around what happens inside. An exception that leaves it marks the span with its type, never its text.

    A class and no generator, because a call passes through three of these even where nothing is recorded.
    """

    __slots__ = ("_attributes", "_kind", "_made", "_name", "_token")

    def __init__(
        self, name: str, *, kind: Kind = "internal", attributes: Mapping[str, AttributeValue] | None = None
    ) -> None:
        self._name, self._kind, self._attributes = name, kind, attributes
        self._made: Span | None = None
        self._token: Token[Context] | None = None

    def __enter__(self) -> Span:
        tracer = _State.tracer
        current = trace.get_current_span()
        parent = current.get_span_context()
        if tracer is None or (parent.is_valid and not parent.trace_flags.sampled):
            if parent.is_valid:
                return current
            silent = NonRecordingSpan(_new_context())
            self._token = _attach(silent)
            return silent
        self._made = tracer.start_span(self._name, kind=_KINDS[self._kind], attributes=self._attributes)
        self._token = _attach(self._made)
        return self._made

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        if self._token is not None:
            otel_context.detach(self._token)
        made = self._made
        if made is not None:
            if kind is not None and made.is_recording():
                made.set_attribute("error.type", kind.__qualname__)
                made.set_status(Status(StatusCode.ERROR))
            made.end()


class remote:  # noqa: N801 - used like a function
    """Go on in the trace that a header or row names; without one, spans inside begin a new trace."""

    __slots__ = ("_text", "_token")

    def __init__(self, text: str | None) -> None:
        self._text = text
        self._token: Token[Context] | None = None

    def __enter__(self) -> None:
        self._token = _attach(NonRecordingSpan(parse(self._text)) if self._text else _NOWHERE)

    def __exit__(self, *_error: object) -> None:
        if self._token is not None:
            otel_context.detach(self._token)


def traceparent() -> str:
    """The current trace and span as a header; empty where there is none."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & TraceFlags.SAMPLED:02x}"


def trace_id() -> str:
    """The id of the current trace, 32 hexadecimal digits; empty where there is none."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""


def parse(text: str | None) -> SpanContext:
    """Read a traceparent; an absent or malformed one gives the invalid context."""
    found = _TRACEPARENT.fullmatch(text) if text else None
    if found is None:
        return trace.INVALID_SPAN_CONTEXT
    flags = _SAMPLED if int(found[3], 16) & TraceFlags.SAMPLED else _UNSAMPLED
    return SpanContext(int(found[1], 16), int(found[2], 16), is_remote=True, trace_flags=flags)


def is_sampled(text: str) -> bool:
    """Whether the trace of a traceparent is recorded, here too."""
    return _State.tracer is not None and parse(text).trace_flags.sampled


def _attach(made: Span) -> Token[Context]:
    return otel_context.attach(trace.set_span_in_context(made))


def _new_context() -> SpanContext:
    """A trace nobody records: its id still joins the log lines and error texts of one call. Ids need no secrecy."""
    return SpanContext(random.getrandbits(128) | 1, random.getrandbits(64) | 1, is_remote=False, trace_flags=_UNSAMPLED)


def _otlp(endpoint: str) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - loaded only where spans are sent

    return OTLPSpanExporter(
        endpoint=endpoint, insecure=not endpoint.startswith("https://"), timeout=_EXPORT_TIMEOUT_SECONDS
    )
