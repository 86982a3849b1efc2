"""The whole life of a card: asked for, proved, issued, lost in two ways, replaced, ended; and who may do what."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import cbor2
import pytest

from hrss.card.v1 import card_pb2 as model
from hrss.card.v1 import card_service_pb2 as pb
from hrss.enrollment.v1 import enrollment_events_pb2 as heard
from hrss.type.v1 import calendar_pb2, fact_pb2
from kernel import ids
from kernel.errors import AlreadyExists, Forbidden, InvalidInput, NotFound, Refused, Unauthenticated
from tests.card.builders import CANCELLED, CLERK, ISSUED, PHARMACY, PIN, TODAY, UNLOST, a_key
from tests.plugins.databases import owner_execute
from tests.plugins.grpc_harness import a_principal
from tests.system.oracle_card import violations

if TYPE_CHECKING:
    from tests.card.builders import Desk, Person
    from tests.card.code_desk import Codes, Phone

FORMALLY_LOST = pb.PHYSICAL_CARD_EVENT_FORMALLY_LOST
FACES = a_principal(["PARTNER"], subject="faces", client="faces", scopes=["cards.prove"])
HOTLINE = a_principal(["PARTNER"], subject="hotline", client="hotline", scopes=["cards.hotline"])
CLERK_2 = a_principal(["CLERK"], subject="idp|clerk-2", purpose="counter", acr=4, person_id=ids.new_id())
MAKER = a_principal(["CLERK"], subject="idp|clerk-3", purpose="counter", acr=4, person_id=ids.new_id())
OFFICER = a_principal(["SUPERVISOR"], subject="idp|officer", purpose="risk", acr=4, person_id=ids.new_id())
AT_ONCE = 50


async def request_card(desk: Desk, person: Person, by: Any = None, evidence: str = "", today: Any = TODAY) -> Any:
    """Ask for a card; as its holder, when nobody else is named."""
    message = pb.RequestCardRequest(request_id=a_key(), person_id=person.text, evidence_ref=evidence)
    return (await desk.call("RequestCard", message, by or person.acting(2), today)).card


async def state(desk: Desk, card_id: str) -> str:
    """Where a card stands."""
    row = (await desk.rows("SELECT state FROM card WHERE card_id = $1", ids.parse("crd", card_id)))[0]
    return str(row["state"])


async def prove(desk: Desk, card_id: str, by: Any = FACES, **fields: Any) -> Any:
    """Record the answer of a check."""
    values = {"passed": True, "evidence_ref": "SIM-face-1", "simulated": True} | fields
    return await desk.do("RecordProof", card_id, by, **values)


async def call_hotline(desk: Desk, person: Person, today: Any = TODAY) -> Any:
    """The holder, or somebody who says so, calls 12333."""
    message = pb.ReportLossByHotlineRequest(request_id=a_key(), id_no=person.id_no, call_ref="call-1")
    return await desk.call("ReportLossByHotline", message, HOTLINE, today)


def full_width(text: str) -> str:
    """Digits as a keyboard for Chinese writes them."""
    return text.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)})


def died(person: Person, version: int, day: calendar_pb2.Date | None) -> heard.PersonDied.Fact:
    """What enrollment says of a death."""
    header = fact_pb2.FactHeader(
        aggregate_id=person.text, version=version, business_date=calendar_pb2.Date(year=2026, month=7, day=21)
    )
    return heard.PersonDied.Fact(header=header, death_date=day)


async def test_a_card_is_asked_for_proved_by_a_face_and_issued(desk: Desk) -> None:
    person, other = await desk.person(), await desk.person()
    card = await request_card(desk, person)
    assert (card.state, card.issue_no, card.holder_actions) == (
        model.CARD_STATE_REQUESTED,
        "",
        [model.CARD_ACTION_START_PROOF],
    )
    with pytest.raises(NotFound):
        await desk.do("StartProof", card.card_id, other.acting(2))
    await desk.do("StartProof", card.card_id, person.acting(2))
    assert (await desk.call("ListOpenProofs", pb.ListOpenProofsRequest(), FACES)).card_ids == [card.card_id]
    first = await prove(desk, card.card_id)
    again = await prove(desk, card.card_id)  # the same answer under another key
    assert [(one.state, one.repeated) for one in (first, again)] == [
        (model.CARD_STATE_ISSUED, False),
        (model.CARD_STATE_ISSUED, True),
    ]
    with pytest.raises(Refused) as differs:
        await prove(desk, card.card_id, passed=False)
    assert differs.value.reason == "PROOF_DIFFERS"
    issued = (await desk.call("GetCard", pb.GetCardRequest(card_id=card.card_id), person.acting(2))).card
    assert (len(issued.issue_no), int(issued.issue_no) % 97, issued.valid_to.year) == (20, 1, TODAY.year + 10)
    assert await desk.said() == ["CardRequested", "CardProceeded", "CardProceeded", "CardIssued"]
    await desk.activate(person, card.card_id)
    assert await violations(desk.database.settings.database_owner_url) == []

    failing = await request_card(desk, other)
    assert (await prove(desk, failing.card_id, passed=False)).state == model.CARD_STATE_REJECTED
    at_counter = await request_card(desk, other, CLERK, "REC-2026-1")  # there is always the way through the counter
    assert (at_counter.state, len(at_counter.issue_no)) == (model.CARD_STATE_ISSUED, 20)
    with pytest.raises(InvalidInput) as evidence:
        await request_card(desk, await desk.person(), CLERK)
    assert evidence.value.reason == "EVIDENCE_REQUIRED"


async def test_a_physical_card_wins_over_a_request_and_settles_what_happened_meanwhile(desk: Desk) -> None:
    person = await desk.person()
    waiting = await request_card(desk, person)
    made = await desk.announce(person)
    assert (made.card_id, made.card_state) == (waiting.card_id, model.CARD_STATE_ISSUED)

    gone = await desk.person()
    first = await request_card(desk, gone)
    await prove(desk, first.card_id, passed=False)
    await desk.announce(gone, ISSUED)
    with pytest.raises(AlreadyExists):
        await request_card(desk, gone)
    await desk.announce(gone, CANCELLED)
    with pytest.raises(Refused) as caught:
        await request_card(desk, gone)
    assert (caught.value.reason, caught.value.metadata["cause"]) == ("CARD_NOT_USABLE", "PHYSICAL_CANCELLED")


async def test_threat_11_fifty_requests_at_once_make_one_card(desk: Desk) -> None:
    person = await desk.person()

    outcomes = await asyncio.gather(
        *(request_card(desk, person, CLERK if turn % 2 else None, "REC-2026-1") for turn in range(AT_ONCE)),
        return_exceptions=True,
    )

    made = [one for one in outcomes if not isinstance(one, BaseException)]
    refused = [one for one in outcomes if isinstance(one, BaseException)]
    assert (len(made), len(refused)) == (1, AT_ONCE - 1)
    for one in refused:
        assert isinstance(one, AlreadyExists), one
        assert (one.reason, set(one.metadata)) == ("ALREADY_HAS_CARD", {"state"})  # and nothing of the holder
    assert len(await desk.rows("SELECT 1 FROM card")) == 1


async def test_threat_09_10_malicious_loss_reports_are_few_told_and_lifted_by_the_holder_alone(desk: Desk) -> None:
    """The griefing side case: reporting is easy, three times by phone in thirty days, and the holder hears of each."""
    person = await desk.person()
    card_id = await desk.active(person)

    for turn in range(3):
        assert (await call_hotline(desk, person)).state == model.CARD_STATE_SUSPENDED_TEMP
        told = await desk.call("ListCardNotices", pb.ListCardNoticesRequest(person_id=person.text), person.acting(2))
        assert (told.notices[0].change, told.notices[0].cause) == (
            pb.CARD_CHANGE_SUSPENDED,
            model.CARD_CAUSE_HOTLINE,
        )
        with pytest.raises(Forbidden):
            await desk.do("LiftLoss", card_id, HOTLINE)
        if turn:
            await desk.do("LiftLoss", card_id, CLERK)
        else:
            with pytest.raises(Unauthenticated):  # a login by text message lifts nothing
                await desk.do("LiftLoss", card_id, person.acting(2))
            await desk.do("LiftLoss", card_id, person.acting(3))
    with pytest.raises(Refused) as often:
        await call_hotline(desk, person)
    assert (often.value.reason, often.value.metadata["limit"]) == ("LOSS_REPORTS_LIMIT_REACHED", "3")
    assert (await call_hotline(desk, person, TODAY + timedelta(days=30))).state == model.CARD_STATE_SUSPENDED_TEMP
    nobody, x_person = await desk.person(), replace(person)
    with pytest.raises(NotFound):  # a person without a card looks like a person whom nobody knows
        await call_hotline(desk, nobody)
    later = TODAY + timedelta(days=61)
    for written in (person.id_no.lower(), f" {person.id_no[:6]} {person.id_no[6:]}", full_width(person.id_no)):
        await desk.do("LiftLoss", card_id, CLERK)
        x_person.id_no = written  # however it was said, it is read as meant
        assert (await call_hotline(desk, x_person, later)).state == model.CARD_STATE_SUSPENDED_TEMP
    for wrong in (person.id_no[:15], person.id_no[:-1] + ("1" if person.id_no[-1] != "1" else "2")):
        x_person.id_no = wrong
        with pytest.raises(InvalidInput) as unread:
            await call_hotline(desk, x_person, later)
        assert (unread.value.reason, unread.value.field) == ("ID_NO_INVALID", "id_no")
    assert await violations(desk.database.settings.database_owner_url) == []


async def test_what_is_formally_lost_is_replaced_by_another_card_and_never_lifted(desk: Desk) -> None:
    person = await desk.person()
    old_id = await desk.active(person)
    await desk.do("ReportLoss", old_id, person.acting(2))
    with pytest.raises(Forbidden):
        await desk.do("ReportFormalLoss", old_id, person.acting(4))
    lost = (await desk.do("ReportFormalLoss", old_id, CLERK)).card
    assert lost.state == model.CARD_STATE_SUSPENDED_FORMAL
    assert lost.counter_actions == [model.CARD_ACTION_REPLACE, model.CARD_ACTION_CANCEL]
    for by in (CLERK, person.acting(4)):
        with pytest.raises(Refused) as caught:
            await desk.do("LiftLoss", old_id, by)
        assert caught.value.metadata == {"state": "SUSPENDED_FORMAL", "event": "RESUME"}
    request = pb.ReplaceCardRequest(request_id=a_key(), card_id=old_id)

    fresh = (await desk.call("ReplaceCard", request, CLERK)).card
    again = (await desk.call("ReplaceCard", request, CLERK)).card  # the same key: the same answer, nothing more

    old = (await desk.call("GetCard", pb.GetCardRequest(card_id=old_id), person.acting(2))).card
    assert (old.state, old.replaced_by) == (model.CARD_STATE_REPLACED, fresh.card_id)
    assert (fresh.state, again) == (model.CARD_STATE_ISSUED, fresh)
    assert fresh.issue_no != old.issue_no
    rows = await desk.rows("SELECT reference, list_no, idx, status FROM binding ORDER BY binding_id")
    assert len({row["reference"] for row in rows}) == len({(row["list_no"], row["idx"]) for row in rows}) == 2
    assert [row["status"] for row in rows] == [1, 0]
    assert len(await desk.rows("SELECT 1 FROM audit WHERE action = 'card_replace'")) == 1
    assert await violations(desk.database.settings.database_owner_url) == []


async def test_another_physical_card_replaces_what_was_formally_lost(desk: Desk) -> None:
    person = await desk.person()
    old_id = await desk.active(person)
    await desk.do("ReportLoss", old_id, person.acting(2))
    assert (await desk.announce(person, FORMALLY_LOST)).card_state == model.CARD_STATE_SUSPENDED_FORMAL
    assert (await desk.announce(person, UNLOST)).card_state == model.CARD_STATE_SUSPENDED_FORMAL
    made = await desk.announce(person, ISSUED, physical_card_ref="PHYS-0002")

    assert (made.card_id != old_id, made.card_state) == (True, model.CARD_STATE_ISSUED)
    assert await state(desk, old_id) == "REPLACED"
    assert await violations(desk.database.settings.database_owner_url) == []


async def test_the_counter_cancels_by_two_persons(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.active(person)
    prepared = await desk.do("PrepareCancel", card_id, MAKER, reason="持卡人出国定居")
    approval = prepared.approval_id
    with pytest.raises(Forbidden) as same:
        await desk.do("DecideCancel", card_id, MAKER, approval_id=approval, approve=True)
    assert same.value.reason == "SECOND_PERSON_REQUIRED"
    other = await desk.active(await desk.person())
    with pytest.raises(NotFound):
        await desk.do("DecideCancel", other, CLERK_2, approval_id=approval, approve=True)
    assert await state(desk, card_id) == "ACTIVE"

    card = (await desk.do("DecideCancel", card_id, CLERK_2, approval_id=approval, approve=True)).card

    assert (card.state, card.counter_actions) == (model.CARD_STATE_CANCELLED, [])
    refused = await desk.do("PrepareCancel", other, MAKER, reason="本人要求")
    kept = await desk.do("DecideCancel", other, CLERK_2, approval_id=refused.approval_id, approve=False, reason="no")
    assert kept.card.state == model.CARD_STATE_ACTIVE


async def test_a_risk_locks_and_the_officer_or_two_proofs_open(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.active(person)
    with pytest.raises(InvalidInput):
        await desk.do("LockCard", card_id, OFFICER, reason="")
    assert (await desk.do("LockCard", card_id, OFFICER, reason="异常登录")).card.state == model.CARD_STATE_LOCKED
    assert (await desk.do("UnlockCard", card_id, OFFICER, reason="已核实")).card.state == model.CARD_STATE_ACTIVE
    await desk.do("LockCard", card_id, OFFICER, reason="异常登录")
    assert (await desk.do("ConfirmPin", card_id, person.acting(2), pin=PIN)).result == pb.PIN_RESULT_LOCKED
    with pytest.raises(Forbidden):  # no clerk sends a PIN: at the counter the holder types it on a pad
        await desk.do("ResetPin", card_id, CLERK, pin="369258")
    assert (await desk.do("ResetPin", card_id, person.acting(4), pin="369258")).card.state == model.CARD_STATE_ACTIVE
    await desk.do("LockCard", card_id, OFFICER, reason="异常登录")
    with pytest.raises(InvalidInput) as phone:
        await desk.do("ResetPin", card_id, person.acting(4), pin="380013", phone="+86 138-0013-8000")
    assert phone.value.metadata["cause"] == "FROM_PHONE"


async def test_a_death_ends_every_card_and_one_that_was_none_opens_none(desk: Desk) -> None:
    person, asking = await desk.person(), await desk.person()
    card_id = await desk.active(person)
    waiting = await request_card(desk, asking)
    for one in (person, asking):
        await desk.hear(died(one, 2, calendar_pb2.Date(year=2026, month=7, day=19)), heard.PersonDied)

    assert await state(desk, card_id) == "CANCELLED"
    assert await state(desk, waiting.card_id) == "REJECTED"
    with pytest.raises(Refused) as dead:
        await request_card(desk, person)
    assert dead.value.metadata["cause"] == "HOLDER_DIED"
    assert (await desk.announce(person, ISSUED, physical_card_ref="PHYS-0002")).card_id == ""
    await desk.hear(died(person, 3, None), heard.PersonDied)
    notices = await desk.call("ListCardNotices", pb.ListCardNoticesRequest(person_id=person.text), person.acting(2))
    assert [one.change for one in notices.notices][:2] == [
        pb.CARD_CHANGE_DEATH_TAKEN_BACK,
        pb.CARD_CHANGE_CANCELLED,
    ]
    assert await state(desk, card_id) == "CANCELLED"
    assert (await request_card(desk, person, CLERK, "REC-2026-2")).state == model.CARD_STATE_ISSUED
    assert await violations(desk.database.settings.database_owner_url) == []


async def test_threat_10_after_a_device_was_bound_level_two_waits_a_day(code_desk: Codes) -> None:
    """Whoever took over an account by its telephone number moves no money for a day, from the device or online."""
    desk, person = code_desk, await code_desk.person()
    card_id = await desk.active(person, payment_enabled=True)
    assert (await desk.verify(await desk.mint(person, card_id), PHARMACY, "payment")).result == pb.VERIFY_RESULT_OK

    phone = await desk.bind(person, card_id)

    waits = (await desk.rows("SELECT level_two_from - now() AS left FROM card"))[0]["left"]
    assert timedelta(hours=23, minutes=50) < waits <= timedelta(hours=24)
    card = (await desk.call("GetCard", pb.GetCardRequest(card_id=card_id), person.acting(2))).card
    assert (card.level, card.usable_level, level_in(phone)) == (2, 1, 1)
    for code in (await desk.mint(person, card_id), phone.shows()):
        assert (await desk.verify(code, PHARMACY, "payment")).result == pb.VERIFY_RESULT_DENIED
    assert (await desk.verify(await desk.mint(person, card_id), PHARMACY)).result == pb.VERIFY_RESULT_OK
    await owner_execute(desk.database, "UPDATE card SET level_two_from = now() - interval '1 second'")
    renewed = await desk.bind(person, card_id, phone.key)  # the same device: no change, and level 2 from now on
    assert level_in(renewed) == 2
    assert (await desk.verify(renewed.shows(), PHARMACY, "payment")).result == pb.VERIFY_RESULT_OK


def level_in(phone: Phone) -> int:
    """The level that a credential says."""
    level: int = cbor2.loads(cbor2.loads(phone.blob)[2])[7]
    return level


async def test_a_card_is_found_by_its_number_however_it_is_written(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.issued(person)
    issue_no = (await desk.rows("SELECT issue_no FROM card"))[0]["issue_no"]
    for text in (issue_no, f" {issue_no[:4]}-{issue_no[4:8]} {issue_no[8:]} ", full_width(issue_no)):
        assert (await desk.call("FindCard", pb.FindCardRequest(issue_no=text), CLERK)).card.card_id == card_id
    for wrong in (issue_no[:-1] + str((int(issue_no[-1]) + 1) % 10), issue_no[:-1], "²" * 20, ""):
        with pytest.raises(InvalidInput) as caught:
            await desk.call("FindCard", pb.FindCardRequest(issue_no=wrong), CLERK)
        assert (caught.value.reason, caught.value.field) == ("ISSUE_NO_INVALID", "issue_no")
    assert len(await desk.rows("SELECT 1 FROM audit WHERE action LIKE '%FindCard' AND person_id IS NOT NULL")) == 3
