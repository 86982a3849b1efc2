"""Services follow the day that a test moved the platform to, also who was away; in production nobody is told."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from chassis.client import Reply
from hrss.operations.v1 import operations_service_pb2 as pb
from kernel.errors import Unavailable
from services.gateway.clock import BusinessClock
from services.gateway.telling import METHOD, Teller

if TYPE_CHECKING:
    from services.gateway.platform.asking import Callee

MOVED = date(2026, 8, 1)


class Heard:
    """A service that notes what it is told."""

    def __init__(self) -> None:
        self.days: list[str] = []
        self.is_away = False

    async def call(self, method: str, body: bytes, **_: Any) -> Reply:
        """Take one call."""
        if self.is_away:
            raise Unavailable("SERVICE_UNAVAILABLE", "away")
        assert method == METHOD
        request = pb.FollowDayRequest.FromString(body)
        day = request.business_date
        self.days.append(f"{day.year}-{day.month}-{day.day}" if request.HasField("business_date") else "real")
        return Reply(b"")


async def test_a_moved_day_is_told_once_and_again_to_who_was_away() -> None:
    clock, one, other = BusinessClock(is_prod=False), Heard(), Heard()
    callees: dict[str, Callee] = {"one": one, "other": other}
    teller = Teller(clock, callees)
    await teller.tell()
    clock.follow(MOVED)
    other.is_away = True
    await teller.tell()
    await teller.tell()
    other.is_away = False
    await teller.tell()
    clock.follow(None)
    await teller.tell()

    assert one.days == other.days == ["real", "2026-8-1", "real"]
    prod = Heard()
    await Teller(BusinessClock(is_prod=True), {"prod": prod}).run()  # it ends at once
    assert prod.days == []
