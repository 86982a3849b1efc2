"""The runs over flexible workers and government posts: the fen of one by one, once a month, whole after a kill."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from chassis.worker import Worker
from hrss.enrollment.v1 import city_service_pb2 as city_pb
from hrss.enrollment.v1 import cover_service_pb2 as cover_pb
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.type.v1 import job_pb2
from kernel import ids
from kernel.calendar import Month
from kernel.errors import AlreadyExists, DomainError, InvalidInput, Refused
from kernel.money import Money
from services.enrollment.domain.contributions import contribute_flexible, credit_account, determine_base
from services.enrollment.operations import city_covers
from tests.enrollment import builders
from tests.enrollment.builders import NOW, money, month
from tests.enrollment.cover_builders import (
    a_cover_bill,
    a_flexible_cover,
    a_government,
    a_post,
    a_request_id,
)
from tests.enrollment.test_bills import POLICY
from tests.enrollment.test_cover_posts import a_post_bill
from tests.enrollment.test_races import run_process

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau

FLEXIBLE, GOVERNMENT = model.BILL_KIND_FLEXIBLE, model.BILL_KIND_GOVERNMENT


async def started(bureau: Bureau, kind: model.BillKind.ValueType, value: Month = NOW) -> city_pb.BillRun:
    """A run that nobody has worked on yet."""
    request = city_pb.StartBillRunRequest(request_id=a_request_id("run"), month=month(value), kind=kind)
    run: city_pb.BillRun = (await bureau.call("StartBillRun", request)).bill_run
    return run


async def shown(bureau: Bureau, kind: model.BillKind.ValueType) -> city_pb.BillRun:
    """The run of this month as it stands."""
    reply = await bureau.call("GetBillRun", city_pb.GetBillRunRequest(month=month(NOW), kind=kind))
    run: city_pb.BillRun = reply.bill_run
    return run


async def flexible_people(bureau: Bureau, chance: random.Random, count: int) -> list[model.Cover]:
    """Flexible workers: suspended, employed, drawing a pension, billed before, and most of them just there."""
    limits = POLICY.contributions.limits.on(NOW.first_day).value
    employer_id = await bureau.employer()
    covers = []
    for place in range(count):
        base = Money(chance.randint(limits.floor.fen, limits.ceiling.fen))
        id_no = builders.an_id_no()
        cover = await a_flexible_cover(
            bureau, id_no=id_no, base=money(str(base)), start_month=month(Month(NOW.year, 1))
        )
        covers.append(cover)
        match place % 8:
            case 1:
                suspend = cover_pb.SuspendCoverRequest(
                    request_id=a_request_id("rest"), cover_id=cover.cover_id, from_month=month(NOW),
                    reason=cover_pb.SUSPEND_REASON_OTHER,
                )  # fmt: skip
                await bureau.call("SuspendCover", suspend)
            case 2:
                await bureau.enrolled(employer_id, name="李自强", id_no=id_no, start_month=month(NOW))
            case 3:
                await bureau.rows(
                    "UPDATE person SET retirement_month = $2 WHERE person_id = $1",
                    ids.parse("per", cover.person_id), NOW.first_day,
                )  # fmt: skip
            case 4:
                await a_cover_bill(bureau, cover.cover_id)
    return covers


async def test_flexible_workers_are_billed_to_the_fen_as_one_by_one(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(city_covers, "FLEXIBLE_CHUNK", 7)
    covers = await flexible_people(bureau, random.Random(20250320), 24)
    before = {row["person_id"] for row in await bureau.rows("SELECT person_id FROM bill_line")}
    run = await started(bureau, FLEXIBLE)

    assert await Worker(bureau.database, bureau.service.jobs).run_one()  # the plan, in small chunks
    await run_process(bureau, HRSS_TEST_CRASH="chunk_before_done:2")
    await bureau.rows("UPDATE job_chunk SET due = clock_timestamp() WHERE state = 'RUNNING'")  # the lease ran out
    await bureau.run_jobs()

    rows = {
        ids.to_text("per", row["person_id"]): row
        for row in await bureau.rows("SELECT line.*, total_fen, terms FROM bill_line AS line JOIN bill USING (bill_id)")
    }
    law = POLICY.contributions
    made = 0
    for cover in covers:
        row = rows.get(cover.person_id)
        if row is None:  # who is not billed by the run is refused at the counter too
            with pytest.raises(DomainError):
                await a_cover_bill(bureau, cover.cover_id)
            continue
        base = determine_base(Money(cover.bases[0].wage.fen), NOW, law)
        expected = (base.base.fen, contribute_flexible(base, law).total.fen, credit_account(base, law).amount.fen)
        assert (row["base_fen"], row["pension_employee_fen"], row["account_fen"]) == expected
        assert row["total_fen"] == row["pension_employee_fen"]
        assert (await a_cover_bill(bureau, cover.cover_id)).bill_id == ids.to_text("bil", row["bill_id"])
        made += row["person_id"] not in before
    done = await shown(bureau, FLEXIBLE)
    assert made == done.bill_count == done.person_count == done.job.done_count == 12
    assert (done.job.state, done.kind, done.bill_run_id) == (job_pb2.JOB_STATE_DONE, FLEXIBLE, run.bill_run_id)
    assert done.total.fen == sum(row["total_fen"] for row in rows.values() if row["person_id"] not in before)
    assert [(one.scheme, one.employee.fen) for one in done.subtotals] == [
        (model.SCHEME_EMPLOYEE_PENSION, done.total.fen)
    ]
    terms = {str(row["terms"]) for row in rows.values()}
    assert len(terms) == 1  # the single form and the run keep the same law


async def test_government_posts_are_billed_as_body_by_body(bureau: Bureau) -> None:
    bodies = [await a_government(bureau) for _ in range(3)]
    for place, employer_id in enumerate(bodies):
        more = {"with_unemployment": True, "with_work_injury": True} if place == 1 else {}
        for wage in ("3000.00", "8123.45", "40000.00"):
            await bureau.call("EnrollPost", a_post(employer_id, wage=money(wage), **more))
    alone = await a_post_bill(bureau, bodies[0])
    await bureau.enrolled(await bureau.employer())  # an employee is not this run's

    await started(bureau, GOVERNMENT)
    await bureau.run_jobs()

    done = await shown(bureau, GOVERNMENT)
    assert (done.bill_count, done.person_count, done.job.skipped_count) == (2, 6, 3)
    totals = await bureau.rows("SELECT employer_id, total_fen FROM bill")
    by_body = {ids.to_text("emp", row["employer_id"]): row["total_fen"] for row in totals}
    assert by_body[bodies[2]] == alone.total.fen  # the same wages, without and with the run
    assert by_body[bodies[1]] > alone.total.fen
    assert done.total.fen == by_body[bodies[1]] + by_body[bodies[2]]
    annuity = next(one for one in done.subtotals if one.scheme == model.SCHEME_OCCUPATIONAL_ANNUITY)
    assert (annuity.employer.fen, annuity.employee.fen) == (2 * annuity.employee.fen, annuity.employee.fen)
    assert annuity.employee.fen > 0


@pytest.mark.parametrize("kind", [FLEXIBLE, GOVERNMENT], ids=["flexible", "government"])
async def test_a_kind_has_one_run_a_month(bureau: Bureau, kind: model.BillKind.ValueType) -> None:
    first = await started(bureau, kind)

    with pytest.raises(AlreadyExists, match="BILL_RUN_EXISTS") as refused:
        await started(bureau, kind)

    assert refused.value.metadata == {"run": first.bill_run_id, "month": str(NOW)}
    assert (await started(bureau, model.BILL_KIND_EMPLOYER)).bill_run_id != first.bill_run_id
    with pytest.raises(Refused, match="MONTH_NOT_STARTED"):
        await started(bureau, kind, NOW.next)
    with pytest.raises(InvalidInput, match="BILL_KIND_INVALID"):
        await started(bureau, model.BILL_KIND_BACK_PAYMENT)


async def test_past_years_of_flexible_workers_are_closed_to_the_run_too(bureau: Bureau) -> None:
    with pytest.raises(Refused, match="PAST_YEAR_CLOSED"):
        await started(bureau, FLEXIBLE, Month(NOW.year - 1, 12))

    assert await bureau.rows("SELECT FROM cover_run") == []
