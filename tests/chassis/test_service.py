"""The life of a service process: it becomes ready, works without its neighbours, and ends in order and in time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest

from chassis.client import Backend, Deadline, Reply
from chassis.principal import Signer
from kernel import ids
from kernel.errors import Unavailable
from tests.chassis import demo
from tests.chassis.echo import pb
from tests.plugins.databases import owner_fetch
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from chassis.config import Settings
    from tests.plugins.databases import Nats, NewDatabase

ROOT = Path(__file__).resolve().parent.parent.parent
PERSON = ids.new_id()
CITIZEN = a_principal(person_id=PERSON)
LIMIT_SECONDS = 30.0  # for a machine that does ten other things; on an idle one everything takes about a second
NOWHERE = "127.0.0.1:9"  # the discard port: nobody listens


@dataclass
class Started:
    """A service process and where it listens."""

    process: subprocess.Popen[str]
    settings: Settings
    ready_file: Path
    where: dict[str, int] = field(default_factory=dict)

    async def ready(self) -> Started:
        """Wait for the file that the process writes when it is ready."""
        await until(self.ready_file.exists, LIMIT_SECONDS, self)
        self.where = json.loads(self.ready_file.read_text())
        return self

    async def get(self, path: str) -> httpx.Response:
        """Ask its small HTTP server."""
        async with httpx.AsyncClient() as client:
            return await client.get(f"http://127.0.0.1:{self.where['metrics_port']}{path}")

    async def take_note(self, text: str, request_id: str = "r-1") -> Reply:
        """Call it as the gateway does."""
        backend = Backend("echo", f"127.0.0.1:{self.where['rpc_port']}", Signer(self.settings.keys_dir))
        request = pb.TakeNoteRequest(request_id=request_id, person_id=ids.to_text("per", PERSON), text=text)
        try:
            return await backend.call(
                "/hrss.echo.v1.EchoService/TakeNote",
                request.SerializeToString(),
                principal=CITIZEN,
                today=date(2025, 11, 23),
                deadline=Deadline.after(5),
            )
        finally:
            await backend.close()

    async def end(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Tell it to stop; its exit code and how long that took."""
        before = time.monotonic()
        self.process.send_signal(number)
        await until(lambda: self.process.poll() is not None, LIMIT_SECONDS, self)
        return self.process.returncode, time.monotonic() - before


async def until(condition: Callable[[], bool], seconds: float, started: Started) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        alive = started.process.poll() is None
        if time.monotonic() > deadline or not (alive or condition()):
            started.process.kill()
            pytest.fail(f"not in {seconds} s (alive: {alive}): {started.process.communicate()[1]}")
        await asyncio.sleep(0.02)


async def eventually(condition: Callable[[], Awaitable[bool]], tries: int = 1500) -> None:
    for _ in range(tries):
        if await condition():
            return
        await asyncio.sleep(0.02)
    pytest.fail("it did not happen in thirty seconds")


class Starter:
    """Starts processes and leaves none behind."""

    def __init__(self, tmp_path: Path) -> None:
        self._tmp_path = tmp_path
        self.all: list[Started] = []

    def __call__(self, settings: Settings, **variables: str) -> Started:
        """Start one; further settings as variables."""
        ready_file = self._tmp_path / f"ready-{len(self.all)}.json"
        environ = {
            "PATH": os.environ["PATH"],
            "HRSS_ENV": "test",
            "HRSS_DATABASE_URL": settings.database_url,
            "HRSS_KEYS_DIR": str(settings.keys_dir),
            "HRSS_READY_FILE": str(ready_file),
            **{f"HRSS_{name.upper()}": value for name, value in variables.items()},
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.chassis.echo_service"],
            cwd=ROOT,
            env=environ,
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        started = Started(process, settings, ready_file)
        self.all.append(started)
        return started


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    starter = Starter(tmp_path)
    yield starter
    for started in starter.all:
        if started.process.poll() is None:
            started.process.kill()
        started.process.wait()
        if started.process.stderr is not None:
            started.process.stderr.close()


async def test_a_service_starts_answers_and_ends_with_zero(start: Starter, new_database: NewDatabase) -> None:
    started = await start(new_database.settings("gateway")).ready()

    assert started.where["pid"] == started.process.pid
    assert (await started.get("/readyz")).status_code == 200
    assert (await started.take_note("hello")).min_version
    scraped = (await started.get("/metrics")).text
    assert 'hrss_rpc_server_seconds_count{code="OK",method="/hrss.echo.v1.EchoService/TakeNote"} 1.0' in scraped
    assert "hrss_outbox_pending 1.0" in scraped

    code, seconds = await started.end()
    assert code == 0
    assert seconds < 15
    assert not started.ready_file.exists()


async def test_with_broker_and_collector_away_commands_go_on_and_the_end_is_in_time(
    start: Starter, new_database: NewDatabase
) -> None:
    settings = new_database.settings("gateway")
    started = await start(settings, nats_url=f"nats://{NOWHERE}", otlp_endpoint=f"http://{NOWHERE}").ready()

    await started.take_note("hello")
    ready = await started.get("/readyz")

    assert ready.status_code == 200
    code, seconds = await started.end()
    assert code == 0
    assert seconds < 15


async def test_facts_are_heard_and_their_consumers_end_in_order(
    start: Starter, new_database: NewDatabase, nats: Nats
) -> None:
    database = await new_database("gateway")
    await nats.provision(["enrollment"], {"gateway": [demo.a_consumer()]})
    started = await start(database.settings, nats_url=nats.url("gateway")).ready()
    bus = await nats.bus("enrollment")

    event = demo.NoteWritten(facts=[demo.written("note-1", version=1)]).SerializeToString()
    await bus.publish("hrss.enrollment.v1.NoteWritten", event, {"Nats-Msg-Id": str(uuid4()), "Hrss-Epoch": "1"})

    async def heard() -> bool:
        return bool(await owner_fetch(database, "SELECT 1 FROM audit WHERE action = 'note_heard'"))

    async def idle() -> bool:
        return 'hrss_consumer_pending{consumer="enrollment"} 0.0' in (await started.get("/metrics")).text

    await eventually(heard)
    await eventually(idle)
    assert (await started.get("/readyz")).json() == {"ready": True, "missing": {}}
    assert (await started.end())[0] == 0


async def test_a_call_under_way_is_finished_before_the_process_ends(
    start: Starter, new_database: NewDatabase, tmp_path: Path
) -> None:
    started = await start(new_database.settings("gateway")).ready()
    gate = tmp_path / "gate"
    call = asyncio.create_task(started.take_note(f"slow {gate}"))
    await until(gate.with_suffix(".begun").exists, LIMIT_SECONDS, started)

    started.process.send_signal(signal.SIGTERM)
    await until(lambda: not started.ready_file.exists(), LIMIT_SECONDS, started)
    with pytest.raises(Unavailable):
        await started.take_note("too late", request_id="r-2")
    gate.touch()

    assert (await call).min_version
    assert (await started.end(0))[0] == 0


async def test_without_its_database_a_process_waits_and_says_so(start: Starter, new_database: NewDatabase) -> None:
    settings = new_database.settings("gateway")
    away = settings.model_copy(update={"database_url": f"postgresql://u:p@{NOWHERE}/gateway"})
    started = start(away, metrics_port="0")

    assert started.process.stderr is not None
    line = await asyncio.to_thread(_line_with, started.process, "waiting_for_database")
    assert "does not answer" in line
    assert "u:p" not in line
    assert not started.ready_file.exists()
    assert (await started.end(signal.SIGINT))[0] == 0


async def test_an_older_schema_is_waited_for(start: Starter, new_database: NewDatabase) -> None:
    database = await new_database("gateway")
    await owner_fetch(database, "CREATE TABLE kept AS SELECT * FROM schema_state")
    await owner_fetch(database, "DELETE FROM schema_state")
    started = start(database.settings)

    assert "schema is older" in await asyncio.to_thread(_line_with, started.process, "waiting_for_database")
    await owner_fetch(database, "INSERT INTO schema_state SELECT * FROM kept")

    await started.ready()
    await owner_fetch(database, "DELETE FROM schema_state")

    async def unready() -> bool:
        return (await started.get("/readyz")).status_code == 503

    await eventually(unready)
    assert (await started.end())[0] == 0


async def test_a_wrong_start_ends_with_one_sentence(start: Starter, new_database: NewDatabase, tmp_path: Path) -> None:
    settings = new_database.settings("gateway")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        causes = {
            "principal.pub": start(settings.model_copy(update={"keys_dir": tmp_path / "none"})),
            f"cannot listen on 127.0.0.1:{port}": start(settings, rpc_port=str(port)),
        }
        for started in causes.values():
            await until(lambda process=started.process: process.poll() is not None, LIMIT_SECONDS, started)  # type: ignore[misc]  # binds the loop's process

    for cause, started in causes.items():
        assert started.process.returncode == 1
        assert started.process.stderr is not None
        stderr = started.process.stderr.read()
        assert cause in stderr
        assert "无法启动 gateway" in stderr
        assert "Traceback" not in stderr


def _line_with(process: subprocess.Popen[str], text: str) -> str:
    assert process.stderr is not None
    return next((line for line in process.stderr if text in line), "")


def test_a_process_without_a_database_says_what_is_missing() -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HRSS_")}

    ended = subprocess.run(
        [sys.executable, "-m", "services.benefits"],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 2
    assert "HRSS_DATABASE_URL" in ended.stderr
    assert "Traceback" not in ended.stderr
