"""The file of imported history: its format, and the first two levels of checks (file, row). Pure; opens nothing.

docs/how-to/import-history.md describes the format for those who deliver such files. The third level, whether a row fits
the register, is `operations.history`.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from chassis.values import FEN_MAX
from kernel.calendar import Month
from kernel.errors import InvalidInput
from kernel.identity import ResidentIdCheck, check_credit_code, check_resident_id, normalise_name
from kernel.money import Money
from services.enrollment.accounting import FIRST_YEAR, ContributionState
from services.enrollment.domain.contributions import Scheme
from services.enrollment.register import SCHEMES

FORMAT = "#hrss-history,1"
COLUMNS = ("kind", "id_no", "name", "scheme", "month", "base", "state", "employer_code", "year", "balance")
TOTALS = "#totals"
BYTES_MAX = 64 * 1024 * 1024  # decoded it stays in memory while the job runs; larger deliveries come in parts
ROWS_MAX = 1_000_000
AMOUNT_MAX = Money(FEN_MAX)  # what the contract carries: who hears of a larger amount could not read it
LINE_MAX = 500  # characters; the longest honest line has about 150
FIRST_MONTH = Month(1949, 10)  # deemed months of the oldest go back to the first jobs of the state
HEAD_LINES = 2

_YEAR = re.compile(r"[0-9]{4}", re.ASCII)
_STATES = {"paid": ContributionState.PAID, "deemed": ContributionState.DEEMED}

# Why a row was not taken: what a clerk reads, in Chinese and English, with what to do.
TEXTS = {
    "ROW_MALFORMED": ("该行不是 10 列的 CSV；请检查逗号和引号", "a line is CSV of 10 columns; check commas and quotes"),
    "KIND_UNKNOWN": ("行类型只能是 month 或 account", "the kind of a row is month or account"),
    "ID_NO_INVALID": ("公民身份号码不正确；请核对证件", "the identity number is not valid; check the document"),
    "NAME_INVALID": ("姓名为空或含有不允许的字符", "the name is empty or has characters that names do not have"),
    "SCHEME_UNKNOWN": ("险种代码只能是 110、210、410", "the scheme is 110, 210 or 410"),
    "MONTH_INVALID": ("月份应如 2025-01，且不晚于本月", "a month is like 2025-01 and not in the future"),
    "BASE_INVALID": ("缴费基数应为大于 0 的金额（视同缴费可为 0）", "a base is more than 0 (0 for deemed months)"),
    "STATE_UNKNOWN": ("缴费状态只能是 paid 或 deemed", "the state is paid or deemed"),
    "DEEMED_NOT_ALLOWED": ("只有养老保险有视同缴费", "only the pension scheme has deemed months"),
    "EMPLOYER_CODE_INVALID": ("单位统一社会信用代码不正确；不详时留空", "not valid; leave it empty if unknown"),
    "YEAR_INVALID": ("年度应在 1996 年之后且已结束", "a year is 1996 or later and over"),
    "BALANCE_INVALID": ("余额应为不小于 0 的金额", "a balance is an amount of 0 or more"),
    "COLUMN_NOT_EMPTY": ("该类行的其他列应留空", "the other columns of this kind of row stay empty"),
    "PERSON_TWICE": (
        "同一人以两个号码出现在文件中；请合并为一个号码后重新导入",
        "one person stands in the file under two numbers; deliver the rows under one of them",
    ),
    "NAME_MISMATCH": ("姓名与该号码已登记的姓名不一致；请核对后更正", "the registered name differs; check both"),
    "PERSON_RETIRED": ("该人已享受养老待遇，历史数据不能再迁入", "the person draws a pension; history is closed"),
    "MONTH_INSURED_HERE": ("该月已在本平台参保，以本平台记录为准", "the month is insured here, and that record counts"),
    "CONTRIBUTION_DIFFERS": ("该月该险种已有不同记录；请核对两处来源", "the month is recorded otherwise; compare both"),
    "ACCOUNT_ALREADY_IMPORTED": ("个人账户余额已迁入且不同；请核对", "another balance was brought in before; check it"),
    "ACCOUNT_IN_USE": ("该年度个人账户已在本平台记账，不能再迁入余额", "the account has bookings of that year here"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class HistoryFile:
    """A file that passed the first level: its lines, and the place of the rows among them."""

    lines: Sequence[str]
    row_count: int

    def rows(self, first: int, last: int) -> Iterator[tuple[int, str]]:
        """Lines of the file from one to another, both included, counted from 1."""
        return ((number, self.lines[number - 1]) for number in range(first, last + 1))

    def ranges(self, size: int) -> Iterator[tuple[int, int]]:
        """First and last line of each part of so many rows."""
        end = HEAD_LINES + self.row_count
        return ((first, min(first + size - 1, end)) for first in range(HEAD_LINES + 1, end + 1, size))


@dataclass(frozen=True, slots=True)
class MonthRow:
    """A month of contributions of the years before."""

    line: int
    identity: ResidentIdCheck
    name: str = field(repr=False)
    scheme: Scheme
    month: Month
    base: Money
    state: ContributionState
    employer_code: str


@dataclass(frozen=True, slots=True)
class AccountRow:
    """The balance of a personal account at the end of a year before."""

    line: int
    identity: ResidentIdCheck
    name: str = field(repr=False)
    year: int
    balance: Money


class RowWrong(Exception):  # noqa: N818 - a verdict on a row, not an error of ours
    """A row that is not taken; carries its line and the key of TEXTS."""

    def __init__(self, line: int, code: str) -> None:
        super().__init__(code)
        self.line = line
        self.code = code


def open_file(data: bytes) -> HistoryFile:
    """First level: encoding, header, and control totals that agree with the rows.

    Raises:
        InvalidInput: FILE_FORMAT_INVALID with its cause: TOO_LARGE, ENCODING, HEADER, COLUMNS, TOTALS_MISSING,
            TOO_MANY_ROWS, TOTALS_MALFORMED, TOTALS_ROWS, TOTALS_BASES, TOTALS_BALANCES.
    """
    if len(data) > BYTES_MAX:
        raise wrong_file("TOO_LARGE")
    lines = [line.removesuffix("\r") for line in _decode(data).split("\n")]
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines or lines[0].strip() != FORMAT:
        raise wrong_file("HEADER")
    if len(lines) < HEAD_LINES or tuple(lines[1].strip().split(",")) != COLUMNS:
        raise wrong_file("COLUMNS")
    if len(lines) == HEAD_LINES or not lines[-1].startswith(TOTALS):
        raise wrong_file("TOTALS_MISSING")
    file = HistoryFile(lines, len(lines) - HEAD_LINES - 1)
    if file.row_count > ROWS_MAX:
        raise wrong_file("TOO_MANY_ROWS")
    _check_totals(file, lines[-1])
    return file


def read_row(line: int, text: str, *, today: date, allow_test_region: bool) -> MonthRow | AccountRow:
    """Second level: one row.

    Raises:
        RowWrong: With the reason.
    """
    cells = _cells(text)
    if cells is None:
        raise RowWrong(line, "ROW_MALFORMED")
    row = dict(zip(COLUMNS, cells, strict=True))
    if row["kind"] not in {"month", "account"}:
        raise RowWrong(line, "KIND_UNKNOWN")
    identity = check_resident_id(row["id_no"], today, allow_test_region=allow_test_region)
    if not identity.valid:
        raise RowWrong(line, "ID_NO_INVALID")
    try:
        name = normalise_name(row["name"])
    except InvalidInput:
        raise RowWrong(line, "NAME_INVALID") from None
    if row["kind"] == "account":
        return _account(line, row, identity, name, today)
    return _month(line, row, identity, name, today)


def source_of(digest: str, line: int, system: str) -> str:
    """What every imported row keeps of its origin."""
    return f"import:{digest[:8]}:{line}:{system}"


def _month(line: int, row: dict[str, str], identity: ResidentIdCheck, name: str, today: date) -> MonthRow:
    if row["year"] or row["balance"]:
        raise RowWrong(line, "COLUMN_NOT_EMPTY")
    code = row["scheme"]
    scheme = SCHEMES.get(int(code)) if code in {"110", "210", "410"} else None
    if scheme is None:
        raise RowWrong(line, "SCHEME_UNKNOWN")
    try:
        month = Month.parse(row["month"])
    except InvalidInput:
        raise RowWrong(line, "MONTH_INVALID") from None
    if not FIRST_MONTH <= month <= Month.of(today):
        raise RowWrong(line, "MONTH_INVALID")
    state = _STATES.get(row["state"])
    if state is None:
        raise RowWrong(line, "STATE_UNKNOWN")
    if state is ContributionState.DEEMED and scheme is not Scheme.EMPLOYEE_PENSION:
        raise RowWrong(line, "DEEMED_NOT_ALLOWED")
    base = amount_of(row["base"])
    if base is None or not Money.ZERO <= base <= AMOUNT_MAX or (base == Money.ZERO and state is ContributionState.PAID):
        raise RowWrong(line, "BASE_INVALID")
    employer = check_credit_code(row["employer_code"]) if row["employer_code"] else None
    if employer is not None and not employer.valid:
        raise RowWrong(line, "EMPLOYER_CODE_INVALID")
    return MonthRow(line, identity, name, scheme, month, base, state, employer.code if employer else "")


def _account(line: int, row: dict[str, str], identity: ResidentIdCheck, name: str, today: date) -> AccountRow:
    if any(row[column] for column in ("scheme", "month", "base", "state", "employer_code")):
        raise RowWrong(line, "COLUMN_NOT_EMPTY")
    text = row["year"]
    if not (_YEAR.fullmatch(text) and FIRST_YEAR <= int(text) < today.year):
        raise RowWrong(line, "YEAR_INVALID")
    balance = amount_of(row["balance"])
    if balance is None or not Money.ZERO <= balance <= AMOUNT_MAX:
        raise RowWrong(line, "BALANCE_INVALID")
    return AccountRow(line, identity, name, int(text), balance)


def _check_totals(file: HistoryFile, trailer: str) -> None:
    """Rows, bases and balances as the sender counted them; an amount that cannot be read counts as nothing."""
    cells = trailer.strip().split(",")
    if len(cells) != 4 or not (cells[1].isascii() and cells[1].isdigit()):  # noqa: PLR2004 - mark, rows, two sums
        raise wrong_file("TOTALS_MALFORMED")
    bases, balances = amount_of(cells[2]), amount_of(cells[3])
    if bases is None or balances is None:
        raise wrong_file("TOTALS_MALFORMED")
    if int(cells[1][:9]) != file.row_count:
        raise wrong_file("TOTALS_ROWS")
    base_fen = balance_fen = 0
    base_at, balance_at = COLUMNS.index("base"), COLUMNS.index("balance")
    for _, text in file.rows(HEAD_LINES + 1, HEAD_LINES + file.row_count):
        row = _cells(text)
        if row is not None:
            base_fen += _fen(row[base_at])
            balance_fen += _fen(row[balance_at])
    if base_fen != bases.fen:
        raise wrong_file("TOTALS_BASES")
    if balance_fen != balances.fen:
        raise wrong_file("TOTALS_BALANCES")


def _decode(data: bytes) -> str:
    """UTF-8 with or without its mark, else GB18030."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:  # UTF-16, or no text at all
            break
        return text
    raise wrong_file("ENCODING")


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
    return [cell.strip() for cell in cells] if len(cells) == len(COLUMNS) else None


def amount_of(text: str) -> Money | None:
    """An amount of yuan; None when it is none."""
    try:
        return Money.yuan(text)
    except InvalidInput:
        return None


def _fen(text: str) -> int:
    amount = amount_of(text) if text else None
    return amount.fen if amount else 0


def wrong_file(cause: str) -> InvalidInput:
    """A file that is refused whole, with its cause."""
    return InvalidInput(
        "FILE_FORMAT_INVALID", "the file is not of the documented format", field="upload_id", cause=cause
    )
