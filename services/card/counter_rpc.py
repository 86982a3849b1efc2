"""The edge for telephone numbers and for acts at the counter: three lines a method."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from chassis.rpc import Call, Servicer
from hrss.card.v1 import contacts_service_pb2 as pb
from hrss.card.v1 import counter_service_pb2 as counter_pb
from services.card.messages import contacts as messages
from services.card.messages import living, requests
from services.card.operations import contacts, counter

if TYPE_CHECKING:
    from services.card.operations.office import Office


class ContactsRpc(Servicer):
    """Telephone numbers of holders."""

    service = pb.DESCRIPTOR.services_by_name["ContactsService"]

    def __init__(self, office: Office) -> None:
        self.office = office

    async def GetContact(self, request: pb.GetContactRequest, call: Call) -> pb.GetContactResponse:
        """Show the number on record."""
        person_id = messages.person(request.person_id)
        return await call.read(
            lambda tx: contacts.show(tx, person_id), lambda found: messages.contact(found, datetime.now(UTC))
        )

    async def SetContact(self, request: pb.SetContactRequest, call: Call) -> pb.SetContactResponse:
        """Send a code to a number."""
        command = messages.give(request)
        _keep_no_plain_digest(call, self.office)
        return await call.once(lambda tx: contacts.give(tx, command, self.office), messages.given)

    async def ConfirmContact(self, request: pb.ConfirmContactRequest, call: Call) -> pb.ConfirmContactResponse:
        """Put a number on record."""
        code_id, digits = messages.code(request.code_id), messages.digits(request.code)
        _keep_no_plain_digest(call, self.office)
        return await call.once(
            lambda tx: contacts.confirm(tx, code_id, digits, self.office),
            lambda tried: messages.confirmed(tried, datetime.now(UTC)),
        )

    async def RemoveContact(self, request: pb.RemoveContactRequest, call: Call) -> pb.RemoveContactResponse:
        """Take a number off the record."""
        person_id = messages.person(request.person_id)
        return await call.once(lambda tx: contacts.remove(tx, person_id), messages.removed)


class CounterRpc(Servicer):
    """The card at the window."""

    service = counter_pb.DESCRIPTOR.services_by_name["CounterService"]

    def __init__(self, office: Office) -> None:
        self.office = office

    async def AskForPin(self, request: counter_pb.AskForPinRequest, call: Call) -> counter_pb.AskForPinResponse:
        """Ask for a PIN on a pad."""
        card_id, terminal = requests.card(request.card_id), messages.terminal(request.terminal)
        act = messages.act(request.act)
        return await call.once(
            lambda tx: counter.ask(tx, card_id, terminal, act, self.office),
            lambda made: messages.asked(made, datetime.now(UTC)),
        )

    async def GetPinEntry(self, request: counter_pb.GetPinEntryRequest, call: Call) -> counter_pb.GetPinEntryResponse:
        """Show where an entry stands."""
        entry_id = messages.entry(request.pin_entry_id)
        return await call.read(
            lambda tx: counter.show(tx, entry_id), lambda found: messages.entry_shown(found, datetime.now(UTC))
        )

    async def GetPinPad(self, request: counter_pb.GetPinPadRequest, call: Call) -> counter_pb.GetPinPadResponse:
        """Show what a pad waits for."""
        terminal = messages.terminal(request.terminal)
        return await call.read(lambda tx: counter.on_pad(tx, terminal), messages.on_pad)

    async def EnterPin(self, request: counter_pb.EnterPinRequest, call: Call) -> counter_pb.EnterPinResponse:
        """Take the PIN that a holder typed."""
        entry_id, pin, simulated = messages.entry(request.pin_entry_id), request.pin, request.simulated
        _keep_no_plain_digest(call, self.office)
        return await call.once(
            lambda tx: counter.enter(tx, entry_id, pin, self.office, simulated=simulated), messages.entered
        )

    async def SendResetCode(
        self, request: counter_pb.SendResetCodeRequest, call: Call
    ) -> counter_pb.SendResetCodeResponse:
        """Send the code of a new PIN."""
        card_id = requests.card(request.card_id)
        return await call.once(lambda tx: counter.send_code(tx, card_id, self.office), messages.reset_code)

    async def ActivateAtCounter(
        self, request: counter_pb.ActivateAtCounterRequest, call: Call
    ) -> counter_pb.ActivateAtCounterResponse:
        """Activate a card before the counter."""
        card_id, entry_id = requests.card(request.card_id), messages.entry(request.pin_entry_id)
        evidence, consent = living.evidence(request.evidence_ref), request.consent
        return await call.once(
            lambda tx: counter.activate(tx, card_id, entry_id, evidence, self.office, consent=consent),
            messages.activated,
        )

    async def ResetPinAtCounter(
        self, request: counter_pb.ResetPinAtCounterRequest, call: Call
    ) -> counter_pb.ResetPinAtCounterResponse:
        """Give a locked card a new PIN before the counter."""
        command = messages.reset(request)
        _keep_no_plain_digest(call, self.office)
        return await call.once(lambda tx: counter.reset_pin(tx, command, self.office), messages.pin_reset)


def _keep_no_plain_digest(call: Call, office: Office) -> None:
    """Remember the request by a keyed digest: a plain one would give a PIN, a code or a number away."""
    call.digest = office.keys.request_digest(call.digest)
