"""What a gateway in front of these services has to do besides passing calls on, for the peer of the bare hop.

The services answer nobody without a signed assertion; a gateway that is open to a city limits its callers, writes what
was asked of it and counts how long it took. Plain ASGI around the peer, because that is the cheapest place.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
import uuid
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from prometheus_client import Histogram

from chassis.principal import Principal, Signer

if TYPE_CHECKING:
    from collections.abc import Callable

are_asked = os.environ.get("PEER_DUTIES") == "yes"

RATE, BURST = 1000.0, 2000.0
_SECONDS = Histogram("peer_seconds", "Time from a request to its answer.", ["method", "status"])


def voucher() -> Callable[[str, bytes, str, str], bytes]:
    """Signs the assertion of a call: method, body, subject, client."""
    signer = Signer(Path(os.environ["HRSS_KEYS_DIR"]))

    def sign(method: str, body: bytes, subject: str, client: str) -> bytes:
        principal = Principal(subject=subject, client=client, roles=frozenset({"PARTNER"}), acr=2)
        return signer.sign(
            principal,
            method=method,
            digest=hashlib.sha256(body).digest(),
            now=datetime.now(UTC),
            business_date=date(2026, 11, 2),
            request_id=uuid.uuid4().hex,
        )

    return sign


class Duties:
    """Limit, log line, metric and the headers that go with them."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._buckets: dict[str, tuple[float, float]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        left = self._take(next((value for name, value in scope["headers"] if name == b"authorization"), b""))
        request_id = uuid.uuid4().hex
        status = 0

        async def told(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    (b"ratelimit", b'"write";r=%d' % left),
                ]
            await send(message)

        await self._app(scope, receive, told)
        seconds = time.perf_counter() - started
        _SECONDS.labels(scope["method"], status).observe(seconds)
        line = {
            "event": "http_request",
            "method": scope["method"],
            "status": status,
            "ms": round(seconds * 1000, 1),
            "request_id": request_id,
            "timestamp": datetime.now(UTC).isoformat(),
        }
        sys.stderr.buffer.write(orjson.dumps(line) + b"\n")
        sys.stderr.buffer.flush()

    def _take(self, who: bytes) -> int:
        key, now = hashlib.sha256(who).hexdigest(), time.monotonic()
        tokens, since = self._buckets.get(key, (BURST, now))
        tokens = min(BURST, tokens + (now - since) * RATE) - 1
        self._buckets[key] = (tokens, now)
        return int(tokens)
