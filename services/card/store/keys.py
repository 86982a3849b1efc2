"""Where the signing keys stand, for every process; and the trust lists that say so to verifiers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.card.crypto import profile as profiles
from services.card.crypto import sm2
from services.card.crypto.algorithms import ES256
from services.card.keyring import KeyState, Purpose, SigningKey

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from chassis.transaction import Transaction
    from services.card.providers import Held


async def version(tx: Transaction, *, lock: bool = False) -> int:
    """The number of the last change of any key; 0: none was registered. Locked, changes come one after the other."""
    query = "SELECT version FROM key_version"
    row = await tx.fetchrow(f"{query} FOR UPDATE" if lock else query)
    return int(row["version"]) if row is not None else 0


async def load(tx: Transaction) -> list[SigningKey]:
    """All keys whose algorithm this machine can compute."""
    rows = await tx.fetch("SELECT label, purpose, alg, point, state FROM signing_key ORDER BY state_since, label")
    return [
        SigningKey(
            Purpose(row["purpose"]), row["label"], profiles.public(row["alg"], row["point"]), KeyState(row["state"])
        )
        for row in rows
        if row["alg"] == ES256 or sm2.is_available()
    ]


async def add(tx: Transaction, held: Iterable[tuple[Held, KeyState]], made_by: str) -> int:
    """Register keys; how many were new."""
    count = 0
    for one, state in held:
        count += await tx.execute(
            """
            INSERT INTO signing_key (label, purpose, alg, point, state, state_since, made_by)
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
            """,
            one.label,
            one.purpose.value,
            one.public.alg,
            one.public.point,
            state.value,
            tx.now,
            made_by,
        )
    return count


async def history(tx: Transaction, label: str) -> tuple[str, datetime] | None:
    """Who made a key and since when it stands where it stands."""
    row = await tx.fetchrow("SELECT made_by, state_since FROM signing_key WHERE label = $1", label)
    return (row["made_by"], row["state_since"]) if row is not None else None


async def since(tx: Transaction) -> dict[str, datetime]:
    """Since when each key stands where it stands."""
    rows = await tx.fetch("SELECT label, state_since FROM signing_key")
    return {row["label"]: row["state_since"] for row in rows}


async def set_state(tx: Transaction, label: str, state: KeyState) -> None:
    """Let a key stand elsewhere."""
    await tx.execute("UPDATE signing_key SET state = $2, state_since = $3 WHERE label = $1", label, state.value, tx.now)


async def changed(tx: Transaction) -> None:
    """Tell every process that something changed."""
    await tx.execute("UPDATE key_version SET version = version + 1")


async def trust_list(tx: Transaction) -> tuple[int, bytes, int] | None:
    """The last trust list: its sequence, the signed bytes, the second at which it is over."""
    row = await tx.fetchrow("SELECT sequence, body, exp FROM trust_list ORDER BY sequence DESC LIMIT 1")
    return (row["sequence"], row["body"], row["exp"]) if row is not None else None


async def add_trust_list(tx: Transaction, sequence: int, body: bytes, iat: int, exp: int) -> bool:
    """Publish a trust list; False when there is one of this sequence."""
    query = "INSERT INTO trust_list (sequence, body, iat, exp) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
    return bool(await tx.execute(query, sequence, body, iat, exp))
