"""The real process dies by the hand of a crash point in the middle of a run, and the next one goes on."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import pytest

from chassis import crash
from chassis.worker import Worker
from services.benefits.adjusting import RunState
from services.benefits.operations import adjusting, adjusting_annual
from tests.benefits.conftest import POLICY_LOCAL
from tests.benefits.test_adjusting import Office, city, lease_over, pensioners, rows  # noqa: F401 - a fixture
from tests.chassis.conditions import until

if TYPE_CHECKING:
    from chassis.database import Database
    from chassis.jobs import JobKind
    from services.benefits.store.adjusting import Run
    from tests.benefits.builders import Benefits

DONE_SECONDS = 60.0


async def service(database: Database, point: str = "") -> asyncio.subprocess.Process:
    """Benefits as its own process, jobs only."""
    settings = database.settings
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.benefits",
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("HRSS_")},
            "HRSS_ENV": "test",
            "HRSS_DATABASE_URL": settings.database_url,
            "HRSS_KEYS_DIR": str(settings.keys_dir),
            "HRSS_FILES_DIR": str(settings.files_dir),
            "HRSS_POLICY_LOCAL": str(POLICY_LOCAL),
            "HRSS_ROLES": "jobs",
            "HRSS_TEST_CRASH": point,
        },
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def dies(database: Database, point: str) -> None:
    """Run the service until it dies at a point."""
    process = await service(database, point)
    try:
        assert await asyncio.wait_for(process.wait(), DONE_SECONDS) == crash.EXIT_CODE
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", ["chunk_taken:3", "chunk_before_done:2", "before_commit:4"])
async def test_a_killed_adjustment_goes_on_in_the_next_process(
    database: Database,
    benefits: Benefits,
    city: Office,  # noqa: F811 - the fixture by its name
    point: str,
) -> None:
    before = await pensioners(database)
    run = await city.dry_run(await city.create())
    await city.approve(run)
    await benefits.run(lambda tx: adjusting.start(tx, run.adjustment_id))
    kinds = adjusting_annual.job_kinds(size=9)
    assert await _planned(database, kinds)

    await dies(database, point)
    between = await rows(database, "SELECT 1 FROM benefit_amount WHERE cause = 'ADJUSTED'")
    await lease_over(database)
    process = await service(database)
    try:
        await until(lambda: _is_done(city, run), seconds=DONE_SECONDS)
    finally:
        process.terminate()
        await process.wait()

    done = await city.show(run)
    adjusted = await rows(database, "SELECT DISTINCT benefit_id FROM benefit_amount WHERE cause = 'ADJUSTED'")
    amounts = await rows(database, "SELECT 1 FROM benefit_amount WHERE cause = 'ADJUSTED'")
    assert len(between) < len(before) == len(adjusted) == len(amounts)
    assert done.result == done.impact


async def _planned(database: Database, kinds: list[JobKind]) -> bool:

    return await Worker(database, kinds).run_one()


async def _is_done(office: Office, run: Run) -> bool:
    return (await office.show(run)).state is RunState.DONE
