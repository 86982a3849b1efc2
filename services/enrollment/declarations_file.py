"""The file of a wage declaration (基数申报): its format, and the first two levels of checks (file, row).

Pure; opens nothing. docs/how-to/declare-wages.md describes the format. The third level, whether a row fits the
register, is `operations.persons_declarations`.
"""

from dataclasses import dataclass
from datetime import date

from kernel.calendar import Month
from kernel.money import Money
from services.enrollment import sheet
from services.enrollment.sheet import RowWrong, Sheet

COLUMNS = ("name", "id_no", "from_month", "wage")
COLUMNS_ZH = ("姓名", "公民身份号码", "起始月份", "月工资")
_FORMATS: dict[tuple[str, ...], tuple[str, ...]] = {COLUMNS: COLUMNS, COLUMNS_ZH: COLUMNS}
TEXTS = sheet.TEXTS | {
    "ROW_MALFORMED": ("该行不是 4 列；请检查逗号和引号", "a row has 4 columns; check commas and quotes"),
    "DUPLICATE_ROW": (
        "同一号码同一月份在文件中出现多次，只办理第一次；请核对",
        "number and month stand in the file before; only the first row counts, check both",
    ),
    "ENROLLMENT_ENDED": ("该人已减员；请核对名单", "the enrolment has ended; check the list"),
    "MONTH_NOT_INSURED": (
        "该月早于参保起始月；请改为参保以后的月份",
        "the month lies before the enrolment; use a later one",
    ),
    "MONTH_ALREADY_BILLED": (
        "该月已核定，申报只能从以后的月份起；已核定月份的更正请到窗口办理",
        "the month is billed; declare from a later one, or have billed months corrected at the counter",
    ),
}  # fmt: skip

DeclarationsFile = Sheet


@dataclass(frozen=True, slots=True, repr=False)
class DeclarationRow:
    """A row that passed the second level; shows nothing of the identity it carries."""

    line: int
    name: str
    id_no: str
    from_month: Month
    wage: Money

    def __repr__(self) -> str:
        return f"DeclarationRow({self.line})"


def open_file(data: bytes) -> DeclarationsFile:
    """First level: size, encoding and header; notes which rows declare the same month of a person a second time.

    Raises:
        InvalidInput: FILE_FORMAT_INVALID with its cause: TOO_LARGE, ENCODING, HEADER, TOO_MANY_ROWS.
    """
    return sheet.open_sheet(data, _FORMATS, lambda row: f"{sheet.number_of(row['id_no'])} {row['from_month']}".strip())


def read_row(file: DeclarationsFile, line: int, text: str, *, today: date, allow_test_region: bool) -> DeclarationRow:
    """Second level: one row by itself.

    Raises:
        RowWrong: With the reason.
    """
    row = file.row(line, text)
    identity = sheet.identity(line, row["id_no"], today, allow_test_region=allow_test_region)
    if line in file.repeated:
        raise RowWrong(line, "DUPLICATE_ROW")
    return DeclarationRow(
        line,
        sheet.name(line, row["name"]),
        identity.number,
        sheet.month(line, row["from_month"]),
        sheet.wage(line, row["wage"]),
    )
