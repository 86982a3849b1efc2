"""Claims with their calculations and payees, and the payment orders that come of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from kernel import ids
from kernel.statement import Statement
from services.training.calculation import Calculation, canonical
from services.training.commands import Payee
from services.training.domain.skill_subsidy import Grant
from services.training.lifecycle import ClaimState, OrderState
from services.training.store.certificates import LOCK
from services.training.store.rows import CalculationRow, ClaimRow, OrderRow, PayeeRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction


async def subsidised(tx: Transaction, first: date, last: date) -> int:
    """How many subsidies the bank confirmed on these days, both included."""
    query = "SELECT count(*) FROM subsidy_order WHERE state = 'CONFIRMED' AND answer_date BETWEEN $1 AND $2"
    row = await tx.fetchrow(query, first, last)
    return int(row[0]) if row else 0


def add_payee(tx: Transaction, person_id: UUID, payee: Payee) -> PayeeRow:
    """Seal and keep an account; only its last four digits stay readable."""
    sealer, payee_id = tx.database.sealer, ids.new_id()
    row = PayeeRow(
        payee_id=payee_id,
        person_id=person_id,
        name_sealed=sealer.seal("payee", "name", payee_id, payee.name),
        account_sealed=sealer.seal("payee", "account", payee_id, payee.account),
        account_index=sealer.blind_index("account", payee.account),
        account_tail=payee.account[-4:],
    )
    tx.session.add(row)
    return row


def open_payee(tx: Transaction, row: PayeeRow) -> Payee:
    """Name and account in clear, for the bank's adapter only."""
    sealer = tx.database.sealer
    return Payee(
        name=sealer.open_text("payee", "name", row.payee_id, row.name_sealed),
        account=sealer.open_text("payee", "account", row.payee_id, row.account_sealed),
    )


async def payees(tx: Transaction, payee_ids: Iterable[UUID]) -> dict[UUID, PayeeRow]:
    """Payees by their ids."""
    query = select(PayeeRow).where(col(PayeeRow.payee_id).in_(set(payee_ids)))
    return {row.payee_id: row for row in (await tx.session.scalars(query)).all()}


async def add_calculation(tx: Transaction, made: Calculation) -> None:
    """Keep a calculation; one that says the same is kept once."""
    await tx.execute(
        """
        INSERT INTO calculation (digest, policy_version, inputs, statement, total_fen, provisional)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (digest) DO NOTHING
        """,
        made.digest,
        made.policy_version,
        canonical(made.inputs),
        canonical(made.statement.to_plain()),
        made.statement.total.fen,
        made.statement.provisional,
    )


async def calculations(tx: Transaction, digests: Iterable[bytes]) -> dict[bytes, Calculation]:
    """Calculations by their digests."""
    query = select(CalculationRow).where(col(CalculationRow.digest).in_(set(digests)))
    return {
        row.digest: Calculation(row.policy_version, row.inputs, Statement.from_plain(row.statement))
        for row in (await tx.session.scalars(query)).all()
    }


# Claims ---------------------------------------------------------------------------------------------------------------


async def claim(tx: Transaction, claim_id: UUID, *, lock: bool = False) -> ClaimRow | None:
    """A claim; locked when it is going to change."""
    return await tx.session.get(ClaimRow, claim_id, with_for_update=LOCK if lock else None, populate_existing=lock)


async def standing_claim(tx: Transaction, certificate_id: UUID) -> ClaimRow | None:
    """The claim of a certificate that was not rejected, if there is one."""
    query = select(ClaimRow).where(ClaimRow.certificate_id == certificate_id, ClaimRow.state != ClaimState.REJECTED)
    return (await tx.session.scalars(query)).one_or_none()


async def claims_of(tx: Transaction, person_id: UUID) -> Sequence[ClaimRow]:
    """The claims of a person, newest first."""
    query = select(ClaimRow).where(ClaimRow.person_id == person_id).order_by(col(ClaimRow.claim_id).desc())
    return (await tx.session.scalars(query)).all()


async def listed(tx: Transaction, state: ClaimState | None, *, after: UUID | None, limit: int) -> Sequence[ClaimRow]:
    """Claims in a state, or those that wait for staff, oldest first."""
    states = [ClaimState.SUBMITTED, ClaimState.PREPARED] if state is None else [state]
    query = select(ClaimRow).where(col(ClaimRow.state).in_(states)).order_by(col(ClaimRow.claim_id)).limit(limit)
    if after is not None:
        query = query.where(col(ClaimRow.claim_id) > after)
    return (await tx.session.scalars(query)).all()


# Orders ---------------------------------------------------------------------------------------------------------------


async def order(tx: Transaction, order_id: UUID, *, lock: bool = False) -> OrderRow | None:
    """A payment order; locked when the bank answers."""
    return await tx.session.get(OrderRow, order_id, with_for_update=LOCK if lock else None, populate_existing=lock)


async def orders_of(tx: Transaction, claim_ids: Iterable[UUID]) -> dict[UUID, OrderRow]:
    """The payment orders of claims, by claim."""
    query = select(OrderRow).where(col(OrderRow.claim_id).in_(set(claim_ids)))
    return {row.claim_id: row for row in (await tx.session.scalars(query)).all()}


async def grants(tx: Transaction, person_id: UUID) -> tuple[Grant, ...]:
    """What a person was granted, earliest first. A returned order is still owed, so it counts."""
    query = select(OrderRow).where(OrderRow.person_id == person_id).order_by(col(OrderRow.order_id))
    return tuple(Grant(row.occupation, row.level, row.apply_date) for row in (await tx.session.scalars(query)).all())


async def released(tx: Transaction, *, after: UUID | None, limit: int) -> Sequence[OrderRow]:
    """Payment orders that the bank has not answered, oldest first."""
    query = select(OrderRow).where(OrderRow.state == OrderState.RELEASED).order_by(col(OrderRow.order_id)).limit(limit)
    if after is not None:
        query = query.where(col(OrderRow.order_id) > after)
    return (await tx.session.scalars(query)).all()
