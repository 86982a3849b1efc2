"""The gateway's own RPCs (MeService, TestClockService), answered in this process without a network hop.

What they need beyond the principal (the login's grant, whether it is simulated) the edge hands over in a context
variable of the call.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

from chassis.call import Servicer
from chassis.values import to_date
from hrss.gateway.v1 import gateway_service_pb2 as pb
from kernel import ids
from kernel.errors import DomainError, Forbidden, InvalidInput
from services.gateway import store

if TYPE_CHECKING:
    from chassis.call import Call
    from chassis.transaction import Transaction
    from services.gateway.clock import BusinessClock

FIRST_YEAR, LAST_YEAR = 1990, 2099  # policy has nothing before, and nobody tests beyond


@dataclass(frozen=True, slots=True)
class Login:
    """What the edge knows about the login behind a call."""

    simulated: bool = False
    name_masked: str = ""


NO_LOGIN = Login()
LOGIN: ContextVar[Login] = ContextVar("login", default=NO_LOGIN)
LANGUAGE: ContextVar[Literal["zh", "en"]] = ContextVar("language", default="zh")  # in which texts are answered


class MeRpc(Servicer):
    """Who the caller is to the platform."""

    service = pb.DESCRIPTOR.services_by_name["MeService"]

    async def GetMe(self, _request: pb.GetMeRequest, call: Call) -> pb.GetMeResponse:
        """Show who the caller is."""
        login, principal = LOGIN.get(), call.principal
        return pb.GetMeResponse(
            subject=principal.subject,
            roles=sorted(principal.roles),
            scopes=sorted(principal.scopes),
            person_id=ids.to_text("per", principal.person_id) if principal.person_id else "",
            name_masked=login.name_masked,
            acr=principal.acr,
            business_date=to_date(call.today),
            simulated_identity=login.simulated,
        )


class ClockRpc(Servicer):
    """The business day that can be moved in development and tests."""

    service = pb.DESCRIPTOR.services_by_name["TestClockService"]

    def __init__(self, clock: BusinessClock) -> None:
        self._clock = clock

    async def GetTestClock(self, _request: pb.GetTestClockRequest, _call: Call) -> pb.GetTestClockResponse:
        """Show the business day."""
        self._require_test_mode()
        return pb.GetTestClockResponse(business_date=to_date(self._clock.today), moved=self._clock.is_moved)

    async def SetTestClock(self, request: pb.SetTestClockRequest, call: Call) -> pb.SetTestClockResponse:
        """Move the business day. A repeated request answers as before and moves nothing."""
        self._require_test_mode()
        day = _day(request)

        async def move(tx: Transaction) -> date:
            await store.move_day(tx, day)
            tx.audit("move test clock", detail={"day": str(day) if day else "real"})
            tx.after_commit(lambda: self._clock.follow(day))
            return day or self._clock.real_day

        return await call.once(move, lambda shown: pb.SetTestClockResponse(business_date=to_date(shown)))

    def _require_test_mode(self) -> None:
        if self._clock.is_prod:
            raise Forbidden("TEST_MODE_ONLY", "the business day cannot be moved in production")


def _day(request: pb.SetTestClockRequest) -> date | None:
    if not request.HasField("business_date"):
        return None
    given = request.business_date
    try:
        day = date(given.year, given.month, given.day)
    except ValueError:
        raise _date_wrong() from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise _date_wrong()
    return day


def _date_wrong() -> DomainError:
    message = f"the day lies between {FIRST_YEAR} and {LAST_YEAR}"
    return InvalidInput("TEST_DATE_INVALID", message, field="business_date")
