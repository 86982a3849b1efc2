"""What an operator does to running services beside the API: jobs, events said again, facts that were parked.

Works on the databases themselves with the services' own roles, so that it also works while a service is down.
Everything that changes something leaves an audit row.
"""

from __future__ import annotations

import contextlib
import os
import pwd
from typing import TYPE_CHECKING, TypeVar

from chassis import approval, clocks, jobs, outbox, parked, timekeeper, transaction
from chassis.bus import Bus
from chassis.config import Settings
from chassis.database import Database
from chassis.principal import Principal
from kernel.calendar import shanghai_day
from kernel.errors import NotFound
from ops.migrate import consumers
from ops.servers import SERVICES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from datetime import date, datetime
    from pathlib import Path
    from uuid import UUID

    from asyncpg import Record

    from chassis.jobs import Job
    from chassis.parked import Parked
    from chassis.transaction import Transaction
    from ops.servers import Broker, Databases

T = TypeVar("T")
CONNECT_SECONDS = 5.0
DROP = "parked_drop"  # kind of the approval
LATEST = "SELECT id FROM job ORDER BY created DESC LIMIT $1"


class Operator:
    """A person at the command line of a platform, known by the account of the operating system."""

    def __init__(self, databases: Databases, broker: Broker, keys_dir: Path, *, account: str = "") -> None:
        self._databases = databases
        self._broker = broker
        self._keys_dir = keys_dir
        name = account or pwd.getpwuid(os.getuid()).pw_name
        human = f"os|{name}"  # an account of the operating system is taken for one human
        self._principal = Principal(subject=human, client="hrss", roles=frozenset({"OPERATOR"}), natural_person=human)

    async def list_jobs(self, limit: int) -> list[tuple[str, Job]]:
        """The latest jobs of every service."""
        found: list[tuple[str, Job]] = []
        for service in SERVICES:

            async def latest(tx: Transaction) -> list[Job]:
                return [await jobs.get(tx, row["id"]) for row in await tx.fetch(LATEST, limit)]

            found += [(service, job) for job in await self._in(service, "jobs list", latest)]
        return sorted(found, key=lambda pair: pair[1].created, reverse=True)[:limit]

    async def find_job(self, job_id: UUID) -> tuple[str, Job]:
        """A job and the service it belongs to.

        Raises:
            NotFound: JOB_NOT_FOUND in every service.
        """
        for service in SERVICES:
            with contextlib.suppress(NotFound):
                return service, await self._in(service, "jobs show", lambda tx: jobs.get(tx, job_id))
        raise NotFound("JOB_NOT_FOUND", "no such job in any service")

    async def timetable(self) -> list[tuple[str, Record]]:
        """The recurring work of every service that has some."""
        found: list[tuple[str, Record]] = []
        for service in SERVICES:
            found += [(service, row) for row in await self._in(service, "timetable", timekeeper.listed)]
        return found

    async def pause_job(self, job_id: UUID, reason: str) -> Job:
        """Let a job take no further chunk."""
        return await self._move(job_id, "job_paused", lambda tx: jobs.pause(tx, job_id, reason=reason))

    async def resume_job(self, job_id: UUID) -> Job:
        """Let a paused or failed job go on."""
        return await self._move(job_id, "job_resumed", lambda tx: jobs.resume(tx, job_id))

    async def republish(
        self, service: str, *, since: datetime | None, sequence: tuple[int, int] | None, key: str | None
    ) -> int:
        """Say events of a service again, with their ids; returns how many messages."""
        bus = Bus(self._broker.urls[service], service)
        await bus.start()
        try:
            await bus.wait_connected(CONNECT_SECONDS)
            async with self._opened(service) as database:
                return await outbox.republish(database, bus, since=since, sequence=sequence, key=key)
        finally:
            await bus.close()

    async def list_parked(self, service: str, limit: int) -> list[Parked]:
        """The oldest parked facts of a service."""
        return await self._in(service, "parked list", lambda tx: parked.listed(tx, limit=limit))

    async def show_parked(self, service: str, number: int) -> Parked:
        """One parked fact."""
        return await self._in(service, "parked show", lambda tx: parked.show(tx, number))

    async def replay_parked(self, service: str, number: int) -> None:
        """Let a parked fact take effect now."""
        async with self._opened(service) as database:
            await parked.replay(
                database, list(consumers(service)), number, principal=self._principal, today=self._today()
            )

    async def ask_to_drop(self, service: str, number: int) -> UUID:
        """Ask a second person to agree that a parked fact is given up; returns the id of the approval."""

        async def work(tx: Transaction) -> UUID:
            await parked.show(tx, number)
            tx.audit("parked_drop_requested", detail={"number": str(number)})
            return await approval.request(tx, kind=DROP, subject=str(number), payload=_drop_of(service, number))

        return await self._in(service, "parked drop", work, read_only=False)

    async def approve_drop(self, service: str, number: int, approval_id: UUID, reason: str) -> None:
        """Agree as the second person, and give the parked fact up."""

        async def work(tx: Transaction) -> None:
            await approval.decide(tx, approval_id, approve=True, reason=reason)
            await approval.execute(tx, approval_id, kind=DROP, subject=str(number), payload=_drop_of(service, number))
            tx.audit("parked_drop_approved", detail={"number": str(number), "approval": str(approval_id)})

        await self._in(service, "parked drop", work, read_only=False)
        async with self._opened(service) as database:
            await parked.drop(
                database,
                list(consumers(service)),
                number,
                principal=self._principal,
                today=self._today(),
                reason=reason,
            )

    async def _move(self, job_id: UUID, action: str, move: Callable[[Transaction], Awaitable[None]]) -> Job:
        service, _ = await self.find_job(job_id)

        async def work(tx: Transaction) -> Job:
            await move(tx)
            tx.audit(action, detail={"job_id": str(job_id)})
            return await jobs.get(tx, job_id)

        return await self._in(service, action, work, read_only=False)

    async def _in(
        self, service: str, method: str, work: Callable[[Transaction], Awaitable[T]], *, read_only: bool = True
    ) -> T:
        async with self._opened(service) as database:
            return await transaction.run(
                database,
                work,
                principal=self._principal,
                today=self._today(),
                method=f"hrss {method}",
                read_only=read_only,
            )

    @staticmethod
    def _today() -> date:
        return shanghai_day(clocks.now())

    @contextlib.asynccontextmanager
    async def _opened(self, service: str) -> AsyncIterator[Database]:
        settings = Settings(service=service, database_url=self._databases.app_urls[service], keys_dir=self._keys_dir)
        database = Database(settings)
        try:
            yield database
        finally:
            await database.close()


def _drop_of(service: str, number: int) -> bytes:
    """The canonical form of what a second person agrees to."""
    return f"drop parked {service} {number}".encode()
