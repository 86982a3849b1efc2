"""What is away, slow or full: its routes say so, the others work, and it heals without an operator."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import date
from typing import TYPE_CHECKING, Any

import asyncpg
import grpc
import httpx
import pytest

from chassis.client import Backend, Deadline, Reply
from chassis.database import Database
from chassis.local import Local
from chassis.principal import Principal, Signer
from chassis.problems import Fault
from hrss.gateway.v1 import gateway_service_pb2
from kernel import ids
from kernel.errors import Conflict, Forbidden, Unavailable
from services.gateway.clock import BusinessClock
from services.gateway.edge import transcoder
from services.gateway.edge.backends import Guarded
from services.gateway.edge.limits import Gate, Rates
from services.gateway.own import ClockRpc
from services.gateway.service import Gateway
from services.gateway.settings import GatewaySettings
from tests.chassis.conditions import until
from tests.gateway.conftest import UNLIMITED
from tests.gateway.echo import echo_backend
from tests.gateway.identity_provider import ISSUER, Provider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway.conftest import Edge
    from tests.plugins.databases import NewDatabase

EMPLOYER = f"/v1/employers/{ids.to_text('emp', ids.new_id())}"


@contextlib.asynccontextmanager
async def alone(
    keys_dir: Path, folder: Path, address: str, *, gate: Gate | None = None
) -> AsyncIterator[tuple[Gateway, Provider, httpx.AsyncClient]]:
    """A gateway whose own database is away, in front of whatever is at an address."""
    settings = GatewaySettings.model_validate(
        {
            "env": "test",
            "service": "gateway",
            "keys_dir": keys_dir,
            "files_dir": folder,
            "idp_issuer": ISSUER,
            "database_url": "postgresql://gateway_app:x@127.0.0.1:9/gateway",
        }
    )
    database, provider = Database(settings), Provider()
    signer = Signer(keys_dir)
    backends = {
        name: Guarded(name, Backend(name, address, signer), gate=gate)
        for name in ("enrollment", "benefits", "training", "card")
    }
    gateway = Gateway(settings, database, provider=provider, backends=backends, rates=UNLIMITED)
    await gateway.keys.refresh()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=gateway), base_url="http://edge") as http:
        yield gateway, provider, http
    await gateway.close()
    await database.close()


def bearer(token: str) -> dict[str, str]:
    """Headers of a login."""
    return {"authorization": f"Bearer {token}", "hrss-purpose": "counter"}


async def test_without_its_own_database_the_gateway_still_carries_calls(keys_dir: Path, tmp_path: Path) -> None:
    async with echo_backend(keys_dir) as echo, alone(keys_dir, tmp_path, echo.address) as (gateway, provider, http):
        staff = await http.get(EMPLOYER, headers=bearer(provider.staff()))
        citizen = await http.get("/v1/me", headers=bearer(provider.citizen()))
        moved = await http.post(
            "/v1/test-clock", json={}, headers={**bearer(provider.staff("OPERATOR")), "idempotency-key": "12345678"}
        )
        await gateway.check()

    assert staff.status_code == 200
    for answer in (citizen, moved):
        assert (answer.status_code, answer.json()["code"]) == (503, "DATABASE_UNAVAILABLE")
        assert int(answer.headers["retry-after"]) >= 1
    assert gateway.missing == {"database": "does not answer"}


async def test_a_service_that_comes_back_is_used_again(keys_dir: Path, tmp_path: Path) -> None:
    async with echo_backend(keys_dir) as echo:
        address = echo.address
    async with alone(keys_dir, tmp_path, address) as (gateway, provider, http):
        headers = bearer(provider.staff())
        calls = [http.get(EMPLOYER, headers=headers) for _ in range(25)]
        answers = await asyncio.gather(*calls)
        assert {answer.json()["code"] for answer in answers} <= {"SERVICE_UNAVAILABLE", "SERVER_BUSY"}
        assert "参保和缴费业务" in answers[0].json()["detail"]
        assert gateway.backends["enrollment"].is_open
        assert (await http.get("/v1/test-clock", headers=bearer(provider.staff("OPERATOR")))).status_code == 200

        async def answers_again() -> bool:
            return (await http.get(EMPLOYER, headers=headers)).status_code == httpx.codes.OK

        async with echo_backend(keys_dir, address=address):
            await until(answers_again, seconds=15)
        assert not gateway.backends["enrollment"].is_open


async def test_more_than_a_service_can_take_is_told_to_come_again(keys_dir: Path, tmp_path: Path) -> None:
    gate = Gate(at_once=1, wait_seconds=0.01)
    await gate.enter("staff")
    async with (
        echo_backend(keys_dir) as echo,
        alone(keys_dir, tmp_path, echo.address, gate=gate) as (_, provider, http),
    ):
        full = await http.get(EMPLOYER, headers=bearer(provider.staff()))
        gate.leave()
        free = await http.get(EMPLOYER, headers=bearer(provider.staff()))

    assert (full.status_code, full.json()["code"]) == (429, "SERVER_BUSY")
    assert full.headers["retry-after"] == "1"
    assert free.status_code == 200


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("error", "status", "code", "retryable"),
    [
        (Unavailable("DATABASE_UNAVAILABLE", "away", retry_after=2.5), 503, "DATABASE_UNAVAILABLE", True),
        (Unavailable("OUTCOME_UNKNOWN", "unknown", retry_after=1), 503, "OUTCOME_UNKNOWN", True),
        (Conflict("CONCURRENT_CHANGE", "others", retry_after=0.2), 409, "CONCURRENT_CHANGE", True),
        (Conflict("NOT_YET_KNOWN", "later", retry_after=1), 409, "NOT_YET_KNOWN", True),
        (Fault(grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "late"), 504, "DEADLINE_EXCEEDED", True),
        (Fault(grpc.StatusCode.UNIMPLEMENTED, "UNIMPLEMENTED", "no"), 501, "UNIMPLEMENTED", False),
        (Fault(grpc.StatusCode.INTERNAL, "INTERNAL", "bug"), 500, "INTERNAL", False),
        (Fault(grpc.StatusCode.UNKNOWN, "SOMETHING", "bug"), 500, "INTERNAL", False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_fails_behind_the_edge_is_told_with_what_to_do(
    edge: Edge, error: Fault | Unavailable | Conflict, status: int, code: str, *, retryable: bool
) -> None:
    edge.echo.refuse("GetEmployer", error)

    answer = await edge.get(EMPLOYER, edge.provider.staff())

    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (status, code, retryable)
    assert ("retry-after" in answer.headers) == retryable
    if code == "DATABASE_UNAVAILABLE":
        assert answer.headers["retry-after"] == "3"
    assert "ratelimit" in answer.headers


@pytest.mark.asyncio(loop_scope="module")
async def test_a_bug_of_the_edge_itself_shows_nothing_but_the_trace(edge: Edge) -> None:
    edge.provider.failure = RuntimeError("990000199003151234 is in this text")
    try:
        answer = await edge.get("/v1/me", edge.provider.citizen("p-unlucky"))
    finally:
        edge.provider.failure = None

    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    assert "990000199003151234" not in answer.text
    assert len(answer.json()["trace_id"]) == 32


@pytest.mark.asyncio(loop_scope="module")
async def test_a_limit_that_is_used_up_says_when_to_come_again(edge: Edge) -> None:
    access = edge.gateway.access
    before, access.rates = access.rates, Rates(rates={"staff": {"READ": (0.1, 1)}, "nobody": {"READ": (0.1, 1)}})
    try:
        first = await edge.get(EMPLOYER, edge.provider.staff())
        second = await edge.get(EMPLOYER, edge.provider.staff())
        guessed = [await edge.get(EMPLOYER, "no.such.token") for _ in range(2)]
    finally:
        access.rates = before

    assert (first.status_code, first.headers["ratelimit-policy"]) == (200, '"read";q=1;w=10')
    assert (second.status_code, second.json()["code"]) == (429, "RATE_LIMITED")
    assert 9 <= int(second.headers["retry-after"]) <= 10
    assert [answer.status_code for answer in guessed] == [401, 429]


def test_production_wants_an_issuer_that_nobody_can_stand_in_for() -> None:
    given = {
        "env": "prod",
        "service": "gateway",
        "database_url": "postgresql://app@db/gateway",
        "nats_url": "tls://gateway@nats",
    }
    for issuer in ("http://id.example", "https://127.0.0.1:1", "https://localhost", "https://x.localhost"):
        settings = GatewaySettings.model_validate({**given, "idp_issuer": issuer})
        assert [name for name, _, _ in settings.problems()] == ["HRSS_IDP_ISSUER"]
    good = {**given, "idp_issuer": "https://id.example"}
    assert not GatewaySettings.model_validate(good).problems()
    assert not GatewaySettings.model_validate({**good, "idp_url": "https://id.internal"}).problems()
    plain = GatewaySettings.model_validate({**good, "idp_url": "http://id.internal"})
    assert [name for name, _, _ in plain.problems()] == ["HRSS_IDP_URL"]


class _Nobody:
    """A callee that is not there, and counts who asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def call(self, *_given: Any, **_named: Any) -> Reply:
        self.asked += 1
        raise Unavailable("SERVICE_UNAVAILABLE", "nobody is there", retry_after=1, service="benefits")

    async def ready(self, seconds: float) -> bool:
        return seconds < 0

    async def close(self) -> None:
        pass


async def test_a_service_that_is_away_is_not_asked_again_and_again() -> None:
    nobody = _Nobody()
    guarded = Guarded("benefits", nobody)

    for _ in range(40):
        with pytest.raises(Unavailable, match="SERVICE_UNAVAILABLE"):
            await guarded.call(
                "/x/Y",
                b"",
                principal=Principal.system("test"),
                today=date(2025, 11, 23),
                deadline=Deadline.after(1),
                priority="staff",
            )

    assert nobody.asked <= 21


@pytest.mark.asyncio(loop_scope="module")
async def test_a_body_without_a_length_has_its_limit_too(edge: Edge) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield b" " * 65536

    headers = {**bearer(edge.provider.staff()), "idempotency-key": "12345678", "content-type": "application/json"}

    answer = await edge.http.post("/v1/bills:assess", content=pieces(), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")


OPERATOR = Principal(subject="idp|operator", client="test", roles=frozenset({"OPERATOR"}))


async def test_in_production_nobody_moves_the_day(new_database: NewDatabase) -> None:
    clock = BusinessClock(is_prod=True)
    clock.follow(date(2030, 1, 1))
    own = Local(await new_database("gateway"), [ClockRpc(clock)])
    known: dict[str, Any] = {"principal": OPERATOR, "today": clock.today, "deadline": Deadline.after(5)}

    for method in ("GetTestClock", "SetTestClock"):
        with pytest.raises(Forbidden, match="TEST_MODE_ONLY"):
            await own.call(f"/hrss.gateway.v1.TestClockService/{method}", b"", **known)

    assert clock.today == clock.real_day


async def test_another_gateway_process_follows_the_moved_day(new_database: NewDatabase) -> None:
    database = await new_database("gateway")
    mine, theirs = BusinessClock(is_prod=False), BusinessClock(is_prod=False)
    request = gateway_service_pb2.SetTestClockRequest(request_id="r-1")
    request.business_date.year, request.business_date.month, request.business_date.day = 2026, 2, 3

    await Local(database, [ClockRpc(mine)]).call(
        "/hrss.gateway.v1.TestClockService/SetTestClock",
        request.SerializeToString(),
        principal=OPERATOR,
        today=mine.today,
        deadline=Deadline.after(5),
    )
    await theirs.read(database)

    assert mine.today == theirs.today == date(2026, 2, 3)


async def test_a_reading_that_began_before_a_move_does_not_undo_it(new_database: NewDatabase) -> None:
    database = await new_database("gateway")
    clock = BusinessClock(is_prod=False)
    owner = await asyncpg.connect(database.settings.database_owner_url)
    try:
        async with owner.transaction():
            await owner.execute("LOCK TABLE test_clock IN ACCESS EXCLUSIVE MODE")
            reading = asyncio.create_task(clock.read(database))
            while not await owner.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                assert not reading.done()
            clock.follow(date(2026, 2, 3))
        await reading
    finally:
        await owner.close()

    assert clock.today == date(2026, 2, 3)


async def test_a_call_that_was_not_sent_says_nothing_about_the_service(keys_dir: Path) -> None:
    async with echo_backend(keys_dir) as echo:
        guarded = Guarded("enrollment", Backend("enrollment", echo.address, Signer(keys_dir)))
        for _ in range(30):
            with pytest.raises(Fault, match="DEADLINE_EXCEEDED"):
                await guarded.call(
                    "/hrss.enrollment.v1.EnrollmentService/GetEmployer",
                    b"",
                    principal=Principal.system("test"),
                    today=date(2025, 3, 1),
                    deadline=Deadline.after(0),
                    priority="staff",
                )
        await guarded.close()

    assert not guarded.is_open


@pytest.mark.asyncio(loop_scope="module")
async def test_the_time_of_a_slow_body_is_not_taken_from_the_service(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcoder, "DEADLINE_SECONDS", 0.5)

    async def slowly() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(0.6)
        yield b"}"

    headers = bearer(edge.provider.staff()) | {"idempotency-key": "slow-body-1", "content-type": "application/json"}
    answer = await edge.http.post("/v1/payrolls", content=slowly(), headers=headers)

    assert answer.status_code == 202, answer.text


def test_production_reaches_no_service_in_plaintext_over_the_network() -> None:
    given = {
        "env": "prod",
        "database_url": "postgresql://x",
        "nats_url": "tls://gateway@nats",
        "idp_issuer": "https://login.example.gov.cn",
    }
    away = {"benefits_address": "benefits.internal:41002", "enrollment_address": "[::1]:41001"}
    settings = GatewaySettings.model_validate(given | away)
    meshed = GatewaySettings.model_validate(given | away | {"allow_plaintext_rpc": "yes"})

    assert [name for name, _, _ in settings.problems()] == ["HRSS_BENEFITS_ADDRESS"]
    assert not meshed.problems()
