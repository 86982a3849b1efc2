"""Spans of messages, by the semantic conventions: one where a message is published, one where it is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.telemetry import span

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from opentelemetry.trace import Span


def publish_span(subject: str, event_id: str) -> AbstractContextManager[Span]:
    """The span of publishing, below the one that wrote the row."""
    attributes = _attributes(subject, event_id, "publish", "send")
    return span(f"publish {subject}", kind="producer", attributes=attributes)


def process_span(subject: str, event_id: str, fact_count: int) -> AbstractContextManager[Span]:
    """The span of taking facts, below the one that published them."""
    attributes = _attributes(subject, event_id, "process", "process") | {"hrss.facts": fact_count}
    return span(f"process {subject}", kind="consumer", attributes=attributes)


def _attributes(subject: str, event_id: str, name: str, kind: str) -> dict[str, str | int]:
    return {
        "messaging.system": "nats",
        "messaging.operation.name": name,
        "messaging.operation.type": kind,
        "messaging.destination.name": subject,
        "messaging.message.id": event_id,
    }
