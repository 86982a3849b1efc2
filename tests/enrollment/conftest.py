"""An enrollment service on loopback with its own database, and its jobs run by hand."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from chassis.files import Files
from chassis.worker import Worker
from services.enrollment.service import build
from tests.enrollment import builders
from tests.plugins.databases import owner_fetch
from tests.plugins.grpc_harness import serve
from tests.system import oracle_enrollment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

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


TIERS = [
    {"tier": "100", "subsidy": "30"},
    {"tier": "500", "subsidy": "60"},
    {"tier": "1000", "subsidy": "90"},
]


@pytest.fixture
def local_values(tmp_path: Path) -> Path:
    """The demonstration's values, and what a bureau would say of tiers and projects."""
    content = yaml.safe_load(LOCAL_VALUES.read_text(encoding="utf-8"))
    content["entries"] += [
        {
            "id": "NT-TIERS", "file": "contribution.yaml", "key": "resident_pension.tiers_nantong",
            "from": date(2021, 1, 1), "to": None, "value": TIERS, "confidence": "certain", "reason": "市区缴费档次文件",
            "reviewers": ["reviewer one", "reviewer two"], "decided": date(2025, 1, 2),
        },
        {
            "id": "NT-PROJECT", "file": "contribution.yaml", "key": "work_injury_project.terms",
            "from": date(2015, 1, 1), "to": None, "confidence": "certain",
            "value": {"labour_share": "0.20", "rate": "0.013", "unified_rate": "0"},
            "reason": "项目参保比例文件", "reviewers": ["reviewer one", "reviewer two"], "decided": date(2025, 1, 2),
        },
        {
            "id": "NT-LAND", "file": "contribution.yaml", "key": "land_expropriated.terms",
            "from": date(2011, 7, 1), "to": None, "confidence": "certain",
            "value": {"fund_per_person": "26000", "min_age": 16}, "reason": "征地批次筹集标准",
            "reviewers": ["reviewer one", "reviewer two"], "decided": date(2025, 1, 2),
        },
        *(
            {
                "id": f"NT-RATE-{name.upper()}", "file": "personal-account.yaml", "key": f"interest_rate.{name}",
                "from": since, "to": None, "value": rate, "confidence": "certain", "reason": "记账利率文件",
                "reviewers": ["reviewer one", "reviewer two"], "decided": date(2025, 1, 2),
            }
            for name, since, rate in (
                ("resident", date(2014, 1, 1), "0.0300"),
                ("government", date(2014, 10, 1), "0.0262"),
                ("annuity", date(2014, 10, 1), "0.0350"),
            )
        ),
    ]  # fmt: skip
    path = tmp_path / "local.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture
async def office(new_database: NewDatabase, local_values: Path) -> AsyncIterator[Bureau]:
    """A bureau that supplied what the law files leave open."""
    database = await new_database("enrollment", policy_local=local_values)
    service = build(database.settings)
    async with serve(service, database=database) as running:
        yield Bureau(database, service, running)
    assert await oracle_enrollment.broken(database.settings.database_owner_url) == {}
