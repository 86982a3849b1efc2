"""A worker is killed at any chunk of a payroll, its bank file and its answer: totals are equal, and nobody twice."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from chassis import crash
from services.benefits.operations import paying_bank
from tests.benefits.paying_bureau import Bureau, answer_of
from tests.plugins.databases import owner_fetch
from tests.system.oracle_benefits import violations

if TYPE_CHECKING:
    from chassis.database import Database
    from services.benefits.policy import BenefitsPolicy

SEED = 20261123
PERSONS, CHUNKS = 30, 5
LIMIT_SECONDS = 60.0


async def killed(bureau: Bureau, at: str) -> None:
    """Let a worker die at a crash point."""
    settings = bureau.database.settings.model_copy(update={"test_crash": at})
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.benefits.paying_victim",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    _, errors = await asyncio.wait_for(process.communicate(settings.model_dump_json().encode()), LIMIT_SECONDS)
    assert process.returncode == crash.EXIT_CODE, errors.decode()


async def run_through(bureau: Bureau, month: str, kills: list[str]) -> None:
    """A month from preparing to the bank's answer; its three jobs are killed as named."""
    kills += [""] * (3 - len(kills))
    await bureau.start_payroll(month)
    await killed(bureau, kills[0])
    row = await bureau.approve_payroll(await bureau.paid(month))
    await bureau.as_clerk(paying_bank.make_file, row.payroll_id)
    if kills[1]:
        await killed(bureau, kills[1])
    await bureau.work_off()
    text = await bureau.file(row)
    back = text.splitlines()[2].split(",")[0]
    await bureau.upload(row, answer_of(row, text, [back]), is_worked=False)
    if kills[2]:
        await killed(bureau, kills[2])
    await bureau.work_off()

    (counted,) = await owner_fetch(
        bureau.database,
        "SELECT payment_count, total_fen, confirmed_count, returned_count FROM payroll WHERE payroll_id = $1",
        row.payroll_id,
    )
    (drawn,) = await owner_fetch(bureau.database, "SELECT sum(monthly_fen)::bigint AS fen FROM benefit")
    assert tuple(counted) == (PERSONS, drawn["fen"], PERSONS - 1, 1)
    lines = text.splitlines()
    assert len({line.split(",")[0] for line in lines[2:-1]}) == len(lines) - 3 == PERSONS
    assert await violations(bureau.database.settings.database_owner_url, bureau.policy) == []


@pytest.fixture
async def bureau(database: Database, policy: BenefitsPolicy) -> Bureau:
    made = Bureau(database, policy)
    await made.city(PERSONS)
    return made


async def test_a_month_goes_on_where_its_worker_was_killed(bureau: Bureau) -> None:
    await run_through(bureau, "2026-01", ["chunk_before_done:4"])


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_months_go_on_where_their_workers_were_killed_at_random(bureau: Bureau) -> None:
    draw = random.Random(SEED)  # a seed can be repeated
    await run_through(bureau, "2026-01", ["chunk_before_done:4", "before_commit:5", "chunk_before_done:1"])
    for number in (2, 3):
        points = [draw.choice(("chunk_taken", "chunk_before_done", "before_commit")) for _ in range(3)]
        kills = [f"{point}:{draw.randrange(1, CHUNKS)}" for point in points[:2]] + [f"{points[2]}:1"]
        await run_through(bureau, f"2026-0{number}", kills)
