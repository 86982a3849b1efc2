"""Real kill -9 of a worker in every run of benefits, at chance moments: it goes on, totals are equal, nobody twice."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from chassis.policy import open_policy
from services.benefits.adjusting import AmountsSource
from services.benefits.adjusting_commands import CreateAdjustment, CreateRecomputation
from services.benefits.commands import Approve
from services.benefits.operations import adjusting, adjusting_whatif, keeping_import, keeping_sweep
from services.benefits.policy import BenefitsPolicy
from tests.benefits.builders import CLERK, SUPERVISOR, Enrollment
from tests.benefits.conftest import POLICY_DIR, POLICY_LOCAL
from tests.benefits.keeping import a_file, uploaded
from tests.benefits.paying_bureau import Bureau
from tests.plugins.databases import owner_fetch
from tests.system.oracle_benefits import violations

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from chassis.database import Database
    from services.benefits.store.adjusting import Run

SEED = 20261123
PEOPLE, KILLS = 5, 2
LIMIT_SECONDS = 120.0
TODAY = date(2027, 3, 20)
LATE = date(2028, 5, 20)
PUBLISHED = """
  - id: TEST-BASE-2026
    file: pension-employee.yaml
    key: calculation_base
    from: 2026-01-01
    to: 2026-12-31
    value: "9300"
    confidence: likely
    reason: test
    reviewers: [one, two]
    decided: 2027-03-01
"""


class Killer:
    """Kills workers while a job is at work, then lets one finish it."""

    def __init__(self, bureau: Bureau) -> None:
        self.bureau = bureau
        self.dice = random.Random(SEED)
        self.kills = 0

    async def through(self) -> None:
        """Every job to its end; the first workers are killed when so many more chunks are done."""
        for _ in range(KILLS):
            done = await self.done()
            if not await self.victim(done + self.dice.randint(0, 2)):
                return
        await self.victim(None)

    async def victim(self, until: int | None) -> bool:
        """A worker; whether there is something left when it is gone."""
        settings = self.bureau.database.settings.model_dump_json().encode()
        command = (sys.executable, "-m", "tests.benefits.runs_victim")
        process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE)
        assert process.stdin is not None
        try:
            process.stdin.write(settings)
            process.stdin.close()
            limit = time.monotonic() + LIMIT_SECONDS
            while left := await self.left():
                if until is not None and await self.done() >= until and await self.running():
                    break
                assert time.monotonic() < limit, "the job does not go on"
                assert process.returncode is None, "the worker died by itself"
                await asyncio.sleep(0.005)
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
            await process.wait()
        self.kills += bool(left)
        return bool(left)

    async def left(self) -> int:
        """Jobs that are not over."""
        return await self.count("SELECT count(*) AS n FROM job WHERE state IN ('QUEUED', 'RUNNING')")

    async def running(self) -> int:
        """Jobs that somebody works on."""
        return await self.count("SELECT count(*) AS n FROM job WHERE state = 'RUNNING'")

    async def done(self) -> int:
        """Chunks that are over."""
        return await self.count("SELECT count(*) AS n FROM job_chunk WHERE state = 'DONE'")

    async def count(self, statement: str) -> int:
        """A number."""
        (row,) = await owner_fetch(self.bureau.database, statement)
        return int(row["n"])


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_runs_go_on_where_their_workers_were_killed(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, tmp_path: Path
) -> None:
    bureau = Bureau(database, policy)
    killer = Killer(bureau)
    people = [await enrollment.about_to_retire(balance=f"{50 + one}000.00") for one in range(PEOPLE)]
    for person_id in people:
        await bureau.approve(await bureau.prepare_pension(person_id))

    async def once(statement: str, *values: Any) -> None:
        """Every person stands in the rows once."""
        rows = await owner_fetch(database, statement, *values)
        assert sorted(row["person_id"] for row in rows) == sorted(people)
        assert await violations(database.settings.database_owner_url, bureau.policy) == []

    await bureau.start_payroll("2027-03", today=TODAY)
    await killer.through()
    row = await bureau.start_payroll("2027-03", today=TODAY)
    assert row.payment_count == 8 * PEOPLE
    await bureau.approve_payroll(row, today=TODAY)
    await once("SELECT person_id FROM payment WHERE month = '2026-08-01'")

    annual = CreateAdjustment(2027, AmountsSource.DEMO)
    run = await bureau.run(lambda tx: adjusting.create(tx, annual, policy), CLERK, TODAY)
    await bureau.run(lambda tx: adjusting.dry_run(tx, run.adjustment_id), CLERK, TODAY)
    await killed(killer, run.adjustment_id)
    await once("SELECT person_id FROM benefit_amount JOIN benefit USING (benefit_id) WHERE cause = 'ADJUSTED'")
    await once("SELECT person_id FROM difference WHERE cause = 'ADJUSTED'")

    await publish(bureau, tmp_path)
    again: Run = await bureau.run(
        lambda tx: adjusting_whatif.recompute(tx, CreateRecomputation(), bureau.policy), CLERK, TODAY
    )
    await killed(killer, again.adjustment_id)
    found = await bureau.run(lambda tx: adjusting.found(tx, again.adjustment_id))
    assert found.result == found.impact  # as the dry run said
    rows = await owner_fetch(database, "SELECT person_id FROM difference WHERE cause = 'RECOMPUTED'")
    assert sorted(row["person_id"] for row in rows) == sorted(people)
    rows = await owner_fetch(database, "SELECT count(*) AS n FROM benefit_amount WHERE cause = 'RECOMPUTED'")
    assert [row["n"] for row in rows] == [2 * PEOPLE]  # the pension and its adjustment, each once

    await bureau.run(lambda tx: keeping_sweep.start(tx, bureau.policy), CLERK, LATE)
    await killer.through()
    held = await owner_fetch(database, "SELECT person_id FROM suspension")
    assert sorted(row["person_id"] for row in held) == sorted(people)

    text = a_file(*[(one, "2028-05-10", f"RZ-{place}") for place, one in enumerate(people)], day="2028-05-19")
    settings = database.settings
    matched, upload_id, digest = await uploaded(settings.files_dir, settings.keys_dir, text)
    await bureau.run(lambda tx: keeping_import.start(tx, upload_id, digest, matched), CLERK, LATE)
    await killer.through()
    rows = await owner_fetch(database, "SELECT person_id FROM certification")
    assert sorted(row["person_id"] for row in rows) == sorted(people)
    assert await killer.count("SELECT count(*) AS n FROM suspension WHERE closed_date IS NULL") == 0
    assert killer.kills > PEOPLE


async def killed(killer: Killer, run_id: UUID) -> None:
    """A run whose dry run has begun: looked at, approved and run, with workers killed throughout."""
    bureau = killer.bureau
    await killer.through()
    looked = await bureau.run(lambda tx: adjusting.found(tx, run_id))
    command = Approve(run_id, looked.digest or b"")
    await bureau.run(lambda tx: adjusting.approve(tx, command), SUPERVISOR, TODAY)
    await bureau.run(lambda tx: adjusting.start(tx, run_id), CLERK, TODAY)
    await killer.through()


async def publish(bureau: Bureau, folder: Path) -> None:
    """The base of 2026 is known from now on."""
    local = folder / "local.yaml"
    local.write_text(POLICY_LOCAL.read_text() + PUBLISHED.removeprefix("\n"))
    bureau.policy = BenefitsPolicy(open_policy(POLICY_DIR, local))
    bureau.database.settings = bureau.database.settings.model_copy(update={"policy_local": local})
