"""A part is away: what is said then, what goes on working, and that nothing is half done afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import io
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest
from rich.console import Console

from kernel.identity import make_credit_code
from ops.client import Problem
from ops.demo.people import DIVISION, draw
from ops.demo.stage import Stage
from tests.system.oracle import differences
from tests.system.running import running, settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from ops.client import Gateway, Json
    from tests.system.running import Running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

AWAY_SECONDS = 60.0
UNKNOWN_PERSON = "/v1/persons/per_" + "0" * 32


@pytest.fixture(scope="module")
def platform(server_home: Path) -> Iterator[Running]:
    with running(server_home / "faults") as platform:
        yield platform


@contextlib.asynccontextmanager
async def stage_of(platform: Running, run: str) -> AsyncIterator[Stage]:
    async with httpx.AsyncClient(timeout=15) as http:
        yield Stage(platform.platform, run, http, Console(file=io.StringIO()))


def employer(organisation: str) -> Json:
    code = make_credit_code(DIVISION, organisation)
    return {"credit_code": code, "name": "南通示例厂(故障)", "division": DIVISION, "injury_class": 2}


async def until_refused(gateway: Gateway, method: str, path: str, body: Json | None, key: str) -> Problem:
    """Ask again and again until it is refused for the moment."""
    limit = time.monotonic() + AWAY_SECONDS
    while time.monotonic() < limit:
        try:
            await gateway.call(method, path, body=body, key=key)
        except Problem as problem:
            if problem.status != 404:
                return problem
    raise AssertionError(f"{path} was never refused")


async def test_without_nats_commands_go_on_and_arrive_later(platform: Running) -> None:
    async with stage_of(platform, "nats away") as stage:
        office, cast = stage.office, draw("nats away")
        platform.kill("nats", signal.SIGSTOP)
        try:
            answer = await office.post("/v1/employers", employer("MA0NAT01"), key="faults-nats-1")
            person = cast.employees[2]
            enrolled = await office.post(
                "/v1/enrollments",
                {
                    "employer_id": answer["employer"]["employer_id"],
                    "name": person.name,
                    "id_no": person.id_no,
                    "start_month": "2026-11",
                    "wage": "6000.00",
                    "post": person.post,
                },
                key="faults-nats-2",
            )
        finally:
            platform.kill("nats", signal.SIGCONT)

        await settled(platform)
        person_id = enrolled["enrollment"]["person_id"]
        retirement = await stage.clerk.get(f"/v1/persons/{person_id}/retirement")
        assert retirement["retirement"]["track"] == "RETIREMENT_TRACK_MALE_60"
        assert await differences(platform.owner_url, platform.home) == []


async def test_without_postgresql_writes_say_come_back_and_nothing_is_half_done(platform: Running) -> None:
    async with stage_of(platform, "postgres away") as stage:
        impatient = replace(stage.office, patience=0.0)
        answers: list[object] = []
        platform.kill("postgres")
        limit = time.monotonic() + AWAY_SECONDS
        while time.monotonic() < limit:
            try:
                answers.append(await impatient.post("/v1/employers", employer("MA0PGDB1"), key="faults-postgres-1"))
                break
            except Problem as problem:
                answers.append(problem)
                await asyncio.sleep(0.05)

        refusals = [one for one in answers if isinstance(one, Problem)]
        assert refusals, "the database was never missed"
        for refusal in refusals:
            assert refusal.status == 503, refusal
            assert refusal.retryable
            assert refusal.body["detail"]
        assert isinstance(answers[-1], dict), "it did not come back"
        again = await stage.office.post("/v1/employers", employer("MA0PGDB1"), key="faults-postgres-1")
        assert again == answers[-1]
        await settled(platform)
        assert await differences(platform.owner_url, platform.home) == []


async def test_without_one_service_its_routes_say_so_and_the_others_work(platform: Running) -> None:
    async with stage_of(platform, "benefits away") as stage:
        impatient = replace(stage.clerk, patience=0.0)
        platform.kill("benefits", signal.SIGSTOP)
        try:
            refusal, employers = await asyncio.gather(
                until_refused(impatient, "GET", f"{UNKNOWN_PERSON}/benefits", None, ""),
                impatient.post("/v1/employers", employer("MA0BENE1"), key="faults-benefits-1"),
            )
        finally:
            platform.kill("benefits", signal.SIGCONT)

        assert refusal.status in {503, 504}, refusal
        assert refusal.body["retryable"]
        assert employers["employer"]["employer_id"]


async def test_a_parameter_that_nobody_knows_is_named(server_home: Path) -> None:
    with running(server_home / "unknown", HRSS_POLICY_LOCAL="") as platform:
        async with stage_of(platform, "unknown parameter") as stage:
            answer = await stage.office.post("/v1/employers", employer("MA0NULL1"), key="faults-null-1")
            person = draw("unknown parameter").employees[2]
            await stage.office.post(
                "/v1/enrollments",
                {
                    "employer_id": answer["employer"]["employer_id"],
                    "name": person.name,
                    "id_no": person.id_no,
                    "start_month": "2026-11",
                    "wage": "6000.00",
                    "post": person.post,
                },
                key="faults-null-2",
            )

            with pytest.raises(Problem) as refusal:
                await stage.office.post(
                    "/v1/bills:assess",
                    {"employer_id": answer["employer"]["employer_id"], "month": "2026-11"},
                    key="faults-null-3",
                )

        problem = refusal.value
        assert (problem.status, problem.code) == (422, "POLICY_PARAMETER_MISSING")
        for word in ("contribution", "work_injury.phase_reduction_factor", "2026-11"):
            assert word in str(problem.body), word
