"""Telling the services which business day a test moved the platform to, so that recurring work starts by it.

Calls carry the day; work that nobody calls for does not. Whoever was away is told when it is back. In production there
is nothing to tell, and the services would refuse to listen.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from chassis.client import Deadline
from chassis.logs import get_logger
from chassis.principal import Principal
from chassis.problems import Fault
from chassis.values import to_date
from hrss.operations.v1 import operations_service_pb2 as pb
from kernel.errors import DomainError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from services.gateway.clock import BusinessClock
    from services.gateway.platform.asking import Callee

log = get_logger(__name__)

LOOK_SECONDS = 0.5
TELL_SECONDS = 2.0
METHOD = "/hrss.operations.v1.OperationsService/FollowDay"
SELF = Principal(subject="system|clock", client="system", roles=frozenset({"OPERATOR"}))


class Teller:
    """Keeps the services on the day of the platform."""

    def __init__(self, clock: BusinessClock, callees: Mapping[str, Callee]) -> None:
        self._clock = clock
        self._callees = callees
        self._told: dict[str, date | None] = {}

    async def run(self) -> None:
        """Tell for ever."""
        while not self._clock.is_prod:
            await self.tell()
            await asyncio.sleep(LOOK_SECONDS)

    async def tell(self) -> None:
        """Tell whoever does not know."""
        day = self._clock.today if self._clock.is_moved else None
        behind = [name for name in self._callees if name not in self._told or self._told[name] != day]
        await asyncio.gather(*(self._tell(name, day) for name in behind))

    async def _tell(self, service: str, day: date | None) -> None:
        request = pb.FollowDayRequest(business_date=to_date(day) if day else None)
        try:
            async with asyncio.timeout(TELL_SECONDS):
                await self._callees[service].call(
                    METHOD,
                    request.SerializeToString(),
                    principal=SELF,
                    today=self._clock.today,
                    deadline=Deadline.after(TELL_SECONDS),
                )
        except (DomainError, Fault, TimeoutError) as error:
            log.debug("day_not_told", service=service, error=type(error).__name__)
        else:
            self._told[service] = day
