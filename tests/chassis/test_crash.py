"""A process dies between any two steps, and nothing is lost or doubled."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chassis import crash
from chassis.inbox import ConsumerLoop
from chassis.jobs import JobKind
from chassis.outbox import Relay
from chassis.worker import Worker
from tests.chassis import victim
from tests.chassis.conditions import until
from tests.chassis.demo import MIGRATIONS, a_consumer, say, written
from tests.chassis.test_events import in_stream, reached, running, strokes
from tests.chassis.test_jobs import chunks_done, ended, started
from tests.plugins.databases import Nats, NewDatabase, owner_fetch

if TYPE_CHECKING:
    from chassis.database import Database


def test_every_point_is_somewhere_in_the_code() -> None:
    chassis = Path(crash.__file__).parent
    rooms = (*chassis.glob("*.py"), *chassis.parent.glob("services/**/*.py"))
    source = "".join(path.read_text() for path in rooms if path.name != "crash.py")

    assert set(re.findall(r'crash\.at\("(\w+)"\)', source)) == crash.POINTS


def die(database: Database, what: str, at: str, *, nats_url: str = "") -> None:
    """Let a process die at a crash point."""
    settings = database.settings.model_copy(update={"test_crash": at, "nats_url": nats_url})
    process = subprocess.run(
        [sys.executable, "-m", "tests.chassis.victim", what],
        input=settings.model_dump_json(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == crash.EXIT_CODE, process.stderr


@pytest.mark.parametrize(("at", "rows"), [("before_commit", 0), ("after_commit", 1)])
async def test_a_command_is_whole_or_nothing_and_can_be_repeated(database: Database, at: str, rows: int) -> None:
    die(database, "command", at)

    for table in ("note", "outbox", "request", "audit"):
        assert len(await owner_fetch(database, f"SELECT 1 FROM {table}")) == rows
    await victim.command(database)
    await victim.command(database)
    for table in ("note", "outbox", "request", "audit"):
        assert len(await owner_fetch(database, f"SELECT 1 FROM {table}")) == 1


async def test_a_relay_that_dies_before_it_marks_publishes_again_and_the_inbox_knows(
    database: Database, new_database: NewDatabase, nats: Nats
) -> None:
    listener = await new_database("demo", migrations=MIGRATIONS)
    consumer = a_consumer()
    await nats.provision(["enrollment"], {"benefits": [consumer]})
    await say(database, written("a"), written("b"))

    die(database, "relay", "after_publish_before_mark", nats_url=nats.url("enrollment"))

    assert len(await in_stream(nats)) == 2
    assert len(await owner_fetch(database, "SELECT 1 FROM outbox WHERE published IS NULL")) == 1
    loop = ConsumerLoop(listener, await nats.bus("benefits"), consumer)
    async with running(Relay(database, await nats.bus("enrollment")), loop):
        await say(database, written("c"))
        await until(lambda: reached(listener, 3))
    assert sorted(await strokes(listener)) == [("a", 1), ("b", 1), ("c", 1)]


async def test_a_consumer_that_dies_before_it_acknowledges_has_one_effect(
    database: Database, new_database: NewDatabase, nats: Nats
) -> None:
    listener = await new_database("demo", migrations=MIGRATIONS)
    consumer = a_consumer()
    await nats.provision(["enrollment"], {"benefits": [consumer]})
    async with running(Relay(database, await nats.bus("enrollment"))):
        await say(database, written("a"))
        await until(lambda: published(database))

    die(listener, "consumer", "after_effect_before_ack", nats_url=nats.url("benefits"))

    assert await strokes(listener) == [("a", 1)]
    await nats.delete_streams()  # the acknowledgement never came: everything is delivered once more
    await nats.provision(["enrollment"], {"benefits": [consumer]})
    await owner_fetch(database, "UPDATE outbox SET published = NULL")
    async with running(
        Relay(database, await nats.bus("enrollment")), ConsumerLoop(listener, await nats.bus("benefits"), consumer)
    ):
        await say(database, written("b"))
        await until(lambda: reached(listener, 2))
    assert sorted(await strokes(listener)) == [("a", 1), ("b", 1)]


async def published(database: Database) -> bool:
    return not await owner_fetch(database, "SELECT 1 FROM outbox WHERE published IS NULL")


@pytest.mark.parametrize("at", ["chunk_taken:2", "chunk_before_done:2", "after_commit:2"])
async def test_a_job_goes_on_where_a_killed_worker_was(database: Database, at: str) -> None:
    job_id = await started(database, [{}] * 4)

    die(database, "jobs", at)

    worker = Worker(database, [JobKind("count", victim.count)])
    await until(lambda: _worked(worker, database, job_id))
    assert await chunks_done(database) == [1, 2, 3, 4]


async def _worked(worker: Worker, database: Database, job_id: object) -> bool:
    await worker.run_one()
    return await ended(database, job_id)  # type: ignore[arg-type] # an id as `started` gave it


def test_a_crash_point_is_armed_in_tests_only(new_database: NewDatabase) -> None:
    settings = new_database.settings("demo", migrations=MIGRATIONS, test_crash="before_commit")

    crash.arm(settings.model_copy(update={"env": "dev"}))
    crash.at("before_commit")  # would end this process

    crash.arm(settings.model_copy(update={"test_crash": "before_commit:2"}))
    crash.at("before_commit")
    with pytest.raises(ValueError, match="no such point"):
        crash.arm(settings.model_copy(update={"test_crash": "after_lunch"}))
    crash.arm(settings.model_copy(update={"test_crash": ""}))
