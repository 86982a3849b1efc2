"""`hrss status`: which processes stand, and with `--settled` whether everything that was said has arrived.

Settled means: every outbox is published, no fact waits or is parked, no consumer has anything pending, no job runs. It
is looked at twice; as all of it was quiet both times and nothing moved in between, it was quiet at one instant.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import asyncpg

from chassis import bus
from ops.servers import SERVICES

if TYPE_CHECKING:
    from ops.servers import Broker, Databases

CONNECT_SECONDS = 5.0

# One statement for one snapshot; the last value of the sequence moves with every event that is said.
BEHIND = """
    SELECT (SELECT count(*) FROM outbox WHERE published IS NULL) AS outbox,
           (SELECT count(*) FROM waiting) AS waiting,
           (SELECT count(*) FROM parked WHERE state = 'PARKED') AS parked,
           (SELECT count(*) FROM job WHERE state IN ('QUEUED', 'RUNNING')) AS jobs,
           (SELECT coalesce(max(seq), 0) FROM outbox) AS said
"""


@dataclass(frozen=True)
class Behind:
    """What of a service has not arrived."""

    outbox: int
    waiting: int
    parked: int
    jobs: int
    said: int

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left; `said` only tells two looks apart."""
        return not (self.outbox or self.waiting or self.parked or self.jobs)


@dataclass(frozen=True)
class ConsumerLag:
    """What a consumer has not done."""

    producer: str
    consumer: str
    pending: int
    unacknowledged: int
    delivered: int

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left."""
        return not (self.pending or self.unacknowledged)


@dataclass(frozen=True)
class Settlement:
    """One look at everything."""

    services: dict[str, Behind]
    consumers: tuple[ConsumerLag, ...]

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left anywhere."""
        services = all(behind.is_settled for behind in self.services.values())
        return services and all(lag.is_settled for lag in self.consumers)

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "settled": self.is_settled,
            "services": {service: asdict(behind) for service, behind in self.services.items()},
            "consumers": [asdict(lag) for lag in self.consumers],
        }


async def settlement(databases: Databases, broker: Broker) -> Settlement:
    """Look twice; where something moved in between, the second look counts as not settled by what it still shows."""
    first = await look(databases, broker)
    if not first.is_settled:
        return first
    second = await look(databases, broker)
    if second.is_settled and second != first:
        return await settlement(databases, broker)
    return second


async def look(databases: Databases, broker: Broker) -> Settlement:
    """One look at databases and broker."""
    behind, lags = await asyncio.gather(
        asyncio.gather(*(_behind(databases.owner_urls[service]) for service in SERVICES)), _lags(broker)
    )
    return Settlement(dict(zip(SERVICES, behind, strict=True)), lags)


async def _behind(owner_url: str) -> Behind:
    connection = await asyncpg.connect(owner_url, timeout=CONNECT_SECONDS, command_timeout=CONNECT_SECONDS)
    try:
        row = await connection.fetchrow(BEHIND)
        assert row is not None
        return Behind(**row)
    finally:
        await connection.close()


async def _lags(broker: Broker) -> tuple[ConsumerLag, ...]:
    client = await bus.connect([part.strip() for part in broker.admin_url.split(",")], name="hrss-status", attempts=1)
    try:
        stream = client.jetstream(timeout=CONNECT_SECONDS)
        found = [
            (producer, info) for producer in SERVICES for info in await stream.consumers_info(bus.stream_of(producer))
        ]
    finally:
        await client.close()
    return tuple(
        ConsumerLag(
            producer=producer,
            consumer=info.name,
            pending=info.num_pending or 0,
            unacknowledged=info.num_ack_pending or 0,
            delivered=info.delivered.stream_seq if info.delivered else 0,
        )
        for producer, info in found
    )
