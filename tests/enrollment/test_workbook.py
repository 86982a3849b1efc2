"""Workbooks: the verdicts of the same list as CSV, and nothing that unpacks into more than a list."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from kernel.errors import InvalidInput
from services.enrollment import receipts_file, roster_file
from services.enrollment.workbook import as_csv
from tests.enrollment import builders
from tests.enrollment.builders import NOW, PARTNER, TODAY, a_roster_file, a_roster_row, an_id_no
from tests.enrollment.collecting import a_receipts_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.enrollment.conftest import Bureau

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STYLES = f'<styleSheet xmlns="{MAIN}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>'


def a_sheet(rows: Sequence[Sequence[Any]]) -> str:
    """A sheet: texts inline, numbers as numbers, ("day", serial) as a cell that is shown as a date."""
    lines = []
    for number, cells in enumerate(rows, start=1):
        found = []
        for place, cell in enumerate(cells):
            reference = f"{chr(ord('A') + place)}{number}"
            match cell:
                case str():
                    text = f'<is><t xml:space="preserve">{escape(cell)}</t></is>'
                    found.append(f'<c r="{reference}" t="inlineStr">{text}</c>')
                case ("day", serial):
                    found.append(f'<c r="{reference}" s="1"><v>{serial}</v></c>')
                case _:
                    found.append(f'<c r="{reference}"><v>{cell}</v></c>')
        lines.append(f'<row r="{number}">{"".join(found)}</row>')
    return f'<worksheet xmlns="{MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>'


def a_workbook(rows: Sequence[Sequence[Any]], more: Mapping[str, str] | None = None) -> bytes:
    """A workbook with one filled sheet, and what a test adds or puts in the place of a part."""
    parts = {
        "[Content_Types].xml": "<Types/>",
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}"/>',
        "xl/styles.xml": STYLES,
        "xl/worksheets/sheet1.xml": a_sheet(rows),
        **(more or {}),
    }
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return data.getvalue()


def cells_of(data: bytes) -> list[list[str]]:
    """The rows of a CSV without quotes."""
    return [line.split(",") for line in data.decode().splitlines()]


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), max_size=12)


@given(st.lists(st.lists(TEXT.filter(lambda one: not one.startswith("#")), min_size=3, max_size=3), max_size=6))
def test_texts_come_out_as_they_went_in(rows: list[list[str]]) -> None:
    filled = [["name", "number", "month"], *rows]

    found = list(csv.reader(io.StringIO(as_csv(a_workbook(filled), 100).decode(), newline="")))

    expected = [list(row) for row in filled]
    while not any(expected[-1]):
        expected.pop()
    assert found == expected


def test_what_a_program_made_of_a_cell_is_what_is_read() -> None:
    rows: list[list[Any]] = [
        ["a", "b", "c", "d"],
        [8000, "8000.00", 0.1 + 0.2, 320613199001010000],
        ["3.20613E+17", 3.20613e17, ("day", 45736), True],
        ["", "", "x", ""],
    ]

    assert cells_of(as_csv(a_workbook(rows), 100)) == [
        ["a", "b", "c", "d"],
        ["8000", "8000.00", "0.3", "320613199001010000"],
        ["3.20613E+17", "3.20613e+17", "2025-03-20", "True"],
        ["", "", "x", ""],
    ]


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ({"xl/worksheets/sheet1.xml": "<worksheet><sheetData>"}, "WORKBOOK"),
        ({"xl/worksheets/sheet2.xml": a_sheet([["x"]])}, "MANY_SHEETS"),
        ({"xl/vbaProject.bin": "x"}, "MACROS"),
        ({"xl/media/image1.png": "0" * (101 * 1024 * 1024)}, "WORKBOOK_LARGE"),
        ({f"xl/media/{number}": "" for number in range(201)}, "WORKBOOK_LARGE"),
        (
            {
                "xl/worksheets/sheet1.xml": '<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
                "<worksheet><sheetData><row><c><v>&b;</v></c></row></sheetData></worksheet>"
            },
            "WORKBOOK",
        ),
        (
            {
                "xl/worksheets/sheet1.xml": '<worksheet><sheetData><row r="9"><c r="XFD9"><v>1</v></c></row>'
                "</sheetData></worksheet>"
            },
            "TOO_MANY_ROWS",
        ),
        (
            {
                "xl/worksheets/sheet1.xml": '<worksheet><sheetData><row r="1048576"><c r="A1048576"><v>1</v></c></row>'
                "</sheetData></worksheet>"
            },
            "TOO_MANY_ROWS",
        ),
        (
            {
                "xl/worksheets/sheet1.xml": '<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>7</v></c></row>'
                "</sheetData></worksheet>"
            },
            "WORKBOOK",
        ),
    ],
    ids=["broken", "two", "macros", "bomb", "parts", "entities", "wide", "deep", "string"],
)
def test_a_workbook_that_is_none_is_refused_by_its_cause(more: dict[str, str], cause: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        as_csv(a_workbook([["a"]], more), 20_000)

    assert (refused.value.reason, refused.value.metadata) == ("FILE_FORMAT_INVALID", {"cause": cause})


def test_a_size_that_lies_is_found_out() -> None:
    data = bytearray(a_workbook([["a", "b"]]))
    place = data.rindex(b"xl/worksheets/sheet1.xml") - 46 + 24  # its size in the directory at the end
    data[place : place + 4] = (5).to_bytes(4, "little")

    with pytest.raises(InvalidInput, match="FILE_FORMAT_INVALID"):
        as_csv(bytes(data), 100)


async def test_a_roster_has_the_verdicts_of_its_csv(bureau: Bureau) -> None:
    lines = [
        a_roster_row(an_id_no()),
        a_roster_row("3.20613E+17"),
        a_roster_row(an_id_no(), start="2025-03-01"),
        a_roster_row(an_id_no(), wage="8,000.00").replace("8,000.00", '"8,000.00"'),
        a_roster_row(an_id_no(), post="cook"),
    ]
    plain = a_roster_file(lines)
    rows: list[list[Any]] = [
        ["8,000.00" if cell == '"8' else cell for cell in line.split(",")] for line in plain.decode().splitlines()
    ]
    rows[4] = [*rows[4][:4], rows[4][5]] if len(rows[4]) > 5 else rows[4]
    rows[3][2] = ("day", 45717)  # 2025-03-01
    verdicts = []
    for data in (plain, a_workbook(rows)):
        employer_id = await bureau.employer()
        ref = await bureau.files.put(data)
        request = pb.ImportRosterRequest(
            request_id=f"roster-{builders.number()}", employer_id=employer_id, upload_id=ref.upload_id,
            digest=ref.digest, mode=pb.ROSTER_MODE_PARTIAL,
        )  # fmt: skip
        job = (await bureau.call("ImportRoster", request, by=PARTNER)).job
        await bureau.run_jobs()
        page = await bureau.call("ListEnrollmentJobRejects", pb.ListEnrollmentJobRejectsRequest(job_id=job.job_id))
        verdicts.append([(one.line, one.code) for one in page.rejects if one.line > 2])  # line 2 is enrolled at first

    assert verdicts[0] == verdicts[1]
    assert [code for _, code in verdicts[0]] == ["ID_NO_SCIENTIFIC", "MONTH_AS_DATE", "WAGE_AS_TEXT", "POST_UNKNOWN"]


def test_receipts_in_a_workbook_are_those_of_the_file() -> None:
    plain = a_receipts_file(
        ["TAX-1,91320600MA1NT00083,bil_1,8000.10,2025-03-20", "TAX-2,91320600MA1NT00083,x,2.50,2025-03-19"]
    )
    rows: list[list[Any]] = [line.split(",") for line in plain.decode().splitlines()]
    rows[2][3:], rows[-1][1:] = [8000.1, ("day", 45736)], [2, 8002.6]

    one, two = receipts_file.open_file(plain), receipts_file.open_file(a_workbook(rows))

    assert (one.total, one.day, one.row_count, one.simulated) == (two.total, two.day, two.row_count, two.simulated)
    for line in (3, 4):
        read = [
            receipts_file.read_row(file, line, file.lines[line - 1], source="file", today=TODAY) for file in (one, two)
        ]
        assert read[0] == read[1]
    assert NOW.month <= roster_file.ROWS_MAX
