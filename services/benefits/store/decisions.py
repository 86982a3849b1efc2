"""Determinations, their calculations and payees, and the benefits that come of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import col, select

from chassis import release
from kernel import ids
from kernel.calendar import Month
from kernel.money import Money
from kernel.statement import Statement
from services.benefits.adjusting import Terms, again
from services.benefits.calculation import Calculation, canonical
from services.benefits.lifecycle import BenefitState, Kind
from services.benefits.store import adjusting, register
from services.benefits.store.rows import BenefitRow, CalculationRow, DeterminationRow, PayeeRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.benefits.commands import Payee
    from services.benefits.entitlement import End


@dataclass(frozen=True, slots=True)
class Amount:
    """What a benefit is worth from a month on, with the digest of the calculation that says so."""

    from_month: Month
    amount: Money
    digest: bytes


def amount_of(amounts_: Sequence[Amount], month: Month) -> Amount:
    """The amount of a month: the newest of those that begin in it or before."""
    return next(one for one in reversed(amounts_) if one.from_month <= month)


# FOR NO KEY UPDATE: keeps changes apart, but lets others refer to the row by its key.
LOCK = {"key_share": True}


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


async def payee(tx: Transaction, payee_id: UUID) -> PayeeRow:
    """A payee; every decision has one."""
    return await tx.session.get_one(PayeeRow, payee_id)


async def shares_account(tx: Transaction, row: PayeeRow) -> bool:
    """Whether a benefit of another person is paid to the same account."""
    found = await tx.fetchrow(
        """
        SELECT 1 FROM benefit JOIN payee USING (payee_id)
        WHERE payee.account_index = $1 AND benefit.person_id <> $2 AND benefit.state <> 'ENDED' LIMIT 1
        """,
        row.account_index,
        row.person_id,
    )
    return found is not None


async def add_calculations(tx: Transaction, calculations: Iterable[Calculation]) -> None:
    """Keep calculations; one that says the same is kept once."""
    new = {one.digest: one for one in calculations}
    if not new:
        return
    await tx.execute(
        """
        INSERT INTO calculation (digest, kind, policy_version, inputs, statement, total_fen, provisional, release)
        SELECT digest, kind, version, inputs::jsonb, statement::jsonb, total, provisional, $8
        FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::boolean[])
          AS one (digest, kind, version, inputs, statement, total, provisional)
        ON CONFLICT (digest) DO NOTHING
        """,
        list(new),
        [one.kind.value for one in new.values()],
        [one.policy_version for one in new.values()],
        [canonical(one.inputs) for one in new.values()],
        [canonical(one.statement.to_plain()) for one in new.values()],
        [one.statement.total.fen for one in new.values()],
        [one.statement.provisional for one in new.values()],
        release.version(),
    )


async def calculation_rows(tx: Transaction, digests: Iterable[bytes]) -> dict[bytes, CalculationRow]:
    """Calculations as they are stored, by their digests."""
    query = select(CalculationRow).where(col(CalculationRow.digest).in_(set(digests)))
    return {row.digest: row for row in await tx.session.scalars(query)}


async def calculations(tx: Transaction, digests: Iterable[bytes]) -> dict[bytes, Calculation]:
    """Calculations by their digests."""
    rows = await calculation_rows(tx, digests)
    known = await adjusting.terms(tx, {row.terms_id for row in rows.values() if row.terms_id})
    terms = {one: Terms.from_plain(plain) for one, plain in known.items()}
    return {digest: _calculation(row, terms) for digest, row in rows.items()}


async def calculation(tx: Transaction, digest: bytes) -> Calculation:
    """A calculation; every decision has one."""
    return (await calculations(tx, [digest]))[digest]


async def determination(tx: Transaction, determination_id: UUID, *, lock: bool = False) -> DeterminationRow | None:
    """A determination; locked when it is going to be decided."""
    return await tx.session.get(DeterminationRow, determination_id, with_for_update=LOCK if lock else None)


async def benefit(tx: Transaction, benefit_id: UUID, *, lock: bool = False) -> BenefitRow | None:
    """A benefit; locked when it is going to change."""
    return await tx.session.get(BenefitRow, benefit_id, with_for_update=LOCK if lock else None, populate_existing=lock)


async def benefit_of(tx: Transaction, determination_id: UUID) -> BenefitRow | None:
    """The benefit that came of a determination, if one did."""
    query = select(BenefitRow).where(BenefitRow.determination_id == determination_id)
    return (await tx.session.scalars(query)).one_or_none()


async def benefits(tx: Transaction, person_id: UUID) -> Sequence[BenefitRow]:
    """All benefits of a person under every id that was merged, newest first."""
    ids_ = await register.same(tx, person_id)
    query = select(BenefitRow).where(col(BenefitRow.person_id).in_(ids_)).order_by(col(BenefitRow.benefit_id).desc())
    return (await tx.session.scalars(query)).all()


async def of_kind(tx: Transaction, benefit_ids: Iterable[UUID], kind: Kind) -> Sequence[BenefitRow]:
    """Those of some locked benefits that are of a kind, in the order of their ids."""
    query = (
        select(BenefitRow)
        .where(col(BenefitRow.benefit_id).in_(list(benefit_ids)), BenefitRow.kind == kind)
        .order_by(col(BenefitRow.benefit_id))
        .execution_options(populate_existing=True)
    )
    return (await tx.session.scalars(query)).all()


async def lock_running(tx: Transaction, person_ids: Iterable[UUID], kind: Kind | None = None) -> Sequence[BenefitRow]:
    """The benefits of some persons that have not ended, locked in the order of their ids."""
    query = (
        select(BenefitRow)
        .where(col(BenefitRow.person_id).in_(set(person_ids)), BenefitRow.state != BenefitState.ENDED)
        .order_by(col(BenefitRow.benefit_id))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if kind is not None:
        query = query.where(BenefitRow.kind == kind)
    return (await tx.session.scalars(query)).all()


async def lock_all(tx: Transaction, person_ids: Iterable[UUID], kind: Kind) -> Sequence[BenefitRow]:
    """The benefits of a kind of some persons, ended ones too, locked in the order of their ids."""
    query = (
        select(BenefitRow)
        .where(col(BenefitRow.person_id).in_(set(person_ids)), BenefitRow.kind == kind)
        .order_by(col(BenefitRow.benefit_id))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return (await tx.session.scalars(query)).all()


async def start(tx: Transaction, row: BenefitRow, later: Sequence[Amount] = ()) -> bool:
    """Write a new benefit; False when its place is taken: a running one of this kind, or one that comes once.

    The row goes past the session: a second start at the same instant waits here and then finds the first.

    Args:
        tx: The transaction.
        row: The benefit.
        later: Amounts of later months that are known from the start.
    """
    found = await tx.fetchrow(
        """
        WITH started AS (
          INSERT INTO benefit (benefit_id, determination_id, person_id, kind, state, monthly_fen, first_month,
                               last_month, next_month, event_month, provisional, division, digest, payee_id, share)
          VALUES ($1, $2, $3, $4, 'ACTIVE', $5, $6, $7, $6, $8, $9, $10, $11, $12, $13)
          ON CONFLICT DO NOTHING RETURNING benefit_id
        )
        INSERT INTO benefit_amount (benefit_id, number, from_month, amount_fen, digest, cause, business_date)
        SELECT benefit_id, 1, $6, $5, $11, 'DETERMINED', $14 FROM started RETURNING benefit_id
        """,
        row.benefit_id,
        row.determination_id,
        row.person_id,
        row.kind.value,
        row.monthly.fen,
        row.first_month.first_day,
        row.last_month.first_day if row.last_month else None,
        row.event_month.first_day,
        row.provisional,
        row.division,
        row.digest,
        row.payee_id,
        row.share,
        tx.today,
    )
    if found is not None and later:
        await tx.execute(
            """
            INSERT INTO benefit_amount (benefit_id, number, from_month, amount_fen, digest, cause, business_date)
            SELECT $1, number + 1, from_month, fen, digest, 'DETERMINED', $5
            FROM unnest($2::date[], $3::bigint[], $4::bytea[])
              WITH ORDINALITY AS one (from_month, fen, digest, number)
            """,
            row.benefit_id,
            [one.from_month.first_day for one in later],
            [one.amount.fen for one in later],
            [one.digest for one in later],
            tx.today,
        )
    return found is not None


async def amounts(tx: Transaction, benefit_ids: Iterable[UUID]) -> dict[UUID, list[Amount]]:
    """Every amount that some benefits ever had, in the order in which they came about."""
    found: dict[UUID, list[Amount]] = {}
    for row in await tx.fetch(
        """
        SELECT benefit_id, from_month, amount_fen, digest FROM benefit_amount
        WHERE benefit_id = ANY ($1::uuid[]) ORDER BY benefit_id, number
        """,
        list(benefit_ids),
    ):
        amount = Amount(Month.of(row["from_month"]), Money(row["amount_fen"]), row["digest"])
        found.setdefault(row["benefit_id"], []).append(amount)
    return found


def end(row: BenefitRow, how: End) -> None:
    """End a locked benefit."""
    row.state = BenefitState.ENDED
    row.last_month = how.last_month
    row.end_reason = how.reason


def _calculation(row: CalculationRow, terms: Mapping[UUID, Terms]) -> Calculation:
    if row.statement is None:
        assert row.terms_id is not None
        return again(row.kind, row.policy_version, row.inputs, terms[row.terms_id], row.terms_id, digest=row.digest)
    return Calculation(row.kind, row.policy_version, row.inputs, Statement.from_plain(row.statement))
