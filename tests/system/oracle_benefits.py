"""What must hold in the database of benefits at any moment, whatever happened before.

Every test that moved money ends with `assert await violations(database, policy) == []`. The rules of the books have
one source (`services.benefits.store.books`); digests and statements are computed here again from what is stored.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import asyncpg

from kernel.calendar import Month
from kernel.statement import Statement
from services.benefits.adjusting import Facts, Terms, statement_of
from services.benefits.calculation import recompute
from services.benefits.lifecycle import Kind
from services.benefits.store.books import prove
from tests.system.oracle_kinds import kind_violations

if TYPE_CHECKING:
    from uuid import UUID

    from services.benefits.policy import BenefitsPolicy


async def violations(owner_url: str, policy: BenefitsPolicy) -> list[str]:
    """Every invariant that does not hold, with what breaks it."""
    connection = await asyncpg.connect(owner_url)
    try:
        found = [f"{one.rule.code} ({one.rule.en}): {one.count}, first {one.first}" for one in await prove(owner_url)]
        found += await kind_violations(connection)
        found += await _payroll_digests(connection)
        return found + await _recomputed(connection, policy)
    finally:
        await connection.close()


async def _payroll_digests(connection: asyncpg.Connection[asyncpg.Record]) -> list[str]:
    """SHA-256 over the digests of the chunks, each SHA-256 over those of its payments, findings and gates.

    Behind them stands one over what is held back, where something is.
    """
    found = []
    for payroll in await connection.fetch("SELECT payroll_id, digest FROM payroll WHERE state <> 'PREPARING'"):
        payroll_id = payroll["payroll_id"]
        paid = await _by_chunk(
            connection,
            """
            SELECT chunk, sha256(convert_to(payment_id || '|' || amount_fen || '|', 'UTF8') || account_index) AS part
            FROM payment JOIN payee USING (payee_id)
            WHERE payroll_id = $1 AND state <> 'WITHDRAWN' ORDER BY payment_id
            """,
            payroll_id,
        )
        said = await _by_chunk(
            connection,
            """
            SELECT chunk, convert_to(concat_ws('|', benefit_id, gate, effect, detail) || chr(10), 'UTF8') AS part
            FROM payroll_finding WHERE payroll_id = $1 ORDER BY benefit_id, gate
            """,
            payroll_id,
        )
        gates = await _by_chunk(
            connection,
            """
            SELECT chunk, convert_to(concat_ws('|', gate, checked_count, blocked_count, warned_count, released_count,
                                               terms) || chr(10), 'UTF8') AS part
            FROM payroll_gate WHERE payroll_id = $1 ORDER BY gate
            """,
            payroll_id,
        )
        whole = b"".join(
            hashlib.sha256(paid.get(chunk, b"") + said.get(chunk, b"") + gates[chunk]).digest()
            for chunk in sorted(gates)
        )
        held = await connection.fetch(
            """
            SELECT convert_to(concat_ws('|', payment_id, recovery_id, deduction.amount_fen) || chr(10), 'UTF8') AS part
            FROM deduction JOIN payment USING (payment_id)
            WHERE payroll_id = $1 AND payment.state <> 'WITHDRAWN' ORDER BY payment_id
            """,
            payroll_id,
        )
        if held:
            whole += hashlib.sha256(b"".join(row["part"] for row in held)).digest()
        if hashlib.sha256(whole).digest() != payroll["digest"]:
            found.append(f"the digest of payroll {payroll_id} is not that of its payments and findings")
    return found


async def _by_chunk(connection: asyncpg.Connection[asyncpg.Record], query: str, payroll_id: UUID) -> dict[int, bytes]:
    parts: dict[int, bytes] = {}
    for row in await connection.fetch(query, payroll_id):
        parts[row["chunk"]] = parts.get(row["chunk"], b"") + row["part"]
    return {chunk: hashlib.sha256(part).digest() for chunk, part in parts.items()}


async def _recomputed(connection: asyncpg.Connection[asyncpg.Record], policy: BenefitsPolicy) -> list[str]:
    """Calculations say what their digests say, and inputs give the statements again that were stored and paid."""
    found: list[str] = []
    calculations: dict[bytes, Any] = {}
    made_again = await _made_again(connection, found)
    for row in await connection.fetch("SELECT * FROM calculation WHERE terms_id IS NULL"):
        inputs, statement = json.loads(row["inputs"]), json.loads(row["statement"])
        content = {
            "kind": row["kind"],
            "policy_version": row["policy_version"],
            "inputs": inputs,
            "statement": statement,
        }
        text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        if hashlib.sha256(text.encode()).digest() != row["digest"]:
            found.append(f"calculation {row['digest'].hex()} was changed")
        if Statement.from_plain(statement).total.fen != row["total_fen"]:
            found.append(f"calculation {row['digest'].hex()} does not add up")
        calculations[row["digest"]] = (Kind(row["kind"]), inputs, statement)
    decided = await connection.fetch(
        """
        SELECT 'determination' AS what, determination_id AS id, digest, first_month AS month, NULL AS fen
        FROM determination
        UNION ALL SELECT 'benefit', benefit_id, digest, first_month, monthly_fen FROM benefit
        UNION ALL SELECT 'payment', payment_id, digest, month, amount_fen FROM payment WHERE item = 'MONTH'
        """
    )
    for row in decided:
        if row["digest"] in made_again:
            if row["fen"] != made_again[row["digest"]].total.fen:
                found.append(f"{row['what']} {row['id']} has {row['fen']} fen, adjusted to another amount")
            continue
        kind, inputs, statement = calculations[row["digest"]]
        again = recompute(kind, inputs, Month.of(row["month"]), policy).statement
        if again.to_plain() != statement:
            found.append(f"{row['what']} {row['id']} is recomputed differently")
        if row["fen"] is not None and row["fen"] != again.total.fen:
            found.append(f"{row['what']} {row['id']} has {row['fen']} fen, recomputed {again.total.fen}")
    return found


async def _made_again(connection: asyncpg.Connection[asyncpg.Record], found: list[str]) -> dict[bytes, Statement]:
    """The statements of adjustments, made from the terms of their runs; what does not add up is noted."""
    made: dict[bytes, Statement] = {}
    for row in await connection.fetch(
        "SELECT c.digest, inputs, total_fen, terms FROM calculation AS c JOIN adjustment ON adjustment_id = terms_id"
    ):
        terms = Terms.from_plain(json.loads(row["terms"]))
        made[row["digest"]] = statement_of(Facts(**json.loads(row["inputs"])), terms)
        if made[row["digest"]].total.fen != row["total_fen"]:
            found.append(f"adjustment {row['digest'].hex()} does not add up")
    return made
