"""One call as the methods of a service's `rpc.py` see it: who calls, on which day, and the three ways to answer."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from google.protobuf.message import Message

from chassis import freshness, look, transaction
from chassis.limits import MIN_VERSION_KEY, REPLAYED_KEY
from chassis.once import RequestKey, once
from kernel.errors import InvalidInput

if TYPE_CHECKING:
    from asyncio import Semaphore
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from datetime import date
    from uuid import UUID

    from google.protobuf.descriptor import ServiceDescriptor

    from chassis.database import Database
    from chassis.principal import Identity, Principal
    from chassis.transaction import Transaction

T = TypeVar("T")
M = TypeVar("M", bound=Message)

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)


class Servicer:
    """Base of a service's `rpc.py`: one method per RPC, named as in the contract, taking the request and the call."""

    service: ClassVar[ServiceDescriptor]


@dataclass(slots=True, eq=False)
class Call:
    """One call, as a handler sees it; made by the server for one request and used up by it.

    Args:
        method: The RPC, "/package.Service/Rpc".
        request: The request, strictly parsed.
        digest: SHA-256 of its bytes.
        identity: What the assertion says.
        database: The service's database.
        reply_class: The message that the RPC answers with.
        gate: Lets one piece of heavy work run at a time.
        until: When the caller gives up, by `time.monotonic`.
        min_version: What the caller has seen elsewhere.
    """

    method: str
    request: Message
    digest: bytes
    identity: Identity
    database: Database
    reply_class: type[Message]
    gate: Semaphore
    until: float
    min_version: str = ""
    trailing: dict[str, str] = field(default_factory=dict)
    ready: tuple[Message, bytes] | None = None  # a reply whose bytes are known already
    _shown: set[UUID] = field(default_factory=set)

    @property
    def principal(self) -> Principal:
        """Who calls."""
        return self.identity.principal

    @property
    def today(self) -> date:
        """The business day."""
        return self.identity.today

    @property
    def request_id(self) -> str:
        """The edge's id of the request, for logs and audit; not the id that makes a change happen once."""
        return self.identity.request_id

    def remaining(self) -> float:
        """Seconds until the caller gives up."""
        return self.until - time.monotonic()

    def heavy(self) -> AbstractAsyncContextManager[Any]:
        """Around work of more than 2 ms of CPU: one at a time in the process, so that others still get their turn."""
        return self.gate

    def audit_person(self, person_id: UUID) -> None:
        """Note that this call shows a person's record; for staff that becomes an audit row before the reply leaves.

        Where the access option names a `person_id` as subject, this happens by itself.
        """
        if self.principal.is_staff:
            self._shown.add(person_id)

    async def once(self, operation: Callable[[Transaction], Awaitable[T]], reply: Callable[[T], M]) -> M:
        """Run a change in one transaction with its stored reply; a repeated request gets the stored reply again.

        Raises:
            InvalidInput: REQUEST_ID_REQUIRED.
            Refused: REQUEST_ID_REUSED: the same request id came with another body.
            Conflict: REQUEST_IN_PROGRESS: the first one is still running.
        """
        request_id: str = getattr(self.request, "request_id")  # noqa: B009 - a field of this contract, not of Message
        if not _REQUEST_ID.fullmatch(request_id):
            raise InvalidInput(
                "REQUEST_ID_REQUIRED",
                "a change needs a request id of 1 to 255 printable characters",
                field="request_id",
            )
        made: list[M] = []

        async def work(tx: Transaction) -> bytes:
            made[:] = [reply(await operation(tx))]
            return made[0].SerializeToString()

        key = RequestKey(self.principal.caller, self.method, request_id, self.digest)
        stored = await once(self.database, key, work, principal=self.principal, today=self.today)
        if stored.replayed:
            self.trailing[REPLAYED_KEY] = "true"
            # The type of this RPC's reply, which is what `reply` makes.
            made[:] = [cast("M", self.reply_class.FromString(stored.body))]
        if stored.min_version:
            self.trailing[MIN_VERSION_KEY] = stored.min_version
        self.ready = (made[0], stored.body)
        return made[0]

    async def read(self, operation: Callable[[Transaction], Awaitable[T]], reply: Callable[[T], M]) -> M:
        """Run a query in a read-only transaction, first waiting for the facts that the caller has seen elsewhere.

        Raises:
            Conflict: NOT_YET_KNOWN: the facts have not arrived after two seconds.
        """
        if self.min_version:
            await freshness.wait(self.database, self.min_version, principal=self.principal, today=self.today)

        async def work(tx: Transaction) -> T:
            result = await operation(tx)
            self._write_shown(tx)
            return result

        result = await self._run(work)
        self._shown.clear()
        return reply(result)

    async def look(self, operation: Callable[[Transaction], Awaitable[T]], reply: Callable[[T], M]) -> M:
        """Run a query that is one statement, without BEGIN and COMMIT around it; else the same as `read`.

        Raises:
            Conflict: NOT_YET_KNOWN: the facts have not arrived after two seconds.
        """
        if self.min_version:
            await freshness.wait(self.database, self.min_version, principal=self.principal, today=self.today)

        async def work(tx: Transaction) -> T:
            result = await operation(tx)
            self._write_shown(tx)
            return result

        result = await look.run(
            self.database,
            work,
            principal=self.principal,
            today=self.today,
            method=self.method,
            request_id=self.request_id,
        )
        self._shown.clear()
        return reply(result)

    async def settle(self) -> None:
        """Write what is still to be audited; the pipeline calls it before the reply leaves."""
        if self._shown:

            async def work(tx: Transaction) -> None:
                self._write_shown(tx)

            await self._run(work)
            self._shown.clear()

    async def _run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        return await transaction.run(
            self.database,
            work,
            principal=self.principal,
            today=self.today,
            method=self.method,
            request_id=self.request_id,
            read_only=True,
        )

    def _write_shown(self, tx: Transaction) -> None:
        for person_id in sorted(self._shown):
            tx.audit(self.method, person_id=person_id)
