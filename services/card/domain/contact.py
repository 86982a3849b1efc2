"""The telephone number of a holder: what is one, how it is shown, and what may be told to it."""

from __future__ import annotations

import re
from enum import StrEnum
from unicodedata import normalize as normalise

from kernel.errors import InvalidInput

_MOBILE = re.compile(r"1[3-9][0-9]{9}", re.ASCII)
_COUNTRY = re.compile(r"(?:\+|00)86", re.ASCII)
_SHOWN_FIRST, _SHOWN_LAST, _LENGTH = 3, 4, 11
_WRITTEN_MAX = 40


class SetBy(StrEnum):
    """Who gave a number."""

    HOLDER = "HOLDER"
    COUNTER = "COUNTER"


class CodePurpose(StrEnum):
    """What a code is sent for."""

    CONTACT = "CONTACT"  # the number is the holder's
    RESET_PIN = "RESET_PIN"  # one of two proofs of a new PIN


class NoticeWord(StrEnum):
    """What holders are told beside what happens to their card."""

    DEATH_TAKEN_BACK = "DEATH_TAKEN_BACK"  # 死亡登记撤销: the card stays over, another can be asked for
    PHONE_SET = "PHONE_SET"  # 联系电话变更
    PHONE_REMOVED = "PHONE_REMOVED"  # 联系电话删除
    CODE = "CODE"  # 验证码: never a notice, a message alone


def phone(written: str) -> str:
    """A mobile number as it was meant, 11 digits: the country, blanks and hyphens left out, full-width digits as ASCII.

    Raises:
        InvalidInput: PHONE_INVALID.
    """
    plain = normalise("NFKC", written[: _WRITTEN_MAX + 1])
    plain = _COUNTRY.sub("", re.sub(r"[\s-]", "", plain), count=1) if len(plain) <= _WRITTEN_MAX else ""
    if not _MOBILE.fullmatch(plain):
        raise InvalidInput("PHONE_INVALID", "a mobile number has 11 digits and begins with 13 to 19", field="phone")
    return plain


def masked(number: str) -> str:
    """A number as it is shown: 138****8000."""
    return f"{number[:_SHOWN_FIRST]}{'*' * (_LENGTH - _SHOWN_FIRST - _SHOWN_LAST)}{number[-_SHOWN_LAST:]}"
