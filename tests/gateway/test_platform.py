"""The platform as a whole: every service asked at once, one of them away; figures exact; targets as the plan prints."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chassis import jobs, transaction
from chassis.client import Backend
from chassis.database import Database
from chassis.operations import Figures, OperationsRpc, State, nothing
from chassis.principal import Principal, Signer
from kernel.errors import InvalidInput
from services.gateway.edge.backends import Guarded
from services.gateway.platform.indicators import Comparison, progress, reaches
from services.gateway.service import Gateway
from services.gateway.settings import GatewaySettings
from tests.gateway.conftest import UNLIMITED
from tests.gateway.identity_provider import ISSUER, Provider
from tests.plugins.grpc_harness import TODAY, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from chassis.operations import Period
    from chassis.transaction import Transaction
    from tests.plugins.databases import NewDatabase

NOWHERE = "127.0.0.1:9"  # the discard port: nobody listens
TRACES = "https://traces.example.invalid/trace/{trace_id}"
TARGETS = ["65", "5", "4", "8", "60", "200", "90", "140", "148", "175", "55", "12", "25", "60", "92", "98", "400"]
PLAN = {"first": "2021-01-01", "last": "2025-12-31"}


def figures(**counts: int) -> Figures:
    """A service that counted so much, in the years of the plan."""

    async def count(_tx: Transaction, period: Period) -> Mapping[str, int]:
        assert {"first": str(period.first), "last": str(period.last)} == PLAN
        return counts

    return count


def behind() -> dict[str, str]:
    """A service that is not ready."""
    return {"relay": "31 s behind"}


class Platform:
    """A gateway in front of services that say how they are."""

    def __init__(
        self, gateway: Gateway, http: httpx.AsyncClient, provider: Provider, databases: dict[str, Database]
    ) -> None:
        self.gateway = gateway
        self._http = http
        self._provider = provider
        self.databases = databases

    async def get(self, path: str, role: str = "OPERATOR") -> httpx.Response:
        """Ask as a member of staff, or as a citizen."""
        token = self._provider.citizen() if role == "CITIZEN" else self._provider.staff(role)
        return await self._http.get(path, headers={"authorization": f"Bearer {token}"})

    async def shown(self, path: str, role: str = "OPERATOR") -> Any:
        """What is answered."""
        answer = await self.get(path, role)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def platform(new_database: NewDatabase, keys_dir: Path) -> AsyncIterator[Platform]:
    """Enrollment, training and card answer; benefits is away."""
    counts: dict[str, Figures] = {
        "enrollment": figures(
            employee_pension_insured=2_000_001, unemployment_insured=3, work_injury_insured=1_480_000
        ),
        "training": figures(skill_certificates=250_000, subsidised_training=1),
        "card": nothing,
    }
    signer, provider = Signer(keys_dir), Provider()
    databases = {name: await new_database(name) for name in counts}
    settings = GatewaySettings.model_validate(
        {**new_database.settings("gateway").model_dump(), "idp_issuer": ISSUER, "traces_url": TRACES}
    )
    own = Database(settings)
    async with contextlib.AsyncExitStack() as running:
        backends = {"benefits": Guarded("benefits", Backend("benefits", NOWHERE, signer))}
        for name, count in counts.items():
            state = State(behind if name == "card" else dict, lambda: False, ())
            server = await running.enter_async_context(serve([OperationsRpc(state, count)], database=databases[name]))
            backends[name] = Guarded(name, Backend(name, server.address, signer))
        gateway = Gateway(settings, own, provider=provider, backends=backends, rates=UNLIMITED)
        await gateway.keys.refresh()
        await gateway.check()
        transport = httpx.ASGITransport(app=gateway)
        async with httpx.AsyncClient(transport=transport, base_url="http://edge") as http:
            yield Platform(gateway, http, provider, databases)
        await gateway.close()
    await own.close()


async def test_every_service_is_shown_and_one_that_is_away_costs_no_time(platform: Platform) -> None:
    before = time.monotonic()

    shown = await platform.shown("/v1/platform")

    assert time.monotonic() - before < 4
    by_name = {one["service"]: one for one in shown["services"]}
    assert set(by_name) == {"enrollment", "benefits", "training", "card", "gateway"}
    assert shown["services"][-1]["service"] == "gateway"
    assert shown["traces_url"] == TRACES
    assert (by_name["benefits"]["is_away"], by_name["benefits"]["is_ready"]) == (True, False)
    assert by_name["card"]["missing"] == ["relay: 31 s behind"]
    assert not by_name["card"]["is_ready"]
    for name in ("enrollment", "training", "gateway"):
        assert (by_name[name]["is_ready"], by_name[name]["is_away"], by_name[name]["missing"]) == (True, False, [])
        assert by_name[name]["version"]


async def test_asking_does_not_open_the_breaker_of_a_service(platform: Platform) -> None:
    for _ in range(25):
        await platform.shown("/v1/platform")

    assert not platform.gateway.backends["benefits"].is_open


async def test_jobs_of_all_services_come_newest_first(platform: Platform) -> None:
    for name in ("enrollment", "card", "enrollment"):

        async def work(tx: Transaction, kind: str = f"count_{name}") -> None:
            await jobs.start(tx, kind, chunks=[{}], total_count=4)

        await transaction.run(platform.databases[name], work, principal=Principal.system("test"), today=TODAY)

    shown = await platform.shown("/v1/platform/jobs")

    assert [one["service"] for one in shown["jobs"]] == ["enrollment", "card", "enrollment"]
    assert {one["job"]["state"] for one in shown["jobs"]} == {"JOB_STATE_QUEUED"}
    assert shown["missing_services"] == ["benefits"]
    assert (await platform.get("/v1/platform/jobs?limit=1")).json()["jobs"][0]["service"] == "enrollment"


async def test_seventeen_indicators_in_the_order_of_the_plan(platform: Platform) -> None:
    rows = (await platform.shown("/v1/stats/indicators"))["indicators"]

    assert [row["number"] for row in rows] == list(range(1, 18))
    assert rows[5]["key"] == "employee_pension_insured"
    assert [row["target"] for row in rows] == TARGETS
    assert [row["number"] for row in rows if row["is_binding"]] == [6, 8, 9]
    assert [row["number"] for row in rows if row["is_cumulative"]] == [1, 4, 5, 12, 13]
    assert Counter(row["comparison"] for row in rows) == {">=": 11, ">": 4, "<": 1, "about": 1}
    assert all(row["sources"] == ["NT-PLAN-14-5"] for row in rows)


async def test_a_figure_is_exact_and_held_against_its_target(platform: Platform) -> None:
    rows = {row["key"]: row for row in (await platform.shown("/v1/stats/indicators"))["indicators"]}

    def told(key: str) -> list[Any]:
        return [rows[key][name] for name in ("actual", "count", "gap", "is_reached")]

    assert told("employee_pension_insured") == ["200.0001", 2_000_001, "0.0001", True]
    assert told("work_injury_insured") == ["148.0000", 1_480_000, "0.0000", True]
    assert told("unemployment_insured") == ["0.0003", 3, "-139.9997", False]
    assert told("skill_certificates") == ["25.0000", 250_000, "0.0000", True]
    assert rows["skill_certificates"]["is_partial"]
    assert not rows["employee_pension_insured"]["is_partial"]
    assert rows["unemployment_insured"]["count_time"]
    assert rows["unemployment_insured"]["counted_by"] == "enrollment"


async def test_what_is_not_counted_says_what_is_missing_and_who_has_it(platform: Platform) -> None:
    rows = (await platform.shown("/v1/stats/indicators"))["indicators"]

    silent = [row for row in rows if not row["actual"]]
    assert [row["number"] for row in silent] == [1, 2, 3, 4, 7, 10, 11, 12, 14, 15, 16, 17]
    for row in silent:
        assert row["note_zh"]
        assert row["note_en"]
        assert (row["count"], row["gap"], row["is_reached"]) == (0, "", False)
        assert bool(row["data_owner_zh"]) == (row["key"] != "ecard_holders")
    card = rows[16]
    assert card["counted_by"] == "card"
    assert card["note_en"].startswith("the service card does not answer")
    remarks = [row["number"] for row in rows if row["plan_note_zh"]]
    assert remarks == [12, 13, 14, 15, 16]


@pytest.mark.parametrize("path", ["/v1/platform", "/v1/platform/jobs", "/v1/stats/indicators"])
async def test_citizens_and_clerks_are_refused(platform: Platform, path: str) -> None:
    for role in ("CITIZEN", "CLERK"):
        answer = await platform.get(path, role)
        assert (answer.status_code, answer.json()["code"]) == (403, "ROLE_NOT_ALLOWED")


async def test_supervisors_see_the_plan_and_not_the_machinery(platform: Platform) -> None:
    assert (await platform.get("/v1/stats/indicators", "SUPERVISOR")).status_code == 200
    assert (await platform.get("/v1/platform", "SUPERVISOR")).status_code == 403


@pytest.mark.parametrize(
    ("actual", "comparison", "target", "expected"),
    [
        ("140", ">=", "140", True),
        ("139.9999", ">=", "140", False),
        ("60", ">", "60", False),
        ("60.0001", ">", "60", True),
        ("3.99", "<", "4", True),
        ("4", "<", "4", False),
        ("4", "<=", "4", True),
        ("4.01", "<=", "4", False),
        ("5.4999", "about", "5", True),
        ("4.5", "about", "5", True),
        ("5.5", "about", "5", False),
        ("4.4999", "about", "5", False),
        ("5.04", "about", "5.0", True),
        ("5.05", "about", "5.0", False),
    ],
)
def test_a_target_is_reached_as_its_sign_says(actual: str, comparison: str, target: str, *, expected: bool) -> None:
    assert reaches(Decimal(actual), Comparison(comparison), Decimal(target)) is expected


@pytest.mark.parametrize(
    ("actual", "target", "percent"),
    [("320", "400", "80.00"), ("1", "3", "33.33"), ("2", "3", "66.67"), ("4", "3", "133.33")],
)
def test_progress_is_told_in_percent_and_not_limited(actual: str, target: str, percent: str) -> None:
    assert str(progress(Decimal(actual), Decimal(target))) == percent


def test_nothing_is_held_against_a_target_of_zero() -> None:
    with pytest.raises(InvalidInput):
        progress(Decimal(1), Decimal(0))
