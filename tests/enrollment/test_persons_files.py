"""Lists that employers deliver: people who leave (减员) beside those who come, and wages for a year (基数申报)."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrss.enrollment.v1 import enrollment_events_pb2 as events
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import enrollment_service_pb2 as roster_pb
from hrss.enrollment.v1 import persons_service_pb2 as pb
from kernel.errors import InvalidInput, NotFound
from services.enrollment import declarations_file, roster_file, sheet
from services.enrollment.operations import persons_declarations
from services.enrollment.sheet import RowWrong
from tests.enrollment.builders import NOW, PARTNER, TODAY, an_id_no, money, month, number
from tests.enrollment.test_bills import a_bill
from tests.enrollment.test_history import rejects
from tests.enrollment.test_races import run_process
from tests.enrollment.test_roster import PARTIAL, WHOLE, bring_in, counts, job_of, register

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hrss.type.v1 import job_pb2
    from tests.enrollment.conftest import Bureau

NAME = "陈志强"
PART, ALL = pb.DECLARATION_MODE_PARTIAL, pb.DECLARATION_MODE_ALL_OR_NOTHING
BOTH = "action,name,id_no,month,wage,post,end_reason"
HEAD = "name,id_no,from_month,wage"


def an_end(id_no: str, *, name: str = NAME, last: str = str(NOW), reason: str = "resigned") -> str:
    """A row of somebody who leaves."""
    return f"end,{name},{id_no},{last},,,{reason}"


def an_add(id_no: str, *, start: str = str(NOW), wage: str = "8000.00") -> str:
    """A row of somebody who comes."""
    return f"add,{NAME},{id_no},{start},{wage},production,"


def a_file(head: str, rows: Iterable[str], encoding: str = "utf-8") -> bytes:
    """A list with its header."""
    return "\n".join([head, *rows, ""]).encode(encoding)


def a_wage(id_no: str, *, start: str = str(NOW), wage: str = "9000.00", name: str = NAME) -> str:
    """A row of a wage declaration."""
    return f"{name},{id_no},{start},{wage}"


async def declare(
    bureau: Bureau,
    employer_id: str,
    data: bytes,
    *,
    mode: pb.DeclarationMode.ValueType = PART,
    run: bool = True,
) -> job_pb2.Job:
    """Upload a declaration; the job at its end."""
    ref = await bureau.files.put(data)
    request = pb.ImportDeclarationsRequest(
        request_id=f"declare-{number()}",
        upload_id=ref.upload_id,
        digest=ref.digest,
        employer_id=employer_id,
        mode=mode,
    )
    started = (await bureau.call("ImportDeclarations", request, by=PARTNER)).job
    if run:
        await bureau.run_jobs()
    return await job_of(bureau, started.job_id)


# -- people who leave


@pytest.mark.parametrize("mode", [PARTIAL, WHOLE])
async def test_one_list_ends_and_enrols_and_the_same_list_again_changes_nothing(
    bureau: Bureau, mode: roster_pb.RosterMode.ValueType
) -> None:
    employer_id = await bureau.employer()
    leaving, coming = an_id_no(), an_id_no()
    one = await bureau.enrolled(employer_id, id_no=leaving, name=NAME, start_month=month(NOW.plus(-2)))
    data = a_file(BOTH, [an_end(leaving, last=str(NOW.plus(-1)), reason="合同期满"), an_add(coming)])

    first = await bring_in(bureau, employer_id, data, mode=mode)
    before = await register(bureau)
    again = await bring_in(bureau, employer_id, data, mode=mode)

    assert (counts(first), counts(again)) == ((2, 0, 0), (0, 2, 0))
    assert await register(bureau) == before
    shown = await bureau.call("GetEnrollment", roster_pb.GetEnrollmentRequest(enrollment_id=one.enrollment_id))
    assert (shown.enrollment.end_month, shown.enrollment.end_reason) == (
        month(NOW.plus(-1)),
        model.END_REASON_CONTRACT_EXPIRED,
    )
    ended = await bureau.said(events.ParticipationEnded)
    assert {fact.person_id for fact in ended} == {one.person_id}
    assert len(ended) == 3


async def test_who_leaves_and_comes_again_in_one_list_is_free_for_the_second_row(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    id_no = an_id_no()
    await bureau.enrolled(employer_id, id_no=id_no, name=NAME, start_month=month(NOW.plus(-2)))
    rows = [an_add(id_no), an_end(id_no, last=str(NOW.plus(-1)))]

    for mode in (WHOLE, PARTIAL):
        job = await bring_in(bureau, employer_id, a_file(BOTH, rows), mode=mode)
        assert counts(job) == ((2, 0, 0) if mode == WHOLE else (0, 2, 0))


async def test_an_end_that_does_not_fit_the_register_has_its_verdict(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    billed, ended, other_name, elsewhere = (an_id_no() for _ in range(4))
    for id_no, name in ((billed, NAME), (other_name, "李四")):
        await bureau.enrolled(employer_id, id_no=id_no, name=name, start_month=month(NOW.plus(-2)))
    await bureau.enrolled(await bureau.employer(), id_no=elsewhere, name=NAME)
    await a_bill(bureau, employer_id)
    await bureau.enrolled(employer_id, id_no=ended, name=NAME)
    await bring_in(bureau, employer_id, a_file(BOTH, [an_end(ended)]))
    rows = [
        an_end(billed, last=str(NOW.plus(-1))),
        an_end(ended, reason="dismissed"),
        an_end(other_name),
        an_end(elsewhere),
        an_end(an_id_no()),
        an_end(billed, last=str(NOW.next)),
        an_end(an_id_no(), reason="bored"),
        "leave" + an_end(an_id_no())[3:],
    ]

    job = await bring_in(bureau, employer_id, a_file(BOTH, rows))

    assert await rejects(bureau, job) == [
        (2, "END_MONTH_INVALID"),
        (3, "ENDED_DIFFERENTLY"),
        (4, "NAME_MISMATCH"),
        (5, "NOT_ENROLLED_HERE"),
        (6, "NOT_ENROLLED_HERE"),
        (7, "DUPLICATE_ROW"),
        (8, "END_REASON_UNKNOWN"),
        (9, "ACTION_UNKNOWN"),
    ]


async def test_all_or_nothing_ends_nobody_for_one_wrong_row(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    id_no = an_id_no()
    await bureau.enrolled(employer_id, id_no=id_no, name=NAME)
    before = await register(bureau)

    job = await bring_in(bureau, employer_id, a_file(BOTH, [an_end(id_no), an_add("3.206E+17")]), mode=WHOLE)

    assert await rejects(bureau, job) == [(2, "OTHER_ROWS_WRONG"), (3, "ID_NO_SCIENTIFIC")]
    assert await register(bureau) == before


# -- what a file may look like


def test_the_encoding_of_chinese_offices_is_read_and_a_guess_is_not() -> None:
    rows = ["增员,张𠮷山,990000199001010017,2025-03,8000.00,生产,"]
    head = "业务,姓名,公民身份号码,月份,月工资,岗位,停保原因"

    for encoding in ("utf-8", "utf-8-sig", "gb18030"):
        file = roster_file.open_file(a_file(head, rows, encoding))
        assert file.lines[1].startswith("增员,张𠮷山")
    for data in (
        a_file(head, rows, "utf-16"),
        a_file(head, rows) + b"\xff\n",  # UTF-8 with one broken byte must not become other people's names
        a_file(head, rows, "gb18030") + b"\xff\n",
        b"\x00\x01",
    ):
        with pytest.raises(InvalidInput, match="FILE_FORMAT_INVALID") as refusal:
            roster_file.open_file(data)
        assert refusal.value.metadata["cause"] == "ENCODING"


@pytest.mark.parametrize("hidden", ["\u200b", "\ufeff", "\u00a0", "\u202e", "\u00ad", "\u2060", "\u0007"])
def test_characters_that_nobody_sees_have_their_own_verdict(hidden: str) -> None:
    good = an_id_no()
    for row in (a_wage(good + hidden), a_wage(good, name=f"陈{hidden}志强"), a_wage(good, wage=f"9000{hidden}")):
        assert verdict(a_file(HEAD, [row])) == "HIDDEN_CHARACTER"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (a_wage("3.206E+17"), "ID_NO_SCIENTIFIC"),
        (a_wage("320601199001010000"), "ID_NO_ROUNDED"),
        (a_wage("320601900101001"), "ID_NO_OLD"),
        (a_wage("９90000199001010017"), "ID_NO_FULL_WIDTH"),
        (a_wage("990000199001010018"), "ID_NO_INVALID"),
        (a_wage("990000199001010017", start="2025/3"), "MONTH_AS_DATE"),
        (a_wage("990000199001010017", start="soon"), "MONTH_INVALID"),
        (a_wage("990000199001010017", wage="8000元"), "WAGE_AS_TEXT"),
        (a_wage("990000199001010017", wage="0"), "WAGE_INVALID"),
        (a_wage("990000199001010017", name=""), "NAME_INVALID"),
        ("x,y", "ROW_MALFORMED"),
        (a_wage("990000199001010017"), ""),
    ],
)
def test_a_declared_row_that_breaks_a_rule_has_its_reason(row: str, code: str) -> None:
    assert verdict(a_file(HEAD, [row])) == code


def verdict(data: bytes, line: int = 2) -> str:
    """The reason of a line of a declaration, empty when it passes the second level."""
    file = declarations_file.open_file(data)
    try:
        declarations_file.read_row(file, line, file.lines[line - 1], today=TODAY, allow_test_region=True)
    except RowWrong as wrong:
        return wrong.code if all(declarations_file.TEXTS[wrong.code]) else "WITHOUT_A_TEXT"
    return ""


def test_the_same_month_of_a_person_twice_is_a_duplicate_and_another_month_is_not() -> None:
    one = an_id_no()
    rows = [a_wage(one), a_wage(one, start=str(NOW.next)), a_wage(f"'{one}"), a_wage(an_id_no())]
    data = a_file(HEAD, rows)

    assert [verdict(data, line) for line in (2, 3, 4, 5)] == ["", "", "DUPLICATE_ROW", ""]


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: a_file(HEAD, [text])))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(InvalidInput):
        for line in range(2, declarations_file.open_file(data).row_count + 2):
            assert verdict(data, line) in {"", *declarations_file.TEXTS}


def test_every_verdict_says_what_to_do_in_two_languages() -> None:
    for texts in (sheet.TEXTS, roster_file.TEXTS, declarations_file.TEXTS):
        for code, (zh, en) in texts.items():
            assert zh, code
            assert en, code
            assert en.isascii(), code


def test_a_file_of_20000_rows_is_checked_in_seconds() -> None:
    rows = [a_wage(f"{990000}{1960 + n % 40}0101{n % 1000:03d}X") for n in range(20_000)]
    data = a_file(HEAD, rows)
    begun = time.process_time()  # of this process: what else the machine does takes none of it

    file = declarations_file.open_file(data)
    for line, text in file.rows(2, 20_001):
        with contextlib.suppress(RowWrong):
            declarations_file.read_row(file, line, text, today=TODAY, allow_test_region=True)

    assert time.process_time() - begun < 10


# -- wages by file


async def test_a_declaration_says_what_the_counter_would(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    people = [an_id_no() for _ in range(4)]
    enrolled = [await bureau.enrolled(employer_id, id_no=one, name=NAME) for one in people]
    rows = [a_wage(one, wage=f"{9000 + place}.50") for place, one in enumerate(people)]

    job = await declare(bureau, employer_id, a_file(HEAD, rows))
    before = await register(bureau)
    again = await declare(bureau, employer_id, a_file(HEAD, rows))
    next_year = await declare(bureau, employer_id, a_file(HEAD, [a_wage(people[0], start=str(NOW.next))]))

    assert (job.kind, counts(job), counts(again), counts(next_year)) == (
        "import_declarations",
        (4, 0, 0),
        (0, 4, 0),
        (1, 0, 0),
    )
    assert [row["rows"] for row in (await register(bureau))[3]] == [before[3][0]["rows"] + 1]
    for place, one in enumerate(enrolled[1:], start=1):
        shown = await bureau.call("GetEnrollment", roster_pb.GetEnrollmentRequest(enrollment_id=one.enrollment_id))
        assert [wage.wage.fen for wage in shown.enrollment.wages] == [money(f"{9000 + place}.50").fen]


async def test_a_wage_that_does_not_fit_the_register_has_its_verdict(bureau: Bureau) -> None:
    employer_id = await bureau.employer()
    billed, gone, other_name, elsewhere = (an_id_no() for _ in range(4))
    for id_no, name in ((billed, NAME), (other_name, "李四")):
        await bureau.enrolled(employer_id, id_no=id_no, name=name)
    await a_bill(bureau, employer_id)
    await bureau.enrolled(employer_id, id_no=gone, name=NAME)
    await bring_in(bureau, employer_id, a_file(BOTH, [an_end(gone)]))
    await bureau.enrolled(await bureau.employer(), id_no=elsewhere, name=NAME)
    rows = [
        a_wage(billed),
        a_wage(billed, start=str(NOW.plus(-1))),
        a_wage(gone),
        a_wage(other_name, start=str(NOW.next)),
        a_wage(elsewhere),
        a_wage(an_id_no()),
        a_wage(billed, start=str(NOW.next)),
    ]

    job = await declare(bureau, employer_id, a_file(HEAD, rows))
    whole = await declare(bureau, employer_id, a_file(HEAD, [*rows, a_wage(billed, start=str(NOW.plus(2)))]), mode=ALL)

    wrong = [
        (2, "MONTH_ALREADY_BILLED"),
        (3, "MONTH_NOT_INSURED"),
        (4, "ENROLLMENT_ENDED"),
        (5, "NAME_MISMATCH"),
        (6, "NOT_ENROLLED_HERE"),
        (7, "NOT_ENROLLED_HERE"),
    ]
    assert await rejects(bureau, job) == wrong
    assert counts(job) == (1, 0, 6)
    assert await rejects(bureau, whole) == [*wrong, (9, "OTHER_ROWS_WRONG")]
    assert counts(whole) == (0, 1, 7)


@pytest.mark.parametrize("step", ["chunk_taken:3", "chunk_before_done:2", "before_commit:3"])
async def test_a_declaration_that_is_killed_goes_on_where_it_was(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(persons_declarations, "CHUNK_ROWS", 3)
    employer_id = await bureau.employer()
    people = [an_id_no() for _ in range(12)]
    await bring_in(bureau, employer_id, a_file(BOTH, map(an_add, people)))
    job = await declare(bureau, employer_id, a_file(HEAD, map(a_wage, people)), run=False)

    assert await run_process(bureau, HRSS_TEST_CRASH=step) == 137
    await bureau.rows("UPDATE job_chunk SET due = clock_timestamp() WHERE state = 'RUNNING'")  # the lease ran out
    await bureau.run_jobs()

    assert counts(await job_of(bureau, job.job_id)) == (12, 0, 0)
    rows = await bureau.rows("SELECT wage_fen FROM declared_wage")
    assert {row["wage_fen"] for row in rows} == {900_000}


async def test_a_declaration_needs_its_employer_and_its_file(bureau: Bureau) -> None:
    ref = await bureau.files.put(a_file("姓名,号码", []))
    employer_id = await bureau.employer()
    good: dict[str, Any] = {"upload_id": ref.upload_id, "digest": ref.digest, "employer_id": employer_id, "mode": PART}
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "FILE_FORMAT_INVALID"),
        ({"mode": pb.DECLARATION_MODE_UNSPECIFIED}, "VALUE_REQUIRED"),
        ({"digest": "0"}, "DIGEST_INVALID"),
        ({"employer_id": "emp_" + "0" * 32}, "EMPLOYER_NOT_FOUND"),
        ({"upload_id": "upl_" + "0" * 32}, "FILE_NOT_FOUND"),
    ]
    for changes, reason in cases:
        with pytest.raises((InvalidInput, NotFound), match=reason):
            await bureau.call("ImportDeclarations", pb.ImportDeclarationsRequest(request_id="x", **{**good, **changes}))
