"""Requests about the other kinds, with valid defaults, and what a clerk and a supervisor do with them over the wire."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from hrss.benefits.v1 import benefits_service_pb2 as service_pb
from hrss.benefits.v1 import determinations_service_pb2 as pb
from hrss.benefits.v1 import keeping_service_pb2 as keeping_pb
from hrss.benefits.v1 import upkeep_service_pb2 as upkeep_pb
from hrss.type.v1 import calendar_pb2, money_pb2
from kernel import ids
from kernel.money import Money
from tests.benefits.builders import ACCOUNT, CLERK, SUPERVISOR, TODAY

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.principal import Principal
    from hrss.benefits.v1 import benefits_pb2 as model
    from tests.plugins.grpc_harness import Running

_CONTRACTS = (pb, service_pb, keeping_pb, upkeep_pb)
DOCUMENT = "通人社核〔2026〕001号"


def yuan(text: str) -> money_pb2.Money:
    """An amount."""
    return money_pb2.Money(fen=Money.yuan(text).fen)


def day(text: str) -> calendar_pb2.Date:
    """A day."""
    one = date.fromisoformat(text)
    return calendar_pb2.Date(year=one.year, month=one.month, day=one.day)


def month(text: str) -> calendar_pb2.Month:
    """A month."""
    return calendar_pb2.Month(year=int(text[:4]), month=int(text[5:]))


def payee(account: str = ACCOUNT) -> service_pb.Payee:
    """An account of nobody."""
    return service_pb.Payee(name="李四", account=account)


@dataclass
class Counter:
    """A clerk and a supervisor at their desks."""

    running: Running
    today: date = TODAY
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def call(self, rpc: str, principal: Principal = CLERK, **values: Any) -> Any:
        """One call; ids of persons may be given as they are."""
        request = next(getattr(one, f"{rpc}Request") for one in _CONTRACTS if hasattr(one, f"{rpc}Request"))
        names = {one.name for one in request.DESCRIPTOR.fields}
        given = {name: _id(name, value) for name, value in values.items()}
        if "request_id" in names:
            given = {"request_id": f"kinds-{next(self.numbers)}"} | given
        if rpc.startswith("Prepare") and "document" in names:
            given = {"document": DOCUMENT} | given
        if rpc.startswith("Prepare") and "payee" in names:
            given = {"payee": payee()} | given
        return await self.running.call(rpc, request(**given), principal, today=self.today)

    async def approve(self, one: model.Determination) -> service_pb.ApproveDeterminationResponse:
        """A determination, approved."""
        made: service_pb.ApproveDeterminationResponse = await self.call(
            "ApproveDetermination",
            SUPERVISOR,
            determination_id=one.determination_id,
            statement_digest=one.statement_digest,
        )
        return made

    async def ended(self, **values: Any) -> None:
        """A benefit, ended: a clerk asks, a supervisor decides."""
        asked = (await self.call("EndBenefit", **values)).request
        await self.decide(asked.keeping_request_id)

    async def decide(self, keeping_request_id: str, principal: Principal = SUPERVISOR) -> Any:
        """What waits for a second person, approved."""
        return await self.call("DecideKeepingRequest", principal, keeping_request_id=keeping_request_id, approve=True)

    async def determined(self, rpc: str, **values: Any) -> list[model.Benefit]:
        """What comes of a preparation when all of it is approved."""
        prepared = await self.call(rpc, **values)
        return [(await self.approve(one)).benefit for one in prepared.determinations]


def _id(name: str, value: Any) -> Any:
    return ids.to_text("per", value) if name == "person_id" else value


def amounts(found: list[model.Benefit]) -> list[str]:
    """Monthly amounts in yuan."""
    return [str(Money(one.monthly.fen)) for one in found]


def per(person_id: UUID) -> str:
    """An id as it is shown."""
    return ids.to_text("per", person_id)
