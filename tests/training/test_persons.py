"""Mergers: months of either record count for one person, and are apart again when it is taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hrss.enrollment.v1 import enrollment_events_pb2 as heard
from hrss.type.v1 import calendar_pb2, fact_pb2
from kernel import ids
from kernel.calendar import Month
from services.training.events import ENROLLMENT
from services.training.store import register

if TYPE_CHECKING:
    from uuid import UUID

    from tests.training.builders import Neighbours, Training


async def test_months_of_a_merged_record_count_for_both_ids(neighbours: Neighbours, training: Training) -> None:
    survivor, other = await neighbours.person(), await neighbours.person()
    await neighbours.settled(survivor, "2025-01", "2025-03")
    await neighbours.settled(other, "2024-11", "2024-12")

    async def say(kind: Any) -> None:
        day = calendar_pb2.Date(year=2025, month=6, day=1)
        header = fact_pb2.FactHeader(aggregate_id=ids.to_text("per", other), business_date=day)
        await neighbours.say(ENROLLMENT, kind, kind.Fact(header=header, survivor_id=ids.to_text("per", survivor)))

    async def months() -> list[int]:
        async def of(person_id: UUID) -> int:
            found: int = await training.run(lambda tx: register.insured_months(tx, person_id, Month(2025, 12)))
            return found

        return [await of(survivor), await of(other)]

    assert await months() == [3, 2]
    await say(heard.PersonsMerged)
    assert await months() == [5, 5]
    await say(heard.PersonsUnmerged)
    assert await months() == [3, 2]
