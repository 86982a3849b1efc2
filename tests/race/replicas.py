"""Two of every service and two gateways on the same databases and the same NATS."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chassis import bus
from hrss.benefits.v1 import benefits_events_pb2 as benefits
from hrss.card.v1 import card_events_pb2 as card
from hrss.enrollment.v1 import enrollment_events_pb2 as enrollment
from ops.bench.ground import ground
from ops.demo.main import of_state
from ops.platform import ASSUMED_VALUES, BACKENDS
from ops.status import look
from tests.race.client import Door

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.bench.ground import Ground
    from ops.demo.stage import Platform

SETTLE_SECONDS = 180.0
EVENTS = {
    message.DESCRIPTOR.full_name: message
    for message in (
        enrollment.PersonRegistered,
        enrollment.ParticipationStarted,
        enrollment.ParticipationEnded,
        card.CardIssued,
        card.CardActivated,
        benefits.BenefitStarted,
    )
}


@dataclass
class Replicas:
    """The platform with its second half."""

    ground: Ground
    ports: tuple[int, int]

    @property
    def platform(self) -> Platform:
        """Where the first half is reached."""
        return of_state(self.ground.state, self.ground.home)

    def doors(self) -> tuple[Door, Door]:
        """Both gateways."""
        return Door(self.ports[0]), Door(self.ports[1])

    async def settled(self) -> None:
        """Wait until everything that was said has been heard."""
        limit = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < limit:
            if (await look(self.ground.databases, self.ground.broker)).is_settled:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"not settled after {SETTLE_SECONDS} s")

    async def facts(self, service: str) -> dict[str, list[str]]:
        """Aggregate ids of every fact in the stream of a service, by event type."""
        client = await bus.connect([self.ground.broker.admin_url], name="race", attempts=1)
        stream = client.jetstream()
        found: dict[str, list[str]] = {}
        left = int((await stream.stream_info(f"hrss-{service}")).state.messages)
        reader = await stream.pull_subscribe("", stream=f"hrss-{service}")
        while left > 0:
            for message in await reader.fetch(min(left, 500), timeout=10):
                left -= 1
                await message.ack()
                if (kind := EVENTS.get(message.subject)) is not None:
                    said: Any = kind.FromString(message.data)
                    found.setdefault(kind.DESCRIPTOR.name, []).extend(fact.header.aggregate_id for fact in said.facts)
        await client.close()
        return found


@contextlib.contextmanager
def replicas() -> Iterator[Replicas]:
    """Start both halves; both are gone afterwards."""
    with ground() as made:
        made.up()
        databases, broker = made.databases, made.broker
        issuer = str(made.state["issuer"])
        second: list[Any] = []
        addresses: dict[str, str] = {}
        try:
            for service in BACKENDS:
                told = {
                    "HRSS_DATABASE_URL": databases.app_urls[service],
                    "HRSS_NATS_URL": broker.urls[service],
                    "HRSS_POLICY_LOCAL": str(ASSUMED_VALUES),
                }
                second.append(made.program(f"services.{service}", f"{service}-2", **told))
            for service, process in zip(BACKENDS, tuple(second), strict=True):
                addresses[f"HRSS_{service.upper()}_ADDRESS"] = f"127.0.0.1:{process.ready['rpc_port']}"
            told = {"HRSS_DATABASE_URL": databases.app_urls["gateway"], "HRSS_HTTP_PORT": "0", **addresses}
            second.append(made.program("services.gateway", "gateway-2", HRSS_IDP_ISSUER=issuer, **told))
            first = int(str(made.state["gateway_url"]).rpartition(":")[2])
            yield Replicas(made, (first, int(second[-1].ready["port"])))
        finally:
            for process in second:
                process.child.terminate()
            for process in second:
                process.stop()
