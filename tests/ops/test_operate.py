"""What an operator does beside the API, and what `hrss status --settled` sees, on real servers."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from chassis import bus, migrate
from kernel.errors import AlreadyExists, Forbidden, NotFound, Refused
from ops.operate import Operator
from ops.servers import SERVICES, Broker, Databases
from ops.status import settlement

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ops.embedded.nats import EmbeddedNats
    from ops.embedded.postgres import EmbeddedPostgres

PARKED = """
    INSERT INTO parked (event_id, producer, subject, body, reason, tries)
    VALUES ($1, 'enrollment', 'hrss.enrollment.v1.PersonRegistered', '', 'BODY_MALFORMED', 1) RETURNING number
"""
JOB = """
    INSERT INTO job (id, kind, params, state, business_date, started_by)
    VALUES ($1, 'import_history', '{}', $2, '2026-08-01', 'test')
"""


@pytest.fixture
async def databases(postgres: EmbeddedPostgres) -> AsyncIterator[Databases]:
    """A fresh database with the chassis' tables for each service."""
    template, copies = "operated", {service: f"operated_{service}" for service in SERVICES}
    postgres.create_database(template)
    await migrate.upgrade_async(template, postgres.owner_url(template), f"{template}_app")
    for copy in copies.values():
        postgres.clone_database(template, copy)
    yield Databases(
        app_urls={service: postgres.url(f"{template}_app", copy) for service, copy in copies.items()},
        owner_urls={service: postgres.url(f"{template}_owner", copy) for service, copy in copies.items()},
    )
    for copy in copies.values():
        postgres.drop_database(copy)


@pytest.fixture
async def broker(nats_server: EmbeddedNats) -> AsyncIterator[Broker]:
    """A broker with a stream for each service and no consumers."""
    await bus.provision(nats_server.admin_url, streams=SERVICES, consumers={})
    yield Broker({service: nats_server.url(service) for service in SERVICES}, nats_server.admin_url)
    client = await bus.connect([nats_server.admin_url], name="test", attempts=1)
    for service in SERVICES:
        await client.jetstream().delete_stream(bus.stream_of(service))
    await client.close()


@pytest.fixture
def keys_dir(tmp_path: Path) -> Path:
    """No keys are needed here."""
    return tmp_path


async def execute(databases: Databases, service: str, statement: str, *parameters: object) -> object:
    """Change a database as its owner."""
    connection = await asyncpg.connect(databases.owner_urls[service])
    try:
        return await connection.fetchval(statement, *parameters)
    finally:
        await connection.close()


async def test_quiet_platform_is_settled(databases: Databases, broker: Broker) -> None:
    found = await settlement(databases, broker)

    assert found.is_settled
    assert found.as_json()["settled"] is True


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO outbox (event_id, epoch, subject, keys, payload) VALUES (gen_random_uuid(), 1, 's', '{}', '')",
        "INSERT INTO waiting SELECT 'kind', 'id', 2, gen_random_uuid(), 'subject', ''",
        PARKED.replace("$1", "gen_random_uuid()"),
        JOB.replace("$1", "gen_random_uuid()").replace("$2", "'RUNNING'"),
    ],
    ids=["outbox", "waiting", "parked", "job"],
)
@pytest.mark.parametrize("service", SERVICES)
async def test_whatever_is_left_anywhere_is_seen(
    databases: Databases, broker: Broker, service: str, statement: str
) -> None:
    await execute(databases, service, statement)

    found = await settlement(databases, broker)

    assert not found.is_settled
    assert [name for name, behind in found.services.items() if not behind.is_settled] == [service]


async def test_message_that_a_consumer_has_not_taken_is_seen(databases: Databases, broker: Broker) -> None:
    client = await bus.connect([broker.admin_url], name="test", attempts=1)
    stream = client.jetstream()
    await stream.add_consumer(bus.stream_of("enrollment"), durable_name="benefits", ack_policy="explicit")
    await stream.publish("hrss.enrollment.v1.PersonRegistered", b"")
    await client.close()

    found = await settlement(databases, broker)

    assert not found.is_settled
    assert [(lag.producer, lag.consumer, lag.pending) for lag in found.consumers] == [("enrollment", "benefits", 1)]


async def test_finished_and_paused_jobs_do_not_count(databases: Databases, broker: Broker) -> None:
    for state in ("DONE", "PAUSED", "FAILED", "CANCELLED"):
        await execute(databases, "benefits", JOB, uuid4(), state)

    assert (await settlement(databases, broker)).is_settled


async def test_job_is_found_paused_and_resumed_with_an_audit_row(
    databases: Databases, broker: Broker, keys_dir: Path
) -> None:
    operator, job_id = Operator(databases, broker, keys_dir, account="alice"), uuid4()
    await execute(databases, "benefits", JOB, job_id, "RUNNING")

    service, found = await operator.find_job(job_id)
    paused = await operator.pause_job(job_id, "wrong file")
    resumed = await operator.resume_job(job_id)

    assert (service, found.state, paused.state, resumed.state) == ("benefits", "RUNNING", "PAUSED", "RUNNING")
    assert [job.id for _, job in await operator.list_jobs(10)] == [job_id]
    actions = await execute(databases, "benefits", "SELECT array_agg(subject || ' ' || action ORDER BY seq) FROM audit")
    assert actions == ["os|alice job_paused", "os|alice job_resumed"]


async def test_unknown_job_is_not_found(databases: Databases, broker: Broker, keys_dir: Path) -> None:
    with pytest.raises(NotFound):
        await Operator(databases, broker, keys_dir).find_job(uuid4())


async def test_parked_fact_is_dropped_only_with_a_second_person(
    databases: Databases, broker: Broker, keys_dir: Path
) -> None:
    number = await execute(databases, "benefits", PARKED, uuid4())
    assert isinstance(number, int)
    alice, bob = (Operator(databases, broker, keys_dir, account=name) for name in ("alice", "bob"))
    approval_id = await alice.ask_to_drop("benefits", number)

    with pytest.raises(Forbidden):
        await alice.approve_drop("benefits", number, approval_id, "me again")
    with pytest.raises(AlreadyExists):
        await bob.ask_to_drop("benefits", number)
    assert [one.number for one in await bob.list_parked("benefits", 10)] == [number]

    await bob.approve_drop("benefits", number, approval_id, "cannot be read, was sent again")

    assert (await alice.show_parked("benefits", number)).state == "DROPPED"
    assert await alice.list_parked("benefits", 10) == []


async def test_approval_of_one_drop_does_not_serve_for_another(
    databases: Databases, broker: Broker, keys_dir: Path
) -> None:
    first, second = [await execute(databases, "benefits", PARKED, uuid4()) for _ in range(2)]
    assert isinstance(first, int)
    assert isinstance(second, int)
    alice, bob = (Operator(databases, broker, keys_dir, account=name) for name in ("alice", "bob"))
    approval_id = await alice.ask_to_drop("benefits", first)

    with pytest.raises(Refused):
        await bob.approve_drop("benefits", second, approval_id, "the wrong one")

    assert (await bob.show_parked("benefits", second)).state == "PARKED"


async def test_republish_restores_an_empty_stream(databases: Databases, broker: Broker, keys_dir: Path) -> None:
    statement = """
        INSERT INTO outbox (event_id, epoch, subject, keys, payload, published)
        SELECT gen_random_uuid(), 1, 'hrss.enrollment.v1.PersonRegistered', ARRAY['person/per_' || n], '', now()
        FROM generate_series(1, 5) AS n
    """
    await execute(databases, "enrollment", statement)
    operator = Operator(databases, broker, keys_dir)

    count = await operator.republish("enrollment", since=None, sequence=None, key=None)
    one = await operator.republish("enrollment", since=None, sequence=None, key="person/per_3")

    client = await bus.connect([broker.admin_url], name="test", attempts=1)
    state = (await client.jetstream().stream_info(bus.stream_of("enrollment"))).state
    await client.close()
    assert (count, one, state.messages) == (5, 1, 6)
