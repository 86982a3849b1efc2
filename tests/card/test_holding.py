"""Holders and the counter: activation, PIN, loss, lift, cancel; and who may not."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

import pytest

from hrss.card.v1 import card_pb2 as model
from hrss.card.v1 import card_service_pb2 as pb
from kernel import ids
from kernel.errors import Forbidden, InvalidInput, NotFound, Refused, Unauthenticated
from services.card import pin as pins
from services.card.settings import CardSettings
from tests.card.builders import CLERK, LOST, PIN, TODAY, a_key
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from tests.card.builders import Desk, Person

AUDITOR = a_principal(["AUDITOR"], subject="idp|auditor", purpose="review")
OK, WRONG, LOCKED = pb.PIN_RESULT_OK, pb.PIN_RESULT_WRONG, pb.PIN_RESULT_LOCKED


async def confirm(desk: Desk, person: Person, card_id: str, pin: str) -> tuple[int, int]:
    """Try a PIN: the result and the tries that are left."""
    reply = await desk.do("ConfirmPin", card_id, person.acting(2), pin=pin)
    return reply.result, reply.tries_left


async def test_a_card_is_activated_with_consent_and_pin(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.issued(person)

    card = await desk.activate(person, card_id)

    assert (card.state, card.usable) == (model.CARD_STATE_ACTIVE, True)
    assert await desk.said() == ["CardIssued", "CardActivated"]
    audit = await desk.rows("SELECT detail FROM audit WHERE action = 'card_activate'")
    assert len(audit) == 1
    assert (await desk.rows("SELECT consent_date FROM card"))[0]["consent_date"] == TODAY


async def test_activation_needs_consent_a_live_login_and_the_holder(desk: Desk) -> None:
    person, other = await desk.person(), await desk.person()
    card_id = await desk.issued(person)

    with pytest.raises(InvalidInput) as consent:
        await desk.activate(person, card_id, consent=False)
    with pytest.raises(Unauthenticated) as acr:
        await desk.activate(person, card_id, acr=2)
    with pytest.raises(NotFound) as another:
        await desk.activate(other, card_id)
    with pytest.raises(Forbidden):
        await desk.do("ActivateCard", card_id, AUDITOR, consent=True, pin=PIN)

    assert [one.value.reason for one in (consent, acr, another)] == [
        "CONSENT_REQUIRED",
        "INSUFFICIENT_ACR",
        "CARD_NOT_FOUND",
    ]
    assert await desk.said() == ["CardIssued"]


@pytest.mark.parametrize(
    ("pin", "cause"), [("12345", "FORMAT"), ("444444", "REPEATED"), ("234567", "CONSECUTIVE"), ("", "FROM_ID")]
)
async def test_a_weak_pin_is_refused_and_nothing_remains(desk: Desk, pin: str, cause: str) -> None:
    person = await desk.person()
    card_id = await desk.issued(person)

    with pytest.raises(InvalidInput) as caught:
        await desk.activate(person, card_id, pin=pin or person.id_no[6:12])

    assert (caught.value.reason, caught.value.metadata["cause"]) == ("PIN_REFUSED", cause)
    assert pin not in str(caught.value) or not pin
    assert await desk.said() == ["CardIssued"]


async def test_a_pin_is_kept_as_a_hash_that_needs_the_key_of_the_server(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.active(person)

    row = (await desk.rows("SELECT * FROM pin"))[0]
    kept = pins.Hashed(row["salt"], row["value"])
    assert pins.fits(PIN, kept, desk.keys.pin_secret)
    assert not pins.fits(PIN, kept, b"another secret of the same length")
    digests = [row["body_hash"] for row in await desk.rows("SELECT body_hash FROM request")]
    digests += [row["body_digest"] for row in await desk.rows("SELECT body_digest FROM audit WHERE body_digest <> ''")]
    request_id = (await desk.rows("SELECT request_id FROM request WHERE method LIKE '%ActivateCard'"))[0]["request_id"]
    request = pb.ActivateCardRequest(request_id=request_id, card_id=card_id, consent=True, pin=PIN)
    assert hashlib.sha256(request.SerializeToString()).digest() not in digests  # else 10^6 tries would find the PIN


async def test_a_right_pin_starts_the_count_anew(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.active(person)

    assert [await confirm(desk, person, card_id, pin) for pin in ("000001", "000002", PIN, "000001")] == [
        (WRONG, 4),
        (WRONG, 3),
        (OK, 5),
        (WRONG, 4),
    ]


async def test_threat_10_the_sixth_try_finds_a_locked_card_even_with_the_right_pin(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.active(person)

    tries = [await confirm(desk, person, card_id, "000001") for _ in range(5)]

    assert tries == [(WRONG, 4), (WRONG, 3), (WRONG, 2), (WRONG, 1), (LOCKED, 0)]
    assert await confirm(desk, person, card_id, PIN) == (LOCKED, 0)
    with pytest.raises(Refused):
        await desk.mint(person, card_id)
    assert (await desk.said())[-1] == "CardLocked"
    with pytest.raises(Unauthenticated):  # a text message alone is no login of that level
        await desk.do("ResetPin", card_id, person.acting(3), pin="369258")
    await desk.do("ResetPin", card_id, person.acting(4), pin="369258")
    assert await confirm(desk, person, card_id, "369258") == (OK, 5)
    assert (await desk.said())[-1] == "CardResumed"


async def test_threat_10_tries_at_once_are_all_counted(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.active(person)

    results = await asyncio.gather(*(confirm(desk, person, card_id, f"00000{turn}") for turn in range(8)))

    assert sorted(left for _, left in results) == [0, 0, 0, 0, 1, 2, 3, 4]
    assert (await desk.said()).count("CardLocked") == 1


async def test_a_repeated_request_counts_no_second_try(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.active(person)
    request = pb.ConfirmPinRequest(request_id=a_key(), card_id=card_id, pin="000001")

    replies = [await desk.call("ConfirmPin", request, person.acting(2)) for _ in range(3)]

    assert [reply.tries_left for reply in replies] == [4, 4, 4]


async def test_a_loss_is_reported_easily_and_lifted_with_care(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.active(person)

    await desk.do("ReportLoss", card_id, person.acting(2))
    with pytest.raises(Refused) as twice:
        await desk.do("ReportLoss", card_id, CLERK)
    with pytest.raises(Unauthenticated):
        await desk.do("LiftLoss", card_id, person.acting(2))
    card = (await desk.do("LiftLoss", card_id, person.acting(3))).card

    assert twice.value.reason == "CARD_STEP_REFUSED"
    assert card.state == model.CARD_STATE_ACTIVE
    assert (await desk.said())[-2:] == ["CardSuspended", "CardResumed"]
    causes = await desk.rows("SELECT detail->>'actor' AS actor FROM audit WHERE action LIKE 'card_%' ORDER BY seq")
    assert [row["actor"] for row in causes] == ["PHYSICAL", "HOLDER", "HOLDER", "HOLDER"]


async def test_a_locked_card_that_was_lost_is_locked_again_afterwards(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.active(person)
    for _ in range(5):
        await confirm(desk, person, card_id, "000001")

    await desk.do("ReportLoss", card_id, person.acting(2))
    card = (await desk.do("LiftLoss", card_id, CLERK)).card

    assert card.state == model.CARD_STATE_LOCKED


async def test_the_holder_alone_cancels_and_it_is_for_ever(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.active(person)

    with pytest.raises(Forbidden):
        await desk.do("CancelCard", card_id, CLERK)
    with pytest.raises(Unauthenticated):
        await desk.do("CancelCard", card_id, person.acting(3))
    card = (await desk.do("CancelCard", card_id, person.acting(4))).card

    assert (card.state, card.usable) == (model.CARD_STATE_CANCELLED, False)
    for rpc, by in (("ReportLoss", CLERK), ("LiftLoss", CLERK), ("CancelCard", person.acting())):
        with pytest.raises(Refused) as caught:
            await desk.do(rpc, card_id, by)
        assert caught.value.reason == "CARD_STEP_REFUSED"


async def test_another_persons_card_is_not_found_whatever_the_other_roles(desk: Desk) -> None:
    person, other = await desk.person(), await desk.person()
    card_id = await desk.active(person)
    both = a_principal(["CITIZEN", "AUDITOR"], person_id=other.person_id, acr=4, purpose="review")
    clerk_at_home = a_principal(["CITIZEN", "CLERK"], person_id=other.person_id, acr=4, purpose="counter")

    for rpc, by in (
        ("ReportLoss", other.acting()),
        ("ReportLoss", both),
        ("LiftLoss", both),
        ("CancelCard", clerk_at_home),
        ("GetCard", other.acting()),
    ):
        request = getattr(pb, f"{rpc}Request")(card_id=card_id)
        if rpc != "GetCard":
            request.request_id = a_key()
        with pytest.raises(NotFound) as caught:
            await desk.call(rpc, request, by)
        assert caught.value.reason == "CARD_NOT_FOUND"
    with pytest.raises(NotFound):
        await desk.call("MintToken", pb.MintTokenRequest(card_id=card_id), clerk_at_home)
    with pytest.raises(NotFound):
        await desk.call("GetCard", pb.GetCardRequest(card_id=ids.to_text("crd", ids.new_id())), person.acting())


async def test_a_look_of_staff_is_audited(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.active(person)

    await desk.call("GetCard", pb.GetCardRequest(card_id=card_id), AUDITOR)
    await desk.call("ListCards", pb.ListCardsRequest(person_id=person.text), AUDITOR)

    looks = await desk.rows(
        "SELECT action FROM audit WHERE subject = 'idp|auditor' AND person_id = $1", person.person_id
    )
    assert len(looks) == 2


async def test_a_card_whose_physical_card_is_lost_cannot_be_activated(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.issued(person)
    await desk.announce(person, LOST)

    with pytest.raises(Refused) as caught:
        await desk.activate(person, card_id)

    assert (caught.value.reason, caught.value.metadata["cause"]) == ("CARD_NOT_USABLE", "PHYSICAL_LOST")


def test_production_signs_with_keys_in_a_file_only_when_told_to() -> None:
    def problems(allowed: str) -> list[str]:
        values = {"env": "prod", "service": "card", "database_url": "x", "nats_url": "x", "allow_soft_keys": allowed}
        return [name for name, _, _ in CardSettings.model_validate(values).problems()]

    assert problems("no") == ["HRSS_ALLOW_SOFT_KEYS"]
    assert problems("yes") == []
