"""JSON → messages: strict, and with every mistake at once.

A table of setters per message type is compiled from its descriptor when the gateway starts. A setter either sets the
field or notes a violation with a JSON pointer; a body with three mistakes is answered with three. What protobuf's own
parser lets through (a bool for an int, an enum by number, `1e3`, a name twice, invisible characters) is refused. What
it writes is read back, except an enum's zero value, which means "not given" and is therefore left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson
from google.protobuf.descriptor import FieldDescriptor

from kernel.errors import InvalidInput, Violation
from services.gateway.edge.scalars import FORBIDDEN, INTEGER, TEXTS, Wrong, fill, reader, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.protobuf.message import Message

    Setter = Callable[[Any, Any, str, "Notes"], None]

ITEMS_MAX = 1000  # elements of an array; more rows go up as a file
VIOLATIONS_MAX = 20  # a person mends the first ones first, and a hostile body gets no long answer
_NAME_SHOWN_MAX = 64  # characters of an unknown name in a pointer

# All strings of a JSON text in order, each with the colon that makes it a name. Possessive: no text makes it slow.
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"(\s*+:)?', re.DOTALL)


class Notes:
    """What was noticed while one request was read."""

    __slots__ = ("names", "violations")

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self.names = 0  # how many names the objects had: fewer than the text has means that one stood twice

    def add(self, path: str, reason: str, message: str) -> None:
        """Note a wrong field."""
        self.violations.append(Violation(path, reason, message))

    @property
    def is_full(self) -> bool:
        """Whether more would help nobody."""
        return len(self.violations) >= VIOLATIONS_MAX

    def refuse(self) -> None:
        """Raise what was noted: under the reason that all share, or INVALID_INPUT."""
        if self.violations:
            reasons = {violation.reason for violation in self.violations}
            reason = reasons.pop() if len(reasons) == 1 else "INVALID_INPUT"
            raise InvalidInput(reason, "fields of the request are wrong", violations=self.violations[:VIOLATIONS_MAX])


class Table:
    """The setters of one message type, by both spellings of each field."""

    __slots__ = ("plain_of", "setters")

    def __init__(self) -> None:
        self.setters: dict[str, Setter] = {}
        self.plain_of: dict[str, str] = {}  # camelCase → snake_case, where they differ

    def set_all(self, message: Any, data: Mapping[str, Any], path: str, notes: Notes) -> None:
        """Set the fields that an object names."""
        notes.names += len(data)
        for name, value in data.items():
            setter = self.setters.get(name)
            if setter is None:
                notes.add(f"{path}/{token(name)}", "UNKNOWN_FIELD", "the request has no such field")
                if notes.is_full:
                    return
            elif value is not None:
                if name in self.plain_of and self.plain_of[name] in data:
                    notes.add(f"{path}/{name}", "DUPLICATE_KEY", "the field stands twice, in both spellings")
                else:
                    setter(message, value, f"{path}/{name}", notes)


class Decoder:
    """Compiled setter tables of message types, shared by all routes."""

    def __init__(self) -> None:
        self._tables: dict[str, Table] = {}

    def read(self, message: Message, body: bytes, closed: frozenset[str] = frozenset()) -> None:
        """Set the fields of a request from its JSON body; `closed` names fields that the body may not set.

        Raises:
            InvalidInput: BODY_REQUIRED, MALFORMED_JSON, BODY_NOT_OBJECT, DUPLICATE_KEY; with violations: UNKNOWN_FIELD,
                WRONG_TYPE and so on, under INVALID_INPUT when their reasons differ.
        """
        data = parse(body)
        notes = Notes()
        for name in closed.intersection(data):
            notes.add(f"/{name}", "UNKNOWN_FIELD", "the request has no such field")
            del data[name]
            notes.names += 1
        self.table(message.DESCRIPTOR).set_all(message, data, "", notes)
        notes.refuse()
        if notes.names != sum(map(bool, _STRINGS.findall(body))):
            raise InvalidInput("DUPLICATE_KEY", "a name stands twice in one object")

    def set_text(self, message: Message, name: str, value: str, notes: Notes) -> None:
        """Set one scalar field from the text of a path or query."""
        field = message.DESCRIPTOR.fields_by_name[name]
        plain: Any = value
        if field.message_type is None and field.enum_type is None and field.type != FieldDescriptor.TYPE_STRING:
            if field.type == FieldDescriptor.TYPE_BOOL:
                plain = {"true": True, "false": False}.get(value, value)
            elif INTEGER.fullmatch(value):
                plain = int(value)
        self.table(message.DESCRIPTOR).setters[name](message, plain, f"/{name}", notes)

    def table(self, descriptor: Any) -> Table:
        """The setters of a message type."""
        known = self._tables.get(descriptor.full_name)
        if known is None:
            known = self._tables[descriptor.full_name] = Table()
            for field in descriptor.fields:
                known.setters[field.name] = known.setters[field.json_name] = self._setter(field)
                if field.json_name != field.name:
                    known.plain_of[field.json_name] = field.name
        return known

    def _setter(self, field: FieldDescriptor) -> Setter:
        inner = field.message_type
        table = self.table(inner) if inner is not None and inner.full_name not in TEXTS else None
        if field.is_repeated:
            return _objects_setter(field.name, table) if table else _values_setter(field)
        return _object_setter(field.name, table) if table else _value_setter(field)


def parse(body: bytes) -> dict[str, Any]:
    """Read a body as one JSON object in UTF-8.

    Raises:
        InvalidInput: BODY_REQUIRED, MALFORMED_JSON, BODY_NOT_OBJECT.
    """
    if not body.strip():
        raise InvalidInput("BODY_REQUIRED", "the request needs a body, at least {}")
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise InvalidInput("MALFORMED_JSON", "the body is no JSON in UTF-8 without a byte order mark") from None
    if not isinstance(data, dict):
        raise InvalidInput("BODY_NOT_OBJECT", "the body must be one JSON object")
    return data


def token(name: str) -> str:
    """A name as a token of a JSON pointer, short and without characters that could forge anything."""
    return FORBIDDEN.sub("?", name[:_NAME_SHOWN_MAX]).replace("~", "~0").replace("/", "~1")


def _value_setter(field: FieldDescriptor) -> Setter:
    name, is_message = field.name, field.message_type is not None
    read = reader(field)

    def set_value(message: Any, value: Any, path: str, notes: Notes) -> None:
        try:
            plain = read(value)
        except Wrong as wrong:
            notes.violations.append(wrong.at(path))
            return
        if is_message:
            fill(getattr(message, name), plain)
        else:
            setattr(message, name, plain)

    return set_value


def _object_setter(name: str, table: Table) -> Setter:
    def set_object(message: Any, value: Any, path: str, notes: Notes) -> None:
        if value.__class__ is not dict:
            notes.add(path, "WRONG_TYPE", "must be an object")
            return
        below = getattr(message, name)
        below.SetInParent()
        table.set_all(below, value, path, notes)

    return set_object


def _values_setter(field: FieldDescriptor) -> Setter:
    name, is_message = field.name, field.message_type is not None
    read = reader(field)

    def set_values(message: Any, value: Any, path: str, notes: Notes) -> None:
        if not _is_array(value, path, notes):
            return
        items = getattr(message, name)
        for index, one in enumerate(value):
            try:
                plain = read(one)
            except Wrong as wrong:
                notes.violations.append(wrong.at(f"{path}/{index}"))
                if notes.is_full:
                    return
                continue
            if is_message:
                fill(items.add(), plain)
            else:
                items.append(plain)

    return set_values


def _objects_setter(name: str, table: Table) -> Setter:
    def set_objects(message: Any, value: Any, path: str, notes: Notes) -> None:
        if not _is_array(value, path, notes):
            return
        items = getattr(message, name)
        for index, one in enumerate(value):
            if one.__class__ is dict:
                table.set_all(items.add(), one, f"{path}/{index}", notes)
            else:
                notes.add(f"{path}/{index}", "WRONG_TYPE", "must be an object")
            if notes.is_full:
                return

    return set_objects


def _is_array(value: Any, path: str, notes: Notes) -> bool:
    if value.__class__ is not list:
        notes.add(path, "WRONG_TYPE", "must be an array")
        return False
    if len(value) > ITEMS_MAX:
        notes.add(path, "TOO_MANY_ITEMS", f"an array has at most {ITEMS_MAX} elements")
        return False
    return True


__all__ = ["Decoder", "Notes", "parse", "text", "token"]
