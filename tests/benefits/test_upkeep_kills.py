"""Real deaths of workers in the daily jobs: they go on, every total is what the law says, and nobody has it twice."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from chassis import crash
from hrss.benefits.v1 import upkeep_service_pb2 as pb
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

SEED = 20261124
PEOPLE = 4
# Each death leaves another kind of half: nothing done, all written and nothing committed, committed and not known.
POINTS = ("chunk_taken", "chunk_before_done", "before_commit", "after_commit")


class Deaths:
    """Lets one worker after the other die in a job."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.dice = random.Random(SEED)
        self.deaths: dict[str, int] = dict.fromkeys(POINTS, 0)

    async def through(self) -> None:
        """Every job to its end; each point kills a worker once, at its first or second turn."""
        for point in self.dice.sample(POINTS, len(POINTS)):
            if await self.worker(f"{point}:{self.dice.randint(1, 2)}") == crash.EXIT_CODE:
                self.deaths[point] += 1
        assert await self.worker("") == 0
        left = await self.number("SELECT count(*) FROM job WHERE state <> 'DONE'")
        assert left == 0

    async def worker(self, point: str) -> int:
        """The exit code of a worker."""
        settings = self.database.settings.model_copy(update={"test_crash": point})
        command = (sys.executable, "-m", "tests.benefits.upkeep_victim")
        process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        await process.communicate(settings.model_dump_json().encode())
        assert process.returncode in {0, crash.EXIT_CODE}
        return process.returncode

    async def number(self, statement: str, *values: Any) -> int:
        """What a statement counts."""
        (row,) = await owner_fetch(self.database, statement, *values)
        return int(row[0] or 0)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_daily_jobs_go_on_where_their_workers_died(
    database: Database,
    enrollment: Enrollment,
    benefits: Benefits,
    policy: BenefitsPolicy,
    counter: Counter,
) -> None:
    killer = Deaths(database)
    for number in range(PEOPLE):
        person_id = await enrollment.person(f"1961-05-{number + 10}")
        await enrollment.hired(person_id, "2014-10", schemes=RESIDENT, division="320613")
        values = {"balance": yuan("20850.00"), "full_years": 15, "payee": payee(f"622202100111222333{number}")}
        await counter.determined("PrepareResidentPension", person_id=person_id, **values)
    ill = [await an_allowance(enrollment, counter) for _ in range(PEOPLE)]
    await benefits.approve_payroll(await benefits.payroll("2026-07"))

    # The tilt from 2026-06 on: one amount each, and 20.00 yuan for each of two paid months.
    await counter.call("StartUpkeep", task=pb.UPKEEP_TASK_RESIDENT_AMOUNTS)
    await killer.through()
    amounts = "SELECT {} FROM benefit_amount WHERE cause = 'RECOMPUTED'"
    assert await killer.number(amounts.format("count(*)")) == PEOPLE
    assert await killer.number(amounts.format("count(DISTINCT benefit_id)")) == PEOPLE
    assert await killer.number(amounts.format("sum(amount_fen)")) == PEOPLE * 470_00
    assert await killer.number("SELECT count(*) FROM difference") == PEOPLE
    assert await killer.number("SELECT sum(amount_fen) FROM difference") == PEOPLE * 40_00
    said = "SELECT sum(cardinality(keys)) FROM outbox WHERE subject LIKE '%.BenefitsAdjusted'"
    assert await killer.number(said) == PEOPLE

    # Pensions that take the place of allowances: prepared once, in the name of who started it, decided by nobody.
    await counter.call("StartUpkeep", task=pb.UPKEEP_TASK_ALLOWANCES_TO_PENSIONS)
    await killer.through()
    rows = await owner_fetch(
        database, "SELECT person_id, maker, checker FROM determination WHERE kind = 'EMPLOYEE_PENSION'"
    )
    assert sorted(str(row["person_id"]) for row in rows) == sorted(map(str, ill))
    assert {(row["maker"], row["checker"]) for row in rows} == {(CLERK.acting_person, None)}
    assert await killer.number("SELECT count(*) FROM benefit WHERE kind = 'EMPLOYEE_PENSION'") == 0

    # Reminders: one for each due day of whoever draws.
    drawing = await killer.number("SELECT count(*) FROM benefit WHERE kind = 'RESIDENT_PENSION'")
    near = Counter(counter.running, date(2027, 7, 10), counter.numbers)
    await near.call("StartUpkeep", task=pb.UPKEEP_TASK_REMINDERS)
    await killer.through()
    assert drawing == PEOPLE
    assert await killer.number("SELECT count(DISTINCT benefit_id) FROM reminder") == await killer.number(
        "SELECT count(*) FROM reminder"
    )
    assert (
        await killer.number(
            "SELECT count(*) FROM reminder JOIN benefit USING (benefit_id) WHERE kind = 'RESIDENT_PENSION'"
        )
        == PEOPLE
    )

    assert sum(killer.deaths.values()) >= 3 * (len(POINTS) - 1), killer.deaths
    assert min(killer.deaths.values()) > 0, killer.deaths
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
