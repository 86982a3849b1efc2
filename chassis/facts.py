"""What an event is: a message type of the contract, read from its descriptor.

An event type is a message with the option `hrss.options.v1.event` and exactly one field, `repeated Fact facts = 1`;
each fact begins with a `FactHeader`. The full name of the type is the NATS subject, the package names the producer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2, message_factory

from chassis import clocks
from hrss.options.v1 import options_pb2

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FileDescriptor
    from google.protobuf.message import Message

HEADER = "hrss.type.v1.FactHeader"


class DeclarationWrong(Exception):  # noqa: N818 - our own mistake, found when a service starts
    """Something declared in the code or the contract cannot work; the text says what to change."""


@dataclass(frozen=True, slots=True)
class EventType:
    """One type of event and how to make and read it."""

    name: str  # full protobuf name = NATS subject
    kind: str  # aggregate kind whose versions its facts count
    producer: str  # the service that says it
    message: type[Any]
    fact: type[Any]

    def key(self, fact: Any) -> str:
        """Whose fact it is, as one text: what shares it must stay in order."""
        return f"{self.kind}/{fact.header.aggregate_id}"


def of_fact(fact: Message) -> EventType:
    """The event type that a fact belongs to.

    Raises:
        DeclarationWrong: The message is no fact of an event.
    """
    return _of_fact(fact.DESCRIPTOR.full_name, fact.DESCRIPTOR)


def of_message(message: type[Any]) -> EventType:
    """The event type of a message class.

    Raises:
        DeclarationWrong: The message is no event.
    """
    return _of_message(message.DESCRIPTOR.full_name, message.DESCRIPTOR)


def day_of(fact: Any) -> date:
    """The business day of a fact; the producer fills it in, and without it the real day is the best there is."""
    day = fact.header.business_date
    try:
        return date(day.year, day.month, day.day)
    except ValueError:
        return clocks.business_day()


def siblings(event_type: EventType) -> frozenset[str]:
    """Names of all event types of the same producer and aggregate kind, that type among them."""
    file = event_type.message.DESCRIPTOR.file
    known = _contract_kinds() | _file_kinds(file)
    package = f"{file.package}."
    return frozenset(name for name, kind in known.items() if kind == event_type.kind and name.startswith(package))


# Descriptors are compared by name: the protobuf runtime may hand out a new wrapper of the same descriptor each time.
_cache_fact: dict[str, EventType] = {}
_cache_message: dict[str, EventType] = {}


def _of_fact(name: str, descriptor: Any) -> EventType:
    if (found := _cache_fact.get(name)) is None:
        container = descriptor.containing_type
        if container is None or descriptor.name != "Fact":
            raise DeclarationWrong(f"{name} is not the Fact of an event message")
        found = _cache_fact[name] = _of_message(container.full_name, container)
    return found


def _of_message(name: str, descriptor: Any) -> EventType:
    if (found := _cache_message.get(name)) is None:
        found = _cache_message[name] = _read(descriptor)
    return found


def _read(descriptor: Descriptor) -> EventType:
    name = descriptor.full_name
    kind = descriptor.GetOptions().Extensions[options_pb2.event].aggregate
    if not kind:
        raise DeclarationWrong(f"{name} has no option (hrss.options.v1.event).aggregate")
    fields = list(descriptor.fields)
    if [field.name for field in fields] != ["facts"] or fields[0].number != 1 or not fields[0].is_repeated:
        raise DeclarationWrong(f"{name} must have exactly one field: repeated Fact facts = 1")
    fact = fields[0].message_type
    header = fact.fields_by_name.get("header") if fact is not None else None
    if fact is None or header is None or header.message_type is None or header.message_type.full_name != HEADER:
        raise DeclarationWrong(f"{name}.Fact must begin with: {HEADER} header = 1")
    parts = descriptor.file.package.split(".")
    if len(parts) != 3 or parts[0] != "hrss":  # noqa: PLR2004 - hrss.<service>.v1
        raise DeclarationWrong(f"{name} must be in a package hrss.<service>.v<n>")
    return EventType(
        name, kind, parts[1], message_factory.GetMessageClass(descriptor), message_factory.GetMessageClass(fact)
    )


@cache
def _contract_kinds() -> dict[str, str]:
    """Every event type of the whole contract and its kind, also of files that this process does not import."""
    data = (resources.files("hrss") / "descriptors.binpb").read_bytes()
    found: dict[str, str] = {}
    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        for message in file.message_type:
            if kind := message.options.Extensions[options_pb2.event].aggregate:
                found[f"{file.package}.{message.name}"] = kind
    return found


def _file_kinds(file: FileDescriptor) -> dict[str, str]:
    """The same of one file that is loaded but no part of the contract, as in tests."""
    return {
        message.full_name: kind
        for message in file.message_types_by_name.values()
        if (kind := message.GetOptions().Extensions[options_pb2.event].aggregate)
    }
