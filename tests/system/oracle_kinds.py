"""What must always hold for the kinds of benefits: what comes once, what excludes what, who must be dead or alive.

Queries that find what breaks a rule, as in `oracle_benefits`; none of them uses the code that wrote the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

PENSIONS = "'EMPLOYEE_PENSION', 'GOVERNMENT_PENSION', 'RESIDENT_PENSION'"
FUNERALS = "'INJURY_FUNERAL', 'SURVIVOR_FUNERAL', 'RESIDENT_FUNERAL', 'UNEMPLOYMENT_FUNERAL'"
AFTER_DEATH = f"{FUNERALS}, 'INJURY_DEATH_GRANT', 'INJURY_DEPENDANT', 'SURVIVOR_GRANT', 'UNEMPLOYMENT_GRANT'"
ONCE = "'OCCUPATIONAL_ANNUITY', 'INJURY_GRANT', 'INJURY_MEDICAL_GRANT', 'INJURY_DEATH_GRANT', 'SURVIVOR_GRANT'"
STANDS = "end_reason IS DISTINCT FROM 'REVOKED'"

QUERIES = {
    "two pensions in a life": f"""
        SELECT person_id FROM benefit WHERE kind IN ({PENSIONS}) AND {STANDS} GROUP BY person_id HAVING count(*) > 1
    """,
    "two funeral grants for a death": f"""
        SELECT person_id FROM benefit WHERE kind IN ({FUNERALS}) AND {STANDS} GROUP BY person_id HAVING count(*) > 1
    """,
    "a benefit that comes once came twice": f"""
        SELECT person_id, kind, share FROM benefit WHERE kind IN ({ONCE}) AND {STANDS}
        GROUP BY person_id, kind, share HAVING count(*) > 1
    """,
    "a person draws pension and unemployment benefit for one month": f"""
        SELECT one.payment_id FROM payment one JOIN payment other USING (person_id, month)
        WHERE one.kind IN ('UNEMPLOYMENT', 'DISABILITY_ALLOWANCE') AND one.kind <> other.kind
          AND other.kind IN ({PENSIONS}, 'UNEMPLOYMENT', 'DISABILITY_ALLOWANCE')
          AND one.state IN ('OPEN', 'CONFIRMED') AND other.state IN ('OPEN', 'CONFIRMED')
          AND one.payment_id NOT IN (SELECT payment_id FROM overpayment)
          AND other.payment_id NOT IN (SELECT payment_id FROM overpayment)
    """,
    "the benefit of a death, and the register knows none": f"""
        SELECT benefit_id FROM benefit JOIN calculation USING (digest)
        WHERE benefit.kind IN ({AFTER_DEATH}) AND {STANDS} AND inputs ->> 'missing' IS DISTINCT FROM 'true'
          AND NOT EXISTS (SELECT FROM person WHERE person_id = ANY(same_person(benefit.person_id))
                                               AND died_month IS NOT NULL)
          AND NOT EXISTS (SELECT FROM participation WHERE person_id = ANY(same_person(benefit.person_id))
                                                      AND end_reason = 'DIED')
    """,
    "what is paid once is paid for more than one month": """
        SELECT benefit_id FROM payment JOIN benefit USING (benefit_id)
        WHERE benefit.kind IN ('INJURY_GRANT', 'INJURY_MEDICAL_GRANT', 'INJURY_FUNERAL', 'INJURY_DEATH_GRANT',
                               'SURVIVOR_FUNERAL', 'SURVIVOR_GRANT', 'RESIDENT_FUNERAL', 'UNEMPLOYMENT_LUMP_SUM',
                               'UNEMPLOYMENT_FUNERAL', 'UNEMPLOYMENT_GRANT')
          AND payment.state <> 'WITHDRAWN'
        GROUP BY benefit_id HAVING count(DISTINCT payment.month) > 1
    """,
    "the dependants of a death draw more than the own wage, by more than half a fen each": """
        SELECT benefit.person_id FROM benefit JOIN calculation USING (digest)
        WHERE benefit.kind = 'INJURY_DEPENDANT' AND benefit.state <> 'ENDED'
        GROUP BY benefit.person_id, calculation.inputs -> 'event_date'
        HAVING sum(total_fen) > max((
            SELECT round(replace(one ->> 1, ',', '')::numeric * 100)
            FROM jsonb_array_elements(statement #> '{lines,0,inputs}') AS one WHERE one ->> 0 = 'own_wage'
        )) + 0.5 * count(*)
    """,
    "an annuity pays more or less than its balance": """
        SELECT benefit_id FROM benefit JOIN calculation USING (digest)
        WHERE benefit.kind = 'OCCUPATIONAL_ANNUITY' AND benefit.end_reason = 'EXHAUSTED'
          AND (SELECT sum(amount_fen) FROM payment WHERE payment.benefit_id = benefit.benefit_id AND item = 'MONTH')
              <> (inputs ->> 'balance')::bigint
    """,
    "a benefit was ended by decision, and no document says why": """
        SELECT benefit_id FROM benefit
        WHERE (end_reason IN ('REFUSED_WORK', 'ENLISTED', 'EMIGRATED', 'ENTITLEMENT_LOST', 'REVOKED'))
              AND end_document = ''
    """,
}


async def kind_violations(connection: asyncpg.Connection[asyncpg.Record]) -> list[str]:
    """Every rule that does not hold, with what breaks it."""
    return [
        f"{name}: {[tuple(row) for row in rows][:5]}"
        for name, query in QUERIES.items()
        if (rows := await connection.fetch(query))
    ]
