"""Lists that employers deliver as files: encodings, cells, and what spreadsheet programs do to numbers and months.

Pure; opens nothing. What is common to the formats of `roster_file` and `declarations_file`.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from kernel import lists
from kernel.calendar import Month
from kernel.errors import InvalidInput
from kernel.identity import ResidentIdCheck, check_resident_id, normalise_name, normalise_resident_id
from kernel.money import Money
from services.enrollment import register
from services.enrollment.workbook import as_csv

BYTES_MAX = 20 * 1024 * 1024  # what an upload may have
ROWS_MAX = 20_000  # the largest employers of the city have fewer people; a whole file may be one transaction
HEAD_LINES = 1

# What spreadsheet programs make of a month and of an amount; of numbers: `kernel.lists`.
_FULL_WIDTH = re.compile(r"[\uff01-\uff5e\u3000]")
_DATE_LIKE = re.compile(
    r"[0-9]{4}[/.年][0-9]{1,2}月?([/.][0-9]{1,2})?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}|[0-9]{4}-[1-9]|[0-9]{5}|[A-Za-z]{3}-[0-9]{2}",
    re.ASCII,
)
_WAGE_TEXT = re.compile(r"[¥￥]?\s*[0-9][0-9,，]*(\.[0-9]+)?\s*元?")
# Why a row was not taken: what a clerk reads, in Chinese and English, with what to do. A reason that a call has too
# means the same here.
TEXTS = lists.TEXTS | {
    "ID_NO_FULL_WIDTH": ("号码中有全角字符；请改用半角数字", "the number has full-width characters; use plain digits"),
    "ID_NO_OLD": (
        "15 位旧号码不能用于参保；请填写 18 位号码",
        "a number of 15 digits is not taken; use the one of 18 digits",
    ),
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
    "NOT_ENROLLED_HERE": (
        "该人未由本单位参保；请核对号码和单位",
        "the person is not enrolled with this employer; check the number and the employer",
    ),
    "OTHER_ROWS_WRONG": (
        "本行无误；因其他行有误且选择了整批办理，全部未办理，请更正后重新上传",
        "this row is right; others are not, and all or nothing was asked for: correct those and upload the file again",
    ),
}  # fmt: skip


class RowWrong(Exception):  # noqa: N818 - a verdict on a row, not an error of ours
    """A row that is not taken; carries its line and the key of the texts."""

    def __init__(self, line: int, code: str) -> None:
        super().__init__(code)
        self.line = line
        self.code = code


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file that passed the first level: its lines, the columns, and which rows come a second time."""

    lines: Sequence[str]
    row_count: int
    columns: tuple[str, ...]
    repeated: frozenset[int]

    def rows(self, first: int, last: int) -> Iterator[tuple[int, str]]:
        """Lines of the file from one to another, both included, counted from 1."""
        return ((number, self.lines[number - 1]) for number in range(first, last + 1))

    def ranges(self, size: int) -> Iterator[tuple[int, int]]:
        """First and last line of each part of so many rows."""
        end = HEAD_LINES + self.row_count
        return ((first, min(first + size - 1, end)) for first in range(HEAD_LINES + 1, end + 1, size))

    def row(self, line: int, text: str) -> dict[str, str]:
        """The cells of a line by column.

        Raises:
            RowWrong: ROW_MALFORMED, HIDDEN_CHARACTER.
        """
        cells = lists.cells_of(text, len(self.columns))
        if cells is None:
            raise RowWrong(line, "ROW_MALFORMED")
        if any(lists.HIDDEN.search(cell) for cell in cells):
            raise RowWrong(line, "HIDDEN_CHARACTER")
        return dict(zip(self.columns, cells, strict=True))


def open_sheet(
    data: bytes, formats: Mapping[tuple[str, ...], tuple[str, ...]], key: Callable[[Mapping[str, str]], str]
) -> Sheet:
    """First level: size, encoding and header; notes which rows come a second time.

    UTF-8, or GB18030 as offices in China deliver it, or a workbook; never a guess: what is none of them is refused.

    Args:
        data: The file.
        formats: The headers that are accepted, each with the names of its columns.
        key: What a row is about; a second row about the same is repeated.

    Raises:
        InvalidInput: FILE_FORMAT_INVALID with its cause: TOO_LARGE, ENCODING, HEADER, TOO_MANY_ROWS, and of a workbook
            what `workbook.as_csv` says.
    """
    if len(data) > BYTES_MAX:
        raise lists.wrong_file("TOO_LARGE")
    text = lists.decoded(as_csv(data, ROWS_MAX))
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1].strip(", \t"):  # spreadsheets leave rows of nothing but commas at the end
        lines.pop()
    header = tuple(cell.strip(" \t") for cell in lines[0].split(",")) if lines else ()
    columns = formats.get(header)
    if columns is None:
        raise lists.wrong_file("HEADER")
    if len(lines) - HEAD_LINES > ROWS_MAX:
        raise lists.wrong_file("TOO_MANY_ROWS")
    return Sheet(lines, len(lines) - HEAD_LINES, columns, frozenset(_repeated(lines, columns, key)))


def number_of(text: str) -> str:
    """A number as rows are compared by it; a leading apostrophe says "text" to a spreadsheet and is no part of it."""
    return normalise_resident_id(text.removeprefix("'"))


def identity(line: int, text: str, today: date, *, allow_test_region: bool) -> ResidentIdCheck:
    """Read an identity number.

    Raises:
        RowWrong: ID_NO_SCIENTIFIC, ID_NO_FULL_WIDTH, ID_NO_OLD, ID_NO_ROUNDED, ID_NO_INVALID.
    """
    if lists.SCIENTIFIC.fullmatch(text):
        raise RowWrong(line, "ID_NO_SCIENTIFIC")
    if _FULL_WIDTH.search(text):
        raise RowWrong(line, "ID_NO_FULL_WIDTH")
    found = check_resident_id(text.removeprefix("'"), today, allow_test_region=allow_test_region)
    if found.valid:
        return found
    if found.reason == "OLD_NUMBER":
        raise RowWrong(line, "ID_NO_OLD")
    raise RowWrong(line, "ID_NO_ROUNDED" if lists.ROUNDED.fullmatch(found.number) else "ID_NO_INVALID")


def name(line: int, text: str) -> str:
    """Read a person's name.

    Raises:
        RowWrong: NAME_INVALID.
    """
    try:
        return normalise_name(text)
    except InvalidInput:
        raise RowWrong(line, "NAME_INVALID") from None


def month(line: int, text: str) -> Month:
    """Read a month.

    Raises:
        RowWrong: MONTH_AS_DATE, MONTH_INVALID.
    """
    try:
        return Month.parse(text)
    except InvalidInput:
        raise RowWrong(line, "MONTH_AS_DATE" if _DATE_LIKE.fullmatch(text) else "MONTH_INVALID") from None


def wage(line: int, text: str) -> Money:
    """Read a monthly wage in yuan.

    Raises:
        RowWrong: WAGE_AS_TEXT, WAGE_INVALID.
    """
    try:
        return register.check_wage(Money.yuan(text))
    except InvalidInput:
        is_dressed = _WAGE_TEXT.fullmatch(text) and not text.replace(".", "", 1).isdecimal()
        raise RowWrong(line, "WAGE_AS_TEXT" if is_dressed else "WAGE_INVALID") from None


def _repeated(lines: Sequence[str], columns: tuple[str, ...], key: Callable[[Mapping[str, str]], str]) -> Iterator[int]:
    seen: set[str] = set()
    for number, text in enumerate(lines[HEAD_LINES:], start=HEAD_LINES + 1):
        cells = lists.cells_of(text, len(columns))
        about = key(dict(zip(columns, cells, strict=True))) if cells else ""
        if about and about in seen:
            yield number
        seen.add(about)
