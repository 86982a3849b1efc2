"""What happens to a call: the gRPC server of a service.

Outermost first: trace → log context → errors → limit → deadline → assertion, then as `chassis.method` says. Requests
and replies travel as bytes, so that the digest of the assertion, the hash of a stored request and a stored reply cost
nothing twice.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
from opentelemetry.trace import Span, Status, StatusCode
from structlog.contextvars import bind_contextvars

from chassis import metrics, telemetry
from chassis.call import Call, Servicer
from chassis.limits import LEAST_SECONDS, MESSAGE_MAX, METADATA_MAX, MIN_VERSION_KEY
from chassis.logs import get_logger
from chassis.method import Method
from chassis.principal import METADATA_KEY, Identity, Verifier
from chassis.problems import DETAILS_KEY, Fault, to_status
from kernel.calendar import shanghai_day
from kernel.errors import Busy, DomainError, InvalidInput, Unauthenticated

if TYPE_CHECKING:
    from google.protobuf.descriptor import MethodDescriptor

    from chassis.config import Settings
    from chassis.database import Database

__all__ = ["CALLS_MAX", "Call", "Server", "Servicer"]

log = get_logger(__name__)

# Sixteen calls for each of the eight database connections: at 5 ms each the last one waits 80 ms. What comes on top
# is told to come again; the gateway's admission should have kept it away.
CALLS_MAX = 128
LONGEST_SECONDS = 30.0  # the edge gives 5; whoever asks for an hour does not get a place for an hour

_OUR_FAULTS = frozenset(
    {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
)
_SERVER_OPTIONS: list[tuple[str, int]] = [
    ("grpc.max_receive_message_length", MESSAGE_MAX),
    ("grpc.max_send_message_length", MESSAGE_MAX),
    ("grpc.max_metadata_size", METADATA_MAX),
    ("grpc.absolute_max_metadata_size", METADATA_MAX),
    # Clients ping every 5 s or more while calls are open; faster ones are cut off.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 3000),
    ("grpc.so_reuseport", 0),  # two processes on one port would split the calls silently
]


class _Answering:
    """One RPC over gRPC: the way of a call from its bytes and metadata to a reply or a status."""

    def __init__(self, descriptor: MethodDescriptor, servicer: Servicer, server: Server) -> None:
        self._method = Method(descriptor, servicer, server)
        self.path = self._method.path
        self._server = server
        self._span_name = self.path[1:]
        service, _, name = self.path[1:].partition("/")
        self._attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}

    async def answer(self, data: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        """Answer a call; the only place where an error becomes a status."""
        started = time.perf_counter()
        given = {key: value for key, value in context.invocation_metadata() or ()}  # noqa: C416 - no mapping, pairs
        with (
            telemetry.remote(_text(given.get("traceparent"))),
            telemetry.span(self._span_name, kind="server", attributes=self._attributes) as span,
        ):
            bind_contextvars(rpc=self.path, trace_id=telemetry.trace_id())
            trailing: dict[str, str] = {}
            error: DomainError | Fault | None = None
            body = b""
            try:
                body, trailing = await self._limited(data, given, context.time_remaining())
            except (DomainError, Fault) as refusal:
                error = refusal
            except Exception:  # our own bug: told to the log, never to the caller
                log.exception("rpc_failed")
                trace_id = telemetry.trace_id()
                error = Fault(
                    grpc.StatusCode.INTERNAL, "INTERNAL", f"internal error, trace {trace_id}", trace_id=trace_id
                )
            code, details = self._outcome(error, span)
        metrics.RPC_SECONDS.labels(self.path, code.name).observe(time.perf_counter() - started)
        pairs: list[tuple[str, str | bytes]] = list(trailing.items())
        if error is not None:
            await context.abort(code, error.message, (*pairs, (DETAILS_KEY, details)))
        if pairs:
            context.set_trailing_metadata(tuple(pairs))
        return body

    async def _limited(
        self, data: bytes, given: dict[str, str | bytes], remaining: float | None
    ) -> tuple[bytes, dict[str, str]]:
        if self._server.in_flight >= CALLS_MAX:
            metrics.CALLS_REFUSED.inc()
            raise Busy("SERVER_BUSY", "the service takes no more calls now", retry_after=1)
        if remaining is None:
            raise InvalidInput("DEADLINE_REQUIRED", "a call carries a deadline")
        if remaining < LEAST_SECONDS:
            raise _too_late()
        remaining = min(remaining, LONGEST_SECONDS)
        limit = asyncio.timeout(remaining)
        self._server.enter()
        try:
            async with limit:
                return await self._answer(data, given, time.monotonic() + remaining)
        except TimeoutError:
            if not limit.expired():
                raise
            # Whatever the call began runs on to its end in its own task: the caller repeats with the same request id.
            raise _too_late() from None
        finally:
            self._server.leave()

    async def _answer(self, data: bytes, given: dict[str, str | bytes], until: float) -> tuple[bytes, dict[str, str]]:
        digest = hashlib.sha256(data).digest()
        identity = self._server.identify(given.get(METADATA_KEY), self.path, digest)
        min_version = _text(given.get(MIN_VERSION_KEY)) or ""
        return await self._method.handle(data, digest, identity, until=until, min_version=min_version)

    def _outcome(self, error: DomainError | Fault | None, span: Span) -> tuple[grpc.StatusCode, bytes]:
        if error is None:
            code, details = grpc.StatusCode.OK, b""
        else:
            status = to_status(error, self._server.name)
            code, details = _CODES[status.code], status.SerializeToString()
            log.info("rpc_refused", code=code.name, reason=error.reason)
        if span.is_recording():
            span.set_attribute("rpc.grpc.status_code", int(code.value[0]))
            if error is not None:
                span.set_attribute("error.type", error.reason)
            if code in _OUR_FAULTS:
                span.set_status(Status(StatusCode.ERROR))
        return code, details


class Server:
    """The gRPC server of a service, with health and reflection beside its RPCs."""

    def __init__(self, settings: Settings, database: Database, servicers: list[Servicer], verifier: Verifier) -> None:
        self.name = settings.service
        self.database = database
        self.heavy = asyncio.Semaphore(1)
        self.in_flight = 0
        self._settings = settings
        self._verifier = verifier
        self._methods = {
            servicer.service.full_name: {one.name: _Answering(one, servicer, self) for one in servicer.service.methods}
            for servicer in servicers
        }
        self._server: grpc.aio.Server | None = None
        self._health: Any = None

    async def start(self) -> int:
        """Listen; returns the port. Health says NOT_SERVING until `serving(True)`."""
        server = grpc.aio.server(options=_SERVER_OPTIONS, maximum_concurrent_rpcs=CALLS_MAX * 4)
        for service, methods in self._methods.items():
            handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
                name: grpc.unary_unary_rpc_method_handler(method.answer) for name, method in methods.items()
            }
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self._add_standard_services(server)
        address = f"{self._settings.rpc_host}:{self._settings.rpc_port}"
        try:
            port = server.add_insecure_port(address)
        except RuntimeError:
            raise OSError(f"cannot listen on {address}") from None
        await server.start()
        self._server = server
        return port

    async def serving(self, *, is_ready: bool) -> None:
        """Say through the health service whether calls are welcome."""
        from grpc_health.v1 import health_pb2  # noqa: PLC0415 - loaded with the server only

        states = health_pb2.HealthCheckResponse
        status = states.SERVING if is_ready else states.NOT_SERVING
        for service in ("", *self._methods):
            await self._health.set(service, status)

    async def stop(self, grace: float) -> None:
        """Take no more calls, finish those that are here within `grace` seconds, cut off the rest."""
        if self._server is not None:
            await self._server.stop(grace)

    def identify(self, assertion: str | bytes | None, method: str, digest: bytes) -> Identity:
        """Who calls, and on which business day. In production nobody may move the day."""
        now = datetime.now(UTC)
        data = assertion if isinstance(assertion, bytes) else None
        identity = self._verifier.verify(data, method=method, digest=digest, now=now)
        # The day may have changed while the call was under way.
        real = shanghai_day(now)
        if self._settings.is_prod and identity.today not in {real, real - timedelta(days=1)}:
            raise Unauthenticated("ASSERTION_REFUSED", "the business day of the call is not today")
        return identity

    def enter(self) -> None:
        """Count a call in."""
        self.in_flight += 1
        metrics.CALLS_IN_FLIGHT.set(self.in_flight)

    def leave(self) -> None:
        """Count a call out."""
        self.in_flight -= 1
        metrics.CALLS_IN_FLIGHT.set(self.in_flight)

    def _add_standard_services(self, server: grpc.aio.Server) -> None:
        from grpc_health.v1 import health, health_pb2, health_pb2_grpc  # noqa: PLC0415 - loaded with the server only
        from grpc_reflection.v1alpha import reflection  # noqa: PLC0415 - the same

        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (*self._methods, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)


_CODES = {int(code.value[0]): code for code in grpc.StatusCode}


def _too_late() -> Fault:
    return Fault(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "the call has no time left")


def _text(value: str | bytes | None) -> str | None:
    return value if isinstance(value, str) else None
