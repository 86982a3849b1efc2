"""The files of the tax bureau: receipts in (到账文件) and bills out (征缴文件), and the first checks of the receipts.

Pure; opens nothing. docs/how-to/tax-bureau-files.md describes both for those who exchange them. Level 1 (the file)
and level 2 (the row) are here, with the cross checks inside the file: control totals and numbers that stand twice.
Whether a row fits the books is `operations.collection`.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from kernel import lists
from kernel.calendar import Month
from kernel.errors import InvalidInput
from kernel.money import Money
from services.enrollment.collection import Incoming
from services.enrollment.workbook import as_csv

FORMAT = "#hrss-receipts"
BILLS_FORMAT = "#hrss-bills"
VERSION = "1"
KINDS = ("real", "simulated")
COLUMNS = ("receipt_no", "payer_code", "document", "amount", "paid_date")
COLUMNS_ZH = ("电子税票号", "缴费单位代码", "征缴单号", "金额", "入库日期")
BILL_COLUMNS = ("document", "kind", "payer_code", "month", "total", "open", "due_date", "credit")
TOTALS = "#totals"
BYTES_MAX = 20 * 1024 * 1024
ROWS_MAX = 100_000
LINE_MAX = 300  # characters
HEAD_LINES = 2
DIGITS_KEPT = 15  # by a spreadsheet; the others become zeros

_RECEIPT_NO = re.compile(r"[0-9A-Za-z-]{4,40}", re.ASCII)
_DOCUMENT = re.compile(r"[0-9a-z_]{1,40}", re.ASCII)
_FULL_WIDTH = re.compile(r"[\uff01-\uff5e\u3000]")
_ROUNDED = re.compile(r"[0-9]{15}0{1,25}", re.ASCII)
_LONG = re.compile(r"[0-9]{17,40}", re.ASCII)
_AMOUNT_TEXT = re.compile(r"[¥￥]?\s*[0-9][0-9,，]*(\.[0-9]+)?\s*元?")
_DATE_LIKE = re.compile(
    r"[0-9]{4}[/.年][0-9]{1,2}[/.月][0-9]{1,2}日?|[0-9]{8}|[0-9]{5}|[0-9]{1,2}[/-][0-9]{1,2}[/-][0-9]{2,4}", re.ASCII
)

# Why a row was refused or lies on the suspense account: what people read, with what to do.
TEXTS = {
    "ROW_MALFORMED": ("该行不是 5 列的 CSV；请检查逗号和引号", "a line is CSV of 5 columns; check commas and quotes"),
    "HIDDEN_CHARACTER": (
        "该行有看不见的字符；请删除后重新导出",
        "the row has invisible characters; remove them and write the file again",
    ),
    "RECEIPT_NO_SCIENTIFIC": (
        "税票号被表格软件改成了科学计数法；请直接使用征收系统导出的文件",
        "a spreadsheet turned the number into scientific notation; use the file as the bureau's system wrote it",
    ),
    "RECEIPT_NO_ROUNDED": (
        "税票号末尾被表格软件改成了 0；请直接使用征收系统导出的文件",
        "a spreadsheet turned the last digits into zeros; use the file as the bureau's system wrote it",
    ),
    "RECEIPT_NO_FULL_WIDTH": ("税票号中有全角字符；请改用半角", "the number has full-width characters; use plain ones"),
    "RECEIPT_NO_INVALID": (
        "税票号应为 4 至 40 位数字、字母或连字符",
        "a receipt number has 4 to 40 digits, letters and hyphens",
    ),
    "AMOUNT_AS_TEXT": (
        "金额中有千分位逗号、货币符号或“元”；请只写数字，如 8000.00",
        "the amount has separators or a currency sign; write digits only, like 8000.00",
    ),
    "AMOUNT_INVALID": ("金额应大于 0，最多两位小数", "an amount is more than 0 with at most two decimals"),
    "DATE_AS_SPREADSHEET": (
        "入库日期被表格软件改写；请写成 2025-03-20",
        "a spreadsheet changed the day; write 2025-03-20",
    ),
    "PAID_DATE_INVALID": (
        "入库日期应如 2025-03-20，且不晚于文件日期和业务日",
        "a day is like 2025-03-20 and not after the day of the file or today",
    ),
    "DUPLICATE_ROW": (
        "同一税票号在文件中出现多次，只处理第一次；请核对",
        "the number stands in the file before; only its first row counts, check both",
    ),
    "RECEIPT_NO_REUSED": (
        "该税票号已登记过，但金额、日期或单号不同；请与征收系统核对",
        "the number is booked with another amount, day, payer or document; ask the bureau which is right",
    ),
    "OVERPAID": (
        "超过应缴金额的部分已转暂收款；可用于下一期或退还",
        "more than was open: the rest lies on the suspense account for the next bill or a refund",
    ),
    "BILL_UNKNOWN": ("没有这个征缴单号，已转暂收款待核对", "no such document: the money lies on the suspense account"),
    "PAYER_UNKNOWN": ("没有这个缴费单位，已转暂收款待核对", "no such payer: the money lies on the suspense account"),
    "PAYER_DIFFERS": (
        "缴费单位与征缴单不符，已转暂收款待核对",
        "another employer's bill: the money lies on the suspense account of the payer",
    ),
    "PAID_EARLY": (
        "入库日期早于费款所属期，已转暂收款待核对",
        "paid before the month began: the money lies on the suspense account",
    ),
    "PLAN": ("分期协议已缴清，多缴部分已转暂收款", "the plan is paid: the rest lies on the suspense account"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReceiptsFile:
    """A file that passed the first level: its rows, and which of them repeat a number."""

    day: date
    simulated: bool
    lines: Sequence[str]
    row_count: int
    total: Money
    repeated: frozenset[int]
    is_rounded: bool  # every long number ends in zeros, as after a spreadsheet

    def rows(self, first: int, last: int) -> Iterator[tuple[int, str]]:
        """Lines of the file from one to another, both included, counted from 1."""
        return ((number, self.lines[number - 1]) for number in range(first, last + 1))

    def ranges(self, size: int) -> Iterator[tuple[int, int]]:
        """First and last line of each part of so many rows."""
        end = HEAD_LINES + self.row_count
        return ((first, min(first + size - 1, end)) for first in range(HEAD_LINES + 1, end + 1, size))


class RowWrong(Exception):  # noqa: N818 - a verdict on a row, not an error of ours
    """A row that is refused; carries the key of TEXTS."""

    def __init__(self, code: str, receipt_no: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.receipt_no = receipt_no


@dataclass(frozen=True, slots=True)
class BillRow:
    """A row of the file of bills."""

    document: str
    kind: str
    payer_code: str
    month: Month
    total: Money
    open: Money
    due_date: date | None
    credit: Money


def open_file(data: bytes) -> ReceiptsFile:
    """First level: size, encoding, head, and the control totals over all rows.

    Raises:
        InvalidInput: FILE_FORMAT_INVALID with its cause: TOO_LARGE, ENCODING, HEADER, TOO_MANY_ROWS, TOTALS, or
            TOTALS_DIFFER with the first line whose amount cannot be read, if there is one. Nothing is booked then.
    """
    if len(data) > BYTES_MAX:
        raise _wrong("TOO_LARGE")
    try:
        text = as_csv(data, ROWS_MAX).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _wrong("ENCODING") from None
    if "\0" in text:
        raise _wrong("ENCODING")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1].strip(", \t"):
        lines.pop()
    head = [cell.strip() for cell in lines[0].rstrip(",").split(",")] if lines else []
    if len(head) != 4 or head[:2] != [FORMAT, VERSION] or head[3] not in KINDS or len(lines) < HEAD_LINES:  # noqa: PLR2004 - name, version, day, kind
        raise _wrong("HEADER")
    day = _day(head[2])
    if day is None or tuple(_cells(lines[1]) or ()) not in {COLUMNS, COLUMNS_ZH}:
        raise _wrong("HEADER")
    trailer = [cell.strip() for cell in lines.pop().rstrip(",").split(",")]
    if trailer[0] != TOTALS or len(trailer) != 3:  # noqa: PLR2004 - word, rows, amount
        raise _wrong("TOTALS")
    rows = len(lines) - HEAD_LINES
    if rows > ROWS_MAX:
        raise _wrong("TOO_MANY_ROWS")
    total, unreadable = _sum(lines)
    if trailer[1] != str(rows) or _stated(trailer[2]) != total:
        raise _wrong("TOTALS_DIFFER", line=unreadable or 0)
    numbers = [cells[0] for text in lines[HEAD_LINES:] if (cells := _cells(text))]
    long = [one for one in numbers if _LONG.fullmatch(one)]
    return ReceiptsFile(
        day=day,
        simulated=head[3] == "simulated",
        lines=lines,
        row_count=rows,
        total=total,
        repeated=frozenset(_repeated(lines)),
        is_rounded=bool(long) and all(_ROUNDED.fullmatch(one) for one in long),
    )


def read_row(file: ReceiptsFile, line: int, text: str, *, source: str, today: date) -> Incoming:
    """Second level: one row.

    Raises:
        RowWrong: With the reason.
    """
    if lists.HIDDEN.search(text):
        raise RowWrong("HIDDEN_CHARACTER")
    cells = _cells(text)
    if cells is None:
        raise RowWrong("ROW_MALFORMED")
    number, payer, document, amount, paid = cells
    if lists.SCIENTIFIC.fullmatch(number):
        raise RowWrong("RECEIPT_NO_SCIENTIFIC")
    if _FULL_WIDTH.search(number):
        raise RowWrong("RECEIPT_NO_FULL_WIDTH")
    if not _RECEIPT_NO.fullmatch(number):
        raise RowWrong("RECEIPT_NO_INVALID")
    if file.is_rounded and _LONG.fullmatch(number):
        raise RowWrong("RECEIPT_NO_ROUNDED", number)
    if line in file.repeated:
        raise RowWrong("DUPLICATE_ROW", number)
    day = _day(paid)
    if day is None and _DATE_LIKE.fullmatch(paid):
        raise RowWrong("DATE_AS_SPREADSHEET", number)
    if day is None or day > min(today, file.day):
        raise RowWrong("PAID_DATE_INVALID", number)
    return Incoming(
        receipt_no=number,
        payer_code=payer.upper(),
        # Whatever else stands there is not kept: it could be anything, a name too.
        document=document if _DOCUMENT.fullmatch(document) else "",
        amount=_amount(amount, number),
        paid_date=day,
        simulated=file.simulated,
        source=source,
    )


def bills_file(month: Month, rows: Iterable[BillRow]) -> tuple[bytes, int, Money, Money]:
    """The file of a month's open bills and demands: bytes, rows, sum of the totals and of what is open.

    Canonical: in order of the documents, LF, amounts with two decimals; the same bills are the same bytes.
    """
    ordered = sorted(rows, key=lambda row: row.document)
    total, still_open = Money.total(row.total for row in ordered), Money.total(row.open for row in ordered)
    lines = [f"{BILLS_FORMAT},{VERSION},{month}", ",".join(BILL_COLUMNS)]
    lines += [
        ",".join(
            map(
                str,
                (
                    row.document,
                    row.kind,
                    row.payer_code,
                    row.month,
                    row.total,
                    row.open,
                    row.due_date or "",
                    row.credit,
                ),
            )
        )
        for row in ordered
    ]
    lines += [f"{TOTALS},{len(ordered)},{total},{still_open}", ""]
    return "\n".join(lines).encode(), len(ordered), total, still_open


def _sum(lines: Sequence[str]) -> tuple[Money, int | None]:
    """The sum of the amounts that can be read, and the first line whose amount cannot."""
    total, unreadable = 0, None
    for number, text in enumerate(lines[HEAD_LINES:], start=HEAD_LINES + 1):
        cells = _cells(text)
        try:
            total += Money.yuan(cells[3]).fen if cells else 0
        except InvalidInput:
            cells = None
        if cells is None and unreadable is None:
            unreadable = number
    return Money(total), unreadable


def _amount(text: str, receipt_no: str) -> Money:
    try:
        amount = Money.yuan(text)
    except InvalidInput:
        is_dressed = _AMOUNT_TEXT.fullmatch(text) and not text.replace(".", "", 1).isdecimal()
        raise RowWrong("AMOUNT_AS_TEXT" if is_dressed else "AMOUNT_INVALID", receipt_no) from None
    if amount <= Money.ZERO:
        raise RowWrong("AMOUNT_INVALID", receipt_no)
    return amount


def _day(text: str) -> date | None:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _repeated(lines: Sequence[str]) -> Iterator[int]:
    """Lines whose number stands in a line before."""
    seen: set[str] = set()
    for number, text in enumerate(lines[HEAD_LINES:], start=HEAD_LINES + 1):
        cells = _cells(text)
        if cells and cells[0] in seen:
            yield number
        if cells:
            seen.add(cells[0])


def _stated(text: str) -> Money | None:
    """A control total; a spreadsheet leaves out the zeros of 16000.00."""
    try:
        return Money.yuan(text)
    except InvalidInput:
        return None


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


def _wrong(cause: str, *, line: int = 0) -> InvalidInput:
    return InvalidInput(
        "FILE_FORMAT_INVALID",
        "the file is not of the documented format",
        field="upload_id",
        cause=cause,
        line=str(line or ""),
    )
