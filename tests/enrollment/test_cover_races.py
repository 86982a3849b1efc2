"""One month never counts twice, whoever comes at the same instant through two processes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hrss.enrollment.v1 import cover_service_pb2 as pb
from hrss.enrollment.v1 import enrollment_events_pb2 as events
from kernel.errors import DomainError
from tests.enrollment.builders import CLERK, NOW, PARTNER, TODAY, a_receipt, an_enrollment, an_id_no, month
from tests.enrollment.cover_builders import (
    a_cover_bill,
    a_flexible,
    a_flexible_cover,
    a_request_id,
    a_resident,
    months_of,
)
from tests.enrollment.test_bills import a_bill, pay
from tests.enrollment.test_races import pair, together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.enrollment.conftest import Bureau
    from tests.plugins.grpc_harness import Running

__all__ = ["pair"]
ROUNDS = 4


def done(outcomes: Sequence[Any]) -> list[Any]:
    """The answers among the outcomes; every other one is a typed refusal."""
    assert all(isinstance(one, DomainError) for one in outcomes if isinstance(one, BaseException)), outcomes
    return [one for one in outcomes if not isinstance(one, BaseException)]


async def test_one_flexible_worker_is_enrolled_once(bureau: Bureau, pair: Sequence[Running]) -> None:
    for _ in range(ROUNDS):
        id_no = an_id_no()

        outcomes = await together(pair, "EnrollFlexible", [a_flexible(id_no=id_no) for _ in range(8)], CLERK)

        assert len(done(outcomes)) == 1
    assert len(await bureau.said(events.PersonRegistered)) == ROUNDS
    assert len(await bureau.said(events.ParticipationStarted)) == ROUNDS


async def test_a_month_is_billed_and_paid_once(bureau: Bureau, pair: Sequence[Running]) -> None:
    for round_number in range(ROUNDS):
        cover = await a_flexible_cover(bureau)
        requests = [
            pb.AssessCoverBillRequest(request_id=a_request_id("own"), cover_id=cover.cover_id, month=month(NOW))
            for _ in range(8)
        ]

        bills = {one.bill.bill_id for one in done(await together(pair, "AssessCoverBill", requests, CLERK))}

        assert len(bills) == 1
        bill = await a_cover_bill(bureau, cover.cover_id)
        receipts = [a_receipt(bill, receipt_no=f"OWN-RACE-{round_number}-{number}") for number in range(8)]
        assert len(done(await together(pair, "RecordReceipt", receipts, PARTNER))) == 1
        assert len(await months_of(bureau, cover.person_id)) == 1


async def test_an_employment_and_an_own_bill_at_once_leave_one_month(bureau: Bureau, pair: Sequence[Running]) -> None:
    employer_id = await bureau.employer()
    for _ in range(ROUNDS):
        id_no = an_id_no()
        cover = await a_flexible_cover(bureau, id_no=id_no)
        own = pb.AssessCoverBillRequest(request_id=a_request_id("own"), cover_id=cover.cover_id, month=month(NOW))
        hired = an_enrollment(employer_id, id_no=id_no, name="李自强")

        outcomes = await asyncio.gather(
            pair[0].call("AssessCoverBill", own, CLERK, today=TODAY, timeout=20),
            pair[1].call("EnrollPerson", hired, CLERK, today=TODAY, timeout=20),
            return_exceptions=True,
        )

        assert not isinstance(outcomes[1], BaseException), outcomes
        if not isinstance(outcomes[0], BaseException):  # billed first: then the employment withdrew it
            (row,) = await bureau.rows(
                "SELECT withdrawn_date FROM bill WHERE payer_id = $1::uuid", cover.person_id.removeprefix("per_")
            )
            assert row["withdrawn_date"] is not None
        else:
            assert isinstance(outcomes[0], DomainError)
        await pay(bureau, await a_bill(bureau, employer_id))
        assert [scheme for _, scheme, _ in await months_of(bureau, cover.person_id)] == [110, 210, 410]


async def test_what_was_paid_twice_goes_back_once(bureau: Bureau, pair: Sequence[Running]) -> None:
    employer_id = await bureau.employer()
    for _ in range(ROUNDS):
        id_no = an_id_no()
        cover = await a_flexible_cover(bureau, id_no=id_no)
        await pay(bureau, await a_cover_bill(bureau, cover.cover_id))
        await bureau.enrolled(employer_id, id_no=id_no, name="李自强")
        requests = [
            pb.RefundOverlapRequest(request_id=a_request_id("back"), person_id=cover.person_id) for _ in range(6)
        ]

        assert len(done(await together(pair, "RefundOverlap", requests, CLERK))) == 1


async def test_a_person_becomes_either_a_flexible_worker_or_an_employee_or_a_resident(
    bureau: Bureau, pair: Sequence[Running]
) -> None:
    employer_id = await bureau.employer()
    for _ in range(ROUNDS):
        id_no = an_id_no()
        calls = [
            pair[0].call("EnrollFlexible", a_flexible(id_no=id_no, name="张建国"), CLERK, today=TODAY, timeout=20),
            pair[1].call("EnrollResident", a_resident(id_no=id_no, name="张建国"), CLERK, today=TODAY, timeout=20),
            pair[0].call("EnrollPerson", an_enrollment(employer_id, id_no=id_no), CLERK, today=TODAY, timeout=20),
        ]

        assert done(await asyncio.gather(*calls, return_exceptions=True))
    both = await bureau.rows(
        """
        SELECT person_id FROM employment JOIN cover USING (person_id)
        WHERE cover.end_month IS NULL OR cover.end_month > employment.start_month
        """
    )
    assert both == []
    assert len(await bureau.said(events.PersonRegistered)) == ROUNDS
