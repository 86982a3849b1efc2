"""One RPC of a service, wherever the call comes from: access → strict parse → relation → handler → checked → audit.

The gRPC server (`chassis.rpc`) and a process that answers its own RPCs (`chassis.local`) take the same way.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Protocol

from google.protobuf.message_factory import GetMessageClass
from structlog.contextvars import bind_contextvars

from chassis import access, wire
from chassis.call import Call
from chassis.limits import REPLAYED_KEY
from chassis.principal import relation_checks
from kernel import ids

if TYPE_CHECKING:
    import asyncio

    from google.protobuf.descriptor import MethodDescriptor

    from chassis.call import Servicer
    from chassis.database import Database
    from chassis.principal import Identity


class Host(Protocol):
    """Where RPCs run: the database they work on, and the gate for heavy work."""

    database: Database
    heavy: asyncio.Semaphore


class Method:
    """The rule, the types and the handler of an RPC, and the way of a call through them."""

    def __init__(self, descriptor: MethodDescriptor, servicer: Servicer, host: Host) -> None:
        service = descriptor.containing_service
        assert service is not None
        handler = getattr(servicer, descriptor.name, None)
        if not inspect.iscoroutinefunction(handler):
            raise TypeError(f"{type(servicer).__name__} has no coroutine {descriptor.name}")
        self.path = f"/{service.full_name}/{descriptor.name}"
        self.rule = access.rule_of(descriptor)
        self.changes = "request_id" in descriptor.input_type.fields_by_name
        self.request_class = GetMessageClass(descriptor.input_type)
        self.reply_class = GetMessageClass(descriptor.output_type)
        self._handler = handler
        self._host = host

    async def handle(
        self, data: bytes, digest: bytes, identity: Identity, *, until: float, min_version: str = ""
    ) -> tuple[bytes, dict[str, str]]:
        """Answer a call of somebody who is known; returns the reply's bytes and what goes beside them.

        Args:
            data: The request as sent.
            digest: SHA-256 of it.
            identity: Who calls, on which business day.
            until: When the caller gives up, by `time.monotonic`.
            min_version: What the caller has seen elsewhere; means nothing to a change.
        """
        bind_contextvars(request_id=identity.request_id)
        access.permit(self.rule, identity.principal)
        request = wire.parse(self.request_class, data)
        access.relate(self.rule, identity.principal, request)
        call = Call(
            method=self.path,
            request=request,
            digest=digest,
            identity=identity,
            database=self._host.database,
            reply_class=self.reply_class,
            gate=self._host.heavy,
            until=until,
            min_version="" if self.changes else min_version,
        )
        if not self.changes and (person := access.person_of(self.rule, request)):
            call.audit_person(ids.parse("per", person))
        checks = relation_checks()
        reply = await self._handler(request, call)
        if not checks and not self.rule.subject_kind and access.is_bound(self.rule, identity.principal):
            self._require_checked(call)
        await call.settle()
        return self._bytes(reply, call), call.trailing

    def _require_checked(self, call: Call) -> None:
        """Rather an answer too few than a stranger's record; a stored reply was checked when it was made."""
        if REPLAYED_KEY not in call.trailing:
            raise RuntimeError(f"{self.path} asks for a relation, and its operation did not check one")

    def _bytes(self, reply: object, call: Call) -> bytes:
        if not isinstance(reply, self.reply_class):
            raise TypeError(f"{self.path} answered with {type(reply).__name__}")
        ready = call.ready
        return ready[1] if ready is not None and ready[0] is reply else reply.SerializeToString()
