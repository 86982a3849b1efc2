"""What must hold in the database of benefits at any moment, whatever happened before.

Every test that moved money ends with `assert await violations(database, policy) == []`. Each invariant is a query that
finds what breaks it, or a recomputation from what is stored; none of them uses the code that wrote the rows.
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

if TYPE_CHECKING:
    from services.benefits.policy import BenefitsPolicy

QUERIES = {
    "a ledger entry does not sum to zero": """
        SELECT entry_id FROM ledger_posting GROUP BY entry_id HAVING sum(amount_fen) <> 0
    """,
    "the ledger does not sum to zero": "SELECT 1 FROM ledger_posting HAVING sum(amount_fen) <> 0",
    "a month of a benefit is paid twice": """
        SELECT benefit_id, month FROM payment GROUP BY benefit_id, month HAVING count(*) > 1
    """,
    "a month of a person is paid twice": """
        SELECT person_id, kind, month FROM payment WHERE state <> 'WITHDRAWN'
        GROUP BY person_id, kind, month HAVING count(*) > 1
    """,
    "a person draws pension and unemployment benefit for one month": """
        SELECT one.payment_id FROM payment one JOIN payment other USING (person_id, month)
        WHERE one.kind < other.kind AND one.state IN ('OPEN', 'CONFIRMED') AND other.state IN ('OPEN', 'CONFIRMED')
          AND one.payment_id NOT IN (SELECT payment_id FROM overpayment)
          AND other.payment_id NOT IN (SELECT payment_id FROM overpayment)
    """,
    "two running benefits of one kind": """
        SELECT person_id, kind FROM benefit WHERE state <> 'ENDED' GROUP BY person_id, kind HAVING count(*) > 1
    """,
    "a payment lies after the end of its benefit and nobody wrote it down": """
        SELECT payment_id FROM payment JOIN benefit USING (benefit_id)
        WHERE payment.month > benefit.last_month AND payment.state IN ('OPEN', 'CONFIRMED')
          AND payment_id NOT IN (SELECT payment_id FROM overpayment)
    """,
    "a benefit is paid past the month of a death": """
        WITH death AS (
          SELECT person_id, max(end_month) AS month FROM participation WHERE end_reason = 'DIED' GROUP BY person_id
        )
        SELECT payment_id FROM payment JOIN death USING (person_id)
        WHERE payment.month > death.month AND payment.state IN ('OPEN', 'CONFIRMED')
          AND payment_id NOT IN (SELECT payment_id FROM overpayment)
        UNION ALL
        SELECT benefit_id FROM benefit JOIN death USING (person_id)
        WHERE state <> 'ENDED' AND coalesce(last_month > death.month, true)
    """,
    "an overpayment is recovered although the money came back, or settled although it did not": """
        SELECT payment_id FROM overpayment JOIN payment USING (payment_id)
        WHERE (payment.state = 'RETURNED') <> (settled_date IS NOT NULL)
    """,
    "a payment lies before the start of its benefit": """
        SELECT payment_id FROM payment JOIN benefit USING (benefit_id) WHERE payment.month < benefit.first_month
    """,
    "a month of a benefit was left out": """
        SELECT benefit_id FROM benefit LEFT JOIN payment USING (benefit_id)
        GROUP BY benefit_id, benefit.first_month, benefit.next_month
        HAVING count(payment_id) <> (extract(year FROM next_month) - extract(year FROM first_month)) * 12
                                    + extract(month FROM next_month) - extract(month FROM first_month)
    """,
    "a payment goes to another payee or person than its benefit": """
        SELECT payment_id FROM payment JOIN benefit USING (benefit_id) JOIN payee ON payee.payee_id = payment.payee_id
        WHERE payment.payee_id <> benefit.payee_id OR payment.person_id <> benefit.person_id
          OR payee.person_id <> benefit.person_id OR payment.kind <> benefit.kind
    """,
    "maker and checker are one person": """
        SELECT determination_id FROM determination WHERE maker = checker
        UNION ALL SELECT payroll_id FROM payroll WHERE maker = checker
        UNION ALL SELECT id FROM approval WHERE maker_person = checker_person
    """,
    "a benefit without an approved determination": """
        SELECT benefit_id FROM benefit JOIN determination USING (determination_id)
        JOIN benefit_amount AS first USING (benefit_id)
        WHERE first.number = 1 AND (determination.state <> 'APPROVED' OR determination.digest <> first.digest
          OR determination.person_id <> benefit.person_id OR determination.payee_id <> benefit.payee_id)
    """,
    "a benefit has another amount than its newest": """
        SELECT benefit_id FROM benefit JOIN LATERAL (
            SELECT amount_fen, digest FROM benefit_amount AS one WHERE one.benefit_id = benefit.benefit_id
            ORDER BY number DESC LIMIT 1
        ) AS newest ON true
        WHERE (newest.amount_fen, newest.digest) IS DISTINCT FROM (benefit.monthly_fen, benefit.digest)
    """,
    "an approved determination without a benefit": """
        SELECT determination_id FROM determination LEFT JOIN benefit USING (determination_id)
        WHERE determination.state = 'APPROVED' AND benefit_id IS NULL
    """,
    "approved without an executed approval of the same two persons": """
        SELECT determination_id FROM determination LEFT JOIN approval ON approval.id = approval_id
        WHERE determination.state = 'APPROVED'
          AND (approval.state, maker_person, checker_person) IS DISTINCT FROM ('EXECUTED', maker, checker)
        UNION ALL
        SELECT payroll_id FROM payroll LEFT JOIN approval ON approval.id = approval_id
        WHERE payroll.state = 'APPROVED'
          AND ((approval.state, maker_person, checker_person) IS DISTINCT FROM ('EXECUTED', maker, checker)
               OR payload_hash <> sha256(digest))
    """,
    "a payroll does not add up": """
        SELECT payroll.payroll_id FROM payroll LEFT JOIN payment ON payment.payroll_id = payroll.payroll_id
          AND payment.state <> 'WITHDRAWN'
        WHERE payroll.state <> 'PREPARING' GROUP BY payroll.payroll_id
        HAVING payment_count <> count(payment_id) OR total_fen <> coalesce(sum(amount_fen), 0)
          OR confirmed_count <> count(*) FILTER (WHERE payment.state = 'CONFIRMED')
          OR returned_count <> count(*) FILTER (WHERE payment.state = 'RETURNED')
    """,
    "an answered payment of a payroll that was not approved": """
        SELECT payment_id FROM payment JOIN payroll USING (payroll_id)
        WHERE payment.state IN ('CONFIRMED', 'RETURNED') AND payroll.state <> 'APPROVED'
    """,
    "a released payment was withdrawn": """
        SELECT payment_id FROM payment JOIN benefit USING (benefit_id)
        WHERE payment.state = 'WITHDRAWN' AND payment.month <= coalesce(benefit.last_month, payment.month)
    """,
}

BALANCES = """
    WITH held AS (SELECT account, sum(amount_fen) AS fen FROM ledger_posting GROUP BY account),
    released AS (  -- what came back for a month after the end is owed to nobody: it is the fund's again
      SELECT payment.state, sum(amount_fen) AS fen FROM payment
      JOIN payroll USING (payroll_id) JOIN benefit USING (benefit_id)
      WHERE payroll.state = 'APPROVED' AND payment.state <> 'WITHDRAWN'
        AND NOT (payment.state = 'RETURNED' AND payment.month > coalesce(benefit.last_month, payment.month))
      GROUP BY payment.state
    )
    SELECT coalesce((SELECT sum(fen) FROM held WHERE account LIKE 'fund:%'), 0)
             = -coalesce((SELECT sum(fen) FROM released), 0)
           AND coalesce((SELECT sum(fen) FROM held WHERE account = 'clearing:bank'), 0)
             = coalesce((SELECT fen FROM released WHERE state = 'OPEN'), 0)
           AND coalesce((SELECT sum(fen) FROM held WHERE account LIKE 'paid:%'), 0)
             = coalesce((SELECT fen FROM released WHERE state = 'CONFIRMED'), 0)
           AND coalesce((SELECT sum(fen) FROM held WHERE account LIKE 'returned:%'), 0)
             = coalesce((SELECT fen FROM released WHERE state = 'RETURNED'), 0)
"""


async def violations(owner_url: str, policy: BenefitsPolicy) -> list[str]:
    """Every invariant that does not hold, with what breaks it."""
    connection = await asyncpg.connect(owner_url)
    try:
        found = [
            f"{name}: {[tuple(row) for row in rows][:5]}"
            for name, query in QUERIES.items()
            if (rows := await connection.fetch(query))
        ]
        if not await connection.fetchval(BALANCES):
            found.append("the ledger and the payments differ")
        found += await _payroll_digests(connection)
        return found + await _recomputed(connection, policy)
    finally:
        await connection.close()


async def _payroll_digests(connection: asyncpg.Connection[asyncpg.Record]) -> list[str]:
    """SHA-256 over the SHA-256 of "id|fen|account index" of every payment, in the order of their ids."""
    found = []
    for payroll in await connection.fetch("SELECT payroll_id, digest FROM payroll WHERE state <> 'PREPARING'"):
        rows = await connection.fetch(
            """
            SELECT payment_id, amount_fen, account_index FROM payment JOIN payee USING (payee_id)
            WHERE payroll_id = $1 AND state <> 'WITHDRAWN' ORDER BY payment_id
            """,
            payroll["payroll_id"],
        )
        parts = (f"{row['payment_id']}|{row['amount_fen']}|".encode() + row["account_index"] for row in rows)
        if hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest() != payroll["digest"]:
            found.append(f"the digest of payroll {payroll['payroll_id']} is not that of its payments")
    return found


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
        UNION ALL SELECT 'payment', payment_id, digest, month, amount_fen FROM payment
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
