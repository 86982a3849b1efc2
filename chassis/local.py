"""RPCs that a process answers itself, without a network hop: the gateway's own services.

They take the same way as over the network (`chassis.method`), without the assertion: whoever calls here has just made
the principal itself.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import grpc

from chassis.client import HOP_SECONDS, Reply
from chassis.limits import LEAST_SECONDS, MIN_VERSION_KEY, REPLAYED_KEY
from chassis.method import Method
from chassis.principal import Identity
from chassis.problems import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from chassis.call import Servicer
    from chassis.client import Deadline
    from chassis.database import Database
    from chassis.principal import Principal


class Local:
    """Answers the RPCs of some servicers in this process; stands where `chassis.client.Backend` stands for others."""

    def __init__(self, database: Database, servicers: Iterable[Servicer]) -> None:
        self.database = database
        self.heavy = asyncio.Semaphore(1)
        self._methods = {
            method.path: method
            for servicer in servicers
            for method in (Method(one, servicer, self) for one in servicer.service.methods)
        }

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
            DomainError: What it refuses.
            Fault: A passed deadline, an RPC that is not here.
        """
        found = self._methods.get(method)
        if found is None:
            raise Fault(grpc.StatusCode.UNIMPLEMENTED, "UNIMPLEMENTED", "this process has no such call")
        seconds = deadline.remaining() - HOP_SECONDS
        if seconds < LEAST_SECONDS:
            raise _too_late()
        limit = asyncio.timeout(seconds)
        identity = Identity(principal, today, request_id)
        try:
            async with limit:
                reply, beside = await found.handle(
                    body, hashlib.sha256(body).digest(), identity, until=deadline.at, min_version=min_version
                )
        except TimeoutError:
            if not limit.expired():
                raise
            raise _too_late() from None
        return Reply(reply, replayed=beside.get(REPLAYED_KEY) == "true", min_version=beside.get(MIN_VERSION_KEY, ""))

    async def ready(self, seconds: float) -> bool:
        """Whether it can be reached: it is here."""
        del seconds
        return True

    async def close(self) -> None:
        """Nothing is held."""


def _too_late() -> Fault:
    return Fault(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "the call has no time left")
