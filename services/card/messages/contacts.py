"""Telephone numbers and acts at the counter: requests as commands, and answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from chassis.values import to_date, word_of
from hrss.card.v1 import contacts_service_pb2 as pb
from hrss.card.v1 import counter_service_pb2 as counter_pb
from kernel import ids
from kernel.errors import InvalidInput
from services.card.commands import ResetAtCounter, SetContact
from services.card.domain import contact as numbers
from services.card.domain.verification import mask_name
from services.card.messages import living
from services.card.messages.replies import card as shown_card
from services.card.messages.requests import card
from services.card.store.pin_entries import Act, EntryState

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from services.card.results import CodeSent, CodeTried, OnPad, PinReset, ShownCard
    from services.card.store.contacts import Contact
    from services.card.store.pin_entries import Entry

_TERMINAL = re.compile(r"[A-Z0-9-]{2,20}", re.ASCII)
_CODE_MAX = 20
ACTS = {counter_pb.PinAct.Value(f"PIN_ACT_{one.value}"): one for one in Act}
_ACT_NUMBERS = {one: number for number, one in ACTS.items()}
_STATES = {one: counter_pb.PinEntryState.Value(f"PIN_ENTRY_STATE_{one.value}") for one in EntryState}


def person(text: str) -> UUID:
    """Whose number."""
    return ids.parse("per", text, field="person_id")


def give(request: pb.SetContactRequest) -> SetContact:
    """A number that is given.

    Raises:
        InvalidInput: PHONE_INVALID, EVIDENCE_REQUIRED.
    """
    evidence = living.evidence(request.evidence_ref, may_be_empty=True)
    return SetContact(person(request.person_id), numbers.phone(request.phone), evidence)


def code(code_id: str) -> UUID:
    """Which code."""
    return ids.parse("cod", code_id, field="code_id")


def digits(text: str) -> str:
    """What was typed as a code; anything that is none is a wrong one."""
    return text[:_CODE_MAX]


def terminal(text: str) -> str:
    """Which pad.

    Raises:
        InvalidInput: TERMINAL_INVALID.
    """
    if not _TERMINAL.fullmatch(text):
        raise InvalidInput("TERMINAL_INVALID", "2 to 20 capital letters, digits and hyphens", field="terminal")
    return text


def act(number: counter_pb.PinAct.ValueType) -> Act:
    """What a PIN is for."""
    return word_of(ACTS, number, "act")


def entry(text: str) -> UUID:
    """Which entry on a pad."""
    return ids.parse("pin", text, field="pin_entry_id")


def reset(request: counter_pb.ResetPinAtCounterRequest) -> ResetAtCounter:
    """A new PIN before the counter.

    Raises:
        InvalidInput: EVIDENCE_REQUIRED: the document, or a number of the face that is none.
    """
    return ResetAtCounter(
        card(request.card_id),
        entry(request.pin_entry_id),
        living.evidence(request.evidence_ref),
        living.evidence(request.face_ref, may_be_empty=True),
        code(request.code_id) if request.code_id else None,
        digits(request.code),
    )


def contact(found: Contact | None, now: datetime) -> pb.GetContactResponse:
    """The number on record."""
    return pb.GetContactResponse(contact=_contact(found, now) if found is not None else None)


def given(sent: CodeSent) -> pb.SetContactResponse:
    """A code that was sent."""
    shown = numbers.masked(sent.phone)
    return pb.SetContactResponse(
        code_id=ids.to_text("cod", sent.code_id), phone_masked=shown, valid_seconds=sent.valid_seconds
    )


def confirmed(tried: CodeTried, now: datetime) -> pb.ConfirmContactResponse:
    """What a code turned out to be."""
    return pb.ConfirmContactResponse(
        confirmed=tried.is_right,
        tries_left=tried.tries_left,
        contact=_contact(tried.contact, now) if tried.contact is not None else None,
    )


def removed(_: None) -> pb.RemoveContactResponse:
    """A number that is gone."""
    return pb.RemoveContactResponse()


def asked(made: Entry, now: datetime) -> counter_pb.AskForPinResponse:
    """An entry that waits."""
    left = max(0, round((made.expires - now).total_seconds()))
    return counter_pb.AskForPinResponse(pin_entry_id=ids.to_text("pin", made.entry_id), valid_seconds=left)


def entry_shown(found: Entry, now: datetime) -> counter_pb.GetPinEntryResponse:
    """Where an entry stands; one whose time is over is given up."""
    is_over = found.state in (EntryState.WAITING, EntryState.ENTERED) and now >= found.expires
    return counter_pb.GetPinEntryResponse(
        state=_STATES[EntryState.GIVEN_UP if is_over else found.state],
        terminal=found.terminal,
        act=_ACT_NUMBERS[found.act],
        simulated=found.simulated,
    )


def on_pad(found: OnPad) -> counter_pb.GetPinPadResponse:
    """What a pad shows."""
    return counter_pb.GetPinPadResponse(
        pin_entry_id=ids.to_text("pin", found.entry.entry_id),
        act=_ACT_NUMBERS[found.entry.act],
        name_masked=mask_name(found.name),
    )


def entered(found: Entry) -> counter_pb.EnterPinResponse:
    """An entry that was typed."""
    return counter_pb.EnterPinResponse(state=_STATES[found.state])


def reset_code(sent: CodeSent) -> counter_pb.SendResetCodeResponse:
    """A code that was sent."""
    shown = numbers.masked(sent.phone)
    return counter_pb.SendResetCodeResponse(
        code_id=ids.to_text("cod", sent.code_id), phone_masked=shown, valid_seconds=sent.valid_seconds
    )


def activated(shown: ShownCard) -> counter_pb.ActivateAtCounterResponse:
    """A card in use."""
    return counter_pb.ActivateAtCounterResponse(card=shown_card(shown).card)


def pin_reset(done: PinReset) -> counter_pb.ResetPinAtCounterResponse:
    """What became of a new PIN."""
    return counter_pb.ResetPinAtCounterResponse(
        confirmed=done.is_confirmed, tries_left=done.tries_left, card=shown_card(done.shown).card
    )


def _contact(found: Contact, now: datetime) -> pb.Contact:
    return pb.Contact(
        phone_masked=numbers.masked(found.phone),
        set_date=to_date(found.set_date),
        is_proof=now >= found.factor_from,
    )
