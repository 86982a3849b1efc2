"""Real deaths of workers in the daily jobs: they go on, every total is what the law says, and nobody has it twice."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from chassis import crash
from hrss.benefits.v1 import upkeep_service_pb2 as pb
from hrss.type.v1 import job_pb2
from tests.benefits.builders import CLERK
from tests.benefits.kinds_requests import Counter, day, payee, yuan
from tests.benefits.test_upkeep import PENSION, RESIDENT, counter, database, local, policy
from tests.plugins.databases import owner_fetch
from tests.system.oracle_benefits import violations

if TYPE_CHECKING:
    from chassis.database import Database
    from services.benefits.policy import BenefitsPolicy
    from tests.benefits.builders import Benefits, Enrollment

__all__ = ["counter", "database", "local", "policy"]  # fixtures of the jobs' own tests

PEOPLE = 3
# Each death leaves another kind of half: nothing done, all written and nothing committed, committed and not known.
DEATHS = {
    pb.UPKEEP_TASK_RESIDENT_AMOUNTS: ("chunk_before_done:2", "before_commit:2"),
    pb.UPKEEP_TASK_ALLOWANCES_TO_PENSIONS: ("chunk_taken:2", "chunk_before_done:2"),
    pb.UPKEEP_TASK_REMINDERS: ("before_commit:2", "after_commit:2"),
}


async def worker(database: Database, point: str = "") -> None:
    """A worker until it dies at a point; without one, until nothing is left."""
    settings = database.settings.model_copy(update={"test_crash": point})
    command = (sys.executable, "-m", "tests.benefits.upkeep_victim")
    process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    await process.communicate(settings.model_dump_json().encode())
    assert process.returncode == (crash.EXIT_CODE if point else 0)


async def number(database: Database, statement: str) -> int:
    """What a statement counts."""
    (row,) = await owner_fetch(database, statement)
    return int(row[0] or 0)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_daily_jobs_go_on_where_their_workers_died(
    database: Database, enrollment: Enrollment, benefits: Benefits, policy: BenefitsPolicy, counter: Counter
) -> None:
    for one in range(PEOPLE):
        person_id = await enrollment.person(f"1961-05-{one + 10}")
        await enrollment.hired(person_id, "2014-10", schemes=RESIDENT, division="320613")
        values = {"balance": yuan("20850.00"), "full_years": 15, "payee": payee(f"622202100111222333{one}")}
        await counter.determined("PrepareResidentPension", person_id=person_id, **values)
    ill = [await an_allowance(enrollment, counter) for _ in range(PEOPLE)]
    await benefits.approve_payroll(await benefits.payroll("2026-07"))
    near = Counter(counter.running, date(2027, 7, 10), counter.numbers)
    for task, points in DEATHS.items():
        job = (await (near if task == pb.UPKEEP_TASK_REMINDERS else counter).call("StartUpkeep", task=task)).job
        for point in points:
            await worker(database, point)
        assert (await counter.call("GetUpkeepJob", job_id=job.job_id)).job.state != job_pb2.JOB_STATE_DONE
        await worker(database)
        assert (await counter.call("GetUpkeepJob", job_id=job.job_id)).job.state == job_pb2.JOB_STATE_DONE

    # The tilt from 2026-06 on: one amount each, and 20.00 yuan for each of two paid months.
    amounts = "SELECT {} FROM benefit_amount WHERE cause = 'RECOMPUTED'"
    assert [
        await number(database, amounts.format(what))
        for what in ("count(*)", "count(DISTINCT benefit_id)", "sum(amount_fen)")
    ] == [PEOPLE, PEOPLE, PEOPLE * 470_00]
    assert [await number(database, f"SELECT {what} FROM difference") for what in ("count(*)", "sum(amount_fen)")] == [
        PEOPLE,
        PEOPLE * 40_00,
    ]
    said = "SELECT sum(cardinality(keys)) FROM outbox WHERE subject LIKE '%.BenefitsAdjusted'"
    assert await number(database, said) == PEOPLE

    # Pensions that take the place of allowances: prepared once, in the name of who started it, decided by nobody.
    rows = await owner_fetch(
        database, "SELECT person_id, maker, checker FROM determination WHERE kind = 'EMPLOYEE_PENSION'"
    )
    assert sorted(row["person_id"] for row in rows) == sorted(ill)
    assert {(row["maker"], row["checker"]) for row in rows} == {(CLERK.acting_person, None)}
    assert await number(database, "SELECT count(*) FROM benefit WHERE kind = 'EMPLOYEE_PENSION'") == 0

    # Reminders: one for whoever draws and is due.
    reminded = await owner_fetch(database, "SELECT benefit_id FROM reminder")
    residents = await owner_fetch(database, "SELECT benefit_id FROM benefit WHERE kind = 'RESIDENT_PENSION'")
    assert len(set(reminded)) == len(reminded)
    assert set(residents) <= set(reminded)

    supplement = await benefits.payroll("2026-07")
    assert (supplement.sequence, supplement.total.fen) == (2, PEOPLE * 40_00)
    assert await violations(database.settings.database_owner_url, policy) == []


async def an_allowance(enrollment: Enrollment, counter: Counter) -> Any:
    """Somebody ill who reaches the statutory age in July 2026, with a settled account."""
    ill = await enrollment.person()
    await enrollment.hired(ill, "1998-08", schemes=PENSION)
    await enrollment.paid(ill, "1998-08", "2025-05", schemes=PENSION)
    await enrollment.credited(ill, 2024, "90000.00", "90000.00")
    await counter.determined(
        "PrepareDisabilityAllowance", person_id=ill, claim_date=day("2025-06-10"), capacity_lost=True
    )
    await enrollment.settled(ill, balance="91000.00")
    return ill
