"""Certificates and paid subsidies in the years of the plan, exactly."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from chassis.operations import Period
from services.training.lifecycle import Answer
from services.training.operations import figures
from tests.training.builders import CLERK, a_key

if TYPE_CHECKING:
    from tests.training.builders import Neighbours, Training

YEARS = Period(date(2026, 1, 1), date(2026, 8, 9))


async def counted(training: Training, period: Period = YEARS) -> tuple[int, int]:
    found = await training.run(lambda tx: figures.count(tx, period), CLERK)
    assert set(found) == {"skill_certificates", "subsidised_training"}
    return found["skill_certificates"], found["subsidised_training"]


async def test_a_certificate_counts_from_the_first_to_the_last_day(neighbours: Neighbours, training: Training) -> None:
    person_id = await neighbours.person()
    for number, issued in enumerate(("2025-12-31", "2026-01-01", "2026-08-09", "2026-08-10")):
        await training.record(person_id, a_key(f"S00003200000625300000{number}"), issued=issued)

    assert await counted(training) == (2, 0)


async def test_a_subsidy_counts_when_the_bank_has_paid_it(neighbours: Neighbours, training: Training) -> None:
    paid_to, returned_to = await neighbours.employee(), await neighbours.employee()
    orders = []
    for number, person_id in enumerate((paid_to, returned_to)):
        key = a_key(f"S00003200000625300000{number}")
        await training.record(person_id, key)
        granted = await training.granted(person_id, key)
        assert granted.order is not None
        orders.append(granted.order.order_id)
    until_today = Period(YEARS.first, date(2026, 8, 10))
    assert await counted(training, until_today) == (2, 0)

    await training.answer(orders[0])
    await training.answer(orders[1], Answer.RETURN)

    assert await counted(training, until_today) == (2, 1)
    assert await counted(training) == (2, 0)
