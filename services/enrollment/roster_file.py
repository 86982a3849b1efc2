"""The file of an employer's roster (增减员花名册): its format, and the first two levels of checks (file, row).

Pure; opens nothing. docs/how-to/import-roster.md describes the format for those who fill in such files. The third
level, whether a row fits the register, is `operations.roster`. A file without the column `action` enrols everybody.
"""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from kernel.calendar import Month
from kernel.errors import DomainError
from services.enrollment import register, sheet
from services.enrollment.commands import EnrollPerson
from services.enrollment.register import EndReason, Post
from services.enrollment.sheet import BYTES_MAX, ROWS_MAX, RowWrong, Sheet

__all__ = ["BYTES_MAX", "COLUMNS", "ROWS_MAX", "RosterFile", "RosterRow", "RowWrong", "open_file", "read_row"]

COLUMNS = ("name", "id_no", "start_month", "wage", "post")
COLUMNS_ZH = ("姓名", "公民身份号码", "起始月份", "月工资", "岗位")
BOTH_COLUMNS = ("action", "name", "id_no", "month", "wage", "post", "end_reason")
BOTH_COLUMNS_ZH = ("业务", "姓名", "公民身份号码", "月份", "月工资", "岗位", "停保原因")
_FORMATS = {
    COLUMNS: COLUMNS,
    COLUMNS_ZH: COLUMNS,
    BOTH_COLUMNS: BOTH_COLUMNS,
    BOTH_COLUMNS_ZH: BOTH_COLUMNS,
}
_ACTIONS = {"add": "ADD", "增员": "ADD", "end": "END", "减员": "END"}
_POSTS = {
    "": None,
    "production": Post.PRODUCTION,
    "management": Post.MANAGEMENT,
    "生产": Post.PRODUCTION,
    "管理": Post.MANAGEMENT,
}
_REASONS = {
    "resigned": EndReason.RESIGNED,
    "dismissed": EndReason.DISMISSED,
    "contract_expired": EndReason.CONTRACT_EXPIRED,
    "retired": EndReason.RETIRED,
    "died": EndReason.DIED,
    "本人辞职": EndReason.RESIGNED,
    "单位解除": EndReason.DISMISSED,
    "合同期满": EndReason.CONTRACT_EXPIRED,
    "退休": EndReason.RETIRED,
    "死亡": EndReason.DIED,
}
TEXTS = sheet.TEXTS | {
    "ROW_MALFORMED": (
        "该行列数与表头不同；请检查逗号和引号",
        "the row has other columns than the header; check commas and quotes",
    ),
    "ACTION_UNKNOWN": ("业务只能是 add（增员）或 end（减员）", "the action is add or end"),
    "END_REASON_UNKNOWN": (
        "减员须填停保原因：本人辞职、单位解除、合同期满、退休或死亡",
        "an end needs its reason: resigned, dismissed, contract_expired, retired or died",
    ),
    "END_MONTH_INVALID": (
        "停保月份不能早于参保起始月或已核定的月份，也不能晚于本月",
        "the last month lies before the first or a billed one, or in the future",
    ),
    "ENDED_DIFFERENTLY": (
        "该人已由本单位减员，但月份或原因不同；请到窗口更正",
        "the enrolment has ended with another month or reason; have it corrected at the counter",
    ),
    "PERSON_DIED": (
        "该人已登记死亡，不能参保；如有误请到窗口更正",
        "the death of the person is recorded; if wrong, have it corrected at the counter",
    ),
    "ID_NO_REPLACED": (
        "该号码已变更为新号码；请填写现行证件号码",
        "the number was replaced by another; use that of the present document",
    ),
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
    "PERSON_RETIRED": ("该人已享受养老待遇，不能再参保", "the person draws a pension and cannot be enrolled"),
    "ALREADY_ENROLLED": (
        "该人在该月已由其他单位参保；请原单位先办理减员",
        "the person is enrolled with another employer in that month, which has to end it first",
    ),
    "ENROLLED_DIFFERENTLY": (
        "该人已由本单位参保，但起始月份、工资或岗位不同；请改办基数申报或减员",
        "the person is enrolled here with another month, wage or post; declare the wage or end the enrolment",
    ),
}  # fmt: skip

RosterFile = Sheet


@dataclass(frozen=True, slots=True, repr=False)
class EndRow:
    """The end of an employment as a row says it; shows nothing of the identity it carries."""

    name: str
    id_no: str
    month: Month
    reason: EndReason

    def __repr__(self) -> str:
        return f"EndRow(month={self.month})"


@dataclass(frozen=True, slots=True)
class RosterRow:
    """A row that passed the second level: the same command that the counter gives, or the end of an employment."""

    line: int
    command: EnrollPerson | EndRow


def open_file(data: bytes) -> RosterFile:
    """First level: size, encoding and header; notes which rows name somebody a second time for the same action.

    Raises:
        InvalidInput: FILE_FORMAT_INVALID with its cause: TOO_LARGE, ENCODING, HEADER, TOO_MANY_ROWS.
    """
    return sheet.open_sheet(data, _FORMATS, lambda row: _key(row.get("action", "add"), row["id_no"]))


def read_row(
    file: RosterFile, line: int, text: str, *, employer_id: UUID, today: date, allow_test_region: bool
) -> RosterRow:
    """Second level: one row, by the rules of the register that EnrollPerson and EndEnrollment have.

    Raises:
        RowWrong: With the reason.
    """
    row = file.row(line, text)
    action = _ACTIONS.get(row.get("action", "add").lower())
    if action is None:
        raise RowWrong(line, "ACTION_UNKNOWN")
    identity = sheet.identity(line, row["id_no"], today, allow_test_region=allow_test_region)
    if line in file.repeated:
        raise RowWrong(line, "DUPLICATE_ROW")
    name = sheet.name(line, row["name"])
    if action == "END":
        reason = _REASONS.get(row["end_reason"].lower())
        if reason is None:
            raise RowWrong(line, "END_REASON_UNKNOWN")
        return RosterRow(line, EndRow(name, identity.number, sheet.month(line, row["month"]), reason))
    if row["post"].lower() not in _POSTS:
        raise RowWrong(line, "POST_UNKNOWN")
    command = EnrollPerson(
        employer_id=employer_id,
        name=name,
        identity=identity,
        phone="",
        start_month=sheet.month(line, row["month"] if "month" in row else row["start_month"]),
        wage=sheet.wage(line, row["wage"]),
        post=_POSTS[row["post"].lower()],
    )
    assert identity.birth is not None
    assert identity.sex is not None
    try:
        register.check_start_month(command.start_month, today, identity.birth)
        register.track_of(identity.sex, command.post)
    except DomainError as refusal:
        raise RowWrong(line, refusal.reason) from None
    return RosterRow(line, command)


def _key(action: str, number: str) -> str:
    plain = sheet.number_of(number)
    return f"{_ACTIONS.get(action.lower(), '')} {plain}" if plain else ""
