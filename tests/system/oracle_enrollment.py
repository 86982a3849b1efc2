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
        GROUP BY one.person_id, one.year, contribution_fen, interest_fen, imported_fen
        HAVING (contribution_fen, imported_fen) IS DISTINCT FROM (
            coalesce(sum(amount_fen) FILTER (WHERE kind = 'CONTRIBUTION' AND entry.source LIKE 'bill:%'), 0),
            coalesce(sum(amount_fen) FILTER (WHERE kind = 'IMPORTED_BALANCE'), 0)
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
    "a record that went up in another holds nothing that counts": """
        SELECT person_id FROM person WHERE merged_into IS NOT NULL AND (
            EXISTS (SELECT FROM employment WHERE employment.person_id = person.person_id)
            OR EXISTS (SELECT FROM contribution WHERE contribution.person_id = person.person_id)
            OR EXISTS (SELECT FROM bill_line WHERE bill_line.person_id = person.person_id)
            OR EXISTS (SELECT FROM account WHERE account.person_id = person.person_id AND balance_fen <> 0)
        )
    """,
    "mergers and forwards are the same": """
        SELECT coalesce(person_id, merged_id) FROM person
        FULL JOIN (SELECT * FROM person_merge WHERE undone IS NULL) AS merger ON merged_id = person_id
        WHERE merged_into IS DISTINCT FROM survivor_id AND (merged_into IS NOT NULL OR merged_id IS NOT NULL)
    """,
    "nobody forwards to a record that forwards": """
        SELECT one.person_id FROM person AS one JOIN person AS stands ON stands.person_id = one.merged_into
        WHERE stands.merged_into IS NOT NULL
    """,
    "what is known of a person covers all time once, and its end is what is true now": """
        SELECT person_id FROM (
            SELECT person_id, valid_from, valid_to, birth_date, sex, division,
                   lead(valid_from) OVER line AS following, row_number() OVER line AS place
            FROM person_version WHERE superseded IS NULL WINDOW line AS (PARTITION BY person_id ORDER BY valid_from)
        ) AS version JOIN person USING (person_id)
        WHERE valid_to IS DISTINCT FROM following OR (place = 1 AND valid_from <> '-infinity')
           OR (valid_to IS NULL AND (version.birth_date, version.sex, version.division)
                                 <> (person.birth_date, person.sex, person.division))
    """,
    "the dead are insured nowhere after their month": """
        SELECT employment.person_id FROM employment JOIN person USING (person_id)
        WHERE died_on IS NOT NULL AND (end_month IS NULL
            OR (end_reason = 'DIED' AND end_month > greatest(died_on, start_month)))
    """,
    "a death is recorded where a person is dead": """
        SELECT coalesce(person.person_id, known.person_id) FROM person
        FULL JOIN (SELECT * FROM death WHERE superseded IS NULL) AS known USING (person_id)
        WHERE died_on IS DISTINCT FROM death_date
    """,
    "an employer that is no more insures nobody": """
        SELECT employer_id FROM employer JOIN employment USING (employer_id)
        WHERE deregister_date IS NOT NULL AND (end_month IS NULL OR end_month > deregister_date)
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
