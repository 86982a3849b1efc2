"""The file of matched data (数据比对结果): who was found alive and entitled by data of others, without doing anything.

Pure; opens nothing. First level: the file; second level: the row. Rows name persons by their ids of the platform: who
compares numbers with those of hospitals, transport or civil affairs does it where numbers are known. UTF-8 CSV:

    #hrss-certifications,1,2026-08-31,real
    person_id,certified_date,evidence_ref
    per_…,2026-08-20,YY-2026-0815-000123
    #totals,1
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from kernel import ids
from kernel.errors import DomainError, InvalidInput
from services.benefits.keeping import Certify, Source, check_evidence

FORMAT, VERSION, TOTALS = "#hrss-certifications", "1", "#totals"
KINDS = ("real", "simulated")
COLUMNS = ["person_id", "certified_date", "evidence_ref"]
HEAD_LINES = 2
BYTES_MAX = 20 * 1024 * 1024
ROWS_MAX = 200_000
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)

# Why a row is not taken: what people read, with what to do.
TEXTS = {
    "ROW_MALFORMED": ("该行不是 3 列的 CSV；请检查逗号和引号", "a line is CSV of 3 columns; check commas and quotes"),
    "ID_MALFORMED": ("人员编号有误；请使用平台的人员编号", "this is no id of a person of the platform"),
    "CERTIFIED_DATE_INVALID": (
        "认证日期应如 2026-08-20，且不晚于文件日期和业务日",
        "a day is like 2026-08-20 and not after the day of the file or today",
    ),
    "EVIDENCE_REQUIRED": ("请填写 2 至 80 个字符的依据编号", "the row names its evidence by 2 to 80 characters"),
    "PERSON_NOT_FOUND": ("平台没有这个人员", "nobody has this id"),
}


@dataclass(frozen=True, slots=True)
class CertificationsFile:
    """A file that passed the first level."""

    day: date
    simulated: bool
    lines: Sequence[str]

    @property
    def row_count(self) -> int:
        """Rows, without head and totals."""
        return len(self.lines) - HEAD_LINES

    def ranges(self, size: int) -> Iterator[tuple[int, int]]:
        """First and last line of each part of so many rows, counted from 1."""
        end = len(self.lines)
        return ((first, min(first + size - 1, end)) for first in range(HEAD_LINES + 1, end + 1, size))

    def rows(self, first: int, last: int) -> Iterator[tuple[int, str]]:
        """Lines with their numbers, both ends included."""
        return ((number, self.lines[number - 1]) for number in range(first, last + 1))


class RowWrong(Exception):  # noqa: N818 - a verdict on a row, not an error of ours
    """A row that is not taken; carries the key of TEXTS."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def open_file(data: bytes) -> CertificationsFile:
    """First level: size, encoding, head and the number of rows.

    Raises:
        InvalidInput: FILE_FORMAT_INVALID with its cause: TOO_LARGE, ENCODING, HEADER, TOO_MANY_ROWS, TOTALS.
    """
    if len(data) > BYTES_MAX:
        raise _wrong("TOO_LARGE")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _wrong("ENCODING") from None
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1].strip(", \t"):
        lines.pop()
    head = [cell.strip() for cell in lines[0].split(",")] if lines else []
    if len(head) != 4 or head[:2] != [FORMAT, VERSION] or head[3] not in KINDS or len(lines) <= HEAD_LINES:  # noqa: PLR2004 - name, version, day, kind
        raise _wrong("HEADER")
    day = _day(head[2])
    if day is None or [cell.strip() for cell in lines[1].split(",")] != COLUMNS:
        raise _wrong("HEADER")
    if [cell.strip() for cell in lines.pop().split(",")] != [TOTALS, str(len(lines) - HEAD_LINES)]:
        raise _wrong("TOTALS")
    if len(lines) - HEAD_LINES > ROWS_MAX:
        raise _wrong("TOO_MANY_ROWS")
    return CertificationsFile(day, head[3] == "simulated", lines)


def read_row(file: CertificationsFile, text: str, today: date) -> Certify:
    """Second level: one row.

    Raises:
        RowWrong: With the reason.
    """
    try:
        cells = [cell.strip() for cell in next(csv.reader([text], strict=True))]
    except (csv.Error, StopIteration):
        raise RowWrong("ROW_MALFORMED") from None
    if len(cells) != len(COLUMNS):
        raise RowWrong("ROW_MALFORMED")
    person_id = _person(cells[0])
    day = _day(cells[1])
    if day is None or day > min(file.day, today):
        raise RowWrong("CERTIFIED_DATE_INVALID")
    try:
        evidence = check_evidence(cells[2])
    except InvalidInput:
        raise RowWrong("EVIDENCE_REQUIRED") from None
    return Certify(person_id, "", Source.DATA_MATCH, day, evidence, simulated=file.simulated)


def _person(text: str) -> UUID:
    try:
        return ids.parse("per", text)
    except DomainError:
        raise RowWrong("ID_MALFORMED") from None


def _day(text: str) -> date | None:
    if not _DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _wrong(cause: str) -> InvalidInput:
    return InvalidInput(
        "FILE_FORMAT_INVALID", "the file is not of the documented format", field="upload_id", cause=cause
    )
