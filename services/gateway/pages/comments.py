"""The sentences of the contract: comments of services, RPCs, messages, fields and enum values, by full name.

They travel in `hrss/descriptors.binpb`, which the build writes beside the generated modules.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto

# Field numbers of descriptor.proto, of which the paths of source locations are made.
_FILE_MESSAGE, _FILE_ENUM, _FILE_SERVICE = 4, 5, 6
_MESSAGE_FIELD, _MESSAGE_NESTED, _MESSAGE_ENUM = 2, 3, 4
_ENUM_VALUE = 2
_SERVICE_METHOD = 2

Path = tuple[int, ...]


@lru_cache(maxsize=1)
def load() -> Mapping[str, str]:
    """Comments of the whole contract by full name of what they describe."""
    data = (resources.files("hrss") / "descriptors.binpb").read_bytes()
    return {name: text for file in FileDescriptorSet.FromString(data).file for name, text in _of_file(file) if text}


def _of_file(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    texts = {
        tuple(location.path): " ".join(location.leading_comments.split()) for location in file.source_code_info.location
    }
    for name, path in _names(file):
        yield name, texts.get(path, "")


def _names(file: FileDescriptorProto) -> Iterator[tuple[str, Path]]:
    for index, message in enumerate(file.message_type):
        yield from _of_message(message, file.package, (_FILE_MESSAGE, index))
    for index, enum in enumerate(file.enum_type):
        yield from _of_enum(enum, file.package, (_FILE_ENUM, index))
    for index, service in enumerate(file.service):
        name, path = f"{file.package}.{service.name}", (_FILE_SERVICE, index)
        yield name, path
        for at, method in enumerate(service.method):
            yield f"{name}.{method.name}", (*path, _SERVICE_METHOD, at)


def _of_message(message: DescriptorProto, scope: str, path: Path) -> Iterator[tuple[str, Path]]:
    name = f"{scope}.{message.name}"
    yield name, path
    for index, field in enumerate(message.field):
        yield f"{name}.{field.name}", (*path, _MESSAGE_FIELD, index)
    for index, nested in enumerate(message.nested_type):
        yield from _of_message(nested, name, (*path, _MESSAGE_NESTED, index))
    for index, enum in enumerate(message.enum_type):
        yield from _of_enum(enum, name, (*path, _MESSAGE_ENUM, index))


def _of_enum(enum: EnumDescriptorProto, scope: str, path: Path) -> Iterator[tuple[str, Path]]:
    yield f"{scope}.{enum.name}", path
    for index, value in enumerate(enum.value):
        # As protobuf has it, values are named beside their enum, not inside it.
        yield f"{scope}.{value.name}", (*path, _ENUM_VALUE, index)
