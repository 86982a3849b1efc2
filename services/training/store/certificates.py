"""Certificates: numbers sealed, found by a keyed hash, unique for each type of issuer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from kernel import ids
from services.training.domain.skill_subsidy import Skill
from services.training.store.rows import CertificateRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.training.commands import CertificateKey, RecordCertificate

# FOR NO KEY UPDATE: keeps changes apart, but lets others refer to the row by its key.
LOCK = {"key_share": True}


async def issued(tx: Transaction, first: date, last: date) -> int:
    """How many recorded certificates were issued on these days, both included."""
    row = await tx.fetchrow("SELECT count(*) FROM certificate WHERE issue_date BETWEEN $1 AND $2", first, last)
    return int(row[0]) if row else 0


async def add(tx: Transaction, command: RecordCertificate) -> CertificateRow | None:
    """Write a new certificate; None when one of this number is recorded, or was at this instant."""
    certificate_id = ids.new_id()
    found = await tx.fetchrow(
        """
        INSERT INTO certificate (certificate_id, person_id, issuer_type, number_sealed, number_index, number_tail,
                                 occupation, level, issue_date, subsidised_elsewhere, record_date)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT ON CONSTRAINT certificate_number DO NOTHING RETURNING certificate_id
        """,
        certificate_id,
        command.person_id,
        command.key.issuer_type.value,
        tx.database.sealer.seal("certificate", "number", certificate_id, command.key.number),
        _index(tx, command.key),
        command.key.number[-4:],
        command.skill.occupation,
        command.skill.level,
        command.skill.issue_date,
        command.is_subsidised_elsewhere,
        tx.today,
    )
    return None if found is None else await get(tx, certificate_id)


async def get(tx: Transaction, certificate_id: UUID, *, lock: bool = False) -> CertificateRow:
    """A certificate; every claim has one. Locked, and read anew, when a claim of it is decided."""
    return await tx.session.get_one(
        CertificateRow, certificate_id, with_for_update=LOCK if lock else None, populate_existing=lock
    )


async def find(tx: Transaction, key: CertificateKey, *, lock: bool = False) -> CertificateRow | None:
    """The certificate of a number, whoever holds it."""
    query = select(CertificateRow).where(
        CertificateRow.issuer_type == key.issuer_type, CertificateRow.number_index == _index(tx, key)
    )
    if lock:
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    return (await tx.session.scalars(query)).one_or_none()


async def of_person(tx: Transaction, person_id: UUID) -> Sequence[CertificateRow]:
    """The certificates of a person, newest first."""
    query = (
        select(CertificateRow)
        .where(CertificateRow.person_id == person_id)
        .order_by(col(CertificateRow.issue_date).desc(), col(CertificateRow.certificate_id).desc())
    )
    return (await tx.session.scalars(query)).all()


async def by_id(tx: Transaction, certificate_ids: Iterable[UUID]) -> dict[UUID, CertificateRow]:
    """Certificates by their ids."""
    query = select(CertificateRow).where(col(CertificateRow.certificate_id).in_(set(certificate_ids)))
    return {row.certificate_id: row for row in (await tx.session.scalars(query)).all()}


def skill_of(row: CertificateRow) -> Skill:
    """What a certificate says."""
    return Skill(row.occupation, row.level, row.issue_date)


def _index(tx: Transaction, key: CertificateKey) -> bytes:
    return tx.database.sealer.blind_index("certificate_number", key.number)
