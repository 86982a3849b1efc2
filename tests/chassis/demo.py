"""A service that only the tests have: its events, its settings, its small builders.

The event types are made here and not in the contract, because nobody outside may ever subscribe to them.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from chassis import transaction
from chassis.facts import of_message
from chassis.inbox import Consumer, Handler, Many, ignore
from chassis.principal import Principal
from hrss.options.v1 import options_pb2
from hrss.type.v1 import fact_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chassis.database import Database
    from chassis.transaction import Transaction

MIGRATIONS = Path(__file__).parent / "migrations"
TODAY = date(2025, 11, 23)
CLERK = Principal(
    subject="idp|wang",
    client="counter",
    roles=frozenset({"CLERK"}),
    purpose="counter",
    case_no="C-1",
    natural_person="idp|p-wang",
)

_FIELD = descriptor_pb2.FieldDescriptorProto


def _event(file: descriptor_pb2.FileDescriptorProto, name: str, kind: str) -> None:
    message = file.message_type.add(name=name)
    message.options.Extensions[options_pb2.event].aggregate = kind
    own = f".{file.package}.{name}.Fact"
    message.field.add(name="facts", number=1, type=_FIELD.TYPE_MESSAGE, label=_FIELD.LABEL_REPEATED, type_name=own)
    fact = message.nested_type.add(name="Fact")
    header = f".{fact_pb2.FactHeader.DESCRIPTOR.full_name}"
    fact.field.add(name="header", number=1, type=_FIELD.TYPE_MESSAGE, label=_FIELD.LABEL_OPTIONAL, type_name=header)
    fact.field.add(name="value", number=2, type=_FIELD.TYPE_INT64, label=_FIELD.LABEL_OPTIONAL)
    fact.field.add(name="text", number=3, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_OPTIONAL)


def _messages() -> Mapping[str, type[Any]]:
    file = descriptor_pb2.FileDescriptorProto(
        name="tests/chassis/demo.proto",
        package="hrss.enrollment.v1",  # a producer that the broker has a user for
        syntax="proto3",
        dependency=[fact_pb2.DESCRIPTOR.name, options_pb2.DESCRIPTOR.name],
    )
    _event(file, "NoteWritten", "note")
    _event(file, "NoteErased", "note")
    _event(file, "CoinMoved", "coin")
    pool = descriptor_pool.Default()
    pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.{name}"))
        for name in ("NoteWritten", "NoteErased", "CoinMoved")
    }


_made = _messages()
NoteWritten, NoteErased, CoinMoved = _made["NoteWritten"], _made["NoteErased"], _made["CoinMoved"]


def a_fact(message: type[Any], key: str, value: int = 0, *, version: int = 0, text: str = "") -> Any:
    """A fact about `key`; the version is filled in by the transaction unless a test plays the producer."""
    header = fact_pb2.FactHeader(aggregate_id=key, version=version)
    return of_message(message).fact(header=header, value=value, text=text)


def written(key: str, value: int = 0, *, version: int = 0, text: str = "") -> Any:
    """A NoteWritten fact."""
    return a_fact(NoteWritten, key, value, version=version, text=text)


async def run(database: Database, work: Any, **options: Any) -> Any:
    """A transaction of a clerk, today."""
    values: dict[str, Any] = {"principal": CLERK, "today": TODAY, "method": "/demo/Write", "request_id": "r-1"}
    return await transaction.run(database, work, **(values | options))


async def say(database: Database, *facts: Any) -> None:
    """Commit facts."""

    async def work(tx: Transaction) -> None:
        for fact in facts:
            tx.emit(fact)

    await run(database, work)


async def add_stroke(tx: Transaction, fact: Any) -> None:
    """The effect of a fact: one row for each time it took effect, and a sum."""
    header = fact.header
    await tx.execute(
        "INSERT INTO stroke (note, version, value) VALUES ($1, $2, $3)", header.aggregate_id, header.version, fact.value
    )
    await tx.execute(
        "INSERT INTO note (id, total) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET total = note.total + $2",
        header.aggregate_id,
        fact.value,
    )


def a_consumer(
    on_written: Handler | Many = add_stroke, on_erased: Handler | Many = ignore, on_coin: Handler | Many = ignore
) -> Consumer:
    """Somebody who listens to all of it."""
    return Consumer("enrollment", {NoteWritten: on_written, NoteErased: on_erased, CoinMoved: on_coin})
