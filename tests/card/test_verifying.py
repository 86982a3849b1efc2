"""Codes that are shown and verified: once, in time, for a purpose; and the threats that are tried on them."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from chassis import transaction
from chassis.clocks import now
from hrss.card.v1 import card_service_pb2 as pb
from kernel import ids
from kernel.errors import Forbidden, InvalidInput, Refused
from services.card import cose, tokens
from services.card.service import build
from services.card.store import cards
from services.card.tokens import PREFIX, Token
from tests.card.builders import CANCELLED, CLERK, HOSPITAL, LOCKED, LOST, NAME, PHARMACY, TODAY, UNLOST
from tests.plugins.grpc_harness import a_principal, serve

if TYPE_CHECKING:
    from chassis.transaction import Transaction
    from tests.card.builders import Desk
    from tests.plugins.databases import NewDatabase

ROUNDS = 50
GUESSES = 300


def told(reply: pb.VerifyTokenResponse) -> tuple[str, str]:
    """Result and detail, in short."""
    result = pb.VerifyResult.Name(reply.result).removeprefix("VERIFY_RESULT_")
    return result, pb.VerifyDetail.Name(reply.detail).removeprefix("VERIFY_DETAIL_")


def seconds() -> int:
    """This second."""
    return int(now().timestamp())


async def test_a_code_is_shown_and_verified_for_a_purpose(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.active(person)

    reply = await desk.verify(await desk.mint(person, card_id))

    assert told(reply) == ("OK", "OK")
    assert (reply.name_masked, reply.id_no_last4, reply.level) == ("赵**一", person.id_no[-4:], 1)
    audit = await desk.rows("SELECT detail, person_id FROM audit WHERE action = 'card_verified'")
    assert [row["person_id"] for row in audit] == [person.person_id]
    assert '"verifier": "hospital"' in audit[0]["detail"]


@pytest.mark.parametrize(
    ("purpose", "name", "last4"), [("presence", "", False), ("identity", "赵**一", True), ("medical", "赵**一", True)]
)
async def test_threat_08_the_purpose_decides_what_is_seen(desk: Desk, purpose: str, name: str, last4: bool) -> None:  # noqa: FBT001 - a column of the table above
    person = await desk.person()
    reply = await desk.verify(await desk.mint(person, await desk.active(person)), purpose=purpose)

    assert (reply.name_masked, reply.id_no_last4) == (name, person.id_no[-4:] if last4 else "")


async def test_threat_08_two_verifiers_know_one_holder_by_two_names(desk: Desk) -> None:
    person, other = await desk.person(), await desk.person()
    card_id, others = await desk.active(person), await desk.active(other)

    mine = [(await desk.verify(await desk.mint(person, card_id), by)).subject_ref for by in (HOSPITAL, HOSPITAL)]
    theirs = (await desk.verify(await desk.mint(person, card_id), PHARMACY)).subject_ref
    another = (await desk.verify(await desk.mint(other, others))).subject_ref

    assert mine[0] == mine[1] != theirs
    assert len({*mine, theirs, another}) == 3
    assert len(theirs) == 32
    assert ids.parse("crd", card_id).hex not in {*mine, theirs}


async def test_threat_08_a_code_holds_nothing_of_its_holder(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.active(person)
    row = (await desk.rows("SELECT issue_no FROM card"))[0]

    data = cose.base45_read((await desk.mint(person, card_id)).removeprefix(PREFIX))

    assert len(data) <= 120
    for secret in (person.id_no, NAME, row["issue_no"], person.id_no[-4:], card_id):
        assert secret.encode() not in data
    assert person.person_id.bytes not in data
    assert ids.parse("crd", card_id).bytes not in data


async def test_threat_01_a_code_is_good_once(desk: Desk) -> None:
    person = await desk.person()
    code = await desk.mint(person, await desk.active(person))

    assert [told(await desk.verify(code, by)) for by in (HOSPITAL, HOSPITAL, PHARMACY)] == [
        ("OK", "OK"),
        ("SHOW_AGAIN", "REPLAYED"),
        ("SHOW_AGAIN", "REPLAYED"),
    ]


async def test_the_same_verification_again_gets_the_same_answer(desk: Desk) -> None:
    person = await desk.person()
    code = await desk.mint(person, await desk.active(person))

    replies = [await desk.verify(code, key="one-key") for _ in range(2)]

    assert replies[0] == replies[1]
    assert told(replies[0]) == ("OK", "OK")


@pytest.mark.parametrize(
    ("age", "answer"),
    [
        (-28, ("OK", "OK")),
        (-40, ("SHOW_AGAIN", "CLOCK_WRONG")),
        (80, ("OK", "OK")),
        (95, ("SHOW_AGAIN", "STALE")),
        (86_400, ("SHOW_AGAIN", "STALE")),
    ],
)
async def test_threat_01_a_screenshot_is_stale_after_its_time(desk: Desk, age: int, answer: tuple[str, str]) -> None:
    card_id = await desk.active(await desk.person())

    assert told(await desk.verify(await desk.forged(card_id, iat=seconds() - age))) == answer


async def test_threat_01_the_same_code_at_once_through_two_instances_is_accepted_exactly_once(
    desk: Desk, new_database: NewDatabase
) -> None:
    person = await desk.person()
    card_id = await desk.active(person)
    second = new_database.opened(desk.database.settings)
    accepted = 0
    async with serve(build(second.settings), database=second) as running:
        pair = [desk, replace(desk, running=running)]
        for _ in range(ROUNDS):
            code = await desk.mint(person, card_id)
            replies = await asyncio.gather(*(pair[turn % 2].verify(code) for turn in range(4)))
            results = sorted(told(reply) for reply in replies)
            assert results == [("OK", "OK"), *[("SHOW_AGAIN", "REPLAYED")] * 3]
            accepted += 1
    assert accepted == ROUNDS


@pytest.mark.parametrize(("event", "detail"), [(LOST, "SUSPENDED"), (LOCKED, "SUSPENDED"), (CANCELLED, "REVOKED")])
async def test_a_card_that_follows_its_physical_card_is_refused_at_once(
    desk: Desk, event: pb.PhysicalCardEvent.ValueType, detail: str
) -> None:
    person = await desk.person()
    card_id = await desk.active(person)
    code = await desk.mint(person, card_id)
    await desk.announce(person, event)

    assert told(await desk.verify(code)) == ("NOT_VALID", "UNSPECIFIED")  # a partner is not told why
    assert told(await desk.verify(code, CLERK)) == ("NOT_VALID", detail)
    with pytest.raises(Refused):
        await desk.mint(person, card_id)
    if event != CANCELLED:
        await desk.announce(person, UNLOST)
        assert told(await desk.verify(code)) == ("OK", "OK")  # a refusal used nothing up


async def test_a_card_that_was_never_activated_cannot_be_shown(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.issued(person)

    with pytest.raises(Refused) as caught:
        await desk.mint(person, card_id)

    assert caught.value.reason == "CARD_NOT_ACTIVE"
    assert told(await desk.verify(await desk.forged(card_id, iat=seconds()), CLERK)) == ("NOT_VALID", "REVOKED")


async def test_a_card_is_not_accepted_after_its_last_day(desk: Desk) -> None:
    person = await desk.person()
    code = await desk.mint(person, await desk.active(person))
    request = pb.VerifyTokenRequest(request_id="late", token=code, purpose="identity")

    reply = await desk.call("VerifyToken", request, CLERK, TODAY.replace(year=TODAY.year + 10, day=21))

    assert told(reply) == ("NOT_VALID", "CARD_EXPIRED")


@pytest.mark.parametrize("purpose", ["payment", "espionage", "x" * 4000])
async def test_threat_08_a_purpose_that_the_verifier_has_not_is_denied(desk: Desk, purpose: str) -> None:
    person = await desk.person()
    code = await desk.mint(person, await desk.active(person, payment_enabled=True))

    reply = await desk.verify(code, HOSPITAL, purpose)

    assert told(reply) == ("DENIED", "UNSPECIFIED")
    assert (reply.subject_ref, reply.name_masked, reply.id_no_last4, reply.level) == ("", "", "", 0)


@pytest.mark.parametrize(("enabled", "answer"), [(False, "DENIED"), (True, "OK")])
async def test_payment_needs_a_card_of_level_two(desk: Desk, enabled: bool, answer: str) -> None:  # noqa: FBT001 - a column of the table above
    person = await desk.person()
    code = await desk.mint(person, await desk.active(person, payment_enabled=enabled))

    assert told(await desk.verify(code, PHARMACY, "payment"))[0] == answer


async def test_verifying_needs_a_scope_and_a_purpose(desk: Desk) -> None:
    with pytest.raises(Forbidden):
        await desk.verify("NTS1:", a_principal(["PARTNER"], scopes=["cards.feed"]))
    with pytest.raises(InvalidInput) as caught:
        await desk.verify("NTS1:", purpose="")

    assert caught.value.reason == "VERIFY_PURPOSE_REQUIRED"


async def test_threat_05_guesses_get_one_answer_and_leave_nothing(desk: Desk) -> None:
    """Unsigned guesses look alike; with our own signature an unknown card looks like one that was cancelled."""
    person = await desk.person()
    card_id = await desk.active(person)
    await desk.announce(person, CANCELLED)
    draw = random.Random(5)
    before = await desk.rows("SELECT (SELECT count(*) FROM request) + (SELECT count(*) FROM audit) AS count")

    guesses = set()
    for _ in range(GUESSES):
        guess = PREFIX + cose.base45_write(draw.randbytes(109))
        guesses.add((await desk.verify(guess)).SerializeToString())

    after = await desk.rows("SELECT (SELECT count(*) FROM request) + (SELECT count(*) FROM audit) AS count")
    assert len(guesses) == 1
    assert before == after
    unknown = tokens.mint(Token(b"u" * 8, seconds(), 60, b"1" * 8, 1), desk.keys)
    cancelled = await desk.forged(card_id, iat=seconds(), number=b"2" * 8)
    assert await desk.verify(unknown) == await desk.verify(cancelled)
    assert told(await desk.verify(unknown, CLERK)) == told(await desk.verify(cancelled, CLERK))


@pytest.mark.parametrize(
    "code", ["", "NTS1:", "NTS1:GGW", "NTS1::::", "nts1:BB8", "NTD1:BB8", "NTS1:" + "A" * 4000, "https://example.org"]
)
async def test_threat_12_hostile_codes_are_refused_quickly_and_store_nothing(desk: Desk, code: str) -> None:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        reply = await desk.verify(code)
        times.append(time.perf_counter() - began)
        assert told(reply) == ("REFUSED", "UNSPECIFIED")

    assert told(await desk.verify(code, CLERK)) == ("REFUSED", "MALFORMED")
    assert statistics.median(times) < 0.5
    assert await desk.rows("SELECT 1 FROM request") == []


async def test_used_numbers_are_forgotten_long_after_their_time(desk: Desk) -> None:
    moment = seconds()

    async def work(tx: Transaction) -> list[bool]:
        used = [await cards.burn(tx, b"old-code", moment - 4000, moment)]
        used += [await cards.burn(tx, number, moment + 90, moment) for number in (b"new-code", b"new-code")]
        return used

    used = await transaction.run(desk.database, work, principal=HOSPITAL, today=TODAY)

    assert used == [True, True, False]
    assert [row["number"] for row in await desk.rows("SELECT number FROM used_token")] == [b"new-code"]
