"""The files of the paying bank: payments out (代发文件) and answers in (回盘文件). Pure; opens no seal.

docs/how-to/bank-files.md describes both for those who exchange them. `BankAdapter` is what a form of files can do;
`Plain` is the documented one, and a bank with another form gets an adapter of its own in `ADAPTERS`.

An answer is checked on three levels: the file (head, payroll, control sums) and its rows here, and whether a row fits
what was sent in `operations.paying_returns`.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol
from uuid import UUID

from kernel import ids
from kernel.calendar import Month
from kernel.errors import InvalidInput
from kernel.money import Money
from services.benefits.lifecycle import Answer

PAYMENTS, RETURNS, VERSION, TOTALS = "#hrss-payments", "#hrss-returns", "1", "#totals"
COLUMNS = ("payment_id", "name", "account", "amount")
RETURN_COLUMNS = ("payment_id", "amount", "outcome", "reference", "reason")
KINDS = ("real", "simulated")
BYTES_MAX = 60 * 1024 * 1024
ROWS_MAX = 500_000
HEAD_LINES = 2
LINE_MAX = 300
_OUTCOMES = {"CONFIRMED": Answer.CONFIRM, "RETURNED": Answer.RETURN}
_REFERENCE = re.compile(r"[0-9A-Za-z._:/-]{4,64}", re.ASCII)
_REASON = re.compile(r"[A-Z0-9_]{1,40}", re.ASCII)

# Why a row of an answer is not booked: what people read, with what to do.
TEXTS: Mapping[str, tuple[str, str]] = MappingProxyType({
    "ROW_MALFORMED": ("该行不是 5 列的 CSV；请检查逗号和引号", "a line is CSV of 5 columns; check commas and quotes"),
    "PAYMENT_ID_INVALID": ("支付编号应为 pmt_ 加 32 位", "a payment is named by pmt_ and 32 digits"),
    "AMOUNT_INVALID": ("金额应如 1234.56", "an amount is like 1234.56"),
    "OUTCOME_INVALID": ("结果应为 CONFIRMED 或 RETURNED", "the outcome is CONFIRMED or RETURNED"),
    "REFERENCE_INVALID": ("银行流水号应为 4 至 64 位字母数字", "a reference has 4 to 64 letters and digits"),
    "REASON_INVALID": ("退票应有大写代码的原因，成功不应有", "what came back has a code in capitals, a success none"),
    "DUPLICATE_ROW": ("同一支付在文件中重复，只处理第一次", "in the file before; only its first row counts"),
    "PAYMENT_UNKNOWN": ("没有这笔支付", "there is no such payment"),
    "OTHER_PAYROLL": ("这笔支付属于另一发放批次", "the payment belongs to another payroll"),
    "AMOUNT_DIFFERS": ("金额与发出的支付不一致；请与银行核对", "the amount is not what was sent; ask the bank"),
    "NOT_SENT": ("这笔支付已在发放前撤下", "the payment was withdrawn before it was sent"),
    "ANSWERED_OTHERWISE": ("此前已有不同的回盘结果；请与银行核对", "answered before and otherwise; ask the bank"),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Head:
    """Which payroll a file is of."""

    payroll_id: UUID
    month: Month
    sequence: int


@dataclass(frozen=True, slots=True)
class Order:
    """A payment for the bank; personal data, so it is not printed."""

    payment_id: UUID
    name: str
    account: str
    amount: Money

    def __repr__(self) -> str:
        return "Order(…)"


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """What the bank says of a payment."""

    line: int
    payment_id: UUID
    amount: Money
    answer: Answer
    reference: str
    reason: str


class RowWrong(Exception):  # noqa: N818 - a verdict on a row, not an error of ours
    """A row that is refused; carries the key of TEXTS."""

    def __init__(self, code: str, payment_id: UUID | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.payment_id = payment_id


@dataclass(frozen=True, slots=True)
class ReturnsFile:
    """An answer that passed the first level."""

    head: Head
    simulated: bool
    lines: Sequence[str]
    row_count: int

    def ranges(self, size: int) -> Iterator[tuple[int, int]]:
        """First and last line of each part of so many rows."""
        end = HEAD_LINES + self.row_count
        return ((first, min(first + size - 1, end)) for first in range(HEAD_LINES + 1, end + 1, size))


class BankAdapter(Protocol):
    """A form of files that a bank takes and gives."""

    def head(self, head: Head, count: int, total: Money, digest: bytes) -> str:
        """What stands before the payments; the digest is the one that two persons approved."""

    def rows(self, orders: Iterable[Order]) -> str:
        """Payments, one after the other."""

    def tail(self, count: int, total: Money) -> str:
        """What stands after them, with the control sums."""


class Plain:
    """The documented form: CSV in UTF-8, LF, amounts in yuan with two decimals."""

    def head(self, head: Head, count: int, total: Money, digest: bytes) -> str:
        """Two lines: which payroll, with control sums and digest, and the names of the columns."""
        cells = (PAYMENTS, VERSION, ids.to_text("prl", head.payroll_id), head.month, head.sequence, count, total)
        return f"{','.join(map(str, cells))},{digest.hex()}\n{','.join(COLUMNS)}\n"

    def rows(self, orders: Iterable[Order]) -> str:
        """A line each."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerows((ids.to_text("pmt", one.payment_id), one.name, one.account, one.amount) for one in orders)
        return out.getvalue()

    def tail(self, count: int, total: Money) -> str:
        """One line with the same control sums."""
        return f"{TOTALS},{count},{total}\n"


PLAIN = "plain"
ADAPTERS: Mapping[str, BankAdapter] = MappingProxyType({PLAIN: Plain()})


def open_returns(data: bytes) -> ReturnsFile:
    """First level: size, encoding, head, and the control sums over all rows.

    Raises:
        InvalidInput: FILE_FORMAT_INVALID with its cause: TOO_LARGE, ENCODING, HEADER, TOO_MANY_ROWS, TOTALS or
            TOTALS_DIFFER. Nothing is booked then.
    """
    if len(data) > BYTES_MAX:
        raise _wrong("TOO_LARGE")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _wrong("ENCODING") from None
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1].strip():
        lines.pop()
    head = lines[0].split(",") if lines else []
    if len(lines) <= HEAD_LINES or len(head) != 6 or head[:2] != [RETURNS, VERSION] or head[5] not in KINDS:  # noqa: PLR2004 - name, version, payroll, month, sequence, kind
        raise _wrong("HEADER")
    if tuple(lines[1].split(",")) != RETURN_COLUMNS:
        raise _wrong("HEADER")
    try:
        read = Head(ids.parse("prl", head[2]), Month.parse(head[3]), int(head[4]))
    except (InvalidInput, ValueError):
        raise _wrong("HEADER") from None
    trailer = lines.pop().split(",")
    if trailer[0] != TOTALS or len(trailer) != 4:  # noqa: PLR2004 - word, rows, confirmed, returned
        raise _wrong("TOTALS")
    rows = len(lines) - HEAD_LINES
    if rows > ROWS_MAX:
        raise _wrong("TOO_MANY_ROWS")
    if trailer[1:] != [str(rows), *(str(one) for one in _sums(lines))]:
        raise _wrong("TOTALS_DIFFER")
    return ReturnsFile(read, head[5] == "simulated", lines, rows)


def read_row(file: ReturnsFile, line: int) -> AnswerRow:
    """Second level: one row.

    Raises:
        RowWrong: With the reason.
    """
    cells = file.lines[line - 1].split(",")
    if len(cells) != len(RETURN_COLUMNS) or len(file.lines[line - 1]) > LINE_MAX:
        raise RowWrong("ROW_MALFORMED")
    payment, amount, outcome, reference, reason = (cell.strip(" \t") for cell in cells)
    try:
        payment_id = ids.parse("pmt", payment)
    except InvalidInput:
        raise RowWrong("PAYMENT_ID_INVALID") from None
    try:
        fen = Money.yuan(amount)
    except InvalidInput:
        raise RowWrong("AMOUNT_INVALID", payment_id) from None
    if outcome not in _OUTCOMES:
        raise RowWrong("OUTCOME_INVALID", payment_id)
    if not _REFERENCE.fullmatch(reference):
        raise RowWrong("REFERENCE_INVALID", payment_id)
    answer = _OUTCOMES[outcome]
    if bool(_REASON.fullmatch(reason)) != (answer is Answer.RETURN) or (reason and answer is Answer.CONFIRM):
        raise RowWrong("REASON_INVALID", payment_id)
    return AnswerRow(line, payment_id, fen, answer, reference, reason)


def _sums(lines: Sequence[str]) -> tuple[Money, Money]:
    """Confirmed and returned, over the rows whose amount can be read; the bank's own sums fit only when all can."""
    sums = dict.fromkeys(_OUTCOMES, 0)
    for text in lines[HEAD_LINES:]:
        cells = [cell.strip(" \t") for cell in text.split(",")]
        if len(cells) == len(RETURN_COLUMNS) and cells[2] in sums:
            try:
                sums[cells[2]] += Money.yuan(cells[1]).fen
            except InvalidInput:
                continue
    return Money(sums["CONFIRMED"]), Money(sums["RETURNED"])


def _wrong(cause: str) -> InvalidInput:
    return InvalidInput(
        "FILE_FORMAT_INVALID", "the file is not of the documented format", field="upload_id", cause=cause, line=""
    )
