"""A backend that answers every RPC of the contract with a filled message: the edge is tested without the services.

It is a real gRPC server on loopback and believes only assertions that the gateway signed.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from chassis.limits import MIN_VERSION_KEY, REPLAYED_KEY
from chassis.principal import METADATA_KEY, Identity, Verifier
from chassis.problems import CODES, DETAILS_KEY, Fault, to_status
from services.gateway.edge.contract import FILES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from google.protobuf.message import Message

    from kernel.errors import DomainError


@dataclass(frozen=True)
class Seen:
    """One call that arrived."""

    method: str
    request: Any
    identity: Identity
    metadata: dict[str, Any]
    seconds_left: float


@dataclass
class Echo:
    """What the backend saw, and what it is told to answer."""

    verifier: Verifier
    address: str = ""
    seen: list[Seen] = field(default_factory=list)
    refusals: dict[str, DomainError | Fault] = field(default_factory=dict)
    answers: dict[str, Message | Callable[[Any], Message]] = field(default_factory=dict)
    replays: dict[tuple[str, str], bytes] = field(default_factory=dict)

    @property
    def last(self) -> Seen:
        """The call that came last."""
        return self.seen[-1]

    def refuse(self, rpc: str, error: DomainError | Fault) -> None:
        """Refuse an RPC by its name from now on."""
        self.refusals[rpc] = error

    def answer(self, rpc: str, message: Message | Callable[[Any], Message]) -> None:
        """Answer an RPC by its name with a message, or with what a function makes of the request."""
        self.answers[rpc] = message

    def reset(self) -> None:
        """Forget everything."""
        for memory in (self.seen, self.refusals, self.answers, self.replays):
            memory.clear()


@contextlib.asynccontextmanager
async def echo_backend(keys_dir: Path, *, address: str = "127.0.0.1:0") -> AsyncIterator[Echo]:
    """Run the backend, on a free port or where it was before."""
    echo = Echo(Verifier(keys_dir))
    server = grpc.aio.server()
    for file in FILES:
        for service in file.services_by_name.values():
            handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
                method.name: grpc.unary_unary_rpc_method_handler(_handler(echo, method)) for method in service.methods
            }
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(str(service.full_name), handlers),))
    echo.address = f"127.0.0.1:{server.add_insecure_port(address)}"
    await server.start()
    try:
        yield echo
    finally:
        await server.stop(0)


def filled(message_class: type[Message], depth: int = 0) -> Any:
    """A message with a value in every field."""
    message: Any = message_class()
    for field_ in message_class.DESCRIPTOR.fields:
        if field_.message_type is not None:
            if depth > 8:
                continue
            nested: Any = field_.message_type
            inner = filled(GetMessageClass(nested), depth + 1)
            if field_.is_repeated:
                getattr(message, field_.name).append(inner)
            else:
                getattr(message, field_.name).CopyFrom(inner)
        elif field_.is_repeated:
            getattr(message, field_.name).append(_value(field_))
        else:
            setattr(message, field_.name, _value(field_))
    return message


def _value(field_: Any) -> Any:
    if field_.enum_type is not None:
        return field_.enum_type.values[-1].number
    if field_.type == FieldDescriptor.TYPE_STRING:
        return "0.25" if field_.name == "decimal" else f"{field_.name}-文"
    if field_.type == FieldDescriptor.TYPE_BOOL:
        return True
    return {"year": 2025, "month": 11, "day": 23, "fen": 123456, "seconds": 1_700_000_000}.get(field_.name, 7)


def _handler(echo: Echo, method: Any) -> Any:
    path = f"/{method.containing_service.full_name}/{method.name}"
    request_class, response_class = GetMessageClass(method.input_type), GetMessageClass(method.output_type)

    async def answer(data: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        metadata: dict[str, Any] = dict(context.invocation_metadata() or ())
        identity = echo.verifier.verify(
            metadata.get(METADATA_KEY), method=path, digest=hashlib.sha256(data).digest(), now=datetime.now(UTC)
        )
        request: Any = request_class.FromString(data)
        echo.seen.append(Seen(method.name, request, identity, metadata, context.time_remaining() or 0.0))
        if (error := echo.refusals.get(method.name)) is not None:
            code = error.code if isinstance(error, Fault) else CODES[error.kind]
            details = to_status(error, method.full_name.split(".")[1]).SerializeToString()
            await context.abort(code, error.message, ((DETAILS_KEY, details),))
        made = echo.answers.get(method.name)
        message = made(request) if callable(made) else made
        body = (message if message is not None else filled(response_class)).SerializeToString()
        if request_id := getattr(request, "request_id", ""):
            key = (method.name, request_id)
            if key in echo.replays:
                context.set_trailing_metadata(((REPLAYED_KEY, "true"),))
            else:
                context.set_trailing_metadata(((MIN_VERSION_KEY, "person:per_" + "0" * 32 + ":3"),))
            echo.replays.setdefault(key, body)
        return body

    return answer
