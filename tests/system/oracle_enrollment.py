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
                   sum(injury_employer_fen) AS e, sum(annuity_employer_fen) AS f, sum(annuity_employee_fen) AS g
            FROM bill_line GROUP BY bill_id
        ) AS line USING (bill_id)
        WHERE (person_count, pension_employer_fen, pension_employee_fen, unemployment_employer_fen,
               unemployment_employee_fen, injury_employer_fen, annuity_employer_fen, annuity_employee_fen, total_fen)
            IS DISTINCT FROM (persons, a, b, c, d, e, f, g, a + b + c + d + e + f + g + late_fee_fen)
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
            SELECT (SELECT coalesce(sum(amount_fen), 0) FROM receipt)
                    + (SELECT coalesce(sum(tier_fen), 0) FROM resident_payment WHERE receipt_no IS NOT NULL)
                    + (SELECT coalesce(sum(premium_fen), 0) FROM project WHERE receipt_no IS NOT NULL)
                    + (SELECT coalesce(sum(premium_fen), 0) FROM platform_month WHERE receipt_no IS NOT NULL)
                   AS received,
                   (SELECT coalesce(sum(amount_fen), 0) FROM ledger_posting WHERE account = 'tax:clearing') AS booked
        ) AS both_sides WHERE received <> -booked
    """,
    "a paid bill has a contribution month for each line and scheme, an open or refunded one none": """
        SELECT bill.bill_id, line.person_id FROM bill JOIN bill_line AS line USING (bill_id)
        LEFT JOIN contribution AS paid ON paid.bill_id = line.bill_id AND paid.person_id = line.person_id
        GROUP BY bill.bill_id, line.bill_id, line.person_id
        HAVING coalesce(string_agg(scheme::text, ' ' ORDER BY scheme), '') <> CASE
            WHEN bill.state <> 'PAID' OR line.refund_id IS NOT NULL THEN ''
            WHEN kind = 'FLEXIBLE' THEN '110'
            WHEN kind = 'GOVERNMENT' THEN '120' || CASE WHEN line.unemployment_employer_fen > 0 THEN ' 210' ELSE '' END
                || CASE WHEN line.injury_employer_fen > 0 THEN ' 410' ELSE '' END || ' 9012'
            ELSE '110 210 410' END
    """,
    "contribution months of a paid bill add up to it without its late fee": """
        SELECT bill_id FROM bill JOIN contribution USING (bill_id)
        GROUP BY bill_id, total_fen, late_fee_fen HAVING sum(employer_fen + employee_fen) <> total_fen - late_fee_fen
    """,
    "a person-month is billed or brought in, never both": """
        SELECT line.person_id, line.month FROM bill_line AS line JOIN contribution USING (person_id, month)
        WHERE contribution.bill_id IS DISTINCT FROM line.bill_id AND line.refund_id IS NULL
    """,
    "a month that was refunded is kept with its refund": """
        SELECT line.bill_id FROM bill_line AS line JOIN bill USING (bill_id)
        LEFT JOIN contribution_refunded AS kept ON kept.bill_id = line.bill_id AND kept.refund_id = line.refund_id
        WHERE line.refund_id IS NOT NULL
          AND (bill.state = 'PAID') IS DISTINCT FROM (kept.refund_id IS NOT NULL AND withdrawn_date IS NULL)
    """,
    "a late fee is that of its back payment": """
        SELECT bill_id FROM bill LEFT JOIN back_payment_bill AS fee USING (bill_id)
        WHERE late_fee_fen <> coalesce(pension_fee_fen + unemployment_fee_fen + injury_fee_fen, 0)
           OR (kind = 'BACK_PAYMENT') <> (fee.bill_id IS NOT NULL)
    """,
    "a cover has one participation with its months": """
        SELECT cover_id FROM cover LEFT JOIN participation AS part USING (cover_id)
        GROUP BY cover.cover_id HAVING count(part.*) <> 1 OR bool_or(part.start_month <> cover.start_month)
            OR bool_or(part.end_month IS DISTINCT FROM cover.end_month)
            OR bool_or(part.scheme <> CASE cover.kind WHEN 'FLEXIBLE' THEN 110 ELSE 170 END)
    """,
    "a participation rests exactly while a suspension is open": """
        SELECT participation_id FROM participation WHERE state <> 'ENDED' AND (state = 'SUSPENDED') <> EXISTS (
            SELECT FROM suspension WHERE relation_id IN (enrollment_id, cover_id) AND until_month IS NULL)
    """,
    "no month is billed in which the participation rested": """
        SELECT line.bill_id FROM bill_line AS line JOIN suspension ON relation_id = enrollment_id
        WHERE line.month >= from_month AND line.month <= coalesce(until_month, 'infinity') AND refund_id IS NULL
    """,
    "accounts of other schemes are the sum of their entries": """
        SELECT person_id, scheme FROM scheme_account LEFT JOIN scheme_account_entry USING (person_id, scheme)
        GROUP BY person_id, scheme, balance_fen HAVING balance_fen <> coalesce(sum(amount_fen), 0)
    """,
    "accounts of other schemes are those of the ledger": """
        SELECT * FROM (VALUES (120, 'accounts:government_pension'), (9012, 'accounts:occupational_annuity'),
                              (170, 'accounts:resident_pension')) AS one (scheme, name)
        WHERE (SELECT coalesce(sum(balance_fen), 0) FROM scheme_account WHERE scheme_account.scheme = one.scheme)
            <> (SELECT coalesce(sum(amount_fen), 0) FROM ledger_posting WHERE account = name)
    """,
    "each paid line of a government body credits both accounts": """
        SELECT bill_id, line.person_id FROM bill JOIN bill_line AS line USING (bill_id) CROSS JOIN LATERAL (
            SELECT coalesce(sum(amount_fen) FILTER (WHERE scheme = 120), 0)::bigint AS pension,
                   coalesce(sum(amount_fen) FILTER (WHERE scheme = 9012), 0)::bigint AS annuity
            FROM scheme_account_entry AS entry WHERE entry.person_id = line.person_id
              AND entry.source = 'bill:bil_' || replace(bill_id::text, '-', '')
        ) AS booked
        WHERE kind = 'GOVERNMENT' AND (pension, annuity) IS DISTINCT FROM (
            line.pension_employee_fen * (state = 'PAID')::integer,
            (line.annuity_employer_fen + line.annuity_employee_fen) * (state = 'PAID')::integer)
    """,
    "a resident's payment is credited once, with subsidy and aid, when it is paid": """
        SELECT payment_id FROM resident_payment AS paid LEFT JOIN scheme_account_entry AS entry
            ON entry.source = 'payment:rpy_' || replace(payment_id::text, '-', '')
        GROUP BY payment_id HAVING coalesce(sum(amount_fen), 0) <>
            CASE WHEN receipt_no IS NULL THEN 0 ELSE tier_fen + subsidy_fen + aid_fen END
    """,
    "what goes back of residents' payments is what their accounts gave": """
        SELECT person_id FROM resident_payment GROUP BY person_id HAVING sum(refunded_fen) <> (
            SELECT coalesce(-sum(amount_fen), 0) FROM scheme_account_entry AS entry
            WHERE entry.person_id = resident_payment.person_id AND part = 'REFUND')
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
        WHERE bill.kind <> 'GOVERNMENT' AND CASE WHEN bill.state <> 'PAID' THEN entry.person_id IS NOT NULL
                   WHEN entry.person_id IS NULL THEN coalesce(settle_month >= line.month, true)
                   ELSE entry.amount_fen <> account_fen END
    """,
    "shares that no account takes wait as refunds": """
        SELECT * FROM (
            SELECT (SELECT coalesce(sum(account_fen), 0) FROM bill JOIN bill_line AS line USING (bill_id)
                    WHERE bill.state = 'PAID' AND bill.kind <> 'GOVERNMENT' AND NOT EXISTS (
                        SELECT FROM account_entry AS entry
                        WHERE entry.person_id = line.person_id AND entry.kind = 'CONTRIBUTION'
                          AND entry.source = 'bill:bil_' || replace(bill.bill_id::text, '-', '')))
                    - (SELECT coalesce(sum(amount_fen), 0) FROM account_entry
                       WHERE kind = 'CONTRIBUTION' AND source LIKE 'settlement:%')
                    + (SELECT coalesce(sum(amount_fen), 0) FROM overlap_refund) AS withheld,
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
            coalesce(sum(amount_fen) FILTER (
                WHERE kind = 'CONTRIBUTION' AND entry.source NOT LIKE 'settlement:%'), 0),
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
            SELECT person_id, month, account_fen FROM bill_line JOIN bill USING (bill_id, month)
            WHERE state = 'PAID' AND kind <> 'GOVERNMENT' AND refund_id IS NULL
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
        HAVING NOT (array_agg(part.scheme) @> ARRAY[110, 210, 410]::smallint[] AND count(*) = 3
                    OR array_agg(part.scheme) @> ARRAY[120, 9012]::smallint[]
                        AND array_agg(part.scheme) <@ ARRAY[120, 210, 410, 9012]::smallint[])
            OR bool_or(part.end_month IS DISTINCT FROM employment.end_month)
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
