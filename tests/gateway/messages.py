"""Every public message, random ones of each, and the reference of their JSON: protobuf's mapping and four scalars."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

from services.gateway.edge.contract import SCALARS, TIMESTAMP, messages_of, routes

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message

_INT64 = st.integers(-(2**63), 2**63 - 1)
_INT32 = st.integers(-(2**31), 2**31 - 1)
# JSON alone does not tell such a text from a choice that was not made; `given` leaves both out.
_TEXT = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"], exclude_characters="\u061c"), max_size=12).filter(
    lambda text: not text.endswith("_UNSPECIFIED")
)
_DAYS = st.dates(date(1800, 1, 1), date(9999, 12, 31))


def public_messages() -> dict[str, Any]:
    """All message types that go over the edge, by name."""
    found: dict[str, Any] = {}
    for route in routes():
        for top in (route.request.DESCRIPTOR, route.response.DESCRIPTOR):
            for descriptor in messages_of(top):
                found[descriptor.full_name] = descriptor
    return dict(sorted(found.items()))


@st.composite
def messages(draw: st.DrawFn, descriptor: Any) -> Any:
    """A random message; fields with presence are often absent."""
    message: Any = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if field.is_repeated:
            count = draw(st.integers(0, 2))
            for _ in range(count):
                if field.message_type is not None:
                    getattr(message, field.name).add().CopyFrom(draw(_inner(field.message_type)))
                else:
                    getattr(message, field.name).append(draw(_scalar(field)))
        elif field.message_type is not None:
            if draw(st.booleans()):
                inner = getattr(message, field.name)
                inner.SetInParent()
                inner.CopyFrom(draw(_inner(field.message_type)))
        elif draw(st.booleans()):
            setattr(message, field.name, draw(_scalar(field)))
    return message


def _inner(descriptor: Any) -> st.SearchStrategy[Any]:
    make: Any = GetMessageClass(descriptor)
    special: dict[str, Callable[[], st.SearchStrategy[Any]]] = {
        # Thirteen digits of yuan, as the edge takes them.
        "hrss.type.v1.Money": lambda: st.builds(make, fen=st.integers(-(10**15) + 1, 10**15 - 1)),
        "hrss.type.v1.Rate": lambda: st.builds(
            make, decimal=st.from_regex(r"-?(0|[1-9][0-9]{0,5})(\.[0-9]{1,6})?", fullmatch=True)
        ),
        "hrss.type.v1.Date": lambda: _DAYS.map(lambda day: make(year=day.year, month=day.month, day=day.day)),
        "hrss.type.v1.Month": lambda: _DAYS.map(lambda day: make(year=day.year, month=day.month)),
        TIMESTAMP: lambda: st.builds(make, seconds=st.integers(0, 4 * 10**9), nanos=st.integers(0, 10**9 - 1)),
    }
    return special.get(descriptor.full_name, lambda: messages(descriptor))()


def _scalar(field: Any) -> st.SearchStrategy[Any]:
    if field.enum_type is not None:
        # "Not given" in a list says nothing; the edge refuses it.
        return st.sampled_from([one.number for one in field.enum_type.values if one.number or not field.is_repeated])
    if field.type == FieldDescriptor.TYPE_STRING:
        return _TEXT
    if field.type == FieldDescriptor.TYPE_BOOL:
        return st.booleans()
    return _INT64 if field.type == FieldDescriptor.TYPE_INT64 else _INT32


def reference(message: Message) -> dict[str, Any]:
    """The JSON of a message by protobuf's own mapping, the four types as scalar strings."""
    plain = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return _with_scalars(plain, message.DESCRIPTOR)


def _with_scalars(plain: dict[str, Any], descriptor: Any) -> dict[str, Any]:
    for field in descriptor.fields:
        if field.message_type is None or field.name not in plain:
            continue
        value = plain[field.name]
        one = _scalar_text if field.message_type.full_name in SCALARS else _with_scalars
        if isinstance(value, list):
            plain[field.name] = [one(item, field.message_type) for item in value]
        elif isinstance(value, dict):
            plain[field.name] = one(value, field.message_type)
    return plain


def _scalar_text(value: dict[str, Any], descriptor: Any) -> Any:
    match descriptor.name:
        case "Money":
            yuan, fen = divmod(abs(int(value["fen"])), 100)
            return f"{'-' if int(value['fen']) < 0 else ''}{yuan}.{fen:02d}"
        case "Rate":
            return value["decimal"]
        case "Date":
            return f"{value['year']:04d}-{value['month']:02d}-{value['day']:02d}"
        case _:
            return f"{value['year']:04d}-{value['month']:02d}"


def given(plain: dict[str, Any]) -> dict[str, Any]:
    """What a client would send of this JSON: choices that were not made are left out."""
    return {
        name: given(value) if isinstance(value, dict) else _given_list(value) if isinstance(value, list) else value
        for name, value in plain.items()
        if not (isinstance(value, str) and value.endswith("_UNSPECIFIED") and value.isupper())
    }


def _given_list(values: list[Any]) -> list[Any]:
    return [given(value) if isinstance(value, dict) else value for value in values]
