"""Single values: what a JSON value must look like to become a field, and how the four scalar types look going out.

Each reader refuses by raising `Wrong`. Patterns come before parsers: `int()` and `Decimal()` take full-width digits,
underscores and blanks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

from kernel.calendar import Month, parse_date
from kernel.errors import InvalidInput, Violation
from kernel.money import Money
from services.gateway.edge.contract import TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Read = Callable[[Any], Any]

TEXT_MAX = 4096  # characters; as in chassis.wire
FIRST_YEAR = 1800  # hrss.type.v1.Date and Month

# The forbidden characters of chassis.wire and lone surrogates, which no UTF-8 can carry.
FORBIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)
_MONEY = re.compile(r"-?(?:0|[1-9][0-9]{0,12})\.[0-9]{2}", re.ASCII)
_RATE = re.compile(r"-?(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,12})?", re.ASCII)
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z", re.ASCII)

_INT32 = (-(2**31), 2**31 - 1)
_UINT32 = (0, 2**32 - 1)
_INT64 = (-(2**63), 2**63 - 1)
_UINT64 = (0, 2**64 - 1)
_RANGES: Mapping[int, tuple[int, int]] = {
    FieldDescriptor.TYPE_INT32: _INT32,
    FieldDescriptor.TYPE_SINT32: _INT32,
    FieldDescriptor.TYPE_SFIXED32: _INT32,
    FieldDescriptor.TYPE_UINT32: _UINT32,
    FieldDescriptor.TYPE_FIXED32: _UINT32,
    FieldDescriptor.TYPE_INT64: _INT64,
    FieldDescriptor.TYPE_SINT64: _INT64,
    FieldDescriptor.TYPE_SFIXED64: _INT64,
    FieldDescriptor.TYPE_UINT64: _UINT64,
    FieldDescriptor.TYPE_FIXED64: _UINT64,
}
LONG = frozenset(kind for kind, limits in _RANGES.items() if limits in {_INT64, _UINT64})  # strings in JSON


class Wrong(Exception):  # noqa: N818 - a value, not an error of ours
    """A JSON value cannot become the field's value."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason)
        self.reason, self.message = reason, message

    def at(self, path: str) -> Violation:
        """The violation at a JSON pointer."""
        return Violation(path, self.reason, self.message)


def reader(field: FieldDescriptor) -> Read:
    """The function that checks one JSON value and gives what the field takes."""
    if field.message_type is not None:
        return TEXTS[field.message_type.full_name]
    if field.enum_type is not None:
        return _enum_reader(field)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return _boolean
    if field.type == FieldDescriptor.TYPE_STRING:
        return text
    return _integer_reader(*_RANGES[field.type], takes_text=field.type in LONG)


def text(value: Any) -> str:
    """A string without characters that no honest text has."""
    if value.__class__ is not str:
        raise Wrong("WRONG_TYPE", "must be a string")
    if len(value) > TEXT_MAX:
        raise Wrong("TEXT_TOO_LONG", f"a text has at most {TEXT_MAX} characters")
    if not (value.isascii() and value.isprintable()) and FORBIDDEN.search(value):
        raise Wrong("CHARACTER_NOT_ALLOWED", "control and invisible characters are not allowed")
    return str(value)


def fill(message: Any, plain: Any) -> None:
    """Set a scalar message to what its reader gave."""
    message.SetInParent()
    if plain.__class__ is str:
        message.FromJsonString(plain)
        return
    for name, value in plain.items():
        setattr(message, name, value)


def _integer_reader(low: int, high: int, *, takes_text: bool) -> Read:
    def read_integer(value: Any) -> int:
        if takes_text and value.__class__ is str and INTEGER.fullmatch(value):
            value = int(value)
        if value.__class__ is not int:
            raise Wrong("WRONG_TYPE", "must be a whole number")
        if not low <= value <= high:
            raise Wrong("NUMBER_OUT_OF_RANGE", f"must be between {low} and {high}")
        return int(value)

    return read_integer


def _enum_reader(field: FieldDescriptor) -> Read:
    assert field.enum_type is not None
    numbers = {value.name: value.number for value in field.enum_type.values if value.number}
    known = ", ".join(numbers)

    def read_enum(value: Any) -> int:
        number = numbers.get(value) if value.__class__ is str else None
        if number is None:
            raise Wrong("ENUM_UNKNOWN", f"must be one of {known}")
        return number

    return read_enum


def _boolean(value: Any) -> bool:
    if value.__class__ is not bool:
        raise Wrong("WRONG_TYPE", "must be true or false")
    return bool(value)


def _money(value: Any) -> dict[str, int]:
    if value.__class__ is not str or not _MONEY.fullmatch(value) or value == "-0.00":
        raise Wrong("MONEY_MALFORMED", 'an amount is a string of yuan with two decimals, "12.34"')
    return {"fen": Money.yuan(value).fen}


def _rate(value: Any) -> dict[str, str]:
    if value.__class__ is not str or not _RATE.fullmatch(value):
        raise Wrong("RATE_MALFORMED", 'a rate is a decimal as a string, "0.08"')
    return {"decimal": value}


def _date(value: Any) -> dict[str, int]:
    if value.__class__ is not str:
        raise Wrong("DATE_MALFORMED", 'a date is a string, "2025-11-23"')
    try:
        day = parse_date(value)
    except InvalidInput as error:
        raise Wrong(error.reason, error.message) from None
    if day.year < FIRST_YEAR:
        raise Wrong("DATE_IMPOSSIBLE", f"days before {FIRST_YEAR} are not kept")
    return {"year": day.year, "month": day.month, "day": day.day}


def _month(value: Any) -> dict[str, int]:
    if value.__class__ is not str:
        raise Wrong("MONTH_MALFORMED", 'a month is a string, "2025-11"')
    try:
        month = Month.parse(value)
    except InvalidInput as error:
        raise Wrong(error.reason, error.message) from None
    if month.year < FIRST_YEAR:
        raise Wrong("MONTH_IMPOSSIBLE", f"months before {FIRST_YEAR} are not kept")
    return {"year": month.year, "month": month.month}


def _timestamp(value: Any) -> str:
    if value.__class__ is not str or not _TIMESTAMP.fullmatch(value):
        raise Wrong("TIME_MALFORMED", 'an instant is a string in UTC, "2025-11-23T08:00:00Z"')
    try:
        Timestamp().FromJsonString(value)
    except ValueError:
        raise Wrong("TIME_MALFORMED", "there is no such instant") from None
    return str(value)


# Messages that are one string in JSON, with their readers.
TEXTS: Mapping[str, Read] = {
    "hrss.type.v1.Money": _money,
    "hrss.type.v1.Rate": _rate,
    "hrss.type.v1.Date": _date,
    "hrss.type.v1.Month": _month,
    TIMESTAMP: _timestamp,
}


def write_money(message: Any) -> str:
    """Yuan with two decimals: "12.34"."""
    fen: int = message.fen
    return f"{fen // 100}.{fen % 100:02d}" if fen >= 0 else f"-{-fen // 100}.{-fen % 100:02d}"


def write_rate(message: Any) -> str:
    """The decimal as it stands."""
    return str(message.decimal)


def write_date(message: Any) -> str:
    """A day: "2025-11-23"."""
    return f"{message.year:04d}-{message.month:02d}-{message.day:02d}"


def write_month(message: Any) -> str:
    """A month: "2025-11"."""
    return f"{message.year:04d}-{message.month:02d}"


def _write_timestamp(message: Any) -> str:
    return str(message.ToJsonString())


WRITERS: Mapping[str, Callable[[Any], str]] = {
    "hrss.type.v1.Money": write_money,
    "hrss.type.v1.Rate": write_rate,
    "hrss.type.v1.Date": write_date,
    "hrss.type.v1.Month": write_month,
    TIMESTAMP: _write_timestamp,
}
