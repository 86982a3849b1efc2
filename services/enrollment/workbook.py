"""Workbooks (xlsx) as the lines of text that the same list has as CSV, so that both get the same verdicts.

Pure and read-only, with the standard library: a workbook is a zip archive of XML. Everything is bounded before it is
unpacked, no document type is accepted, and every cell is taken as it is stored: a number of 18 digits that a program
kept as 3.2E+17 stays that, and is refused by its own name. A cell shown as a date becomes one, like 2025-03-20.
"""

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from xml.parsers import expat

from kernel.errors import InvalidInput

MAGIC = b"PK\x03\x04"
MEMBERS_MAX = 200  # an honest workbook has about twenty
UNPACKED_MAX = 100 * 1024 * 1024  # 20,000 rows have about five million bytes
COLUMNS_MAX = 64
EXTRA_ROWS = 1_000  # blank rows at the end, which programs like to leave
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - a day without a place, as the format has it
_LAST_SERIAL = 2_958_465  # 9999-12-31
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})", re.ASCII)
_DATE_FORMATS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
_QUOTED = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')
_DATE_LETTERS = re.compile(r"[ymdYMD年月日]")
_BREAK = re.compile(r"[\r\n]")
_HIDDEN = "\x0b"  # every list names a character that nobody sees


def is_workbook(data: bytes) -> bool:
    """Whether a file is an archive, as workbooks are."""
    return data.startswith(MAGIC)


def as_csv(data: bytes, rows_max: int) -> bytes:
    """The only filled sheet of a workbook as CSV in UTF-8; other files are returned as they are.

    Lines that begin with # keep the cells that are filled; all others have as many cells as the header, unless there is
    something beyond it.

    Raises:
        InvalidInput: FILE_FORMAT_INVALID with its cause: WORKBOOK, WORKBOOK_LARGE, MACROS, MANY_SHEETS, TOO_MANY_ROWS.
    """
    if not is_workbook(data):
        return data
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = _members(archive)
            rows = _filled_sheet(members, rows_max + EXTRA_ROWS)
    except (zipfile.BadZipFile, expat.ExpatError, LookupError, ValueError, NotImplementedError, RuntimeError, EOFError):
        raise _wrong("WORKBOOK") from None
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(_lines(rows))
    return text.getvalue().encode()


def _members(archive: zipfile.ZipFile) -> Mapping[str, bytes]:
    """The parts of the archive, unpacked whole: what a head says of a size holds, or reading it fails."""
    infos = archive.infolist()
    if len(infos) > MEMBERS_MAX or sum(info.file_size for info in infos) > UNPACKED_MAX:
        raise _wrong("WORKBOOK_LARGE")
    names = {info.filename for info in infos}
    if any(name.endswith("vbaProject.bin") for name in names):
        raise _wrong("MACROS")
    wanted = re.compile(r"xl/(worksheets/[^/]+|workbook|sharedStrings|styles|_rels/workbook)\.xml(\.rels)?")
    return {info.filename: archive.read(info) for info in infos if wanted.fullmatch(info.filename)}


def _filled_sheet(members: Mapping[str, bytes], rows_max: int) -> Sequence[Sequence[str]]:
    strings = _strings(members.get("xl/sharedStrings.xml", b""))
    dates = _date_styles(members.get("xl/styles.xml", b""))
    filled = []
    for name in sorted(one for one in members if one.startswith("xl/worksheets/")):
        rows = _rows(members[name], strings, dates, rows_max)
        if rows:
            filled.append(rows)
    if len(filled) > 1:  # nobody could say which was meant, and none is left out in silence
        raise _wrong("MANY_SHEETS")
    if not filled:
        raise _wrong("WORKBOOK")
    return filled[0]


def _rows(xml: bytes, strings: Sequence[str], dates: frozenset[int], rows_max: int) -> Sequence[Sequence[str]]:
    """The rows of a sheet up to the last that has something; a row that is left out is empty."""
    found: dict[int, dict[int, str]] = {}
    place, kind, style = (0, 0), "", 0
    text: list[str] = []
    row = 0

    def begin(tag: str, attributes: Mapping[str, str]) -> None:
        nonlocal place, kind, style, row
        match _local(tag):
            case "row":
                row = int(attributes.get("r", row + 1))
                place = (row, 0)
            case "c":
                place = _place(attributes.get("r"), place)
                kind, style = attributes.get("t", "n"), int(attributes.get("s", 0))
                text.clear()

    def end(tag: str) -> None:
        if _local(tag) != "c" or not text:
            return
        value = _value("".join(text), kind, strings, is_date=style in dates)
        if value == "":
            return
        number, column = place
        if number > rows_max or column > COLUMNS_MAX:
            raise _wrong("TOO_MANY_ROWS")
        found.setdefault(number, {})[column] = value

    _parse(xml, begin, end, text, inside={"v", "t"})
    width = max((max(cells) for cells in found.values()), default=0)
    return [
        [found.get(number, {}).get(column, "") for column in range(1, width + 1)]
        for number in range(1, max(found, default=0) + 1)
    ]


def _value(text: str, kind: str, strings: Sequence[str], *, is_date: bool) -> str:
    match kind:
        case "s":
            return strings[int(text)]
        case "n" if is_date:
            return _day(text)
        case "n":
            return text if "E" in text.upper() else _plain(text)
        case _:  # inline text, the text of a formula, a truth value, an error: as it is stored
            return text


def _plain(text: str) -> str:
    """8000.0 and 8000.10 as people typed them; 0.1 + 0.2 as programs show it, with fifteen digits."""
    rounded = Decimal(f"{Decimal(text):.15g}")
    return f"{rounded.normalize():f}"


def _day(text: str) -> str:
    serial = int(Decimal(text))
    if not 0 < serial <= _LAST_SERIAL:
        return text
    return (_EPOCH + timedelta(days=serial)).date().isoformat()


def _strings(xml: bytes) -> Sequence[str]:
    found: list[str] = []
    text: list[str] = []

    def begin(tag: str, _: Mapping[str, str]) -> None:
        if _local(tag) == "si":
            text.clear()

    def end(tag: str) -> None:
        if _local(tag) == "si":
            found.append("".join(text))

    if xml:
        _parse(xml, begin, end, text, inside={"t"})
    return found


def _date_styles(xml: bytes) -> frozenset[int]:
    """Numbers of the cell styles that show a number as a day."""
    formats, styles = set(_DATE_FORMATS), []
    in_cells = False

    def begin(tag: str, attributes: Mapping[str, str]) -> None:
        nonlocal in_cells
        match _local(tag):
            case "numFmt":
                if _DATE_LETTERS.search(_QUOTED.sub("", attributes.get("formatCode", ""))):
                    formats.add(int(attributes["numFmtId"]))
            case "cellXfs":
                in_cells = True
            case "xf" if in_cells:
                styles.append(int(attributes.get("numFmtId", 0)))

    def end(tag: str) -> None:
        nonlocal in_cells
        if _local(tag) == "cellXfs":
            in_cells = False

    if xml:
        _parse(xml, begin, end, [], inside=set())
    return frozenset(number for number, one in enumerate(styles) if one in formats)


def _parse(
    xml: bytes,
    begin: Callable[[str, Mapping[str, str]], None],
    end: Callable[[str], None],
    text: list[str],
    *,
    inside: set[str],
) -> None:
    """Walk through XML; the characters inside some elements are added to the text. No document type is accepted."""
    depth = 0
    phonetic = 0  # readings beside the characters are no part of a text

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        nonlocal depth, phonetic
        phonetic += _local(tag) == "rPh"
        depth += _local(tag) in inside and not phonetic
        begin(tag, attributes)

    def stop(tag: str) -> None:
        nonlocal depth, phonetic
        end(tag)
        depth -= _local(tag) in inside and not phonetic
        phonetic -= _local(tag) == "rPh"

    def characters(data: str) -> None:
        if depth:
            text.append(data)

    def doctype(*_: object) -> None:
        raise _wrong("WORKBOOK")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = stop
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = doctype
    parser.Parse(xml, True)  # noqa: FBT003 - the last part


def _place(reference: str | None, before: tuple[int, int]) -> tuple[int, int]:
    """Row and column of a cell, both from 1; without a reference, the next one."""
    if reference is None:
        return before[0], before[1] + 1
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise ValueError(reference)
    column = 0
    for letter in found[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(found[2]), column


def _lines(rows: Sequence[Sequence[str]]) -> Iterator[Sequence[str]]:
    width = 0
    for cells in rows:
        line = [_BREAK.sub(_HIDDEN, cell) for cell in cells]  # a line of text has no breaks
        while line and not line[-1]:
            line.pop()
        if line and line[0].startswith("#"):
            yield line
            continue
        width = width or len(line)
        yield [*line, *[""] * (width - len(line))]


def _local(tag: str) -> str:
    return tag.rpartition(":")[2]


def _wrong(cause: str) -> InvalidInput:
    return InvalidInput(
        "FILE_FORMAT_INVALID", "the file is not of the documented format", field="upload_id", cause=cause
    )
