"""How many persons claimed an electronic card, exactly."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from chassis import transaction
from chassis.operations import Period
from services.card.operations import figures
from tests.card.builders import CLERK, LOST, TODAY

if TYPE_CHECKING:
    from tests.card.builders import Desk

YEARS = Period(date(2021, 1, 1), date(2025, 12, 31))


async def holders(desk: Desk) -> int:
    found = await transaction.run(
        desk.database, lambda tx: figures.count(tx, YEARS), principal=CLERK, today=TODAY, read_only=True
    )
    assert set(found) == {"ecard_holders"}
    return found["ecard_holders"]


async def test_a_card_that_waits_for_its_holder_is_not_claimed(desk: Desk) -> None:
    person = await desk.person()
    card_id = await desk.issued(person)
    assert await holders(desk) == 0

    await desk.activate(person, card_id)

    assert await holders(desk) == 1


async def test_a_lost_card_is_still_its_holders_and_a_cancelled_one_is_not(desk: Desk) -> None:
    first, second = await desk.person(), await desk.person()
    lost, cancelled = await desk.active(first), await desk.active(second)
    await desk.announce(first, LOST)
    assert await holders(desk) == 2

    await desk.do("CancelCard", cancelled, second.acting())

    assert await holders(desk) == 1
    assert lost != cancelled
