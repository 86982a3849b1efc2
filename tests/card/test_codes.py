"""Codes that devices make, their verifiers, keys that turn and are withdrawn; and the threats tried on them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cbor2
import pytest

from hrss.card.v1 import card_events_pb2 as events
from hrss.card.v1 import card_service_pb2 as pb
from hrss.card.v1 import codes_service_pb2 as codes_pb
from hrss.card.v1 import keys_service_pb2 as keys_pb
from kernel.errors import DomainError, Forbidden, InvalidInput, NotFound, Refused, Unauthenticated
from services.card import cose, credentials, status, tokens, trust
from services.card.crypto import profile as profiles
from services.card.keyring import Purpose
from services.card.operations import keys as key_operations
from services.card.operations import verifiers
from services.card.service import build, open_office
from services.card.settings import CardSettings
from services.card.status import Status
from tests.card.builders import CLERK, HOSPITAL, LOST, PHARMACY, UNLOST, Desk, a_key
from tests.card.code_desk import Codes, Phone, octets, text, with_profile
from tests.card.test_verifying import seconds, told
from tests.plugins.grpc_harness import a_principal, serve

if TYPE_CHECKING:
    from chassis.principal import Principal
    from services.card.crypto.algorithms import Private
    from services.card.keyring import KeyRing
    from tests.plugins.databases import NewDatabase

PUBLISHED = events.StatusListPublished.DESCRIPTOR.full_name
SUPERVISOR = a_principal(["SUPERVISOR"], subject="idp|sup-1", purpose="contract", acr=4)


@pytest.fixture
def desk(code_desk: Codes) -> Codes:
    """The desk of codes, with one profile after the other."""
    return code_desk


def an_operator(name: str) -> Principal:
    """Somebody who keeps keys."""
    return replace(a_principal(["OPERATOR"], subject=f"idp|{name}", acr=4), natural_person=name)


async def test_a_device_makes_codes_that_are_good_once_for_a_purpose(desk: Codes) -> None:
    """Also threat 1 for codes of devices: a screenshot is good neither twice nor later."""
    person = await desk.person()
    phone = await desk.bind(person, await desk.active(person))
    code = phone.shows()

    assert len(cose.base45_read(code.removeprefix("NTD1:"))) <= 260
    reply = await desk.verify(code)
    assert told(reply) == ("OK", "OK")
    assert (reply.name_masked, reply.id_no_last4) == ("赵**一", person.id_no[-4:])
    assert person.id_no.encode() not in phone.blob
    assert person.name.encode() not in phone.blob
    for shown, answer in (
        (code, "REPLAYED"),
        (phone.shows(age=80), "OK"),
        (phone.shows(age=95), "STALE"),
        (phone.shows(age=-50), "CLOCK_WRONG"),
        (phone.shows(age=120), "STALE"),
    ):
        assert told(await desk.verify(shown, CLERK))[1] == answer
    used = await desk.rows("SELECT count(*) AS count FROM presented")
    assert used[0]["count"] == 2
    both = await asyncio.gather(*(desk.verify(phone.shows(nonce=b"shared"), by) for by in (HOSPITAL, PHARMACY) * 3))
    assert sorted(told(one)[1] for one in both) == ["OK", *["REPLAYED"] * 5]


async def test_threat_01_a_code_for_one_challenge_is_good_at_no_other_verifier(desk: Codes) -> None:
    person = await desk.person()
    phone = await desk.bind(person, await desk.active(person))
    request = codes_pb.CreateChallengeRequest(request_id=a_key())
    mine = octets((await desk.call("CreateChallenge", request, HOSPITAL)).audience)
    theirs = octets((await desk.call("CreateChallenge", replace_id(request), PHARMACY)).audience)

    async def verify(code: str, by: Principal = HOSPITAL, audience: bytes = b"") -> str:
        asked = pb.VerifyTokenRequest(
            request_id=a_key(), token=code, purpose="identity", audience=text(audience) if audience else ""
        )
        return told(await desk.call("VerifyToken", asked, by))[1]

    assert await verify(phone.shows(audience=mine), PHARMACY) == "WRONG_AUDIENCE"
    assert await verify(phone.shows(audience=theirs), audience=mine) == "WRONG_AUDIENCE"
    assert await verify(phone.shows(audience=b"nobody's"), audience=b"") == "WRONG_AUDIENCE"
    assert await verify(phone.shows(), audience=mine) == "WRONG_AUDIENCE"
    assert await verify(phone.shows(audience=mine), audience=mine) == "OK"
    assert await verify(phone.shows(audience=theirs), PHARMACY) == "OK"


def replace_id(request: Any) -> Any:
    """The same request, another time."""
    request.request_id = a_key()
    return request


async def test_threat_02_a_number_seen_by_two_verifiers_is_announced_once(desk: Codes) -> None:
    person = await desk.person()
    phone = await desk.bind(person, await desk.active(person))
    reference = cbor2.loads(cbor2.loads(phone.blob)[2])[1]

    async def report(by: Principal, *nonces: bytes, card: bytes = reference) -> tuple[int, int]:
        checks = [
            codes_pb.OfflineCheck(card_reference=text(card), nonce=text(one), time=str(seconds()), result="ok")
            for one in nonces
        ]
        done = await desk.call("ReportOffline", codes_pb.ReportOfflineRequest(request_id=a_key(), checks=checks), by)
        return done.accepted_count, done.double_use_count

    assert await report(HOSPITAL, b"num-01", b"num-02") == (2, 0)
    assert await report(HOSPITAL, b"num-01") == (1, 0)  # the same verifier again is a repetition
    assert await report(PHARMACY, b"num-01", b"num-03") == (2, 1)
    assert await report(PHARMACY, b"num-01") == (1, 0)  # said once
    assert told(await desk.verify(phone.shows(nonce=b"num-02"), CLERK))[1] == "REPLAYED"
    assert told(await desk.verify(phone.shows(nonce=b"num-04"), HOSPITAL))[1] == "OK"
    assert await report(PHARMACY, b"num-04") == (1, 1)  # online here, offline there
    (card,) = await desk.rows("SELECT state FROM card")
    assert card["state"] == "LOCKED"  # the second time within a day
    assert await report(PHARMACY, b"num-05", card=b"unknown!") == (1, 0)
    assert (await desk.said()).count("DoubleUseDetected") == 2
    for wrong in ({"nonce": "AA"}, {"time": "x"}, {"result": "OK!"}, {"card_reference": "?"}):
        good = {"card_reference": text(reference), "nonce": text(b"num-09"), "time": "1", "result": "ok"}
        check = codes_pb.OfflineCheck(**good | wrong)
        with pytest.raises(InvalidInput):
            await desk.call(
                "ReportOffline", codes_pb.ReportOfflineRequest(request_id=a_key(), checks=[check]), HOSPITAL
            )


async def test_threat_03_a_stolen_credential_is_worth_nothing_and_one_device_ends_alone(desk: Codes) -> None:
    person = await desk.person()
    card_id = await desk.active(person)
    phone, tablet = await desk.bind(person, card_id), await desk.bind(person, card_id)
    thief = Phone(desk.office.keys.profile.generate(), "", phone.blob)

    assert told(await desk.verify(thief.shows(), CLERK)) == ("REFUSED", "BAD_DEVICE_SIGNATURE")
    with pytest.raises(Refused) as caught:
        await desk.bind(person, card_id)
    assert caught.value.reason == "DEVICE_LIMIT_REACHED"
    other = await desk.person()
    with pytest.raises(NotFound):
        await desk.bind(other, card_id)
    proof = text(phone.key.sign(b"something else"))
    request = codes_pb.BindDeviceRequest(
        request_id=a_key(), card_id=card_id, device_key=text(phone.key.public.point), proof=proof
    )
    with pytest.raises(InvalidInput) as wrong:
        await desk.call("BindDevice", request, person.acting(3))
    assert wrong.value.reason == "DEVICE_KEY_INVALID"

    ending = codes_pb.UnbindDeviceRequest(request_id=a_key(), card_id=card_id, device_id=phone.device_id)
    await desk.call("UnbindDevice", ending, person.acting(2))

    assert told(await desk.verify(phone.shows(), CLERK)) == ("NOT_VALID", "REVOKED")
    assert told(await desk.verify(tablet.shows(), CLERK)) == ("OK", "OK")
    await desk.published()
    assert [await desk.list_says(one) for one in (phone, tablet)] == [Status.INVALID, Status.VALID]
    # The same device renews: another reference and place, the ones before are over.
    renewed = await desk.bind(person, card_id, tablet.key)
    assert told(await desk.verify(tablet.shows(), CLERK))[1] == "REVOKED"
    assert told(await desk.verify(renewed.shows(), CLERK))[1] == "OK"
    shown = await desk.call("ListDevices", codes_pb.ListDevicesRequest(card_id=card_id), person.acting(2))
    assert [one.device_id for one in shown.devices] == [renewed.device_id]
    with pytest.raises(NotFound):
        await desk.call("UnbindDevice", replace_id(ending), person.acting(2))


async def test_a_change_is_seen_online_at_once_and_in_the_lists_with_the_next_publication(desk: Codes) -> None:
    """Suspension and its lifting; a list goes out when something changed, else every five minutes."""
    person = await desk.person()
    phone = await desk.bind(person, await desk.active(person))
    assert await desk.published() == [1]
    assert await desk.published() == []
    assert await desk.list_says(phone) is Status.VALID

    await desk.announce(person, LOST)
    assert told(await desk.verify(phone.shows(), CLERK)) == ("NOT_VALID", "SUSPENDED")
    assert await desk.published() == [1]
    assert await desk.list_says(phone) is Status.SUSPENDED
    await desk.announce(person, UNLOST)
    assert told(await desk.verify(phone.shows(), CLERK)) == ("OK", "OK")
    assert await desk.published() == [1]
    assert await desk.list_says(phone) is Status.VALID

    asked = codes_pb.GetStatusDeltaRequest(list_no=1, after_sequence=1)
    reply = await desk.call("GetStatusDelta", asked, a_principal(["PUBLIC"]))
    places = cbor2.loads(cbor2.loads(phone.blob)[2])[6]
    said = [cbor2.loads(cbor2.loads(octets(one))[2]) for one in reply.changes]
    assert [(one[2], one[3]) for one in said] == [(1, 2), (2, 3)]
    assert [dict(one[5])[places] for one in said] == [2, 0]  # with the place of the server's own binding
    assert said[0][4] < said[1][4]
    facts = await desk.rows("SELECT payload FROM outbox WHERE subject = $1 ORDER BY seq", PUBLISHED)
    told_of = [one for row in facts for one in events.StatusListPublished.FromString(row["payload"]).facts]
    assert [(one.header.aggregate_id, one.sequence, one.changed_count) for one in told_of] == [
        ("lst_1", 1, 0),
        ("lst_1", 2, 2),
        ("lst_1", 3, 2),
    ]
    assert [int(one.issue_time) for one in told_of][1:] == [one[4] for one in said]
    with pytest.raises(NotFound):
        await desk.call("GetStatusList", codes_pb.GetStatusListRequest(list_no=9), a_principal(["PUBLIC"]))


async def test_places_are_given_out_once_by_any_number_of_processes(desk: Codes) -> None:
    offices = [open_office(desk.database.settings) for _ in range(3)]
    for office in offices:
        office.keys.learn(desk.keys.keys)
    leased = await asyncio.gather(*(one.places.lease(desk.database, 500) for one in offices * 4))

    places = [place for block in leased for place in block]
    assert len(places) == len(set(places)) == 6000
    end = await desk.run(lambda tx: tx.execute("UPDATE status_list SET next = $1", status.FILL - 3))
    assert end == 1
    short = await offices[0].places.lease(desk.database, 10)
    after = await offices[0].places.lease(desk.database, 10)
    assert ([no for no, _ in short], [no for no, _ in after]) == ([1] * 3, [2] * 10)


async def test_threat_06_a_key_is_rotated_by_two_persons_and_withdrawn_at_once(
    desk: Codes, new_database: NewDatabase
) -> None:
    """Rotation refuses no valid card; a second process learns of a withdrawal in its next call."""
    person = await desk.person()
    card_id = await desk.active(person)
    first, second = an_operator("op-1"), an_operator("op-2")
    before = await desk.mint(person, card_id)
    old = desk.office.keys.active(Purpose.TOKEN)

    async def change(key_id: str, state: str, by: Principal = second) -> str:
        asked = keys_pb.ChangeKeyRequest(request_id=a_key(), key_id=key_id, state=state)
        return str((await desk.call("ChangeKey", asked, by)).key.state)

    made = await desk.call("GenerateKey", keys_pb.GenerateKeyRequest(request_id=a_key(), purpose="token"), first)
    new = made.key.key_id
    for state, by, error in (
        ("active", second, "KEY_STEP_REFUSED"),
        ("nonsense", second, "KEY_STEP_REFUSED"),
        ("published", a_principal(["OPERATOR"], acr=4), "NATURAL_PERSON_REQUIRED"),
    ):
        with pytest.raises(DomainError) as caught:
            await change(new, state, by)
        assert caught.value.reason == error
    assert await change(new, "published") == "published"
    with pytest.raises(Forbidden):
        await change(new, "active", first)
    with pytest.raises(Refused) as young:
        await change(new, "active")
    assert young.value.reason == "KEY_TOO_YOUNG"
    await desk.run(lambda tx: tx.execute("UPDATE signing_key SET state_since = state_since - interval '8 days'"))
    assert await change(new, "active") == "active"

    assert told(await desk.verify(before))[1] == "OK"
    after = await desk.mint(person, card_id)
    assert desk.office.keys.active(Purpose.TOKEN).label == new
    assert told(await desk.verify(after))[1] == "OK"
    states = {one.key_id: one.state for one in (await desk.call("ListKeys", keys_pb.ListKeysRequest(), first)).keys}
    assert (states[old.label], states[new]) == ("verify-only", "active")

    other = new_database.opened(desk.database.settings)
    async with serve(with_profile(other.settings, desk.office.keys.profile.name), database=other) as running:
        there = replace(desk, running=running)
        good, bad = [await desk.mint(person, card_id) for _ in range(2)]
        assert told(await there.verify(good))[1] == "OK"
        assert await change(new, "withdrawn") == "withdrawn"
        assert told(await there.verify(bad, CLERK)) == ("REFUSED", "KEY_WITHDRAWN")
        assert told(await desk.verify(bad, CLERK)) == ("REFUSED", "KEY_WITHDRAWN")
    for wrong in ("trust-root", "nonsense"):
        with pytest.raises(InvalidInput):
            await desk.call("GenerateKey", keys_pb.GenerateKeyRequest(request_id=a_key(), purpose=wrong), first)
    # Without a key nothing is signed; the next one need not wait its seven days.
    next_one = await desk.call("GenerateKey", keys_pb.GenerateKeyRequest(request_id=a_key(), purpose="token"), first)
    assert await change(next_one.key.key_id, "published") == "published"
    assert await change(next_one.key.key_id, "active") == "active"
    assert told(await desk.verify(await desk.mint(person, card_id)))[1] == "OK"


async def test_threat_06_the_trust_list_is_the_roots_and_follows_the_keys(desk: Codes) -> None:
    root, operator = desk.office.root, an_operator("op-1")
    assert root is not None
    with pytest.raises(NotFound):
        await desk.call("GetTrustList", codes_pb.GetTrustListRequest(), a_principal(["PUBLIC"]))
    await desk.run(lambda tx: key_operations.renew(tx, desk.office))
    await desk.run(lambda tx: key_operations.renew(tx, desk.office))  # half of its life is not over: the same list
    reply = await desk.call("GetTrustList", codes_pb.GetTrustListRequest(), a_principal(["PUBLIC"]))
    said = trust.read(octets(reply.trust_list), root)
    assert isinstance(said, trust.TrustList)
    assert (said.sequence, reply.sequence, said.exp - said.iat) == (1, 1, 7 * 86_400)
    assert {row[0] for row in said.keys} == {"card", "token", "status"}
    assert {row[3] for row in said.keys} == {"active"}

    draft = await desk.call("DraftTrustList", keys_pb.DraftTrustListRequest(), operator)
    good = trust.TrustList(2, seconds(), seconds() + trust.LIFE_SECONDS, said.keys)

    async def publish(body: bytes) -> int:
        asked = keys_pb.PublishTrustListRequest(request_id=a_key(), trust_list=text(body))
        return int((await desk.call("PublishTrustList", asked, operator)).sequence)

    for wrong in (
        b"nonsense",
        trust.sign(replace(good, sequence=1), root),
        trust.sign(replace(good, keys=good.keys[1:]), root),
        trust.sign(replace(good, exp=good.exp + 1), root),
        trust.sign(replace(good, iat=good.iat - 9 * 86_400, exp=good.iat - 86_400), root),
        octets(reply.trust_list),
    ):
        with pytest.raises(Refused) as caught:
            await publish(wrong)
        assert caught.value.reason == "TRUST_LIST_INVALID"
    assert draft.sequence == 2
    assert cbor2.loads(octets(draft.payload))[4] == [list(row) for row in said.keys]
    assert await publish(trust.sign(good, root)) == 2


async def test_threat_08_a_contract_bounds_what_a_verifier_may_ask(desk: Codes) -> None:
    """Purposes, quota, suspension, and signed requests that are good once."""
    person = await desk.person()
    card_id = await desk.active(person)
    key = profiles.I.generate()

    async def register(**fields: Any) -> Any:
        values = {
            "client": "hospital",
            "name": "南通示例医院",
            "active": True,
            "purposes": ["medical"],
            "daily_quota": 3,
        }
        point = fields.pop("public_key", "")
        verifier = codes_pb.Verifier(**{**values, **fields})
        asked = codes_pb.RegisterVerifierRequest(request_id=a_key(), verifier=verifier, public_key=point)
        return await desk.call("RegisterVerifier", asked, SUPERVISOR)

    wrongs: list[dict[str, Any]] = [
        {"purposes": ["espionage"]},
        {"purposes": []},
        {"daily_quota": 0},
        {"client": "two words"},
        {"alg": "ES256", "public_key": text(b"\2" * 32)},
        {"alg": "RSA", "public_key": text(key.public.point)},
    ]
    for wrong in wrongs:
        with pytest.raises(InvalidInput):
            await register(**wrong)
    await register()
    answers = [
        told(await desk.verify(await desk.mint(person, card_id), purpose=word))[0]
        for word in ("identity", "medical", "medical", "medical", "medical")
    ]
    assert answers == ["DENIED", "OK", "OK", "OK", "DENIED"]
    suspend = codes_pb.SuspendVerifierRequest(request_id=a_key(), client="hospital", active=False)
    await desk.call("SuspendVerifier", suspend, SUPERVISOR)
    assert told(await desk.verify(await desk.mint(person, card_id), purpose="medical"))[0] == "DENIED"
    with pytest.raises(NotFound):
        await desk.call("SuspendVerifier", replace_id(codes_pb.SuspendVerifierRequest(client="none")), SUPERVISOR)

    await register(alg="ES256", public_key=text(key.public.point), daily_quota=100)

    async def signed(at: int = 0, by: Private = key, nonce: bytes = b"0" * 16, said: str = "") -> Any:
        code = await desk.mint(person, card_id)
        when = seconds() + at
        over = cose.write([verifiers.REQUEST_CONTEXT, "hospital", said or code, "medical", b"", when, nonce])
        asked = pb.VerifyTokenRequest(
            request_id=a_key(),
            token=code,
            purpose="medical",
            signed_time=str(when),
            nonce=text(nonce),
            signature=text(by.sign(over)),
        )
        return await desk.call("VerifyToken", asked, HOSPITAL)

    assert told(await signed())[0] == "OK"
    with pytest.raises(Refused) as replayed:
        await signed()
    assert replayed.value.reason == "REQUEST_REPLAYED"
    for wrong_one in (
        signed(at=-400, nonce=b"1" * 16),
        signed(by=profiles.I.generate(), nonce=b"2" * 16),
        signed(said="NTS1:ANOTHER", nonce=b"3" * 16),
        desk.verify(await desk.mint(person, card_id), purpose="medical"),
    ):
        with pytest.raises(Unauthenticated):
            await wrong_one
    assert told(await desk.verify(await desk.mint(person, card_id), PHARMACY))[0] == "OK"  # no contract: its scope


async def test_production_lets_nobody_verify_without_a_contract(new_database: NewDatabase, keys: KeyRing) -> None:
    database = await new_database("card")
    settings = CardSettings.model_construct(
        **dict(database.settings) | {"env": "prod", "allow_soft_keys": "yes", "card_crypto_profile": "I"}
    )
    async with serve(build(settings), database=database) as running:
        desk = Desk(database, running, keys)
        person = await desk.person()
        card_id = await desk.issued(person, simulated=False)
        await desk.activate(person, card_id)
        code = await desk.mint(person, card_id)
        assert told(await desk.verify(code))[0] == "DENIED"
        assert told(await desk.verify(await desk.mint(person, card_id), CLERK))[0] == "OK"


async def test_threat_12_one_artefact_is_never_taken_for_another(desk: Codes) -> None:
    person = await desk.person()
    card_id = await desk.active(person)
    phone = await desk.bind(person, card_id)
    await desk.published()
    reply = await desk.call("GetStatusList", codes_pb.GetStatusListRequest(list_no=1), a_principal(["PUBLIC"]))
    cwt = octets(reply.cwt)
    root = desk.office.root
    assert root is not None
    trusted = trust.sign(trust.TrustList(1, 1, 2, ()), root)
    minted = await desk.mint(person, card_id)

    for artefact in (phone.blob, cwt, cwt[1:], trusted):
        for prefix in (tokens.PREFIX, credentials.PREFIX):
            code = prefix + cose.base45_write(artefact)
            assert told(await desk.verify(code, CLERK))[0] in {"REFUSED", "CANNOT_CHECK"}
    code = phone.shows()
    assert told(await desk.verify(tokens.PREFIX + code.removeprefix(credentials.PREFIX), CLERK))[0] == "REFUSED"
    assert told(await desk.verify(credentials.PREFIX + minted.removeprefix(tokens.PREFIX), CLERK))[0] == "REFUSED"
    assert told(await desk.verify(code, CLERK))[0] == "OK"
