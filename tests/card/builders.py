"""Enrollment as the card service hears it, and the service as its callers call it: builders with valid defaults."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from chassis.receive import incoming, receive
from chassis.sealed import Sealer
from hrss.card.v1 import card_service_pb2 as pb
from hrss.enrollment.v1 import enrollment_events_pb2 as heard
from hrss.enrollment.v1 import enrollment_pb2 as register
from hrss.type.v1 import calendar_pb2, fact_pb2
from kernel import ids
from kernel.identity import TEST_REGION, make_resident_id
from services.card import tokens
from services.card.events import ENROLLMENT, EXCHANGE_KEY
from services.card.tokens import Token
from services.enrollment.messages import facts as enrollment_facts
from services.enrollment.register import Person as Registered
from tests.plugins.databases import owner_fetch
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.database import Database
    from chassis.principal import Principal
    from services.card.keyring import KeyRing
    from tests.plugins.grpc_harness import Running

TODAY = date(2026, 7, 20)
BIRTH = date(1990, 1, 1)
NAME = "赵示例一"
PIN = "258036"
CENTRE = a_principal(["PARTNER"], subject="card-centre", client="card-centre", scopes=["cards.feed"])
HOSPITAL = a_principal(["PARTNER"], subject="hospital", client="hospital", scopes=["cards.verify"])
PHARMACY = a_principal(
    ["PARTNER"], subject="pharmacy", client="pharmacy", scopes=["cards.verify", "cards.verify.payment"]
)
CLERK = a_principal(["CLERK"], subject="idp|clerk-1", purpose="counter", acr=4)
ISSUED, LOST, UNLOST, LOCKED, CANCELLED = (
    pb.PHYSICAL_CARD_EVENT_ISSUED,
    pb.PHYSICAL_CARD_EVENT_LOST,
    pb.PHYSICAL_CARD_EVENT_UNLOST,
    pb.PHYSICAL_CARD_EVENT_LOCKED,
    pb.PHYSICAL_CARD_EVENT_CANCELLED,
)
_numbers = itertools.count(1)


def a_key() -> str:
    """A request id that nobody used before."""
    return f"r-{next(_numbers)}"


@dataclass
class Person:
    """Somebody who does not exist."""

    person_id: UUID
    id_no: str
    name: str = NAME
    birth: date = BIRTH
    sequence: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    physical_ref: str = "PHYS-0001"

    @property
    def text(self) -> str:
        """The id as it is shown."""
        return ids.to_text("per", self.person_id)

    def acting(self, acr: int = 4) -> Principal:
        """This person, logged in."""
        return a_principal(
            ["CITIZEN"], person_id=self.person_id, acr=acr, subject=f"idp|{self.person_id}", client="app"
        )


@dataclass
class Desk:
    """The service and everybody who calls it."""

    database: Database
    running: Running
    keys: KeyRing

    async def call(self, rpc: str, request: Any, by: Principal, today: date = TODAY) -> Any:
        """Call an RPC."""
        return await self.running.call(rpc, request, by, today=today, timeout=20)

    async def person(self, name: str = NAME, birth: date = BIRTH) -> Person:
        """A person whom enrollment has announced, sealed by enrollment's own code."""
        number = next(_numbers)
        id_no = make_resident_id(TEST_REGION, date(1990, 1, 1) + timedelta(days=number // 999), number % 999)
        person = Person(ids.new_id(), id_no, name, birth)
        await self.hear(self.registered(person))
        return person

    def registered(self, person: Person) -> heard.PersonRegistered.Fact:
        """What enrollment says of a person."""
        exchange = Sealer.load(self.database.settings.keys_dir / EXCHANGE_KEY)
        registered = Registered(
            person_id=person.person_id,
            name=person.name,
            id_no=person.id_no,
            birth_date=person.birth,
            sex="male",
            division=TEST_REGION,
            retirement_month=None,
        )
        fact = enrollment_facts.person_registered(registered, exchange)
        fact.header.MergeFrom(
            fact_pb2.FactHeader(version=1, business_date=calendar_pb2.Date(year=2026, month=7, day=20))
        )
        assert fact.sex == register.SEX_MALE
        return fact

    def changed(self, person: Person, version: int) -> heard.PersonChanged.Fact:
        """What enrollment says of a person whose record changed."""
        exchange = Sealer.load(self.database.settings.keys_dir / EXCHANGE_KEY)
        now = Registered(
            person_id=person.person_id,
            name=person.name,
            id_no=person.id_no,
            birth_date=person.birth,
            sex="male",
            division=TEST_REGION,
        )
        fact = enrollment_facts.person_changed(now, exchange)
        fact.header.MergeFrom(
            fact_pb2.FactHeader(version=version, business_date=calendar_pb2.Date(year=2026, month=7, day=20))
        )
        return fact

    async def hear(self, fact: Any, kind: Any = heard.PersonRegistered) -> None:
        """Hand a fact over, as the broker would."""
        message = kind(facts=[fact])
        headers = {"Nats-Msg-Id": str(ids.new_id())}
        name = message.DESCRIPTOR.full_name
        await receive(self.database, ENROLLMENT, incoming(ENROLLMENT, name, message.SerializeToString(), headers))

    async def announce(
        self, person: Person, event: pb.PhysicalCardEvent.ValueType = ISSUED, **fields: Any
    ) -> pb.AnnouncePhysicalCardResponse:
        """Announce what happened to a physical card."""
        by = fields.pop("by", CENTRE)
        today = fields.pop("today", TODAY)
        values: dict[str, Any] = {
            "request_id": a_key(),
            "id_no": person.id_no,
            "physical_card_ref": person.physical_ref,
            "event": event,
            "sequence": fields.pop("sequence", None) or next(person.sequence),
            "simulated": True,
        }
        reply: pb.AnnouncePhysicalCardResponse = await self.call(
            "AnnouncePhysicalCard", pb.AnnouncePhysicalCardRequest(**values | fields), by, today
        )
        return reply

    async def issued(self, person: Person, **fields: Any) -> str:
        """A card that was issued."""
        return (await self.announce(person, **fields)).card_id

    async def active(self, person: Person, **fields: Any) -> str:
        """A card that its holder activated."""
        card_id = await self.issued(person, **fields)
        await self.activate(person, card_id)
        return card_id

    async def activate(
        self, person: Person, card_id: str, *, pin: str = PIN, consent: bool = True, acr: int = 3
    ) -> Any:
        """Activate a card."""
        request = pb.ActivateCardRequest(request_id=a_key(), card_id=card_id, consent=consent, pin=pin)
        return (await self.call("ActivateCard", request, person.acting(acr))).card

    async def do(self, rpc: str, card_id: str, by: Principal, **fields: Any) -> Any:
        """Call an RPC that takes a card and answers with it."""
        request = getattr(pb, f"{rpc}Request")(request_id=a_key(), card_id=card_id, **fields)
        return await self.call(rpc, request, by)

    async def mint(self, person: Person, card_id: str) -> str:
        """A code to show."""
        reply = await self.call("MintToken", pb.MintTokenRequest(card_id=card_id), person.acting(2))
        token: str = reply.token
        return token

    async def verify(
        self, token: str, by: Principal = HOSPITAL, purpose: str = "identity", key: str = ""
    ) -> pb.VerifyTokenResponse:
        """Verify a code."""
        request = pb.VerifyTokenRequest(request_id=key or a_key(), token=token, purpose=purpose)
        reply: pb.VerifyTokenResponse = await self.call("VerifyToken", request, by)
        return reply

    async def forged(self, card_id: str, **changes: Any) -> str:
        """A code with our signature that says what a test wants."""
        rows = await self.rows("SELECT reference FROM card WHERE card_id = $1", ids.parse("crd", card_id))
        values: dict[str, Any] = {"reference": rows[0]["reference"], "ttl": 60, "number": b"n" * 8, "level": 1}
        return tokens.mint(Token(**values | changes), self.keys)

    async def rows(self, statement: str, *parameters: Any) -> list[Any]:
        """Rows of the database, as its owner sees them."""
        return await owner_fetch(self.database, statement, *parameters)

    async def said(self) -> list[str]:
        """The events that were said, in order."""
        rows = await self.rows("SELECT subject FROM outbox ORDER BY seq")
        return [row["subject"].rpartition(".")[2] for row in rows]
