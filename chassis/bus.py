"""The bus: one connection to NATS JetStream, publishing with acknowledgement, pulling from durable consumers.

Nobody waits for the broker to start: the connection is made and kept in the background, and publishing without it is
`Unavailable`. Streams and consumers are made by `provision` with the administrator's user; a service's own user may
only publish its events and pull its own durables.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import nats
import nats.errors
import nats.js.errors
from nats.js import api

from chassis.facts import DeclarationWrong
from chassis.logs import get_logger
from chassis.pull import Pull, away
from kernel.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence

    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

    from chassis.inbox import Consumer

log = get_logger(__name__)

CONNECT_SECONDS = 2
RECONNECT_WAIT_SECONDS = 0.5
PING_SECONDS = 2  # with two unanswered pings a dead link is noticed within six seconds
PINGS_OUTSTANDING_MAX = 2
PUBLISH_SECONDS = 5.0
ERROR_LOG_SECONDS = 30.0  # an outage is told now and then, not with each of its attempts

# What a killed consumer had in hand goes to another after this time; all services must agree again 30 s after a fault.
ACK_WAIT_SECONDS = 10
ACK_PENDING_MAX = 256
DUPLICATE_WINDOW_SECONDS = 600
STREAM_BYTES_MAX = 1 << 30  # an alarm stands at 70 %; a full stream refuses, and the outbox keeps
STREAM_AGE_SECONDS = 30 * 86_400  # as long as the outbox keeps its rows

NOT_FOUND = 404


AUDIT_STREAM = "hrss-audit"
AUDIT_SUBJECTS = "hrss.audit.v1.>"
AUDIT_BYTES_MAX = 2 << 30  # five services, a checkpoint of 700 bytes each minute: more than a year


def stream_of(service: str) -> str:
    """The stream of a service's events."""
    return f"hrss-{service}"


def subjects_of(service: str) -> str:
    """The subjects of a service's events."""
    return f"hrss.{service}.v1.>"


class Bus:
    """The connection of one process.

    Args:
        url: Servers, separated by commas; with the service's user.
        service: Whose durables are pulled.
    """

    def __init__(self, url: str, service: str) -> None:
        self.service = service
        self._servers = [part.strip() for part in url.split(",") if part.strip()]
        self._client: Client | None = None
        self._stream: JetStreamContext | None = None  # making one costs more than publishing
        self._connecting: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self._closing = False

    @property
    def is_connected(self) -> bool:
        """Whether the broker can be reached now, as far as is known."""
        return self._client is not None and self._client.is_connected

    async def start(self) -> None:
        """Begin to connect; returns at once."""
        if self._servers and self._connecting is None:
            self._connecting = asyncio.create_task(self._connect(), name="bus connect")

    async def wait_connected(self, seconds: float) -> None:
        """Wait for the connection.

        Raises:
            Unavailable: BROKER_UNAVAILABLE: there is none by then.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._connected.wait()
        except TimeoutError:
            raise away() from None

    async def close(self) -> None:
        """Close the connection; what was not acknowledged stays in the outbox."""
        self._closing = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._client is not None:
            with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
                await self._client.close()

    async def publish(self, subject: str, payload: bytes, headers: Mapping[str, str]) -> None:
        """Publish an event and wait until the stream has it on disk.

        Raises:
            Unavailable: BROKER_UNAVAILABLE (nothing was sent) or PUBLISH_UNCERTAIN (it may have arrived).
        """
        stream = self._stream
        if stream is None or not self.is_connected:
            raise away()
        try:
            await stream.publish(subject, payload, timeout=PUBLISH_SECONDS, headers=dict(headers))
        except nats.js.errors.NoStreamResponseError:
            raise Unavailable("STREAM_MISSING", "no stream takes this subject", retry_after=5.0) from None
        except (nats.errors.Error, OSError, TimeoutError) as error:
            raise Unavailable(
                "PUBLISH_UNCERTAIN", f"the broker did not acknowledge ({type(error).__name__})", retry_after=1.0
            ) from None

    @contextlib.asynccontextmanager
    async def pull(self, producer: str, take: Callable[[Msg], None]) -> AsyncIterator[Pull]:
        """Open this service's durable on the stream of a producer; `take` gets each message as it comes.

        Raises:
            Unavailable: BROKER_UNAVAILABLE.
        """
        client = self._client
        if client is None or not client.is_connected:
            raise away()
        pull = Pull(client, stream_of(producer), self.service, take)
        try:
            await pull.open()
        except (nats.errors.Error, OSError):
            raise away() from None
        try:
            yield pull
        finally:
            await pull.close()

    async def consumer_lag(self, producer: str) -> tuple[int, int]:
        """How many messages this service was not yet given of a producer, and how many it has not acknowledged.

        Raises:
            Unavailable: BROKER_UNAVAILABLE, CONSUMER_MISSING.
        """
        client = self._client
        if client is None or not client.is_connected:
            raise away()
        try:
            info = await client.jetstream(timeout=PUBLISH_SECONDS).consumer_info(stream_of(producer), self.service)
        except nats.js.errors.NotFoundError:
            raise Unavailable("CONSUMER_MISSING", f"no durable of {self.service} on {producer}") from None
        except (nats.errors.Error, OSError, TimeoutError):
            raise away() from None
        return info.num_pending or 0, info.num_ack_pending or 0

    async def _connect(self) -> None:
        async def disconnected() -> None:
            self._connected.clear()
            if not self._closing:
                log.warning("broker_disconnected")

        async def reconnected() -> None:
            self._connected.set()
            log.info("broker_connected")

        async def closed() -> None:
            # The library gives up for ever after some errors (a revoked user, for example); we do not.
            self._connected.clear()
            if not self._closing:
                self._connecting = asyncio.create_task(self._connect_again(), name="bus connect")

        self._client = await connect(
            self._servers,
            name=f"hrss-{self.service}",
            on_disconnected=disconnected,
            on_reconnected=reconnected,
            on_closed=closed,
        )
        self._stream = self._client.jetstream(timeout=PUBLISH_SECONDS)
        await reconnected()

    async def _connect_again(self) -> None:
        await asyncio.sleep(RECONNECT_WAIT_SECONDS)
        await self._connect()


async def connect(
    servers: Sequence[str],
    *,
    name: str,
    on_disconnected: Callable[[], Awaitable[None]] | None = None,
    on_reconnected: Callable[[], Awaitable[None]] | None = None,
    on_closed: Callable[[], Awaitable[None]] | None = None,
    attempts: int = -1,
) -> Client:
    """Connect with the settings that every link of the platform has; by default waits for ever."""
    said: dict[str, float] = {}

    async def failed(error: Exception) -> None:  # permission errors appear only here
        kind, now = type(error).__name__, time.monotonic()
        if now - said.get(kind, -ERROR_LOG_SECONDS) >= ERROR_LOG_SECONDS:
            said[kind] = now
            log.warning("broker_error", error=kind)

    user = urlsplit(servers[0]).username
    return await nats.connect(
        list(servers),
        name=name,
        inbox_prefix=f"_INBOX_{user}" if user else "_INBOX",  # else each service could read the others' answers
        connect_timeout=CONNECT_SECONDS,
        reconnect_time_wait=RECONNECT_WAIT_SECONDS,
        max_reconnect_attempts=attempts,
        allow_reconnect=attempts < 0,
        ping_interval=PING_SECONDS,
        max_outstanding_pings=PINGS_OUTSTANDING_MAX,
        error_cb=failed,
        disconnected_cb=on_disconnected,
        reconnected_cb=on_reconnected,
        closed_cb=on_closed,
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """What a stream may hold."""

    replicas: int = 1  # 3 in production, on three nodes
    bytes_max: int = STREAM_BYTES_MAX


async def provision(
    admin_url: str,
    *,
    streams: Iterable[str],
    consumers: Mapping[str, Iterable[Consumer]],
    limits: Limits | None = None,
    with_audit: bool = False,
) -> None:
    """Make or update the streams of these services and the durables of these consumers.

    Args:
        admin_url: Servers with the administrator's user.
        streams: Services that say something.
        consumers: What each service listens to.
        limits: Replicas and size of each stream.
        with_audit: Also the stream of the audit's checkpoints.

    Raises:
        DeclarationWrong: The consumers of a service do not fit together.
    """
    client = await connect([part.strip() for part in admin_url.split(",")], name="hrss-migrate", attempts=1)
    try:
        stream = client.jetstream(timeout=PUBLISH_SECONDS)
        for service in streams:
            await _ensure_stream(stream, service, limits or Limits())
        if with_audit:
            await _ensure_audit_stream(stream, limits or Limits())
        for service, listened in consumers.items():
            declared = list(listened)
            check_together(declared)
            for consumer in declared:
                await _ensure_consumer(stream, service, consumer)
    finally:
        await client.close()


def check_together(consumers: Sequence[Consumer]) -> None:
    """Check what only all consumers of a service together can get wrong.

    Raises:
        DeclarationWrong: Two of them name one producer, or two producers say facts of one kind.
    """
    owner: dict[str, str] = {}
    producers = [consumer.producer for consumer in consumers]
    if len(set(producers)) < len(producers):
        raise DeclarationWrong("one Consumer per producer: they would share one durable")
    for consumer in consumers:
        for event_type in consumer.types.values():
            if owner.setdefault(event_type.kind, consumer.producer) != consumer.producer:
                raise DeclarationWrong(f"two producers count versions of {event_type.kind}")


async def _ensure_stream(stream: Any, service: str, limits: Limits) -> None:
    config = _kept_on_disk(
        name=stream_of(service),
        subjects=[subjects_of(service)],
        num_replicas=limits.replicas,
        max_bytes=limits.bytes_max,
        max_age=STREAM_AGE_SECONDS,
    )
    await _ensure(stream, config)


async def _ensure_audit_stream(stream: Any, limits: Limits) -> None:
    """Signed checkpoints have no age at which they are dropped: they are the evidence."""
    config = _kept_on_disk(
        name=AUDIT_STREAM,
        subjects=[AUDIT_SUBJECTS],
        num_replicas=limits.replicas,
        max_bytes=min(AUDIT_BYTES_MAX, 2 * limits.bytes_max),
    )
    await _ensure(stream, config)


def _kept_on_disk(**values: Any) -> api.StreamConfig:
    return api.StreamConfig(
        storage=api.StorageType.FILE,
        discard=api.DiscardPolicy.NEW,  # the other policy would drop the oldest in silence
        duplicate_window=DUPLICATE_WINDOW_SECONDS,
        deny_delete=True,
        deny_purge=True,
        **values,
    )


async def _ensure(stream: Any, config: api.StreamConfig) -> None:
    try:
        await stream.stream_info(config.name)
    except nats.js.errors.NotFoundError:
        await stream.add_stream(config)
    else:
        await stream.update_stream(config)


async def _ensure_consumer(stream: Any, service: str, consumer: Consumer) -> None:
    config = api.ConsumerConfig(
        durable_name=service,
        filter_subjects=sorted(consumer.subjects),
        deliver_policy=api.DeliverPolicy.ALL,
        ack_policy=api.AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT_SECONDS,
        max_deliver=-1,  # a limit would skip a message in silence; deliveries are counted in the database
        max_ack_pending=ACK_PENDING_MAX,
    )
    await stream.add_consumer(stream_of(consumer.producer), config)
