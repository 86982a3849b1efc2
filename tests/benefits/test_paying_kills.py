"""A worker is killed at any chunk of a payroll, its bank file and its answer: totals are equal, and nobody twice."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from chassis import crash, jobs
from services.benefits.operations import paying_bank, paying_books
from services.benefits.store import books
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


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_proof_goes_on_where_its_worker_was_killed_and_counts_every_part_once(bureau: Bureau) -> None:
    await bureau.released("2026-01")
    (spoiled, *_) = await owner_fetch(
        bureau.database,
        "UPDATE benefit SET next_month = '2026-05-01' WHERE benefit_id = (SELECT max(benefit_id::text)::uuid"
        " FROM benefit) RETURNING benefit_id",
    )
    started = await bureau.as_clerk(paying_books.check_books)
    for at in ("chunk_before_done:1", "before_commit:9", "chunk_taken:8", "chunk_before_done:2"):
        await killed(bureau, at)
    await bureau.work_off()

    job = await bureau.run(lambda tx: jobs.get(tx, started.id))
    rejects = await bureau.run(lambda tx: jobs.rejects(tx, started.id))
    parts = -(-PERSONS // bureau.size)
    by_benefit = sum(rule.span == "benefit" for rule in books.RULES)
    assert job.total_count == len(books.RULES) + (parts - 1) * by_benefit
    assert (job.state, job.done_count, job.rejected_count) == ("DONE", job.total_count - 2, 2)
    assert {one.code for _, one in rejects} == {"NO_MONTH_IS_LEFT_OUT", "PAID_IS_WHAT_IS_OWED"}
    assert all(spoiled["benefit_id"].hex in one.text_zh for _, one in rejects)
