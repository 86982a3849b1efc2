"""A worker is killed at any chunk of a delivery, and the totals are those of one that was not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import crash
from chassis.worker import Worker
from hrss.enrollment.v1 import enrollment_events_pb2 as events
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from hrss.type.v1 import job_pb2
from kernel.money import Money
from services.enrollment import moving, years_file
from tests.enrollment.builders import TODAY, an_id_no
from tests.enrollment.moving import a_balance_row, a_year_row, a_years_file
from tests.enrollment.test_history import bring_in
from tests.plugins.marks import slow

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau

NAME = "陈志强"
PEOPLE, YEARS = 6, 4
LIMIT_SECONDS = 30.0


async def killed(bureau: Bureau, at: str) -> None:
    """Let a worker die at a crash point."""
    settings = bureau.database.settings.model_copy(update={"test_crash": at})
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.enrollment.moving_victim",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    _, errors = await asyncio.wait_for(process.communicate(settings.model_dump_json().encode()), LIMIT_SECONDS)
    assert process.returncode == crash.EXIT_CODE, errors.decode()


async def worked(bureau: Bureau, job_id: str) -> job_pb2.Job:
    """The job at its end: what a killed worker held is taken over when its lease is over."""
    worker = Worker(bureau.database, bureau.service.jobs)
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            await worker.run_one()
            job: job_pb2.Job = (await bureau.call("GetEnrollmentJob", pb.GetEnrollmentJobRequest(job_id=job_id))).job
            if job.state not in {job_pb2.JOB_STATE_QUEUED, job_pb2.JOB_STATE_RUNNING}:
                return job
            await asyncio.sleep(0.05)


# Chunk 1 opens the file, 2 to 4 read its slices, the others let them take effect.
@pytest.mark.parametrize(
    "at",
    [
        slow("chunk_taken:3"), "chunk_before_done:4", slow("chunk_before_done:6"), slow("before_commit:7"),
    ],
)  # fmt: skip
async def test_a_delivery_goes_on_where_a_killed_worker_was(
    bureau: Bureau, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(years_file, "SLICE_BYTES", 600)
    rows = [
        row
        for _ in range(PEOPLE)
        for id_no in [an_id_no()]
        for row in (
            *(a_year_row(id_no, NAME, 2020 + year) for year in range(YEARS)),
            a_balance_row(id_no, NAME, 2023, "100.00"),
        )
    ]
    job = await bring_in(bureau, a_years_file(rows), run=False)

    await killed(bureau, at)
    done = await worked(bureau, job.job_id)

    assert (done.state, done.done_count, done.skipped_count, done.rejected_count) == (
        job_pb2.JOB_STATE_DONE,
        PEOPLE * (YEARS + 1),
        0,
        0,
    )
    (totals,) = await bureau.rows("SELECT count(*) AS months, sum(base_fen)::bigint AS fen FROM contribution_month")
    assert (totals["months"], totals["fen"]) == (PEOPLE * YEARS * 36, PEOPLE * YEARS * 36 * 500_000)
    facts = await bureau.said(events.HistoryBroughtIn)
    assert len({fact.header.aggregate_id for fact in facts}) == len(facts) == PEOPLE
    assert len(await bureau.rows("SELECT 1 FROM account WHERE balance_fen = 10000")) == PEOPLE


Month_ = st.tuples(st.sampled_from("PPPPD."), st.integers(1, 10**6))


@given(st.lists(Month_, min_size=12, max_size=12).filter(lambda row: any(letter != "." for letter, _ in row)))
def test_a_row_says_the_same_as_its_months_one_by_one(year: list[tuple[str, int]]) -> None:
    """The compact form and the months that layout 1 would have had give the same fen."""
    letters = "".join(letter for letter, _ in year)
    bases = ";".join(str(Money(fen)) for letter, fen in year if letter != ".") + (
        "*1" if letters.count(".") == 11 else ""
    )
    row = a_year_row(an_id_no(), NAME, 2020, schemes="110", months=letters, bases=bases)

    found = years_file.read_slice(row.encode(), "utf-8", 3, today=TODAY, allow_test_region=True)

    (one,) = found.persons[0].years
    read: dict[int, tuple[str, int]] = {}
    for first, count, base, is_deemed in moving.runs_of(one.months, one.deemed, one.bases):
        for number in range(first, first + count):
            read[number] = ("D" if is_deemed else "P", base)
    expected = {number: pair for number, pair in enumerate(year, start=1) if pair[0] != "."}
    assert read == expected
    assert found.sums.bases == sum(fen for _, fen in expected.values())
    assert found.sums.pension_months == len(expected)


def test_every_code_of_a_row_has_its_words() -> None:
    codes: Any = years_file.TEXTS

    assert all(zh and en for zh, en in codes.values())
