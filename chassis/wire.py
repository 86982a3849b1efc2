"""Reading a request strictly: what the contract does not know or what no honest text contains is refused here.

protobuf itself is generous: it keeps unknown fields and numbers of enums, and takes any character. The checks are
compiled once per message type from its descriptor, so a request pays only for the fields it has.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from kernel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message

    Check = Callable[[Any, str], None]

TEXT_MAX = 4096  # characters; the longest text of the contract is a remark of a page or two

# Control characters, line and paragraph separators, zero-width and direction marks: they forge log lines and make
# different names look alike. Non-characters and private use stay: old imports carry the latter.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")


def parse(kind: type[Message], data: bytes) -> Message:
    """Read a request.

    Raises:
        InvalidInput: MALFORMED_REQUEST, FIELD_UNKNOWN, ENUM_UNKNOWN, TEXT_TOO_LONG or CHARACTER_NOT_ALLOWED.
    """
    try:
        message = kind.FromString(data)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidInput("MALFORMED_REQUEST", "the request is no message of this type") from None
    _check_message(message, "")
    return message


def _check_message(message: Message, path: str) -> None:
    if len(UnknownFieldSet(message)):
        raise InvalidInput("FIELD_UNKNOWN", "the request has a field that the contract does not know", field=path[:-1])
    checks = _checks(message.DESCRIPTOR)
    for field, value in message.ListFields():
        check = checks.get(field.number)
        if check is not None:
            check(value, path + field.name)


@lru_cache(maxsize=4096)
def _checks(descriptor: Descriptor) -> dict[int, Check]:
    found = {field.number: _check(field) for field in descriptor.fields}
    return {number: check for number, check in found.items() if check is not None}


def _check(field: FieldDescriptor) -> Check | None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _of_map(field.message_type)
    one = _of_one(field)
    if one is None or not field.is_repeated:
        return one

    def each(values: Any, path: str) -> None:
        for index, value in enumerate(values):
            one(value, f"{path}[{index}]")

    return each


def _of_one(field: FieldDescriptor) -> Check | None:
    if field.type == FieldDescriptor.TYPE_STRING:
        return _check_text
    if field.enum_type is not None:
        numbers = frozenset(field.enum_type.values_by_number)

        def check_enum(value: int, path: str) -> None:
            if value not in numbers:
                raise InvalidInput("ENUM_UNKNOWN", "the contract does not know this value", field=path)

        return check_enum
    if field.message_type is not None:
        return lambda value, path: _check_message(value, path + ".")
    return None


def _of_map(entry: Descriptor) -> Check | None:
    key, value = _of_one(entry.fields_by_name["key"]), _of_one(entry.fields_by_name["value"])
    if key is None and value is None:
        return None

    def check_map(items: Any, path: str) -> None:
        for name in items:
            if key is not None:
                key(name, path)
            if value is not None:
                value(items[name], f"{path}[]")

    return check_map


def _check_text(text: str, path: str) -> None:
    if len(text) > TEXT_MAX:
        raise InvalidInput("TEXT_TOO_LONG", f"a text has at most {TEXT_MAX} characters", field=path)
    if _FORBIDDEN.search(text):
        raise InvalidInput("CHARACTER_NOT_ALLOWED", "control and invisible characters are not allowed", field=path)
