"""What third parties may do, end to end through the gateway: purposes, names, quotas, signed requests, reports."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from services.card import cose
from services.card.crypto import profile as profiles
from services.card.operations.verifiers import REQUEST_CONTEXT
from services.card.service import build
from services.gateway.edge.limits import Rates
from tests.card.code_desk import Codes, octets, text
from tests.card.test_verifying import seconds
from tests.card.third_parties import edge_of
from tests.gateway.conftest import UNLIMITED
from tests.plugins.grpc_harness import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.card.keyring import KeyRing
    from tests.card.third_parties import Edge
    from tests.plugins.databases import NewDatabase

OK, AGAIN, DENIED = (f"VERIFY_RESULT_{word}" for word in ("OK", "SHOW_AGAIN", "DENIED"))
GUESSES = 10_000


@pytest.fixture
async def desk(new_database: NewDatabase, keys: KeyRing) -> AsyncIterator[Codes]:
    """The card service behind its server, with profile I."""
    database = await new_database("card")
    service = build(database.settings)
    office = service.servicers[0].office  # type: ignore[attr-defined] # of its first edge
    async with serve(service, database=database) as running:
        yield Codes(database, running, keys, office)


@pytest.fixture
async def edge(desk: Codes, new_database: NewDatabase) -> AsyncIterator[Edge]:
    """The gateway in front of it."""
    async with edge_of(desk, new_database) as made:
        yield made


async def test_a_verifier_gets_what_its_contract_says_and_no_more(desk: Codes, edge: Edge) -> None:
    """A scope opens the door, a contract says for what and how often; each verifier has its own name for the holder."""
    person = await desk.person()
    card_id = await desk.active(person)
    hospital, pharmacy = edge.verifier("hospital"), edge.verifier("pharmacy")
    stranger = edge.provider.partner("claims.read", client="stranger")
    code = await desk.mint(person, card_id)

    refused = await edge.post("/v1/card-tokens:verify", {"token": code, "purpose": "identity"}, stranger)
    nobody = await edge.http.post("/v1/card-tokens:verify", json={"token": code, "purpose": "identity"})
    seen = await edge.verify(code, pharmacy)
    again = await edge.verify(code, hospital)
    await edge.register("hospital", daily_quota=3)
    other = await edge.verify(await desk.mint(person, card_id), hospital)
    mine = [await edge.verify(await desk.mint(person, card_id), hospital, "medical") for _ in range(4)]

    assert (refused.status_code, refused.json()["code"], nobody.status_code) == (403, "SCOPE_MISSING", 401)
    assert (seen["result"], seen["name_masked"], seen["id_no_last4"]) == (OK, "赵**一", person.id_no[-4:])
    assert (again["result"], other["result"]) == (AGAIN, DENIED)
    assert [one["result"] for one in mine] == [OK, OK, OK, DENIED]
    assert len({seen["subject_ref"], *(one["subject_ref"] for one in mine[:3])}) == 2
    assert (mine[3]["subject_ref"], mine[3]["name_masked"], mine[3]["detail"]) == ("", "", "VERIFY_DETAIL_UNSPECIFIED")
    names = await desk.rows("SELECT detail->>'verifier' AS verifier FROM audit WHERE action = 'card_verified'")
    assert [row["verifier"] for row in names] == ["pharmacy", *["hospital"] * 6]


async def test_a_verifier_with_a_key_signs_each_request_once(desk: Codes, edge: Edge) -> None:
    person = await desk.person()
    card_id = await desk.active(person)
    key, hospital = profiles.I.generate(), edge.verifier("hospital")
    await edge.register("hospital", alg="ES256", public_key=text(key.public.point))

    async def signed(nonce: bytes, said: str = "", at: int = 0) -> str:
        shown, when = await desk.mint(person, card_id), seconds() + at
        over = cose.write([REQUEST_CONTEXT, "hospital", said or shown, "medical", b"", when, nonce])
        proof = {"signed_time": str(when), "nonce": text(nonce), "signature": text(key.sign(over))}
        reply = await edge.post("/v1/card-tokens:verify", {"token": shown, "purpose": "medical", **proof}, hospital)
        return str(reply.json().get("result") or reply.json()["code"])

    assert await signed(b"a" * 16) == OK
    assert await signed(b"a" * 16) == "REQUEST_REPLAYED"
    assert await signed(b"b" * 16, said="another") == "SIGNATURE_INVALID"
    assert await signed(b"c" * 16, at=-301) == "SIGNATURE_INVALID"
    unsigned = {"token": await desk.mint(person, card_id), "purpose": "medical"}
    assert (await edge.post("/v1/card-tokens:verify", unsigned, hospital)).json()["code"] == "SIGNATURE_INVALID"


async def test_challenges_repetitions_and_reports_hold_from_end_to_end(desk: Codes, edge: Edge) -> None:
    person = await desk.person()
    phone = await desk.bind(person, await desk.active(person))
    pharmacy, clinic = edge.verifier("pharmacy"), edge.verifier("clinic")
    made = (await edge.post("/v1/card-challenges", {}, pharmacy)).json()
    body = {
        "token": phone.shows(audience=octets(made["audience"])),
        "purpose": "identity",
        "audience": made["audience"],
    }

    foreign = await edge.verify(body["token"], clinic)
    first, again = [await edge.post("/v1/card-tokens:verify", body, pharmacy, key="key-once-1") for _ in range(2)]
    reused = await edge.post("/v1/card-tokens:verify", body | {"purpose": "presence"}, pharmacy, key="key-once-1")
    check = {"card_reference": text(reference(phone.blob)), "nonce": text(b"num-01"), "time": str(seconds())}
    report = {"checks": [check | {"result": "ok"}]}
    done = [(await edge.post("/v1/card-offline-reports", report, one)).json() for one in (pharmacy, clinic, pharmacy)]

    assert (foreign["result"], foreign["detail"]) == (AGAIN, "VERIFY_DETAIL_WRONG_AUDIENCE")
    assert first.json() == again.json()
    assert (first.json()["result"], again.headers["idempotency-replayed"]) == (OK, "true")
    assert reused.json()["code"] == "REQUEST_ID_REUSED"
    assert [one["double_use_count"] for one in done] == [0, 1, 0]
    assert (await desk.said()).count("DoubleUseDetected") == 1


def reference(blob: bytes) -> bytes:
    """The reference in a credential."""
    payload = cose.read(blob)
    assert isinstance(payload, list)
    fields = cose.read(payload[2])
    assert isinstance(fields, list)
    found: bytes = fields[1]
    return found


@pytest.mark.slow
async def test_threat_05_ten_thousand_guesses_tell_nothing_and_the_limiter_trips(
    desk: Codes, new_database: NewDatabase
) -> None:
    """Through the gateway with a verifier's limit; what comes through is one answer, and the rest is told to wait."""
    draw, burst = random.Random(10_000), 500
    rates = Rates(rates={"partner": {**UNLIMITED._rates["partner"], "WRITE": (10, burst)}})
    async with edge_of(desk, new_database, rates) as edge:
        token, said, limited = edge.verifier("guesser"), set(), 0
        for _ in range(GUESSES):
            code = "NTS1:" + cose.base45_write(draw.randbytes(109))
            reply = await edge.post("/v1/card-tokens:verify", {"token": code, "purpose": "identity"}, token)
            if reply.status_code == 429:
                assert int(reply.headers["retry-after"]) >= 1
                limited += 1
            else:
                said.add((reply.status_code, reply.text))
    assert [status for status, _ in said] == [200]
    assert limited > GUESSES - burst - 10 * 120
