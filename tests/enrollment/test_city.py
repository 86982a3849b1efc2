"""The bill run of the city: the same fen as employer by employer, once for a month, whole after any kill."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import pytest

from chassis.principal import Principal
from chassis.worker import Worker
from hrss.enrollment.v1 import city_service_pb2 as city_pb
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from hrss.type.v1 import job_pb2
from kernel import ids
from kernel.calendar import Month
from kernel.errors import AlreadyExists, InvalidInput, NotFound, Refused
from ops.seed import rows as seed_rows
from ops.seed.people import Plan
from ops.seed.rows import Batch
from services.enrollment import city
from services.enrollment.service import build
from tests.enrollment import builders
from tests.enrollment.builders import CLERK, NOW, TODAY, an_employer, an_enrollment, money, month
from tests.enrollment.collecting import SUPERVISOR
from tests.enrollment.conftest import Bureau, run_side_by_side
from tests.enrollment.test_bills import a_bill, an_assessment
from tests.enrollment.test_races import run_process
from tests.plugins.grpc_harness import serve
from tests.plugins.marks import slow

if TYPE_CHECKING:
    from tests.plugins.databases import NewDatabase

PERSONS = 300
AMOUNTS = (
    "wage_fen, base_fen, pension_employer_fen, pension_employee_fen, unemployment_employer_fen, "
    "unemployment_employee_fen, injury_employer_fen, account_fen"
)


async def seeded(bureau: Bureau, persons: int = PERSONS, *, with_facts: bool = False) -> Batch:
    """A small city in the register."""
    batch = Batch(
        Plan(7, persons, NOW),
        bureau.database.settings,
        Principal.system("seed"),
        TODAY,
        first=0,
        last=persons,
        with_facts=with_facts,
    )
    await seed_rows.write_employers(batch)
    await seed_rows.write_people(batch)
    return batch


async def started(bureau: Bureau, value: Month = NOW) -> city_pb.BillRun:
    """A bill run that nobody has worked on yet."""
    request = city_pb.StartBillRunRequest(request_id=f"run-{builders.number()}", month=month(value))
    run: city_pb.BillRun = (await bureau.call("StartBillRun", request)).bill_run
    return run


async def shown(bureau: Bureau, value: Month = NOW) -> city_pb.BillRun:
    """The run of a month as it stands."""
    run: city_pb.BillRun = (await bureau.call("GetBillRun", city_pb.GetBillRunRequest(month=month(value)))).bill_run
    return run


async def lines(bureau: Bureau) -> dict[UUID, Any]:
    """Amounts of every bill line by person."""
    found = await bureau.rows(f"SELECT person_id, {AMOUNTS} FROM bill_line")
    return {row["person_id"]: tuple(row.values())[1:] for row in found}


async def test_the_city_is_billed_to_the_fen_as_employer_by_employer(
    bureau: Bureau, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(city, "CHUNK_PERSONS", 40)
    await seeded(bureau)
    other = new_database.opened(new_database.settings("enrollment", policy_local=bureau.database.settings.policy_local))
    run = await started(bureau)

    await run_side_by_side(bureau)

    done = await shown(bureau)
    service = build(other.settings)
    async with serve(service, database=other) as running:
        one_by_one = Bureau(other, service, running)
        await seeded(one_by_one)
        for row in await one_by_one.rows("SELECT DISTINCT employer_id FROM participation WHERE end_month IS NULL"):
            await a_bill(one_by_one, ids.to_text("emp", row["employer_id"]))
        assert await lines(bureau) == await lines(one_by_one)
    billed = await bureau.rows(
        "SELECT count(*) AS bills, sum(person_count) AS persons, sum(total_fen) AS fen FROM bill WHERE run_id = $1",
        ids.parse("brn", run.bill_run_id),
    )
    assert dict(billed[0]) == {"bills": done.bill_count, "persons": done.person_count, "fen": done.total.fen}
    assert done.total.fen == sum(one.employer.fen + one.employee.fen for one in done.subtotals)
    assert (done.job.state, done.job.done_count) == (job_pb2.JOB_STATE_DONE, done.person_count)
    assert done.job.total_count == done.person_count > 250
    assert len(await bureau.rows("SELECT FROM job_chunk")) > 5


async def test_the_lines_of_a_run_explain_themselves(bureau: Bureau) -> None:
    await seeded(bureau, 20)
    await started(bureau)
    await bureau.run_jobs()
    (row,) = await bureau.rows("SELECT bill_id FROM bill ORDER BY person_count DESC, bill_id LIMIT 1")
    found = await bureau.call("ListBillLines", pb.ListBillLinesRequest(bill_id=ids.to_text("bil", row["bill_id"])))

    stored = await lines(bureau)
    assert found.lines
    for line in found.lines:
        assert sum(one.amount.fen for one in line.statement.lines) == sum(stored[ids.parse("per", line.person_id)][2:7])


async def test_a_second_run_of_the_month_is_refused_by_name(bureau: Bureau) -> None:
    await seeded(bureau, 20)
    first = await started(bureau)
    await bureau.run_jobs()
    before = await shown(bureau)

    with pytest.raises(AlreadyExists, match="BILL_RUN_EXISTS") as refusal:
        await started(bureau)

    assert refusal.value.metadata == {"run": first.bill_run_id, "month": str(NOW)}
    await bureau.run_jobs()
    assert await shown(bureau) == before
    assert len(await bureau.rows("SELECT FROM job")) == 1


async def test_four_starts_at_once_are_one_run(bureau: Bureau) -> None:
    outcomes = await asyncio.gather(*(started(bureau) for _ in range(4)), return_exceptions=True)

    (run,) = [one for one in outcomes if isinstance(one, city_pb.BillRun)]
    refused = [one for one in outcomes if isinstance(one, AlreadyExists)]
    assert [one.metadata["run"] for one in refused] == [run.bill_run_id] * 3


async def test_who_comes_after_the_run_is_on_a_supplement_and_who_was_billed_before_is_not_billed_again(
    bureau: Bureau,
) -> None:
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id)
    early = await a_bill(bureau, employer_id)
    await bureau.enrolled(employer_id)
    await started(bureau)
    await bureau.run_jobs()
    run = await shown(bureau)
    await bureau.enrolled(employer_id)

    late = (await bureau.call("AssessBill", an_assessment(employer_id))).bill

    assert (run.bill_count, run.person_count, run.job.done_count, run.job.skipped_count) == (1, 1, 1, 1)
    assert (early.person_count, late.person_count) == (1, 1)
    numbers = await bureau.rows("SELECT number, run_id IS NULL AS alone FROM bill ORDER BY number")
    assert [tuple(row) for row in numbers] == [(1, True), (2, False), (3, True)]
    assert await shown(bureau) == run


@pytest.mark.parametrize(
    "step",
    [
        "chunk_taken:3",
        slow("chunk_before_done:2"),
        slow("before_commit:4"),
        slow("after_commit:3"),
    ],
)
async def test_a_run_that_is_killed_goes_on_where_it_was(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    await seeded(bureau)
    monkeypatch.setattr(city, "CHUNK_PERSONS", 40)
    await started(bureau)
    await _plan(bureau)

    await run_process(bureau, HRSS_TEST_CRASH=step)
    between = await shown(bureau)
    await bureau.rows("UPDATE job_chunk SET due = clock_timestamp() WHERE state = 'RUNNING'")  # the lease ran out
    await bureau.run_jobs()

    done = await shown(bureau)
    assert between.person_count < done.person_count == done.job.done_count == done.job.total_count
    insured = await bureau.rows(
        "SELECT count(*) AS persons FROM participation WHERE scheme = 110 AND start_month <= $1"
        " AND (end_month IS NULL OR end_month >= $1)",
        NOW.first_day,
    )
    assert len(await lines(bureau)) == insured[0]["persons"] == done.person_count


async def _plan(bureau: Bureau) -> None:
    """Let this process plan the chunks, small as this test wants them."""
    assert await Worker(bureau.database, bureau.service.jobs).run_one()


async def test_an_employer_without_a_rate_is_named_and_stops_nobody(bureau: Bureau) -> None:
    good, bad = await bureau.employer(), await bureau.employer()
    for employer_id in (good, bad):
        await bureau.enrolled(employer_id)
    await bureau.rows("UPDATE employer SET injury_step = 9.99 WHERE employer_id = $1", ids.parse("emp", bad))

    run = await started(bureau)
    await bureau.run_jobs()

    done = await shown(bureau)
    assert (done.job.state, done.person_count, done.job.rejected_count) == (job_pb2.JOB_STATE_DONE, 1, 1)
    (reject,) = await bureau.rows("SELECT code, text_en FROM job_reject")
    assert reject["code"] == "FLOAT_STEP_UNKNOWN"
    assert bad in reject["text_en"]
    assert run.job.state == job_pb2.JOB_STATE_QUEUED


@pytest.mark.parametrize(
    ("value", "refusal", "reason"),
    [
        (NOW.next, Refused, "MONTH_NOT_STARTED"),
        (Month(1999, 1), Refused, "POLICY_PARAMETER_MISSING"),
        (None, InvalidInput, "MONTH_REQUIRED"),
    ],
)
async def test_a_run_that_cannot_be_is_refused(
    bureau: Bureau, value: Month | None, refusal: type[Exception], reason: str
) -> None:
    request = city_pb.StartBillRunRequest(request_id="run", month=month(value) if value else None)

    with pytest.raises(refusal, match=reason):
        await bureau.call("StartBillRun", request)

    assert await bureau.rows("SELECT FROM bill_run") == []


async def test_a_month_without_a_run_is_not_found(bureau: Bureau) -> None:
    with pytest.raises(NotFound, match="BILL_RUN_NOT_FOUND"):
        await shown(bureau)


async def test_a_city_of_nobody_is_billed_at_once(bureau: Bureau) -> None:
    await bureau.call("RegisterEmployer", an_employer())
    await started(bureau)

    await bureau.run_jobs()

    done = await shown(bureau)
    assert (done.job.state, done.bill_count, done.total.fen) == (job_pb2.JOB_STATE_DONE, 0, 0)
    assert [one.scheme for one in done.subtotals] == [
        model.SCHEME_EMPLOYEE_PENSION,
        model.SCHEME_UNEMPLOYMENT,
        model.SCHEME_WORK_INJURY,
    ]


async def test_a_wage_that_was_billed_by_the_run_stays(bureau: Bureau) -> None:
    """The run locks as a single assessment does, and what it billed is in the way of a change."""
    employer_id = await bureau.employer()
    one = (await bureau.call("EnrollPerson", an_enrollment(employer_id), by=CLERK)).enrollment
    await started(bureau)
    await bureau.run_jobs()

    with pytest.raises(Refused):
        await bureau.call(
            "DeclareWage",
            pb.DeclareWageRequest(
                request_id="wage", enrollment_id=one.enrollment_id, from_month=month(NOW), wage=money("7000")
            ),
        )


async def test_a_line_without_its_bill_is_refused_by_the_database(bureau: Bureau) -> None:
    await seeded(bureau, 5)
    await started(bureau)
    await bureau.run_jobs()

    with pytest.raises(asyncpg.ForeignKeyViolationError, match="needs its bill"):
        await bureau.rows(
            "INSERT INTO bill_line SELECT gen_random_uuid(), gen_random_uuid(), enrollment_id, month, wage_fen,"
            " base_fen, pension_employer_fen, pension_employee_fen, unemployment_employer_fen,"
            " unemployment_employee_fen, injury_employer_fen, account_fen FROM bill_line LIMIT 1"
        )


@pytest.mark.parametrize("size", [1, 7, 40, 1_000])
async def test_chunks_hold_every_employer_once_in_order(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    await seeded(bureau)
    monkeypatch.setattr(city, "CHUNK_PERSONS", size)
    await started(bureau)
    await _plan(bureau)
    counts = await bureau.rows(
        "SELECT employer_id, count(*) AS persons FROM participation WHERE scheme = 110 AND start_month <= $1"
        " AND (end_month IS NULL OR end_month >= $1) GROUP BY employer_id ORDER BY employer_id",
        NOW.first_day,
    )

    chunks = await bureau.rows("SELECT params FROM job_chunk WHERE number > 1 ORDER BY number")

    ranges = [json.loads(row["params"]) for row in chunks]
    at = 0
    for one in ranges:
        held = [row for row in counts[at:] if row["employer_id"] <= UUID(one["last"])]
        assert held[0]["employer_id"] == UUID(one["first"])
        assert one["persons"] == sum(row["persons"] for row in held)
        assert one["persons"] - held[-1]["persons"] < size
        at += len(held)
    assert at == len(counts)


async def test_a_job_is_held_and_goes_on_and_an_ended_one_refuses(bureau: Bureau) -> None:
    run = await started(bureau)
    again = {"request_id": "hold", "job_id": run.job.job_id}

    held = await bureau.call("PauseEnrollmentJob", city_pb.PauseEnrollmentJobRequest(**again), by=SUPERVISOR)
    repeated = await bureau.call("PauseEnrollmentJob", city_pb.PauseEnrollmentJobRequest(**again), by=SUPERVISOR)
    assert not await Worker(bureau.database, bureau.service.jobs).run_one()
    gone_on = await bureau.call(
        "ResumeEnrollmentJob",
        city_pb.ResumeEnrollmentJobRequest(request_id="go-on", job_id=run.job.job_id),
        by=SUPERVISOR,
    )
    await bureau.run_jobs()

    assert held.job.state == repeated.job.state == job_pb2.JOB_STATE_PAUSED
    assert gone_on.job.state == job_pb2.JOB_STATE_RUNNING
    assert (await shown(bureau)).job.state == job_pb2.JOB_STATE_DONE
    with pytest.raises(Refused, match="JOB_NOT_RUNNING"):
        await bureau.call(
            "PauseEnrollmentJob",
            city_pb.PauseEnrollmentJobRequest(request_id="late", job_id=run.job.job_id),
            by=SUPERVISOR,
        )
