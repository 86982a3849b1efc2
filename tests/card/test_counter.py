"""Telephone numbers, messages to holders, and the card at the window: codes, pads, two proofs, kills in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chassis.principal import Principal
from hrss.card.v1 import card_pb2 as model
from hrss.card.v1 import card_service_pb2 as card_pb
from hrss.card.v1 import contacts_service_pb2 as pb
from hrss.card.v1 import counter_service_pb2 as counter_pb
from kernel.errors import DomainError, InvalidInput
from services.card.domain import contact
from services.card.service import open_office
from tests.card.builders import CLERK, PIN, a_key
from tests.card.counter_desk import ACTIVATE, OTHER_PHONE, PADS, PHONE, RESET, WINDOW, Counter
from tests.card.test_life import OFFICER, state
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tests.card.builders import Desk

HOTLINE = a_principal(["PARTNER"], subject="hotline", client="hotline", scopes=["cards.hotline"])
NEW_PIN = "369258"


@pytest.fixture
def counter(desk: Desk) -> Counter:
    """The desk of the counter."""
    return Counter(desk.database, desk.running, desk.keys, open_office(desk.database.settings))


async def reason(asked: Awaitable[Any]) -> str:
    """Why something was refused."""
    with pytest.raises(DomainError) as caught:
        await asked
    return caught.value.reason


async def texts(counter: Counter) -> list[tuple[str, str]]:
    """What messages there are, and where they stand."""
    rows = await counter.rows("SELECT word, state FROM text_message ORDER BY made, request_no")
    return [(row["word"], row["state"]) for row in rows]


def test_a_number_is_read_as_it_was_meant() -> None:
    for written in ("13800138000", "+86 138-0013-8000", "008613800138000", "１３８ ００１３ ８０００"):
        assert contact.phone(written) == PHONE
    for wrong in ("", "12800138000", "1380013800", "138001380000", "+1 13800138000", "13800138000\n1", "1" * 50):
        with pytest.raises(InvalidInput) as caught:
            contact.phone(wrong)
        assert caught.value.reason == "PHONE_INVALID"
    assert contact.masked(PHONE) == "138****8000"


async def test_a_number_counts_when_its_code_comes_back_and_nobody_sees_it(counter: Counter) -> None:
    person, other = await counter.person(), await counter.person("钱示例二")
    given = await counter.give(person)
    assert given.phone_masked == "138****8000"
    assert not (await counter.on_record(person)).HasField("contact")
    right = await counter.code()
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"

    assert await reason(counter.confirm(given.code_id, right, other.acting(2))) == "TEXT_CODE_NOT_FOUND"
    tried = await counter.confirm(given.code_id, wrong, person.acting(2))
    assert (tried.confirmed, tried.tries_left) == (False, 4)
    done = await counter.confirm(given.code_id, right, person.acting(2))
    assert (done.confirmed, done.contact.phone_masked, done.contact.is_proof) == (True, "138****8000", False)
    assert await reason(counter.confirm(given.code_id, right, person.acting(2))) == "TEXT_CODE_NOT_FOUND"
    assert await reason(counter.on_record(person, other.acting(2))) == "PERSON_NOT_FOUND"
    assert (await counter.on_record(person, CLERK)).contact.phone_masked == "138****8000"

    # A change is told to the number before it; four wrong codes more, and the fifth ends the code.
    again = await counter.give(person, OTHER_PHONE)
    code = await counter.code()
    await counter.confirm(again.code_id, code, person.acting(2))
    await counter.send()
    changed = [to for to, text in counter.messages.texts if "联系电话已变更" in text]
    assert sorted(changed) == ["138****8000", "138****8000", "139****9000"]
    third = await counter.give(person, by=WINDOW, evidence_ref="REC-1")
    assert await reason(counter.give(person, by=WINDOW)) == "EVIDENCE_REQUIRED"
    for left in (4, 3, 2, 1, 0):
        assert (await counter.confirm(third.code_id, "x", WINDOW)).tries_left == left
    assert await reason(counter.confirm(third.code_id, await counter.code(), WINDOW)) == "TEXT_CODE_NOT_FOUND"
    for _ in range(2):
        await counter.give(person)
    assert await reason(counter.give(person)) == "TEXT_CODES_LIMIT_REACHED"

    request = pb.RemoveContactRequest(request_id=a_key(), person_id=person.text)
    await counter.call("RemoveContact", request, person.acting(2))
    await counter.send()
    assert counter.messages.texts[0][0] == "139****9000"
    assert not await counter.rows("SELECT 1 FROM contact")
    # Nowhere but sealed: neither a number nor a code stands in any row, event or audit.
    tables = await counter.rows(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    dump = [str(row) for one in tables for row in await counter.rows(f'SELECT t::text FROM "{one[0]}" AS t')]
    for secret in (PHONE, OTHER_PHONE, PHONE.encode().hex(), OTHER_PHONE.encode().hex(), right.encode().hex()):
        assert not [line for line in dump if secret in line]
    assert await counter.rows("SELECT 1 FROM audit WHERE action LIKE '%GetContact' AND person_id IS NOT NULL")


async def test_the_holder_gets_a_message_once_whatever_breaks_in_between(counter: Counter) -> None:
    person, silent = await counter.person(), await counter.person("钱示例二")
    card_id = await counter.active(person)
    await counter.active(silent)
    await counter.reachable(person)
    await counter.send()
    before = len(counter.messages.sent)
    counter.messages.drop, counter.messages.lose = 1, 1
    for one in (person, silent):
        asked = card_pb.ReportLossByHotlineRequest(request_id=a_key(), id_no=one.id_no, call_ref="12333-1")
        await counter.call("ReportLossByHotline", asked, HOTLINE)

    assert await counter.send() == 0  # it never arrived, and nobody knows
    assert await counter.send() == 0  # too soon to ask
    assert await counter.send(ask_again=0) == 0  # asked for, not there, sent, and the answer got lost
    assert await counter.send(ask_again=0) == 1  # asked for, and it was there
    assert sorted(counter.messages.sent.values()) == [1] * (before + 1)  # nothing was sent twice
    assert "已临时挂失（12333 热线）" in counter.messages.texts[0][1]
    assert person.name not in counter.messages.texts[0][1]
    # Who has no number is told at the card alone; so is everybody.
    for one in (person, silent):
        notices = await counter.call(
            "ListCardNotices", card_pb.ListCardNoticesRequest(person_id=one.text), one.acting(2)
        )
        assert card_pb.CARD_CHANGE_SUSPENDED in [told.change for told in notices.notices]
    assert {done for _, done in await texts(counter)} == {"SENT"}

    # Messages that never left are worth nothing after two days, and say nothing any more.
    await counter.do("LiftLoss", card_id, person.acting(3))
    await counter.rows("UPDATE text_message SET made = made - interval '3 days' WHERE state = 'OPEN' RETURNING 1")
    await counter.send()
    assert (await texts(counter))[0] == ("RESUME", "GIVEN_UP")


async def test_a_card_is_activated_at_the_window_with_a_pin_that_no_clerk_sees(counter: Counter) -> None:
    person = await counter.person()
    card_id = await counter.issued(person)
    assert await reason(counter.do("ActivateCard", card_id, CLERK, consent=True, pin=PIN)) == "ROLE_NOT_ALLOWED"
    first = await counter.ask(card_id, ACTIVATE)
    entry = await counter.ask(card_id, ACTIVATE)  # the pad was asked again: what it waited for is given up
    fields: dict[str, Any] = {"pin_entry_id": entry, "evidence_ref": "REC-7", "consent": True}
    assert await reason(counter.type(first, PIN)) == "PIN_ENTRY_NOT_FOUND"
    assert await reason(counter.at_counter("ActivateAtCounter", card_id, **fields)) == "PIN_ENTRY_NOT_READY"

    pad = await counter.call("GetPinPad", counter_pb.GetPinPadRequest(terminal="W01-1"), PADS)
    assert (pad.pin_entry_id, pad.name_masked) == (entry, "赵**一")
    assert await reason(counter.type(entry, "123456")) == "PIN_REFUSED"
    assert await reason(counter.type(entry, PIN, CLERK)) == "ROLE_NOT_ALLOWED"
    await counter.type(entry, PIN)
    shown = await counter.call("GetPinEntry", counter_pb.GetPinEntryRequest(pin_entry_id=entry), WINDOW)
    assert (shown.state, shown.simulated) == (counter_pb.PIN_ENTRY_STATE_ENTERED, True)
    other = a_principal(["CLERK"], subject="idp|clerk-2", purpose="counter", acr=4)
    assert await reason(counter.at_counter("ActivateAtCounter", card_id, other, **fields)) == "PIN_ENTRY_NOT_FOUND"
    for missing, why in (("evidence_ref", "EVIDENCE_REQUIRED"), ("consent", "CONSENT_REQUIRED")):
        without: dict[str, Any] = {name: value for name, value in fields.items() if name != missing}
        assert await reason(counter.at_counter("ActivateAtCounter", card_id, **without)) == why
    own = Principal(
        subject="idp|clerk-1",
        client="desk",
        roles=frozenset({"CLERK"}),
        natural_person=person.text,
        acr=4,
        purpose="counter",
    )
    assert await reason(counter.at_counter("ActivateAtCounter", card_id, own, **fields)) == "OWN_CARD"

    done = await counter.at_counter("ActivateAtCounter", card_id, **fields)
    assert done.card.state == model.CARD_STATE_ACTIVE
    confirmed = await counter.do("ConfirmPin", card_id, person.acting(2), pin=PIN)
    assert confirmed.result == card_pb.PIN_RESULT_OK
    rows = await counter.rows("SELECT state, value FROM pin_entry ORDER BY entry_id")
    assert [tuple(row) for row in rows] == [("GIVEN_UP", None), ("USED", None)]
    (audited,) = await counter.rows("SELECT detail FROM audit WHERE action = 'card_activate'")
    assert "document REC-7" in str(audited["detail"])


async def test_threat_10_a_new_pin_takes_two_proofs_and_a_message_alone_is_none(counter: Counter) -> None:
    person = await counter.person()
    card_id = await counter.active(person)
    await counter.do("LockCard", card_id, OFFICER, reason="异常登录")
    assert await state(counter, card_id) == "LOCKED"
    assert await reason(counter.at_counter("SendResetCode", card_id)) == "CONTACT_NOT_FOUND"
    await counter.reachable(person, is_proof=False)
    assert await reason(counter.at_counter("SendResetCode", card_id)) == "CONTACT_COOLING"
    # The thief changed the number: for a day it is no proof, and the message before it went to the holder.
    await counter.reachable(person)
    entry = await counter.ask(card_id, RESET)
    assert await reason(counter.type(entry, "380013")) == "PIN_REFUSED"  # of the number on record
    await counter.type(entry, NEW_PIN)
    sent = await counter.at_counter("SendResetCode", card_id)
    code = await counter.code()
    proofs: dict[str, Any] = {"pin_entry_id": entry, "code_id": sent.code_id, "code": code}
    assert await reason(counter.at_counter("ResetPinAtCounter", card_id, **proofs)) == "EVIDENCE_REQUIRED"
    alone: dict[str, Any] = {"pin_entry_id": entry, "evidence_ref": "REC-8"}
    assert await reason(counter.at_counter("ResetPinAtCounter", card_id, **alone)) == "SECOND_PROOF_REQUIRED"
    wrong = await counter.at_counter("ResetPinAtCounter", card_id, **alone, code_id=sent.code_id, code="x")
    assert (wrong.confirmed, wrong.tries_left, wrong.card.state) == (False, 4, model.CARD_STATE_LOCKED)

    done = await counter.at_counter("ResetPinAtCounter", card_id, **proofs, evidence_ref="REC-8")
    assert (done.confirmed, done.card.state) == (True, model.CARD_STATE_ACTIVE)
    assert (await counter.do("ConfirmPin", card_id, person.acting(2), pin=NEW_PIN)).result == card_pb.PIN_RESULT_OK
    await counter.do("LockCard", card_id, OFFICER, reason="异常登录")
    entry = await counter.ask(card_id, RESET)
    await counter.type(entry, PIN)
    by_face: dict[str, Any] = {"pin_entry_id": entry, "evidence_ref": "REC-9", "face_ref": "FACE-1"}
    assert (await counter.at_counter("ResetPinAtCounter", card_id, **by_face)).confirmed
    details = [
        str(row["detail"]) for row in await counter.rows("SELECT detail FROM audit WHERE action = 'card_reset_pin'")
    ]
    assert ["REC-8; code" in details[0], "REC-9; face FACE-1" in details[1]] == [True, True]


async def test_signs_of_a_risk_lock_the_card_and_the_officer_lifts(counter: Counter) -> None:
    person = await counter.person()
    card_id = await counter.active(person)
    await counter.reachable(person)
    shown = await counter.mint(person, card_id)
    for _ in range(3):  # a scanner that fires twice is no sign
        await counter.verify(shown)
    old = [await counter.forged(card_id, iat=1, number=bytes([n] * 8)) for n in range(20)]
    for code in old[:19]:  # and an old one counts once, however often somebody shows it
        await counter.verify(code)
    await counter.verify(old[0])
    assert await state(counter, card_id) == "ACTIVE"
    refused = await counter.verify(old[19])
    assert refused.result == card_pb.VERIFY_RESULT_SHOW_AGAIN  # the code is answered as ever
    assert await state(counter, card_id) == "LOCKED"
    await counter.send()
    assert "已锁定（风险管理）" in counter.messages.texts[0][1]
    (audited,) = await counter.rows("SELECT detail FROM audit WHERE action = 'card_lock'")
    assert "rule refused_codes: 20 within 24 h" in str(audited["detail"])

    await counter.do("UnlockCard", card_id, OFFICER, reason="已核实")
    await counter.verify(await counter.forged(card_id, iat=1, number=b"another!"))
    assert await state(counter, card_id) == "ACTIVE"  # counting began anew
