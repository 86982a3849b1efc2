"""What must hold in the database of training at any moment, whatever happened before.

Each invariant is a query that finds what breaks it, or a recomputation from what is stored; none of them uses the code
that wrote the rows.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import asyncpg

from kernel.statement import Statement
from services.training.calculation import from_plain, recompute
from services.training.domain.skill_subsidy import assess

if TYPE_CHECKING:
    from services.training.policy import TrainingPolicy

QUERIES = {
    "a ledger entry does not sum to zero": """
        SELECT entry_id FROM ledger_posting GROUP BY entry_id HAVING sum(amount_fen) <> 0
    """,
    "a certificate is paid twice": """
        SELECT person_id, certificate_id FROM subsidy_order GROUP BY person_id, certificate_id HAVING count(*) > 1
    """,
    "an occupation and level is paid twice": """
        SELECT person_id, occupation, level FROM subsidy_order
        GROUP BY person_id, occupation, level HAVING count(*) > 1
    """,
    "more than three grants in a year": """
        SELECT person_id, apply_year FROM subsidy_order GROUP BY person_id, apply_year HAVING count(*) > 3
    """,
    "two standing claims of one certificate": """
        SELECT certificate_id FROM claim WHERE state <> 'REJECTED' GROUP BY certificate_id HAVING count(*) > 1
    """,
    "maker and checker are one person": """
        SELECT claim_id FROM claim WHERE checker IN (maker, submitter)
        UNION ALL SELECT id FROM approval WHERE maker_person = checker_person
    """,
    "an approved claim without an order, or an order without an approved claim": """
        SELECT claim.claim_id FROM claim FULL JOIN subsidy_order USING (claim_id)
        WHERE coalesce(claim.state = 'APPROVED', false) <> (subsidy_order.order_id IS NOT NULL)
    """,
    "approved without an executed approval of the same two persons": """
        SELECT claim_id FROM claim LEFT JOIN approval ON approval.id = approval_id
        WHERE claim.state = 'APPROVED'
          AND (approval.state, maker_person, checker_person) IS DISTINCT FROM ('EXECUTED', maker, checker)
    """,
    "an order says something else than its claim and certificate": """
        SELECT order_id FROM subsidy_order one JOIN claim USING (claim_id)
        JOIN certificate paper ON paper.certificate_id = one.certificate_id
        WHERE (one.person_id, one.certificate_id, one.apply_date, one.digest, one.payee_id)
            IS DISTINCT FROM (claim.person_id, claim.certificate_id, claim.apply_date, claim.digest, claim.payee_id)
          OR (one.person_id, one.occupation, one.level)
            IS DISTINCT FROM (paper.person_id, paper.occupation, paper.level)
    """,
}

BALANCES = """
    WITH held AS (SELECT account, sum(amount_fen) AS fen FROM ledger_posting GROUP BY account),
    ordered AS (SELECT state, sum(amount_fen) AS fen FROM subsidy_order GROUP BY state)
    SELECT coalesce((SELECT sum(fen) FROM held WHERE account LIKE 'fund:%'), 0)
             = -coalesce((SELECT sum(fen) FROM ordered), 0)
           AND coalesce((SELECT sum(fen) FROM held WHERE account = 'clearing:bank'), 0)
             = coalesce((SELECT fen FROM ordered WHERE state = 'RELEASED'), 0)
           AND coalesce((SELECT sum(fen) FROM held WHERE account LIKE 'paid:%'), 0)
             = coalesce((SELECT fen FROM ordered WHERE state = 'CONFIRMED'), 0)
           AND coalesce((SELECT sum(fen) FROM held WHERE account LIKE 'returned:%'), 0)
             = coalesce((SELECT fen FROM ordered WHERE state = 'RETURNED'), 0)
"""


async def violations(owner_url: str, policy: TrainingPolicy) -> list[str]:
    """Every invariant that does not hold, with what breaks it."""
    connection = await asyncpg.connect(owner_url.replace("+asyncpg", ""))
    try:
        found = [
            f"{name}: {[tuple(row) for row in rows][:5]}"
            for name, query in QUERIES.items()
            if (rows := await connection.fetch(query))
        ]
        if not await connection.fetchval(BALANCES):
            found.append("the ledger and the orders differ")
        return found + await _recomputed(connection, policy)
    finally:
        await connection.close()


async def _recomputed(connection: asyncpg.Connection[asyncpg.Record], policy: TrainingPolicy) -> list[str]:
    """Calculations say what their digests say, their inputs are eligible, and give again what was ordered."""
    found = []
    rows = await connection.fetch(
        "SELECT calculation.*, amount_fen FROM calculation LEFT JOIN subsidy_order USING (digest)"
    )
    for row in rows:
        name = row["digest"].hex()
        inputs, statement = json.loads(row["inputs"]), json.loads(row["statement"])
        content = {"policy_version": row["policy_version"], "inputs": inputs, "statement": statement}
        text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        if hashlib.sha256(text.encode()).digest() != row["digest"]:
            found.append(f"calculation {name} was changed")
        if Statement.from_plain(statement).total.fen != row["total_fen"]:
            found.append(f"calculation {name} does not add up")
        if not assess(from_plain(inputs), policy.skill).eligible:
            found.append(f"calculation {name} is of a claim that is not eligible")
        if recompute(inputs, policy).statement.to_plain() != statement:
            found.append(f"calculation {name} is recomputed differently")
        if row["amount_fen"] not in {None, row["total_fen"]}:
            found.append(f"an order has {row['amount_fen']} fen, its calculation {row['total_fen']}")
    return found
