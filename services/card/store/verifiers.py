"""Verifiers: their contracts, what they asked, their challenges, and what they saw offline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernel.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Verifier:
    """A contract: an organisation's system, what it may ask for, how often, and the key that it signs requests with."""

    client: str
    name: str
    is_active: bool
    purposes: tuple[str, ...]
    daily_quota: int
    alg: int | None
    point: bytes | None


@dataclass(frozen=True, slots=True)
class Check:
    """What a verifier saw offline."""

    reference: bytes
    nonce: bytes
    ts: int
    result: str


async def get(tx: Transaction, client: str) -> Verifier | None:
    """A contract."""
    row = await tx.fetchrow(
        "SELECT client, name, state, purposes, daily_quota, alg, point FROM verifier WHERE client = $1", client
    )
    if row is None:
        return None
    purposes = tuple(row["purposes"])
    return Verifier(
        client, row["name"], row["state"] == "active", purposes, row["daily_quota"], row["alg"], row["point"]
    )


async def save(tx: Transaction, verifier: Verifier) -> None:
    """Write a contract, new or changed."""
    await tx.execute(
        """
        INSERT INTO verifier (client, name, state, purposes, daily_quota, alg, point)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (client) DO UPDATE SET name = excluded.name, state = excluded.state, purposes = excluded.purposes,
          daily_quota = excluded.daily_quota, alg = excluded.alg, point = excluded.point
        """,
        verifier.client,
        verifier.name,
        "active" if verifier.is_active else "suspended",
        list(verifier.purposes),
        verifier.daily_quota,
        verifier.alg,
        verifier.point,
    )


async def count(tx: Transaction, client: str, day: date, quota: int) -> bool:
    """Count one more verification of a day; False when the quota is used up."""
    row = await tx.fetchrow(
        """
        INSERT INTO verifier_day (client, day, count) VALUES ($1, $2, 1)
        ON CONFLICT (client, day) DO UPDATE SET count = verifier_day.count + 1 WHERE verifier_day.count < $3
        RETURNING count
        """,
        client,
        day,
        quota,
    )
    return row is not None


async def use_nonce(tx: Transaction, client: str, nonce: bytes, expires: int, now: int) -> None:
    """Use up the number of a signed request.

    Raises:
        Refused: REQUEST_REPLAYED.
    """
    await tx.execute(
        """
        DELETE FROM verifier_nonce WHERE (client, nonce) IN (
          SELECT client, nonce FROM verifier_nonce WHERE expires < $1 ORDER BY expires LIMIT 5 FOR UPDATE SKIP LOCKED
        )
        """,
        now,
    )
    query = "INSERT INTO verifier_nonce (client, nonce, expires) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
    if not await tx.execute(query, client, nonce, expires):
        raise Refused("REQUEST_REPLAYED", "a signed request is good once", field="nonce")


async def add_challenge(tx: Transaction, audience: bytes, client: str, expires: int, now: int) -> None:
    """Keep a challenge for a while."""
    await tx.execute(
        """
        DELETE FROM challenge WHERE audience IN (
          SELECT audience FROM challenge WHERE expires < $1 ORDER BY expires LIMIT 5 FOR UPDATE SKIP LOCKED
        )
        """,
        now,
    )
    await tx.execute("INSERT INTO challenge (audience, client, expires) VALUES ($1, $2, $3)", audience, client, expires)


async def is_mine(tx: Transaction, audience: bytes, client: str, now: int) -> bool:
    """Whether a challenge was made for this verifier not long ago."""
    query = "SELECT 1 FROM challenge WHERE audience = $1 AND client = $2 AND expires >= $3"
    return await tx.fetchrow(query, audience, client, now) is not None


async def burn(tx: Transaction, reference: bytes, nonce: bytes, client: str, *, expires: int, now: int) -> bool:
    """Use up a number that a device signed; False when it was used before, here or offline elsewhere."""
    row = await tx.fetchrow(
        """
        WITH gone AS (
          DELETE FROM presented WHERE (reference, nonce) IN (
            SELECT reference, nonce FROM presented WHERE expires < $5 ORDER BY expires LIMIT 5 FOR UPDATE SKIP LOCKED
          )
        )
        INSERT INTO presented (reference, nonce, client, is_online, expires) VALUES ($1, $2, $3, true, $4)
        ON CONFLICT DO NOTHING RETURNING true
        """,
        reference,
        nonce,
        client,
        expires,
        now,
    )
    return row is not None


async def report(tx: Transaction, client: str, checks: Sequence[Check], expires: int) -> list[tuple[bytes, bytes]]:
    """Keep what a verifier saw offline; the numbers that another verifier saw too and that nobody spoke of yet.

    Rows go in sorted, so that two reports wait for each other instead of locking each other out.
    """
    doubles = []
    for check in sorted(checks, key=lambda one: (one.reference, one.nonce)):
        await tx.execute(
            """
            INSERT INTO offline_check (client, reference, nonce, ts, result, business_date)
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING
            """,
            client,
            check.reference,
            check.nonce,
            check.ts,
            check.result,
            tx.today,
        )
        row = await tx.fetchrow(
            """
            INSERT INTO presented AS seen (reference, nonce, client, is_online, expires) VALUES ($1, $2, $3, false, $4)
            ON CONFLICT (reference, nonce) DO UPDATE SET is_double = true
              WHERE seen.client <> excluded.client AND NOT seen.is_double
            RETURNING is_double
            """,
            check.reference,
            check.nonce,
            client,
            expires,
        )
        if row is not None and row["is_double"]:
            doubles.append((check.reference, check.nonce))
    return doubles


async def cards_of(tx: Transaction, references: Sequence[bytes]) -> dict[bytes, tuple[UUID, UUID]]:
    """Card and holder of references, of those that are known."""
    rows = await tx.fetch(
        """
        SELECT binding.reference, card.card_id, person_id FROM binding JOIN card USING (card_id)
        WHERE binding.reference = ANY($1::bytea[]) AND role <> 'server'
        UNION ALL
        SELECT reference, card_id, person_id FROM card WHERE reference = ANY($1::bytea[])
        """,
        list(references),
    )
    return {row["reference"]: (row["card_id"], row["person_id"]) for row in rows}
