"""What must be true of the enrollment database at every moment, whatever happened to it.

Written before the features and used at the end of their tests. Every check is one query that finds the rows which break
it; an empty answer is health. The rules of the money are those of the service (`store/books.py`), which an office runs
too; a test spoils a row for each of them. The others stand here in their own words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

from services.enrollment.store.books import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable

CHECKS: dict[str, str] = {
    **{rule.code: rule.query for rule in RULES},
    "a bill run is the sum of its bills": """
        SELECT run_id FROM (
            SELECT run_id, count(*) AS bills, sum(person_count) AS persons, sum(total_fen) AS fen
            FROM bill WHERE run_id IS NOT NULL GROUP BY run_id
        ) AS made FULL JOIN (
            SELECT run_id, sum(bill_count) AS bills, sum(person_count) AS persons,
                   sum(pension_employer_fen + pension_employee_fen + unemployment_employer_fen
                       + unemployment_employee_fen + injury_employer_fen) AS fen
            FROM bill_run_part GROUP BY run_id HAVING sum(bill_count) > 0
        ) AS noted USING (run_id)
        WHERE (made.bills, made.persons, made.fen) IS DISTINCT FROM (noted.bills, noted.persons, noted.fen)
    """,
    "every line has its bill": """
        SELECT bill_id FROM bill_line LEFT JOIN bill USING (bill_id) WHERE bill.bill_id IS NULL
    """,
    "a person-month is billed or brought in, never both": """
        SELECT line.person_id, line.month FROM bill_line AS line JOIN bill USING (bill_id)
        JOIN contribution ON contribution.person_id = line.person_id AND contribution.month = line.month
        WHERE contribution.bill_id IS DISTINCT FROM line.bill_id AND line.refund_id IS NULL
          AND CASE contribution.scheme  -- a government post may have no unemployment or injury insurance here
              WHEN 110 THEN bill.kind <> 'GOVERNMENT'
              WHEN 210 THEN line.unemployment_employer_fen + line.unemployment_employee_fen > 0
              WHEN 410 THEN line.injury_employer_fen > 0
              ELSE bill.kind = 'GOVERNMENT' END
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
                AND (entry.source LIKE 'bill:%' OR entry.source LIKE 'difference:%'
                     OR entry.source LIKE 'transfer:%')), 0),
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
            SELECT person_id, month, account_fen FROM bill_line JOIN bill USING (bill_id, month)
            WHERE state = 'PAID' AND kind <> 'GOVERNMENT' AND refund_id IS NULL
            UNION ALL
            SELECT entry.person_id, line.month, amount_fen FROM account_entry AS entry JOIN difference_line AS line
                ON line.person_id = entry.person_id
                AND entry.source = 'difference:dif_' || replace(difference_id::text, '-', '')
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
    "money of relations that moved is in the ledger": """
        SELECT * FROM (
            SELECT coalesce(sum(account_fen + pooled_fen) FILTER (WHERE direction = 'OUT'
                                                                  AND state = 'FORM'), 0) AS owed,
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
            return await _broken(connection)
    finally:
        await connection.close()


async def unseen(owner_url: str, spoils: Iterable[tuple[str, str]]) -> list[str]:
    """The statements that spoil a healthy database and break no invariant of the name beside them.

    Each is tried in a transaction of its own, which is rolled back.
    """
    connection = await asyncpg.connect(owner_url)
    missed = []
    try:
        assert await _broken(connection) == {}
        for spoil, name in spoils:
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(spoil)
            found = await _broken(connection)
            await transaction.rollback()
            if not any(one.startswith(name) for one in found):
                missed.append(f"{spoil}: {sorted(found)}")
    finally:
        await connection.close()
    return missed


async def _broken(connection: asyncpg.Connection) -> dict[str, int]:
    found = {name: len(await connection.fetch(query)) for name, query in CHECKS.items()}
    return {name: count for name, count in found.items() if count}
