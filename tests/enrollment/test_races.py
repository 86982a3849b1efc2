"""The same thing at the same instant through two processes, and a process that dies in the middle."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from hrss.enrollment.v1 import enrollment_events_pb2 as events
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from hrss.type.v1 import job_pb2
from kernel import ids
from kernel.calendar import Month
from kernel.errors import AlreadyExists, Conflict, DomainError, Refused
from services.enrollment.operations import history
from services.enrollment.service import build
from tests.enrollment.builders import (
    CLERK,
    NOW,
    PARTNER,
    TODAY,
    a_history_file,
    a_month_row,
    a_receipt,
    an_account_row,
    an_enrollment,
    an_id_no,
    money,
    month,
)
from tests.enrollment.conftest import LOCAL_VALUES
from tests.enrollment.test_bills import a_bill, an_assessment
from tests.enrollment.test_history import NAME, bring_in
from tests.plugins.grpc_harness import serve
from tests.plugins.marks import slow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.enrollment.conftest import Bureau
    from tests.plugins.databases import NewDatabase
    from tests.plugins.grpc_harness import Running

ROUNDS = 5
AT_ONCE = 20


@pytest.fixture
async def pair(bureau: Bureau, new_database: NewDatabase) -> AsyncIterator[Sequence[Running]]:
    """Two instances of the service with connections of their own on one database."""
    second = new_database.opened(bureau.database.settings)
    async with serve(build(second.settings), database=second) as running:
        yield [bureau.running, running]


async def together(pair: Sequence[Running], rpc: str, requests: Sequence[Any], by: Any) -> list[Any]:
    """Send requests at one instant, in turns through both instances; replies and refusals in order."""
    calls = [
        pair[number % 2].call(rpc, request, by, today=TODAY, timeout=20) for number, request in enumerate(requests)
    ]
    return await asyncio.gather(*calls, return_exceptions=True)


async def test_the_same_enrolment_twenty_times_at_once_has_one_effect(bureau: Bureau, pair: Sequence[Running]) -> None:
    employer_id = await bureau.employer()
    for _ in range(ROUNDS):
        id_no = an_id_no()

        outcomes = await together(
            pair, "EnrollPerson", [an_enrollment(employer_id, id_no=id_no) for _ in range(AT_ONCE)], CLERK
        )

        done = [one for one in outcomes if not isinstance(one, BaseException)]
        refused = [one for one in outcomes if isinstance(one, DomainError)]
        assert len(done) == 1
        assert len(refused) == AT_ONCE - 1
        assert all(isinstance(one, AlreadyExists | Conflict) for one in refused)
        assert {one.metadata["since"] for one in refused if one.reason == "ALREADY_ENROLLED"} == {str(NOW)}
    assert len(await bureau.said(events.PersonRegistered)) == ROUNDS
    assert len(await bureau.said(events.ParticipationStarted)) == 3 * ROUNDS


async def test_the_same_request_twenty_times_at_once_has_one_answer(bureau: Bureau, pair: Sequence[Running]) -> None:
    employer_id = await bureau.employer()
    for _ in range(ROUNDS):
        request = an_enrollment(employer_id)

        outcomes = await together(pair, "EnrollPerson", [request] * AT_ONCE, CLERK)

        replies = {one.SerializeToString() for one in outcomes if not isinstance(one, BaseException)}
        refused = {one.reason for one in outcomes if isinstance(one, DomainError)}
        assert len(replies) == 1
        assert refused <= {"REQUEST_IN_PROGRESS"}


async def test_two_employers_cannot_both_have_one_new_person(bureau: Bureau, pair: Sequence[Running]) -> None:
    employers = [await bureau.employer() for _ in range(4)]
    for _ in range(ROUNDS):
        id_no = an_id_no()

        outcomes = await together(pair, "EnrollPerson", [an_enrollment(one, id_no=id_no) for one in employers], CLERK)

        assert sum(not isinstance(one, BaseException) for one in outcomes) == 1


async def test_one_receipt_at_once_through_both_is_recorded_once(bureau: Bureau, pair: Sequence[Running]) -> None:
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id, wage=money("8000"), start_month=month(NOW.plus(-4)))
    for back in range(5):
        bill = await a_bill(bureau, employer_id, NOW.plus(-back))

        outcomes = await together(
            pair, "RecordReceipt", [a_receipt(bill, receipt_no=f"TAX-RACE-{back}") for _ in range(10)], PARTNER
        )

        refused = [one.reason for one in outcomes if isinstance(one, DomainError)]
        assert len(refused) == 9
        assert set(refused) <= {"RECEIPT_NO_REUSED", "RECEIPT_EXCEEDS_BILL"}


async def test_part_payments_at_once_never_exceed_the_bill(bureau: Bureau, pair: Sequence[Running]) -> None:
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id, wage=money("8000"))
    bill = await a_bill(bureau, employer_id)  # 2,032.00

    outcomes = await together(
        pair, "RecordReceipt", [a_receipt(bill, amount=money("500.00")) for _ in range(8)], PARTNER
    )

    assert sum(not isinstance(one, BaseException) for one in outcomes) == 4
    paid = await bureau.call("GetBill", pb.GetBillRequest(bill_id=bill.bill_id))
    assert paid.bill.paid.fen == 200_000


async def test_accounts_credited_by_many_bills_at_once_are_exact(bureau: Bureau, pair: Sequence[Running]) -> None:
    """Twelve bills of the same twenty persons paid at one instant: every account has every credit."""
    employer_id = await bureau.employer()
    for _ in range(20):
        await bureau.enrolled(employer_id, start_month=month(NOW.plus(-11)))
    bills = [await a_bill(bureau, employer_id, NOW.plus(-back)) for back in range(12)]

    outcomes = await together(pair, "RecordReceipt", [a_receipt(one) for one in bills], PARTNER)

    assert [one for one in outcomes if isinstance(one, BaseException)] == []
    balances = await bureau.rows("SELECT DISTINCT balance_fen FROM account")
    assert [row["balance_fen"] for row in balances] == [12 * 64_000]


async def test_a_bill_assessed_at_once_by_both_is_one_bill(bureau: Bureau, pair: Sequence[Running]) -> None:
    employer_id = await bureau.employer()
    for _ in range(5):
        await bureau.enrolled(employer_id)

    outcomes = await together(pair, "AssessBill", [an_assessment(employer_id) for _ in range(10)], CLERK)

    assert len({one.bill.bill_id for one in outcomes}) == 1


async def test_a_wage_and_an_end_beside_a_bill_come_before_it_or_are_refused(
    bureau: Bureau, pair: Sequence[Running]
) -> None:
    employer_id = await bureau.employer()
    for _ in range(ROUNDS):
        one = await bureau.enrolled(employer_id, start_month=month(NOW.plus(-1)), wage=money("6000"))
        wage = pb.DeclareWageRequest(
            request_id=str(ids.new_id()), enrollment_id=one.enrollment_id, from_month=month(NOW), wage=money("7000")
        )

        outcomes: tuple[Any, Any] = await asyncio.gather(
            pair[0].call("AssessBill", an_assessment(employer_id), CLERK, today=TODAY),
            pair[1].call("DeclareWage", wage, CLERK, today=TODAY),
            return_exceptions=True,
        )
        bill, declared = outcomes

        assert not isinstance(bill, BaseException)
        if isinstance(declared, BaseException):
            assert isinstance(declared, Refused)
        lines = await bureau.rows(
            "SELECT wage_fen FROM bill_line WHERE enrollment_id = $1", ids.parse("enr", one.enrollment_id)
        )
        assert [row["wage_fen"] for row in lines] == [600_000 if isinstance(declared, Refused) else 700_000]


@pytest.mark.parametrize(
    "step",
    [
        slow("chunk_taken:3"),
        slow("chunk_before_done:2"),
        "after_commit:2",
    ],
)
async def test_an_import_that_is_killed_goes_on_where_it_was(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(history, "CHUNK_ROWS", 10)
    people = [an_id_no() for _ in range(10)]
    rows = [
        *(a_month_row(one, NAME, str(Month(2020, 1).plus(back))) for one in people for back in range(9)),
        *(an_account_row(one, NAME, 2024, "100.00") for one in people),
    ]
    job = await bring_in(bureau, a_history_file(rows), run=False)

    killed = await run_process(bureau, HRSS_TEST_CRASH=step)
    assert killed == 137
    between = (await bureau.call("GetEnrollmentJob", pb.GetEnrollmentJobRequest(job_id=job.job_id))).job
    assert between.done_count < 100
    await bureau.rows("UPDATE job_chunk SET due = clock_timestamp() WHERE state = 'RUNNING'")  # the lease ran out
    await bureau.run_jobs()

    done = (await bureau.call("GetEnrollmentJob", pb.GetEnrollmentJobRequest(job_id=job.job_id))).job
    assert (done.state, done.done_count, done.skipped_count) == (job_pb2.JOB_STATE_DONE, 100, 0)
    assert len(await bureau.said(events.PersonRegistered)) == 10
    assert len(await bureau.said(events.ContributionsSettled)) == 90


async def run_process(bureau: Bureau, **environment: str) -> int:
    """The real service as its own process, jobs only, until it ends; its exit code."""
    settings = bureau.database.settings
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.enrollment",
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("HRSS_")},
            "HRSS_ENV": "test",
            "HRSS_DATABASE_URL": settings.database_url,
            "HRSS_KEYS_DIR": str(settings.keys_dir),
            "HRSS_FILES_DIR": str(settings.files_dir),
            "HRSS_POLICY_LOCAL": str(LOCAL_VALUES),
            "HRSS_ROLES": "jobs",
            **environment,
        },
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, errors = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 137, errors.decode()
    assert NAME.encode() not in errors
    return process.returncode
