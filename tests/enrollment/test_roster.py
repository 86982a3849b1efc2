"""An employer's roster: the file, each verdict, twice, all or nothing, killed in the middle, beside the counter."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrss.enrollment.v1 import enrollment_events_pb2 as events
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from hrss.type.v1 import job_pb2
from kernel import ids
from kernel.errors import InvalidInput, NotFound
from services.enrollment import roster_file
from services.enrollment.operations import roster
from services.enrollment.roster_file import RowWrong
from tests.enrollment import builders
from tests.enrollment.builders import NOW, PARTNER, TODAY, a_roster_file, a_roster_row, an_id_no, month
from tests.enrollment.conftest import run_side_by_side
from tests.enrollment.test_history import NAME, person_of, rejects
from tests.enrollment.test_races import run_process
from tests.plugins.marks import slow

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau

PARTIAL, WHOLE = pb.ROSTER_MODE_PARTIAL, pb.ROSTER_MODE_ALL_OR_NOTHING


async def bring_in(
    bureau: Bureau,
    employer_id: str,
    data: bytes,
    *,
    mode: pb.RosterMode.ValueType = PARTIAL,
    run: bool = True,
    today: date = TODAY,
) -> job_pb2.Job:
    """Upload a roster and enrol it; the job at its end."""
    ref = await bureau.files.put(data)
    request = pb.ImportRosterRequest(
        request_id=f"roster-{builders.number()}",
        upload_id=ref.upload_id,
        digest=ref.digest,
        employer_id=employer_id,
        mode=mode,
    )
    started = (await bureau.call("ImportRoster", request, by=PARTNER, today=today)).job
    if run:
        await bureau.run_jobs()
    return await job_of(bureau, started.job_id)


async def job_of(bureau: Bureau, job_id: str) -> job_pb2.Job:
    """A job as it stands."""
    job: job_pb2.Job = (await bureau.call("GetEnrollmentJob", pb.GetEnrollmentJobRequest(job_id=job_id))).job
    return job


def counts(job: job_pb2.Job) -> tuple[int, int, int]:
    """Rows done, skipped and rejected of a job that is done."""
    assert job.state == job_pb2.JOB_STATE_DONE, job.message
    return job.done_count, job.skipped_count, job.rejected_count


async def register(bureau: Bureau) -> list[Any]:
    """What the register holds and has said: a change of anything changes this."""
    return [
        await bureau.rows(f"SELECT count(*) AS rows FROM {table}")
        for table in ("person", "employment", "participation", "declared_wage", "outbox", "aggregate")
    ]


async def test_a_roster_enrols_as_the_counter_does(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    man, woman = an_id_no(date(1990, 5, 1)), an_id_no(date(1991, 6, 2), sex="female")
    rows = [
        a_roster_row(man, name="张建国", wage="8000", post=""),
        a_roster_row(woman, name="李秀英", start=str(NOW.plus(-2)), wage="6500.50", post="管理"),
    ]

    job = await bring_in(bureau, employer_id, a_roster_file(rows))

    assert (job.kind, job.total_count, counts(job)) == ("import_roster", 2, (2, 0, 0))
    at_counter = await bureau.enrolled(employer_id)
    for id_no, post, wage, start in (
        (man, model.POST_UNSPECIFIED, 800_000, NOW),
        (woman, model.POST_MANAGEMENT, 650_050, NOW.plus(-2)),
    ):
        person_id = ids.parse("per", await person_of(bureau, id_no))
        row = (await bureau.rows("SELECT enrollment_id FROM employment WHERE person_id = $1", person_id))[0]
        request = pb.GetEnrollmentRequest(enrollment_id=ids.to_text("enr", row["enrollment_id"]))
        one = (await bureau.call("GetEnrollment", request)).enrollment
        assert (one.post, one.start_month, one.wages[0].wage.fen) == (post, month(start), wage)
        assert [part.scheme for part in one.participations] == [part.scheme for part in at_counter.participations]
        assert {part.state for part in one.participations} == {model.PARTICIPATION_STATE_ACTIVE}
    started = await bureau.said(events.ParticipationStarted)
    assert len(started) == 9
    assert {fact.division for fact in started} == {"320613"}
    assert len(await bureau.said(events.PersonRegistered)) == 3
    audited = await bureau.rows(
        "SELECT detail->>'job_id' AS job FROM audit WHERE action = 'EnrollPerson' AND detail ? 'job_id'"
    )
    assert [row["job"] for row in audited] == [job.job_id] * 2


async def test_facts_of_a_chunk_travel_together(bureau: Bureau) -> None:
    rows = [a_roster_row(an_id_no()) for _ in range(40)]

    await bring_in(bureau, await bureau.employer(), a_roster_file(rows))

    said = await bureau.rows(
        "SELECT subject, count(*) AS messages FROM outbox WHERE subject LIKE '%PersonRegistered' "
        "OR subject LIKE '%ParticipationStarted' GROUP BY subject"
    )
    assert [row["messages"] for row in said] == [1, 1]


@pytest.mark.parametrize("mode", [PARTIAL, WHOLE])
async def test_the_same_file_again_changes_nothing_and_says_so(bureau: Bureau, mode: pb.RosterMode.ValueType) -> None:
    employer_id = await bureau.employer()
    data = a_roster_file([a_roster_row(an_id_no()) for _ in range(12)])
    first = await bring_in(bureau, employer_id, data, mode=mode)
    before = await register(bureau)

    again = await bring_in(bureau, employer_id, data, mode=mode)

    assert (counts(first), counts(again)) == ((12, 0, 0), (0, 12, 0))
    assert await register(bureau) == before


async def test_a_corrected_file_may_contain_the_good_rows_too(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    good, other = a_roster_row(an_id_no()), an_id_no()
    first = await bring_in(bureau, employer_id, a_roster_file([good, a_roster_row(other, wage="8,000")]))

    second = await bring_in(bureau, employer_id, a_roster_file([good, a_roster_row(other, wage="8000")]))

    assert (counts(first), counts(second)) == ((1, 0, 1), (1, 1, 0))


async def test_what_does_not_fit_the_register_has_its_verdict(bureau: Bureau) -> None:
    here, elsewhere = await bureau.employer(), await bureau.employer()
    taken, other_name, retired, ours, ended = (an_id_no() for _ in range(5))
    await bureau.enrolled(elsewhere, id_no=taken, name=NAME)
    await bureau.enrolled(elsewhere, id_no=other_name, name="陈志刚")
    await bureau.enrolled(here, id_no=ours, name=NAME)
    past = await bureau.enrolled(elsewhere, id_no=ended, name=NAME, start_month=month(NOW.plus(-3)))
    end = pb.EndEnrollmentRequest(
        request_id="end",
        enrollment_id=past.enrollment_id,
        end_month=month(NOW.plus(-1)),
        reason=model.END_REASON_RESIGNED,
    )
    await bureau.call("EndEnrollment", end)
    pensioner = await bureau.enrolled(elsewhere, id_no=retired, name=NAME)
    await bureau.rows(
        "UPDATE person SET retirement_month = '2025-02-01' WHERE person_id = $1", ids.parse("per", pensioner.person_id)
    )
    rows = [
        a_roster_row(taken),
        a_roster_row(other_name),
        a_roster_row(retired),
        a_roster_row(ours, wage="8000.00"),  # recorded: skipped
        a_roster_row(ended, start=str(NOW.plus(-1))),  # the month is the other employer's still
        a_roster_row(an_id_no()),
    ]

    job = await bring_in(bureau, here, a_roster_file(rows))
    differing = await bring_in(bureau, here, a_roster_file([a_roster_row(ours, wage="8000.01"), a_roster_row(ended)]))

    assert await rejects(bureau, job) == [
        (2, "ALREADY_ENROLLED"),
        (3, "NAME_MISMATCH"),
        (4, "PERSON_RETIRED"),
        (6, "ALREADY_ENROLLED"),
    ]
    assert counts(job) == (1, 1, 4)
    assert await rejects(bureau, differing) == [(2, "ENROLLED_DIFFERENTLY")]
    assert counts(differing) == (1, 0, 1)


async def test_all_or_nothing_does_nothing_for_one_wrong_row(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "CHUNK_ROWS", 2)
    employer_id = await bureau.employer()
    recorded = an_id_no()
    await bureau.enrolled(employer_id, id_no=recorded, name=NAME)
    right = [an_id_no() for _ in range(4)]
    rows = [a_roster_row(recorded, wage="8000.00"), *map(a_roster_row, right), a_roster_row("3.206E+17")]
    before = await register(bureau)

    job = await bring_in(bureau, employer_id, a_roster_file(rows), mode=WHOLE)

    assert counts(job) == (0, 1, 5)
    expected = [(line, "OTHER_ROWS_WRONG") for line in (3, 4, 5, 6)]
    assert await rejects(bureau, job) == [*expected, (7, "ID_NO_SCIENTIFIC")]
    assert await register(bureau) == before
    good = await bring_in(bureau, employer_id, a_roster_file(rows[:-1]), mode=WHOLE)
    assert counts(good) == (4, 1, 0)


async def test_all_or_nothing_sees_the_register_too(bureau: Bureau) -> None:
    taken = an_id_no()
    await bureau.enrolled(await bureau.employer(), id_no=taken, name=NAME)
    before = await register(bureau)
    rows = [a_roster_row(an_id_no()), a_roster_row(taken)]

    job = await bring_in(bureau, employer := await bureau.employer(), a_roster_file(rows), mode=WHOLE)

    assert employer
    assert await rejects(bureau, job) == [(2, "OTHER_ROWS_WRONG"), (3, "ALREADY_ENROLLED")]
    assert (await register(bureau))[:4] == before[:4]


@pytest.mark.parametrize(
    "step",
    [
        slow("chunk_taken:3"),
        slow("chunk_before_done:2"),
        "after_commit:2",
    ],
)
async def test_a_roster_that_is_killed_goes_on_where_it_was(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(roster, "CHUNK_ROWS", 5)
    rows = [a_roster_row(an_id_no()) for _ in range(30)]
    job = await bring_in(bureau, await bureau.employer(), a_roster_file(rows), run=False)

    assert await run_process(bureau, HRSS_TEST_CRASH=step) == 137
    between = await job_of(bureau, job.job_id)
    assert between.done_count < 30
    await bureau.rows("UPDATE job_chunk SET due = clock_timestamp() WHERE state = 'RUNNING'")  # the lease ran out
    await bureau.run_jobs()

    assert counts(await job_of(bureau, job.job_id)) == (30, 0, 0)
    assert len(await bureau.said(events.PersonRegistered)) == 30
    assert len(await bureau.said(events.ParticipationStarted)) == 90


async def test_two_rosters_and_the_counter_at_once_enrol_everybody_once(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster, "CHUNK_ROWS", 6)
    employer_id = await bureau.employer()
    people = [an_id_no() for _ in range(24)]
    there = a_roster_file(map(a_roster_row, people))
    back = a_roster_file(map(a_roster_row, reversed(people)))
    jobs = [await bring_in(bureau, employer_id, data, run=False) for data in (there, back)]

    async def at_the_counter() -> None:
        for id_no in people[::5]:
            with contextlib.suppress(Exception):  # whoever is second is told so
                await bureau.enrolled(employer_id, id_no=id_no, name=NAME, wage=builders.money("8000.00"))

    await asyncio.gather(run_side_by_side(bureau), at_the_counter())
    await bureau.rows("UPDATE job_chunk SET due = clock_timestamp() WHERE state = 'QUEUED'")  # who was second waits
    await bureau.run_jobs()

    done = [counts(await job_of(bureau, job.job_id)) for job in jobs]
    assert all(rejected == 0 for _, _, rejected in done), done
    assert [done + skipped for done, skipped, _ in done] == [24, 24]
    assert len(await bureau.said(events.PersonRegistered)) == 24
    assert len(await bureau.said(events.ParticipationStarted)) == 72


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "HEADER"),
        (b"name,id_no,start_month,wage\n", "HEADER"),
        ("姓名,身份证\n".encode(), "HEADER"),
        (a_roster_file([]).decode().encode("utf-16"), "ENCODING"),
        (a_roster_file(["张三示例,,,,"] * 3)[:-9] + b"\xe5\xbc", "ENCODING"),  # UTF-8 with a broken end
        (a_roster_file([]) + b"\xff\xfe\x00", "ENCODING"),
        (b"x" * (20 * 1024 * 1024 + 1), "TOO_LARGE"),
        (a_roster_file(["a,b,c,d,e"] * 20_001), "TOO_MANY_ROWS"),
    ],
    ids=["empty", "column", "other", "utf-16", "broken", "bytes", "large", "long"],
)
async def test_a_file_of_another_form_is_refused_whole(bureau: Bureau, data: bytes, cause: str) -> None:
    with pytest.raises(InvalidInput, match="FILE_FORMAT_INVALID") as refusal:
        await bring_in(bureau, await bureau.employer(), data)

    assert refusal.value.metadata == {"cause": cause}
    assert await bureau.rows("SELECT 1 FROM job") == []


async def test_what_is_not_there_is_not_found_and_a_mode_is_said(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    ref = await bureau.files.put(a_roster_file([]))
    good: dict[str, Any] = {
        "upload_id": ref.upload_id,
        "digest": ref.digest,
        "employer_id": employer_id,
        "mode": PARTIAL,
    }
    refusals: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"upload_id": "upl_" + "0" * 32}, NotFound, "FILE_NOT_FOUND"),
        ({"digest": "0" * 64}, NotFound, "FILE_NOT_FOUND"),
        ({"digest": "0"}, InvalidInput, "DIGEST_INVALID"),
        ({"employer_id": "emp_" + "0" * 32}, NotFound, "EMPLOYER_NOT_FOUND"),
        ({"mode": pb.ROSTER_MODE_UNSPECIFIED}, InvalidInput, "VALUE_REQUIRED"),
    ]
    for changes, kind, reason in refusals:
        request = pb.ImportRosterRequest(request_id="x", **{**good, **changes})
        with pytest.raises(kind, match=reason):
            await bureau.call("ImportRoster", request)


GOOD, HERS = an_id_no(), an_id_no(sex="female")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"{NAME},{GOOD},2025-03,8000", "ROW_MALFORMED"),
        (f'"{NAME},{GOOD},2025-03,8000,', "ROW_MALFORMED"),
        ("x" * 301, "ROW_MALFORMED"),
        (a_roster_row(GOOD, name=""), "NAME_INVALID"),
        (a_roster_row(GOOD, name="=CMD()"), "NAME_INVALID"),
        (a_roster_row("3.206E+17"), "ID_NO_SCIENTIFIC"),
        (a_roster_row("3.20601199001011e17"), "ID_NO_SCIENTIFIC"),
        (a_roster_row("320601199001010000"), "ID_NO_ROUNDED"),
        (a_roster_row("９" + GOOD[1:]), "ID_NO_FULL_WIDTH"),
        (a_roster_row("320601900101001"), "ID_NO_OLD"),
        (a_roster_row(GOOD[:17] + "Z"), "ID_NO_INVALID"),
        (a_roster_row(GOOD[:16] + str((int(GOOD[16]) + 1) % 10) + GOOD[17]), "ID_NO_INVALID"),
        (a_roster_row(""), "ID_NO_INVALID"),
        (a_roster_row(GOOD, start="2025/3"), "MONTH_AS_DATE"),
        (a_roster_row(GOOD, start="2025/3/1"), "MONTH_AS_DATE"),
        (a_roster_row(GOOD, start="2025-03-01"), "MONTH_AS_DATE"),
        (a_roster_row(GOOD, start="2025年3月"), "MONTH_AS_DATE"),
        (a_roster_row(GOOD, start="Mar-25"), "MONTH_AS_DATE"),
        (a_roster_row(GOOD, start="45717"), "MONTH_AS_DATE"),
        (a_roster_row(GOOD, start="2025-13"), "MONTH_INVALID"),
        (a_roster_row(GOOD, start=""), "MONTH_INVALID"),
        (a_roster_row(GOOD, start="2024-02"), "START_MONTH_OUT_OF_WINDOW"),
        (a_roster_row(GOOD, start="2025-05"), "START_MONTH_OUT_OF_WINDOW"),
        (a_roster_row(GOOD, wage='"8,000.00"'), "WAGE_AS_TEXT"),
        (a_roster_row(GOOD, wage="8000元"), "WAGE_AS_TEXT"),
        (a_roster_row(GOOD, wage="¥8000"), "WAGE_AS_TEXT"),
        (a_roster_row(GOOD, wage="0"), "WAGE_INVALID"),
        (a_roster_row(GOOD, wage="-5"), "WAGE_INVALID"),
        (a_roster_row(GOOD, wage="8000.005"), "WAGE_INVALID"),
        (a_roster_row(GOOD, wage="1000000.01"), "WAGE_INVALID"),
        (a_roster_row(GOOD, wage=""), "WAGE_INVALID"),
        (a_roster_row(GOOD, post="boss"), "POST_UNKNOWN"),
        (a_roster_row(HERS, post=""), "POST_REQUIRED"),
    ],
)
def test_a_row_that_breaks_a_rule_has_its_reason(text: str, code: str) -> None:
    assert verdict(a_roster_file([text]), 2) == code


def verdict(data: bytes, line: int) -> str:
    """The reason of a line of a file, empty when it passes the second level."""
    file = roster_file.open_file(data)
    try:
        roster_file.read_row(
            file, line, file.lines[line - 1], employer_id=ids.new_id(), today=TODAY, allow_test_region=True
        )
    except RowWrong as wrong:
        return wrong.code if wrong.line == line and all(roster_file.TEXTS[wrong.code]) else "WITHOUT_A_TEXT"
    return ""


def test_the_second_row_of_a_number_is_a_duplicate_however_it_is_written() -> None:
    number = next(one for one in (an_id_no(date(1990, 1, 1)) for _ in range(400)) if one.endswith("X"))
    rows = [a_roster_row(GOOD), a_roster_row(number), a_roster_row("'" + number.lower()), a_roster_row(f" {GOOD} ")]
    data = a_roster_file(rows)

    assert [verdict(data, line) for line in (2, 3, 4, 5)] == ["", "", "DUPLICATE_ROW", "DUPLICATE_ROW"]


def test_chinese_columns_a_mark_blanks_and_rows_of_commas_are_read() -> None:
    text = "\ufeff姓名,公民身份号码,起始月份,月工资,岗位\r\n" + a_roster_row(GOOD) + "\r\n,,,,\r\n,,,,\r\n"

    file = roster_file.open_file(text.encode())

    assert file.row_count == 1
    assert verdict(text.encode(), 2) == ""


def test_production_takes_no_numbers_of_the_test_region() -> None:
    file = roster_file.open_file(a_roster_file([a_roster_row(GOOD)]))
    with pytest.raises(RowWrong, match="ID_NO_INVALID"):
        roster_file.read_row(file, 2, file.lines[1], employer_id=ids.new_id(), today=TODAY, allow_test_region=False)


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: a_roster_file([text])))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(InvalidInput):
        file = roster_file.open_file(data)
        for line, _ in file.rows(2, file.row_count + 1):
            assert verdict(data, line) in {"", *roster_file.TEXTS}


async def test_names_and_numbers_of_a_roster_stand_nowhere_in_clear(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    id_no, wrong = an_id_no(), an_id_no()[:17] + "Z"
    await bring_in(bureau, employer_id, a_roster_file([a_roster_row(id_no, name="慕容示例"), a_roster_row(wrong)]))

    tables = ("person", "job", "job_chunk", "job_reject", "audit", "request", "outbox", "employment")
    for table in tables:
        text = str(await bureau.rows(f"SELECT {table}::text AS one FROM {table}"))
        for needle in (id_no, wrong, "慕容示例"):
            assert needle not in text, table
