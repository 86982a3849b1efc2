"""The way to each service: gate, breaker, then the call; the gateway's own RPCs take the same way without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import grpc
from prometheus_client import Gauge

from chassis.client import HOP_SECONDS
from chassis.limits import LEAST_SECONDS
from chassis.problems import Fault
from kernel.errors import Unavailable
from services.gateway.edge.limits import Breaker, Gate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from chassis.client import Deadline, Reply
    from chassis.principal import Principal

BREAKER_OPEN = Gauge("hrss_edge_breaker_open", "1 while calls to a service are refused at once.", ["service"])

_NOBODY_THERE = frozenset({grpc.StatusCode.DEADLINE_EXCEEDED})


class Callee(Protocol):
    """Whoever answers RPCs: `chassis.client.Backend` over the network, or this process itself."""

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
        """Call an RPC with the bytes of its request."""
        ...

    async def ready(self, seconds: float) -> bool:
        """Whether it can be reached within so many seconds."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


class Guarded:
    """One service behind its gate and breaker."""

    def __init__(self, name: str, callee: Callee, *, gate: Gate | None = None) -> None:
        self.name = name
        self._callee = callee
        self._gate = gate or Gate()
        self._breaker = Breaker(name)
        BREAKER_OPEN.labels(name).set_function(lambda: float(self._breaker.is_open))

    async def call(
        self,
        method: str,
        body: bytes,
        *,
        principal: Principal,
        today: date,
        deadline: Deadline,
        priority: str,
        request_id: str = "",
        min_version: str = "",
    ) -> Reply:
        """Call an RPC.

        Raises:
            DomainError: What the service refused; Busy SERVER_BUSY, Unavailable SERVICE_UNAVAILABLE from here.
            Fault: Its bug, or a passed deadline.
        """
        _require_time(deadline)  # a call that is not sent says nothing about the service
        self._breaker.check()
        await self._gate.enter(priority)
        try:
            _require_time(deadline)
        except Fault:
            self._gate.leave()
            raise
        answered = True
        try:
            return await self._callee.call(
                method,
                body,
                principal=principal,
                today=today,
                deadline=deadline,
                request_id=request_id,
                min_version=min_version,
            )
        except Unavailable as error:
            answered = error.reason != "SERVICE_UNAVAILABLE"
            raise
        except Fault as fault:
            answered = fault.code not in _NOBODY_THERE
            raise
        finally:
            self._gate.leave()
            self._breaker.record(answered=answered)

    @property
    def is_open(self) -> bool:
        """Whether the breaker refuses calls."""
        return self._breaker.is_open

    @property
    def callee(self) -> Callee:
        """Who answers, past gate and breaker: for asking a service how it is, which must neither queue nor open it."""
        return self._callee

    async def ready(self, seconds: float) -> bool:
        """Whether the service can be reached."""
        return await self._callee.ready(seconds)

    async def close(self) -> None:
        """Let go of the service."""
        await self._callee.close()


def _require_time(deadline: Deadline) -> None:
    if deadline.remaining() - HOP_SECONDS < LEAST_SECONDS:
        raise Fault(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "no time is left for the call")


async def ready_by_name(backends: Mapping[str, Guarded], seconds: float) -> dict[str, bool]:
    """Which services can be reached."""
    return {name: await backend.ready(seconds) for name, backend in backends.items()}
