"""Certifications and what they say of a beneficiary: the last success of each person and share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel import ids
from services.benefits.keeping import needing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from asyncpg import Record

    from chassis.transaction import Transaction
    from services.benefits.keeping import Certify


async def add_certifications(tx: Transaction, made: Sequence[Certify], recorded_by: str) -> set[tuple[UUID, str]]:
    """Write successes that are new, and move the standing of their beneficiaries; who they are.

    The same evidence of the same source again is nothing new. The benefits must be locked: whoever holds them back
    looks at the standing under the same locks.
    """
    rows = await tx.fetch(
        """
        INSERT INTO certification (certification_id, person_id, share, source, certified_date, evidence, simulated,
                                   recorded_by, business_date)
        SELECT certification_id, person_id, share, source, day, evidence, simulated, $8, $9
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::date[], $6::text[], $7::boolean[])
          AS one (certification_id, person_id, share, source, day, evidence, simulated)
        ON CONFLICT ON CONSTRAINT certification_once DO NOTHING RETURNING person_id, share, certified_date
        """,
        [ids.new_id() for _ in made],
        [one.person_id for one in made],
        [one.share for one in made],
        [one.source.value for one in made],
        [one.certified_date for one in made],
        [one.evidence for one in made],
        [one.simulated for one in made],
        recorded_by,
        tx.today,
    )
    await tx.execute(
        """
        INSERT INTO certification_standing (person_id, share, last_date)
        SELECT coalesce(survivor_id, one.person_id), share, max(day)
        FROM unnest($1::uuid[], $2::text[], $3::date[]) AS one (person_id, share, day)
        LEFT JOIN forward ON forward.person_id = one.person_id GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (person_id, share) DO UPDATE
        SET last_date = greatest(certification_standing.last_date, excluded.last_date)
        """,
        [row["person_id"] for row in rows],
        [row["share"] for row in rows],
        [row["certified_date"] for row in rows],
    )
    return {(row["person_id"], row["share"]) for row in rows}


async def same_persons(tx: Transaction, person_ids: Iterable[UUID]) -> Sequence[UUID]:
    """All ids of some persons, merged records included, in order."""
    rows = await tx.fetch(
        "SELECT DISTINCT unnest(same_person(id)) AS id FROM unnest($1::uuid[]) AS one (id) ORDER BY id",
        sorted(set(person_ids)),
    )
    return [row["id"] for row in rows]


async def known_persons(tx: Transaction, person_ids: Iterable[UUID]) -> set[UUID]:
    """Those of some ids that enrollment has announced."""
    rows = await tx.fetch("SELECT person_id FROM person WHERE person_id = ANY($1::uuid[])", list(person_ids))
    return {row["person_id"] for row in rows}


async def join_standing(tx: Transaction, person_ids: Iterable[UUID]) -> None:
    """Records went up in others: what certified the one certifies the other."""
    await tx.execute(
        """
        INSERT INTO certification_standing (person_id, share, last_date)
        SELECT survivor_id, share, max(last_date) FROM certification_standing JOIN forward USING (person_id)
        WHERE person_id = ANY($1::uuid[]) GROUP BY survivor_id, share ORDER BY 1, 2
        ON CONFLICT (person_id, share) DO UPDATE
        SET last_date = greatest(certification_standing.last_date, excluded.last_date)
        """,
        list(person_ids),
    )


async def certifications(tx: Transaction, person_id: UUID, limit: int) -> Sequence[Record]:
    """The last certifications of a person, newest first."""
    return await tx.fetch(
        """
        SELECT certification_id, share, source, certified_date, evidence, simulated FROM certification
        WHERE person_id = ANY(same_person($1)) ORDER BY certified_date DESC, certification_id DESC LIMIT $2
        """,
        person_id,
        limit,
    )


async def standing(tx: Transaction, person_id: UUID, schemes: tuple[str, ...]) -> Sequence[Record]:
    """The running benefits of a person that need a certification, each with the last success."""
    return await tx.fetch(
        """
        SELECT benefit_id, kind, state, last_date, is_certified, suspended_from, suspend_reason FROM certified
        WHERE person_id = ANY(same_person($1)) AND kind = ANY($2::text[]) ORDER BY benefit_id
        """,
        person_id,
        needing(schemes),
    )
