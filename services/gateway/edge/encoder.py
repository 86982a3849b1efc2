"""Messages → JSON: one function per message type, written out as Python source from its descriptor at the start.

The answer equals protobuf's own JSON mapping (`preserving_proto_field_name`, fields without presence always printed,
enums by name, 64-bit integers as strings) with four differences: Money, Rate, Date and Month are scalar strings. A
golden test holds both equal. Written-out source, because attribute access and one dictionary literal are then all that
is left: several times faster than walking the descriptor for every message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from services.gateway.edge.scalars import LONG, WRITERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.descriptor import FieldDescriptor
    from google.protobuf.message import Message

    Encode = Callable[[Any], dict[str, Any]]


class Encoder:
    """Compiled encoders of message types, shared by all routes."""

    def __init__(self) -> None:
        self._compiled: dict[str, Encode] = {}

    def encode(self, message: Message) -> bytes:
        """The message as JSON."""
        return orjson.dumps(self.of(message.DESCRIPTOR)(message))

    def of(self, descriptor: Any) -> Encode:
        """The function that turns messages of this type into plain dictionaries."""
        known = self._compiled.get(descriptor.full_name)
        if known is None:
            names: dict[str, Any] = {}
            source = self._source(descriptor, names)
            exec(compile(source, f"<encoder of {descriptor.full_name}>", "exec"), names)  # noqa: S102 - our own source
            known = self._compiled[descriptor.full_name] = names["encode"]
        return known

    def _source(self, descriptor: Any, names: dict[str, Any]) -> str:
        """Fields that are always there stand in one literal; the others follow where they are set."""
        always: list[str] = []
        later: list[str] = []
        for field in descriptor.fields:
            value = self._expression(field, names)
            if field.has_presence:
                later.append(f'    if m.HasField("{field.name}"): d["{field.name}"] = {value}\n')
            elif later:
                later.append(f'    d["{field.name}"] = {value}\n')
            else:
                always.append(f'"{field.name}": {value}')
        return f"def encode(m):\n    d = {{{', '.join(always)}}}\n{''.join(later)}    return d\n"

    def _expression(self, field: FieldDescriptor, names: dict[str, Any]) -> str:
        value = f"m.{field.name}"
        if not field.is_repeated:
            return self._one(field, value, names)
        inner = self._one(field, "x", names)
        return f"list({value})" if inner == "x" else f"[{inner} for x in {value}]"

    def _one(self, field: FieldDescriptor, value: str, names: dict[str, Any]) -> str:
        if field.message_type is not None:
            name = "e_" + field.message_type.full_name.replace(".", "_")
            names[name] = WRITERS.get(field.message_type.full_name) or self.of(field.message_type)
            return f"{name}({value})"
        if field.enum_type is not None:
            name = "n_" + field.enum_type.full_name.replace(".", "_")
            names[name] = {number: one.name for number, one in field.enum_type.values_by_number.items()}
            # A value that this build does not know goes out as its number, as in protobuf's JSON.
            return f"{name}.get(v := {value}, v)"
        return f"str({value})" if field.type in LONG else value
