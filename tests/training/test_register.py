"""What enrollment and benefits announce becomes insured months and a status, once and in order."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from hrss.benefits.v1 import benefits_pb2
from hrss.enrollment.v1 import enrollment_pb2 as register_pb
from kernel.calendar import Month
from services.training.domain.skill_subsidy import PersonStatus
from services.training.store import register
from tests.plugins.databases import owner_fetch

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.database import Database
    from tests.training.builders import Neighbours, Training


async def months(training: Training, person_id: UUID, last: str) -> int:
    found: int = await training.run(lambda tx: register.insured_months(tx, person_id, Month.parse(last)))
    return found


async def test_paid_months_of_the_unemployment_insurance_count(neighbours: Neighbours, training: Training) -> None:
    person_id = await neighbours.person()
    await neighbours.settled(person_id, "2024-11", "2026-02")
    await neighbours.settled(person_id, "2026-03", "2026-04", register_pb.CONTRIBUTION_STATE_UNPAID)
    await neighbours.settled(person_id, "2023-01", "2023-02", register_pb.CONTRIBUTION_STATE_DEEMED)

    until = ("2024-10", "2024-11", "2025-12", "2026-02", "2027-01")
    found = [await months(training, person_id, last) for last in until]

    assert found == [0, 1, 14, 16, 16]


async def test_a_later_fact_of_a_month_replaces_the_earlier_one(neighbours: Neighbours, training: Training) -> None:
    person_id = await neighbours.person()
    await neighbours.settled(person_id, "2025-01", "2025-12", register_pb.CONTRIBUTION_STATE_UNPAID)
    await neighbours.settled(person_id, "2025-03", "2025-10")
    await neighbours.settled(person_id, "2025-10", "2025-10", register_pb.CONTRIBUTION_STATE_UNPAID)

    assert await months(training, person_id, "2025-12") == 7


async def test_years_that_were_brought_in_count_as_their_months(neighbours: Neighbours, training: Training) -> None:
    person_id = await neighbours.person()
    await neighbours.brought_in(person_id, 2024, first=3, count=10)

    assert [await months(training, person_id, last) for last in ("2024-02", "2024-07", "2026-01")] == [0, 5, 10]


@pytest.mark.parametrize(
    ("month", "status"),
    [
        ("2024-12", PersonStatus.OTHER),
        ("2025-01", PersonStatus.EMPLOYED),
        ("2025-06", PersonStatus.EMPLOYED),
        ("2025-07", PersonStatus.OTHER),
        ("2025-08", PersonStatus.DRAWING),
        ("2025-10", PersonStatus.DRAWING),
        ("2025-11", PersonStatus.OTHER),
    ],
)
async def test_the_status_follows_employment_and_benefit(
    neighbours: Neighbours, training: Training, month: str, status: PersonStatus
) -> None:
    person_id = await neighbours.person()
    part = await neighbours.hired(person_id, "2025-01")
    await neighbours.hired(person_id, "2020-01", register_pb.SCHEME_EMPLOYEE_PENSION)  # a flexible worker's months
    await neighbours.left(person_id, part, "2025-06")
    benefit_id = await neighbours.draws(person_id, "2025-08", "2026-07")
    await neighbours.draws(person_id, "2020-01", "2030-01", benefits_pb2.BENEFIT_KIND_EMPLOYEE_PENSION)
    await neighbours.ended(person_id, benefit_id, "2025-10")

    found = await training.check(person_id, today=date.fromisoformat(f"{month}-15"))

    assert found.facts.status is status


async def test_nothing_personal_is_kept_of_a_person(database: Database, neighbours: Neighbours) -> None:
    person_id = await neighbours.person()

    assert [dict(row) for row in await owner_fetch(database, "SELECT * FROM person")] == [{"person_id": person_id}]
