"""Proofs of identity: answer, number and time of a check, and never a picture."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from chassis.transaction import Transaction


class Method(StrEnum):
    """How an identity was proved."""

    FACE = "FACE"  # 活体人脸
    COUNTER = "COUNTER"  # 窗口核验
    PHYSICAL = "PHYSICAL"  # 实体卡制发


@dataclass(frozen=True, slots=True)
class Proof:
    """The answer of a check."""

    method: Method
    evidence_ref: str
    passed: bool
    simulated: bool


async def add(tx: Transaction, card_id: UUID, proof: Proof) -> None:
    """Keep the answer of a check."""
    await tx.execute(
        """
        INSERT INTO identity_proof (card_id, method, evidence_ref, passed, simulated, proved)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        card_id,
        proof.method,
        proof.evidence_ref,
        proof.passed,
        proof.simulated,
        tx.now,
    )


async def get(tx: Transaction, card_id: UUID) -> Proof | None:
    """The answer that was kept for a card."""
    query = "SELECT method, evidence_ref, passed, simulated FROM identity_proof WHERE card_id = $1"
    row = await tx.fetchrow(query, card_id)
    return Proof(Method(row[0]), row[1], row[2], row[3]) if row is not None else None


async def waiting(tx: Transaction, limit: int) -> Sequence[UUID]:
    """The cards that wait for an answer, oldest first."""
    query = "SELECT card_id FROM card WHERE state = 'VERIFYING' ORDER BY card_id LIMIT $1"
    return [row["card_id"] for row in await tx.fetch(query, limit)]
