"""Family accounts: who may begin one, what it lets a delegate do, and everything that ends it at once."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import cbor2
import pytest

from hrss.card.v1 import codes_service_pb2 as codes_pb
from hrss.card.v1 import family_service_pb2 as pb
from kernel.errors import DomainError, NotFound, Refused, Unauthenticated
from services.card import credentials, tokens
from services.card.credentials import Presentation
from services.card.status import Status
from tests.card.builders import CANCELLED, CLERK, LOST, PHARMACY, PIN, TODAY, UNLOST, a_key
from tests.card.code_desk import with_profile
from tests.card.family_desk import (
    APPLY,
    CHILD,
    ELDER,
    OTHER,
    PAYMENT,
    QUERY,
    SHOW,
    SPOUSE,
    WINDOW,
    Families,
    ended_by,
    state,
)
from tests.card.test_verifying import told
from tests.plugins.grpc_harness import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.card.keyring import KeyRing
    from tests.card.builders import Person
    from tests.card.code_desk import Codes
    from tests.plugins.databases import NewDatabase

CHILD_BIRTH = date(2010, 9, 1)
SIXTEENTH = date(2026, 9, 1)


@pytest.fixture
async def families(new_database: NewDatabase, keys: KeyRing) -> AsyncIterator[Families]:
    """The desk of family accounts, with profile I."""
    database = await new_database("card")
    service = with_profile(database.settings, "I")
    office = service.servicers[0].office  # type: ignore[attr-defined] # of its first edge
    async with serve(service, database=database) as running:
        yield Families(database, running, keys, office)


@pytest.fixture
def both(code_desk: Codes) -> Families:
    """The same with either profile."""
    return Families(code_desk.database, code_desk.running, code_desk.keys, code_desk.office)


async def reason(work: Any) -> str:
    """Why something is refused."""
    with pytest.raises(DomainError) as caught:
        await work
    return caught.value.reason


async def actions(families: Families, *names: str) -> list[dict[str, Any]]:
    """Audit rows of some actions, in order."""
    rows = await families.rows(
        "SELECT action, person_id, acting_person, detail FROM audit WHERE action = ANY($1) ORDER BY seq", list(names)
    )
    return [dict(row) | {"detail": json.loads(row["detail"])} for row in rows]


async def test_a_family_member_shows_the_card_of_somebody_who_agreed(families: Families) -> None:
    """Invited, agreed to, shown, looked at, ended; the ward's own codes are good all the while."""
    mother, son = await families.ready("孙示例"), await families.ready("孙小示例")
    card_id = (await families.rows("SELECT card_id FROM card WHERE person_id = $1", mother.person_id))[0]["card_id"]

    invited = await families.invite(son, mother)
    assert (state(invited), invited.other_name_masked) == ("PENDING", "孙*例")
    assert await reason(families.mint_for(invited, son)) == "FAMILY_NOT_ACTIVE"
    assert await reason(families.invite(son, mother)) == "FAMILY_EXISTS"
    agreed = await families.agree(invited, mother.acting(3))
    assert (state(agreed.delegation), agreed.confirmed, agreed.delegation.basis) == (
        "ACTIVE",
        True,
        pb.DELEGATION_BASIS_FACE,
    )

    shown = await families.verify(await families.mint_for(invited, son))
    own = await families.verify(await families.mint(mother, "crd_" + card_id.hex))
    assert told(shown) == told(own) == ("OK", "OK")
    assert (shown.by_family, shown.minor, own.by_family) == (True, False, False)
    assert (shown.name_masked, shown.id_no_last4) == ("孙*例", mother.id_no[-4:])
    assert shown.subject_ref == own.subject_ref
    code = await families.mint_for(invited, son)
    assert told(await families.verify(code, PHARMACY))[0] == "OK"
    assert told(await families.verify(code, CLERK))[1] == "REPLAYED"
    request = pb.GetWardCardRequest(delegation_id=invited.delegation_id)
    seen = await families.call("GetWardCard", request, son.acting(2))
    assert seen.card.card_id == "crd_" + card_id.hex
    assert [(one.is_delegate, one.other_name_masked) for one in await families.family_of(son)] == [(True, "孙*例")]
    assert [(one.is_delegate, one.other_name_masked) for one in await families.family_of(mother)] == [(False, "孙**例")]

    before = await families.mint_for(invited, son)
    ended = await families.end(invited, mother.acting(2))
    assert (state(ended), ended_by(ended)) == ("ENDED", "WARD")
    assert told(await families.verify(before, CLERK)) == ("NOT_VALID", "REVOKED")  # it was minted before
    assert await reason(families.mint_for(invited, son)) == "FAMILY_NOT_ACTIVE"
    assert await reason(families.end(invited, son.acting(2))) == "FAMILY_STEP_REFUSED"
    assert told(await families.verify(await families.mint(mother, "crd_" + card_id.hex)))[0] == "OK"
    assert state(await families.joined(son, mother)) == "ACTIVE"  # another one may follow


async def test_threat_09_the_fifth_elder_is_refused_and_no_relation_has_more_than_the_rules_allow(
    families: Families,
) -> None:
    """Also when they are invited at the same instant; what ended makes room."""
    son = await families.ready()
    people = [await families.issued_to(f"李示例{word}") for word in "甲乙丙丁戊己庚辛壬癸子丑"]
    tries = await asyncio.gather(*(families.invite(son, one) for one in people[:6]), return_exceptions=True)
    invited = [one for one in tries if not isinstance(one, BaseException)]
    refused = [one for one in tries if isinstance(one, Refused)]
    assert (len(invited), len(refused)) == (4, 2)
    assert {one.reason for one in refused} == {"FAMILY_LIMIT_REACHED"}
    left = [one for one, done in zip(people, tries, strict=False) if isinstance(done, Refused)] + people[6:]
    for relation, limit in ((SPOUSE, 1), (CHILD, 3), (OTHER, 2)):
        for _ in range(limit):
            await families.invite(son, left.pop(), relation)
        assert await reason(families.invite(son, left[0], relation)) == "FAMILY_LIMIT_REACHED"
    await families.end(invited[0], son.acting(2))
    assert state(await families.invite(son, left[0])) == "PENDING"
    assert await reason(families.invite(son, left[1])) == "FAMILY_LIMIT_REACHED"


async def test_threat_09_a_family_account_never_pays_and_goes_no_further_than_it_was_given(families: Families) -> None:
    """Payment is refused as a scope, and at verification whatever the verifier may ask for."""
    son = await families.ready()
    father = await families.person("周示例")
    await families.active(father, payment_enabled=True)
    assert await reason(families.invite(son, father, scopes=[SHOW, PAYMENT])) == "FAMILY_NEVER_PAYS"
    assert await reason(families.invite(son, father, scopes=[])) == "FAMILY_SCOPES_INVALID"
    one = await families.joined(son, father, scopes=[SHOW])

    paying = await families.verify(await families.mint_for(one, son), PHARMACY, purpose="payment")
    card_id = (await families.rows("SELECT card_id FROM card WHERE person_id = $1", father.person_id))[0][0].hex
    own = await families.verify(await families.mint(father, f"crd_{card_id}"), PHARMACY, purpose="payment")

    assert (told(paying)[0], told(own)[0]) == ("DENIED", "OK")
    request = pb.GetWardCardRequest(delegation_id=one.delegation_id)
    assert await reason(families.call("GetWardCard", request, son.acting(2))) == "FAMILY_SCOPE_MISSING"


async def test_threat_09_the_sixteenth_birthday_suspends_at_once_and_the_ward_alone_goes_on(families: Families) -> None:
    """At use before any daily step, offline by the end of the credential, and in the rows with the step."""
    father, child = await families.ready(), await families.ready("王小明", CHILD_BIRTH)
    one = await families.guarded(father, child)
    assert (state(one), one.basis, one.ward_is_minor) == ("ACTIVE", pb.DELEGATION_BASIS_GUARDIAN, True)
    eve = SIXTEENTH - timedelta(days=1)
    phone = await families.bind_for(one, father, today=eve)
    shown = await families.verify(await families.mint_for(one, father, eve))
    assert (told(shown)[0], shown.by_family, shown.minor) == ("OK", True, True)
    fields = cbor2.loads(cbor2.loads(phone.blob)[2])
    assert 0 < fields[3] - fields[2] <= 86_400  # good until the birthday begins, not for thirty days
    assert fields[10] == tokens.FLAG_FAMILY | tokens.FLAG_MINOR

    asked = pb.MintWardTokenRequest(delegation_id=one.delegation_id)
    assert await reason(families.call("MintWardToken", asked, father.acting(2), SIXTEENTH)) == "FAMILY_NOT_ACTIVE"
    assert [state(found) for found in await families.family_of(child, SIXTEENTH)] == ["SUSPENDED"]
    assert await families.step(eve) == 0
    assert await families.step(SIXTEENTH) == 1
    assert await families.step(SIXTEENTH) == 0
    assert told(await families.verify(phone.shows(), CLERK)) == ("NOT_VALID", "REVOKED")
    assert await reason(families.agree(one, WINDOW, SIXTEENTH)) == "FAMILY_EVIDENCE_INVALID"
    assert await reason(families.agree(one, father.acting(4), SIXTEENTH)) == "FAMILY_WARD_CONSENTS"

    again = (await families.agree(one, child.acting(3), SIXTEENTH)).delegation
    assert (state(again), again.basis, again.from_date.day) == ("ACTIVE", pb.DELEGATION_BASIS_FACE, TODAY.day)
    assert await families.step(SIXTEENTH) == 0
    await families.bind_for(one, father, today=SIXTEENTH)
    noted = await actions(families, "family_came_of_age")
    assert [row["person_id"] for row in noted] == [child.person_id]


async def test_threat_09_every_record_names_who_acted_and_for_whom(families: Families) -> None:
    mother, son = await families.ready("孙示例"), await families.ready("孙小示例")
    one = await families.joined(son, mother)
    phone = await families.bind_for(one, son)
    for code in (await families.mint_for(one, son), phone.shows()):
        await families.verify(code)

    rows = await actions(
        families, "family_invited", "family_agreed", "family_device_bound", "family_code_minted", "card_verified"
    )
    assert [row["action"] for row in rows] == [
        "family_invited",
        "family_agreed",
        "family_device_bound",
        "family_code_minted",
        "card_verified",
        "card_verified",
    ]
    assert {row["person_id"] for row in rows} == {mother.person_id}
    assert {row["detail"]["on_behalf_of"] for row in rows} == {mother.text}
    assert [row["acting_person"] for row in rows] == [son.text, mother.text, son.text, son.text, "", ""]
    assert {row["detail"].get("delegate") or row["detail"]["shown_by"] for row in rows} == {son.text}


async def test_who_may_agree_and_how(families: Families) -> None:
    """Face, PIN or window of an adult; never whoever invited, never staff for their own family."""
    aunt, nephew, stranger = [await families.ready(name) for name in ("吴示例", "郑示例", "冯示例")]
    one = await families.invite(nephew, aunt, OTHER)
    assert await reason(families.agree(one, stranger.acting(4))) == "FAMILY_NOT_FOUND"
    assert await reason(families.agree(one, nephew.acting(4))) == "FAMILY_WARD_CONSENTS"
    with pytest.raises(Unauthenticated) as weak:
        await families.agree(one, aunt.acting(2))
    assert (weak.value.reason, weak.value.metadata["acr"]) == ("INSUFFICIENT_ACR", "3")
    own = replace(CLERK, natural_person=nephew.text)
    assert await reason(families.agree(one, own, document_ref="身份证原件")) == "SECOND_PERSON_REQUIRED"
    for wrong in ("", "x", aunt.id_no, "y" * 61):
        assert await reason(families.agree(one, WINDOW, document_ref=wrong)) == "FAMILY_EVIDENCE_INVALID"
    wrong_pin = await families.agree(one, aunt.acting(2), pin="111222")
    assert (wrong_pin.confirmed, wrong_pin.tries_left, state(wrong_pin.delegation)) == (False, 4, "PENDING")
    right = await families.agree(one, aunt.acting(2), pin=PIN)
    assert (right.confirmed, right.delegation.basis) == (True, pb.DELEGATION_BASIS_PIN)
    assert await reason(families.agree(one, aunt.acting(3))) == "FAMILY_STEP_REFUSED"

    at_window = await families.invite(aunt, nephew, by=WINDOW)
    done = await families.agree(at_window, WINDOW, document_ref="身份证原件")
    assert done.delegation.basis == pb.DELEGATION_BASIS_WINDOW
    assert ended_by(await families.end(at_window, WINDOW)) == "WINDOW"
    child = await families.ready("王小明", CHILD_BIRTH)
    guarded = await families.invite(aunt, child, CHILD)
    assert await reason(families.agree(guarded, child.acting(4))) == "FAMILY_GUARDIAN_AT_WINDOW"
    assert await reason(families.invite(child, aunt)) == "FAMILY_DELEGATE_TOO_YOUNG"


async def test_whom_nobody_can_invite_is_told_in_one_way(families: Families) -> None:
    """Unknown, another name, without a card, with a lost one: one answer; and what is wrong in itself is said."""
    son, known, cardless = await families.ready(), await families.ready("何示例"), await families.person("许示例")
    lost = await families.ready("施示例")
    await families.announce(lost, LOST)
    nobody = replace(known, id_no=(await families.person()).id_no[:17] + "0")
    answers = []
    for ward in (replace(known, name="何另外"), cardless, lost):
        with pytest.raises(NotFound) as caught:
            await families.invite(son, ward)
        answers.append((caught.value.reason, str(caught.value), caught.value.metadata))
    assert len({str(one) for one in answers}) == 1
    assert answers[0][0] == "FAMILY_WARD_NOT_FOUND"
    wrongs: tuple[tuple[dict[str, Any], str], ...] = (
        ({"ward_id_no": "320602199001011230"}, "ID_NO_INVALID"),
        ({"ward_name": "何\u3000"}, "NAME_INVALID"),
        ({"relation": 0}, "VALUE_REQUIRED"),
        ({"to_date": {"year": 2026, "month": 7, "day": 19}}, "FAMILY_TERM_INVALID"),
    )
    for wrong, said in wrongs:
        got = await reason(families.invite(son, known, **{"relation": ELDER, **wrong}))
        assert got == said or (said == "VALUE_REQUIRED" and got.endswith("_REQUIRED")), got
    assert await reason(families.invite(son, son)) == "FAMILY_SELF"
    assert await reason(families.invite(son, known, by=known.acting(4))) == "PERSON_NOT_FOUND"
    assert await reason(families.invite(cardless, known)) == "CARD_NOT_FOUND"
    fresh = await families.person("陶示例")
    await families.issued(fresh)
    assert await reason(families.invite(fresh, known)) == "CARD_NOT_ACTIVE"
    assert nobody.id_no != known.id_no


async def test_what_becomes_of_a_card_ends_the_family_account_with_it(families: Families) -> None:
    """A delegate's loss or cancellation ends it, the ward's cancellation too; the ward's loss only rests."""
    mother = await families.ready("孙示例")
    for turn, (what, whose, ends) in enumerate(
        (
            (LOST, "delegate", "DELEGATE_CARD"),
            (CANCELLED, "delegate", "DELEGATE_CARD"),
            (CANCELLED, "ward", "WARD_CARD"),
        )
    ):
        ward, delegate = (mother, await families.ready()) if turn < 2 else (await families.ready("姜示例"), mother)
        one = await families.joined(delegate, ward)
        pending = await families.invite(delegate, await families.issued_to("戚示例" + "甲乙丙"[turn]), OTHER)
        code, phone = await families.mint_for(one, delegate), await families.bind_for(one, delegate)
        await families.announce(delegate if whose == "delegate" else ward, what)
        found = {two.delegation_id: two for two in await families.family_of(delegate)}
        assert (state(found[one.delegation_id]), ended_by(found[one.delegation_id])) == ("ENDED", ends)
        assert state(found[pending.delegation_id]) == ("ENDED" if whose == "delegate" else "PENDING")
        assert {told(await families.verify(shown, CLERK))[1] for shown in (code, phone.shows())} == {"REVOKED"}
    assert told(await families.verify(await families.mint(mother, await card_of(families, mother))))[0] == "OK"

    last = await families.joined(mother, other := await families.ready("谢示例"))
    phone = await families.bind_for(last, mother)
    await families.announce(other, LOST)
    assert told(await families.verify(phone.shows(), CLERK))[1] == "SUSPENDED"
    assert await reason(families.mint_for(last, mother)) == "CARD_NOT_USABLE"
    await families.announce(other, UNLOST)
    assert told(await families.verify(phone.shows(), CLERK))[1] == "OK"


async def card_of(families: Families, person: Person) -> str:
    """The card of a person."""
    rows = await families.rows("SELECT card_id FROM card WHERE person_id = $1 ORDER BY card_id DESC", person.person_id)
    return f"crd_{rows[0]['card_id'].hex}"


async def test_each_device_of_a_delegate_ends_alone_and_never_touches_the_wards_card(both: Families) -> None:
    mother, son = await both.ready("孙示例"), await both.ready("孙小示例")
    one = await both.joined(son, mother)
    own = await both.bind(mother, await card_of(both, mother))
    phone, tablet = await both.bind_for(one, son), await both.bind_for(one, son)
    assert await reason(both.bind_for(one, son)) == "DEVICE_LIMIT_REACHED"
    assert await reason(both.bind_for(one, son, own.key)) == "DEVICE_KEY_INVALID"
    await both.bind(mother, await card_of(both, mother))  # the ward's own two have room beside them
    read = credentials.read(phone.shows(), both.office.keys)
    assert isinstance(read, Presentation)
    assert read.credential.flags == tokens.FLAG_FAMILY
    shown = await both.verify(phone.shows())
    assert (told(shown)[0], shown.by_family, shown.name_masked) == ("OK", True, "孙*例")
    places = await both.rows("SELECT DISTINCT list_no, idx, reference FROM binding")
    assert len(places) == len({(row[0], row[1]) for row in places}) == len({row[2] for row in places}) == 6

    renewed = await both.bind_for(one, son, phone.key)
    assert told(await both.verify(phone.shows(), CLERK))[1] == "REVOKED"
    assert told(await both.verify(renewed.shows(), CLERK))[1] == "OK"
    unbind = pb.UnbindDelegateDeviceRequest(
        request_id=a_key(), delegation_id=one.delegation_id, device_id=renewed.device_id
    )
    stranger = await both.ready("冯示例")
    assert await reason(both.call("UnbindDelegateDevice", unbind, stranger.acting(3))) == "FAMILY_NOT_FOUND"
    await both.call("UnbindDelegateDevice", unbind, son.acting(2))
    assert told(await both.verify(renewed.shows(), CLERK))[1] == "REVOKED"
    assert told(await both.verify(tablet.shows(), CLERK))[1] == "OK"
    listed = await both.family_of(son)
    assert [device.device_id for device in listed[0].devices] == [tablet.device_id]

    await both.end(one, mother.acting(2))
    await both.published()
    assert [await both.list_says(each) for each in (tablet, renewed, own)] == [
        Status.INVALID,
        Status.INVALID,
        Status.VALID,
    ]
    assert told(await both.verify(own.shows(), CLERK))[1] == "OK"
    assert told(await both.verify(tablet.shows(), CLERK))[1] == "REVOKED"
    devices = codes_pb.ListDevicesRequest(card_id=await card_of(both, mother))
    assert len((await both.call("ListDevices", devices, mother.acting(2))).devices) == 2


async def test_the_term_of_a_family_account_is_its_end(families: Families) -> None:
    mother, son = await families.ready("孙示例"), await families.ready("孙小示例")
    last = TODAY + timedelta(days=3)
    term = {"year": last.year, "month": last.month, "day": last.day}
    one = await families.joined(son, mother, to_date=term)
    phone = await families.bind_for(one, son)
    fields = cbor2.loads(cbor2.loads(phone.blob)[2])
    assert 3 * 86_400 < fields[3] - fields[2] <= 4 * 86_400
    assert await families.mint_for(one, son, last)
    after = last + timedelta(days=1)
    assert await reason(families.mint_for(one, son, after)) == "FAMILY_NOT_ACTIVE"
    assert await families.step(after) == 1
    assert await families.step(after) == 0
    assert [(state(found), ended_by(found)) for found in await families.family_of(son, after)] == [("ENDED", "TERM")]


async def test_an_invitation_that_nobody_answers_lapses_and_holds_no_place(families: Families) -> None:
    mother, son = await families.ready("孙示例"), await families.ready("孙小示例")
    one = await families.invite(son, mother)
    last, after = TODAY + timedelta(days=30), TODAY + timedelta(days=31)
    assert [state(found) for found in await families.family_of(son, last)] == ["PENDING"]
    assert [state(found) for found in await families.family_of(son, after)] == ["ENDED"]
    assert await reason(families.agree(one, mother.acting(3), after)) == "FAMILY_STEP_REFUSED"
    again = await families.invite(son, mother, today=after)  # before the daily step: the place is free
    assert await families.step(TODAY + timedelta(days=61)) == 0
    assert await families.step(TODAY + timedelta(days=62)) == 1
    found = await families.family_of(mother, after)
    assert [(one.delegation_id == again.delegation_id, ended_by(one)) for one in found] == [
        (True, "LAPSED"),
        (False, "LAPSED"),
    ]


async def test_the_gateway_asks_whether_a_delegate_may_apply(families: Families) -> None:
    mother, son = await families.ready("孙示例"), await families.ready("孙小示例")
    one = await families.joined(son, mother, scopes=[SHOW, APPLY])
    asked = pb.ConfirmActingRequest(delegation_id=one.delegation_id, scope=APPLY)
    assert (await families.call("ConfirmActing", asked, son.acting(2))).ward_id == mother.text
    assert await reason(families.call("ConfirmActing", asked, mother.acting(2))) == "FAMILY_NOT_FOUND"
    query = pb.ConfirmActingRequest(delegation_id=one.delegation_id, scope=QUERY)
    assert await reason(families.call("ConfirmActing", query, son.acting(2))) == "FAMILY_SCOPE_MISSING"
    await families.end(one, mother.acting(2))
    assert await reason(families.call("ConfirmActing", asked, son.acting(2))) == "FAMILY_NOT_ACTIVE"
    (noted,) = await actions(families, "family_acted")
    assert noted["person_id"] == mother.person_id
    assert son.text in str(noted["detail"])
