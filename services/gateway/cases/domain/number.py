"""Case numbers (受理编号): division 6, day 8, channel 1, serial 6 and a check digit by ISO 7064 MOD 11,10.

They are read out on the telephone and typed from paper, so a wrong digit or two that changed places must show.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kernel.errors import InvalidInput

if TYPE_CHECKING:
    from datetime import date

LENGTH = 22
SERIAL_MAX = 999_999
_PARTS = (6, 8, 1, 6, 1)
_DIGITS = re.compile(r"[0-9]{22}", re.ASCII)
_TYPED_MAX = 40  # with hyphens or spaces between digits


def make(region: str, day: date, channel: int, serial: int) -> str:
    """The 22 digits of a number.

    Args:
        region: Division code, 6 digits (GB/T 2260).
        day: Business day of creation.
        channel: One digit.
        serial: 1 to 999999, counted for each region, day and channel.
    """
    if not 1 <= serial <= SERIAL_MAX or not 0 <= channel <= 9:  # noqa: PLR2004 - one digit
        raise ValueError("a case number has no room for this")
    body = f"{region}{day:%Y%m%d}{channel}{serial:06}"
    return body + check_digit(body)


def check_digit(body: str) -> str:
    """The check digit of ISO 7064 MOD 11,10."""
    product = 10
    for digit in body:
        total = (product + int(digit)) % 10 or 10
        product = total * 2 % 11
    return str((11 - product) % 10)


def parse(text: str) -> str:
    """The 22 digits of a number as typed, with or without hyphens.

    Raises:
        InvalidInput: CASE_NUMBER_INVALID: no number of this form, or the check digit does not fit.
    """
    digits = text.replace("-", "").replace(" ", "") if len(text) <= _TYPED_MAX else ""
    if not _DIGITS.fullmatch(digits) or check_digit(digits[:-1]) != digits[-1]:
        raise InvalidInput("CASE_NUMBER_INVALID", "a case number has 22 digits that fit together", field="case_no")
    return digits


def show(digits: str) -> str:
    """A number as people read it: 320602-20251123-1-000017-4."""
    parts, at = [], 0
    for length in _PARTS:
        parts.append(digits[at : at + length])
        at += length
    return "-".join(parts)
