"""The file of a batch (批量制卡名单): names and identity numbers, as CSV in UTF-8 or GB18030.

Pure; opens nothing. docs/how-to/issue-cards.md describes the format for those who fill in such files. First level: the
file; second level: the row. Whether a row fits the register is the third, in `operations.batch_judging`.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kernel import lists
from kernel.errors import InvalidInput
from kernel.identity import check_document, normalise_name, normalise_resident_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

COLUMNS = (("name", "id_no"), ("姓名", "公民身份号码"))
FIRST_LINE = 2  # after the header
BYTES_MAX = 64 * 1024 * 1024  # what an upload may have: about two million rows
_BLANK = re.compile(r"[ \t\u3000]")
_NOT_SAID = "BIRTH_AND_SEX_NEEDED"  # the one form of a number that says neither, and has no check digit to look at

# Why a row has no card: what people read, with what to do.
TEXTS = lists.TEXTS | {
    "ROW_MALFORMED": (
        "该行不是“姓名,公民身份号码”两列；请检查逗号和引号",
        "a row has a name and a number; check commas and quotes",
    ),
    "ID_NO_OLD": ("15 位旧号码不能用于制卡；请填写 18 位号码", "a number of 15 digits is not taken; use the one of 18"),
    "ROW_REPEATED": ("该人在前面的行已出现；每人只需一行", "an earlier row names the same person; one is enough"),
    "PERSON_UNKNOWN": (
        "登记库没有这个号码；请先办理参保登记",
        "the register does not know the number; register the person first",
    ),
    "PERSON_DIED": (
        "该人已登记死亡，不能制卡；如有误请到窗口更正",
        "the death of the person is recorded; if wrong, have it corrected at the counter",
    ),
    "PERSON_MERGED": (
        "该人的档案已并入另一份档案；请使用合并后的号码",
        "the record went up in another one; use the number of that",
    ),
    "PHYSICAL_MISSING": (
        "该人没有实体社保卡；电子卡随实体卡签发",
        "there is no physical card; the electronic one follows it",
    ),
    "PHYSICAL_LOST": ("实体社保卡已挂失；解挂或补卡后再办", "the physical card is reported lost; lift or replace it"),
    "PHYSICAL_FORMALLY_LOST": (
        "实体社保卡已正式挂失；补卡后再办",
        "the physical card is reported lost for good; it has to be replaced first",
    ),
    "PHYSICAL_LOCKED": ("实体社保卡已锁定；请先到服务网点解锁", "the physical card is locked; have it unlocked first"),
    "PHYSICAL_CANCELLED": ("实体社保卡已注销；请先申领新卡", "the physical card is cancelled; apply for a new one"),
}  # fmt: skip


class RowWrong(Exception):  # noqa: N818 - a verdict on a row, not an error of ours
    """A row that is not taken; carries the key of TEXTS."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Named:
    """Whom a row names; personal data, and not printed."""

    name: str
    id_no: str

    def __repr__(self) -> str:
        return "Named(…)"


class BatchFile:
    """A file that passed the first level; lines are cut off its text one after the other, never all at once."""

    def __init__(self, text: str, start: int) -> None:
        self._text = text
        self._start = start
        self._end = len(text)
        while self._end > start and text[self._end - 1] in "\r\n, \t":  # spreadsheets leave rows of nothing but commas
            self._end -= 1

    def lines(self) -> Iterator[str]:
        """The lines after the header, in order."""
        at = self._start
        while at < self._end:
            end = self._text.find("\n", at, self._end)
            end = self._end if end < 0 else end
            yield self._text[at:end].removesuffix("\r")
            at = end + 1


def open_file(data: bytes) -> BatchFile:
    """First level: size, encoding, header, and that there are rows. Never a guess: what is neither form is refused.

    Raises:
        InvalidInput: FILE_FORMAT_INVALID with its cause: TOO_LARGE, ENCODING, HEADER, NO_ROWS.
    """
    if len(data) > BYTES_MAX:
        raise lists.wrong_file("TOO_LARGE")
    text = lists.decoded(data)
    head, _, _ = text[: lists.LINE_MAX].partition("\n")
    if tuple(cell.strip(" \t\r") for cell in head.split(",")) not in COLUMNS:
        raise lists.wrong_file("HEADER")
    file = BatchFile(text, len(head) + 1)
    if next(file.lines(), None) is None:
        raise lists.wrong_file("NO_ROWS")
    return file


def read_row(text: str, today: date, *, allow_test_region: bool) -> Named:
    """Second level: one row.

    Raises:
        RowWrong: With the reason.
    """
    cells = lists.cells_of(text, len(COLUMNS[0]))
    if cells is None:
        raise RowWrong("ROW_MALFORMED")
    if any(lists.HIDDEN.search(cell) for cell in cells):
        raise RowWrong("HIDDEN_CHARACTER")
    name, number = cells
    try:
        name = normalise_name(name)
    except InvalidInput:
        raise RowWrong("NAME_INVALID") from None
    if lists.SCIENTIFIC.fullmatch(number):
        raise RowWrong("ID_NO_SCIENTIFIC")
    number = _number(number)
    found = check_document(number, today, allow_test_region=allow_test_region)
    if found.valid or found.reason == _NOT_SAID:
        return Named(name, found.number)
    if found.reason == "OLD_NUMBER":
        raise RowWrong("ID_NO_OLD")
    raise RowWrong("ID_NO_ROUNDED" if lists.ROUNDED.fullmatch(found.number) else "ID_NO_INVALID")


def fingerprint(text: str) -> int:
    """A number for whom a line names, equal for equal ones; 0 for a line that names nobody.

    Sixty-three bits: of two million rows two different ones meet once in four million files.
    """
    cells = lists.cells_of(text, len(COLUMNS[0]))
    number = _number(cells[1]) if cells else ""
    if not number:
        return 0
    return int.from_bytes(hashlib.blake2b(number.encode("utf-8", "replace"), digest_size=8).digest()) >> 1


def repeated(fingerprints: list[int] | np.ndarray[tuple[int], np.dtype[np.int64]]) -> frozenset[int]:
    """The places whose fingerprint stood at an earlier place already."""
    values = np.asarray(fingerprints, np.int64)
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    again = np.zeros(len(values), bool)
    again[1:] = (ordered[1:] == ordered[:-1]) & (ordered[1:] != 0)
    return frozenset(order[again].tolist())


def _number(text: str) -> str:
    """A number as rows are compared by it; a leading apostrophe says "text" to a spreadsheet and is no part of it."""
    return normalise_resident_id(_BLANK.sub("", text.removeprefix("'")))
