"""Traces in memory: at most so many spans, the oldest trace goes first."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REQUEST_ID = "hrss.request_id"  # attribute of the edge's span: what X-Request-Id said
SPANS_MAX = 20_000  # about 60 MB with the attributes that our spans have
TRACE_SPANS_MAX = 5_000  # one runaway trace must not push out all others


@dataclass(frozen=True, slots=True)
class Span:
    """One span as it was received; times are microseconds since 1970, which a JSON number holds exactly."""

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str
    kind: str
    start_us: int
    end_us: int
    status: str
    status_message: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[Mapping[str, Any], ...] = ()
    links: tuple[Mapping[str, str], ...] = ()

    @property
    def duration_us(self) -> int:
        """How long it took; clocks of two processes may disagree, so never below zero."""
        return max(0, self.end_us - self.start_us)


@dataclass(frozen=True, slots=True)
class Node:
    """A span at its place in the tree."""

    span: Span
    depth: int


@dataclass(frozen=True, slots=True)
class Trace:
    """The spans of one trace, earliest first."""

    id: str
    spans: tuple[Span, ...]

    @property
    def root(self) -> Span:
        """The earliest span without a parent here; its own root may be missing or not have ended yet."""
        known = {span.span_id for span in self.spans}
        return next((span for span in self.spans if span.parent_id not in known), self.spans[0])

    @property
    def start_us(self) -> int:
        """When the earliest span began."""
        return self.spans[0].start_us

    @property
    def duration_us(self) -> int:
        """From the earliest beginning to the latest end, with everything that happened after the answer."""
        return max(0, max(span.end_us for span in self.spans) - self.start_us)

    @property
    def services(self) -> tuple[str, ...]:
        """The processes it went through, in the order of their first span."""
        return tuple(dict.fromkeys(span.service for span in self.spans))

    @property
    def error_count(self) -> int:
        """How many spans failed."""
        return sum(span.status == "error" for span in self.spans)

    def tree(self) -> Iterator[Node]:
        """The spans in reading order: parents before children, earlier before later. No recursion: traces get deep."""
        known = {span.span_id for span in self.spans}
        children: dict[str, list[Span]] = {}
        for span in self.spans:
            parent = span.parent_id if span.parent_id in known and span.parent_id != span.span_id else ""
            children.setdefault(parent, []).append(span)
        waiting = [Node(span, 0) for span in reversed(children.pop("", []))]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += [Node(span, node.depth + 1) for span in reversed(children.pop(node.span.span_id, []))]
        # What is left are spans that claim each other as parents; they are shown, flat.
        yield from (Node(span, 0) for spans in children.values() for span in spans)


class Store:
    """A bounded set of traces."""

    def __init__(self, spans_max: int = SPANS_MAX, trace_spans_max: int = TRACE_SPANS_MAX) -> None:
        self._spans_max = spans_max
        self._trace_spans_max = trace_spans_max
        self._traces: OrderedDict[str, dict[str, Span]] = OrderedDict()
        self.span_count = 0

    def add(self, span: Span) -> bool:
        """Keep a span; False when its trace is full. The same span again (a repeated export) changes nothing."""
        spans = self._traces.setdefault(span.trace_id, {})
        if span.span_id in spans:
            return True
        if len(spans) >= self._trace_spans_max:
            return False
        spans[span.span_id] = span
        self.span_count += 1
        while self.span_count > self._spans_max:
            _, dropped = self._traces.popitem(last=False)
            self.span_count -= len(dropped)
        return True

    def find(self, trace_id: str) -> Trace | None:
        """The trace of that id."""
        spans = self._traces.get(trace_id)
        return _trace(trace_id, spans) if spans else None

    def by_request(self, request_id: str) -> Trace | None:
        """The trace in which the edge answered a request of that id."""
        for trace_id, spans in reversed(self._traces.items()):
            if any(span.attributes.get(REQUEST_ID) == request_id for span in spans.values()):
                return _trace(trace_id, spans)
        return None

    def latest(self, limit: int, *, service: str = "", text: str = "") -> list[Trace]:
        """The traces that arrived last, latest first, of those a service took part in and whose root has that text."""
        found: list[Trace] = []
        for trace_id, spans in reversed(self._traces.items()):
            trace = _trace(trace_id, spans)
            if (not service or service in trace.services) and text.lower() in trace.root.name.lower():
                found.append(trace)
                if len(found) == limit:
                    break
        return found


def _trace(trace_id: str, spans: Mapping[str, Span]) -> Trace:
    return Trace(trace_id, tuple(sorted(spans.values(), key=lambda span: (span.start_us, -span.end_us, span.span_id))))
