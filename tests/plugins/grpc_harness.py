"""A service in this process on loopback, called as the gateway calls it, with a principal of the test's choice.

async with serve(build(database.settings), database=database) as running:
    reply = await running.call("EnrollPerson", request, a_principal(roles=["CLERK"], purpose="counter"))
"""

from __future__ import annotations

import contextlib
from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.message_factory import GetMessageClass

from chassis.client import Backend, Deadline, Reply
from chassis.principal import STAFF, Principal, Signer, Verifier
from chassis.rpc import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from uuid import UUID

    from google.protobuf.descriptor import MethodDescriptor

    from chassis.database import Database
    from chassis.rpc import Servicer
    from chassis.service import Service

T = TypeVar("T")
TODAY = date(2025, 11, 23)
TIMEOUT_SECONDS = 5.0  # the deadline of the edge


def a_principal(
    roles: Iterable[str] = ("CITIZEN",),
    *,
    person_id: UUID | None = None,
    employer_ids: Iterable[UUID] = (),
    scopes: Iterable[str] = (),
    acr: int | None = None,
    purpose: str = "",
    case_no: str = "",
    subject: str = "idp|tester",
    client: str = "test",
    natural_person: str | None = None,
) -> Principal:
    """A caller; by default a citizen with a matched name and number who is no insured person.

    Staff log in with a certificate (acr 4), and behind each subject stands one natural person unless it is said.
    """
    is_staff = not STAFF.isdisjoint(roles := frozenset(roles))
    return Principal(
        subject=subject,
        client=client,
        roles=roles,
        scopes=frozenset(scopes),
        person_id=person_id,
        employer_ids=frozenset(employer_ids),
        acr=(4 if is_staff else 2) if acr is None else acr,
        purpose=purpose,
        case_no=case_no,
        natural_person=(subject if is_staff else "") if natural_person is None else natural_person,
    )


class Running:
    """A server that runs, and a client of it."""

    def __init__(self, server: Server, port: int, servicers: Iterable[Servicer], signer: Signer) -> None:
        self.server = server
        self.address = f"127.0.0.1:{port}"
        self.signer = signer
        self.backend = Backend(server.name, self.address, signer)
        self._methods: dict[str, MethodDescriptor] = {}
        for servicer in servicers:
            for method in servicer.service.methods:
                self._methods[method.name] = self._methods[f"{servicer.service.name}/{method.name}"] = method

    def path(self, rpc: str) -> str:
        """The full gRPC method of an RPC named "GetPerson" or "EnrollmentService/GetPerson"."""
        method = self._methods[rpc]
        assert method.containing_service is not None
        return f"/{method.containing_service.full_name}/{method.name}"

    async def call(self, rpc: str, request: Any, principal: Principal, **options: Any) -> Any:
        """Call an RPC and return its response message; raises what the service refused with."""
        message, _ = await self.call_with_metadata(rpc, request, principal, **options)
        return message

    async def call_with_metadata(
        self,
        rpc: str,
        request: Any,
        principal: Principal,
        *,
        today: date = TODAY,
        timeout: float = TIMEOUT_SECONDS,  # noqa: ASYNC109 - passed on as the deadline of the call
        min_version: str = "",
        request_id: str = "edge-1",
    ) -> tuple[Any, Reply]:
        """The same, with what came beside the response: `.replayed`, `.min_version`."""
        reply = await self.backend.call(
            self.path(rpc),
            request if isinstance(request, bytes) else request.SerializeToString(),
            principal=principal,
            today=today,
            deadline=Deadline.after(timeout),
            request_id=request_id,
            min_version=min_version,
        )
        return GetMessageClass(self._methods[rpc].output_type).FromString(reply.body), reply


@contextlib.asynccontextmanager
async def serve(service: Service | Iterable[Servicer], *, database: Database) -> AsyncIterator[Running]:
    """Run the gRPC side of a service (or just some servicers) against a database of the test."""
    # A declaration has servicers; a list of them is taken as it is.
    servicers: list[Servicer] = list(service.servicers if hasattr(service, "servicers") else service)
    keys_dir = database.settings.keys_dir
    server = Server(database.settings, database, servicers, Verifier(keys_dir))
    port = await server.start()
    running = Running(server, port, servicers, Signer(keys_dir))
    try:
        yield running
    finally:
        await running.backend.close()
        await server.stop(1)
