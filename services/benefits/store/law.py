"""Snapshots of the law (政策快照), each once under the hash of its content."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chassis.transaction import Transaction


async def keep(tx: Transaction, version: str, content: bytes, release: str) -> bool:
    """Keep a law; False when it is kept already."""
    written = await tx.execute(
        "INSERT INTO law_snapshot (version, content, release) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        version,
        content,
        release,
    )
    return written == 1


async def content(tx: Transaction, version: str) -> bytes | None:
    """The packed content of a law, where it is kept."""
    row = await tx.fetchrow("SELECT content FROM law_snapshot WHERE version = $1", version)
    return None if row is None else row["content"]
