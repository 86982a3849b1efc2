"""Cover that is bought for work: construction projects with their rosters, orders of platforms."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from hrss.enrollment.v1 import cover_service_pb2 as pb
from hrss.enrollment.v1 import enrollment_service_pb2 as register_pb
from kernel.errors import AlreadyExists, InvalidInput, NotFound, Refused
from tests.enrollment.builders import NOW, PARTNER, TODAY, an_id_no, day, money, month
from tests.enrollment.cover_builders import a_request_id, a_single_receipt

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau


# Projects and platforms -----------------------------------------------------------------------------------------------


def a_project(employer_id: str, **changes: Any) -> pb.RegisterProjectRequest:
    """A project of ten million that starts this month."""
    values = {
        "request_id": a_request_id("project"),
        "employer_id": employer_id,
        "permit_no": f"320613-{a_request_id('P').upper()}",
        "name": "通州测试安置房一期",
        "contract_price": money("10000000.00"),
        "start_date": day(date(2025, 3, 1)),
        "planned_date": day(date(2026, 3, 1)),
        **changes,
    }
    return pb.RegisterProjectRequest(**values)


def a_worker(project_id: str, **changes: Any) -> pb.AddProjectWorkerRequest:
    """A man on the site since 10 March."""
    values = {
        "request_id": a_request_id("worker"),
        "project_id": project_id,
        "name": "孙大力",
        "id_no": an_id_no() if "id_no" not in changes else "",
        "from_date": day(date(2025, 3, 10)),
        **changes,
    }
    return pb.AddProjectWorkerRequest(**values)


async def test_without_local_values_no_project_is_insured(bureau: Bureau) -> None:
    with pytest.raises(Refused) as refused:
        await bureau.call("RegisterProject", a_project(await bureau.employer()))
    assert refused.value.reason == "POLICY_PARAMETER_MISSING"
    assert refused.value.metadata["key"] == "work_injury_project.terms"


async def test_a_project_covers_its_days_and_names_its_workers(office: Bureau) -> None:
    project = (await office.call("RegisterProject", a_project(await office.employer()))).project
    assert project.premium.fen == 2_600_000  # 10,000,000 × 20 % × 1.3 %
    assert project.statement.lines[0].sources == ["LOCAL:NT-PROJECT"]
    worker = await office.call("AddProjectWorker", a_worker(project.project_id))
    receipt = a_single_receipt(pb.RecordProjectPremiumRequest, 2_600_000, project_id=project.project_id)
    assert (await office.call("RecordProjectPremium", receipt, by=PARTNER)).project.paid

    async def asked(on: date, person_id: str = worker.person_id) -> tuple[bool, bool]:
        request = pb.GetProjectCoverRequest(project_id=project.project_id, person_id=person_id, day=day(on))
        answer = await office.call("GetProjectCover", request)
        return answer.covered, answer.named

    assert await asked(date(2025, 2, 28)) == (False, False)
    assert await asked(date(2025, 3, 1)) == (True, False)  # the site is covered, the person came later
    assert await asked(date(2025, 3, 10)) == (True, True)
    assert await asked(date(2025, 3, 10), "") == (True, False)  # workers who are not named
    complete = pb.CompleteProjectRequest(
        request_id="done", project_id=project.project_id, completion_date=day(date(2025, 3, 15))
    )
    await office.call("CompleteProject", complete)
    assert await asked(date(2025, 3, 15)) == (True, True)
    assert await asked(date(2025, 3, 16)) == (False, False)
    shown = await office.call("GetInsurance", register_pb.GetInsuranceRequest(person_id=worker.person_id))
    assert [(one.name, one.until_date) for one in shown.projects] == [("通州测试安置房一期", day(date(2025, 3, 15)))]
    with pytest.raises(InvalidInput, match="PROJECT_DATES_INVALID"):
        await office.call("AddProjectWorker", a_worker(project.project_id, from_date=day(date(2025, 3, 16))))
    with pytest.raises(Refused, match="PROJECT_COMPLETED"):
        await office.call(
            "CompleteProject",
            pb.CompleteProjectRequest(request_id="x", project_id=project.project_id, completion_date=day(TODAY)),
        )


async def test_a_permit_is_registered_once(office: Bureau) -> None:
    employer_id = await office.employer()
    await office.call("RegisterProject", a_project(employer_id, permit_no="320613-0001"))

    with pytest.raises(AlreadyExists, match="PROJECT_ALREADY_REGISTERED"):
        await office.call("RegisterProject", a_project(employer_id, permit_no="320613-0001"))


async def test_a_platform_pays_by_the_order_and_its_workers_are_covered_on_their_days(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    worker = await bureau.enrolled(await bureau.employer())

    def a_report(**changes: Any) -> pb.ReportPlatformOrdersRequest:
        days = [
            pb.PlatformWorkerDay(person_id=worker.person_id, day=day(date(2025, 3, number)), orders=30)
            for number in (3, 4)
        ]
        values = {
            "request_id": a_request_id("orders"),
            "employer_id": employer_id,
            "month": month(NOW),
            "branch": pb.PLATFORM_BRANCH_TAKEAWAY,
            "worker_days": days,
            **changes,
        }
        return pb.ReportPlatformOrdersRequest(**values)

    report = (await bureau.call("ReportPlatformOrders", a_report())).platform_month

    assert (report.orders, report.premium.fen) == (60, 360)  # 60 × 0.06
    assert report.statement.lines[0].sources == ["MOHRSS-2021-110"]
    with pytest.raises(AlreadyExists, match="PLATFORM_MONTH_ALREADY_REPORTED"):
        await bureau.call("ReportPlatformOrders", a_report())
    stranger = pb.PlatformWorkerDay(person_id="per_" + "0" * 32, day=day(date(2025, 3, 3)), orders=1)
    with pytest.raises(NotFound, match="PERSON_NOT_FOUND"):
        await bureau.call("ReportPlatformOrders", a_report(worker_days=[stranger], branch=pb.PLATFORM_BRANCH_RIDE))
    wrong = pb.PlatformWorkerDay(person_id=worker.person_id, day=day(date(2025, 4, 3)), orders=1)
    with pytest.raises(InvalidInput, match="ORDERS_INVALID"):
        await bureau.call("ReportPlatformOrders", a_report(worker_days=[wrong]))
    receipt = a_single_receipt(pb.RecordPlatformPremiumRequest, 360, platform_month_id=report.platform_month_id)
    assert (await bureau.call("RecordPlatformPremium", receipt, by=PARTNER)).platform_month.paid

    async def asked(on: date) -> bool:
        request = pb.GetPlatformCoverRequest(person_id=worker.person_id, day=day(on))
        return bool((await bureau.call("GetPlatformCover", request)).covered)

    assert [await asked(date(2025, 3, number)) for number in (2, 3, 4, 5)] == [False, True, True, False]
    shown = await bureau.call("GetInsurance", register_pb.GetInsuranceRequest(person_id=worker.person_id))
    assert [(one.days, one.orders) for one in shown.platforms] == [(2, 60)]
