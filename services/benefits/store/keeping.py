"""Payees of benefits, and persons who draw what excludes one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from asyncpg import Record

    from chassis.transaction import Transaction
    from services.benefits.store.rows import BenefitRow


async def change_payee(tx: Transaction, benefit: BenefitRow, payee_id: UUID) -> None:
    """Pay a locked benefit into another account from the next payroll on; the old account is kept."""
    await tx.execute(
        """
        INSERT INTO payee_change (benefit_id, number, old_payee_id, payee_id, business_date)
        SELECT $1, count(*) + 1, $2, $3, $4 FROM payee_change WHERE benefit_id = $1
        """,
        benefit.benefit_id,
        benefit.payee_id,
        payee_id,
        tx.today,
    )
    benefit.payee_id = payee_id


async def payees(tx: Transaction, benefit_id: UUID) -> Sequence[Record]:
    """The changes of a benefit's account, latest first, with the last four digits of the old and the new one."""
    return await tx.fetch(
        """
        SELECT number, business_date, old.account_tail AS old_tail, new.account_tail AS new_tail FROM payee_change
        JOIN payee AS old ON old.payee_id = old_payee_id JOIN payee AS new ON new.payee_id = payee_change.payee_id
        WHERE benefit_id = $1 ORDER BY number DESC
        """,
        benefit_id,
    )


async def doubles(tx: Transaction, *, after: UUID | None, limit: int) -> Sequence[Record]:
    """Persons who draw what excludes one another: two pensions, one kind twice, a pension and unemployment benefit."""
    return await tx.fetch(
        """
        WITH several AS MATERIALIZED (  -- few have more than one benefit or record: only theirs are looked at
          SELECT coalesce(survivor_id, person_id) AS root_id FROM (
            SELECT person_id FROM benefit WHERE state <> 'ENDED' GROUP BY person_id HAVING count(*) > 1
          ) AS one LEFT JOIN forward USING (person_id)
          UNION SELECT survivor_id FROM forward
        )
        SELECT root_id, benefit_ids FROM (
          SELECT root_id,
                 array_agg(benefit_id ORDER BY benefit_id) AS benefit_ids,
                 count(*) FILTER (WHERE kind = ANY($1::text[])) AS pensions,
                 count(*) FILTER (WHERE kind = 'UNEMPLOYMENT') AS unemployment,
                 count(*) - count(DISTINCT (kind, share)) AS twice
          FROM several CROSS JOIN LATERAL unnest(same_person(root_id)) AS record (person_id)
          JOIN benefit USING (person_id)
          WHERE state <> 'ENDED' AND ($2::uuid IS NULL OR root_id > $2) GROUP BY root_id
        ) AS drawn
        WHERE pensions > 1 OR unemployment > 0 AND pensions > 0 OR twice > 0
        ORDER BY root_id LIMIT $3
        """,
        ["EMPLOYEE_PENSION", "GOVERNMENT_PENSION", "RESIDENT_PENSION"],
        after,
        limit,
    )
