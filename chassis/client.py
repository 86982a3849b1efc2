"""Calling a service: used by the gateway only, because a service never calls another.

A call carries the assertion of who is behind it, the trace, and a deadline 100 ms shorter than the caller's own, so
that the answer "too late" still arrives in time.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import grpc
import grpc.aio
from opentelemetry.trace import Status, StatusCode

from chassis import telemetry
from chassis.limits import LEAST_SECONDS, MESSAGE_MAX, METADATA_MAX, MIN_VERSION_KEY, REPLAYED_KEY
from chassis.principal import METADATA_KEY, Principal, Signer
from chassis.problems import Fault, from_rpc_error

if TYPE_CHECKING:
    from collections.abc import Mapping

HOP_SECONDS = 0.1  # what each hop keeps for itself

# Reads and changes with a request id may be sent again, and every change has one. Sent again is what met nobody
# (UNAVAILABLE) and what a server that was just stopping dropped unread (CANCELLED; who cancels here gets no status).
_SERVICE_CONFIG = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
                },
            }
        ],
        "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
    }
)
_CHANNEL_OPTIONS: list[tuple[str, int | str]] = [
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.enable_retries", 1),
    ("grpc.max_receive_message_length", MESSAGE_MAX),
    ("grpc.max_send_message_length", MESSAGE_MAX),
    ("grpc.max_metadata_size", METADATA_MAX),
    # A dead peer is noticed after 5 + 3 s; without the ping timeout it took a minute.
    ("grpc.keepalive_time_ms", 5000),
    ("grpc.http2.ping_timeout_ms", 3000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
]


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment at which the one who asked stops waiting."""

    at: float  # of time.monotonic()

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """So many seconds from now."""
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left; negative when it has passed."""
        return self.at - time.monotonic()


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer of a service."""

    body: bytes
    replayed: bool = False
    min_version: str = ""


class Backend:
    """The channel to one service. Make it inside the running event loop, one per process."""

    def __init__(self, name: str, address: str, signer: Signer) -> None:
        self.name = name
        self._signer = signer
        self._channel = grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS)
        self._calls: dict[str, grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]] = {}

    async def call(
        self,
        method: str,
        body: bytes,
        *,
        principal: Principal,
        today: date,
        deadline: Deadline,
        request_id: str = "",
        min_version: str = "",
    ) -> Reply:
        """Call an RPC with the bytes of its request.

        Raises:
            DomainError: What the service refused, rebuilt; Unavailable SERVICE_UNAVAILABLE when it is away.
            Fault: Its bug, a passed deadline, an RPC that it does not have.
        """
        seconds = deadline.remaining() - HOP_SECONDS
        if seconds < LEAST_SECONDS:
            raise Fault(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "no time is left for the call")
        assertion = self._signer.sign(
            principal,
            method=method,
            digest=hashlib.sha256(body).digest(),
            now=datetime.now(UTC),
            business_date=today,
            request_id=request_id,
        )
        service, _, name = method[1:].partition("/")
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}
        with telemetry.span(method[1:], kind="client", attributes=attributes) as span:
            metadata: list[tuple[str, str | bytes]] = [(METADATA_KEY, assertion)]
            if trace := telemetry.traceparent():
                metadata.append(("traceparent", trace))
            if min_version:
                metadata.append((MIN_VERSION_KEY, min_version))
            try:
                return await self._send(method, body, metadata, seconds)
            except grpc.aio.AioRpcError as raw:
                error = from_rpc_error(raw, self.name)
                if span.is_recording():
                    span.set_attribute("rpc.grpc.status_code", int(raw.code().value[0]))
                    span.set_attribute("error.type", error.reason)
                    span.set_status(Status(StatusCode.ERROR))
        raise error

    async def ready(self, seconds: float) -> bool:
        """Whether the service can be reached within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._channel.channel_ready()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Let go of the channel; calls under way are cancelled."""
        await self._channel.close()

    async def _send(self, method: str, body: bytes, metadata: list[tuple[str, str | bytes]], seconds: float) -> Reply:
        if (send := self._calls.get(method)) is None:
            send = self._calls[method] = self._channel.unary_unary(method)
        call = send(body, timeout=seconds, metadata=tuple(metadata))
        answer = await call
        trailing: Mapping[str, str | bytes] = dict(await call.trailing_metadata() or ())
        return Reply(
            answer, replayed=trailing.get(REPLAYED_KEY) == "true", min_version=str(trailing.get(MIN_VERSION_KEY, ""))
        )
