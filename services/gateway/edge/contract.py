"""The public routes as the contract declares them: every RPC with a `google.api.http` annotation, read once at start.

A public message that the edge cannot carry faithfully (a float, a map, bytes, a 64-bit integer) stops the start with
the name of the field.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.api import annotations_pb2  # type: ignore[import-untyped] # the package has no stubs
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor

from chassis.access import AccessRule, rule_of
from hrss.benefits.v1 import (
    adjusting_service_pb2,
    benefits_service_pb2,
    determinations_service_pb2,
    keeping_service_pb2,
    office_service_pb2,
    paying_service_pb2,
    upkeep_service_pb2,
)
from hrss.card.v1 import (
    batches_service_pb2,
    card_service_pb2,
    codes_service_pb2,
    contacts_service_pb2,
    counter_service_pb2,
    family_service_pb2,
    keys_service_pb2,
)
from hrss.enrollment.v1 import (
    city_service_pb2,
    collection_service_pb2,
    cover_service_pb2,
    enrollment_service_pb2,
    moving_service_pb2,
    persons_service_pb2,
    support_service_pb2,
)
from hrss.gateway.v1 import (
    cases_service_pb2,
    gateway_service_pb2,
    items_service_pb2,
    platform_service_pb2,
)
from hrss.options.v1 import options_pb2
from hrss.training.v1 import training_service_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
    from google.protobuf.message import Message

# The public contract; a new service adds its file here.
FILES: tuple[FileDescriptor, ...] = (
    gateway_service_pb2.DESCRIPTOR,
    platform_service_pb2.DESCRIPTOR,
    items_service_pb2.DESCRIPTOR,
    cases_service_pb2.DESCRIPTOR,
    enrollment_service_pb2.DESCRIPTOR,
    persons_service_pb2.DESCRIPTOR,
    city_service_pb2.DESCRIPTOR,
    moving_service_pb2.DESCRIPTOR,
    cover_service_pb2.DESCRIPTOR,
    collection_service_pb2.DESCRIPTOR,
    support_service_pb2.DESCRIPTOR,
    benefits_service_pb2.DESCRIPTOR,
    upkeep_service_pb2.DESCRIPTOR,
    determinations_service_pb2.DESCRIPTOR,
    keeping_service_pb2.DESCRIPTOR,
    adjusting_service_pb2.DESCRIPTOR,
    paying_service_pb2.DESCRIPTOR,
    office_service_pb2.DESCRIPTOR,
    training_service_pb2.DESCRIPTOR,
    card_service_pb2.DESCRIPTOR,
    codes_service_pb2.DESCRIPTOR,
    family_service_pb2.DESCRIPTOR,
    contacts_service_pb2.DESCRIPTOR,
    counter_service_pb2.DESCRIPTOR,
    keys_service_pb2.DESCRIPTOR,
    batches_service_pb2.DESCRIPTOR,
)

REQUEST_ID = "request_id"  # set by the edge alone; a client's JSON that names it names an unknown field
OWN_SERVICE = "gateway"  # answered in this process
SCALARS = frozenset({"hrss.type.v1.Money", "hrss.type.v1.Rate", "hrss.type.v1.Date", "hrss.type.v1.Month"})
TIMESTAMP = "google.protobuf.Timestamp"
_DEPTH_MAX = 16  # messages inside messages; a body that nests deeper names a field that does not exist

_TEMPLATE = re.compile(r"(/v1(?:/[a-z0-9-]+|/\{[a-z_]+\})+)(?::([a-z][a-z-]*))?", re.ASCII)
_RATE_CLASSES = {
    options_pb2.RATE_CLASS_UNSPECIFIED: "READ",
    options_pb2.RATE_CLASS_WRITE: "WRITE",
    options_pb2.RATE_CLASS_HEAVY: "HEAVY",
    options_pb2.RATE_CLASS_PUBLIC: "PUBLIC",
}
_UNSUPPORTED = {
    FieldDescriptor.TYPE_DOUBLE: "double",
    FieldDescriptor.TYPE_FLOAT: "float",
    FieldDescriptor.TYPE_GROUP: "group",
    FieldDescriptor.TYPE_BYTES: "bytes",
    # JSON would carry them as strings, which surprises everybody who counts.
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_UINT64: "uint64",
    FieldDescriptor.TYPE_SINT64: "sint64",
    FieldDescriptor.TYPE_FIXED64: "fixed64",
    FieldDescriptor.TYPE_SFIXED64: "sfixed64",
}


class ContractWrong(Exception):  # noqa: N818 - read by developers as a sentence
    """The contract asks for something that the edge does not do."""


@dataclass(frozen=True, slots=True)
class Media:
    """One form of an answer.

    Args:
        kind: Its media type.
        field: The text field of the reply that holds it.
        is_base64: The field holds bytes as base64url.
        is_compressible: Worth gzip, where the caller takes it.
    """

    kind: str
    field: str
    is_base64: bool
    is_compressible: bool


@dataclass(frozen=True)
class Route:
    """One public route and the RPC behind it."""

    method: str
    template: str
    segments: tuple[str, ...]
    verb: str
    has_body: bool
    rpc: str
    descriptor: MethodDescriptor
    service: str
    request: type[Message]
    response: type[Message]
    rule: AccessRule
    idempotent_by_key: bool
    rate_class: str
    problems: tuple[str, ...]
    success_status: int
    media: tuple[Media, ...] = ()
    max_age_seconds: int = 0

    @functools.cached_property
    def path_fields(self) -> tuple[str, ...]:
        """Request fields that the path binds, in its order."""
        return tuple(segment[1:-1] for segment in self.segments if segment.startswith("{"))

    @functools.cached_property
    def query_fields(self) -> tuple[str, ...]:
        """Request fields that the query binds; none where there is a body."""
        if self.has_body:
            return ()
        taken = {*self.path_fields, REQUEST_ID}
        return tuple(field.name for field in self.request.DESCRIPTOR.fields if field.name not in taken)

    @functools.cached_property
    def is_list(self) -> bool:
        """Whether the answer comes in pages."""
        return "page_size" in self.request.DESCRIPTOR.fields_by_name

    @functools.cached_property
    def has_etag(self) -> bool:
        """Reads of single records carry an ETag."""
        return self.method == "GET" and not self.is_list

    @functools.cached_property
    def not_found(self) -> str:
        """The reason with which the record of the path is not found; empty where there is none."""
        return next((reason for reason in self.problems if reason.endswith("_NOT_FOUND")), "")


def routes(files: tuple[FileDescriptor, ...] = FILES) -> tuple[Route, ...]:
    """All public routes.

    Raises:
        ContractWrong: A route, a message or an option that the edge cannot carry.
        chassis.access.AccessMissing: An RPC does not say who may call it.
    """
    found = tuple(
        _route(method)
        for file in files
        for service in file.services_by_name.values()
        for method in service.methods
        if method.GetOptions().HasExtension(annotations_pb2.http)
    )
    seen: dict[tuple[str, str], Route] = {}
    for route in found:
        shape = re.sub(r"\{[a-z_]+\}", "{}", route.template)
        if (other := seen.setdefault((route.method, shape), route)) is not route:
            raise ContractWrong(f"{route.rpc} and {other.rpc} share {route.method} {route.template}")
    return found


def messages_of(descriptor: Any) -> Iterator[Any]:
    """A message and all messages inside it, each once, the four scalar types and well-known types left out."""
    seen: set[str] = set()
    waiting = [descriptor]
    while waiting:
        current = waiting.pop()
        if current.full_name in seen or current.full_name in SCALARS or current.full_name == TIMESTAMP:
            continue
        seen.add(current.full_name)
        yield current
        waiting.extend(field.message_type for field in current.fields if field.message_type is not None)


def _route(method: MethodDescriptor) -> Route:
    options = method.GetOptions()
    verb, path = _binding(method, options.Extensions[annotations_pb2.http])
    matched = _TEMPLATE.fullmatch(path)
    if matched is None:
        raise ContractWrong(f"{method.full_name}: {path} is no template of the form /v1/things/{{id}}:verb")
    http = options.Extensions[options_pb2.http]
    route = Route(
        method=verb,
        template=path,
        segments=tuple(matched[1].split("/")[2:]),
        verb=matched[2] or "",
        has_body=options.Extensions[annotations_pb2.http].body == "*",
        rpc=f"/{method.containing_service.full_name}/{method.name}",
        descriptor=method,
        service=method.containing_service.full_name.split(".")[1],
        request=message_factory.GetMessageClass(method.input_type),
        response=message_factory.GetMessageClass(method.output_type),
        rule=rule_of(method),
        idempotent_by_key=http.idempotency == options_pb2.IDEMPOTENCY_REQUIRED,
        rate_class=_RATE_CLASSES[http.rate_class],
        problems=tuple(http.problems),
        success_status=http.success_status or 200,
        media=tuple(Media(one.type, one.field, one.is_base64, one.is_compressible) for one in http.media),
        max_age_seconds=http.max_age_seconds,
    )
    _check(route)
    return route


def _binding(method: MethodDescriptor, rule: Any) -> tuple[str, str]:
    kind = rule.WhichOneof("pattern")
    if kind not in {"get", "post", "put", "patch", "delete"} or rule.additional_bindings:
        raise ContractWrong(f"{method.full_name}: one plain http binding, please")
    if rule.body not in {"", "*"} or rule.response_body:
        raise ContractWrong(f'{method.full_name}: the body is "*" or there is none')
    return kind.upper(), getattr(rule, kind)


def _check(route: Route) -> None:
    fields = route.request.DESCRIPTOR.fields_by_name
    for name in (*route.path_fields, *route.query_fields):
        field = fields.get(name)
        if field is None or field.is_repeated or (field.message_type and field.message_type.full_name not in SCALARS):
            raise ContractWrong(f"{route.rpc}: {name} cannot stand in a path or query")
    if route.idempotent_by_key != (REQUEST_ID in fields):
        raise ContractWrong(f"{route.rpc}: a request has {REQUEST_ID} exactly when the Idempotency-Key is required")
    if route.idempotent_by_key and not route.has_body:
        raise ContractWrong(f"{route.rpc}: a change is sent with a body")
    _check_media(route)
    for top in (route.request.DESCRIPTOR, route.response.DESCRIPTOR):
        _check_depth(top, 0)
        for message in messages_of(top):
            for one in message.fields:
                if one.type in _UNSUPPORTED or (one.message_type and one.message_type.GetOptions().map_entry):
                    kind = _UNSUPPORTED.get(one.type, "map")
                    raise ContractWrong(f"{one.full_name}: {kind} is not carried by the edge")


def _check_media(route: Route) -> None:
    """Forms that caches keep are for everybody: public reads of a text field."""
    if not route.media:
        return
    if route.method != "GET" or "PUBLIC" not in route.rule.roles or route.max_age_seconds <= 0:
        raise ContractWrong(f"{route.rpc}: only what everybody may read for a while has other forms than JSON")
    fields = route.response.DESCRIPTOR.fields_by_name
    for one in route.media:
        field = fields.get(one.field)
        if field is None or field.type != FieldDescriptor.TYPE_STRING or field.is_repeated:
            raise ContractWrong(f"{route.rpc}: {one.field} is no text that could be an answer by itself")


def _check_depth(message: Any, depth: int) -> None:
    if depth > _DEPTH_MAX:
        raise ContractWrong(f"{message.full_name} nests deeper than {_DEPTH_MAX}, or holds itself")
    for field in message.fields:
        if field.message_type is not None:
            _check_depth(field.message_type, depth + 1)
