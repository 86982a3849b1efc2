"""Certificates, as the systems of their issuers say them (证书登记)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.principal import person_not_found
from kernel import ids
from kernel.errors import AlreadyExists, InvalidInput
from services.training.messages import facts
from services.training.store import certificates, register

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.training.commands import RecordCertificate
    from services.training.store.rows import CertificateRow


async def record(tx: Transaction, command: RecordCertificate) -> CertificateRow:
    """Record a certificate; told again, it is the same one.

    That a training institution was subsidised for it may be told later, and is never taken back.

    Raises:
        NotFound: PERSON_NOT_FOUND.
        InvalidInput: ISSUE_DATE_INVALID.
        AlreadyExists: CERTIFICATE_DIFFERS.
    """
    if command.skill.issue_date > tx.today:
        raise InvalidInput("ISSUE_DATE_INVALID", "a certificate is not issued in the future", field="issue_date")
    if not await register.is_known(tx, command.person_id):
        raise person_not_found()
    row = await certificates.add(tx, command)
    if row is not None:
        tx.emit(facts.certificate_recorded(row))
        _audit(tx, "certificate_recorded", row)
        return row
    row = await certificates.find(tx, command.key, lock=True)
    assert row is not None
    if (row.person_id, certificates.skill_of(row)) != (command.person_id, command.skill):
        raise AlreadyExists("CERTIFICATE_DIFFERS", "a certificate of this number says something else")
    if command.is_subsidised_elsewhere and not row.subsidised_elsewhere:
        row.subsidised_elsewhere = True
        _audit(tx, "certificate_subsidised_elsewhere", row)
    return row


async def of_person(tx: Transaction, person_id: UUID) -> Sequence[CertificateRow]:
    """The certificates of a person, newest first.

    Raises:
        NotFound: PERSON_NOT_FOUND.
    """
    if not await register.is_known(tx, person_id):
        raise person_not_found()
    return await certificates.of_person(tx, person_id)


def _audit(tx: Transaction, action: str, row: CertificateRow) -> None:
    detail = {"certificate_id": ids.to_text("crt", row.certificate_id)}
    tx.audit(action, person_id=row.person_id, detail=detail)
