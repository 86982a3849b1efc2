"""How many are insured, exactly, in the month of the business day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from chassis import transaction
from chassis.operations import Period
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from services.enrollment.operations import figures
from tests.enrollment import builders

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau

YEAR = Period(date(2025, 1, 1), date(2025, 12, 31))
KEYS = ("employee_pension_insured", "unemployment_insured", "work_injury_insured")


async def insured(bureau: Bureau, on: date) -> list[int]:
    found = await transaction.run(
        bureau.database,
        lambda tx: figures.count(tx, YEAR),
        principal=builders.CLERK,
        today=on,
        read_only=True,
    )
    assert set(found) == set(KEYS)
    return [found[key] for key in KEYS]


async def leave(bureau: Bureau, enrollment_id: str) -> None:
    await bureau.call(
        "EndEnrollment",
        pb.EndEnrollmentRequest(
            request_id=f"end-{builders.number()}",
            enrollment_id=enrollment_id,
            end_month=builders.month(builders.NOW),
            reason=model.END_REASON_RESIGNED,
        ),
    )


async def test_nobody_is_nobody(bureau: Bureau) -> None:
    assert await insured(bureau, builders.TODAY) == [0, 0, 0]


async def test_each_person_counts_once_per_scheme_from_the_first_to_the_last_month(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id)
    leaver = await bureau.enrolled(employer_id)
    await bureau.enrolled(employer_id, start_month=builders.month(builders.NOW.next))

    await leave(bureau, leaver.enrollment_id)

    assert await insured(bureau, date(2025, 2, 28)) == [0, 0, 0]
    assert await insured(bureau, date(2025, 3, 1)) == [2, 2, 2]
    assert await insured(bureau, date(2025, 3, 31)) == [2, 2, 2]
    assert await insured(bureau, date(2025, 4, 1)) == [2, 2, 2]


async def test_who_changes_the_employer_is_not_counted_twice(bureau: Bureau) -> None:
    first, second = await bureau.employer(), await bureau.employer()
    id_no = builders.an_id_no()
    before = await bureau.enrolled(first, id_no=id_no)
    await leave(bureau, before.enrollment_id)
    await bureau.enrolled(second, id_no=id_no, start_month=builders.month(builders.NOW.next))

    assert await insured(bureau, date(2025, 3, 31)) == [1, 1, 1]
    assert await insured(bureau, date(2025, 4, 1)) == [1, 1, 1]


async def test_who_left_is_not_counted_the_month_after(bureau: Bureau) -> None:
    leaver = await bureau.enrolled(await bureau.employer())
    await leave(bureau, leaver.enrollment_id)

    assert await insured(bureau, date(2025, 4, 1)) == [0, 0, 0]
