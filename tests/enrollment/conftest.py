"""An enrollment service on loopback with its own database, and its jobs run by hand."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from chassis.files import Files
from chassis.worker import Worker
from services.enrollment.service import build
from tests.enrollment import builders
from tests.plugins.databases import owner_fetch
from tests.plugins.grpc_harness import serve
from tests.system import oracle_enrollment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import date

    from chassis.database import Database
    from chassis.principal import Principal
    from chassis.service import Service
    from tests.plugins.databases import NewDatabase
    from tests.plugins.grpc_harness import Running

LOCAL_VALUES = Path(__file__).resolve().parents[2] / "policy" / "local" / "demo.yaml"


class Bureau:
    """A running service, seen from the counter."""

    def __init__(self, database: Database, service: Service, running: Running) -> None:
        self.database = database
        self.service = service
        self.running = running
        self.files = Files(database.settings.files_dir, database.settings.keys_dir)

    async def call(
        self, rpc: str, request: Any, *, by: Principal = builders.CLERK, today: date = builders.TODAY
    ) -> Any:
        """Call an RPC as a clerk, unless somebody else is named."""
        return await self.running.call(rpc, request, by, today=today)

    async def employer(self, **changes: Any) -> str:
        """Register an employer; its id."""
        reply = await self.call("RegisterEmployer", builders.an_employer(**changes))
        employer_id: str = reply.employer.employer_id
        return employer_id

    async def enrolled(self, employer_id: str, *, today: date = builders.TODAY, **changes: Any) -> Any:
        """Enrol somebody; the enrolment."""
        return (await self.call("EnrollPerson", builders.an_enrollment(employer_id, **changes), today=today)).enrollment

    async def run_jobs(self) -> None:
        """Run all jobs that wait, to their end."""
        worker = Worker(self.database, self.service.jobs)
        while await worker.run_one():
            pass

    async def said(self, kind: Any) -> list[Any]:
        """All facts of an event type, in order."""
        rows = await self.rows("SELECT payload FROM outbox WHERE subject = $1 ORDER BY seq", kind.DESCRIPTOR.full_name)
        return [fact for row in rows for fact in kind.FromString(row["payload"]).facts]

    async def rows(self, statement: str, *parameters: Any) -> list[Any]:
        """Look into the tables."""
        return await owner_fetch(self.database, statement, *parameters)


async def run_side_by_side(bureau: Bureau) -> None:
    """Several workers at once, as in several processes."""

    async def work() -> None:
        worker = Worker(bureau.database, bureau.service.jobs, name=f"worker-{builders.number()}")
        while await worker.run_one():
            pass

    await asyncio.gather(*(work() for _ in range(4)))
    await bureau.run_jobs()


@pytest.fixture
async def database(new_database: NewDatabase) -> Database:
    """A fresh enrollment database."""
    return await new_database("enrollment", policy_local=LOCAL_VALUES)


@pytest.fixture
async def bureau(database: Database) -> AsyncIterator[Bureau]:
    """A running service; at the end its books must be right."""
    service = build(database.settings)
    async with serve(service, database=database) as running:
        yield Bureau(database, service, running)
    assert await oracle_enrollment.broken(database.settings.database_owner_url) == {}
