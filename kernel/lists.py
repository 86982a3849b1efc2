"""Lists that offices deliver as files: their encodings, their cells, and what spreadsheet programs do to numbers.

Pure; opens nothing. Each trap has its own reason, because "the number is wrong" sends people to look for a mistake that
is not in their list. What a list is about is its service's business.
"""

import csv
import re

from kernel.errors import InvalidInput

LINE_MAX = 300  # characters; the longest honest line has about 100
SCIENTIFIC = re.compile(r"[0-9](\.[0-9]+)?E\+?[0-9]{1,2}", re.IGNORECASE | re.ASCII)
ROUNDED = re.compile(r"[1-9][0-9]{14}000", re.ASCII)  # 15 digits are kept, the last three become zeros
# What nobody sees and what makes two equal cells different: control characters, unbreakable and zero-width blanks,
# soft hyphens, marks of direction, byte-order marks in the middle.
HIDDEN = re.compile("[\u0000-\u0008\u000b-\u001f\u007f-\u00a0\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]")
_NOT_ASCII = bytes(range(0x80, 0x100))

# Why a row of any list of people was not taken: what a clerk reads, in Chinese and English, with what to do.
TEXTS = {
    "HIDDEN_CHARACTER": (
        "该行含有看不见的字符；请清除格式后重新输入该行",
        "the row has characters that nobody sees; clear the format and type the row again",
    ),
    "NAME_INVALID": (
        "姓名为空或含有不允许的字符；请按证件填写",
        "the name is empty or has characters that names do not have; copy it from the document",
    ),
    "ID_NO_SCIENTIFIC": (
        "号码被表格软件改成了科学计数法；请把该列设为文本后重新填写",
        "a spreadsheet turned the number into scientific notation; format the column as text and type it again",
    ),
    "ID_NO_ROUNDED": (
        "号码的后三位被表格软件改成了 0；请把该列设为文本后重新填写",
        "a spreadsheet turned the last three digits into zeros; format the column as text and type it again",
    ),
    "ID_NO_INVALID": ("公民身份号码不正确；请核对证件", "the identity number is not valid; check the document"),
    "NAME_MISMATCH": ("姓名与该号码已登记的姓名不一致；请核对后更正", "the registered name differs; check both"),
}


def decoded(data: bytes) -> str:
    """The text of a file: UTF-8, or GB18030 as offices in China deliver it; never a guess.

    Raises:
        InvalidInput: FILE_FORMAT_INVALID with the cause ENCODING: it is neither.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = _gb18030(data)
    if "\0" in text:  # UTF-16, or no text at all
        raise wrong_file("ENCODING")
    return text


def _gb18030(data: bytes) -> str:
    """The encoding of Chinese offices; a file of UTF-8 with one broken byte must not become other people's names."""
    foreign = len(data) - len(data.translate(None, _NOT_ASCII))
    han = sum("\u3400" <= character <= "\u9fff" for character in data.decode("utf-8", "ignore"))
    if 6 * han > foreign:  # three bytes each: half of what is not ASCII is good UTF-8
        raise wrong_file("ENCODING")
    try:
        return data.decode("gb18030")
    except UnicodeDecodeError:
        raise wrong_file("ENCODING") from None


def cells_of(text: str, count: int) -> list[str] | None:
    """The cells of a line, without blanks around them; None when it is no row of so many."""
    if len(text) > LINE_MAX:
        return None
    cells = text.split(",")
    if '"' in text:
        try:
            cells = next(csv.reader([text], strict=True))
        except (csv.Error, StopIteration):
            return None
    return [cell.strip(" \t") for cell in cells] if len(cells) == count else None


def wrong_file(cause: str) -> InvalidInput:
    """The refusal of a whole file, with its cause."""
    return InvalidInput(
        "FILE_FORMAT_INVALID", "the file is not of the documented format", field="upload_id", cause=cause
    )
