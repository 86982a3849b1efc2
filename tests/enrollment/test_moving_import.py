"""History of a city in person-years: the file, the sums that decide, the register, twice, and side by side."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from hrss.enrollment.v1 import enrollment_events_pb2 as events
from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from hrss.type.v1 import job_pb2
from kernel.calendar import Month
from kernel.errors import InvalidInput
from services.enrollment import years_file
from services.enrollment.moving import Sums
from tests.enrollment.builders import TODAY, a_history_file, a_month_row, an_account_row, an_id_no, month
from tests.enrollment.conftest import run_side_by_side
from tests.enrollment.moving import a_balance_row, a_year_row, a_years_file
from tests.enrollment.test_history import bring_in, person_of, rejects

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau

NAME = "陈志强"


def a_working_life(id_no: str, first: int, last: int, **changes: Any) -> list[str]:
    """Every year of a working life in three schemes, and the balance of the last one."""
    return [
        *(a_year_row(id_no, NAME, year, **changes) for year in range(first, last + 1)),
        a_balance_row(id_no, NAME, last, "118432.77"),
    ]


async def test_a_life_in_years_is_brought_in_with_its_sources(bureau: Bureau) -> None:
    id_no = an_id_no(date(1966, 3, 15))

    job = await bring_in(bureau, a_years_file(a_working_life(id_no, 1997, 2024, bases="4200.00")))

    assert (job.state, job.total_count, job.done_count, job.rejected_count) == (job_pb2.JOB_STATE_DONE, 29, 29, 0)
    person_id = await person_of(bureau, id_no)
    insurance = await bureau.call("GetInsurance", pb.GetInsuranceRequest(person_id=person_id))
    assert [(one.scheme, one.paid_months) for one in insurance.months] == [(1, 336), (2, 336), (3, 336)]
    year = await bureau.call("ListContributions", pb.ListContributionsRequest(person_id=person_id, year=1997))
    assert [row.base.fen for row in year.months] == [420_000] * 36
    assert year.months[0].source.endswith(":3:old-system")
    account = await bureau.call("GetAccount", pb.GetAccountRequest(person_id=person_id))
    assert account.balance.fen == 11_843_277
    facts = await bureau.said(events.HistoryBroughtIn)
    assert [(fact.header.version, len(fact.years)) for fact in facts] == [(1, 28)]
    assert len(await bureau.said(events.PersonRegistered)) == 1


async def test_the_same_file_again_changes_nothing(bureau: Bureau) -> None:
    data = a_years_file(a_working_life(an_id_no(), 2020, 2024) + a_working_life(an_id_no(), 2001, 2024))
    first = await bring_in(bureau, data)
    before = await bureau.rows("SELECT count(*) AS events FROM outbox")

    again = await bring_in(bureau, data)

    assert (first.done_count, first.skipped_count) == (31, 0)
    assert (again.done_count, again.skipped_count, again.rejected_count) == (0, 31, 0)
    assert await bureau.rows("SELECT count(*) AS events FROM outbox") == before
    assert await bureau.rows("SELECT 1 FROM history_part_person") == []
    assert await bureau.rows("SELECT 1 FROM history_stage") == []


async def test_a_year_holds_gaps_deemed_months_and_changing_bases(bureau: Bureau) -> None:
    id_no = an_id_no(date(1966, 3, 15))
    rows = [
        a_year_row(id_no, NAME, 1988, schemes="110", months="......DDDDDD", bases="0.00"),
        a_year_row(id_no, NAME, 1996, schemes="110", months="PPP...PPPDDD", bases="300.00*3;310.50*3;0.00*3"),
    ]

    await bring_in(bureau, a_years_file(rows))

    person_id = await person_of(bureau, id_no)
    months = await bureau.call("ListContributions", pb.ListContributionsRequest(person_id=person_id))
    shown = [(row.month.year, row.month.month, row.base.fen, row.state) for row in reversed(months.months)]
    assert shown == [
        *((1988, number, 0, 3) for number in range(7, 13)),
        *((1996, number, 30_000, 1) for number in range(1, 4)),
        *((1996, number, 31_050, 1) for number in range(7, 10)),
        *((1996, number, 0, 3) for number in range(10, 13)),
    ]
    (fact,) = await bureau.said(events.HistoryBroughtIn)
    assert [[(run.first_month, run.month_count) for run in year.runs] for year in fact.years] == [
        [(7, 6)],
        [(1, 3), (7, 3), (10, 3)],
    ]


@pytest.mark.parametrize(
    ("totals", "figure"),
    [
        ("#totals,2,1,12,12,12,180000.00,10.00", "row_count"),
        ("#totals,3,2,12,12,12,180000.00,10.00", "person_count"),
        ("#totals,3,1,13,12,12,180000.00,10.00", "pension_months"),
        ("#totals,3,1,12,12,12,180000.01,10.00", "bases"),
        ("#totals,3,1,12,12,12,180000.00,10.01", "balances"),
    ],
)
async def test_sums_that_differ_refuse_everything(bureau: Bureau, totals: str, figure: str) -> None:
    id_no = an_id_no()
    rows = [
        a_year_row(id_no, NAME, 2023, months="PPPPPP......"),
        a_year_row(id_no, NAME, 2024, months="PPPPPP......"),
        a_balance_row(id_no, NAME, 2024, "10.00"),
    ]

    job = await bring_in(bureau, a_years_file(rows, totals=totals))

    assert (job.state, job.message, job.done_count) == (job_pb2.JOB_STATE_FAILED, "CONTROL_SUMS_DIFFER", 0)
    (row,) = await bureau.rows("SELECT state, differences FROM history_delivery")
    assert row["state"] == "REFUSED"
    assert figure in str(row["differences"])
    for table in ("person", "history_year", "history_part_person", "account"):
        assert await bureau.rows(f"SELECT 1 FROM {table}") == []


async def test_rows_that_break_a_rule_are_named_and_the_others_count(bureau: Bureau) -> None:
    good, bad = an_id_no(), an_id_no()[:17] + "Z"
    rows = [
        a_year_row(good, NAME, 2020),  # line 3
        a_year_row(good, NAME, 2020, months="....PP......"),
        a_year_row(good, NAME, 1948),
        a_year_row(good, NAME, 2021, schemes="120"),
        a_year_row(good, NAME, 2021, months="PPPPPPPPPPPX"),
        a_year_row(good, NAME, 2025),
        a_year_row(good, NAME, 2021, months="DDDDDDDDDDDD"),
        a_year_row(good, NAME, 2021, bases="800.00*6"),
        a_year_row(good, NAME, 2021, bases="0.00"),
        a_year_row(good, "陈志刚", 2021),
        a_year_row(good, NAME, 2021, employer="123"),
        a_year_row(good, NAME, 2021) + "5.00",
        a_balance_row(good, NAME, 2025, "1.00"),
        a_balance_row(good, NAME, 2024, "-1.00"),
        a_balance_row(good, NAME, 2024, "1.00"),
        a_balance_row(good, NAME, 2024, "2.00"),
        a_year_row(bad, NAME, 2020),
        a_year_row(an_id_no(), "=CMD()", 2020),
        "month" + a_year_row(good, NAME, 2019)[4:],
    ]

    job = await bring_in(bureau, a_years_file(rows))

    assert (job.state, job.done_count) == (job_pb2.JOB_STATE_DONE, 2)
    assert await rejects(bureau, job) == [
        (4, "ROW_OVERLAPS"),
        (5, "YEAR_OUT_OF_RANGE"),
        (6, "SCHEMES_INVALID"),
        (7, "MONTHS_INVALID"),
        (8, "MONTHS_INVALID"),
        (9, "DEEMED_NOT_ALLOWED"),
        (10, "BASES_INVALID"),
        (11, "BASES_INVALID"),
        (12, "NAME_MISMATCH"),
        (13, "EMPLOYER_CODE_INVALID"),
        (14, "COLUMN_NOT_EMPTY"),
        (15, "YEAR_INVALID"),
        (16, "BALANCE_INVALID"),
        (18, "ACCOUNT_TWICE"),
        (19, "ID_NO_INVALID"),
        (20, "NAME_INVALID"),
        (21, "KIND_UNKNOWN"),
    ]


async def test_what_the_register_knows_better_is_rejected(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    insured, other, named = an_id_no(), an_id_no(), an_id_no()
    await bureau.enrolled(employer_id, id_no=insured, name=NAME, start_month=month(Month(2025, 1)))
    await bring_in(
        bureau,
        a_history_file(
            [
                *(a_month_row(other, NAME, str(Month(2020, number)), scheme=110) for number in range(1, 13)),
                a_month_row(other, NAME, "2021-03", base="5000.01"),
                a_month_row(named, "陈志刚", "2021-03"),
                an_account_row(other, NAME, 2024, "10.00"),
            ]
        ),
    )

    job = await bring_in(
        bureau,
        a_years_file(
            [
                a_year_row(insured, NAME, 2025, months="P..........."),  # line 3
                a_year_row(insured, NAME, 2024),
                a_year_row(other, NAME, 2020, schemes="110", bases="5000.00"),
                a_year_row(other, NAME, 2020, schemes="210", bases="5000.00"),
                a_year_row(other, NAME, 2021, schemes="110", bases="5000.00"),
                a_balance_row(other, NAME, 2024, "11.00"),
                a_year_row(named, NAME, 2022),
                a_balance_row(named, NAME, 2024, "11.00"),
            ]
        ),
    )

    assert await rejects(bureau, job) == [
        (3, "MONTH_INSURED_HERE"),
        (7, "CONTRIBUTION_DIFFERS"),
        (8, "ACCOUNT_ALREADY_IMPORTED"),
        (9, "NAME_MISMATCH"),
        (10, "NAME_MISMATCH"),
    ]
    assert (job.done_count, job.skipped_count) == (2, 1)
    facts = await bureau.said(events.HistoryBroughtIn)
    assert sorted(year.year for fact in facts for year in fact.years) == [2020, 2024]


async def test_a_month_of_a_year_row_is_not_billed_again(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    id_no = an_id_no()
    await bring_in(bureau, a_years_file([a_year_row(id_no, NAME, 2025, months=".P..........")]))
    await bureau.enrolled(employer_id, id_no=id_no, name=NAME, start_month=month(Month(2025, 2)))
    await bureau.enrolled(employer_id, start_month=month(Month(2025, 2)))

    request = pb.AssessBillRequest(request_id="bill", employer_id=employer_id, month=month(Month(2025, 2)))
    bill = (await bureau.call("AssessBill", request)).bill

    assert bill.person_count == 1


async def test_slices_side_by_side_in_worker_processes_take_every_person_once(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(years_file, "SLICE_BYTES", 60_000)
    people = [an_id_no(date(1980, 1, 1 + number % 28)) for number in range(100)]
    rows = [row for one in people for row in a_working_life(one, 2000, 2024)]
    data = a_years_file(rows)
    job = await bring_in(bureau, data, run=False)

    await run_side_by_side(bureau)

    done = (await bureau.call("GetEnrollmentJob", pb.GetEnrollmentJobRequest(job_id=job.job_id))).job
    assert (done.state, done.done_count, done.rejected_count) == (job_pb2.JOB_STATE_DONE, 2600, 0)
    assert len(await bureau.rows("SELECT 1 FROM history_part")) > 2
    facts = await bureau.said(events.HistoryBroughtIn)
    assert sorted(len(fact.years) for fact in facts) == [25] * 100
    (sums,) = await bureau.rows("SELECT count(*) AS months, sum(base_fen)::bigint AS bases FROM contribution_month")
    assert (sums["months"], sums["bases"]) == (100 * 25 * 36, 100 * 25 * 36 * 500_000)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_slices_cover_every_line_once_and_split_no_person(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    monkeypatch.setattr(years_file, "SLICE_BYTES", 700)
    people = [an_id_no() for _ in range(9)]
    data = a_years_file([row for one in people for row in a_working_life(one, 2020, 2024)], encoding=encoding)
    file = years_file.open_file(data)

    read = [
        years_file.read_slice(data[first:last], file.encoding, line, today=TODAY, allow_test_region=True)
        for first, last, line in file.slices()
    ]

    assert len(read) > 2
    assert [row.line for part in read for one in part.persons for row in one.years if row.year == 2020] == [
        3 + 6 * number for number in range(9)
    ]
    assert sum((part.sums for part in read), Sums()) == file.stated
    assert hashlib.sha256(b"".join(data[first:last] for first, last, _ in file.slices())).digest() == (
        hashlib.sha256(data[file.first : file.last]).digest()
    )


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"#hrss-history,2", "COLUMNS"),
        (b"#hrss-history,2\nkind,id_no\n#totals,0,0,0,0,0,0,0\n", "COLUMNS"),
        (a_years_file([]).replace(b"#totals", b"#total"), "TOTALS_MISSING"),
        (a_years_file([], totals="#totals,0,0,0"), "TOTALS_MALFORMED"),
        (a_years_file([], totals="#totals,0,0,0,0,0,x,0"), "TOTALS_MALFORMED"),
        (a_years_file([]) + b"\xff\xff", "ENCODING"),
    ],
)
def test_a_file_of_another_form_is_refused_whole(data: bytes, cause: str) -> None:
    with pytest.raises(InvalidInput, match="FILE_FORMAT_INVALID") as refusal:
        years_file.open_any(data)

    assert refusal.value.metadata == {"cause": cause}
