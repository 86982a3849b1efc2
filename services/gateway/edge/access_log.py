"""One log line per request, written without the log pipeline.

The pipeline cleans every value of every line, which is right for lines that anybody may write and costs a seventh of a
call here. This line has fixed fields of known shape: a route template, numbers, ids that were made or checked by the
edge, and a client id of harmless characters. On a developer's terminal the pipeline writes it, so that it is readable.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from chassis import telemetry
from chassis.logs import get_logger

if TYPE_CHECKING:
    from typing import BinaryIO

    from services.gateway.edge.exchange import Answer, Exchange
    from services.gateway.settings import GatewaySettings

log = get_logger(__name__)
_EVENT = "http_request"


class AccessLog:
    """Writes what was asked for and how it was answered; never a path, a query, a header or a body."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._is_off = settings.log_level in {"warning", "error"}
        is_readable = settings.env == "dev" and sys.stderr.isatty()
        self._out: BinaryIO | None = None if is_readable else getattr(sys.stderr, "buffer", None)

    def write(self, exchange: Exchange, answer: Answer, seconds: float) -> None:
        """Write the line of one request."""
        if self._is_off:
            return
        fields = {
            "method": exchange.method if exchange.route is not None else "",
            "route": exchange.label,
            "status": answer.status,
            "code": answer.code,
            "client": exchange.client,
            "ms": round(seconds * 1000, 1),
        }
        if self._out is None:
            log.info(_EVENT, **fields)
            return
        line = {
            "event": _EVENT,
            **fields,
            "request_id": exchange.request_id,
            "trace_id": telemetry.trace_id(),
            "level": "info",
            "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "service": "gateway",
        }
        try:
            self._out.write(orjson.dumps(line) + b"\n")
            self._out.flush()
        except (OSError, ValueError):
            return  # a broken pipe of the log is no reason to fail a request
