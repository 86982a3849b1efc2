"""The gateway's own RPCs (MeService, TestClockService), answered in this process without a network hop.

They take the same way as any other RPC: access rule, strict decoding, stored reply. What they need beyond the principal
(the login's grant, whether it is simulated) the edge hands over in a context variable of the call.
"""

from __future__ import annotations

import hashlib
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message_factory import GetMessageClass

from chassis.client import Reply
from chassis.once import RequestKey, once
from chassis.problems import Fault
from chassis.values import to_date
from hrss.gateway.v1 import gateway_service_pb2 as pb
from kernel import ids
from kernel.errors import DomainError, Forbidden, InvalidInput
from services.gateway import store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from google.protobuf.message import Message

    from chassis.client import Deadline
    from chassis.database import Database
    from chassis.principal import Principal
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


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    body: bytes
    principal: Principal
    today: date


class OwnServices:
    """Answers the gateway's RPCs; a `Callee` like the channel of another service."""

    def __init__(self, database: Database, clock: BusinessClock) -> None:
        self._database = database
        self._clock = clock
        self._handlers: dict[str, tuple[type[Message], Callable[[Any, _Call], Awaitable[Reply]]]] = {}
        for service in pb.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                handler = getattr(self, method.name)  # an RPC without a handler stops the start here
                self._handlers[f"/{service.full_name}/{method.name}"] = (GetMessageClass(method.input_type), handler)

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
        del deadline, request_id, min_version  # nothing here waits for another process
        found = self._handlers.get(method)
        if found is None:
            raise Fault(grpc.StatusCode.UNIMPLEMENTED, "UNIMPLEMENTED", "the gateway has no such call")
        request, handler = found
        return await handler(request.FromString(body), _Call(method, body, principal, today))

    async def ready(self, seconds: float) -> bool:
        """Whether it can be reached: it is here."""
        del seconds
        return True

    async def close(self) -> None:
        """Nothing is held."""

    async def GetMe(self, _request: pb.GetMeRequest, call: _Call) -> Reply:
        """Show who the caller is."""
        login, principal = LOGIN.get(), call.principal
        answer = pb.GetMeResponse(
            subject=principal.subject,
            roles=sorted(principal.roles),
            scopes=sorted(principal.scopes),
            person_id=ids.to_text("per", principal.person_id) if principal.person_id else "",
            name_masked=login.name_masked,
            acr=principal.acr,
            business_date=to_date(call.today),
            simulated_identity=login.simulated,
        )
        return Reply(answer.SerializeToString())

    async def GetTestClock(self, _request: pb.GetTestClockRequest, _call: _Call) -> Reply:
        """Show the business day."""
        self._require_test_mode()
        answer = pb.GetTestClockResponse(business_date=to_date(self._clock.today), moved=self._clock.is_moved)
        return Reply(answer.SerializeToString())

    async def SetTestClock(self, request: pb.SetTestClockRequest, call: _Call) -> Reply:
        """Move the business day. A repeated request answers as before and moves nothing."""
        self._require_test_mode()
        day = _day(request)

        async def work(tx: Transaction) -> bytes:
            await store.move_day(tx, day)
            tx.audit("move test clock", detail={"day": str(day) if day else "real"})
            tx.after_commit(lambda: self._clock.follow(day))
            shown = day or self._clock.real_day
            return pb.SetTestClockResponse(business_date=to_date(shown)).SerializeToString()

        digest = hashlib.sha256(call.body).digest()
        key = RequestKey(call.principal.caller, call.method, request.request_id, digest)
        stored = await once(self._database, key, work, principal=call.principal, today=call.today)
        return Reply(stored.body, replayed=stored.replayed, min_version=stored.min_version)

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
