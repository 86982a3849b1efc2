"""The file of an employer's roster (增员花名册): its format, and the first two levels of checks (file, row).

Pure; opens nothing. docs/how-to/import-roster.md describes the format for those who fill in such files. The third
level, whether a row fits the register, is `operations.roster`.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from kernel.calendar import Month
from kernel.errors import DomainError, InvalidInput
from kernel.identity import ResidentIdCheck, check_resident_id, normalise_name, normalise_resident_id
from kernel.money import Money
from services.enrollment import register
from services.enrollment.commands import EnrollPerson
from services.enrollment.register import Post

COLUMNS = ("name", "id_no", "start_month", "wage", "post")
COLUMNS_ZH = ("姓名", "公民身份号码", "起始月份", "月工资", "岗位")
BYTES_MAX = 20 * 1024 * 1024  # what an upload may have
ROWS_MAX = 20_000  # the largest employers of the city have fewer people; a whole file may be one transaction
LINE_MAX = 300  # characters; the longest honest line has about 100
HEAD_LINES = 1

_POSTS = {
    "": None,
    "production": Post.PRODUCTION,
    "management": Post.MANAGEMENT,
    "生产": Post.PRODUCTION,
    "管理": Post.MANAGEMENT,
}
# What spreadsheet programs make of a number with 18 digits, of a month and of an amount. Each trap has its own reason,
# because "the number is wrong" sends people to look for a mistake that is not in their list.
_SCIENTIFIC = re.compile(r"[0-9](\.[0-9]+)?E\+?[0-9]{1,2}", re.IGNORECASE | re.ASCII)
_FULL_WIDTH = re.compile(r"[\uff01-\uff5e\u3000]")
_ROUNDED = re.compile(r"[1-9][0-9]{14}000", re.ASCII)  # 15 digits are kept, the last three become zeros
_DATE_LIKE = re.compile(
    r"[0-9]{4}[/.年][0-9]{1,2}月?([/.][0-9]{1,2})?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}|[0-9]{4}-[1-9]|[0-9]{5}|[A-Za-z]{3}-[0-9]{2}",
    re.ASCII,
)
_WAGE_TEXT = re.compile(r"[¥￥]?\s*[0-9][0-9,，]*(\.[0-9]+)?\s*元?")

# Why a row was not taken: what a clerk reads, in Chinese and English, with what to do. A reason that EnrollPerson has
# too means the same here.
TEXTS = {
    "ROW_MALFORMED": ("该行不是 5 列的 CSV；请检查逗号和引号", "a line is CSV of 5 columns; check commas and quotes"),
    "NAME_INVALID": (
        "姓名为空或含有不允许的字符；请按证件填写",
        "the name is empty or has characters that names do not have; copy it from the document",
    ),
    "ID_NO_SCIENTIFIC": (
        "号码被表格软件改成了科学计数法；请把该列设为文本后重新填写",
        "a spreadsheet turned the number into scientific notation; format the column as text and type it again",
    ),
    "ID_NO_ROUNDED": (
        "号码的后三位被表格软件改成了 0；请把该列设为文本后重新填写",
        "a spreadsheet turned the last three digits into zeros; format the column as text and type it again",
    ),
    "ID_NO_FULL_WIDTH": ("号码中有全角字符；请改用半角数字", "the number has full-width characters; use plain digits"),
    "ID_NO_OLD": (
        "15 位旧号码不能用于参保；请填写 18 位号码",
        "a number of 15 digits is not taken; use the one of 18 digits",
    ),
    "ID_NO_INVALID": ("公民身份号码不正确；请核对证件", "the identity number is not valid; check the document"),
    "MONTH_AS_DATE": (
        "起始月份被表格软件改成了日期；请把该列设为文本，写成 2025-01",
        "a spreadsheet turned the month into a date; format the column as text and write 2025-01",
    ),
    "MONTH_INVALID": ("起始月份应如 2025-01", "a month is like 2025-01"),
    "WAGE_AS_TEXT": (
        "工资中有千分位逗号、货币符号或“元”；请只写数字，如 8000.00",
        "the wage has separators or a currency sign; write digits only, like 8000.00",
    ),
    "WAGE_INVALID": ("月工资应大于 0 且不超过 1000000 元", "a monthly wage is more than 0 and at most 1,000,000"),
    "POST_UNKNOWN": ("岗位只能是 production（生产）或 management（管理）", "the post is production or management"),
    "POST_REQUIRED": ("女职工必须填写岗位：它决定退休年龄", "the post of a woman decides when she retires: fill it in"),
    "START_MONTH_OUT_OF_WINDOW": (
        "起始月份只能在过去 12 个月至下月之间；更早的月份请到窗口办理",
        "the first month lies outside the last 12 months and the next; bring older months to the counter",
    ),
    "DUPLICATE_ROW": (
        "同一号码在文件中出现多次，只办理第一次；请核对",
        "the number stands in the file before; only its first row counts, check both",
    ),
    "NAME_MISMATCH": ("姓名与该号码已登记的姓名不一致；请核对后更正", "the registered name differs; check both"),
    "PERSON_RETIRED": ("该人已享受养老待遇，不能再参保", "the person draws a pension and cannot be enrolled"),
    "ALREADY_ENROLLED": (
        "该人在该月已由其他单位参保；请原单位先办理减员",
        "the person is enrolled with another employer in that month, which has to end it first",
    ),
    "ENROLLED_DIFFERENTLY": (
        "该人已由本单位参保，但起始月份、工资或岗位不同；请改办基数申报或减员",
        "the person is enrolled here with another month, wage or post; declare the wage or end the enrolment",
    ),
    "OTHER_ROWS_WRONG": (
        "本行无误；因其他行有误且选择了整批办理，全部未办理，请更正后重新上传",
        "this row is right; others are not, and all or nothing was asked for: correct those and upload the file again",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class RosterFile:
    """A file that passed the first level: its lines, and which of them name somebody a second time."""

    lines: Sequence[str]
    row_count: int
    repeated: frozenset[int]

    def rows(self, first: int, last: int) -> Iterator[tuple[int, str]]:
        """Lines of the file from one to another, both included, counted from 1."""
        return ((number, self.lines[number - 1]) for number in range(first, last + 1))

    def ranges(self, size: int) -> Iterator[tuple[int, int]]:
        """First and last line of each part of so many rows."""
        end = HEAD_LINES + self.row_count
        return ((first, min(first + size - 1, end)) for first in range(HEAD_LINES + 1, end + 1, size))


@dataclass(frozen=True, slots=True)
class RosterRow:
    """A row that passed the second level, as the same command that the counter gives."""

    line: int
    command: EnrollPerson


class RowWrong(Exception):  # noqa: N818 - a verdict on a row, not an error of ours
    """A row that is not taken; carries its line and the key of TEXTS."""

    def __init__(self, line: int, code: str) -> None:
        super().__init__(code)
        self.line = line
        self.code = code


def open_file(data: bytes) -> RosterFile:
    """First level: size, encoding and header; notes which rows name somebody a second time.

    Raises:
        InvalidInput: FILE_FORMAT_INVALID with its cause: TOO_LARGE, ENCODING, HEADER, TOO_MANY_ROWS.
    """
    if len(data) > BYTES_MAX:
        raise _wrong("TOO_LARGE")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _wrong("ENCODING") from None
    if "\0" in text:  # UTF-16, or no text at all
        raise _wrong("ENCODING")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1].strip(", \t"):  # spreadsheets leave rows of nothing but commas at the end
        lines.pop()
    header = _cells(lines[0]) if lines else None
    if header is None or tuple(header) not in {COLUMNS, COLUMNS_ZH}:
        raise _wrong("HEADER")
    if len(lines) - HEAD_LINES > ROWS_MAX:
        raise _wrong("TOO_MANY_ROWS")
    return RosterFile(lines, len(lines) - HEAD_LINES, frozenset(_repeated(lines)))


def read_row(
    file: RosterFile, line: int, text: str, *, employer_id: UUID, today: date, allow_test_region: bool
) -> RosterRow:
    """Second level: one row, by the rules of the register that EnrollPerson has.

    Raises:
        RowWrong: With the reason.
    """
    cells = _cells(text)
    if cells is None:
        raise RowWrong(line, "ROW_MALFORMED")
    row = dict(zip(COLUMNS, cells, strict=True))
    identity = _identity(line, row["id_no"], today, allow_test_region=allow_test_region)
    if line in file.repeated:
        raise RowWrong(line, "DUPLICATE_ROW")
    try:
        name = normalise_name(row["name"])
    except InvalidInput:
        raise RowWrong(line, "NAME_INVALID") from None
    if row["post"].lower() not in _POSTS:
        raise RowWrong(line, "POST_UNKNOWN")
    command = EnrollPerson(
        employer_id=employer_id,
        name=name,
        identity=identity,
        phone="",
        start_month=_month(line, row["start_month"]),
        wage=_wage(line, row["wage"]),
        post=_POSTS[row["post"].lower()],
    )
    assert identity.birth is not None
    assert identity.sex is not None
    try:
        register.check_wage(command.wage)
        register.check_start_month(command.start_month, today, identity.birth)
        register.track_of(identity.sex, command.post)
    except DomainError as refusal:
        raise RowWrong(line, refusal.reason) from None
    return RosterRow(line, command)


def _identity(line: int, text: str, today: date, *, allow_test_region: bool) -> ResidentIdCheck:
    if _SCIENTIFIC.fullmatch(text):
        raise RowWrong(line, "ID_NO_SCIENTIFIC")
    if _FULL_WIDTH.search(text):
        raise RowWrong(line, "ID_NO_FULL_WIDTH")
    # A leading apostrophe says "text" to a spreadsheet and is no part of the number.
    identity = check_resident_id(text.removeprefix("'"), today, allow_test_region=allow_test_region)
    if identity.valid:
        return identity
    if identity.reason == "OLD_NUMBER":
        raise RowWrong(line, "ID_NO_OLD")
    raise RowWrong(line, "ID_NO_ROUNDED" if _ROUNDED.fullmatch(identity.number) else "ID_NO_INVALID")


def _month(line: int, text: str) -> Month:
    try:
        return Month.parse(text)
    except InvalidInput:
        raise RowWrong(line, "MONTH_AS_DATE" if _DATE_LIKE.fullmatch(text) else "MONTH_INVALID") from None


def _wage(line: int, text: str) -> Money:
    try:
        return Money.yuan(text)
    except InvalidInput:
        is_dressed = _WAGE_TEXT.fullmatch(text) and not text.replace(".", "", 1).isdecimal()
        raise RowWrong(line, "WAGE_AS_TEXT" if is_dressed else "WAGE_INVALID") from None


def _repeated(lines: Sequence[str]) -> Iterator[int]:
    """Lines whose number stands in a line before, however it is written there."""
    seen: set[str] = set()
    for number, text in enumerate(lines[HEAD_LINES:], start=HEAD_LINES + 1):
        cells = _cells(text)
        key = normalise_resident_id(cells[1].removeprefix("'")) if cells else ""
        if key and key in seen:
            yield number
        seen.add(key)


def _cells(text: str) -> list[str] | None:
    """The cells of a line, without blanks around them; None when it is no row of this format."""
    if len(text) > LINE_MAX:
        return None
    cells = text.split(",")
    if '"' in text:
        try:
            cells = next(csv.reader([text], strict=True))
        except csv.Error:
            return None
    return [cell.strip(" \t") for cell in cells] if len(cells) == len(COLUMNS) else None


def _wrong(cause: str) -> InvalidInput:
    return InvalidInput(
        "FILE_FORMAT_INVALID", "the file is not of the documented format", field="upload_id", cause=cause
    )
