"""Physical cards announce themselves, and the electronic card follows."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from chassis.clocks import business_day
from hrss.card.v1 import card_events_pb2 as events
from hrss.card.v1 import card_pb2 as model
from hrss.card.v1 import card_service_pb2 as pb
from kernel import ids
from kernel.errors import Conflict, DomainError, Forbidden, InvalidInput, NotFound, Refused
from services.card.rpc import CardRpc
from services.card.service import build, open_office
from tests.card.builders import CANCELLED, CLERK, HOSPITAL, ISSUED, LOCKED, LOST, TODAY, UNLOST, Person
from tests.plugins.grpc_harness import serve

if TYPE_CHECKING:
    from tests.card.builders import Desk
    from tests.plugins.databases import NewDatabase

STATES = model.CardState
AT_ONCE = 20


async def state(desk: Desk, person: Person, card_id: str) -> str:
    """Where a card stands."""
    reply = await desk.call("GetCard", pb.GetCardRequest(card_id=card_id), person.acting(2))
    return STATES.Name(reply.card.state).removeprefix("CARD_STATE_")


async def test_a_holder_is_kept_sealed_under_our_own_key(desk: Desk) -> None:
    person = await desk.person()

    row = (await desk.rows("SELECT * FROM holder"))[0]
    sealer = desk.database.sealer
    assert sealer.open_text("holder", "name", person.person_id, row["name_sealed"]) == person.name
    assert sealer.open_text("holder", "id_no", person.person_id, row["id_no_sealed"]) == person.id_no
    assert row["id_no_index"] == sealer.blind_index("id_no", person.id_no)
    for value in row.values():
        assert person.id_no not in str(value)
        assert not isinstance(value, bytes) or person.name.encode() not in value


async def test_an_identity_sealed_for_another_person_is_parked(desk: Desk) -> None:
    fact = desk.registered(Person(ids.new_id(), "990000199001010017"))
    fact.header.aggregate_id = ids.to_text("per", ids.new_id())

    await desk.hear(fact)

    assert not await desk.rows("SELECT 1 FROM holder")
    assert (await desk.rows("SELECT reason FROM parked"))[0]["reason"].startswith("SEALED_IDENTITY_UNREADABLE")


async def test_a_card_is_issued_with_the_physical_one(desk: Desk) -> None:
    person = await desk.person()

    reply = await desk.announce(person, payment_enabled=True)

    card = (await desk.call("ListCards", pb.ListCardsRequest(person_id=person.text), person.acting(2))).cards[0]
    assert (reply.outcome, reply.card_id) == (pb.PHYSICAL_CARD_OUTCOME_APPLIED, card.card_id)
    assert (len(card.issue_no), card.issue_no[:5], int(card.issue_no) % 97) == (20, "32061", 1)
    assert (card.level, card.state, card.usable) == (2, model.CARD_STATE_ISSUED, False)
    assert card.physical_state == model.PHYSICAL_STATE_NORMAL
    assert (card.name_masked, card.valid_to.year) == ("赵**一", TODAY.year + 10)
    assert await desk.said() == ["CardIssued"]
    payload = (await desk.rows("SELECT payload FROM outbox"))[0]["payload"]
    fact = events.CardIssued.FromString(payload).facts[0]
    assert (fact.header.aggregate_id, fact.person_id) == (card.card_id, person.text)
    assert person.id_no.encode() not in payload
    assert card.issue_no.encode() not in payload


async def test_a_person_nobody_announced_has_no_card_yet(desk: Desk) -> None:
    with pytest.raises(Conflict) as caught:
        await desk.announce(Person(ids.new_id(), "990000199001010017"))

    assert (caught.value.reason, caught.value.retry_after) == ("HOLDER_NOT_KNOWN_YET", 2)


async def test_an_event_said_twice_counts_once_and_never_says_two_things(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.issued(person, sequence=5)

    again = await desk.announce(person, sequence=5)

    assert (again.card_id, await desk.said()) == (card_id, ["CardIssued"])
    with pytest.raises(Refused) as caught:
        await desk.announce(person, LOST, sequence=5)
    assert caught.value.reason == "PHYSICAL_EVENT_DIFFERS"


async def test_an_older_event_is_kept_and_changes_nothing(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.issued(person, sequence=5)

    reply = await desk.announce(person, LOST, sequence=4)

    assert reply.outcome == pb.PHYSICAL_CARD_OUTCOME_OLDER
    assert await state(desk, person, card_id) == "ISSUED"
    assert len(await desk.rows("SELECT 1 FROM physical_event")) == 2


@pytest.mark.parametrize(("event", "physical"), [(LOST, "LOST"), (LOCKED, "LOCKED")])
async def test_the_card_is_suspended_and_resumed_with_the_physical_one(
    desk: Desk, event: pb.PhysicalCardEvent.ValueType, physical: str
) -> None:
    person = await desk.person()
    card_id = await desk.active(person)

    await desk.announce(person, event)
    assert await state(desk, person, card_id) == "SUSPENDED_TEMP"
    for by in (person.acting(), CLERK):
        with pytest.raises(Refused) as caught:
            await desk.do("LiftLoss", card_id, by)
        assert (caught.value.reason, caught.value.metadata["cause"]) == ("CARD_NOT_USABLE", f"PHYSICAL_{physical}")
    await desk.announce(person, UNLOST)

    assert await state(desk, person, card_id) == "ACTIVE"
    assert await desk.said() == ["CardIssued", "CardActivated", "CardSuspended", "CardResumed"]


async def test_a_loss_that_the_holder_reported_is_not_lifted_by_the_feed(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.active(person)
    await desk.do("ReportLoss", card_id, person.acting(2))

    await desk.announce(person, LOST)
    await desk.announce(person, UNLOST)

    assert await state(desk, person, card_id) == "SUSPENDED_TEMP"
    await desk.do("LiftLoss", card_id, person.acting(3))
    assert await state(desk, person, card_id) == "ACTIVE"


async def test_a_replacement_takes_over_the_card_and_the_old_one_counts_no_more(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.active(person)
    await desk.announce(person, LOST)

    await desk.announce(person, ISSUED, physical_card_ref="PHYS-0002", payment_enabled=True)
    late = await desk.announce(person, CANCELLED)  # of the card that was replaced

    assert (late.outcome, late.card_id) == (pb.PHYSICAL_CARD_OUTCOME_OLDER, card_id)
    card = (await desk.call("GetCard", pb.GetCardRequest(card_id=card_id), person.acting(2))).card
    assert (card.state, card.level) == (model.CARD_STATE_ACTIVE, 2)


async def test_a_cancelled_physical_card_cancels_and_a_new_one_begins_anew(desk: Desk) -> None:
    person = await desk.person()
    first = await desk.active(person)

    cancelled = await desk.announce(person, CANCELLED)
    again = await desk.announce(person, ISSUED, physical_card_ref="PHYS-0002")

    assert cancelled.card_state == model.CARD_STATE_CANCELLED
    assert again.card_id != first
    assert await state(desk, person, again.card_id) == "ISSUED"
    assert (await desk.said())[-2:] == ["CardCancelled", "CardIssued"]


@pytest.mark.parametrize("event", [LOST, UNLOST, LOCKED, CANCELLED])
async def test_nothing_happens_to_a_card_that_never_was(desk: Desk, event: pb.PhysicalCardEvent.ValueType) -> None:
    with pytest.raises(NotFound) as caught:
        await desk.announce(await desk.person(), event)

    assert caught.value.reason == "PHYSICAL_CARD_UNKNOWN"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"id_no": "990000199001010018"}, "ID_NO_INVALID"),
        ({"id_no": "990000900101001"}, "ID_NO_INVALID"),
        ({"sequence": -1}, "SEQUENCE_INVALID"),
        ({"physical_card_ref": "卡"}, "PHYSICAL_REF_INVALID"),
        ({"event": pb.PHYSICAL_CARD_EVENT_UNSPECIFIED}, "VALUE_REQUIRED"),
    ],
)
async def test_a_wrong_event_is_refused_with_its_field(desk: Desk, fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await desk.announce(await desk.person(), **fields)

    assert caught.value.reason == reason
    assert caught.value.field


async def test_production_takes_no_simulated_event(new_database: NewDatabase, desk: Desk) -> None:
    person = await desk.person()
    settings = desk.database.settings.model_copy(update={"env": "prod"})
    async with serve(build(settings), database=new_database.opened(settings)) as running:
        production = replace(desk, running=running)
        with pytest.raises(Refused) as caught:
            await production.announce(person, today=business_day())
        assert caught.value.reason == "PHYSICAL_EVENT_SIMULATED"
        assert (await production.announce(person, simulated=False, today=business_day())).card_id


async def test_only_the_card_centre_announces(desk: Desk) -> None:
    person = await desk.person()

    with pytest.raises(Forbidden):
        await desk.announce(person, by=HOSPITAL)
    with pytest.raises(Forbidden):
        await desk.announce(person, by=CLERK)


async def test_a_number_that_is_taken_is_drawn_again(desk: Desk) -> None:
    draws = iter([7, 7, 8])
    office = replace(open_office(desk.database.settings), draw=lambda: next(draws))
    async with serve([CardRpc(office)], database=desk.database) as running:
        fixed = replace(desk, running=running)
        for _ in range(2):
            await fixed.announce(await desk.person())

    numbers = [row["issue_no"] for row in await desk.rows("SELECT issue_no FROM card ORDER BY card_id")]
    assert [number[5:18] for number in numbers] == [f"{7:013d}", f"{8:013d}"]


async def test_threat_11_twenty_events_at_once_through_two_instances_make_one_card(
    desk: Desk, new_database: NewDatabase
) -> None:
    person = await desk.person()
    second = new_database.opened(desk.database.settings)
    async with serve(build(second.settings), database=second) as running:
        pair = [desk, replace(desk, running=running)]
        outcomes = await asyncio.gather(
            *(pair[turn % 2].announce(person, sequence=turn + 1) for turn in range(AT_ONCE)), return_exceptions=True
        )

    done = [one for one in outcomes if not isinstance(one, BaseException)]
    refused = [one for one in outcomes if isinstance(one, BaseException)]
    assert all(isinstance(one, DomainError) for one in refused), refused
    assert len({one.card_id for one in done}) == 1
    assert [row["count"] for row in await desk.rows("SELECT count(*) FROM card")] == [1]
    assert await desk.said() == ["CardIssued"]
