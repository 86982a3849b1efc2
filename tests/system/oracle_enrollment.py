"""What must be true of the enrollment database at every moment, whatever happened to it.

Written before the features and used at the end of their tests. Every check is one query that finds the rows which break
it; an empty answer is health. Each states the whole in its own words and shares no code with the service.
"""

from __future__ import annotations

import asyncpg

CHECKS: dict[str, str] = {
    "every ledger entry sums to zero": """
        SELECT entry_id FROM ledger_posting GROUP BY entry_id HAVING sum(amount_fen) <> 0
    """,
    "every ledger entry has its postings": """
        SELECT id FROM ledger_entry WHERE NOT EXISTS (SELECT FROM ledger_posting WHERE entry_id = id)
    """,
    "a bill is the sum of its lines": """
        SELECT bill_id FROM bill LEFT JOIN (
            SELECT bill_id, count(*) AS persons, sum(pension_employer_fen) AS a, sum(pension_employee_fen) AS b,
                   sum(unemployment_employer_fen) AS c, sum(unemployment_employee_fen) AS d,
                   sum(injury_employer_fen) AS e
            FROM bill_line GROUP BY bill_id
        ) AS line USING (bill_id)
        WHERE (person_count, pension_employer_fen, pension_employee_fen, unemployment_employer_fen,
               unemployment_employee_fen, injury_employer_fen, total_fen)
            IS DISTINCT FROM (persons, a, b, c, d, e, a + b + c + d + e)
    """,
    "what was paid on a bill is the sum of its receipts": """
        SELECT bill_id FROM bill LEFT JOIN receipt USING (bill_id)
        GROUP BY bill_id, paid_fen HAVING paid_fen <> coalesce(sum(amount_fen), 0)
    """,
    "receipts are booked": """
        SELECT receipt_id FROM receipt LEFT JOIN ledger_entry
            ON key = 'rcp_' || replace(receipt_id::text, '-', '') WHERE id IS NULL
    """,
    "money of bills that are not paid in full waits in the ledger": """
        SELECT * FROM (
            SELECT (SELECT coalesce(sum(paid_fen), 0) FROM bill WHERE state <> 'PAID') AS waiting,
                   (SELECT coalesce(sum(amount_fen), 0) FROM ledger_posting WHERE account = 'bills:received') AS booked
        ) AS both_sides WHERE waiting <> booked
    """,
    "what the tax bureau handed over is what was received": """
        SELECT * FROM (
            SELECT (SELECT coalesce(sum(amount_fen), 0) FROM receipt) AS received,
                   (SELECT coalesce(sum(amount_fen), 0) FROM ledger_posting WHERE account = 'tax:clearing') AS booked
        ) AS both_sides WHERE received <> -booked
    """,
    "a paid bill has three contribution months for each line, an open one none": """
        SELECT bill.bill_id FROM bill LEFT JOIN contribution USING (bill_id)
        GROUP BY bill.bill_id, bill.state, person_count
        HAVING count(contribution.bill_id) <> CASE WHEN bill.state = 'PAID' THEN 3 * person_count ELSE 0 END
    """,
    "contribution months of a paid bill add up to it": """
        SELECT bill_id FROM bill JOIN contribution USING (bill_id)
        GROUP BY bill_id, total_fen HAVING sum(employer_fen + employee_fen) <> total_fen
    """,
    "a person-month is billed or brought in, never both": """
        SELECT line.person_id, line.month FROM bill_line AS line JOIN contribution USING (person_id, month)
        WHERE contribution.bill_id IS DISTINCT FROM line.bill_id
    """,
    "an account is the sum of its entries": """
        SELECT person_id FROM account LEFT JOIN account_entry USING (person_id)
        GROUP BY person_id, balance_fen HAVING balance_fen <> coalesce(sum(amount_fen), 0)
    """,
    "each paid line credits its share, unless the account was settled for a month before": """
        SELECT bill.bill_id, line.person_id FROM bill JOIN bill_line AS line USING (bill_id)
        LEFT JOIN account ON account.person_id = line.person_id
        LEFT JOIN account_entry AS entry ON entry.person_id = line.person_id AND entry.kind = 'CONTRIBUTION'
            AND entry.source = 'bill:bil_' || replace(bill.bill_id::text, '-', '')
        WHERE CASE WHEN bill.state <> 'PAID' THEN entry.person_id IS NOT NULL
                   WHEN entry.person_id IS NULL THEN coalesce(settle_month >= line.month, true)
                   ELSE entry.amount_fen <> account_fen END
    """,
    "shares that no account takes wait as refunds": """
        SELECT * FROM (
            SELECT (SELECT coalesce(sum(account_fen), 0) FROM bill JOIN bill_line AS line USING (bill_id)
                    WHERE bill.state = 'PAID' AND NOT EXISTS (
                        SELECT FROM account_entry AS entry
                        WHERE entry.person_id = line.person_id AND entry.kind = 'CONTRIBUTION'
                          AND entry.source = 'bill:bil_' || replace(bill.bill_id::text, '-', '')))
                    - (SELECT coalesce(sum(amount_fen), 0) FROM account_entry
                       WHERE kind = 'CONTRIBUTION' AND source LIKE 'settlement:%') AS withheld,
                   (SELECT coalesce(sum(amount_fen), 0) FROM ledger_posting
                    WHERE account = 'refunds:after_settlement') AS booked
        ) AS both_sides WHERE withheld <> booked
    """,
    "all accounts together are the ledger's account of accounts": """
        SELECT * FROM (
            SELECT (SELECT coalesce(sum(balance_fen), 0) FROM account) AS held,
                   (SELECT coalesce(sum(amount_fen), 0) FROM ledger_posting
                    WHERE account = 'accounts:employee_pension') AS booked
        ) AS both_sides WHERE held <> booked
    """,
    "closed years chain": """
        SELECT later.person_id, later.year FROM account_year AS later
        LEFT JOIN account_year AS earlier ON earlier.person_id = later.person_id AND earlier.year = later.year - 1
        WHERE later.opening_fen <> coalesce(earlier.closing_fen, 0)
    """,
    "closed years are what was booked in them": """
        SELECT one.person_id, one.year FROM account_year AS one LEFT JOIN account_entry AS entry USING (person_id, year)
        GROUP BY one.person_id, one.year, contribution_fen, interest_fen, imported_fen, moved_fen
        HAVING (contribution_fen, imported_fen, moved_fen) IS DISTINCT FROM (
            coalesce(sum(amount_fen) FILTER (WHERE kind = 'CONTRIBUTION'
                                             AND (entry.source LIKE 'bill:%' OR entry.source LIKE 'transfer:%')), 0),
            coalesce(sum(amount_fen) FILTER (WHERE kind = 'IMPORTED_BALANCE'), 0),
            coalesce(sum(amount_fen) FILTER (WHERE kind = 'TRANSFERRED_OUT'), 0)
        ) OR interest_fen <> coalesce(
            sum(amount_fen) FILTER (WHERE kind = 'INTEREST' AND entry.source LIKE 'year:%'), 0
        )
    """,
    "closed years follow one another up to the last one": """
        SELECT person_id FROM account LEFT JOIN account_year USING (person_id)
        GROUP BY person_id, first_year, closed_through
        HAVING count(account_year.year) <> coalesce(closed_through - first_year + 1, 0)
    """,
    "a settled account holds what its settlement says": """
        SELECT account.person_id FROM account LEFT JOIN account_settlement AS one USING (person_id)
        WHERE settle_month IS DISTINCT FROM one.retirement_month
           OR (one.person_id IS NOT NULL AND account.balance_fen <> one.balance_fen)
    """,
    "a settled account holds the shares of the months up to retirement, whenever they were paid": """
        SELECT person_id FROM account LEFT JOIN (
            SELECT person_id, month, account_fen FROM bill_line JOIN bill USING (bill_id, month) WHERE state = 'PAID'
        ) AS paid USING (person_id)
        WHERE settle_month IS NOT NULL GROUP BY person_id
        HAVING coalesce(sum(account_fen) FILTER (WHERE month <= settle_month), 0) <> (
            SELECT coalesce(sum(amount_fen), 0) FROM account_entry AS entry
            WHERE entry.person_id = account.person_id AND kind = 'CONTRIBUTION'
        )
    """,
    "a settlement never takes away an imported balance": """
        SELECT person_id FROM account JOIN account_entry USING (person_id)
        WHERE settle_month IS NOT NULL AND kind = 'IMPORTED_BALANCE' AND balance_fen < amount_fen
    """,
    "a settlement takes back at most the interest that was booked": """
        SELECT person_id FROM account JOIN account_entry AS entry USING (person_id)
        WHERE settle_month IS NOT NULL AND kind = 'INTEREST' AND year >= extract(year FROM settle_month)
        GROUP BY person_id HAVING sum(amount_fen) < 0
    """,
    "participations have the months of their employment": """
        SELECT enrollment_id FROM employment LEFT JOIN participation AS part USING (enrollment_id)
        GROUP BY enrollment_id, employment.end_month, employment.start_month
        HAVING count(part.*) <> 3 OR bool_or(part.end_month IS DISTINCT FROM employment.end_month)
            OR bool_or(part.start_month <> employment.start_month)
    """,
    "a person has one employment at a time": """
        SELECT a.person_id FROM employment AS a JOIN employment AS b USING (person_id)
        WHERE a.enrollment_id < b.enrollment_id
          AND a.start_month <= coalesce(b.end_month, 'infinity') AND b.start_month <= coalesce(a.end_month, 'infinity')
    """,
    "every enrolment has a wage from its first month": """
        SELECT enrollment_id FROM employment WHERE NOT EXISTS (
            SELECT FROM declared_wage AS wage
            WHERE wage.enrollment_id = employment.enrollment_id AND from_month <= start_month
        )
    """,
    "money of relations that moved is in the ledger": """
        SELECT * FROM (
            SELECT coalesce(sum(account_fen + pooled_fen) FILTER (WHERE direction = 'OUT' AND state = 'FORM'), 0)
                   AS owed,
                   coalesce(sum(account_fen + pooled_fen) FILTER (WHERE direction = 'OUT'
                                                                  AND state IN ('FUNDS', 'DONE')), 0)
                   - coalesce(sum(account_fen + pooled_fen) FILTER (WHERE direction = 'IN' AND state = 'DONE'), 0)
                   AS elsewhere,
                   (SELECT coalesce(sum(amount_fen), 0) FROM ledger_posting WHERE account = 'transfers:owed') AS booked,
                   (SELECT coalesce(sum(amount_fen), 0) FROM ledger_posting
                    WHERE account = 'transfers:other_areas') AS outside
            FROM transfer
        ) AS both_sides WHERE (owed, elsewhere) <> (booked, outside)
    """,
    "a relation that left has its departure, and no other has one": """
        SELECT transfer_id FROM transfer FULL JOIN departure USING (transfer_id)
        WHERE (direction = 'OUT' AND state IN ('FORM', 'FUNDS', 'DONE')) IS DISTINCT FROM (number IS NOT NULL)
           OR transfer.through <> departure.through
    """,
    "a relation that came brought the months of its form, once": """
        SELECT transfer_id FROM transfer LEFT JOIN LATERAL (
            SELECT coalesce(sum((line ->> 2)::integer), 0) AS months FROM jsonb_array_elements(form) AS line
        ) AS stated ON true LEFT JOIN LATERAL (
            SELECT coalesce(sum(bit_count(months::integer::bit(12))), 0) AS months
            FROM history_year JOIN history_source ON number = source
            WHERE prefix = 'transfer:trf_' || replace(transfer_id::text, '-', '')
        ) AS brought ON true
        WHERE brought.months <> CASE WHEN direction = 'IN' AND state = 'DONE' THEN stated.months ELSE 0 END
    """,
    "a transfer stands where its last step led": """
        SELECT transfer_id FROM transfer WHERE NOT EXISTS (
            SELECT FROM transfer_step AS step WHERE step.transfer_id = transfer.transfer_id
              AND step.state = transfer.state)
    """,
    "a month that came in a year is not billed": """
        SELECT line.person_id, line.month FROM bill_line AS line JOIN history_year AS one
            ON one.person_id = line.person_id AND one.year = extract(year FROM line.month)
        WHERE (months >> (extract(month FROM line.month)::integer - 1)) & 1 = 1 AND NOT EXISTS (
            SELECT FROM departure WHERE departure.person_id = line.person_id AND line.month <= through)
    """,
    "no month of a scheme counts twice": """
        SELECT person_id, month, scheme FROM contribution_month GROUP BY person_id, month, scheme HAVING count(*) > 1
    """,
    "a delivery that was refused, or is not decided, has brought in nothing": """
        SELECT job_id FROM history_delivery WHERE state IN ('CHECKING', 'REFUSED') AND EXISTS (
            SELECT FROM history_year WHERE source IN (
                SELECT (file ->> 'source')::integer FROM jsonb_array_elements(files) AS file))
    """,
    "a delivery that is over keeps nothing aside": """
        SELECT job_id FROM history_delivery WHERE state IN ('DONE', 'REFUSED') AND (
            open_chunks <> 0 AND state = 'DONE'
            OR EXISTS (SELECT FROM history_part AS one WHERE one.job_id = history_delivery.job_id AND years IS NOT NULL)
            OR EXISTS (SELECT FROM history_part_person AS one WHERE one.job_id = history_delivery.job_id))
    """,
    "nothing waits in the stage of history": "SELECT 1 FROM history_stage",
    "the facts of a certificate are there": """
        SELECT certificate_id FROM certificate LEFT JOIN certificate_facts AS facts USING (digest)
        WHERE facts.digest IS NULL
    """,
    "every stored request has its reply": "SELECT request_id FROM request WHERE reply IS NULL",
    "versions are as many as the facts that were said": """
        SELECT one.kind, one.id, one.version FROM aggregate AS one LEFT JOIN (
            SELECT key, count(*) AS messages FROM outbox CROSS JOIN LATERAL unnest(keys) AS key GROUP BY key
        ) AS said ON said.key = one.kind || '/' || one.id
        WHERE coalesce(said.messages, 0) = 0 OR said.messages > one.version
    """,
}


async def broken(owner_url: str) -> dict[str, int]:
    """The invariants that do not hold, each with the number of rows that break it."""
    connection = await asyncpg.connect(owner_url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):  # one moment for all checks
            found = {name: len(await connection.fetch(query)) for name, query in CHECKS.items()}
    finally:
        await connection.close()
    return {name: count for name, count in found.items() if count}
