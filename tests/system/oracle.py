"""Invariants across the services: what was said was heard, once and in order, and nobody waits or is parked.

Each function answers with the differences it found, in words; a test ends with all of them empty. The invariants of
one service's own rows stand in `oracle_enrollment`, `oracle_benefits`, `oracle_training` and `oracle_card`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg

from chassis import audit_file, audit_keys, audit_verify
from chassis.policy import open_policy
from ops.platform import ASSUMED_VALUES
from services.benefits.policy import BenefitsPolicy
from services.training.policy import TrainingPolicy
from tests.system import oracle_training
from tests.system.oracle_benefits import violations
from tests.system.oracle_card import violations as card_violations
from tests.system.oracle_enrollment import broken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ops.home import Home

SERVICES = ("enrollment", "benefits", "training", "card")
# Which kinds of whom are heard by whom.
HEARD_KINDS = {
    ("enrollment", "benefits"): ("person", "participation", "contributions", "account"),
    ("enrollment", "training"): ("person", "participation", "contributions"),
    ("enrollment", "card"): ("person",),
    ("benefits", "enrollment"): ("benefit",),
    ("benefits", "training"): ("benefit",),
}


async def differences(owner_url: Callable[[str], str], home: Home | None = None) -> list[str]:
    """Everything that is wrong across and inside the services; with its home also the chains of the audit."""
    connections = {service: await asyncpg.connect(owner_url(service).replace("+asyncpg", "")) for service in SERVICES}
    try:
        found: list[str] = []
        for service, connection in connections.items():
            found += await _unfinished(service, connection)
            found += await _versions(service, connection)
            found += await _audit(service, connection)
            found += await _chain(service, connection, home) if home is not None else []
        for producer, listener in HEARD_KINDS:
            found += await _heard(producer, listener, connections)
        counts = await broken(owner_url("enrollment"))
        found += [f"enrollment: {name}: {count}" for name, count in counts.items()]
        store = open_policy(local_file=ASSUMED_VALUES)
        found += [f"benefits: {text}" for text in await violations(owner_url("benefits"), BenefitsPolicy(store))]
        wrong = await oracle_training.violations(owner_url("training"), TrainingPolicy(store))
        found += [f"training: {text}" for text in wrong]
        found += [f"card: {text}" for text in await card_violations(owner_url("card"))]
        return found
    finally:
        await asyncio.gather(*(connection.close() for connection in connections.values()))


async def _unfinished(service: str, connection: asyncpg.Connection[asyncpg.Record]) -> list[str]:
    """I14: nothing is left in an outbox, a waiting room or the parking place."""
    questions = {
        "outbox": "SELECT count(*) FROM outbox WHERE published IS NULL",
        "waiting": "SELECT count(*) FROM waiting",
        "parked": "SELECT count(*) FROM parked WHERE state = 'PARKED'",
        "jobs": "SELECT count(*) FROM job WHERE state IN ('QUEUED', 'RUNNING', 'FAILED')",
    }
    counts = {name: await connection.fetchval(question) for name, question in questions.items()}
    return [f"{service}: {count} left in {name}" for name, count in counts.items() if count]


async def _versions(service: str, connection: asyncpg.Connection[asyncpg.Record]) -> list[str]:
    """I4: an aggregate has said as many facts as its version counts."""
    wrong = await connection.fetchval(
        "SELECT count(*) FROM (SELECT kind || '/' || id AS key, version FROM aggregate) a "
        "WHERE NOT EXISTS (SELECT 1 FROM outbox o WHERE a.key = ANY(o.keys))"
    )
    return [f"{service}: {wrong} aggregates with versions and no event"] if wrong else []


async def _heard(
    service: str, listener: str, connections: Mapping[str, asyncpg.Connection[asyncpg.Record]]
) -> list[str]:
    """I4, I5: the other service has applied exactly the last version of every aggregate it hears of."""
    said, hearer = connections[service], connections[listener]
    kinds = list(HEARD_KINDS[service, listener])
    last = {
        (row["kind"], row["id"]): row["version"]
        for row in await said.fetch("SELECT kind, id, version FROM aggregate WHERE kind = ANY($1)", kinds)
    }
    seen = {
        (row["kind"], row["id"]): row["version"]
        for row in await hearer.fetch("SELECT kind, id, version FROM seen WHERE kind = ANY($1)", kinds)
    }
    wrong = {key for key in last.keys() | seen.keys() if last.get(key) != seen.get(key)}
    found = [f"{listener}: {len(wrong)} aggregates of {service} not at their last version"] if wrong else []
    events = {
        row["event_id"]
        for row in await said.fetch(
            "SELECT event_id FROM outbox o "
            "WHERE EXISTS (SELECT 1 FROM unnest(o.keys) k WHERE split_part(k, '/', 1) = ANY($1))",
            kinds,
        )
    }
    inbox = {row["event_id"] for row in await hearer.fetch("SELECT event_id FROM inbox WHERE producer = $1", service)}
    if events != inbox:
        found.append(f"{listener}: {len(events - inbox)} events of {service} not heard, {len(inbox - events)} unknown")
    return found


async def _audit(service: str, connection: asyncpg.Connection[asyncpg.Record]) -> list[str]:
    """I2, I11: every stored reply has its audit row."""
    missing = await connection.fetchval(
        "SELECT count(*) FROM request r WHERE NOT EXISTS "
        "(SELECT 1 FROM audit a WHERE a.method = r.method AND a.request_id = r.request_id)"
    )
    return [f"{service}: {missing} changes without an audit row"] if missing else []


async def _chain(service: str, connection: asyncpg.Connection[asyncpg.Record], home: Home) -> list[str]:
    """I11: the chain is what it was, also by the checkpoints outside."""
    path = audit_file.path_of(home.audit, service)
    kept = audit_file.read_all(path) if path.exists() else None
    report = await audit_verify.verify(connection, service, audit_keys.verifier(home.keys, service), kept)
    return [f"{service}: audit: {report.fault.text(1)}"] if report.fault else []
