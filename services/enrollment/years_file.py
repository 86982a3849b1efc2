"""Layout 2 of imported history: one row for a person-year. Its format and the first two levels of checks. Pure.

docs/how-to/import-history.md describes it beside layout 1 (`history_file`). A city's history comes in files of up to
64 MiB; a file is read in slices of whole persons, each in a process of its own, so everything here takes bytes and
gives plain values.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from kernel.errors import InvalidInput
from kernel.identity import ResidentIdCheck, check_credit_code, check_resident_id, normalise_name
from services.enrollment import history_file
from services.enrollment.history_file import AMOUNT_MAX, BYTES_MAX, LINE_MAX, HistoryFile, amount_of, wrong_file
from services.enrollment.history_file import TEXTS as SHARED_TEXTS
from services.enrollment.moving import PENSION, Sums
from services.enrollment.years_cells import (
    COLUMNS,
    Bases,
    Months,
    cells_of,
    month_bits,
    read_bases,
    scheme_bits,
    year_number,
)

FORMAT = "#hrss-history,2"
TOTALS = "#totals"
HEAD_LINES = 2
FIRST_YEAR, FIRST_ACCOUNT_YEAR = 1949, 1996
SLICE_BYTES = 1_500_000  # about 20,000 person-years: a transaction of a second

_PLACES = [[place for place in range(3) if bits >> place & 1] for bits in range(8)]
_COUNT = re.compile(r"[0-9]{1,12}", re.ASCII)
_MEMO_MAX = 50_000

TEXTS: Mapping[str, tuple[str, str]] = SHARED_TEXTS | {
    "ROW_MALFORMED": ("该行不是 9 列的 CSV；请检查逗号和引号", "a line is CSV of 9 columns; check commas and quotes"),
    "KIND_UNKNOWN": ("行类型只能是 year 或 account", "the kind of a row is year or account"),
    "YEAR_OUT_OF_RANGE": ("年度应在 1949 年至本年之间", "a year is 1949 to this one"),
    "SCHEMES_INVALID": ("险种应如 110+210+410，各写一次", "schemes are like 110+210+410, each once"),
    "MONTHS_INVALID": ("月份应为 12 个 P、D 或点，不晚于本月", "months are twelve of P, D and ., none in the future"),
    "BASES_INVALID": ("缴费基数应如 800.00*6;860.00*6，一月一个", "bases are like 800.00*6;860.00*6, one a month"),
    "ROW_OVERLAPS": ("该行与前面的行月份重叠；请合并后重报", "another line has some of these months; merge them"),
    "ACCOUNT_TWICE": ("该人在文件中有两行账户余额；只保留一行", "the person has two balances in the file; keep one"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class YearsFile:
    """A file that passed the first level: its bytes, the encoding, and the sums that it states."""

    data: bytes = field(repr=False)
    encoding: str
    first: int  # where the rows begin and end in the data
    last: int
    stated: Sums

    def slices(self) -> Iterator[tuple[int, int, int]]:
        """First and last byte of each part of whole persons, and the line on which it begins, counted from 1."""
        at, line = self.first, HEAD_LINES + 1
        while at < self.last:
            end = self._end_of_person(min(at + SLICE_BYTES, self.last))
            yield at, end, line
            line += self.data.count(b"\n", at, end)
            at = end

    def _end_of_person(self, at: int) -> int:
        """The first beginning of a line, not before a place, whose person is not that of the line before."""
        if at >= self.last:
            return self.last
        end = self.data.find(b"\n", at, self.last) + 1
        if not end:
            return self.last
        begin = self.data.rfind(b"\n", 0, end - 1) + 1
        person = _person_of(self.data, begin)
        while end < self.last and _person_of(self.data, end) == person:
            following = self.data.find(b"\n", end, self.last) + 1
            end = following or self.last
        return end


class YearRow(NamedTuple):
    """Months of one calendar year in the schemes that share their bases."""

    line: int
    year: int
    schemes: int  # bits of `moving.COUNTED`
    months: int  # bits: 1 January … 2048 December
    deemed: int
    bases: tuple[int, ...]  # fen: one for all months, or twelve
    employer_code: str


@dataclass(slots=True)
class PersonRows:
    """What a file says of one person."""

    line: int
    identity: ResidentIdCheck
    name: str = field(repr=False)
    years: list[YearRow] = field(default_factory=list)
    account: tuple[int, int, int] | None = None  # line, year, fen


@dataclass(slots=True)
class SliceRows:
    """A slice of a file: its persons, the rows that were not taken, and the sums over all of it."""

    persons: list[PersonRows] = field(default_factory=list)
    wrong: list[tuple[int, str]] = field(default_factory=list)
    sums: Sums = field(default_factory=Sums)


class _Wrong(Exception):  # noqa: N818 - a verdict on a row
    pass


def is_layout_2(data: bytes) -> bool:
    """Whether a file says that it is of this layout."""
    return data.removeprefix(b"\xef\xbb\xbf").startswith(FORMAT.encode())


def open_any(data: bytes) -> HistoryFile | YearsFile:
    """A file of either layout, by its first line.

    Raises:
        InvalidInput: FILE_FORMAT_INVALID.
    """
    return open_file(data) if is_layout_2(data) else history_file.open_file(data)


def open_file(data: bytes) -> YearsFile:
    """First level: encoding, header, columns, and the line of totals; the totals themselves are compared later.

    Raises:
        InvalidInput: FILE_FORMAT_INVALID with its cause: TOO_LARGE, ENCODING, HEADER, COLUMNS, TOTALS_MISSING,
            TOTALS_MALFORMED.
    """
    if len(data) > BYTES_MAX:
        raise wrong_file("TOO_LARGE")
    encoding, start = _encoding_of(data)
    lines = data[start : start + 4 * LINE_MAX].decode(encoding, errors="replace").split("\n", HEAD_LINES)
    if lines[0].strip() != FORMAT:
        raise wrong_file("HEADER")
    if len(lines) <= HEAD_LINES or tuple(lines[1].strip().split(",")) != COLUMNS:
        raise wrong_file("COLUMNS")
    first = data.index(b"\n", data.index(b"\n", start) + 1) + 1
    stripped = len(data.rstrip())
    last = data.rfind(b"\n", 0, stripped) + 1
    trailer = data[last:stripped].decode(encoding)
    if last < first or not trailer.startswith(TOTALS + ","):
        raise wrong_file("TOTALS_MISSING")
    return YearsFile(data, encoding, first, last, _totals(trailer))


def read_slice(data: bytes, encoding: str, first_line: int, *, today: date, allow_test_region: bool) -> SliceRows:
    """Second level: every row of a slice. The sums count what can be read, also of rows that are not taken."""
    reader = _Reader(today, allow_test_region=allow_test_region)
    for line, text in enumerate(data.decode(encoding).removesuffix("\n").split("\n"), start=first_line):
        reader.read(line, text)
    return reader.result()


class _Reader:
    """Reads rows, remembering what it read: a city has few patterns of months and many equal bases."""

    def __init__(self, today: date, *, allow_test_region: bool) -> None:
        self._today = today
        self._allow_test_region = allow_test_region
        self._found = SliceRows()
        self._rows = self._persons = self._bases_fen = self._balances_fen = 0
        self._counted = [0, 0, 0]
        self._id_no: str | None = None  # of the row before, as it stands there
        self._name = ""
        self._person: PersonRows | None = None
        self._reason = ""
        self._schemes: dict[str, int] = {}
        self._months: dict[str, Months] = {}
        self._bases: dict[tuple[str, str], Bases] = {}
        self._employers: dict[str, str | None] = {"": ""}

    def read(self, line: int, text: str) -> None:
        """Read a row into what was found."""
        self._rows += 1
        cells = cells_of(text)
        if cells is None:
            self._found.wrong.append((line, "ROW_MALFORMED"))
            return
        try:
            if cells[1] != self._id_no:
                self._begin(line, cells[1], cells[2])
            if cells[0] == "year":
                self._year(line, cells)
            elif cells[0] == "account":
                self._account(line, cells)
            else:
                raise _Wrong("KIND_UNKNOWN")
        except _Wrong as wrong:
            self._found.wrong.append((line, str(wrong)))

    def result(self) -> SliceRows:
        """Persons with rows that were taken, rows that were not, and the sums."""
        found = self._found
        pension, unemployment, injury = self._counted
        sums = Sums(self._rows, self._persons, pension, unemployment, injury, self._bases_fen, self._balances_fen)
        return SliceRows([one for one in found.persons if one.years or one.account], found.wrong, sums)

    def _begin(self, line: int, id_no: str, name: str) -> None:
        """The rows of another person begin."""
        self._id_no, self._name, self._person = id_no, name, None
        self._persons += 1
        identity = check_resident_id(id_no, self._today, allow_test_region=self._allow_test_region)
        if not identity.valid:
            self._reason = "ID_NO_INVALID"
            return
        try:
            self._person = PersonRows(line, identity, normalise_name(name))
        except InvalidInput:
            self._reason = "NAME_INVALID"
            return
        self._found.persons.append(self._person)

    def _owner(self, name: str) -> PersonRows:
        """Whose row it is; the name is that of the person's first row."""
        if self._person is None:
            raise _Wrong(self._reason)
        if name != self._name:
            try:
                is_same = normalise_name(name) == self._person.name
            except InvalidInput:
                raise _Wrong("NAME_INVALID") from None
            if not is_same:
                raise _Wrong("NAME_MISMATCH")
        return self._person

    def _year(self, line: int, cells: list[str]) -> None:
        _, _, name, year, schemes, months, bases, employer, balance = cells
        bits, pattern, amounts = self._measures(schemes, months, bases)
        if bits and pattern[2]:
            for place in _PLACES[bits]:
                self._counted[place] += pattern[2]
            self._bases_fen += amounts.total * len(_PLACES[bits])
        person = self._owner(name)
        number = year_number(year)
        if not FIRST_YEAR <= number <= self._today.year:
            raise _Wrong("YEAR_OUT_OF_RANGE")
        if reason := self._why_not(number, bits, pattern, amounts):
            raise _Wrong(reason)
        if balance:
            raise _Wrong("COLUMN_NOT_EMPTY")
        row = YearRow(line, number, bits, pattern[0], pattern[1], amounts.fen, self._employer(employer))
        for other in person.years:
            if other.year == number and other.schemes & bits and other.months & row.months:
                raise _Wrong("ROW_OVERLAPS")
        person.years.append(row)

    def _measures(self, schemes: str, months: str, bases: str) -> tuple[int, Months, Bases]:
        """Schemes as bits, months, bases; each empty when it cannot be read."""
        bits = self._schemes.get(schemes)
        if bits is None:
            bits = self._schemes[schemes] = scheme_bits(schemes)
        pattern = self._months.get(months)
        if pattern is None:
            pattern = self._months[months] = month_bits(months)
        amounts = self._bases.get((months, bases))
        if amounts is None:
            if len(self._bases) > _MEMO_MAX:
                self._bases.clear()
            amounts = self._bases[months, bases] = read_bases(bases, pattern)
        return bits, pattern, amounts

    def _why_not(self, year: int, bits: int, pattern: Months, amounts: Bases) -> str:
        """Why a row of a year cannot count, or nothing."""
        mask, deemed, count = pattern
        if not bits:
            return "SCHEMES_INVALID"
        if not count or (year == self._today.year and mask >> self._today.month):
            return "MONTHS_INVALID"
        if deemed and bits != PENSION:
            return "DEEMED_NOT_ALLOWED"
        return "" if amounts.is_good else "BASES_INVALID"

    def _account(self, line: int, cells: list[str]) -> None:
        _, _, name, year, schemes, months, bases, employer, balance = cells
        amount = amount_of(balance)
        self._balances_fen += amount.fen if amount else 0
        person = self._owner(name)
        if schemes or months or bases or employer:
            raise _Wrong("COLUMN_NOT_EMPTY")
        if person.account is not None:
            raise _Wrong("ACCOUNT_TWICE")
        if not FIRST_ACCOUNT_YEAR <= year_number(year) < self._today.year:
            raise _Wrong("YEAR_INVALID")
        if amount is None or not 0 <= amount.fen <= AMOUNT_MAX.fen:
            raise _Wrong("BALANCE_INVALID")
        person.account = (line, int(year), amount.fen)

    def _employer(self, text: str) -> str:
        if text not in self._employers:
            if len(self._employers) > _MEMO_MAX:
                self._employers = {"": ""}
            check = check_credit_code(text)
            self._employers[text] = check.code if check.valid else None
        code = self._employers[text]
        if code is None:
            raise _Wrong("EMPLOYER_CODE_INVALID")
        return code


def _person_of(data: bytes, at: int) -> bytes:
    """The raw number in the line that begins at a place."""
    return data[at : at + 80].split(b"\n", 1)[0].split(b",", 2)[1:2][0].strip() if b"," in data[at : at + 80] else b""


def _totals(trailer: str) -> Sums:
    cells = [cell.strip() for cell in trailer.strip().split(",")]
    if len(cells) != 8:  # noqa: PLR2004 - mark and seven sums
        raise wrong_file("TOTALS_MALFORMED")
    bases, balances = amount_of(cells[6]), amount_of(cells[7])
    if not all(_COUNT.fullmatch(one) for one in cells[1:6]) or bases is None or balances is None:
        raise wrong_file("TOTALS_MALFORMED")
    rows, persons, pension, unemployment, injury = (int(one) for one in cells[1:6])
    return Sums(rows, persons, pension, unemployment, injury, bases.fen, balances.fen)


def _encoding_of(data: bytes) -> tuple[str, int]:
    """UTF-8 with or without its mark, else GB18030; and where the text begins."""
    start = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    if b"\0" not in data:
        for encoding in ("utf-8", "gb18030"):
            try:
                data.decode(encoding)
            except UnicodeDecodeError:
                continue
            return encoding, start
    raise wrong_file("ENCODING")
