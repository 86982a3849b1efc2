"""Family accounts as rows: who acts for whom, on what ground, from when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernel import ids
from services.card.domain.family import Basis, DelegationState, EndedBy, Relation, Scope

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from asyncpg import Record

    from chassis.transaction import Transaction

LISTED_MAX = 200  # far more than the rules allow to live; what ended long ago is not listed


@dataclass(frozen=True, slots=True)
class Delegation:
    """A family account."""

    delegation_id: UUID
    ward_id: UUID
    delegate_id: UUID
    relation: Relation
    scopes: frozenset[Scope]
    state: DelegationState
    state_since: date
    basis: Basis | None
    reference: bytes
    from_date: date | None
    to_date: date | None
    ended_by: EndedBy | None


_COLUMNS = """
delegation_id, ward_id, delegate_id, relation, scopes, state, state_since, basis, reference, from_date, to_date,
ended_by
"""
_READ = f"SELECT {_COLUMNS} FROM delegation "  # noqa: S608 - constant text


async def add(tx: Transaction, one: Delegation) -> bool:
    """Write an invitation; False when the two have a family account that has not ended."""
    query = """
    INSERT INTO delegation (delegation_id, ward_id, delegate_id, relation, scopes, state, state_since, reference,
                            to_date)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING
    """
    scopes = sorted(scope.value for scope in one.scopes)
    return bool(
        await tx.execute(
            query,
            one.delegation_id,
            one.ward_id,
            one.delegate_id,
            one.relation.value,
            scopes,
            one.state.value,
            one.state_since,
            one.reference,
            one.to_date,
        )
    )


async def get(tx: Transaction, delegation_id: UUID, *, lock: bool = False) -> Delegation | None:
    """A family account; locked when it is going to change."""
    rows = await tx.fetch(_READ + "WHERE delegation_id = $1" + (" FOR NO KEY UPDATE" if lock else ""), delegation_id)
    return _delegation(rows[0]) if rows else None


async def by_reference(tx: Transaction, reference: bytes) -> Delegation | None:
    """The family account that a minted code refers to."""
    rows = await tx.fetch(_READ + "WHERE reference = $1", reference)
    return _delegation(rows[0]) if rows else None


async def of_person(tx: Transaction, person_id: UUID) -> Sequence[Delegation]:
    """The family accounts that a person stands in on either side, newest first."""
    either = """
    WHERE delegation_id IN (
      SELECT delegation_id FROM delegation WHERE ward_id = $1
      UNION SELECT delegation_id FROM delegation WHERE delegate_id = $1
    ) ORDER BY delegation_id DESC LIMIT $2
    """
    return [_delegation(row) for row in await tx.fetch(_READ + either, person_id, LISTED_MAX)]


async def wards(tx: Transaction, delegate_id: UUID) -> dict[Relation, int]:
    """How many wards of each relation a delegate has; invitations count. Asked under a lock."""
    query = "SELECT relation, count(*) AS count FROM delegation WHERE delegate_id = $1 AND state <> 'ENDED' GROUP BY 1"
    return {Relation(row["relation"]): row["count"] for row in await tx.fetch(query, delegate_id)}


async def activate(tx: Transaction, delegation_id: UUID, basis: Basis, evidence: str) -> None:
    """The ward, or the window, agreed; from the first time on it runs."""
    await tx.execute(
        """
        UPDATE delegation SET state = 'ACTIVE', state_since = $2, basis = $3, evidence = $4,
          from_date = coalesce(from_date, $2)
        WHERE delegation_id = $1
        """,
        delegation_id,
        tx.today,
        basis.value,
        evidence,
    )


async def end(tx: Transaction, delegation_id: UUID, by: EndedBy) -> None:
    """It ends; the bindings of the delegate's devices end with it, by a trigger."""
    query = "UPDATE delegation SET state = 'ENDED', state_since = $2, ended_by = $3 WHERE delegation_id = $1"
    await tx.execute(query, delegation_id, tx.today, by.value)


async def suspend_of_age(tx: Transaction, born_until: date, limit: int) -> Sequence[Delegation]:
    """Suspend what rests on a guardian's word for wards who came of age; at most so many, those that were suspended.

    Args:
        tx: The transaction.
        born_until: The last day of birth of those who are of age today.
        limit: How many at most.
    """
    rows = await tx.fetch(
        f"""
        UPDATE delegation SET state = 'SUSPENDED', state_since = $2
        WHERE delegation_id IN (
          SELECT delegation_id FROM delegation JOIN holder ON holder.person_id = delegation.ward_id
          WHERE state = 'ACTIVE' AND basis = 'GUARDIAN' AND birth_date <= $1
          LIMIT $3 FOR NO KEY UPDATE OF delegation SKIP LOCKED
        )
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - constant text
        born_until,
        tx.today,
        limit,
    )
    return [_delegation(row) for row in rows]


async def end_of_term(tx: Transaction, limit: int) -> Sequence[Delegation]:
    """End those whose last day is over; at most so many, those that were ended."""
    rows = await tx.fetch(
        f"""
        UPDATE delegation SET state = 'ENDED', state_since = $1, ended_by = 'TERM'
        WHERE delegation_id IN (
          SELECT delegation_id FROM delegation WHERE state <> 'ENDED' AND to_date < $1
          LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
        )
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - constant text
        tx.today,
        limit,
    )
    return [_delegation(row) for row in rows]


async def end_unanswered(tx: Transaction, invited_until: date, limit: int) -> Sequence[Delegation]:
    """End invitations that nobody answered; at most so many, those that were ended.

    Args:
        tx: The transaction.
        invited_until: Those that were sent before this day.
        limit: How many at most.
    """
    rows = await tx.fetch(
        f"""
        UPDATE delegation SET state = 'ENDED', state_since = $3, ended_by = 'LAPSED'
        WHERE delegation_id IN (
          SELECT delegation_id FROM delegation WHERE state = 'PENDING' AND state_since < $1
          LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
        )
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - constant text
        invited_until,
        limit,
        tx.today,
    )
    return [_delegation(row) for row in rows]


async def end_lapsed_of(tx: Transaction, delegate_id: UUID, invited_until: date) -> Sequence[Delegation]:
    """End the invitations of one delegate that nobody answered: they hold no place against a new one."""
    rows = await tx.fetch(
        f"""
        UPDATE delegation SET state = 'ENDED', state_since = $3, ended_by = 'LAPSED'
        WHERE delegate_id = $1 AND state = 'PENDING' AND state_since < $2 RETURNING {_COLUMNS}
        """,  # noqa: S608 - constant text
        delegate_id,
        invited_until,
        tx.today,
    )
    return [_delegation(row) for row in rows]


def text(delegation_id: UUID) -> str:
    """The id of a family account as it is shown."""
    return ids.to_text("dlg", delegation_id)


def _delegation(row: Record) -> Delegation:
    return Delegation(
        delegation_id=row["delegation_id"],
        ward_id=row["ward_id"],
        delegate_id=row["delegate_id"],
        relation=Relation(row["relation"]),
        scopes=frozenset(map(Scope, row["scopes"])),
        state=DelegationState(row["state"]),
        state_since=row["state_since"],
        basis=Basis(row["basis"]) if row["basis"] else None,
        reference=row["reference"],
        from_date=row["from_date"],
        to_date=row["to_date"],
        ended_by=EndedBy(row["ended_by"]) if row["ended_by"] else None,
    )
