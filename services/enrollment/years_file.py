"""Layout 2 of imported history: one row for a person-year. Its format and the first two levels of checks. Pure.

docs/how-to/import-history.md describes it beside layout 1 (`history_file`). A city's history comes in files of up to
64 MiB; a file is read in slices of whole persons, each in a process of its own, so everything here takes bytes and
gives plain values.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from kernel.errors import InvalidInput
from kernel.identity import ResidentIdCheck, check_credit_code, check_resident_id, normalise_name
from services.enrollment import history_file
from services.enrollment.history_file import AMOUNT_MAX, BYTES_MAX, LINE_MAX, HistoryFile, amount_of, wrong_file
from services.enrollment.history_file import TEXTS as SHARED_TEXTS
from services.enrollment.moving import COUNTED, EVERY_MONTH, MONTHS, PENSION, Sums

FORMAT = "#hrss-history,2"
COLUMNS = ("kind", "id_no", "name", "year", "schemes", "months", "bases", "employer_code", "balance")
TOTALS = "#totals"
HEAD_LINES = 2
FIRST_YEAR, FIRST_ACCOUNT_YEAR = 1949, 1996
SLICE_BYTES = 1_500_000  # about 20,000 person-years: a transaction of a second

_SCHEMES = {"110": 1, "210": 2, "410": 4}
_KINDS = {"year", "account"}
_MEMO_MAX = 50_000

TEXTS: Mapping[str, tuple[str, str]] = SHARED_TEXTS | {
    "ROW_MALFORMED": ("该行不是 9 列的 CSV；请检查逗号和引号", "a line is CSV of 9 columns; check commas and quotes"),
    "KIND_UNKNOWN": ("行类型只能是 year 或 account", "the kind of a row is year or account"),
    "YEAR_OUT_OF_RANGE": ("年度应在 1949 年至本年之间", "a year is 1949 to this one"),
    "SCHEMES_INVALID": ("险种应如 110+210+410，各写一次", "schemes are like 110+210+410, each once"),
    "MONTHS_INVALID": ("月份应为 12 个 P、D 或点，且不晚于本月", "months are twelve of P, D and ., none in the future"),
    "BASES_INVALID": ("缴费基数应如 800.00*6;860.00*6，个数与月数一致", "bases are like 800.00*6;860.00*6, one a month"),
    "ROW_OVERLAPS": ("该行与文件中前面的行月份重叠；请合并后重报", "a line before has some of these months; merge them"),
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


def read_slice(
    data: bytes, encoding: str, first_line: int, *, today: date, allow_test_region: bool
) -> SliceRows:
    """Second level: every row of a slice. The sums count what can be read, also of rows that are not taken."""
    found = SliceRows()
    reader = _Reader(today)
    rows = persons = balances = bases = 0
    counted = [0, 0, 0]
    last_id: str | None = None
    person: PersonRows | None = None
    reason = ""
    for line, text in enumerate(data.decode(encoding).removesuffix("\n").split("\n"), start=first_line):
        rows += 1
        cells = _cells(text)
        if cells is None:
            found.wrong.append((line, "ROW_MALFORMED"))
            continue
        kind, id_no, name, year, schemes, months, amounts, employer, balance = cells
        if id_no != last_id:
            last_id = id_no
            persons += 1
            person, reason = _person(line, id_no, name, today, allow_test_region=allow_test_region)
            if person is not None:
                found.persons.append(person)
        try:
            if kind == "year":
                bits, pattern, fen = reader.measures(schemes, months, amounts)
                if pattern is not None and bits:
                    for place in (0, 1, 2):
                        if bits >> place & 1:
                            counted[place] += pattern[2]
                    bases += fen * bits.bit_count()
                _check_person(person, reason, name)
                assert person is not None
                if balance:
                    raise _Wrong("COLUMN_NOT_EMPTY")
                row = reader.year_row(line, year, schemes, months, amounts, employer)
                _add(person, row)
            elif kind == "account":
                amount = amount_of(balance)
                balances += amount.fen if amount else 0
                _check_person(person, reason, name)
                assert person is not None
                if schemes or months or amounts or employer:
                    raise _Wrong("COLUMN_NOT_EMPTY")
                if person.account is not None:
                    raise _Wrong("ACCOUNT_TWICE")
                if not (len(year) == 4 and year.isascii() and year.isdigit() and FIRST_ACCOUNT_YEAR <= int(year) < today.year):  # noqa: E501, PLR2004
                    raise _Wrong("YEAR_INVALID")
                if amount is None or not 0 <= amount.fen <= AMOUNT_MAX.fen:
                    raise _Wrong("BALANCE_INVALID")
                person.account = (line, int(year), amount.fen)
            else:
                raise _Wrong("KIND_UNKNOWN")
        except _Wrong as wrong:
            found.wrong.append((line, str(wrong)))
    found.persons = [one for one in found.persons if one.years or one.account]
    found.sums = Sums(rows, persons, *counted, bases, balances)
    return found


class _Reader:
    """Reads cells, remembering what it read: a city has few patterns of months and many equal bases."""

    def __init__(self, today: date) -> None:
        self.year, self.month = today.year, today.month
        self._schemes: dict[str, int] = {}
        self._months: dict[str, tuple[int, int, int] | None] = {}
        self._bases: dict[tuple[str, str], tuple[tuple[int, ...], int] | None] = {}
        self._employers: dict[str, str | None] = {"": ""}

    def measures(self, schemes: str, months: str, bases: str) -> tuple[int, tuple[int, int, int] | None, int]:
        """Schemes as bits (0: not readable), months as (bits, deemed, count) or None, and the sum of the bases."""
        bits = self._schemes.get(schemes)
        if bits is None:
            bits = self._schemes[schemes] = _scheme_bits(schemes)
        pattern = self._months.get(months, _UNREAD)
        if pattern is _UNREAD:
            pattern = self._months[months] = _month_bits(months)
        amounts = self.amounts(months, bases, pattern)
        return bits, pattern, amounts[1] if amounts else 0

    def amounts(
        self, months: str, bases: str, pattern: tuple[int, int, int] | None
    ) -> tuple[tuple[int, ...], int] | None:
        """Bases as stored, and their sum; None when they cannot be read."""
        if pattern is None:
            return None
        key = (months, bases)
        found = self._bases.get(key, _UNREAD)
        if found is _UNREAD:
            if len(self._bases) > _MEMO_MAX:
                self._bases.clear()
            found = self._bases[key] = _bases(bases, pattern)
        return found

    def year_row(self, line: int, year: str, schemes: str, months: str, bases: str, employer: str) -> YearRow:
        """A row of a year."""
        if not (len(year) == 4 and year.isascii() and year.isdigit() and FIRST_YEAR <= int(year) <= self.year):  # noqa: PLR2004
            raise _Wrong("YEAR_OUT_OF_RANGE")
        bits = self._schemes[schemes]
        if not bits:
            raise _Wrong("SCHEMES_INVALID")
        pattern = self._months[months]
        number = int(year)
        if pattern is None or (number == self.year and pattern[0] >> self.month):
            raise _Wrong("MONTHS_INVALID")
        mask, deemed, _ = pattern
        if deemed and bits != PENSION:
            raise _Wrong("DEEMED_NOT_ALLOWED")
        amounts = self.amounts(months, bases, pattern)
        if amounts is None or (deemed != mask and not _all_paid_have_bases(amounts[0], mask & ~deemed)):
            raise _Wrong("BASES_INVALID")
        code = self._employers.get(employer, _UNREAD)
        if code is _UNREAD:
            check = check_credit_code(employer)
            if len(self._employers) > _MEMO_MAX:
                self._employers = {"": ""}
            code = self._employers[employer] = check.code if check.valid else None
        if code is None:
            raise _Wrong("EMPLOYER_CODE_INVALID")
        return YearRow(line, number, bits, mask, deemed, amounts[0], code)


_UNREAD: object = object()  # type: ignore[assignment]


def _person(
    line: int, id_no: str, name: str, today: date, *, allow_test_region: bool
) -> tuple[PersonRows | None, str]:
    identity = check_resident_id(id_no, today, allow_test_region=allow_test_region)
    if not identity.valid:
        return None, "ID_NO_INVALID"
    try:
        return PersonRows(line, identity, normalise_name(name)), ""
    except InvalidInput:
        return None, "NAME_INVALID"


def _check_person(person: PersonRows | None, reason: str, name: str) -> None:
    if person is None:
        raise _Wrong(reason)
    if name != person.name:
        try:
            same = normalise_name(name) == person.name
        except InvalidInput:
            raise _Wrong("NAME_INVALID") from None
        if not same:
            raise _Wrong("NAME_MISMATCH")


def _add(person: PersonRows, row: YearRow) -> None:
    for other in person.years:
        if other.year == row.year and other.schemes & row.schemes and other.months & row.months:
            raise _Wrong("ROW_OVERLAPS")
    person.years.append(row)


def _scheme_bits(text: str) -> int:
    bits = 0
    for code in text.split("+"):
        bit = _SCHEMES.get(code, 0)
        if not bit or bits & bit:
            return 0
        bits |= bit
    return bits


def _month_bits(text: str) -> tuple[int, int, int] | None:
    if len(text) != MONTHS or text.strip("PD.") or not text.strip("."):
        return None
    mask = sum(1 << place for place, letter in enumerate(text) if letter != ".")
    return mask, sum(1 << place for place, letter in enumerate(text) if letter == "D"), mask.bit_count()


def _bases(text: str, pattern: tuple[int, int, int]) -> tuple[tuple[int, ...], int] | None:
    """Bases of the counted months, written once for all or in runs."""
    mask, _, count = pattern
    runs: list[int] = []
    for part in text.split(";"):
        amount_text, star, times = part.partition("*")
        amount = amount_of(amount_text)
        if amount is None or not 0 <= amount.fen <= AMOUNT_MAX.fen:
            return None
        if star and not (times.isascii() and times.isdigit() and len(times) <= 2 and 1 <= int(times) <= MONTHS):  # noqa: PLR2004
            return None
        runs += [amount.fen] * (int(times) if star else 1)
    if len(runs) == 1 and "*" not in text:
        return (runs[0],), runs[0] * count
    if len(runs) != count:
        return None
    if len(set(runs)) == 1:
        return (runs[0],), runs[0] * count
    following = iter(runs)
    return tuple(next(following) if mask >> place & 1 else 0 for place in range(MONTHS)), sum(runs)


def _all_paid_have_bases(bases: tuple[int, ...], paid: int) -> bool:
    if len(bases) == 1:
        return bases[0] > 0
    return all(bases[place] > 0 for place in range(MONTHS) if paid >> place & 1)


def _cells(text: str) -> list[str] | None:
    if len(text) > LINE_MAX:
        return None
    if '"' in text:
        try:
            cells = next(csv.reader([text], strict=True))
        except (csv.Error, StopIteration):
            return None
    else:
        cells = text.split(",")
    return [cell.strip() for cell in cells] if len(cells) == len(COLUMNS) else None


def _person_of(data: bytes, at: int) -> bytes:
    """The raw number in the line that begins at a place."""
    return data[at : at + 80].split(b"\n", 1)[0].split(b",", 2)[1:2][0].strip() if b"," in data[at : at + 80] else b""


def _totals(trailer: str) -> Sums:
    cells = [cell.strip() for cell in trailer.strip().split(",")]
    if len(cells) != 8:  # noqa: PLR2004 - mark and seven sums
        raise wrong_file("TOTALS_MALFORMED")
    counts = cells[1:6]
    bases, balances = amount_of(cells[6]), amount_of(cells[7])
    if not all(one.isascii() and one.isdigit() and len(one) <= 12 for one in counts) or bases is None or balances is None:  # noqa: PLR2004
        raise wrong_file("TOTALS_MALFORMED")
    return Sums(*(int(one) for one in counts), bases.fen, balances.fen)


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


assert EVERY_MONTH == (1 << MONTHS) - 1
assert set(_SCHEMES.values()) == set(COUNTED)
