"""Imported history: the file, the rows, the register, twice, in two encodings, and killed in the middle."""

from __future__ import annotations

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
from kernel.calendar import Month
from kernel.errors import InvalidInput, NotFound, Refused
from services.enrollment import history_file
from services.enrollment.history_file import RowWrong
from services.enrollment.operations import history
from tests.enrollment import builders
from tests.enrollment.builders import (
    NOW,
    PARTNER,
    TODAY,
    a_history_file,
    a_month_row,
    an_account_row,
    an_id_no,
    month,
)
from tests.enrollment.conftest import run_side_by_side
from tests.enrollment.test_accounts import a_settlement, close
from tests.enrollment.test_bills import an_assessment

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau

NAME = "陈志强"


async def bring_in(bureau: Bureau, data: bytes, *, run: bool = True, system: str = "old-system") -> job_pb2.Job:
    """Upload and import a file; the job at its end."""
    ref = await bureau.files.put(data)
    request = pb.ImportHistoryRequest(
        request_id=f"import-{builders.number()}", upload_id=ref.upload_id, digest=ref.digest, source_system=system
    )
    job = (await bureau.call("ImportHistory", request, by=PARTNER)).job
    if run:
        await bureau.run_jobs()
    done: job_pb2.Job = (await bureau.call("GetEnrollmentJob", pb.GetEnrollmentJobRequest(job_id=job.job_id))).job
    return done


async def rejects(bureau: Bureau, job: job_pb2.Job) -> list[tuple[int, str]]:
    """Line and reason of every rejected row."""
    page = await bureau.call("ListEnrollmentJobRejects", pb.ListEnrollmentJobRejectsRequest(job_id=job.job_id))
    assert all(one.text_zh and one.text_en for one in page.rejects)
    return [(one.line, one.code) for one in page.rejects]


async def person_of(bureau: Bureau, id_no: str) -> str:
    """The person with a number."""
    found = await bureau.call("FindPerson", pb.FindPersonRequest(id_no=id_no))
    person_id: str = found.person.person_id
    return person_id


def a_life(id_no: str, first: Month, last: Month) -> list[str]:
    """Every month of a working life in pension and unemployment, and the balance of the last year."""
    rows = [
        a_month_row(id_no, NAME, str(value), scheme=scheme, base="4200.00")
        for value in Month.range(first, last)
        for scheme in (110, 210)
    ]
    return [*rows, an_account_row(id_no, NAME, last.year, "118432.77")]


async def test_a_life_is_brought_in_with_its_sources(bureau: Bureau) -> None:
    id_no = an_id_no(date(1966, 3, 15))
    data = a_history_file(a_life(id_no, Month(1997, 1), Month(2024, 12)))

    job = await bring_in(bureau, data)

    assert (job.state, job.total_count, job.done_count) == (job_pb2.JOB_STATE_DONE, 673, 673)
    person_id = await person_of(bureau, id_no)
    insurance = await bureau.call("GetInsurance", pb.GetInsuranceRequest(person_id=person_id))
    assert [(one.scheme, one.paid_months) for one in insurance.months] == [(1, 336), (2, 336)]
    year = await bureau.call("ListContributions", pb.ListContributionsRequest(person_id=person_id, year=1997))
    assert len(year.months) == 24
    assert year.months[-2].source.startswith("import:")
    assert year.months[-2].source.endswith(":3:old-system")
    account = await bureau.call("GetAccount", pb.GetAccountRequest(person_id=person_id))
    assert account.balance.fen == 11_843_277
    assert [(one.year, one.imported.fen, one.closing.fen, one.closed) for one in account.years] == [
        (2024, 11_843_277, 11_843_277, True)
    ]
    facts = await bureau.said(events.ContributionsSettled)
    assert len(facts) == 336
    assert {len(fact.items) for fact in facts} == {2}
    assert sorted(fact.header.version for fact in facts) == list(range(1, 337))
    assert len(await bureau.said(events.PersonRegistered)) == 1


async def test_the_same_file_again_changes_nothing(bureau: Bureau) -> None:
    data = a_history_file(a_life(an_id_no(), Month(2023, 1), Month(2024, 12)))
    first = await bring_in(bureau, data)
    before = await bureau.rows("SELECT count(*) AS events FROM outbox")

    again = await bring_in(bureau, data)

    assert (first.done_count, first.skipped_count) == (49, 0)
    assert (again.done_count, again.skipped_count, again.rejected_count) == (0, 49, 0)
    assert await bureau.rows("SELECT count(*) AS events FROM outbox") == before


async def test_gb18030_and_a_byte_order_mark_are_read(bureau: Bureau) -> None:
    one, other = an_id_no(), an_id_no()

    for id_no, encoding in ((one, "gb18030"), (other, "utf-8-sig")):
        job = await bring_in(bureau, a_history_file([a_month_row(id_no, "䶮㼆", "2024-01")], encoding=encoding))
        assert job.done_count == 1

    for id_no in (one, other):
        assert await bureau.call("FindPerson", pb.FindPersonRequest(id_no=id_no, name="䶮㼆"))


async def test_schemes_of_one_month_in_two_files_are_told_together(bureau: Bureau) -> None:
    id_no = an_id_no()
    await bring_in(bureau, a_history_file([a_month_row(id_no, NAME, "2024-01", scheme=110)]))

    await bring_in(bureau, a_history_file([a_month_row(id_no, NAME, "2024-01", scheme=210)]))

    facts = await bureau.said(events.ContributionsSettled)
    assert [[item.scheme for item in fact.items] for fact in facts] == [[1], [1, 2]]


async def test_interest_goes_on_from_an_imported_balance(bureau: Bureau) -> None:
    id_no = an_id_no()
    await bring_in(bureau, a_history_file([an_account_row(id_no, NAME, 2023, "100000.00")]))

    early = await close(bureau, 2025, date(2026, 1, 5))
    await close(bureau, 2024, date(2026, 1, 5))
    await close(bureau, 2025, date(2026, 1, 5))

    assert early.rejected_count == 1
    account = await bureau.call("GetAccount", pb.GetAccountRequest(person_id=await person_of(bureau, id_no)))
    assert [(one.year, one.interest.fen) for one in account.years] == [(2025, 153_930), (2024, 262_000), (2023, 0)]


async def test_an_imported_balance_is_not_settled_away(bureau: Bureau) -> None:
    """What was booked within the imported year is not known: only a later month can be settled."""
    id_no = an_id_no(date(1964, 3, 1))
    await bring_in(bureau, a_history_file([an_account_row(id_no, NAME, 2024, "150000.00")]))
    person_id = await person_of(bureau, id_no)

    for value in (Month(2024, 11), Month(2023, 12)):
        with pytest.raises(Refused, match="RETIREMENT_MONTH_INVALID") as refusal:
            await bureau.call("SettleAccount", a_settlement(person_id, value))
        assert refusal.value.metadata == {"earliest": "2025-01"}
    settled = await bureau.call("SettleAccount", a_settlement(person_id, Month(2025, 1)))

    assert settled.balance.fen == 15_000_000 + 18_750  # one month of 1.5 %


async def test_a_month_that_was_imported_in_part_is_completed_after_the_enrolment(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    id_no = an_id_no()
    await bring_in(bureau, a_history_file([a_month_row(id_no, NAME, "2025-01", scheme=210)]))
    await bureau.enrolled(employer_id, id_no=id_no, name=NAME, start_month=month(Month(2025, 1)))
    with pytest.raises(Refused, match="NOBODY_INSURED"):
        await bureau.call("AssessBill", an_assessment(employer_id, Month(2025, 1)))

    job = await bring_in(
        bureau,
        a_history_file(
            [
                a_month_row(id_no, NAME, "2025-01"),
                a_month_row(id_no, NAME, "2025-01", scheme=210, base="7000.00"),
                a_month_row(id_no, NAME, "2025-02"),
            ]
        ),
    )

    assert await rejects(bureau, job) == [(4, "MONTH_INSURED_HERE"), (5, "MONTH_INSURED_HERE")]
    assert job.done_count == 1
    assert [item.scheme for item in (await bureau.said(events.ContributionsSettled))[-1].items] == [1, 2]


async def test_what_the_register_knows_better_is_rejected(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    id_no, other = an_id_no(), an_id_no()
    one = await bureau.enrolled(employer_id, id_no=id_no, name=NAME, start_month=month(NOW.plus(-2)))
    bill = (await bureau.call("AssessBill", an_assessment(employer_id, Month(2025, 1)))).bill
    await bureau.call("RecordReceipt", builders.a_receipt(bill), by=PARTNER)
    await bring_in(bureau, a_history_file([a_month_row(other, NAME, "2024-01", base="5000.00")]))

    job = await bring_in(
        bureau,
        a_history_file(
            [
                a_month_row(id_no, "陈志刚", "2024-06"),  # line 3
                a_month_row(id_no, NAME, "2025-02"),
                a_month_row(other, NAME, "2024-01", base="5000.01"),
                a_month_row(other, NAME, "2024-01", base="5000.00"),
                an_account_row(id_no, NAME, 2024, "10.00"),
                an_account_row(id_no, NAME, 2024, "11.00"),
                an_account_row(other, NAME, 2024, "0.00"),
                a_month_row(other, NAME, "2024-02"),
                a_month_row(other, NAME, "2024-02", base="7000.00"),
            ]
        ),
    )

    assert await rejects(bureau, job) == [
        (3, "NAME_MISMATCH"),
        (4, "MONTH_INSURED_HERE"),
        (5, "CONTRIBUTION_DIFFERS"),
        (8, "ACCOUNT_ALREADY_IMPORTED"),
        (11, "CONTRIBUTION_DIFFERS"),
    ]
    assert (job.done_count, job.skipped_count, job.rejected_count) == (3, 1, 5)
    account = await bureau.call("GetAccount", pb.GetAccountRequest(person_id=one.person_id))
    assert [(year.year, year.imported.fen, year.contribution.fen) for year in account.years] == [
        (2025, 0, 64_000),
        (2024, 1_000, 0),
    ]


async def test_a_balance_of_a_year_that_is_booked_here_is_rejected(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    id_no = an_id_no()
    await bureau.enrolled(employer_id, id_no=id_no, name=NAME, start_month=month(Month(2024, 12)))
    bill = (await bureau.call("AssessBill", an_assessment(employer_id, Month(2024, 12)))).bill
    paid = builders.day(date(2024, 12, 30))
    await bureau.call("RecordReceipt", builders.a_receipt(bill, paid_date=paid), by=PARTNER)

    job = await bring_in(bureau, a_history_file([an_account_row(id_no, NAME, 2024, "10.00")]))

    assert await rejects(bureau, job) == [(3, "ACCOUNT_IN_USE")]


async def test_an_imported_month_is_not_billed_again(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    id_no = an_id_no()
    await bring_in(bureau, a_history_file([a_month_row(id_no, NAME, "2025-02")]))
    await bureau.enrolled(employer_id, id_no=id_no, name=NAME, start_month=month(NOW.plus(-1)))
    await bureau.enrolled(employer_id, start_month=month(NOW.plus(-1)))

    bill = (await bureau.call("AssessBill", an_assessment(employer_id, NOW.plus(-1)))).bill

    assert bill.person_count == 1


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "HEADER"),
        (b"\xff\xfe\x00a", "ENCODING"),
        ("x".encode("utf-16"), "ENCODING"),
        (b"#hrss-history,3\nkind\n", "HEADER"),
        (b"#hrss-history,1\nkind,id_no\n#totals,0,0,0\n", "COLUMNS"),
        (a_history_file(["month,,,,,,,,,"]).replace(b"#totals", b"#total"), "TOTALS_MISSING"),
        (a_history_file([], totals="#totals,x,0,0"), "TOTALS_MALFORMED"),
        (a_history_file([], totals="#totals,0,0"), "TOTALS_MALFORMED"),
        (a_history_file([], totals="#totals,1,0,0"), "TOTALS_ROWS"),
        (a_history_file([a_month_row("1", "a", "2024-01")], totals="#totals,1,4999.99,0"), "TOTALS_BASES"),
        (a_history_file([an_account_row("1", "a", 2024, "5.00")], totals="#totals,1,0,5.01"), "TOTALS_BALANCES"),
    ],
)
async def test_a_file_of_another_form_is_refused_whole(bureau: Bureau, data: bytes, cause: str) -> None:
    with pytest.raises(InvalidInput, match="FILE_FORMAT_INVALID") as refusal:
        await bring_in(bureau, data)

    assert refusal.value.metadata == {"cause": cause}
    assert await bureau.rows("SELECT 1 FROM job") == []


async def test_an_upload_that_is_not_there_or_differs_is_not_found(bureau: Bureau) -> None:
    ref = await bureau.files.put(a_history_file([]))
    for upload_id, digest in (("upl_" + "0" * 32, ref.digest), (ref.upload_id, "0" * 64)):
        request = pb.ImportHistoryRequest(request_id="x", upload_id=upload_id, digest=digest, source_system="old")
        with pytest.raises(NotFound, match="FILE_NOT_FOUND"):
            await bureau.call("ImportHistory", request)
    systems = ("a:b", NAME, "x", "11010519491231002X", "a b")
    for changes, reason in [
        ({"digest": "zz"}, "DIGEST_INVALID"),
        *(({"source_system": name}, "SOURCE_INVALID") for name in systems),
    ]:
        values: dict[str, Any] = {"upload_id": ref.upload_id, "digest": ref.digest, "source_system": "old", **changes}
        with pytest.raises(InvalidInput, match=reason):
            await bureau.call("ImportHistory", pb.ImportHistoryRequest(request_id="x", **values))


GOOD = an_id_no()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("month,a,b", "ROW_MALFORMED"),
        ('month,"' + GOOD + ",x,110,2024-01,1,paid,,,", "ROW_MALFORMED"),
        ("x" * 501, "ROW_MALFORMED"),
        (f"year,{GOOD},{NAME},110,2024-01,1,paid,,,", "KIND_UNKNOWN"),
        (f"month,{GOOD[:17]}Z,{NAME},110,2024-01,1,paid,,,", "ID_NO_INVALID"),
        (f"month,{GOOD},,110,2024-01,1,paid,,,", "NAME_INVALID"),
        (f"month,{GOOD},=CMD(),110,2024-01,1,paid,,,", "NAME_INVALID"),
        (f"month,{GOOD},{NAME},120,2024-01,1,paid,,,", "SCHEME_UNKNOWN"),
        (f"month,{GOOD},{NAME},１10,2024-01,1,paid,,,", "SCHEME_UNKNOWN"),
        (f"month,{GOOD},{NAME},110,2024-13,1,paid,,,", "MONTH_INVALID"),
        (f"month,{GOOD},{NAME},110,2025-04,1,paid,,,", "MONTH_INVALID"),
        (f"month,{GOOD},{NAME},110,2024-01,1e3,paid,,,", "BASE_INVALID"),
        (f"month,{GOOD},{NAME},110,2024-01,0,paid,,,", "BASE_INVALID"),
        (f"month,{GOOD},{NAME},110,2024-01,-1,deemed,,,", "BASE_INVALID"),
        (f"month,{GOOD},{NAME},110,2024-01,1,owed,,,", "STATE_UNKNOWN"),
        (f"month,{GOOD},{NAME},210,2024-01,1,deemed,,,", "DEEMED_NOT_ALLOWED"),
        (f"month,{GOOD},{NAME},110,2024-01,1,paid,123,,", "EMPLOYER_CODE_INVALID"),
        (f"month,{GOOD},{NAME},110,2024-01,1,paid,,2024,", "COLUMN_NOT_EMPTY"),
        (f"account,{GOOD},{NAME},,,,,,2025,1", "YEAR_INVALID"),
        (f"account,{GOOD},{NAME},,,,,,1995,1", "YEAR_INVALID"),
        (f"account,{GOOD},{NAME},,,,,,0199999999,1", "YEAR_INVALID"),
        (f"account,{GOOD},{NAME},,,,,,02024,1", "YEAR_INVALID"),
        (f"account,{GOOD},{NAME},,,,,,2024,", "BALANCE_INVALID"),
        (f"account,{GOOD},{NAME},,,,,,2024,1000000000000.01", "BALANCE_INVALID"),
        (f"month,{GOOD},{NAME},110,2024-01,1000000000000.01,paid,,,", "BASE_INVALID"),
        (f"account,{GOOD},{NAME},110,,,,,2024,1", "COLUMN_NOT_EMPTY"),
    ],
)
def test_a_row_that_breaks_a_rule_has_its_reason(text: str, code: str) -> None:
    with pytest.raises(RowWrong) as wrong:
        history_file.read_row(7, text, today=TODAY, allow_test_region=True)

    assert (wrong.value.line, wrong.value.code) == (7, code)
    assert code in history_file.TEXTS


def test_production_takes_no_numbers_of_the_test_region() -> None:
    with pytest.raises(RowWrong, match="ID_NO_INVALID"):
        history_file.read_row(3, a_month_row(GOOD, NAME, "2024-01"), today=TODAY, allow_test_region=False)


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(InvalidInput):
        assert history_file.open_file(data).row_count >= 0


@given(st.text(max_size=200))
def test_any_other_line_is_rejected_with_a_reason(text: str) -> None:
    with pytest.raises(RowWrong) as wrong:
        history_file.read_row(1, text, today=TODAY, allow_test_region=True)

    assert wrong.value.code in history_file.TEXTS


def test_ranges_cover_every_row_once() -> None:
    file = history_file.open_file(a_history_file([a_month_row("1", "a", "2024-01")] * 25))

    lines = [line for first, last in file.ranges(10) for line, _ in file.rows(first, last)]

    assert lines == list(range(3, 28))


async def test_chunks_side_by_side_register_each_person_once(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "CHUNK_ROWS", 7)
    people = [an_id_no(date(1980, 1, 1 + number)) for number in range(5)]
    rows = [a_month_row(one, NAME, str(Month(2020, 1).plus(back))) for back in range(20) for one in people]
    job = await bring_in(bureau, a_history_file(rows), run=False)

    await run_side_by_side(bureau)

    done = (await bureau.call("GetEnrollmentJob", pb.GetEnrollmentJobRequest(job_id=job.job_id))).job
    assert (done.state, done.done_count, done.rejected_count) == (job_pb2.JOB_STATE_DONE, 100, 0)
    assert len(await bureau.said(events.PersonRegistered)) == 5
    facts = await bureau.said(events.ContributionsSettled)
    versions: dict[str, list[int]] = {}
    for fact in facts:
        versions.setdefault(fact.header.aggregate_id, []).append(fact.header.version)
    assert [sorted(one) for one in versions.values()] == [list(range(1, 21))] * 5


async def test_states_are_shown_with_the_deemed_months_apart(bureau: Bureau) -> None:
    id_no = an_id_no(date(1966, 3, 15))
    await bring_in(
        bureau,
        a_history_file(
            [
                a_month_row(id_no, NAME, "1988-07", base="0.00", state="deemed"),
                a_month_row(id_no, NAME, "1996-01", base="300.00"),
            ]
        ),
    )

    person_id = await person_of(bureau, id_no)
    insurance = await bureau.call("GetInsurance", pb.GetInsuranceRequest(person_id=person_id))
    assert [(one.paid_months, one.deemed_months) for one in insurance.months] == [(1, 1)]
    months = await bureau.call("ListContributions", pb.ListContributionsRequest(person_id=person_id))
    assert [row.state for row in months.months] == [model.CONTRIBUTION_STATE_PAID, model.CONTRIBUTION_STATE_DEEMED]
