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
from services.benefits.calculation import recompute
from services.benefits.lifecycle import Kind
from services.benefits.store.keeping_rules import RULES
from tests.system.oracle_kinds import AFTER_DEATH, kind_violations

if TYPE_CHECKING:
    from services.benefits.policy import BenefitsPolicy

QUERIES = {
    "a ledger entry does not sum to zero": """
        SELECT entry_id FROM ledger_posting GROUP BY entry_id HAVING sum(amount_fen) <> 0
    """,
    "the ledger does not sum to zero": "SELECT 1 FROM ledger_posting HAVING sum(amount_fen) <> 0",
    "a month of a benefit is paid twice": """
        SELECT benefit_id, month FROM payment WHERE item = 'MONTH' AND state <> 'WITHDRAWN'
        GROUP BY benefit_id, month HAVING count(*) > 1
    """,
    "a month of a person is paid twice": """
        SELECT person_id, kind, month FROM payment WHERE state <> 'WITHDRAWN'
        GROUP BY person_id, kind, share, month HAVING count(*) > 1
    """,
    "two running benefits of one kind": """
        SELECT person_id, kind FROM benefit WHERE state <> 'ENDED' GROUP BY person_id, kind, share HAVING count(*) > 1
    """,
    "a payment lies after the end of its benefit and nobody wrote it down": """
        SELECT payment_id FROM payment JOIN benefit USING (benefit_id)
        WHERE payment.month > benefit.last_month AND payment.state IN ('OPEN', 'CONFIRMED')
          AND payment_id NOT IN (SELECT payment_id FROM overpayment WHERE cancelled_date IS NULL)
    """,
    "a benefit is paid past the month of a death": f"""
        WITH death AS (
          SELECT person_id, max(end_month) AS month FROM participation WHERE end_reason = 'DIED' GROUP BY person_id
        )
        SELECT payment_id FROM payment JOIN death USING (person_id)
        WHERE payment.month > death.month AND payment.state IN ('OPEN', 'CONFIRMED') AND kind NOT IN ({AFTER_DEATH})
          AND payment_id NOT IN (SELECT payment_id FROM overpayment)
        UNION ALL
        SELECT benefit_id FROM benefit JOIN death USING (person_id)
        WHERE state <> 'ENDED' AND coalesce(last_month > death.month, true) AND kind NOT IN ({AFTER_DEATH})
    """,
    "an overpayment is recovered although the money came back, or settled although it did not": """
        SELECT payment_id FROM overpayment JOIN payment USING (payment_id)
        WHERE (payment.state = 'RETURNED') <> (settled_date IS NOT NULL) AND cancelled_date IS NULL
    """,
    "a payment lies before the start of its benefit": """
        SELECT payment_id FROM payment JOIN benefit USING (benefit_id) WHERE payment.month < benefit.first_month
    """,
    "a month of a benefit was left out": """
        SELECT benefit_id, due FROM benefit,
          generate_series(first_month::timestamp, next_month::timestamp - interval '1 month', '1 month') AS due
        WHERE NOT EXISTS (SELECT FROM payment WHERE payment.benefit_id = benefit.benefit_id AND month = due::date
                          AND item = 'MONTH' AND (payment.state <> 'WITHDRAWN' OR month > last_month))
          AND NOT EXISTS (SELECT FROM suspension WHERE suspension.benefit_id = benefit.benefit_id
                          AND due::date BETWEEN from_month AND forfeited_through)
    """,
    "a payment goes to another payee or person than its benefit": """
        SELECT payment_id FROM payment JOIN benefit USING (benefit_id) JOIN payee ON payee.payee_id = payment.payee_id
        WHERE payment.person_id <> benefit.person_id
          OR payee.person_id <> benefit.person_id OR payment.kind <> benefit.kind
    """,
    "maker and checker are one person": """
        SELECT determination_id FROM determination WHERE maker = checker
        UNION ALL SELECT payroll_id FROM payroll WHERE maker = checker
        UNION ALL SELECT id FROM approval WHERE maker_person = checker_person
    """,
    "a benefit without an approved determination": """
        SELECT benefit_id FROM benefit JOIN determination USING (determination_id)
        WHERE determination.state <> 'APPROVED' OR determination.digest <> benefit.digest
          OR determination.person_id <> benefit.person_id
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
          AND next_month > payment.month AND benefit.state = 'ACTIVE'
          AND NOT EXISTS (SELECT FROM payment AS later WHERE later.benefit_id = payment.benefit_id
                          AND later.month = payment.month AND later.state <> 'WITHDRAWN')
          AND NOT EXISTS (SELECT FROM suspension WHERE suspension.benefit_id = payment.benefit_id
                          AND payment.month BETWEEN from_month AND forfeited_through)
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
        found += [
            f"{name}: {text}: {[row['key'] for row in rows][:5]}"
            for name, text, query in RULES
            if (rows := await connection.fetch(query))
        ]
        if not await connection.fetchval(BALANCES):
            found.append("the ledger and the payments differ")
        found += await kind_violations(connection)
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
    found = []
    calculations: dict[bytes, Any] = {}
    for row in await connection.fetch("SELECT * FROM calculation"):
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
        kind, inputs, statement = calculations[row["digest"]]
        again = recompute(kind, inputs, Month.of(row["month"]), policy).statement
        if again.to_plain() != statement:
            found.append(f"{row['what']} {row['id']} is recomputed differently")
        if row["fen"] is not None and row["fen"] != again.total.fen:
            found.append(f"{row['what']} {row['id']} has {row['fen']} fen, recomputed {again.total.fen}")
    return found
