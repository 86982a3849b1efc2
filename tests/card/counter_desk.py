"""The desk of telephone numbers and of the counter, with a simulated messages platform in this process."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from hrss.card.v1 import contacts_service_pb2 as pb
from hrss.card.v1 import counter_service_pb2 as counter
from ops.simulators import devices
from services.card.operations import texting
from services.card.text_platform import HttpPlatform
from tests.card.builders import CLERK, TODAY, a_key
from tests.card.family_desk import Families
from tests.plugins.databases import owner_execute
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from chassis.principal import Principal
    from tests.card.builders import Person

PADS = a_principal(["PARTNER"], subject="pin-pads", client="pin-pads", scopes=["cards.pin-pad"])
WINDOW = replace(CLERK, natural_person="clerk-1")
PHONE, OTHER_PHONE, PAD = "13800138000", "13900139000", "W01-1"
ACTIVATE, RESET = counter.PIN_ACT_ACTIVATE, counter.PIN_ACT_RESET_PIN
DIGITS = re.compile(r"验证码 ([0-9]{6})")


@dataclass
class Counter(Families):
    """The desk of everything, and who gets its messages."""

    messages: devices.Messages = field(default_factory=devices.Messages)

    def platform(self) -> HttpPlatform:
        """The messages platform, reached as over a network."""
        transport = httpx.ASGITransport(app=devices.app(self.messages))
        return HttpPlatform("http://messages", httpx.AsyncClient(transport=transport))

    async def send(self, ask_again: float = 60.0) -> int:
        """Send what waits; how many got an answer."""
        count = 0
        while await texting.work_off_one(self.database, self.office, self.platform(), ask_again=ask_again):
            count += 1
        return count

    async def code(self) -> str:
        """The code of the last message that has one."""
        await self.send()
        return next(found[1] for _, text in self.messages.texts if (found := DIGITS.search(text)))

    async def give(self, person: Person, phone: str = PHONE, by: Principal | None = None, **fields: str) -> Any:
        """Give a number."""
        request = pb.SetContactRequest(request_id=a_key(), person_id=person.text, phone=phone, **fields)
        return await self.call("SetContact", request, by or person.acting(2))

    async def confirm(self, code_id: str, code: str, by: Principal) -> Any:
        """Give a code back."""
        request = pb.ConfirmContactRequest(request_id=a_key(), code_id=code_id, code=code)
        return await self.call("ConfirmContact", request, by)

    async def reachable(self, person: Person, phone: str = PHONE, *, is_proof: bool = True) -> None:
        """Put a number on record, set long enough ago to be a proof."""
        given = await self.give(person, phone)
        assert (await self.confirm(given.code_id, await self.code(), person.acting(2))).confirmed
        if is_proof:
            since = datetime.now(UTC) - timedelta(seconds=1)
            await owner_execute(
                self.database, f"UPDATE contact SET factor_from = '{since}' WHERE person_id = '{person.person_id}'"
            )

    async def on_record(self, person: Person, by: Principal | None = None) -> Any:
        """The number on record."""
        return await self.call("GetContact", pb.GetContactRequest(person_id=person.text), by or person.acting(2))

    async def ask(self, card_id: str, act: Any, terminal: str = PAD, by: Principal = WINDOW) -> str:
        """Ask for a PIN on a pad."""
        request = counter.AskForPinRequest(request_id=a_key(), card_id=card_id, terminal=terminal, act=act)
        entry: str = (await self.call("AskForPin", request, by)).pin_entry_id
        return entry

    async def type(self, entry: str, pin: str, by: Principal = PADS) -> Any:
        """Type a PIN on the pad."""
        request = counter.EnterPinRequest(request_id=a_key(), pin_entry_id=entry, pin=pin, simulated=True)
        return await self.call("EnterPin", request, by)

    async def at_counter(self, rpc: str, card_id: str, by: Principal = WINDOW, **fields: Any) -> Any:
        """Go on at the counter."""
        request = getattr(counter, f"{rpc}Request")(request_id=a_key(), card_id=card_id, **fields)
        return await self.call(rpc, request, by, TODAY)
